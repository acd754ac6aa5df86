package apigateway_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local/apigateway"
)

func TestConnectMessagePostDisconnect(t *testing.T) {
	g := start(t, nil)
	c := g.dial()

	c.send(`{"action":"twoWay","n":1}`)
	call := g.nextCall()
	if rc := call.event.RequestContext; call.function != "work" || rc.RouteKey != "twoWay" || rc.ConnectionID != c.id {
		t.Errorf("%s was called with %s", call.function, call.event.raw)
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
	if status := c.post("late"); status != http.StatusGone {
		t.Errorf("post to a closed connection: %d", status)
	}
}

func TestWebSocketEvents(t *testing.T) {
	g := start(t, nil)
	var connect []byte
	g.onConnect(func(e event) answer {
		connect = e.raw
		return answer{response: `{"statusCode":200,"headers":{"sec-websocket-protocol":"b","X-Other":"1"},"body":"dropped"}`}
	})
	answered := g.handshake(g.url()+"?a=1&a=%202&b=", &websocket.DialOptions{
		Subprotocols:    []string{"a", "b"},
		CompressionMode: websocket.CompressionContextTakeover,
		HTTPHeader: http.Header{
			"User-Agent":      {"test/1.0"},
			"Origin":          {"https://elsewhere.example"},
			"X-Forwarded-For": {"198.51.100.7"},
			"X-Twice":         {"1", "2"},
		},
	})
	if header := answered.header; header.Get("Sec-WebSocket-Protocol") != "b" || header.Get("X-Other") != "" || header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("handshake answered with %v", header)
	}
	c := &client{Conn: answered.conn, g: g}
	c.send("héllo")
	message := g.nextCall()
	message.respond(ok)
	g.clock.Advance(time.Second)
	if err := c.Close(4001, "done"); err != nil {
		t.Fatal(err)
	}
	disconnect := g.expectDisconnect(4001, "done")

	golden(t, "connect.json", connect)
	golden(t, "message.json", message.event.raw)
	golden(t, "disconnect.json", disconnect.raw)
	for _, payload := range [][]byte{connect, message.event.raw, disconnect.raw} {
		strict(t, payload, &events.APIGatewayWebsocketProxyRequest{})
	}
}

func TestConnectWithoutQueryOrUserAgent(t *testing.T) {
	g := start(t, nil)
	var payload []byte
	g.onConnect(func(e event) answer {
		payload = e.raw
		return answer{response: ok}
	})
	raw := g.rawDial("GET /local/ HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	raw.close()
	g.expectDisconnect(1006, "")
	golden(t, "connect-bare.json", payload)
}

func TestHandshakeAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer answer
		status int
	}{
		"200":                {answer{response: `{"statusCode":200}`}, 101},
		"201":                {answer{response: `{"statusCode":201}`}, 101},
		"301":                {answer{response: `{"statusCode":301,"headers":{"Location":"/"}}`}, 301},
		"400":                {answer{response: `{"statusCode":400,"body":"dropped"}`}, 400},
		"401":                {answer{response: `{"statusCode":401}`}, 401},
		"501":                {answer{response: `{"statusCode":501}`}, 501},
		"exception":          {answer{err: errors.New("panic")}, 502},
		"no status":          {answer{response: `{}`}, 502},
		"nothing":            {answer{response: `null`}, 502},
		"not JSON":           {answer{response: `oops`}, 502},
		"impossible status":  {answer{response: `{"statusCode":99}`}, 502},
		"informational":      {answer{response: `{"statusCode":101}`}, 502},
		"status of a string": {answer{response: `{"statusCode":"200"}`}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, nil)
			g.onConnect(func(event) answer { return test.answer })
			got := g.handshake(g.url(), &websocket.DialOptions{Subprotocols: []string{"streamroom"}})
			if got.status != test.status || got.header.Get("Location") != "" {
				t.Errorf("answered %d %v, want %d", got.status, got.header, test.status)
			}
			if test.status == 101 {
				if protocol := got.conn.Subprotocol(); protocol != "" {
					t.Errorf("subprotocol %q was not selected by the function", protocol)
				}
				_ = got.conn.CloseNow()
				g.expectDisconnect(1006, "")
			}
		})
	}
}

