package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// holding makes requests whose URL has a text wait until the returned function is
// called.
func (f *fake) holding(text string) (release func()) {
	free := make(chan struct{})
	f.with(func() {
		f.hold = func(r *http.Request) {
			if strings.Contains(r.URL.String(), text) {
				<-free
			}
		}
	})
	return func() { close(free) }
}

// What the reader looks at stays there, whatever changes around it.
func TestTheViewStaysWhereItIs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 120, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint(i + 1) })
	f.with(func() { f.readAll("general", "alice") })
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 50`)

	// Older messages come after the reader has gone back to the newest ones.
	release := f.holding("before=")
	alice.toTop()
	alice.until(`document.getElementById("older").textContent === "Loading…"`)
	const scroller = `document.getElementById("scroller")`
	alice.do(scroller + `.scrollTop = ` + scroller + `.scrollHeight`)
	release()
	alice.until(`document.getElementById("older").textContent !== "Loading…"`)
	const atEnd = scroller + `.scrollHeight - ` + scroller + `.scrollTop - ` + scroller + `.clientHeight < 2`
	alice.until(atEnd)
	alice.until(`[...document.querySelectorAll("[data-testid=message] .text")].at(-1).textContent === "120"`)

	// A message grows by an edit: who reads the end still sees the end.
	bob.send("short")
	alice.until(`[...document.querySelectorAll("[data-testid=message] .text")].at(-1).textContent === "short"`)
	bob.until(`document.querySelector("[data-mark=sent], [data-mark=read]") !== null`)
	bob.arrow("ArrowUp", 0)
	bob.until(`document.getElementById("composer-input").value === "short"`)
	bob.do(`document.getElementById("composer-input").value = "long ".repeat(400); document.getElementById("composer-input").dispatchEvent(new Event("input"))`)
	bob.enter(0)
	alice.until(`[...document.querySelectorAll("[data-testid=message] .text")].at(-1).textContent.startsWith("long long")`)
	alice.until(atEnd)
}

// A room whose history comes late shows nothing in the room that was chosen after it.
func TestALateHistoryStaysInItsRoom(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("general", 2, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint("general ", i) })
	f.fill("team", 2, time.Now().Add(-time.Minute), func(i int) (string, string) { return "bob", fmt.Sprint("team ", i) })
	release := f.holding("general/messages")
	alice := signedIn(t, f.URL, "alice") // general is opened by itself, and waits
	alice.openRoom("team")
	alice.shows("team 0", "team 1")
	alice.openRoom("general")
	alice.openRoom("team")
	release()
	alice.unread("general", "2")
	alice.shows("team 0", "team 1")
	alice.until(`document.getElementById("room-name").textContent === "Team"`)
	alice.openRoom("general")
	alice.shows("general 0", "general 1")
}

// What was written offline is sent once, though the page is left the moment the
// network is back.
func TestAReloadAtReconnectionSendsOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	f.with(func() { f.down, f.mute = true, true })
	f.dropAll()
	alice.until(`document.querySelector("[data-testid=connection-state]").textContent !== "Connected"`)
	alice.send("once")
	alice.mark("once", "waiting", "Waiting")
	alice.do(`BeforeUnloadEvent.prototype.preventDefault = () => {}`)
	f.with(func() { f.down = false })
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	for deadline := time.Now().Add(patience); f.count("general", "once") == 0 && time.Now().Before(deadline); {
		alice.do(`new Promise((done) => setTimeout(done, 20))`)
	}
	alice.run(chromedp.Reload()) // before the ack
	f.with(func() { f.mute = false })
	alice.shows("once")
	if n := f.count("general", "once"); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

// Names that were changed or removed show as soon as the room's members are read
// again, on what was written before, too.
func TestChangedNamesShow(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.names["bob"], f.names["carol"] = "Bob", "Carol"
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "carol", "alice"}}
	})
	f.say("team", "bob", "hello")
	f.say("team", "carol", "hi")
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	senders := `[...document.querySelectorAll(".sender")].map((s) => s.textContent).join()`
	alice.until(senders + ` === "Bob,Carol"`)
	f.with(func() { f.names["bob"] = "Robert"; delete(f.names, "carol") })
	alice.click("members")
	alice.until(senders + ` === "Robert,carol"`)
	alice.room("team", "carol: hi")
}

// Who is in the room, and what they are called, shows as it is after the connection
// was lost, also in the list that is open, and if the first answer fails.
func TestMembersShowAsTheyAreAfterAReconnect(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.names["bob"] = "Bob"
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "carol", "alice"}}
	})
	alice := openPage(t, f.URL+"/")
	alice.do(`(() => {
		const { fetch } = window;
		window.fetch = (url, options) => {
			if (!globalThis.failing || !String(url).endsWith("/rooms/team")) return fetch(url, options);
			globalThis.failing--;
			return Promise.resolve(new Response("", { status: 503 }));
		};
	})()`)
	alice.signIn("alice")
	alice.openRoom("team")
	alice.click("members")
	members := `[...document.querySelectorAll("[data-testid=member]")].map((m) => m.innerText.replaceAll("\n", " ")).join()`
	alice.until(members + `.includes("carol")`)
	alice.do(`globalThis.failing = 1`)
	f.with(func() { f.down = true })
	f.dropAll()
	alice.until(`document.querySelector("[data-testid=connection-state]").dataset.state !== "online"`)
	f.with(func() {
		f.names["bob"], f.names["alice"] = "Robert", "Alice in Wonderland"
		f.rooms["team"].members = []string{"bob", "alice", "dave"}
		f.down = false
	})
	alice.until(`globalThis.failing === 0`)
	alice.until(`["Robert", "dave"].every((name) => ` + members + `.includes(name)) && !` + members + `.includes("carol")`)
	alice.until(`["Robert", "dave"].every((name) => document.getElementById("room-kind").textContent.includes(name))`)
	alice.until(`document.getElementById("account-name").textContent === "Alice in Wonderland"`)
}

// Who comes to a room whose members answer late finds the first new message all the
// same, and what is new below it stays unread.
func TestTheFirstNewMessageIsFoundLate(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("team", 60, time.Now().Add(-time.Minute), func(i int) (string, string) { return "bob", fmt.Sprint(i) })
	release := make(chan struct{})
	f.with(func() {
		f.hold = func(r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Path == "/api/rooms/team" {
				<-release
			}
		}
	})
	alice := signedIn(t, f.URL, "alice") // team is opened by itself
	alice.until(`document.querySelectorAll("[data-testid=message]").length >= 50`)
	f.say("team", "bob", "meantime") // which draws the room again
	alice.until(`document.querySelector("[data-testid=message]:last-child .text").textContent === "meantime"`)
	close(release)
	alice.until(`document.querySelector("[data-testid=divider]:not([hidden])")?.closest("li").querySelector(".text").textContent === "0"`)
	alice.until(`document.querySelector("[data-room-id=team] .badge:not([hidden])") !== null`)
}
