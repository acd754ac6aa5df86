// Command bot answers anyone who mentions it in a room, as the service of its token:
//
//	go run ./cmd/streamroom local
//	API=http://127.0.0.1:8080/api TOKEN=$(go run ./cmd/streamroom token --service bot) go run ./examples/bot
//
// It ends with its token, after an hour: a bot that stays fetches another one in Token. It
// asks for new messages each second; bot.mjs does the same in Node.js, without a library.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/streamroom/streamroom/client"
)

func main() {
	token := func(context.Context) (string, error) { return os.Getenv("TOKEN"), nil }
	options := client.Options{APIURL: os.Getenv("API"), Token: token}
	fmt.Fprintln(os.Stderr, run(context.Background(), options, cmp.Or(os.Getenv("ROOM"), "general")))
	os.Exit(1)
}

// run joins a room and answers mentions there until a request fails.
func run(ctx context.Context, options client.Options, room string) error {
	c, err := client.New(options)
	if err != nil {
		return err
	}
	me, err := c.SetName(ctx, "Bot")
	if err == nil {
		err = c.AddMember(ctx, room, me.UserID) // only members can be mentioned
	}
	again := time.Tick(time.Second)
	for page := (client.Page{Limit: 1}); err == nil; <-again {
		var news client.History
		news, err = c.History(ctx, room, page)
		for _, m := range news.Messages {
			page = client.Page{After: m.MessageID}
			if err == nil && slices.Contains(m.Mentions, me.UserID) { // one message has one answer, by the key
				_, err = c.PostOnce(ctx, "re-"+m.MessageID, room, "At your service!", client.InReplyTo(m.MessageID))
			}
		}
	}
	return err
}
