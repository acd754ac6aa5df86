package apigateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jonboulle/clockwork"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local/apigateway"
	"github.com/streamroom/streamroom/shared/topology"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come. Nothing asserts it.
const patience = time.Minute

// event is what the tests look at of an event; the golden files have it all.
type event struct {
	Headers        map[string]string
	RequestContext struct {
		RouteKey, EventType, RequestID, ConnectionID string
		DisconnectStatusCode                         int
		DisconnectReason                             *string
	}
	Body string
	raw  []byte
}

// call is one invocation of a function under a test's control.
type call struct {
	function string
	event    event
	answer   chan<- answer
}

type answer struct {
	response string
	err      error
}

func (c call) respond(response string) { c.answer <- answer{response: response} }

const ok = `{"statusCode":200}`

// gateway is a WebSocket API on a loopback server, whose functions are the
// test: connect and disconnect answer by themselves unless the test takes over.
type gateway struct {
	*apigateway.WebSocketAPI
	t         *testing.T
	server    *httptest.Server
	clock     *clockwork.FakeClock
	started   time.Time
	transport *http.Transport
	calls     chan call // of routes that are not automatic
	gone      chan event

	mu      sync.Mutex
	connect func(event) answer // nil: 200
}

func start(t *testing.T, change func(*apigateway.WebSocketConfig)) *gateway {
	t.Helper()
	g := &gateway{
		t:         t,
		clock:     clockwork.NewFakeClockAt(time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)),
		transport: &http.Transport{},
		calls:     make(chan call, 100),
		gone:      make(chan event, 100),
	}
	config := apigateway.WebSocketConfig{
		Stage: "local",
		Routes: []topology.Route{
			{Key: "$connect", Function: "connect"},
			{Key: "$disconnect", Function: "disconnect"},
			{Key: "oneWay", Function: "work"},
			{Key: "twoWay", Function: "work", TwoWay: true},
			{Key: "$default", Function: "default", TwoWay: true},
		},
		Invoke: g.invoke,
		Clock:  g.clock,
	}
	if change != nil {
		change(&config)
	}
	g.WebSocketAPI = apigateway.NewWebSocket(config)
	g.server = httptest.NewServer(g)
	g.started = g.clock.Now()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		g.transport.CloseIdleConnections()
		g.server.Close()
	})
	return g
}

func (g *gateway) invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	e := event{raw: payload}
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	switch e.RequestContext.EventType {
	case "CONNECT":
		g.mu.Lock()
		connect := g.connect
		g.mu.Unlock()
		if connect == nil {
			return []byte(ok), nil
		}
		a := connect(e)
		return []byte(a.response), a.err
	case "DISCONNECT":
		g.gone <- e
		return []byte(ok), nil
	}
	done := make(chan answer, 1)
	g.calls <- call{function: function, event: e, answer: done}
	select {
	case a := <-done:
		return []byte(a.response), a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// onConnect replaces what $connect answers.
func (g *gateway) onConnect(f func(event) answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connect = f
}

func (g *gateway) url() string { return g.server.URL + "/local" }

// client is one connected client.
type client struct {
	*websocket.Conn
	g  *gateway
	id string
}

// handshake is how a handshake was answered. conn is nil if it was refused.
type handshake struct {
	conn   *websocket.Conn
	status int
	header http.Header
}

func (g *gateway) handshake(url string, options *websocket.DialOptions) handshake {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, url, options)
	if response == nil {
		g.t.Errorf("dial: %v", err)
		return handshake{}
	}
	if response.Body != nil {
		response.Body.Close()
	}
	if conn != nil {
		conn.SetReadLimit(1 << 20)
		g.t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return handshake{conn, response.StatusCode, response.Header}
}

// dial connects a client and learns its connection id from the $connect event.
func (g *gateway) dial() *client {
	g.t.Helper()
	ids := make(chan string, 1)
	g.onConnect(func(e event) answer {
		ids <- e.RequestContext.ConnectionID
		return answer{response: ok}
	})
	defer g.onConnect(nil)
	conn := g.handshake(g.url(), nil).conn
	if conn == nil {
		g.t.Fatal("the handshake was refused")
	}
	return &client{conn, g, <-ids}
}

func (c *client) send(text string) {
	c.g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.g.t.Fatalf("send: %v", err)
	}
}

func (c *client) receive() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := c.Read(ctx)
	return string(data), err
}

func (c *client) expect(want string) {
	c.g.t.Helper()
	got, err := c.receive()
	if err != nil {
		c.g.t.Fatalf("receive: %v", err)
	}
	if got != want {
		c.g.t.Fatalf("received %q, want %q", got, want)
	}
}

// expectError reads one of the gateway's own frames, to the byte, and returns
// its requestId.
func (c *client) expectError(message string) (requestID string) {
	c.g.t.Helper()
	got, err := c.receive()
	if err != nil {
		c.g.t.Fatalf("receive: %v", err)
	}
	pattern := `^\{"message": "` + message + `", "connectionId":"([\w-]{15}=)", "requestId":"([\w-]{15}=)"\}$`
	match := regexp.MustCompile(pattern).FindStringSubmatch(got)
	if match == nil || c.id != "" && match[1] != c.id {
		c.g.t.Fatalf("received %q, want the message %q for %s", got, message, c.id)
	}
	return match[2]
}

// expectClose reads the close frame.
func (c *client) expectClose(code websocket.StatusCode) {
	c.g.t.Helper()
	data, err := c.receive()
	if got := websocket.CloseStatus(err); got != code {
		c.g.t.Fatalf("received %q, %v; want close code %d", data, err, code)
	}
}

// expectDisconnect waits for $disconnect.
func (g *gateway) expectDisconnect(code int, reason string) event {
	g.t.Helper()
	e := within(g.t, "$disconnect", g.gone)
	rc := e.RequestContext
	if rc.DisconnectStatusCode != code || rc.DisconnectReason == nil || *rc.DisconnectReason != reason {
		g.t.Fatalf("$disconnect has %s, want code %d and reason %q", e.raw, code, reason)
	}
	return e
}

func (g *gateway) nextCall() call {
	g.t.Helper()
	return within(g.t, "an invocation", g.calls)
}

// within receives from a channel and fails the test when nothing comes.
func within[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no sign of %s", what)
		panic("unreachable")
	}
}

// request sends one request of any kind.
func (g *gateway) request(method, path, body string, header http.Header) (int, http.Header, string) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), method, g.server.URL+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := g.transport.RoundTrip(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(bytes.TrimSpace(data))
}

func (c *client) path() string { return "/local/@connections/" + url.PathEscape(c.id) }

func (c *client) post(body string) int {
	c.g.t.Helper()
	status, _, _ := c.g.request(http.MethodPost, c.path(), body, nil)
	return status
}
