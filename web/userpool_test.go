package web_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/web"
)

// userPool answers as a Cognito user pool does that has alice, whose password is
// "right", under the client id "app". Its tokens end so soon that each is used
// once.
func userPool(t *testing.T, renewed *atomic.Int32) *httptest.Server {
	t.Helper()
	tokens := func() map[string]any {
		claims, err := json.Marshal(map[string]any{"username": "alice", "exp": time.Now().Add(31 * time.Second).Unix()})
		if err != nil {
			t.Error(err)
		}
		return map[string]any{"AccessToken": "e30." + base64.RawURLEncoding.EncodeToString(claims) + ".e30"}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", "content-type,x-amz-target")
		if r.Method == http.MethodOptions {
			return
		}
		var in struct {
			AuthFlow, ClientID string
			AuthParameters     map[string]string
		}
		err := json.NewDecoder(r.Body).Decode(&in)
		if err != nil || in.ClientID != "app" || r.Header.Get("X-Amz-Target") != "AWSCognitoIdentityProviderService.InitiateAuth" {
			t.Errorf("the pool was asked %+v (%v)", in, err)
		}
		parameters := in.AuthParameters
		switch {
		case in.AuthFlow == "USER_PASSWORD_AUTH" && strings.EqualFold(parameters["USERNAME"], "alice") && parameters["PASSWORD"] == "right":
			result := tokens()
			result["RefreshToken"] = "again"
			answer(w, http.StatusOK, map[string]any{"AuthenticationResult": result})
		case in.AuthFlow == "USER_PASSWORD_AUTH" && parameters["USERNAME"] == "newcomer":
			answer(w, http.StatusOK, map[string]any{"ChallengeName": "NEW_PASSWORD_REQUIRED"})
		case in.AuthFlow == "REFRESH_TOKEN_AUTH" && parameters["REFRESH_TOKEN"] == "again":
			renewed.Add(1)
			answer(w, http.StatusOK, map[string]any{"AuthenticationResult": tokens()})
		default:
			answer(w, http.StatusBadRequest, map[string]string{"__type": "NotAuthorizedException", "message": "Incorrect username or password."})
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestSigningInAtAUserPool(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	var renewed atomic.Int32
	f, pool := newFake(t), userPool(t, &renewed)
	f.mu.Lock()
	f.rooms["general"].members = append(f.rooms["general"].members, "alice")
	f.mu.Unlock()
	page, err := web.Handler(web.Config{
		Mode: web.ModeCognito, WebSocketURL: "/local", APIURL: "/api", TokenURL: pool.URL, ClientID: "app",
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

	p := openPage(t, site.URL+"/")
	p.until(`document.activeElement?.dataset.testid === "signin-name"`)
	p.typed("Alice\n")
	p.until(`document.getElementById("signin-error").textContent === "Type your password."`)
	signIn := func(name, password string) {
		t.Helper()
		p.do(`document.getElementById("signin-name").value = ` + quoted(name) + `; document.getElementById("signin-password").value = ` + quoted(password))
		p.click("signin-submit")
	}
	signIn("Alice", "wrong")
	p.until(`document.getElementById("signin-error").textContent === "Incorrect username or password."`)
	signIn("newcomer", "first")
	p.until(`document.getElementById("signin-error").textContent.includes("needs a new password")`)
	p.screenshot("userpool")
	signIn("Alice", "right")
	connected := `document.querySelector("[data-testid=connection-state]")?.textContent === "Connected"`
	p.until(connected)
	p.until(`document.getElementById("account-name").textContent === "alice"`) // as the pool spells it
	p.until(`document.getElementById("signin-password").value === ""`)

	// The tab stays signed in, by the refresh token.
	p.run(chromedp.Reload())
	p.until(connected)
	if renewed.Load() == 0 {
		t.Error("the tab did not renew its token")
	}

	// And is asked again once that has ended.
	p.do(`sessionStorage.setItem("streamroom.refresh", "ended")`)
	p.run(chromedp.Reload())
	p.until(`document.getElementById("signin-error")?.textContent === "You have been signed out. Sign in again."`)
	p.until(`sessionStorage.getItem("streamroom.refresh") === null`)
}

func quoted(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(data)
}
