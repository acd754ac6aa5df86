package gateway_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/chat/memory"
	"github.com/streamroom/streamroom/shared/gateway"
	"github.com/streamroom/streamroom/shared/wire"
)

// now is the time of all tests: 2024-02-28 16:00:00 UTC.
var now = time.Unix(1_709_136_000, 0)

func clock() time.Time { return now }

// rule accepts the tokens of all tests.
var rule = auth.Rule{Issuer: "https://issuer.example", Audience: []string{"client"}, TokenUse: []string{"access"}}

// issuerKey signs the tokens of all tests; making one takes a while.
var issuerKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// routes are the handlers of the WebSocket API on a store in memory.
type routes struct {
	store *memory.Store
	room  string
	log   *bytes.Buffer
	key   *rsa.PrivateKey
	keys  error // of fetching the issuer's keys

	connect    *gateway.Connect
	disconnect *gateway.Disconnect
	send       *gateway.SendMessage
	fallback   *gateway.Default
}

// newRoutes returns the handlers, with a room of alice.
func newRoutes(t *testing.T, allowQuery bool) *routes {
	t.Helper()
	key, err := issuerKey()
	if err != nil {
		t.Fatal(err)
	}
	r := &routes{store: memory.New(clock), log: &bytes.Buffer{}, key: key}
	verifier, err := auth.New(auth.Config{Rule: rule, JWKSURL: "https://issuer.example/keys"}, &http.Client{Transport: r}, clock)
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(r.log)
	sessions := chat.NewSessions(r.store, chat.Limits{
		chat.Connecting: chat.PerMinute(chat.ConnectRate, chat.ConnectBurst),
		chat.Refusing:   chat.PerMinute(chat.RefusedRate, chat.RefusedBurst),
	}, clock)
	ids := chat.NewIDs(clock, rand.Reader)
	fits := func(m chat.Message) error {
		if strings.HasPrefix(m.Content, "too large") {
			return chat.Errorf(chat.CodeTooLarge, "too large")
		}
		return nil
	}
	r.connect = gateway.NewConnect(verifier, sessions, allowQuery, clock, log)
	r.disconnect = gateway.NewDisconnect(sessions, clock, log)
	r.send = gateway.NewSendMessage(chat.NewSender(r.store, ids, clock, fits, chat.Limits{
		chat.Sending: chat.PerSecond(chat.SendRate, chat.SendBurst),
	}), sessions, chat.UserIDs{FoldCase: true}, clock, log)
	r.fallback = gateway.NewDefault(sessions, chat.NewTypists(r.store, nil, clock), true, clock, log)
	room, _, err := chat.NewRooms(r.store, ids, clock).Create(t.Context(), "alice", chat.NewRoom{Name: "Team", Type: chat.Group})
	if err != nil {
		t.Fatal(err)
	}
	r.room = room.ID
	return r
}