func TestRefusedHandshakesRunNoDisconnect(t *testing.T) {
	g := start(t, nil)
	g.onConnect(func(event) answer { return answer{response: `{"statusCode":401}`} })
	if got := g.handshake(g.url(), nil); got.status != http.StatusUnauthorized {
		t.Errorf("answered %d", got.status)
	}
	if err := g.Shutdown(t.Context()); err != nil { // waits for any $disconnect
		t.Fatal(err)
	}
	if len(g.gone) > 0 {
		t.Error("$disconnect ran for a connection that never was")
	}
}

func TestRequestsThatAreNoHandshake(t *testing.T) {
	g := start(t, nil)
	g.onConnect(func(event) answer {
		t.Error("$connect ran")
		return answer{response: ok}
	})
	upgrade := http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	with := func(name string, values ...string) http.Header {
		header := upgrade.Clone()
		header[name] = values
		return header
	}
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		status       int
	}{
		"plain GET":       {"GET", "/local", nil, 426},
		"no upgrade":      {"GET", "/local", with("Upgrade", "h2c"), 426},
		"POST":            {"POST", "/local", upgrade, 426},
		"another version": {"GET", "/local", with("Sec-Websocket-Version", "8"), 400},
		"short key":       {"GET", "/local", with("Sec-Websocket-Key", "AAAA"), 400},
		"two keys":        {"GET", "/local", with("Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAA=="), 400},
		"another stage":   {"GET", "/prod", upgrade, 403},
		"below the stage": {"GET", "/local/x", upgrade, 403},
		"long URL":        {"GET", "/local?t=" + strings.Repeat("x", 4096), upgrade, 414},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, _ := g.request(test.method, test.path, "", test.header)
			if status != test.status {
				t.Errorf("answered %d, want %d", status, test.status)
			}
		})
	}
}

func TestConnectTimeout(t *testing.T) {
	finish := make(chan struct{})
	invoked := make(chan struct{})
	g := start(t, func(c *apigateway.WebSocketConfig) {
		c.Invoke = func(context.Context, string, []byte) ([]byte, error) {
			close(invoked)
			<-finish
			return []byte(ok), nil
		}
	})
	status := make(chan int, 1)
	go func() { status <- g.handshake(g.url(), nil).status }()
	within(t, "$connect", invoked)
	g.clock.Advance(29 * time.Second)
	if got := within(t, "an answer", status); got != http.StatusGatewayTimeout {
		t.Errorf("answered %d", got)
	}
	close(finish)
}

func TestHandshakeThrottle(t *testing.T) {
	g := start(t, func(c *apigateway.WebSocketConfig) { c.HandshakeRate, c.HandshakeBurst = 1, 2 })
	g.dial()
	g.dial()
	if got := g.handshake(g.url(), nil); got.status != http.StatusTooManyRequests {
		t.Errorf("third handshake answered %d", got.status)
	}
	g.clock.Advance(time.Second)
	g.dial()
}

