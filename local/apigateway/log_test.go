package apigateway_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/apigateway"
)

// TestLogsTellNoSecrets reads the log of a session in which everything that is
// logged happens.
func TestLogsTellNoSecrets(t *testing.T) {
	var log bytes.Buffer
	g := start(t, func(c *apigateway.WebSocketConfig) {
		c.Log = zerolog.New(zerolog.SyncWriter(&log)).Level(zerolog.DebugLevel)
	})
	secrets := &websocket.DialOptions{Subprotocols: []string{"streamroom", "SECRET"}}
	for _, refusal := range []answer{{response: `{"statusCode":401}`}, {response: `{}`}, {err: errors.New("panic")}} {
		g.onConnect(func(event) answer { return refusal })
		g.handshake(g.url()+"?token=SECRET", secrets)
	}
	g.onConnect(nil)
	c := &client{Conn: g.handshake(g.url()+"?token=SECRET", secrets).conn, g: g}
	c.send(`{"action":"twoWay","content":"SECRET"}`)
	g.nextCall().answer <- answer{err: errors.New("panic")}
	c.expectError("Internal server error")
	if err := c.Close(4000, "SECRET"); err != nil {
		t.Fatal(err)
	}
	g.expectDisconnect(4000, "SECRET")
	if err := g.Shutdown(t.Context()); err != nil { // and with it the writing
		t.Fatal(err)
	}
	for _, entry := range []string{"connection refused", "$connect failed", "invocation failed", "connection open", "connection closed"} {
		if !strings.Contains(log.String(), entry) {
			t.Errorf("the log doesn't say %q", entry)
		}
	}
	if strings.Contains(log.String(), "SECRET") {
		t.Errorf("the log says:\n%s", log.String())
	}
}
