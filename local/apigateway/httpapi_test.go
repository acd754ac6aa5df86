package apigateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/apigateway"
)

// httpCase is a request to an HTTP API on /api and what its function answers.
type httpCase struct {
	method, target, body string
	header               http.Header
	answer               func(ctx context.Context, payload []byte) ([]byte, error)
}

func fixed(response string) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return []byte(response), nil }
}

// serve sends the request through an API whose authorizer knows the token
// "good". It returns the response and the event that the function got.
func (c httpCase) serve(t *testing.T) (*httptest.ResponseRecorder, []byte) {
	t.Helper()
	var event []byte
	api := apigateway.NewHTTP(apigateway.HTTPConfig{
		Function: "api",
		Invoke: func(ctx context.Context, function string, payload []byte) ([]byte, error) {
			if function != "api" {
				t.Errorf("invoked %q", function)
			}
			event = payload
			return c.answer(ctx, payload)
		},
		Authorize: func(_ context.Context, token string) (map[string]string, error) {
			if token != "good" {
				return nil, errors.New("bad token")
			}
			return map[string]string{"username": "alice", "exp": "1770000000"}, nil
		},
		Clock:    clockwork.NewFakeClockAt(time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)),
		BasePath: "/api",
	})
	if c.method == "" {
		c.method = http.MethodGet
	}
	if c.target == "" {
		c.target = "/api/rooms"
	}
	request := httptest.NewRequestWithContext(t.Context(), c.method, c.target, strings.NewReader(c.body))
	request.Host = "127.0.0.1:8080"
	request.RemoteAddr = "192.0.2.1:5000"
	request.Header = http.Header{"Authorization": {"Bearer good"}}
	for name, values := range c.header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, request)
	if err := api.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	return recorder, event
}

func TestHTTPEvent(t *testing.T) {
	tests := map[string]httpCase{
		"http-post": {
			method: http.MethodPost, target: "/api/rooms/a%40b%2Fc?x=1&x=%202&y=", body: `{"name":"Général"}`,
			header: http.Header{
				"Content-Type": {"application/json; charset=utf-8"},
				"User-Agent":   {"test/1.0"},
				"Cookie":       {"a=1; b=2"},
				"Accept":       {"text/html", "*/*"},
				"Connection":   {"keep-alive"},
			},
		},
		"http-get":    {header: http.Header{"X-Forwarded-For": {"198.51.100.7"}}},
		"http-binary": {method: http.MethodPut, target: "/api", body: "\x00\xff"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.answer = fixed(ok)
			_, event := test.serve(t)
			golden(t, name+".json", event)

			var typed events.APIGatewayV2HTTPRequest
			strict(t, event, &typed)
			if typed.RequestContext.Authorizer.JWT.Claims["username"] != "alice" {
				t.Errorf("claims are %v", typed.RequestContext.Authorizer.JWT.Claims)
			}
		})
	}
}

func TestHTTPBodyEncoding(t *testing.T) {
	for _, test := range []struct {
		contentType, body string
		base64            bool
	}{
		{"application/json", "{}", false},
		{"text/csv", "a,b", false},
		{"application/xml; charset=utf-8", "<a/>", false},
		{"application/problem+json", "{}", true},
		{"application/x-www-form-urlencoded", "a=1", true},
		{"", "{}", true},
		{"application/json", "\"\xff\"", true},
		{"application/json", "", false},
	} {
		c := httpCase{method: http.MethodPost, body: test.body, answer: fixed(ok)}
		c.header = http.Header{"Content-Type": {test.contentType}}
		_, payload := c.serve(t)
		var event events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &event); err != nil {
			t.Fatal(err)
		}
		if event.IsBase64Encoded != test.base64 {
			t.Errorf("%q %q: isBase64Encoded is %t", test.contentType, test.body, event.IsBase64Encoded)
		}
	}
}

