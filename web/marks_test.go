package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// divided tells the text of the message above which new ones begin; empty for none.
const divided = `(document.querySelector("[data-testid=divider]:not([hidden])")?.closest("[data-testid=message]").querySelector(".text").textContent ?? "")`

// A message that was read is marked as unread: its room counts it over a reload and in
// other tabs, until the reader comes back to it.
func TestMarkAsUnread(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("team", 1, time.Now().Add(-time.Hour), func(int) (string, string) { return "bob", "team" })
	f.fill("general", 4, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint(i + 1) })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.send("mine")
	alice.shows("1", "2", "3", "4", "mine")
	alice.unread("general", "")
	alice.openRoom("team")
	alice.unread("team", "")
	alice.openRoom("general")
	alice.until(divided + ` === ""`)
	alice.opened()

	// By keyboard; one's own can't be unread.
	const at = `[...document.querySelectorAll("[data-testid=message]")].find((m) => m.querySelector(".text").textContent === `
	alice.do(at + `"mine").focus()`)
	alice.key("u", "KeyU", 85, 0)
	alice.do(at + `"3").focus()`)
	alice.key("u", "KeyU", 85, 0)
	alice.until(divided + ` === "3"`)
	alice.unread("general", "2")
	alice.until(`document.title === "(2) Streamroom"`)
	alice.until(`document.getElementById("announcer").textContent.includes("Marked as unread, in this browser")`)
	for _, scheme := range []string{"light", "dark"} {
		alice.look(900, 600, scheme)
		alice.screenshot("unread-" + scheme)
	}
	alice.look(320, 640, "light")
	alice.do(at + `"2").dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
	alice.screenshot("unread-narrow")
	alice.look(1200, 800, "light")

	// It stays so while its room is open, and over a reload of another room.
	f.say("general", "bob", "5")
	alice.unread("general", "3")
	alice.openRoom("team")
	alice.run(chromedp.Reload())
	alice.until(`document.getElementById("room-name").textContent === "Team"`)
	alice.unread("general", "3")

	// A user who comes back is led there, and has read it.
	alice.openRoom("general")
	alice.until(divided + ` === "3"`)
	alice.unread("general", "")
	alice.until(`document.title === "Streamroom"`)

	// So has a user who answers, and one who reads what came since on another device.
	alice.do(at + `"2").dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
	alice.click("mark-unread")
	alice.unread("general", "4")
	alice.send("an answer")
	alice.unread("general", "")
	alice.do(at + `"5").focus()`)
	alice.key("u", "KeyU", 85, 0)
	alice.unread("general", "1")
	f.say("general", "bob", "6")
	alice.unread("general", "2")
	f.with(func() { f.readAll("general", "alice") })
	alice.unread("general", "")
}