// RoundTrip publishes the issuer's keys.
func (r *routes) RoundTrip(*http.Request) (*http.Response, error) {
	if r.keys != nil {
		return nil, r.keys
	}
	body := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"k","alg":"RS256","use":"sig","n":%q,"e":%q}]}`,
		base64.RawURLEncoding.EncodeToString(r.key.N.Bytes()),
		base64.RawURLEncoding.EncodeToString(big.NewInt(int64(r.key.E)).Bytes()))
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// token returns a user's token that expires after a time.
func (r *routes) token(t *testing.T, user string, expires time.Duration) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": rule.Issuer, "client_id": "client", "token_use": "access", "username": user,
		"exp": now.Add(expires).Unix(), "iat": now.Unix(),
	})
	token.Header["kid"] = "k"
	text, err := token.SignedString(r.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// open stores a connection of alice with the id c.
func (r *routes) open(t *testing.T) {
	t.Helper()
	_, _, err := r.store.PutConnection(t.Context(), chat.Connection{
		ID: "c", UserID: "alice", ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli(),
	}, chat.RateTake{})
	if err != nil {
		t.Fatal(err)
	}
}

// request is an event of a route.
func request(eventType, route, connectionID, body string) gateway.Request {
	r := gateway.Request{Body: body}
	r.RequestContext.EventType, r.RequestContext.RouteKey = eventType, route
	r.RequestContext.ConnectionID, r.RequestContext.ConnectedAt = connectionID, now.UnixMilli()
	return r
}

// answered decodes the frame of a response.
func answered(t *testing.T, response gateway.Response, err error) wire.ServerFrame {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var frame wire.ServerFrame
	if err := json.Unmarshal([]byte(response.Body), &frame); err != nil {
		t.Fatalf("%q: %v", response.Body, err)
	}
	return frame
}

// refused checks an error frame: its code and its text, with the status of success.
func refused(t *testing.T, what string, response gateway.Response, err error, code chat.Code) {
	t.Helper()
	frame := answered(t, response, err)
	if frame.Type != wire.TypeError || frame.Code != string(code) || frame.Message == "" || response.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, frame %s; want %s", what, response.StatusCode, response.Body, code)
	}
}

func TestStatus_OfEveryCode(t *testing.T) {
	for code, want := range map[chat.Code]int{
		chat.CodeInvalidRequest: 400, chat.CodeUnknownAction: 400, chat.CodeUnauthorized: 401, chat.CodeTokenExpired: 401,
		chat.CodeNotAMember: 403, chat.CodeForbidden: 403, chat.CodeNotFound: 404, chat.CodeReconnect: 410, chat.CodeTooLarge: 413,
		chat.CodeRateLimited: 429, chat.CodeInternal: 500, "another": 500,
	} {
		if got := gateway.Status(code); got != want {
			t.Errorf("%s: status %d, want %d", code, got, want)
		}
	}
}

func TestConnect_TokensAndSubprotocols(t *testing.T) {
	r := newRoutes(t, true)
	good := r.token(t, "alice", time.Hour)
	expired := r.token(t, "alice", -time.Hour)
	for _, test := range []struct {
		name, header string
		protocols    []string
		query        string
		status       int
		selected     string
	}{
		{"as a subprotocol", "Sec-WebSocket-Protocol", []string{"streamroom, " + good}, "", 200, "streamroom"},
		{"as two headers, in lower case", "sec-websocket-protocol", []string{"streamroom", good}, "", 200, "streamroom"},
		{"in the query", "", nil, good, 200, ""},
		{"no token", "", nil, "", 401, ""},
		{"an expired one", "", nil, expired, 401, ""},
		{"no JWT", "Sec-WebSocket-Protocol", []string{"streamroom, x"}, "", 401, ""},
	} {
		e := request("CONNECT", "$connect", "c", "")
		if test.header != "" {
			e.MultiValueHeaders = map[string][]string{test.header: test.protocols}
		}
		if test.query != "" {
			e.QueryStringParameters = map[string]string{"token": test.query}
		}
		response, err := r.connect.Handle(t.Context(), e)
		if err != nil || response.StatusCode != test.status || response.Headers["Sec-WebSocket-Protocol"] != test.selected {
			t.Errorf("%s: %+v, error %v; want %d and %q", test.name, response, err, test.status, test.selected)
		}
		c, found, _ := r.store.Connection(t.Context(), "c")
		if found != (test.status == 200) {
			t.Errorf("%s: a connection is stored: %t", test.name, found)
		}
		want := chat.Connection{ID: "c", UserID: "alice", ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli()}
		if found && c != want {
			t.Errorf("%s: stored %+v, want %+v", test.name, c, want)
		}
		_ = r.store.DeleteConnection(t.Context(), "c", false)
	}
	for _, token := range []string{good, expired} {
		if strings.Contains(r.log.String(), token) {
			t.Error("a token is in the log")
		}
	}
	single := request("CONNECT", "$connect", "c", "")
	single.Headers = map[string]string{"sec-websocket-protocol": "streamroom, " + good}
	if response, err := r.connect.Handle(t.Context(), single); response.StatusCode != http.StatusOK || err != nil {
		t.Errorf("a header with one value: %+v, error %v", response, err)
	}
}

// A frame may name any route; only API Gateway's own event connects.
func TestConnect_OtherEventsAndFailures(t *testing.T) {
	r := newRoutes(t, false)
	e := request("MESSAGE", "$connect", "c", `{"action":"$connect"}`)
	e.QueryStringParameters = map[string]string{"token": r.token(t, "alice", time.Hour)}
	if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != http.StatusBadRequest || err != nil {
		t.Errorf("a frame: %+v, error %v; want 400", response, err)
	}
	e.RequestContext.EventType = "CONNECT"
	if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != http.StatusUnauthorized || err != nil {
		t.Errorf("a token in a query that is not accepted: %+v, error %v; want 401", response, err)
	}
	e.Headers = map[string]string{"Sec-WebSocket-Protocol": "streamroom," + e.QueryStringParameters["token"]}
	r.keys = errors.New("no network")
	if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != http.StatusInternalServerError || err != nil {
		t.Errorf("without the issuer's keys: %+v, error %v; want 500", response, err)
	}
	if _, found, _ := r.store.Connection(t.Context(), "c"); found {
		t.Error("a connection was stored")
	}
	r = newRoutes(t, false)
	e.Headers["Sec-WebSocket-Protocol"] = "streamroom," + r.token(t, "alice", time.Hour)
	r.store.Before(func(string) error { return errors.New("broken") })
	if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != http.StatusInternalServerError || err != nil {
		t.Errorf("without the store: %+v, error %v; want 500", response, err)
	}
}

func TestDisconnect_RemovesTheConnection(t *testing.T) {
	r := newRoutes(t, false)
	r.open(t)
	response, err := r.disconnect.Handle(t.Context(), request("MESSAGE", "$disconnect", "c", `{"action":"$disconnect"}`))
	refused(t, "a frame that names the route", response, err, chat.CodeUnknownAction)
	if _, found, _ := r.store.Connection(t.Context(), "c"); !found {
		t.Error("a frame removed the connection")
	}
	for range 2 {
		response, err = r.disconnect.Handle(t.Context(), request("DISCONNECT", "$disconnect", "c", ""))
		if response.StatusCode != http.StatusOK || err != nil {
			t.Errorf("%+v, error %v; want 200", response, err)
		}
		if _, found, _ := r.store.Connection(t.Context(), "c"); found {
			t.Error("the connection is still stored")
		}
	}
	r.store.Before(func(string) error { return errors.New("broken") })
	response, err = r.disconnect.Handle(t.Context(), request("DISCONNECT", "$disconnect", "c", ""))
	refused(t, "without the store", response, err, chat.CodeInternal)
}

func TestSendMessage_Ack(t *testing.T) {
	r := newRoutes(t, false)
	r.open(t)
	body := `{"action":"sendMessage","chatRoomId":"` + r.room + `","content":"secret words","clientMessageId":"k"}`
	var first wire.ServerFrame
	for _, duplicate := range []bool{false, true} {
		response, err := r.send.Handle(t.Context(), request("MESSAGE", "sendMessage", "c", body))
		got := answered(t, response, err)
		if !duplicate {
			first = got
		}
		want := wire.ServerFrame{
			Type: wire.TypeAck, ChatRoomID: r.room, MessageID: first.MessageID, Timestamp: now.UnixMilli(),
			ClientMessageID: "k", Duplicate: duplicate,
		}
		if diff := cmp.Diff(want, got); diff != "" || response.StatusCode != http.StatusOK || got.MessageID == "" {
			t.Errorf("status %d (-want +got):\n%s", response.StatusCode, diff)
		}
	}
	if log := r.log.String(); strings.Contains(log, "secret") || !strings.Contains(log, `"outcome":"ok"`) || !strings.Contains(log, first.MessageID) {
		t.Errorf("the log is %s; want the outcome and the id, and no content", log)
	}
}

// Each refusal names the client message id, where it could be read.
func TestSendMessage_Refusals(t *testing.T) {
	r := newRoutes(t, false)
	r.open(t)
	room := `"chatRoomId":"` + r.room + `"`
	for _, test := range []struct {
		name, connection, body string
		code                   chat.Code
		id                     string
	}{
		{"no JSON", "c", `{`, chat.CodeInvalidRequest, ""},
		{"null", "c", `null`, chat.CodeInvalidRequest, ""},
		{"a list", "c", `[]`, chat.CodeInvalidRequest, ""},
		{"no room", "c", `{"content":"x","clientMessageId":"k"}`, chat.CodeInvalidRequest, "k"},
		{"null for content", "c", `{` + room + `,"content":null,"clientMessageId":"k"}`, chat.CodeInvalidRequest, "k"},
		{"a number for content", "c", `{` + room + `,"content":7,"clientMessageId":"k"}`, chat.CodeInvalidRequest, "k"},
		{"a number for the room", "c", `{"chatRoomId":7,"content":"x","clientMessageId":"k"}`, chat.CodeInvalidRequest, "k"},
		{"a number for the id", "c", `{` + room + `,"content":"x","clientMessageId":7}`, chat.CodeInvalidRequest, ""},
		{"a forged id", "c", `{` + room + `,"content":"x","clientMessageId":"a b"}`, chat.CodeInvalidRequest, ""},
		{"a text for echo", "c", `{` + room + `,"content":"x","clientMessageId":"k","echo":"false"}`, chat.CodeInvalidRequest, "k"},
		{"no echo and no id", "c", `{` + room + `,"content":"x","echo":false}`, chat.CodeInvalidRequest, ""},
		{"a foreign room", "c", `{"chatRoomId":"x","content":"x","clientMessageId":"k"}`, chat.CodeNotAMember, "k"},
		{"content that does not fit", "c", `{` + room + `,"content":"too large","clientMessageId":"k"}`, chat.CodeTooLarge, "k"},
		{"a frame too large", "c", `{` + room + `,"content":"` + strings.Repeat("x", wire.MaxFrame) + `","clientMessageId":"k"}`, chat.CodeTooLarge, "k"},
		{"a frame too large, no JSON", "c", strings.Repeat("x", wire.MaxFrame+1), chat.CodeTooLarge, ""},
		{"another connection", "d", `{` + room + `,"content":"x","clientMessageId":"k"}`, chat.CodeReconnect, "k"},
	} {
		response, err := r.send.Handle(t.Context(), request("MESSAGE", "sendMessage", test.connection, test.body))
		refused(t, test.name, response, err, test.code)
		if got := answered(t, response, err).ClientMessageID; got != test.id {
			t.Errorf("%s: clientMessageId %q, want %q", test.name, got, test.id)
		}
	}
	response, err := r.send.Handle(t.Context(), request("CONNECT", "sendMessage", "c", `{}`))
	refused(t, "another event", response, err, chat.CodeUnknownAction)
	if strings.Contains(r.log.String(), "a b") || strings.Contains(r.log.String(), `"level":"error"`) {
		t.Errorf("the log has a forged id, or an error:\n%s", r.log)
	}
	r.store.Before(func(string) error { return errors.New("broken") })
	response, err = r.send.Handle(t.Context(), request("MESSAGE", "sendMessage", "c", `{`+room+`,"content":"x"}`))
	refused(t, "without the store", response, err, chat.CodeInternal)
	if log := r.log.String(); strings.Contains(response.Body, "broken") || !strings.Contains(log, `"level":"error"`) || !strings.Contains(log, "broken") {
		t.Errorf("answered %s, logged\n%s; want the cause in the log alone", response.Body, log)
	}
}

// A frame of exactly MaxFrame bytes passes.
func TestSendMessage_FrameLimit(t *testing.T) {
	r := newRoutes(t, false)
	r.open(t)
	body := `{"chatRoomId":"` + r.room + `","content":"x"` + `}`
	body = body[:len(body)-1] + strings.Repeat(" ", wire.MaxFrame-len(body)) + "}"
	response, err := r.send.Handle(t.Context(), request("MESSAGE", "sendMessage", "c", body))
	if frame := answered(t, response, err); frame.Type != wire.TypeAck {
		t.Errorf("%d bytes: %s, want an ack", len(body), response.Body)
	}
	response, err = r.send.Handle(t.Context(), request("MESSAGE", "sendMessage", "c", body+" "))
	refused(t, "one byte more", response, err, chat.CodeTooLarge)
}

func TestDefault_Ping(t *testing.T) {
	r := newRoutes(t, false)
	r.open(t)
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-7"})
	response, err := r.fallback.Handle(ctx, request("MESSAGE", "$default", "c", `{"action":"ping"}`))
	want := wire.ServerFrame{Type: wire.TypePong, ConnectionID: "c", UserID: "alice", ChangedAt: now.UnixMilli()} // alice's room
	if diff := cmp.Diff(want, answered(t, response, err)); diff != "" {
		t.Error(diff)
	}
	if log := r.log.String(); !strings.Contains(log, "request-7") || !strings.Contains(log, "alice") {
		t.Errorf("the log is %s; want the request and the user", log)
	}
	long := strings.Repeat("é", 1_000)
	for _, test := range []struct {
		name, event, connection, body string
		code                          chat.Code
		id                            string
	}{
		{"another action", "MESSAGE", "c", `{"action":"dance"}`, chat.CodeUnknownAction, ""},
		{"no action", "MESSAGE", "c", `{}`, chat.CodeUnknownAction, ""},
		{"a long action", "MESSAGE", "c", `{"action":"` + long + `"}`, chat.CodeUnknownAction, ""},
		{"a send that was not routed", "MESSAGE", "c", `{"action":"send","clientMessageId":"k"}`, chat.CodeUnknownAction, "k"},
		{"a number for the action", "MESSAGE", "c", `{"action":7}`, chat.CodeInvalidRequest, ""},
		{"no JSON", "MESSAGE", "c", `ping`, chat.CodeInvalidRequest, ""},
		{"not UTF-8", "MESSAGE", "c", "{\"action\":\"ping\",\"x\":\"\ufffd\"}", chat.CodeInvalidRequest, ""},
		{"too large", "MESSAGE", "c", strings.Repeat(" ", wire.MaxFrame) + `{}`, chat.CodeTooLarge, ""},
		{"an unknown connection", "MESSAGE", "d", `{"action":"ping"}`, chat.CodeReconnect, ""},
		{"another event", "DISCONNECT", "c", `{"action":"ping"}`, chat.CodeUnknownAction, ""},
	} {
		response, err := r.fallback.Handle(t.Context(), request(test.event, "$default", test.connection, test.body))
		refused(t, test.name, response, err, test.code)
		frame := answered(t, response, err)
		if frame.ClientMessageID != test.id || len(frame.Message) > 300 {
			t.Errorf("%s: clientMessageId %q, %d bytes of text; want %q and 300 at most", test.name, frame.ClientMessageID, len(frame.Message), test.id)
		}
	}
}
