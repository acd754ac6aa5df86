package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// named gives a user of the local server a display name.
func named(t *testing.T, url, user, name string) {
	t.Helper()
	call := func(method, path, token, body string) (answer struct{ Token string }) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: status %d, %v", method, path, response.StatusCode, err)
		}
		return answer
	}
	token := call(http.MethodPost, "/token", "", fmt.Sprintf(`{"user":%q}`, user)).Token
	call(http.MethodPut, "/api/me", token, fmt.Sprintf(`{"displayName":%q}`, name))
}

const (
	people    = `[...document.querySelectorAll("[data-testid=people]:not([hidden]) [role=option]")].map((o) => [...o.children].map((c) => c.textContent).join(" ") + (o.ariaSelected === "true" ? "*" : "")).join()`
	written   = `document.querySelector("[data-testid=composer-input]").value`
	mentioned = `[...document.querySelectorAll("[data-testid=mention]")].map((m) => m.textContent + (m.matches(".me") ? "*" : "")).join()`
	marked    = `(document.querySelector("[data-testid=mentions]:not([hidden])")?.textContent ?? "")`
)

// Someone is mentioned by keyboard, while they are away, and finds out by the list of
// rooms; an edit takes the mention back.
func TestMentions(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	url := attachmentServer(t)
	named(t, url, "bob", "Bob Builder")
	alice, bob := inRoom(t, url, "alice"), inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	carol := inRoom(t, url, "barbara")
	alice.until(`document.getElementById("room-members").textContent.includes("3")`)
	bob.do(`location.hash = "#/"`)
	bob.until(`document.getElementById("composer").hidden`)
	bob.offline(true)
	bob.until(`!navigator.onLine`)

	// By keyboard: the beginning of a name, arrows, Escape, and Enter.
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.typed("Tea, @b")
	alice.until(people + ` === "barbara*,Bob Builder bob"`)
	alice.arrow("ArrowDown", 0)
	alice.until(people + ` === "barbara,Bob Builder bob*"`)
	alice.until(`document.getElementById(document.getElementById("composer-input").getAttribute("aria-activedescendant")).textContent === "Bob Builderbob"`)
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 900, 600, "light"}, {"dark", 390, 780, "dark"}, {"narrow", 320, 560, "light"}} {
		alice.look(look.width, look.height, look.scheme)
		if wide := eval[int](alice, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: the page is %d px too wide", look.name, wide)
		}
		alice.screenshot("mention-" + look.name)
	}
	alice.do(`document.documentElement.dir = "rtl"`)
	alice.screenshot("mention-rtl")
	alice.do(`document.documentElement.dir = ""`)
	alice.escape()
	alice.until(people + ` === ""`)
	alice.typed("u")
	alice.until(people + ` === ""`)
	alice.key("Backspace", "Backspace", 8, 0)
	alice.key("Backspace", "Backspace", 8, 0)
	alice.key("Backspace", "Backspace", 8, 0)
	alice.typed("@bui")
	alice.until(people + ` === "Bob Builder bob*"`)
	alice.enter(0)
	alice.until(written + ` === "Tea, @Bob Builder "`)
	alice.typed("and @BARBARA?\n") // nothing is chosen where the name has ended
	alice.shows("Tea, @Bob Builder and @BARBARA?")
	alice.until(mentioned + ` === "@Bob Builder,@BARBARA"`)
	carol.until(mentioned + ` === "@Bob Builder,@BARBARA*"`)
	alice.send("no one is mentioned by bob@example.com")

	bob.offline(false)
	bob.until(marked + ` === "@1"`)
	bob.until(`document.querySelector("[data-testid=unread]").textContent === "2" && document.title.includes("2")`)
	bob.until(`document.querySelector("[data-testid=room-item]").textContent.includes("1 mention of you")`)
	bob.look(900, 600, "light")
	bob.screenshot("mentioned-list")
	bob.openRoom("general")
	bob.until(mentioned + ` === "@Bob Builder*,@BARBARA"`)
	bob.until(marked + ` === ""`)
	bob.screenshot("mentioned-room")
	bob.look(390, 780, "dark")
	bob.screenshot("mentioned-dark")

	// An edit says whom the message mentions.
	bob.do(`location.hash = "#/"`)
	alice.typed("@bui")
	alice.key("Tab", "Tab", 9, 0)
	alice.typed("now\n")
	bob.until(marked + ` === "@1"`)
	alice.typed("@b") // at the place of the one before
	alice.until(people + ` === "barbara*,Bob Builder bob"`)
	alice.key("Backspace", "Backspace", 8, 0)
	alice.key("Backspace", "Backspace", 8, 0)
	alice.arrow("ArrowUp", 0)
	alice.until(written + ` === "@Bob Builder now"`)
	alice.do(`document.getElementById("composer-input").select()`)
	alice.typed("later\n")
	bob.until(marked + ` === "" && document.querySelector("[data-testid=unread]").textContent === "1"`)
}