func TestConnectRouteIsOptional(t *testing.T) {
	g := start(t, func(c *apigateway.WebSocketConfig) { c.Routes = nil })
	c := &client{Conn: g.handshake(g.url(), nil).conn, g: g}
	c.send("anything")
	c.expectError("Forbidden")
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestRouteSelection(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	for _, test := range []struct{ body, route, function string }{
		{`{"action":"oneWay"}`, "oneWay", "work"},
		{`{"a":1,"action":"one\u0057ay"}`, "oneWay", "work"},
		{`{"action":"twoWay","action":"oneWay"}`, "oneWay", "work"},
		{`{"action":"$disconnect"}`, "$disconnect", "disconnect"},
		{`{"action":"$connect"}`, "$connect", "connect"},
		{`{"action":"$default"}`, "$default", "default"},
		{`{"action":"oneway"}`, "$default", "default"},
		{`{"Action":"oneWay"}`, "$default", "default"},
		{`{"action":" oneWay"}`, "$default", "default"},
		{`{"action":["oneWay"]}`, "$default", "default"},
		{`{"action":null}`, "$default", "default"},
		{`{"action":""}`, "$default", "default"},
		{`{}`, "$default", "default"},
		{`[{"action":"oneWay"}]`, "$default", "default"},
		{`"oneWay"`, "$default", "default"},
		{`null`, "$default", "default"},
		{`oneWay`, "$default", "default"},
		{`{"action":"oneWay"`, "$default", "default"},
		{``, "$default", "default"},
		{"{\"action\":\"oneWay\",\"content\":\"\xff\"}", "$default", "default"},
	} {
		c.send(test.body)
		call := g.nextCall()
		if rc := call.event.RequestContext; rc.RouteKey != test.route || rc.EventType != "MESSAGE" || call.function != test.function {
			t.Errorf("%q reached %s by %s", test.body, call.function, call.event.raw)
		}
		if want := strings.ToValidUTF8(test.body, "\ufffd"); call.event.Body != want {
			t.Errorf("%q arrived as %q", test.body, call.event.Body)
		}
		call.respond(ok)
	}
}

func TestNoDefaultRoute(t *testing.T) {
	g := start(t, func(c *apigateway.WebSocketConfig) { c.Routes = c.Routes[:4] })
	c := g.dial()
	c.send("hello")
	c.expectError("Forbidden")
	c.send(`{"action":"twoWay"}`)
	g.nextCall().respond(`{"statusCode":200,"body":"still open"}`)
	c.expect("still open")
}

func TestRouteResponses(t *testing.T) {
	const oneWay, twoWay = `{"action":"oneWay"}`, `{"action":"twoWay"}`
	const failed = "Internal server error"
	for name, test := range map[string]struct {
		route  string
		answer answer
		frame  string // "" for none
		error  string // the gateway's own frame
	}{
		"one-way body":              {oneWay, answer{response: `{"statusCode":200,"body":"x"}`}, "", ""},
		"one-way 301":               {oneWay, answer{response: `{"statusCode":301}`}, "", ""},
		"one-way 401":               {oneWay, answer{response: `{"statusCode":401,"body":"x"}`}, "", ""},
		"one-way 500":               {oneWay, answer{response: `{"statusCode":500,"body":"x"}`}, "", ""},
		"one-way failure":           {oneWay, answer{err: errors.New("panic")}, "", failed},
		"one-way without status":    {oneWay, answer{response: `{"body":"x"}`}, "", failed},
		"two-way body":              {twoWay, answer{response: `{"statusCode":200,"body":"x"}`}, "x", ""},
		"two-way 500":               {twoWay, answer{response: `{"statusCode":500,"body":"x"}`}, "x", ""},
		"two-way without body":      {twoWay, answer{response: ok}, "", ""},
		"two-way failure":           {twoWay, answer{err: errors.New("panic")}, "", failed},
		"two-way without status":    {twoWay, answer{response: `{"body":"x"}`}, "", failed},
		"two-way null":              {twoWay, answer{response: `null`}, "", failed},
		"two-way not JSON":          {twoWay, answer{response: `x`}, "", failed},
		"two-way largest":           {twoWay, answer{response: `{"statusCode":200,"body":"` + strings.Repeat("x", 128<<10) + `"}`}, strings.Repeat("x", 128<<10), ""},
		"two-way body is too large": {twoWay, answer{response: `{"statusCode":200,"body":"` + strings.Repeat("x", 128<<10+1) + `"}`}, "", failed},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, nil)
			c := g.dial()
			c.send(test.route)
			call := g.nextCall()
			call.answer <- test.answer
			switch {
			case test.frame != "":
				c.expect(test.frame)
			case test.error != "":
				if id := c.expectError(test.error); id != call.event.RequestContext.RequestID {
					t.Errorf("requestId %q is not the event's, %q", id, call.event.RequestContext.RequestID)
				}
			}
			// The next frame is the next answer's: nothing else came, and the
			// connection is open.
			c.send(twoWay)
			g.nextCall().respond(`{"statusCode":200,"body":"next"}`)
			c.expect("next")
		})
	}
}

