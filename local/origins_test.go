package local_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
)

// asked makes a request as a browser does for a page.
func asked(t *testing.T, method, url, origin string, header map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(`{"user":"alice"}`))
	if err != nil {
		t.Fatal(err)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response
}

var origins = map[string]bool{
	"http://localhost:5173":              true,
	"https://localhost":                  true,
	"http://127.0.0.1:3000":              true,
	"http://127.1.2.3:3000":              true,
	"http://[::1]:3000":                  true,
	"http://app.localhost:3000":          true,
	"https://chat.example.com":           true, // by Config.Origins
	"https://chat.example.com:8443":      false,
	"http://chat.example.com":            false,
	"https://evil.example":               false,
	"http://localhost.evil.example:5173": false,
	"http://127.0.0.1.evil.example":      false,
	"http://evillocalhost:5173":          false,
	"http://user@localhost:5173":         false,
	"http://192.168.1.7:5173":            false,
	"http://0.0.0.0:5173":                false,
	"file://localhost":                   false,
	"null":                               false,
	"::":                                 false,
}

func TestOrigins_PagesOfThisMachineAndOfConfigAreLetIn(t *testing.T) {
	s := start(t, local.Config{Origins: []string{"https://chat.example.com"}})
	token := map[string]string{"Authorization": "Bearer " + s.Token("alice", 0)}
	preflight := map[string]string{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
	for origin, allowed := range origins {
		want, signIn := "", http.StatusForbidden
		if allowed {
			want, signIn = origin, http.StatusOK
		}
		for _, test := range []struct {
			what, method, url string
			header            map[string]string
			status            int
		}{
			{"a preflight of the HTTP API", http.MethodOptions, s.APIURL() + "/rooms", preflight, http.StatusNoContent},
			{"an answer of the HTTP API", http.MethodGet, s.APIURL() + "/rooms", token, http.StatusOK},
			{"an error of the HTTP API", http.MethodGet, s.APIURL() + "/nowhere", token, http.StatusNotFound},
			{"the gateway's own answer", http.MethodGet, s.APIURL() + "/rooms", nil, http.StatusUnauthorized},
			{"a preflight of signing in", http.MethodOptions, s.URL() + "/token", preflight, http.StatusNoContent},
			{"signing in", http.MethodPost, s.URL() + "/token", nil, signIn},
			{"the keys", http.MethodGet, s.URL() + "/.well-known/jwks.json", nil, http.StatusOK},
			{"where the keys are", http.MethodGet, s.URL() + "/.well-known/openid-configuration", nil, http.StatusOK},
			{"the description", http.MethodGet, s.URL() + "/openapi.json", nil, http.StatusOK},
		} {
			answer := asked(t, test.method, test.url, origin, test.header)
			if got := answer.Header.Get("Access-Control-Allow-Origin"); got != want || answer.StatusCode != test.status {
				t.Errorf("%s for %s: status %d, lets in %q; want %d and %q", test.what, origin, answer.StatusCode, got, test.status, want)
			}
			if got := answer.Header.Get("Vary"); got != "Origin" {
				t.Errorf("%s for %s: Vary is %q", test.what, origin, got)
			}
			if answer.StatusCode == http.StatusNoContent {
				methods, headers := "", ""
				if allowed {
					methods, headers = strings.Join(topology.APIMethods(), ","), strings.Join(topology.APIHeaders(), ",")
				}
				h := answer.Header
				if h.Get("Access-Control-Allow-Methods") != methods || h.Get("Access-Control-Allow-Headers") != headers {
					t.Errorf("%s for %s: %v", test.what, origin, h)
				}
			}
			if answer.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s for %s allows cookies", test.what, origin)
			}
		}
	}
}

// What has no authentication, and what is not for pages, lets in no page.
func TestOrigins_OthersAreClosed(t *testing.T) {
	s := start(t, local.Config{Origins: []string{"https://chat.example.com"}})
	for _, url := range []string{s.TableURL(), s.URL() + "/failures", s.URL() + "/healthz"} {
		for _, origin := range []string{"http://localhost:5173", "https://chat.example.com"} {
			answer := asked(t, http.MethodGet, url, origin, nil)
			if got := answer.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("%s lets in %s", url, got)
			}
		}
	}
	// A page elsewhere whose name resolves to this machine asks as one of its own origin.
	answer := asked(t, http.MethodPost, s.URL()+"/token", "", nil)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a program: %s, %v", answer.Status, answer.Header)
	}
	// OPTIONS that is not a preflight is a request like others.
	if answer := asked(t, http.MethodOptions, s.URL()+"/token", "http://localhost:5173", nil); answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS: %s", answer.Status)
	}
}
