package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/gateway"
)

// handlerFunc serves a user's requests by a function.
type handlerFunc func(w http.ResponseWriter, r *http.Request, userID string)

func (f handlerFunc) ServeUser(w http.ResponseWriter, r *http.Request, userID string) {
	f(w, r, userID)
}

func serve(t *testing.T, e events.APIGatewayV2HTTPRequest, handler handlerFunc) events.APIGatewayV2HTTPResponse {
	t.Helper()
	api := gateway.NewHTTP(handler, "", time.Now, zerolog.Nop())
	e.RequestContext.HTTP.Method = http.MethodGet
	e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: map[string]string{"username": "alice"}},
	}
	answer, err := api.Handle(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// An HTTP API decodes the path before a function sees it, so what is left of
// escapes in it was meant.
func TestThePathIsTakenAsItCame(t *testing.T) {
	for _, test := range []struct{ name, stage, rawPath, want string }{
		{"plain", "$default", "/rooms/r", "/rooms/r"},
		{"a user called a%41", "$default", "/rooms/r/members/a%41", "/rooms/r/members/a%41"},
		{"a lone percent sign", "$default", "/rooms/r/members/100%", "/rooms/r/members/100%"},
		{"a space", "$default", "/rooms/r/members/a b", "/rooms/r/members/a b"},
		{"two slashes name no host", "$default", "//evil/rooms", "//evil/rooms"},
		{"a named stage", "prod", "/prod/rooms", "/rooms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var path, query string
			e := events.APIGatewayV2HTTPRequest{RawPath: test.rawPath, RawQueryString: "limit=5&before=a%41"}
			e.RequestContext.Stage = test.stage
			serve(t, e, func(_ http.ResponseWriter, r *http.Request, _ string) {
				path, query = r.URL.Path, r.URL.Query().Get("before")
			})
			if path != test.want || query != "aA" {
				t.Errorf("path %q, before %q; want %q and aA", path, query, test.want)
			}
		})
	}
}

// A function's answer is JSON of at most 6 MB, in which a quote takes two bytes
// and, when it was escaped before, four.
func TestALargeAnswerFitsAFunctionsAnswer(t *testing.T) {
	const limit = 6 << 20
	for _, test := range []struct {
		name string
		body string
	}{
		{"small", `{"messages":[]}`},
		{"quotes", strings.Repeat(`\"`, 2<<20)},
		{"letters", strings.Repeat("a", 4<<20)},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := serve(t, events.APIGatewayV2HTTPRequest{RawPath: "/"}, func(w http.ResponseWriter, _ *http.Request, _ string) {
				_, _ = w.Write([]byte(test.body))
			})
			encoded, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			if len(encoded) > limit {
				t.Errorf("a body of %d bytes makes an answer of %d, over the limit of %d", len(test.body), len(encoded), limit)
			}
			body := answer.Body
			if answer.IsBase64Encoded {
				decoded, err := base64.StdEncoding.DecodeString(body)
				if err != nil {
					t.Fatal(err)
				}
				body = string(decoded)
			}
			if body != test.body {
				t.Error("the answer is not the body that was written")
			}
		})
	}
}
