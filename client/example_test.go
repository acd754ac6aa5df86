package client_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/streamroom/streamroom/client"
)

func Example() {
	server := httptest.NewServer(newFake().handler()) // yours is a real one
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	c, err := client.New(client.Options{
		WebSocketURL: strings.Replace(server.URL, "http", "ws", 1) + "/ws",
		APIURL:       server.URL + "/api",
		Token:        func(context.Context) (string, error) { return token(time.Now().Add(time.Hour), "1"), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A send waits for the connection, so it may come before Run.
	go func() {
		if _, err := c.Send(ctx, "general", "hello"); err != nil {
			fmt.Println(err)
		}
	}()
	err = c.Run(ctx, func(ctx context.Context, e client.Event) {
		switch e := e.(type) {
		case client.Connected:
			fmt.Println("connected as", e.UserID)
		case client.Message:
			fmt.Println(e.SenderID+":", e.Content)
			if err := c.Close(ctx); err != nil {
				fmt.Println(err)
			}
		}
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// connected as alice
	// alice: hello
}
