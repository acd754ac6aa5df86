package identity_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/wire"
)

func request(t *testing.T, handler http.HandlerFunc, method string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequestWithContext(t.Context(), method, "/", http.NoBody))
	return w
}

// post asks the pool for a token as a client at 127.0.0.1:8080 does.
func post(t *testing.T, pool *identity.Pool, body io.Reader, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8080/token", body)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	pool.ServeToken(w, r)
	return w
}

func TestServeTokenOverHTTP(t *testing.T) {
	s := serve(t, "")
	for body, life := range map[string]time.Duration{
		`{"user":"alice"}`:                      time.Hour,
		`{"user":"alice","expiresIn":60}`:       time.Minute,
		`{"expiresIn":0,"user":"alice"}` + "\n": time.Hour,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.http.URL+"/token", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.http.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]string
		err = json.NewDecoder(response.Body).Decode(&answer)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || len(answer) != 1 {
			t.Fatalf("%s: got %d, %v, %v", body, response.StatusCode, answer, err)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Cache-Control": "no-store",
			identity.NoticeHeader: "development only: hands out tokens for any name, without a password",
		} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: header %s is %q, want %q", body, name, got, want)
			}
		}
		token, err := s.Verify(t.Context(), answer["token"])
		if err != nil || token.UserID != "alice" || !token.ExpiresAt.Equal(start.Add(life)) {
			t.Errorf("%s: got %q until %v, %v, want alice for %v", body, token.UserID, token.ExpiresAt, err, life)
		}
	}
}

func TestServeTokenRefusesBadRequests(t *testing.T) {
	pool := open(t, "", "http://127.0.0.1:8080")
	for name, test := range map[string]struct {
		body   string
		status int
		code   string
		detail string
	}{
		"empty":               {"", 400, "invalid_request", "invalid body: want"},
		"no JSON":             {"user=alice", 400, "invalid_request", "invalid body: want"},
		"cut off":             {`{"user":"al`, 400, "invalid_request", "invalid body: want"},
		"a list":              {`["alice"]`, 400, "invalid_request", "invalid body: want"},
		"null":                {`null`, 400, "invalid_request", "invalid user: "},
		"two objects":         {`{"user":"alice"}{}`, 400, "invalid_request", "more follows"},
		"rubbish behind":      {`{"user":"alice"}]`, 400, "invalid_request", "more follows"},
		"unknown field":       {`{"user":"alice","role":"admin"}`, 400, "invalid_request", `"role"`},
		"no user":             {`{}`, 400, "invalid_request", "invalid user: "},
		"user no text":        {`{"user":1}`, 400, "invalid_request", "user"},
		"user with hash":      {`{"user":"a#b"}`, 400, "invalid_request", "invalid user: "},
		"user with control":   {`{"user":"a\u0000"}`, 400, "invalid_request", "invalid user: "},
		"user too long":       {`{"user":"` + strings.Repeat("a", 129) + `"}`, 400, "invalid_request", "invalid user: "},
		"invalid UTF-8":       {"{\"user\":\"a\xff\"}", 400, "invalid_request", "UTF-8"},
		"time no number":      {`{"user":"alice","expiresIn":"60"}`, 400, "invalid_request", "expiresIn"},
		"time with fraction":  {`{"user":"alice","expiresIn":1.5}`, 400, "invalid_request", "expiresIn"},
		"time too long":       {`{"user":"alice","expiresIn":86401}`, 400, "invalid_request", "24h"},
		"time long ago":       {`{"user":"alice","expiresIn":-86401}`, 400, "invalid_request", "24h"},
		"time would overflow": {`{"user":"alice","expiresIn":9223372036854775807}`, 400, "invalid_request", "24h"},
		"time too large":      {`{"user":"alice","expiresIn":9223372036854775808}`, 400, "invalid_request", "expiresIn"},
		"body too large":      {strings.Repeat(" ", 4097), 413, "too_large", "4096"},
	} {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, post(t, pool, strings.NewReader(test.body), nil), test.status, test.code, test.detail)
		})
	}
	t.Run("broken off", func(t *testing.T) {
		wantProblem(t, post(t, pool, iotest.ErrReader(io.ErrUnexpectedEOF), nil), 400, "invalid_request", "to its end")
	})
}

func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, code, detail string) {
	t.Helper()
	var problem wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if w.Code != status || problem.Status != status || problem.Code != code || !strings.Contains(problem.Detail, detail) || problem.Title == "" {
		t.Errorf("got %d %+v, want %d %s about %q", w.Code, problem, status, code, detail)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type is %q", got)
	}
}

func TestServeTokenAnswersItsOwnPagesOnly(t *testing.T) {
	pool := open(t, "", "http://127.0.0.1:8080")
	for name, test := range map[string]struct {
		header  map[string]string
		refused bool
	}{
		"no browser":                   {},
		"own page":                     {header: map[string]string{"Origin": "http://127.0.0.1:8080"}},
		"own page, said by browser":    {header: map[string]string{"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}},
		"other host":                   {header: map[string]string{"Origin": "https://evil.example"}, refused: true},
		"other port":                   {header: map[string]string{"Origin": "http://127.0.0.1:3000"}, refused: true},
		"host as a prefix":             {header: map[string]string{"Origin": "http://127.0.0.1:8080.evil.example"}, refused: true},
		"sandboxed page":               {header: map[string]string{"Origin": "null"}, refused: true},
		"nonsense":                     {header: map[string]string{"Origin": "::"}, refused: true},
		"other site, said by browser":  {header: map[string]string{"Sec-Fetch-Site": "cross-site"}, refused: true},
		"other port, said by browser":  {header: map[string]string{"Sec-Fetch-Site": "same-site"}, refused: true},
		"form post that looks like it": {header: map[string]string{"Origin": "https://evil.example", "Content-Type": "text/plain"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(t, pool, strings.NewReader(`{"user":"alice"}`), test.header)
			if test.refused {
				wantProblem(t, w, 403, "forbidden", "another origin")
			} else if w.Code != http.StatusOK {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if allowed := w.Header().Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("lets %s read it", allowed)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	pool := open(t, "", "http://127.0.0.1:8080")
	for _, test := range []struct {
		handler http.HandlerFunc
		method  string
		allow   string // "" if the method is served
	}{
		{pool.ServeToken, http.MethodGet, "POST"},
		{pool.ServeToken, http.MethodOptions, "POST"},
		{pool.ServeToken, http.MethodPut, "POST"},
		{pool.ServeJWKS, http.MethodPost, "GET, HEAD"},
		{pool.ServeDescription, http.MethodPost, "GET, HEAD"},
		{pool.ServeDescription, http.MethodGet, ""},
		{pool.ServeJWKS, http.MethodGet, ""},
		{pool.ServeJWKS, http.MethodHead, ""},
	} {
		w := request(t, test.handler, test.method)
		if got := w.Header().Get("Allow"); got != test.allow {
			t.Errorf("%s: Allow is %q, want %q", test.method, got, test.allow)
		}
		if test.allow != "" {
			wantProblem(t, w, 405, "invalid_request", "use")
		} else if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s", test.method, w.Code, w.Header())
		}
	}
}