func TestHTTPResponse(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		status int
		body   string
		header http.Header // a part of what must be there
	}{
		"plain":         {`{"statusCode":201,"headers":{"content-type":"text/plain"},"body":"made"}`, 201, "made", http.Header{"Content-Type": {"text/plain"}}},
		"empty":         {`{"statusCode":204}`, 204, "", nil},
		"base64":        {`{"statusCode":200,"body":"AP8=","isBase64Encoded":true}`, 200, "\x00\xff", nil},
		"cookies":       {`{"statusCode":200,"cookies":["a=1","b=2"]}`, 200, "", http.Header{"Set-Cookie": {"a=1", "b=2"}}},
		"multi headers": {`{"statusCode":200,"multiValueHeaders":{"x-a":["1","2"]}}`, 200, "", http.Header{"X-A": {"1", "2"}}},
		"wrong length":  {`{"statusCode":200,"headers":{"Content-Length":"99"},"body":"ab"}`, 200, "ab", nil},
		"inferred":      {`{"rooms":[]}`, 200, `{"rooms":[]}`, http.Header{"Content-Type": {"application/json"}}},
		"inferred text": {`"Hello"`, 200, "Hello", http.Header{"Content-Type": {"application/json"}}},
		"bad base64":    {`{"statusCode":200,"body":"*","isBase64Encoded":true}`, 500, `{"message":"Internal Server Error"}`, nil},
		"bad status":    {`{"statusCode":7}`, 500, `{"message":"Internal Server Error"}`, nil},
		"not a status":  {`{"statusCode":"ok"}`, 500, `{"message":"Internal Server Error"}`, nil},
		"not JSON":      {`oops`, 500, `{"message":"Internal Server Error"}`, http.Header{"Content-Type": {"application/json"}}},
	} {
		t.Run(name, func(t *testing.T) {
			response, _ := httpCase{answer: fixed(test.answer)}.serve(t)
			if body := response.Body.String(); response.Code != test.status || body != test.body {
				t.Errorf("answered %d %q, want %d %q", response.Code, body, test.status, test.body)
			}
			for name, want := range test.header {
				if diff := cmp.Diff(want, response.Header()[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

func TestHTTPRefusals(t *testing.T) {
	failing := func(context.Context, []byte) ([]byte, error) { return nil, errors.New("panic: oops") }
	for name, test := range map[string]struct {
		c       httpCase
		status  int
		message string
		invoked bool
	}{
		"no token":       {httpCase{header: http.Header{"Authorization": nil}}, 401, "Unauthorized", false},
		"no bearer":      {httpCase{header: http.Header{"Authorization": {"good"}}}, 401, "Unauthorized", false},
		"empty bearer":   {httpCase{header: http.Header{"Authorization": {"Bearer "}}}, 401, "Unauthorized", false},
		"other scheme":   {httpCase{header: http.Header{"Authorization": {"Basic good"}}}, 401, "Unauthorized", false},
		"bad token":      {httpCase{header: http.Header{"Authorization": {"Bearer bad"}}}, 401, "Unauthorized", false},
		"other path":     {httpCase{target: "/apiary"}, 404, "Not Found", false},
		"too large":      {httpCase{method: http.MethodPost, body: strings.Repeat("x", 10<<20+1)}, 413, "Request Entity Too Large", false},
		"largest":        {httpCase{method: http.MethodPost, body: strings.Repeat("x", 10<<20)}, 500, "Internal Server Error", true},
		"function error": {httpCase{}, 500, "Internal Server Error", true},
	} {
		t.Run(name, func(t *testing.T) {
			test.c.answer = failing
			response, event := test.c.serve(t)
			var body struct{ Message string }
			if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if response.Code != test.status || body.Message != test.message {
				t.Errorf("answered %d %q, want %d %q", response.Code, body.Message, test.status, test.message)
			}
			if (event != nil) != test.invoked {
				t.Errorf("invoked: %t, want %t", event != nil, test.invoked)
			}
		})
	}
}

func TestHTTPTimeoutLeavesTheFunctionRunning(t *testing.T) {
	clock := clockwork.NewFakeClock()
	invoked, finish := make(chan struct{}), make(chan struct{})
	api := apigateway.NewHTTP(apigateway.HTTPConfig{
		Function: "api",
		Clock:    clock,
		Invoke: func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
			close(invoked)
			<-finish
			return nil, ctx.Err()
		},
	})
	recorder := httptest.NewRecorder()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		api.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/rooms", nil))
	}()
	within(t, "the invocation", invoked)
	clock.Advance(30 * time.Second)
	within(t, "the answer", answered)
	if recorder.Code != http.StatusServiceUnavailable || recorder.Body.String() != `{"message":"Service Unavailable"}` {
		t.Errorf("answered %d %s", recorder.Code, recorder.Body)
	}

	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := api.Shutdown(expired); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown returned %v while the function ran", err)
	}
	close(finish)
	if err := api.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}
