package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"strings"
	"syscall"

	"github.com/streamroom/streamroom/client"
)

// Chats with a Streamroom that `go run ./cmd/streamroom local` has started: says
// hello in the room that everybody is in, and prints what is said there until
// Ctrl-C.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer stop()

	c, err := client.New(client.Options{
		WebSocketURL: "ws://127.0.0.1:8080/local",
		APIURL:       "http://127.0.0.1:8080/api",
		Token:        func(ctx context.Context) (string, error) { return signIn(ctx, "http://127.0.0.1:8080", "alice") },
	})
	if err != nil {
		log.Print(err)
		return
	}
	if err := c.Follow("general"); err != nil {
		log.Print(err)
		return
	}
	// A send waits for the connection, so it may come before Run.
	go func() {
		if _, err := c.Send(ctx, "general", "hello"); err != nil {
			log.Print(err)
		}
	}()
	err = c.Run(ctx, func(_ context.Context, e client.Event) {
		switch e := e.(type) {
		case client.Message:
			fmt.Println(e.SenderID+":", e.Content)
		case client.MemberLeft:
			fmt.Println(e.UserID, "left", e.ChatRoomID)
		case client.Connected:
			fmt.Println("connected as", e.UserID)
		case client.Disconnected:
			fmt.Println("not connected:", e.Err)
		case client.CatchUpFailed:
			fmt.Println("messages are missing:", e.Err)
		}
	})
	log.Print(err)
}

// signIn gets a token from the user pool of `streamroom local`. A deployed
// Streamroom takes those of its own identity provider.
func signIn(ctx context.Context, addr, user string) (string, error) {
	body := fmt.Sprintf(`{"user":%q}`, user)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, addr+"/token", strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("sign in: the answer is %s and has no token", resp.Status)
	}
	return answer.Token, nil
}
