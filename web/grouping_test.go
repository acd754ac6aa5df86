package web_test

import (
	"fmt"
	"testing"
	"time"
)

// groups tells what is seen with each message: the day above it, who wrote it and when.
const groups = `[...document.querySelectorAll("[data-testid=message]")].map((m) => {
	const seen = (e) => (e.getBoundingClientRect().width > 1 && !e.hidden ? e.textContent : "");
	return [".day", ".bubble > :first-child", "time", ".text"].map((part) => seen(m.querySelector(part))).join("|");
}).join()`

// Messages that one sender wrote together have one name and one time, until another sender,
// a pause or a day comes in between. Screen readers are told both with each message.
func TestGroupsOfMessages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	start := time.Date(2026, 3, 28, 9, 0, 0, 0, time.UTC)
	for i, m := range []struct {
		user  string
		after time.Duration
	}{
		{"bob", 0},
		{"bob", 5 * time.Minute},
		{"carol", 6 * time.Minute},
		{"alice", 7 * time.Minute},
		{"alice", 8 * time.Minute},
		{"bob", 9 * time.Minute},
		{"bob", 15 * time.Minute},
		{"bob", 15 * time.Hour},
		{"bob", 15*time.Hour + time.Second},
	} {
		f.fill("general", 1, start.Add(m.after), func(int) (string, string) { return m.user, fmt.Sprint(i) })
	}
	f.with(func() { f.readAll("general", "alice") })
	alice := signedIn(t, f.URL, "alice")
	alice.zone("UTC")
	alice.until(groups + ` === "Saturday, March 28, 2026|bob|09:00 AM|0,|||1,|carol|09:06 AM|2,||09:07 AM|3,|||4,` +
		`|bob|09:09 AM|5,|bob|09:15 AM|6,Sunday, March 29, 2026|bob|12:00 AM|7,|||8"`)
	alice.until(`[...document.querySelectorAll("[data-testid=message]")].every((m) => m.querySelector("time").textContent && m.querySelector(".bubble > :first-child").textContent)`)
	alice.until(`[...document.querySelectorAll(".said")].at(-1).title.includes("March 29, 2026 at 12:00:01")`)
	for _, scheme := range []string{"light", "dark"} {
		alice.look(1000, 640, scheme)
		alice.screenshot("groups-" + scheme)
	}
	alice.look(320, 640, "light")
	alice.screenshot("groups-narrow")
	// An edit of one within a group says so there.
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.arrow("ArrowUp", 0)
	alice.until(written + ` === "4"`)
	alice.do(`document.getElementById("composer-input").select()`)
	alice.typed("four\n")
	alice.until(`[...document.querySelectorAll("[data-testid=message]")][4].querySelector(".meta").innerText.startsWith("edited")`)
}
