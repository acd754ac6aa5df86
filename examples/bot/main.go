// Command bot answers anyone who mentions it in a room, as the service of its token:
//
//	go run ./cmd/streamroom local
//	API=http://127.0.0.1:8080/api TOKEN=$(go run ./cmd/streamroom token --service bot) go run ./examples/bot
//
// It ends with its token, after an hour: a bot that stays fetches another one before. It
// asks for new messages each second; bot.mjs does the same in Node.js.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"
)

func main() {
	err := run(context.Background(), os.Getenv("API"), os.Getenv("TOKEN"), cmp.Or(os.Getenv("ROOM"), "general"))
	fmt.Fprintln(os.Stderr, "bot:", err)
	os.Exit(1)
}

type object = map[string]string

// run joins a room and answers mentions there until a request fails, or ctx ends.
func run(ctx context.Context, api, token, room string) error {
	var me struct{ UserID string }
	var page struct {
		Messages []struct {
			MessageID string
			Mentions  []string
		}
	}
	messages, newest := "/rooms/"+room+"/messages", "?limit=1"
	err := call(ctx, api, token, "PUT", "/me", object{"displayName": "Bot"}, &me)
	if err == nil { // only members can be mentioned
		err = call(ctx, api, token, "POST", "/rooms/"+room+"/members", object{"userId": me.UserID}, nil)
	}
	for ; err == nil; err = wait(ctx, time.Second) {
		if err := call(ctx, api, token, "GET", messages+newest, nil, &page); err != nil {
			return err
		}
		for _, m := range page.Messages {
			newest = "?after=" + m.MessageID
			if !slices.Contains(m.Mentions, me.UserID) {
				continue
			}
			// One message has one answer, however often it is sent: that is what the
			// clientMessageId is for.
			answer := object{"content": "At your service!", "replyTo": m.MessageID, "clientMessageId": "re-" + m.MessageID}
			if err := call(ctx, api, token, "POST", messages, answer, nil); err != nil {
				return err
			}
		}
	}
	return err
}

// call makes one request of the HTTP API.
func call(ctx context.Context, api, token, method, path string, in object, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	case out == nil:
		return nil
	}
	return json.NewDecoder(response.Body).Decode(out)
}

// wait waits, and returns ctx's error if that ends first.
func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
