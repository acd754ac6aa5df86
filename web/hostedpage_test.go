package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/web"
)

// hosted answers as the pages and endpoints of a Cognito user pool's domain do: it
// is as strict, and its tokens end so soon that each is used once.
type hosted struct {
	*httptest.Server
	t    *testing.T
	site string // the registered callback and sign-out URL

	mu         sync.Mutex
	challenges map[string]string // by code, what its verifier must hash to
	codes      int
	refresh    string // the only refresh token that counts; "" is none
	renewed    int
	stays      bool // has the browser stay where it is
	revoked    []string
	signedOut  bool
}

func newHosted(t *testing.T) *hosted {
	t.Helper()
	h := &hosted{t: t, challenges: make(map[string]string)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth2/authorize", h.authorize)
	mux.HandleFunc("POST /oauth2/token", h.token)
	mux.HandleFunc("POST /oauth2/revoke", func(_ http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.revoked = append(h.revoked, r.FormValue("token")+" of "+r.FormValue("client_id"))
	})
	mux.HandleFunc("GET /logout", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_id") != "app" || r.FormValue("logout_uri") != h.site {
			http.Error(w, "not a registered sign-out", http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		h.signedOut = true
		h.mu.Unlock()
		http.Redirect(w, r, h.site, http.StatusFound)
	})
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hosted) stay(stays bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stays = stays
}

// authorize shows a page with two links: one comes back with a code, the other
// with a refusal.
func (h *hosted) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "app", "redirect_uri": h.site, "scope": "openid", "code_challenge_method": "S256",
	} {
		if q.Get(name) != want {
			h.t.Errorf("authorize has %s=%q, want %q", name, q.Get(name), want)
		}
	}
	if len(q.Get("state")) < 40 || len(q.Get("code_challenge")) != 43 {
		h.t.Errorf("authorize has state %q and challenge %q", q.Get("state"), q.Get("code_challenge"))
	}
	h.mu.Lock()
	if h.stays {
		w.WriteHeader(http.StatusNoContent)
		h.mu.Unlock()
		return
	}
	h.codes++
	code := fmt.Sprint("code-", h.codes)
	h.challenges[code] = q.Get("code_challenge")
	h.mu.Unlock()
	back := func(values url.Values) string {
		values.Set("state", q.Get("state"))
		return html.EscapeString(h.site + "?" + values.Encode())
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Pool</title><a id="yes" href="%s">Sign in as alice</a> <a id="no" href="%s">Refuse</a></html>`,
		back(url.Values{"code": {code}}), back(url.Values{"error": {"access_denied"}, "error_description": {"Alice may not sign in."}}))
}

func (h *hosted) token(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tokens := map[string]any{"token_type": "Bearer", "expires_in": 31}
	switch r.FormValue("grant_type") {
	case "authorization_code":
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		challenge, known := h.challenges[r.FormValue("code")]
		if !known || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge || r.FormValue("redirect_uri") != h.site {
			answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return
		}
		delete(h.challenges, r.FormValue("code"))
		h.refresh = "refresh-" + r.FormValue("code")
		tokens["refresh_token"] = h.refresh
	case "refresh_token":
		if h.refresh == "" || r.FormValue("refresh_token") != h.refresh {
			answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return
		}
		h.renewed++
	}
	if r.FormValue("client_id") != "app" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded;charset=UTF-8" {
		h.t.Errorf("token was asked for by %q with %q", r.FormValue("client_id"), r.Header.Get("Content-Type"))
	}
	claims, err := json.Marshal(map[string]any{"username": "alice", "exp": time.Now().Add(31 * time.Second).Unix()})
	if err != nil {
		h.t.Error(err)
	}
	tokens["access_token"] = "e30." + base64.RawURLEncoding.EncodeToString(claims) + ".e30"
	answer(w, http.StatusOK, tokens)
}

func TestSigningInOnTheHostedPage(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	f, pool := newFake(t), newHosted(t)
	f.with(func() { f.rooms["general"].members = append(f.rooms["general"].members, "alice") })
	page, err := web.Handler(web.Config{
		Mode: web.ModeCognito, WebSocketURL: "/local", APIURL: "/api", TokenURL: pool.URL, SignInURL: pool.URL, ClientID: "app",
	})
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/local" {
			f.Config.Handler.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	}))
	t.Cleanup(site.Close)
	pool.site = site.URL + "/"
	connected := `document.querySelector("[data-testid=connection-state]")?.textContent === "Connected"`
	problem := `document.getElementById("signin-error")?.textContent`

	p := openPage(t, pool.site+"#/room/general")
	p.until(`document.activeElement?.dataset.testid === "signin-submit"`)
	if eval[bool](p, `[...document.querySelectorAll("#signin input")].some((e) => e.offsetParent)`) {
		t.Error("the page asks for a name or a password")
	}
	p.screenshot("hosted")

	// A user who goes back is on the page as it was left, and tries again. (The browser of these
	// tests would load it again.)
	pool.stay(true)
	p.click("signin-submit")
	p.until(`document.querySelector("[data-testid=signin-submit]").disabled`)
	p.do(`window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`)
	p.until(`!document.querySelector("[data-testid=signin-submit]").disabled && ` + problem + ` === ""`)
	pool.stay(false)
	p.click("signin-submit")
	p.until(`document.title === "Pool"`)
	p.run(click("#no"))
	p.until(problem + ` === "Alice may not sign in."`)
	p.click("signin-submit")
	p.until(`document.title === "Pool"`)
	p.run(click("#yes"))
	p.until(connected)
	p.until(`document.getElementById("account-name").textContent === "alice"`)
	// The code is gone from the address, and the room is open that was asked for.
	p.until(`location.search === "" && location.hash === "#/room/general"`)
	if storage := eval[string](p, `JSON.stringify({...sessionStorage, ...localStorage})`); strings.Contains(storage, "e30.") || strings.Contains(storage, "verifier") {
		t.Errorf("storage is %s: want no token but the refresh token, and no verifier", storage)
	}

	// The tab stays signed in, by the refresh token.
	p.run(chromedp.Reload())
	p.until(connected)
	pool.mu.Lock()
	if pool.renewed == 0 {
		t.Error("the tab did not renew its token")
	}
	pool.mu.Unlock()

	// Signing out ends the session at the pool, too.
	p.click("signout")
	p.until(`document.activeElement?.dataset.testid === "signin-submit"`)
	poll(t, func() bool {
		pool.mu.Lock()
		defer pool.mu.Unlock()
		return pool.signedOut && len(pool.revoked) == 1 && pool.revoked[0] == "refresh-code-2 of app"
	})
	if storage := eval[string](p, `JSON.stringify({...sessionStorage})`); storage != "{}" {
		t.Errorf("after signing out storage is %s", storage)
	}

	// A code that was not asked for here is someone else's attack.
	p.run(chromedp.Navigate(pool.site + "?code=code-9&state=forged"))
	p.until(problem + ` === "That sign-in was not begun here. Sign in again."`)
	p.until(`location.search === ""`)

	// And who signed out elsewhere is asked again.
	p.click("signin-submit")
	p.until(`document.title === "Pool"`)
	p.run(click("#yes"))
	p.until(connected)
	pool.mu.Lock()
	pool.refresh = ""
	pool.mu.Unlock()
	p.run(chromedp.Reload())
	p.until(problem + ` === "You have been signed out. Sign in again."`)
}
