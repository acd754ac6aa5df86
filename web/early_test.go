package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Up edits one's last message. While that is on its way, the one before it is not meant.
func TestTheArrowWaitsForTheLastMessage(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.send("first")
	alice.shows("first")
	f.with(func() { f.mute = true })
	alice.send("second")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 2`)
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("announcer").textContent.includes("isn’t sent yet")`)
	if !eval[bool](alice, `document.getElementById("composer-editing").hidden`) {
		t.Error("an older message is edited in place of the one on its way")
	}
	f.with(func() { f.mute = false })
	f.dropAll() // it is sent again on the next connection
	alice.until(`document.querySelectorAll("[data-mark=sent], [data-mark=read]").length === 2`)
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("composer-input").value === "second"`)
}

// At the top, while older messages can't be read, the server is left alone for a while;
// who presses the button has it asked at once.
func TestOlderMessagesThatFailAreNotAskedForInARow(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 120, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint(i + 1) })
	f.with(func() { f.readAll("general", "alice") })
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 50`)
	asked := 0
	f.with(func() {
		f.fail = func(r *http.Request) bool {
			older := strings.Contains(r.URL.RawQuery, "before=")
			if older {
				asked++
			}
			return older
		}
	})
	began := time.Now()
	alice.toTop()
	alice.until(`document.getElementById("announcer").textContent !== ""`)
	for n := range 10 { // each is drawn, and the top is still near
		f.say("general", "bob", fmt.Sprint("new ", n))
		alice.until(fmt.Sprintf(`[...document.querySelectorAll(".room-item, [data-room-id=general]")].some((r) => r.textContent.includes("new %d"))`, n))
		alice.do(`document.getElementById("scroller").dispatchEvent(new Event("scroll"))`)
	}
	// One at once, and one each pause of at least a second.
	most := 2 + int(time.Since(began)/time.Second)
	f.with(func() {
		if asked < 1 || asked > most {
			t.Errorf("older messages were asked for %d times, want 1 to %d", asked, most)
		}
		f.fail = nil
	})
	alice.do(`document.getElementById("older").click()`)
	alice.until(`document.querySelectorAll("[data-testid=message]").length >= 100`)
}

// A room that was opened while there was no network is as any other one after it.
func TestARoomThatWasOpenedOffline(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("general", 1, time.Now(), func(int) (string, string) { return "bob", "hello" }) // opens by itself
	f.fill("team", 2, time.Now().Add(-time.Minute), func(i int) (string, string) { return "bob", fmt.Sprint("team ", i) })
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelector("[data-room-id=team]") !== null`)
	alice.shows("hello")
	alice.offline(true)
	alice.do(`location.hash = "#/room/team"`)
	alice.until(`!document.getElementById("room-note").hidden`)
	alice.offline(false)
	alice.shows("team 0", "team 1")
	alice.until(`!document.getElementById("composer").hidden && document.getElementById("room-note").hidden`)
	alice.send("here again")
	alice.shows("team 0", "team 1", "here again")
}

// A name that is written from the right stands beside its picture, as others do.
func TestANameFromTheRight(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.names["bob"] = "أميرة" })
	f.fill("general", 1, time.Now(), func(int) (string, string) { return "bob", strings.Repeat("a long message ", 30) })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	const name = `document.querySelector("[data-testid=message] .sender")`
	alice.until(name + `?.textContent === "أميرة"`)
	left := eval[float64](alice, `(() => {
		const text = document.createRange();
		text.selectNodeContents(`+name+`);
		return text.getBoundingClientRect().left - document.querySelector("[data-testid=message] .text").getBoundingClientRect().left;
	})()`)
	if left > 40 {
		t.Errorf("the name stands %v px from where the text begins", left)
	}
	// Nor does a page from the right turn around what is written from the left: a time, and a number.
	alice.do(`document.documentElement.dir = "rtl"`)
	for _, what := range []string{"[data-testid=message] time", "#room-members span"} {
		if eval[string](alice, `getComputedStyle(document.querySelector("`+what+`")).direction`) != "ltr" {
			t.Errorf("%s is turned around", what)
		}
	}
}
