package push

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

func postsTo(ids ...string) []Post {
	posts := make([]Post, len(ids))
	for i, id := range ids {
		posts[i] = Post{ConnectionID: id, Data: []byte(`{"type":"message"}`)}
	}
	return posts
}

// summary is a result without its error's text.
func summary(r Delivery) string {
	s := fmt.Sprintf("%v after %d", r.Outcome, r.Attempts)
	if (r.Err == nil) != (r.Outcome == Delivered) {
		s += fmt.Sprintf(", error %v", r.Err)
	}
	return s
}

func summaries(results []Delivery) []string {
	s := make([]string, len(results))
	for i, r := range results {
		s[i] = summary(r)
	}
	return s
}

func TestResultsBelongToPosts(t *testing.T) {
	t.Parallel()
	f := &fake{answer: func(_ *http.Request, id string, _ int) answer {
		switch {
		case strings.HasPrefix(id, "gone"):
			return gone
		case strings.HasPrefix(id, "big"):
			return answer{status: 413}
		}
		return ok
	}}
	p := overLoopback(t, f)
	var posts []Post
	var want []string
	for i := range 3 * Workers {
		kind := []string{"ok", "gone", "big"}[i%3]
		posts = append(posts, Post{ConnectionID: fmt.Sprintf("%s-%d", kind, i), Data: []byte(kind)})
		want = append(want, map[string]string{"ok": "delivered after 1", "gone": "gone after 1", "big": "undelivered after 1"}[kind])
	}
	if diff := cmp.Diff(want, summaries(p.Push(t.Context(), posts))); diff != "" {
		t.Error(diff)
	}
	for _, r := range f.got() {
		if kind := r.body; !strings.HasPrefix(r.uri, "/local/@connections/"+kind+"-") {
			t.Errorf("%s got the data %q", r.uri, kind)
		}
	}
	if results := p.Push(t.Context(), nil); len(results) != 0 {
		t.Errorf("no posts gave %v", results)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		answers []answer
		want    string
		typed   error // a value of the type that errors.As must find
	}{
		{"200", []answer{ok}, "delivered after 1", nil},
		{"204", []answer{{status: 204}}, "delivered after 1", nil},
		{"200 with a body", []answer{{status: 200, body: "<html>"}}, "delivered after 1", nil},
		{"200 with an endless body", []answer{{status: 200, body: strings.Repeat("x", 4*maxAnswer)}}, "delivered after 1", nil},

		{"410 bare", []answer{{status: 410}}, "gone after 1", &types.GoneException{}},
		{"410 with header", []answer{gone}, "gone after 1", &types.GoneException{}},
		{"410 with header and URI", []answer{{410, "GoneException:http://internal.amazon.com/x/", ""}}, "gone after 1", &types.GoneException{}},
		{"410 with header and JSON", []answer{{410, "GoneException", `{"message":"gone"}`}}, "gone after 1", &types.GoneException{}},
		{"410 with header and text", []answer{{410, "GoneException", "410 Gone"}}, "gone after 1", &types.GoneException{}},
		{"410 with type in the body", []answer{{410, "", `{"__type":"GoneException"}`}}, "gone after 1", &types.GoneException{}},
		{"410 with text", []answer{{410, "", "410 Gone"}}, "gone after 1", &types.GoneException{}},
		{"410 with an endless body", []answer{{410, "", strings.Repeat("x", 4*maxAnswer)}}, "gone after 1", &types.GoneException{}},
		{"410 with an unknown type", []answer{{410, "NoSuchException", "{}"}}, "gone after 1", &smithy.GenericAPIError{}},
		{"GoneException with another status", []answer{{400, "GoneException", ""}}, "gone after 1", &types.GoneException{}},

		{"403", []answer{{403, "ForbiddenException", `{"message":"Forbidden"}`}}, "undelivered after 1", &types.ForbiddenException{}},
		{"403 bare", []answer{{403, "", `{"message":"Forbidden"}`}}, "undelivered after 1", &types.ForbiddenException{}},
		{"413", []answer{{413, "PayloadTooLargeException", `{"message":"too large"}`}}, "undelivered after 1", &types.PayloadTooLargeException{}},
		{"413 bare", []answer{{413, "", ""}}, "undelivered after 1", &types.PayloadTooLargeException{}},
		{"400", []answer{{400, "BadRequestException", `{"message":"Invalid connectionId: X"}`}}, "undelivered after 1", &smithy.GenericAPIError{}},
		{"302", []answer{{status: 302}}, "undelivered after 1", &smithy.GenericAPIError{}},

		{"429, then 200", []answer{throttled, ok}, "delivered after 2", nil},
		{"429 bare, then 200", []answer{{status: 429}, ok}, "delivered after 2", nil},
		{"429 in the header only, then 200", []answer{{400, "LimitExceededException", ""}, ok}, "delivered after 2", nil},
		{"429, then 410", []answer{throttled, gone}, "gone after 2", &types.GoneException{}},
		{"429 always", []answer{{429, "", "slow down"}}, "undelivered after 4", &types.LimitExceededException{}},
		{"500, then 200", []answer{failed, ok}, "delivered after 2", nil},
		{"502 and 503, then 200", []answer{{502, "", "<html>"}, {status: 503}, ok}, "delivered after 3", nil},
		{"500 always", []answer{failed}, "undelivered after 4", &smithy.GenericAPIError{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := overLoopback(t, &fake{answer: script(map[string][]answer{"a": test.answers})})
			r := p.Push(t.Context(), postsTo("a"))[0]
			if got := summary(r); got != test.want {
				t.Errorf("got %s, want %s (error: %v)", got, test.want, r.Err)
			}
			if test.typed == nil {
				return
			}
			var api smithy.APIError
			if !errors.As(r.Err, &api) || fmt.Sprintf("%T", api) != fmt.Sprintf("%T", test.typed) {
				t.Errorf("the error is %v, want a %T in it", r.Err, test.typed)
			}
			last := test.answers[len(test.answers)-1]
			var response *awshttp.ResponseError
			if !errors.As(r.Err, &response) || response.HTTPStatusCode() != last.status || response.RequestID != "request-1" {
				t.Errorf("the error is %v, want status %d and the request's id in it", r.Err, last.status)
			}
		})
	}
}

