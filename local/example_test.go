package local_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// Start a Streamroom in memory on free ports, sign a user in, send a message to
// the room that everyone is in, and receive it.
func ExampleStart() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, err := local.Start(ctx, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Stop(context.WithoutCancel(ctx)) }()
	defer http.DefaultClient.CloseIdleConnections()

	alice, err := client.New(client.Options{
		WebSocketURL: server.WebSocketURL(), APIURL: server.URL() + "/api",
		Token: func(ctx context.Context) (string, error) {
			return rig.SignIn(ctx, http.DefaultClient, server.URL(), "alice", 0)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	received := make(chan client.Message, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- alice.Run(ctx, func(_ context.Context, e client.Event) {
			if m, ok := e.(client.Message); ok {
				received <- m
			}
		})
	}()
	if _, err := alice.Send(ctx, local.Lobby, "hello"); err != nil {
		fmt.Println(err)
		return
	}
	m := <-received
	fmt.Println(m.SenderID, "in", m.ChatRoomID, "says", m.Content)
	cancel()
	<-ended
	// Output: alice in general says hello
}