func TestIntegrationTimeoutLeavesTheFunctionRunning(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	c.send(`{"action":"oneWay"}`)
	call := g.nextCall()
	g.clock.Advance(29 * time.Second)
	c.expectError("Endpoint request timed out")
	call.respond(`{"statusCode":200,"body":"too late"}`)
	c.send(`{"action":"twoWay"}`)
	g.nextCall().respond(`{"statusCode":200,"body":"next"}`)
	c.expect("next")
}

func TestMessagesOfOneConnectionRunConcurrently(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	c.send(`{"action":"twoWay","n":1}`)
	c.send(`{"action":"twoWay","n":2}`)
	calls := map[string]call{}
	for range 2 {
		call := g.nextCall()
		calls[call.event.Body] = call
	}
	calls[`{"action":"twoWay","n":2}`].respond(`{"statusCode":200,"body":"2"}`)
	c.expect("2")
	calls[`{"action":"twoWay","n":1}`].respond(`{"statusCode":200,"body":"1"}`)
	c.expect("1")
}

func TestMessageThrottle(t *testing.T) {
	g := start(t, func(c *apigateway.WebSocketConfig) { c.RequestRate, c.RequestBurst = 1, 1 })
	c := g.dial()
	c.send(`{"action":"oneWay"}`)
	g.nextCall().respond(ok)
	c.send(`{"action":"oneWay"}`)
	c.expectError("Too Many Requests")

	// The bucket is shared with @connections.
	status, header, _ := g.request(http.MethodPost, c.path(), "x", nil)
	if status != http.StatusTooManyRequests || header.Get("X-Amzn-ErrorType") != "LimitExceededException" {
		t.Errorf("post answered %d %v", status, header)
	}
	g.clock.Advance(time.Second)
	c.send(`{"action":"oneWay"}`)
	g.nextCall().respond(ok)
}

func TestShutdown(t *testing.T) {
	g := start(t, nil)
	clients := []*client{g.dial(), g.dial()}
	clients[0].send(`{"action":"oneWay"}`)
	call := g.nextCall()

	stopped := make(chan error, 1)
	go func() { stopped <- g.Shutdown(context.Background()) }()
	for _, c := range clients {
		c.expectClose(websocket.StatusGoingAway)
		g.expectDisconnect(1001, "Going away")
	}
	if got := g.handshake(g.url(), nil); got.status != http.StatusServiceUnavailable {
		t.Errorf("a handshake in the meantime answered %d", got.status)
	}
	select {
	case err := <-stopped:
		t.Errorf("shutdown did not wait for a running function (%v)", err)
	default:
	}
	call.respond(ok)
	if err := within(t, "the end of shutdown", stopped); err != nil {
		t.Error(err)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	c.send(`{"action":"oneWay"}`)
	g.nextCall() // returns when its context ends
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown returned %v", err)
	}
	g.expectDisconnect(1001, "Going away")
}

func TestLostDisconnect(t *testing.T) {
	lost := make(chan string, 1)
	g := start(t, func(c *apigateway.WebSocketConfig) {
		c.DropDisconnect = func(id string) bool {
			lost <- id
			return true
		}
	})
	c := g.dial()
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if id := within(t, "the end", lost); id != c.id {
		t.Errorf("asked about %q", id)
	}
	if err := g.Shutdown(t.Context()); err != nil { // waits for any $disconnect
		t.Fatal(err)
	}
	if len(g.gone) > 0 {
		t.Error("$disconnect ran")
	}
}
