package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// notifying has the page take these for the browser's notifications, of which a headless one
// has none, and says itself whether it is hidden.
const notifying = `globalThis.made = []; globalThis.asked = 0; globalThis.granted = "granted"; globalThis.away = false;
	Object.defineProperty(document, "hidden", {configurable: true, get: () => globalThis.away});
	globalThis.Notification = class {
		static permission = "default";
		static async requestPermission() { globalThis.asked++; return this.permission = globalThis.granted; }
		constructor(title, options) { Object.assign(this, {title, ...options}); globalThis.made.push(this); }
		close() { this.closed = true; }
	};undefined`

// notified tells the notifications that are shown.
const notified = `globalThis.made.filter((n) => !n.closed && n.tag).map((n) => (n.title + ": " + n.body).replace(/[\u2068\u2069]/g, "")).join("|")`

func (p *page) away(away string) {
	p.t.Helper()
	p.do(`globalThis.away = ` + away + `; document.dispatchEvent(new Event("visibilitychange"))`)
}

// Notifications are asked for when they are switched on, come while the page is hidden, of
// what was chosen, and go when it is read elsewhere.
func TestNotifications(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.names["bob"] = "Bob B."
		f.rooms["dm"] = &fakeRoom{kind: "dm", members: []string{"alice", "bob"}}
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}}
	})
	f.fill("dm", 1, time.Now().Add(-time.Hour), func(int) (string, string) { return "bob", "hi" })
	f.fill("team", 1, time.Now().Add(-time.Hour), func(int) (string, string) { return "bob", "hello" })
	f.say("general", "bob", "the room that is opened by itself")
	alice := openPage(t, f.URL+"/")
	alice.do(notifying)
	alice.signIn("alice")
	alice.openRoom("general")
	alice.away("true")
	f.say("dm", "bob", "before it is switched on")
	alice.unread("dm", "2")
	alice.away("false")

	// What the browser doesn't allow can't be switched on.
	alice.do(`globalThis.granted = "denied"`)
	alice.click("account")
	alice.click("notify-on")
	alice.until(`document.querySelector("[data-testid=notify-hint]").textContent.startsWith("The browser doesn’t allow them")`)
	alice.until(`!document.querySelector("[data-testid=notify-on]").checked && globalThis.made.length === 0 && globalThis.asked === 1`)
	alice.do(`globalThis.granted = "granted"`)
	alice.click("notify-on")
	alice.until(`globalThis.made.length === 1 && document.querySelector("[data-testid=notify-on]").checked`)
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 1000, 700, "light"}, {"narrow", 320, 640, "dark"}} {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("notify-" + look.name)
	}
	alice.look(1200, 800, "light")
	alice.click("profile-save")
	alice.until(`document.querySelector("dialog[open]") === null`)

	// Of all but what was chosen for a room, here or on another device.
	f.say("dm", "bob", "while she looks")
	alice.unread("dm", "3")
	alice.openRoom("team")
	alice.click("members")
	alice.until(`document.getElementById("notify-level").value === "all"`)
	alice.do(`document.getElementById("notify-level").focus()`)
	alice.typed("m")
	alice.until(`document.getElementById("notify-level").value === "mentions"`)
	poll(t, func() (chosen bool) {
		f.with(func() { chosen = f.rooms["team"].notify["alice"].Notify == "mentions" })
		return chosen
	})
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"room-light", 1000, 700, "light"}, {"room-phone", 390, 780, "dark"}, {"room-narrow", 320, 640, "light"}} {
		alice.look(look.width, look.height, look.scheme)
		alice.do(`document.getElementById("notify-level").scrollIntoView({block: "center"})`)
		alice.screenshot("notify-" + look.name)
		if wide := eval[int](alice, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: the page is %d px too wide", look.name, wide)
		}
	}
	alice.look(1200, 800, "light")
	// What is refused is said, and not so.
	f.with(func() { f.fail = func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/notify") } })
	alice.arrow("ArrowDown", 0)
	alice.until(`document.getElementById("notify-level").value === "mentions" && document.getElementById("notify-problem").textContent !== ""`)
	f.with(func() { f.fail = nil })
	alice.escape()
	alice.openRoom("general")
	alice.away("true")
	f.say("team", "bob", "not for her")
	f.say("dm", "bob", "Lunch?")
	alice.until(notified + ` === "Bob B.: Lunch?"`)
	alice.away("false")
	alice.openRoom("team")
	alice.click("members")
	f.with(func() { f.chooses("team", "alice", "all") })
	alice.until(`document.getElementById("notify-level").value === "all" && document.getElementById("notify-problem").textContent === ""`)
	alice.escape()
	alice.openRoom("general")
	alice.away("true")
	f.say("team", "bob", "for everyone")
	alice.until(notified + ` === "Bob B.: Lunch?|Bob B. in Team: for everyone"`)

	// What was read on another device goes; a press leads to the room.
	f.with(func() { f.readAll("dm", "alice") })
	alice.until(notified + ` === "Bob B. in Team: for everyone"`)
	alice.do(`globalThis.made.at(-1).onclick()`)
	alice.until(`document.getElementById("room-name").textContent === "Team" && ` + notified + ` === ""`)

	// Nothing of what is written, where that was chosen.
	alice.away("false")
	alice.click("account")
	alice.until(`document.querySelector("[data-testid=notify-on]").checked`)
	alice.click("notify-text")
	alice.click("profile-save")
	alice.until(`document.querySelector("dialog[open]") === null`)
	alice.openRoom("general")
	alice.away("true")
	f.say("dm", "bob", "secret")
	alice.until(notified + ` === "Bob B.: 1 new message"`)

	// They are asked for by no one else, and are off for the user who signs in next.
	alice.away("false")
	alice.click("signout")
	alice.until(`document.activeElement?.dataset.testid === "signin-name" && ` + notified + ` === ""`)
	if asked := eval[int](alice, `globalThis.asked`); asked != 2 {
		t.Errorf("the browser asked %d times", asked)
	}
	if left := eval[int](alice, `Object.keys(localStorage).filter((key) => key.startsWith("streamroom notify ")).length`); left != 0 {
		t.Error("what was chosen is kept after signing out")
	}
}

// Of several tabs one tells, and none while one is seen.
func TestOneTabNotifies(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["dm"] = &fakeRoom{kind: "dm", members: []string{"alice", "bob"}} })
	f.fill("dm", 1, time.Now().Add(-time.Hour), func(int) (string, string) { return "bob", "hi" })
	f.say("general", "bob", "the room that is opened by itself")
	first := signedIn(t, f.URL, "alice")
	second := first.beside(f.URL, "alice")
	tabs := []*page{first, second}
	for _, tab := range tabs {
		tab.openRoom("general")
		tab.do(notifying + `; Notification.permission = "granted"`)
	}
	first.do(`localStorage.setItem("streamroom notify alice", JSON.stringify({on: true}))`)
	told := func() int {
		n := 0
		for _, tab := range tabs {
			n += eval[int](tab, `globalThis.made.length`)
		}
		return n
	}
	say := func(unread string) {
		f.say("dm", "bob", unread)
		for _, tab := range tabs {
			tab.unread("dm", unread)
		}
	}
	first.away("true")
	second.away("false")
	say("2")
	second.away("true")
	say("3")
	poll(t, func() bool { return told() > 0 })
	say("4")
	poll(t, func() bool { return told() > 1 })
	if n := told(); n != 2 {
		t.Errorf("%d notifications of 2 messages while both tabs were hidden, and 1 while one was seen", n)
	}
	// The next one tells once that tab is closed.
	before := eval[int](second, `globalThis.made.length`)
	first.run(chromedp.Navigate("about:blank"))
	f.say("dm", "bob", "5")
	second.until(fmt.Sprintf(`globalThis.made.length === %d`, before+1))
}

