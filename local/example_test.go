package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
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
			return signIn(ctx, server.URL(), "alice")
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

// signIn returns a token of a user, who needs no password here.
func signIn(ctx context.Context, url, user string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/token", strings.NewReader(fmt.Sprintf(`{"user":%q}`, user)))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var signedIn struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&signedIn); err != nil {
		return "", fmt.Errorf("sign %s in: %s: %w", user, response.Status, err)
	}
	return signedIn.Token, nil
}
