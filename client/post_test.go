package client_test

import (
	"context"
	"testing"

	"github.com/streamroom/streamroom/client"
)

// A client without a WebSocketURL makes requests, and has no Run.
func TestNew_WithoutAWebSocket(t *testing.T) {
	c, err := client.New(client.Options{APIURL: "http://h/api", Token: func(context.Context) (string, error) { return "", nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context(), func(context.Context, client.Event) {}); err == nil {
		t.Error("Run does not say that it needs a WebSocketURL")
	}
	if _, err := c.PostOnce(t.Context(), "k", "r", ""); err == nil {
		t.Error("an empty message is posted")
	}
}
