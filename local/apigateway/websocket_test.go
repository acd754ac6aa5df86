package apigateway_test

import (
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

func TestConnectMessagePostDisconnect(t *testing.T) {
	g := start(t, nil)
	c := g.dial()

	c.send(`{"action":"twoWay","n":1}`)
	call := g.nextCall()
	if rc := call.event.RequestContext; call.function != "work" || rc.RouteKey != "twoWay" || rc.ConnectionID != c.id {
		t.Errorf("%s was called with %s", call.function, call.event.raw)
	}
	if call.event.Body != `{"action":"twoWay","n":1}` {
		t.Errorf("body is %q", call.event.Body)
	}
	call.respond(`{"statusCode":200,"body":"done"}`)
	c.expect("done")

	if status := c.post(`{"type":"message"}`); status != http.StatusOK {
		t.Errorf("post: %d", status)
	}
	c.expect(`{"type":"message"}`)

	if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		t.Errorf("close: %v", err)
	}
	g.expectDisconnect(1000, "bye")
	status, header, body := g.manage(http.MethodPost, c.path(), "late")
	if status != http.StatusGone || header.Get("X-Amzn-ErrorType") != "GoneException" || body != "" {
		t.Errorf("post to a closed connection: %d %v %q", status, header, body)
	}
}
