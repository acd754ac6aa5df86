package apigateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/streamroom/streamroom/local/stack"
	"github.com/streamroom/streamroom/shared/topology"
)

// The route keys that API Gateway gives a meaning.
const (
	connectRoute    = "$connect"
	disconnectRoute = "$disconnect"
	defaultRoute    = "$default"
)

// apiID is the id of each API here.
const apiID = "streamroom"

// The quotas of a WebSocket API.
const (
	webSocketTimeout = 29 * time.Second // of an integration
	idleTimeout      = 10 * time.Minute
	lifetime         = 2 * time.Hour
	frameLimit       = 32 << 10  // payload bytes that a client's frame may have
	messageLimit     = 128 << 10 // bytes that a message may have, in either direction
)

// WebSocketConfig describes a WebSocket API. A zero limit is AWS's.
type WebSocketConfig struct {
	Stage  string           // the first path segment, without slashes
	Routes []topology.Route // selected by topology.RouteSelectionExpression
	Invoke Invoke
	Clock  clockwork.Clock // the real one if nil
	Log    zerolog.Logger  // gets ids, codes and function errors; never a URL, a header or a message

	SendBuffer int // bytes that wait for a slow client before posts to it get 429: 256 KB

	// Requests a second and how many at once. rate.Inf turns a limit off.
	HandshakeRate  rate.Limit // 500
	HandshakeBurst int        // 500
	RequestRate    rate.Limit // 10,000, messages and @connections together
	RequestBurst   int        // 5,000

	// DropDisconnect, if set, is asked before each $disconnect and loses it by
	// answering true, as AWS may.
	DropDisconnect func(connectionID string) bool

	// Received, if set, sees each frame of a client once a function has taken it, with the
	// frame that answers it, "" for none. Sent sees each frame to a client. Both are called
	// by many goroutines.
	Received func(frame, answer string)
	Sent     func(frame []byte)
}

// maxURL is how long a handshake's URL may be, in bytes.
const maxURL = 4096

func orDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// WebSocketAPI is an API Gateway WebSocket API with its @connections API. It is
// an http.Handler for /{stage} and everything below.
type WebSocketAPI struct {
	c          WebSocketConfig
	routes     map[string]topology.Route
	functions  *integration
	handshakes *rate.Limiter
	requests   *rate.Limiter

	mu          sync.RWMutex
	connections map[string]*connection
}

// NewWebSocket makes a WebSocket API. Shutdown ends it.
func NewWebSocket(c WebSocketConfig) *WebSocketAPI {
	if c.Clock == nil {
		c.Clock = clockwork.NewRealClock()
	}
	orDefault(&c.SendBuffer, 256<<10)
	orDefault(&c.HandshakeRate, 500)
	orDefault(&c.HandshakeBurst, 500)
	orDefault(&c.RequestRate, 10_000)
	orDefault(&c.RequestBurst, 5_000)
	a := &WebSocketAPI{
		c:           c,
		routes:      make(map[string]topology.Route, len(c.Routes)),
		functions:   newIntegration(c.Invoke, c.Clock, webSocketTimeout),
		handshakes:  rate.NewLimiter(c.HandshakeRate, c.HandshakeBurst),
		requests:    rate.NewLimiter(c.RequestRate, c.RequestBurst),
		connections: make(map[string]*connection),
	}
	for _, route := range c.Routes {
		a.routes[route.Key] = route
	}
	return a
}

// ServeHTTP upgrades /{stage} to a WebSocket and serves
// /{stage}/@connections/{id}. Anything else is 403, as on AWS.
func (a *WebSocketAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	segments, err := pathSegments(r.URL)
	switch {
	case err != nil:
		writeMessage(w, http.StatusBadRequest, "Bad Request")
	case len(segments) > 1 && segments[1] == connectionsSegment:
		a.manage(r, segments).write(w)
	case segments[0] == a.c.Stage && (len(segments) == 1 || len(segments) == 2 && segments[1] == ""):
		a.upgrade(w, r)
	default:
		writeMessage(w, http.StatusForbidden, "Forbidden")
	}
}

// Shutdown refuses new connections, closes those that are open with 1001, runs
// their $disconnect and waits for running functions, whose posts are still
// answered. When ctx ends first it drops what is left and returns ctx's error.
func (a *WebSocketAPI) Shutdown(ctx context.Context) error {
	a.functions.stop()
	for _, c := range a.snapshot() {
		_ = c.close(goingAway) // one that closes already is fine
	}
	err := a.functions.drain(ctx)
	for _, c := range a.snapshot() {
		c.abort()
	}
	return err
}