func TestErrorsHoldNoContent(t *testing.T) {
	t.Parallel()
	p := overLoopback(t, &fake{answer: script(map[string][]answer{"a": {gone}, "b": {{status: 400}}})})
	refused := newPusher(t, Config{Endpoint: "http://" + closedAddress(t) + "/local"})
	posts := []Post{{ConnectionID: "a", Data: []byte("confidential")}, {ConnectionID: "b", Data: []byte("confidential")}}
	results := append(p.Push(t.Context(), posts), refused.Push(t.Context(), posts[:1])...)
	for _, r := range results {
		if r.Err == nil || strings.Contains(fmt.Sprintf("%+v", r), "confidential") {
			t.Errorf("got %+v, want an error without content", r)
		}
		var response *awshttp.ResponseError
		if errors.As(r.Err, &response) && response.Response.Request != nil {
			t.Error("the error holds the request, with frame and signature")
		}
	}
}

// closedAddress returns a loopback address with no listener.
func closedAddress(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(nil)
	server.Close()
	return server.Listener.Addr().String()
}

func TestUnsendablePosts(t *testing.T) {
	t.Parallel()
	f := &fake{}
	p := overLoopback(t, f)
	results := p.Push(t.Context(), []Post{
		{ConnectionID: "", Data: []byte("x")},
		{ConnectionID: "a"},
		{ConnectionID: "a", Data: []byte("x")},
	})
	for i, r := range results[:2] {
		if r.Outcome != Undelivered || !errors.Is(r.Err, ErrEmpty) || r.Attempts != 0 {
			t.Errorf("post %d: %+v, want ErrEmpty and no attempt", i, r)
		}
	}
	if results[2].Outcome != Delivered || len(f.got()) != 1 {
		t.Errorf("got %+v and %d requests, want one delivered", results[2], len(f.got()))
	}
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	breakFirst := func(_ *http.Request, id string, before int) answer {
		if id == "broken" && before == 0 {
			panic(http.ErrAbortHandler)
		}
		return ok
	}
	t.Run("a new connection", func(t *testing.T) {
		t.Parallel()
		p := overLoopback(t, &fake{answer: breakFirst})
		if got := summary(p.Push(t.Context(), postsTo("broken"))[0]); got != "delivered after 2" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("a kept-alive connection", func(t *testing.T) {
		t.Parallel()
		f := &fake{answer: breakFirst}
		p := overLoopback(t, f)
		p.Push(t.Context(), postsTo("a"))
		if got := summary(p.Push(t.Context(), postsTo("broken"))[0]); got != "delivered after 1" {
			t.Errorf("got %s, want the transport to repeat the post at once", got)
		}
		requests := f.got()
		if len(requests) != 3 || requests[1].body != requests[2].body {
			t.Errorf("got %+v, want the same post twice", requests[1:])
		}
	})
	t.Run("no listener", func(t *testing.T) {
		t.Parallel()
		p := newPusher(t, Config{Endpoint: "http://" + closedAddress(t) + "/local"})
		if got := summary(p.Push(t.Context(), postsTo("a"))[0]); got != "undelivered after 4" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("kept-alive connections that ended between batches", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(&fake{})
		t.Cleanup(server.Close)
		p := newPusher(t, Config{Endpoint: server.URL + "/local"})
		for range 3 {
			for i, r := range p.Push(t.Context(), postsTo("a", "b", "c")) {
				if got := summary(r); got != "delivered after 1" {
					t.Errorf("post %d: %s", i, got)
				}
			}
			server.CloseClientConnections()
		}
	})
}

func TestConnectionsAreKeptAlive(t *testing.T) {
	t.Parallel()
	f := &fake{answer: script(map[string][]answer{
		"body": {{status: 200, body: "fine"}},
		"gone": {{410, "GoneException", `{"message":"gone"}`}},
		"slow": {throttled, ok},
		"big":  {{413, "", strings.Repeat("x", maxAnswer/2)}},
	})}
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(f)
	server.Config.ConnState = countNew(&opened)
	server.Start()
	t.Cleanup(server.Close)
	p := newPusher(t, Config{Endpoint: server.URL + "/local"})
	for _, id := range []string{"a", "body", "gone", "slow", "big", "a"} {
		p.Push(t.Context(), postsTo(id))
	}
	if opened.Load() != 1 {
		t.Errorf("%d connections were opened for posts one after the other, want 1", opened.Load())
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	f := &fake{}
	p := overLoopback(t, f)
	reason := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	for i, r := range p.Push(ctx, postsTo("a", "b")) {
		if r.Outcome != Undelivered || r.Attempts != 0 || !errors.Is(r.Err, reason) {
			t.Errorf("post %d: %+v, want no attempt and the reason", i, r)
		}
	}
	if len(f.got()) != 0 {
		t.Error("a cancelled batch was sent")
	}
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	broken := errors.New("no role")
	p, err := New(Config{
		Endpoint: "http://127.0.0.1:1/local",
		Region:   "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, broken
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range p.Push(t.Context(), postsTo("a", "b")) {
		if r.Outcome != Undelivered || r.Attempts != 0 || !errors.Is(r.Err, broken) {
			t.Errorf("post %d: %+v, want the provider's error", i, r)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		endpoint string
		wrong    string // part of the error, none if empty
	}{
		{"https://abc.execute-api.eu-central-1.amazonaws.com/prod", ""},
		{"https://abc.execute-api.eu-central-1.amazonaws.com/prod/", ""},
		{"https://chat.example.com/mapping/key", ""},
		{"http://127.0.0.1:8080/local", ""},
		{"http://[::1]:8080/local", ""},
		{"", "no http or https scheme"},
		{"abc.execute-api.eu-central-1.amazonaws.com/prod", "no http or https scheme"},
		{"127.0.0.1:8080/local", "want https://{domain}/{stage}"},
		{"wss://abc.execute-api.eu-central-1.amazonaws.com/prod", "is the WebSocket URL"},
		{"ws://127.0.0.1:8080/local", "is the WebSocket URL"},
		{"https://abc.execute-api.eu-central-1.amazonaws.com", "has no stage"},
		{"https://abc.execute-api.eu-central-1.amazonaws.com/", "has no stage"},
		{"https:///prod", "has no host"},
		{"https://:443/prod", "has no host"},
		{"https://chat.example.com/prod/@connections", "leave out @connections"},
		{"https://chat.example.com/prod?x=y", "query"},
		{"https://chat.example.com/prod#x", "fragment"},
		{"https://user:hunter2@chat.example.com/prod", "user"},
		{"https://chat.example.com/%zz", "want https://{domain}/{stage}"},
	} {
		_, err := New(Config{Endpoint: test.endpoint, Region: "eu-central-1", Credentials: testCredentials})
		switch {
		case test.wrong == "" && err != nil:
			t.Errorf("%s: %v", test.endpoint, err)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%q: error %v, want one with %q and no password", test.endpoint, err, test.wrong)
		}
	}
	if _, err := New(Config{Endpoint: "https://chat.example.com/prod", Credentials: testCredentials}); err == nil {
		t.Error("no error without a region")
	}
	if _, err := New(Config{Endpoint: "https://chat.example.com/prod", Region: "us-east-1"}); err == nil {
		t.Error("no error without credentials")
	}
}
