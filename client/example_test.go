package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/streamroom/streamroom/client"
)

// newExample is a client of alice and its server, which is in memory.
func newExample() (c *client.Client, server *fake, stop func()) {
	server = newFake()
	server.rooms["general"] = nil
	web := httptest.NewServer(server.handler())
	c, err := client.New(client.Options{
		WebSocketURL: strings.Replace(web.URL, "http", "ws", 1) + "/ws",
		APIURL:       web.URL + "/api",
		Token:        func(context.Context) (string, error) { return token(time.Time{}, "1"), nil },
		HTTPClient:   web.Client(),
	})
	if err != nil {
		panic(err)
	}
	return c, server, web.Close
}

// Token gets a JWT of the identity provider: of `streamroom local` by
// POST /token with {"user":"alice"}, of a deployed Streamroom from its user pool.
func ExampleNew() {
	_, err := client.New(client.Options{
		WebSocketURL: "wss://abc.execute-api.eu-central-1.amazonaws.com/prod",
		APIURL:       "https://def.execute-api.eu-central-1.amazonaws.com",
		Token:        func(context.Context) (string, error) { return "a JWT", nil },
	})
	fmt.Println(err)

	_, err = client.New(client.Options{WebSocketURL: "https://example.com"})
	fmt.Println(err)
	// Output:
	// <nil>
	// client: invalid WebSocketURL: want a ws:// or wss:// URL, got "https://example.com"
}

// Run connects, and calls the handler for each event until Close.
func ExampleClient_Run() {
	c, server, stop := newExample()
	defer stop()
	server.store("general", "bob", "welcome")

	if err := c.Follow("general"); err != nil {
		fmt.Println(err)
	}
	err := c.Run(context.Background(), func(ctx context.Context, e client.Event) {
		switch e := e.(type) {
		case client.Connected:
			fmt.Println("connected as", e.UserID)
		case client.Message:
			fmt.Printf("%s: %s (backlog: %v)\n", e.SenderID, e.Content, e.Backlog)
			if e.Backlog {
				server.say("general", "and live")
				return
			}
			_ = c.Close(ctx)
		}
	})
	fmt.Println(err)
	// Output:
	// connected as alice
	// bob: welcome (backlog: true)
	// bob: and live (backlog: false)
	// <nil>
}

// Send waits for the connection and returns once the message is stored. It comes
// as an event, too, like those of others.
func ExampleClient_Send() {
	c, _, stop := newExample()
	defer stop()
	if err := c.Follow("general"); err != nil {
		fmt.Println(err)
	}
	running := make(chan error)
	received := make(chan client.Message, 1)
	go func() {
		running <- c.Run(context.Background(), func(_ context.Context, e client.Event) {
			if m, ok := e.(client.Message); ok {
				received <- m
			}
		})
	}()

	ack, err := c.Send(context.Background(), "general", "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	m := <-received
	fmt.Println(m.SenderID, "said", m.Content, "with the ack's id:", m.MessageID == ack.MessageID)

	_ = c.Close(context.Background())
	fmt.Println(<-running)
	// Output:
	// alice said hello with the ack's id: true
	// <nil>
}

// Nothing has to be done to catch up: what was stored and edited while there was no
// connection comes after the reconnect.
func ExampleClient_Follow() {
	c, server, stop := newExample()
	defer stop()
	server.store("general", "bob", "one")

	if err := c.Follow("general"); err != nil {
		fmt.Println(err)
	}
	_ = c.Run(context.Background(), func(ctx context.Context, e client.Event) {
		switch e := e.(type) {
		case client.Message:
			fmt.Println("message:", e.Content)
			if e.Content == "one" {
				server.cut() // the connection is lost
				server.change("general", 0, 10, "one, edited")
				server.store("general", "bob", "two")
				return
			}
			_ = c.Close(ctx)
		case client.Edited:
			fmt.Println("edited:", e.Content)
		}
	})
	// Output:
	// message: one
	// edited: one, edited
	// message: two
}

// Attach uploads a file, which a message then has. Members of the room may download it.
func ExampleClient_Attach() {
	c, server, stop := newExample()
	defer stop()
	server.files()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	const notes = "bring cake"
	id, err := c.Attach(ctx, "general", client.File{
		Name: "notes.txt", ContentType: "text/plain", Size: int64(len(notes)), Content: strings.NewReader(notes),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = c.Run(ctx, func(context.Context, client.Event) {}) }()
	if _, err := c.Send(ctx, "general", "for tomorrow", client.WithAttachments(id)); err != nil {
		fmt.Println(err)
	}
	fmt.Println("sent", id)
	// Output:
	// sent file-1
}

// Download opens a file of a message by its id, which the message's Attachments have.
func ExampleClient_Download() {
	c, server, stop := newExample()
	defer stop()
	server.files().files["file-1"] = "bring cake"

	file, err := c.Download(context.Background(), "general", "file-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	fmt.Println(string(text), err)
	// Output:
	// bring cake <nil>
}
