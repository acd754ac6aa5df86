package web_test

import (
	"fmt"
	"testing"
	"time"
)

const (
	searchSays = `document.querySelector("[data-testid=search-count]").textContent`
	// highlit tells what stands out as found, and what of it is where the reader is.
	highlit  = `["search", "search-here"].map((name) => [...(CSS.highlights.get(name) ?? [])].map((range) => range.toString()).join("|")).join("; ")`
	currents = `[...document.querySelectorAll(".message.current .text")].map((t) => t.textContent).join()`
	earlier  = `document.querySelector("[data-testid=search-earlier]")`
	heard    = `document.getElementById("announcer").lastElementChild?.textContent.replace(/[\u2068\u2069]/g, "")`
)

// Someone finds messages by keyboard, in what is loaded and in what is older; what is found
// is marked, counted and said.
func TestSearchInARoom(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.names["bob"] = "Bob B."
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}}
	})
	f.fill("team", 1, time.Now().Add(-72*time.Hour), func(int) (string, string) { return "bob", "nothing here" })
	f.fill("general", 300, time.Now().Add(-48*time.Hour), func(i int) (string, string) {
		if i == 20 {
			return "bob", "The oldest needle of all"
		}
		return "bob", fmt.Sprint("hay ", i)
	})
	f.fill("general", 8, time.Now(), func(i int) (string, string) {
		return "bob", []string{
			"A Needle in the hay", "needless `needle` code", "hay", "a\nneedle\non lines of its own", "hay", "n-e-e-d-l-e",
			"https://example.com/NEEDLE", "the end",
		}[i]
	})
	f.with(func() { f.readAll("general", "alice"); f.readAll("team", "alice") })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 50`)
	alice.key("F", "KeyF", 70, alt|shift)
	alice.until(`document.activeElement.id === "search-input"`)
	alice.typed("needle")
	alice.until(searchSays + `.startsWith("1 of 4, back to ")`)
	alice.until(currents + ` === "https://example.com/NEEDLE"`)
	alice.until(highlit + ` === "Needle|needle|needle|needle; NEEDLE"`)
	alice.until(heard + ` === "1 of 4: Bob B.: https://example.com/NEEDLE"`)

	// Older ones, and newer ones again; the box keeps the focus.
	alice.enter(0)
	alice.until(searchSays + `.startsWith("2 of 4") && ` + currents + ` === "a\nneedle\non lines of its own"`)
	alice.arrow("ArrowUp", 0)
	alice.until(searchSays + `.startsWith("3 of 4") && ` + highlit + ` === "Needle|needle|NEEDLE; needle|needle"`)
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 1000, 700, "light"}, {"dark", 1000, 700, "dark"}, {"narrow", 320, 560, "light"}, {"phone-dark", 390, 700, "dark"}} {
		alice.look(look.width, look.height, look.scheme)
		if wide := eval[int](alice, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: the page is %d px too wide", look.name, wide)
		}
		alice.screenshot("search-" + look.name)
	}
	alice.do(`document.documentElement.dir = "rtl"`)
	alice.screenshot("search-rtl")
	alice.do(`document.documentElement.dir = ""`)
	alice.look(1200, 800, "light")
	alice.enter(shift)
	alice.until(searchSays + `.startsWith("2 of 4")`)
	alice.arrow("ArrowDown", 0)
	alice.arrow("ArrowDown", 0)
	alice.until(heard + ` === "No newer match" && document.activeElement.id === "search-input"`)

	// Behind the oldest one it goes on in what isn't loaded, to the beginning of the room.
	for range 3 {
		alice.enter(0)
	}
	alice.until(currents + ` === "A Needle in the hay"`)
	alice.enter(0)
	alice.until(currents + ` === "The oldest needle of all" && ` + searchSays + `.startsWith("5 of 5")`)
	alice.until(heard + ` === "5 of 5: Bob B.: The oldest needle of all"`)
	f.say("general", "bob", "one more needle")
	alice.until(searchSays + `.startsWith("6 of 6")`)
	if eval[bool](alice, `!`+earlier+`.hidden`) {
		alice.do(earlier + `.click()`)
	}
	alice.until(earlier + `.hidden && ` + searchSays + ` === "6 of 6. "`)

	// Escape leads to the message that was found, from where it can be answered.
	alice.escape()
	alice.until(`document.activeElement.querySelector(".text")?.textContent === "The oldest needle of all"`)
	alice.until(highlit + ` === "; " && ` + currents + ` === "" && document.getElementById("search").hidden`)

	// Another room is searched by itself, and nothing is found.
	alice.openRoom("team")
	alice.click("search-open")
	alice.typed("needle")
	alice.until(searchSays + ` === "No matches. "`)
	alice.until(heard + ` === "No matches"`)
	alice.screenshot("search-nothing")
	alice.openRoom("general")
	alice.until(`document.getElementById("search").hidden`)
}

// What can't be read while it is searched is said, and can be searched again.
func TestASearchThatFailsGoesOn(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 120, time.Now(), func(i int) (string, string) {
		return "bob", []string{"needle", "hay"}[min(i, 1)]
	})
	f.with(func() { f.readAll("general", "alice") })
	alice := openPage(t, f.URL+"/")
	alice.do(`const real = fetch; globalThis.fetch = (url, init) =>
		globalThis.broken && String(url).includes("before=") ? Promise.reject(new TypeError("no network")) : real(url, init)`)
	alice.signIn("alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 50`)
	alice.click("search-open")
	alice.typed("needle")
	alice.until(searchSays + `.startsWith("No matches, back to ")`)
	alice.do(`globalThis.broken = true`)
	alice.click("search-earlier")
	alice.until(`!document.getElementById("toast").hidden && ` + searchSays + `.startsWith("No matches, back to ")`)
	alice.do(`globalThis.broken = false`)
	alice.click("search-earlier")
	alice.until(searchSays + ` === "1 of 1. " && ` + currents + ` === "needle"`)
	alice.until(`document.activeElement.id === "search-input"`)
}