func (a *WebSocketAPI) snapshot() []*connection {
	a.mu.RLock()
	defer a.mu.RUnlock()
	open := make([]*connection, 0, len(a.connections))
	for _, c := range a.connections {
		open = append(open, c)
	}
	return open
}

func (a *WebSocketAPI) lookup(id string) *connection {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.connections[id]
}

// upgrade runs $connect and, if it agrees, turns the request into a connection.
func (a *WebSocketAPI) upgrade(w http.ResponseWriter, r *http.Request) {
	if !a.functions.enter() {
		writeMessage(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	defer a.functions.running.Done()
	if status := checkHandshake(w, r); status != http.StatusSwitchingProtocols {
		writeMessage(w, status, http.StatusText(status))
		return
	}
	stack.Invocation(0)
	now := a.c.Clock.Now()
	if !a.handshakes.AllowN(now, 1) {
		writeMessage(w, http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	c := &connection{
		api:         a,
		id:          newID(),
		domain:      r.Host,
		identity:    identity{SourceIP: sourceIP(r), UserAgent: r.UserAgent()},
		connectedAt: now,
	}
	if route, ok := a.routes[connectRoute]; ok && !a.connect(c, route, w, r) {
		return
	}
	c.open(w, r)
}

// checkHandshake looks at what RFC 6455, section 4.2.1, asks of a client.
func checkHandshake(w http.ResponseWriter, r *http.Request) (status int) {
	switch {
	case r.Method != http.MethodGet, !r.ProtoAtLeast(1, 1), !hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", "websocket"):
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		return http.StatusUpgradeRequired
	case r.Header.Get("Sec-Websocket-Version") != "13":
		w.Header().Set("Sec-Websocket-Version", "13")
		return http.StatusBadRequest
	case !isKey(r.Header.Values("Sec-Websocket-Key")):
		return http.StatusBadRequest
	case len(r.RequestURI) > maxURL:
		return http.StatusRequestURITooLong
	}
	return http.StatusSwitchingProtocols
}

// isKey reports whether a handshake has one key, of 16 bytes.
func isKey(values []string) bool {
	if len(values) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(values[0])
	return err == nil && len(key) == 16
}

func hasToken(header http.Header, name, token string) bool {
	for _, value := range header.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// connect asks the $connect function. It has answered the client when it
// reports false; when it reports true it has set the subprotocol that the
// function chose, the only thing of its response that reaches the client.
func (a *WebSocketAPI) connect(c *connection, route topology.Route, w http.ResponseWriter, r *http.Request) bool {
	event := c.connectEvent(r)
	log := a.c.Log.With().Str("connectionId", c.id).Str("requestId", event.RequestContext.RequestID).Logger()
	refuse := func(status int, text string) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		// Nothing in it is the client's, who may be gone.
		_, _ = w.Write(c.errorText(text, event.RequestContext.RequestID)) //nolint:gosec // as said
		return false
	}
	payload, err := json.Marshal(event)
	if err != nil {
		log.Error().Err(err).Msg("encode $connect event")
		return refuse(http.StatusInternalServerError, internalServerError)
	}
	answer, err := a.functions.wait(route.Function, payload)
	if errors.Is(err, errIntegrationTimeout) {
		log.Warn().Str("function", route.Function).Msg("$connect timed out")
		return refuse(http.StatusGatewayTimeout, endpointTimedOut)
	}
	var response proxyResponse
	if err == nil {
		response, err = parseProxyResponse(answer)
	}
	if err != nil {
		log.Warn().Err(err).Str("function", route.Function).Msg("$connect failed")
		return refuse(http.StatusBadGateway, internalServerError)
	}
	if *response.StatusCode > 299 {
		log.Info().Int("status", *response.StatusCode).Msg("connection refused")
		w.WriteHeader(*response.StatusCode)
		return false
	}
	if protocol := response.header("Sec-WebSocket-Protocol"); protocol != "" {
		w.Header().Set("Sec-Websocket-Protocol", protocol)
	}
	return true
}

// writeMessage answers as API Gateway words its own refusals.
func writeMessage(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"message":"` + text + `"}`)) // the client may be gone
}