// The tab's icon has the number of unread messages, and none when there are none.
func TestTheIconCounts(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("team", 1, time.Now().Add(-time.Hour), func(int) (string, string) { return "bob", "1" })
	f.say("general", "bob", "the room that is opened by itself")
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	const icon = `document.querySelector("link[rel=icon]").href`
	const number = `(/>(\d+)<\/text>/.exec(decodeURIComponent(` + icon + `))?.[1] ?? "")`
	alice.until(number + ` === "1" && document.title === "(1) Streamroom"`)
	f.fill("team", 11, time.Now(), func(int) (string, string) { return "bob", "more" })
	f.say("team", "bob", "and one")
	alice.openRoom("team")
	alice.until(icon + `.endsWith("app/icon.svg") && document.title === "Streamroom"`)
	// It can be drawn.
	alice.openRoom("general")
	f.say("team", "bob", "again")
	alice.until(number + ` === "1"`)
	alice.do(`globalThis.drawn = 0; const image = new Image(); image.onload = () => { globalThis.drawn = image.naturalWidth; }; image.src = ` + icon)
	alice.until(`globalThis.drawn > 0`)
	alice.do(`[16, 32, 128].forEach((size, i) => {
		const drawn = new Image(size, size);
		drawn.src = ` + icon + `;
		Object.assign(drawn.style, {position: "fixed", top: "8px", left: 8 + 150 * i + "px", zIndex: 9});
		document.body.append(drawn);
	})`)
	alice.look(480, 320, "light")
	alice.screenshot("tab-icon")
}
