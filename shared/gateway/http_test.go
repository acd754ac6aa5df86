package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/gateway"
)

// handlerFunc serves a user's requests by a function.
type handlerFunc func(w http.ResponseWriter, r *http.Request, userID string)

func (f handlerFunc) ServeUser(w http.ResponseWriter, r *http.Request, userID string) {
	f(w, r, userID)
}

func newHTTP(t *testing.T, handler gateway.UserHandler, rule auth.Rule, log zerolog.Logger) *gateway.HTTP {
	t.Helper()
	tokens, err := auth.NewChecker(rule, clock)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.NewHTTP(handler, tokens, clock, log)
}

// claims are those that a JWT authorizer passes for a token of alice, with changes;
// "" removes one.
func claims(changes map[string]string) map[string]string {
	all := map[string]string{
		"iss": rule.Issuer, "client_id": "client", "token_use": "access", "username": "alice",
		"iat": strconv.FormatInt(now.Unix(), 10), "exp": strconv.FormatInt(now.Add(time.Hour).Unix(), 10),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func serve(t *testing.T, e events.APIGatewayV2HTTPRequest, handler handlerFunc) events.APIGatewayV2HTTPResponse {
	t.Helper()
	api := newHTTP(t, handler, rule, zerolog.Nop())
	e.RequestContext.HTTP.Method = http.MethodGet
	e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
		JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims(nil)},
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

func TestHTTP_NeedsVerifiedClaims(t *testing.T) {
	served := ""
	byName := rule
	byName.UserClaim = "name"
	api := newHTTP(t, handlerFunc(func(w http.ResponseWriter, _ *http.Request, userID string) {
		served = userID
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // the first counts
	}), byName, zerolog.Nop())
	event := func(claims map[string]string) (e events.APIGatewayV2HTTPRequest) {
		e.RawPath, e.RequestContext.HTTP.Method = "/", http.MethodGet
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims},
		}
		return e
	}
	open, noJWT := event(nil), event(nil)
	open.RequestContext.Authorizer, noJWT.RequestContext.Authorizer.JWT = nil, nil
	for name, e := range map[string]events.APIGatewayV2HTTPRequest{"no authorizer": open, "no JWT": noJWT} {
		if answer, err := api.Handle(t.Context(), e); err == nil || answer.StatusCode != 0 {
			t.Errorf("%s: answer %+v; want an error", name, answer)
		}
	}
	spoilt := event(claims(map[string]string{"name": "alice"}))
	spoilt.Body, spoilt.IsBase64Encoded = "%", true
	badMethod := event(claims(map[string]string{"name": "alice"}))
	badMethod.RequestContext.HTTP.Method = "GET /"
	for name, test := range map[string]struct {
		event  events.APIGatewayV2HTTPRequest
		status int
	}{
		"no claim":           {event(claims(nil)), http.StatusUnauthorized},
		"an invalid claim":   {event(claims(map[string]string{"name": "a#b"})), http.StatusUnauthorized},
		"a spoilt body":      {spoilt, http.StatusBadRequest},
		"a malformed method": {badMethod, http.StatusBadRequest},
	} {
		answer, err := api.Handle(t.Context(), test.event)
		if err != nil || answer.StatusCode != test.status || served != "" {
			t.Errorf("%s: answer %+v, error %v, served %q; want %d", name, answer, err, served, test.status)
		}
	}
	answer, err := api.Handle(t.Context(), event(claims(map[string]string{"name": "alice"})))
	if err != nil || answer.StatusCode != http.StatusTeapot || served != "alice" {
		t.Errorf("answer %+v, error %v, served %q; want 418 for alice", answer, err, served)
	}
}

func TestHTTP_RequestAndAnswer(t *testing.T) {
	e := events.APIGatewayV2HTTPRequest{
		RawPath: "/", Headers: map[string]string{"content-type": "text/x"}, Body: base64.StdEncoding.EncodeToString([]byte{0xff}), IsBase64Encoded: true,
	}
	e.RequestContext.DomainName = "api.example"
	answer := serve(t, e, func(w http.ResponseWriter, r *http.Request, _ string) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Host != "api.example" || r.Header.Get("Content-Type") != "text/x" {
			t.Errorf("host %q, headers %v, error %v", r.Host, r.Header, err)
		}
		w.Header().Add("Allow", "GET")
		w.Header().Add("Allow", "PUT")
		_, _ = w.Write(body)
	})
	if answer.Headers["Allow"] != "GET,PUT" || !answer.IsBase64Encoded || answer.Body != e.Body || answer.StatusCode != http.StatusOK {
		t.Errorf("answer %+v, want the body, which is not text, as base 64", answer)
	}
}

func TestHTTP_RefusesTokensThatTheSocketRefuses(t *testing.T) {
	for reason, changes := range map[string]map[string]string{
		"token_use": {"token_use": "id", "client_id": "", "aud": "client"},
		"client":    {"aud": "foreign"},
		"issuer":    {"iss": "https://elsewhere.example"},
		"expired":   {"exp": strconv.FormatInt(now.Add(-time.Minute).Unix(), 10)},
	} {
		var log bytes.Buffer
		api := newHTTP(t, handlerFunc(func(http.ResponseWriter, *http.Request, string) { t.Errorf("%s: served", reason) }), rule, zerolog.New(&log))
		e := events.APIGatewayV2HTTPRequest{RawPath: "/"}
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{Claims: claims(changes)},
		}
		answer, err := api.Handle(t.Context(), e)
		if err != nil || answer.StatusCode != http.StatusUnauthorized || answer.Body != `{"message":"Unauthorized"}` {
			t.Errorf("%s: answer %+v, error %v; want the gateway's 401", reason, answer, err)
		}
		wantRefusalLogged(t, log.String(), reason)
	}
}

// wantRefusalLogged wants one line at level warn that has a reason.
func wantRefusalLogged(t *testing.T, log, reason string) {
	t.Helper()
	var line struct{ Level, Reason, Error string }
	if err := json.Unmarshal([]byte(log), &line); err != nil || line.Level != "warn" || line.Reason != reason || line.Error == "" {
		t.Errorf("logged %q; want one line at level warn with reason %q", log, reason)
	}
}
