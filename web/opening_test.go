package web_test

import (
	"net/http"
	"strings"
	"testing"
)

const (
	composing = `document.activeElement?.id === "composer-input"`
	opening   = `document.getElementById("stage").ariaBusy === "true"`
)

// slowToOpen has the answers about a room's opening, which the server has given, reach the
// page only when it calls answered().
func (p *page) slowToOpen(room string) {
	p.t.Helper()
	p.do(`{
		const real = fetch;
		const waits = new Promise((resolve) => { globalThis.answered = resolve; });
		globalThis.fetch = async (url, init) => {
			const answer = await real(url, init);
			if (!init?.method || init.method === "GET")
				if (/\/rooms\/` + room + `(\/messages)?(\?|$)/.test(url)) await waits;
			return answer;
		};
	}`)
}

// inTeam is alice's page before a room that opens slowly, beside one that is open.
func inTeam(t *testing.T) (*fake, *page) {
	t.Helper()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob"}} })
	f.say("team", "bob", "hello")
	f.say("general", "bob", "newer") // so that this room is open at first
	alice := openPage(t, f.URL+"/")
	alice.slowToOpen("team")
	alice.signIn("alice")
	alice.opened()
	return f, alice
}

// Who has chosen a room writes and sends there at once; its history comes beside that.
func TestARoomIsWrittenInWhileItOpens(t *testing.T) {
	t.Parallel()
	f, alice := inTeam(t)
	alice.openRoom("team")
	alice.until(composing)
	alice.typed("early\n")
	alice.typed("second\n")
	alice.typed("begun")
	alice.shows("early", "second") // they are stored, and stay in sight
	alice.look(1200, 800, "light")
	const older = `document.getElementById("older")`
	alice.until(older + `.textContent === "Loading…" && ` + older + `.getBoundingClientRect().top >= document.getElementById("scroller").getBoundingClientRect().top`)
	alice.screenshot("opening-sent")

	// A draft is its room's.
	alice.openRoom("general")
	alice.typed("here\n")
	alice.shows("newer", "here")
	alice.openRoom("team")
	alice.shows("early", "second")
	alice.until(written + ` === "begun"`)
	if !eval[bool](alice, opening) {
		t.Fatal("the room is open before its history has come")
	}

	alice.typed(" and")
	alice.do(`answered()`)
	alice.opened()
	alice.typed(" ended\n")
	alice.shows("hello", "early", "second", "begun and ended")
	for _, text := range []string{"early", "second", "begun and ended"} {
		if n := f.count("team", text); n != 1 {
			t.Errorf("%q is stored %d times", text, n)
		}
	}
	if n := f.count("general", "here"); n != 1 {
		t.Errorf("what was written in another room in the meantime is there %d times", n)
	}
}

// Who is elsewhere by the time that a room has opened stays there, also where the page opens
// the room by itself.
func TestTheFocusIsNotTakenBack(t *testing.T) {
	t.Parallel()
	_, alice := inTeam(t)
	alice.openRoom("team")
	alice.until(composing)
	alice.look(1200, 800, "light")
	alice.screenshot("opening")
	const button = `document.querySelector("[data-testid=new-room]")`
	alice.do(button + `.focus()`)
	alice.do(`answered()`)
	alice.opened()
	alice.shows("hello")
	if !eval[bool](alice, `document.activeElement === `+button) {
		t.Error("a room that has opened takes the focus from a button")
	}

	f := newFake(t)
	f.say("general", "bob", "hello")
	release := f.holding("/api/rooms")
	bob := openPage(t, f.URL+"/")
	bob.until(`document.activeElement?.dataset.testid === "signin-name"`)
	bob.typed("bob\n")
	bob.until(`document.querySelector("[data-testid=connection-state]").textContent === "Connected"`)
	bob.do(button + `.focus()`)
	release()
	bob.opened()
	bob.shows("hello")
	if !eval[bool](bob, `document.activeElement === `+button) {
		t.Error("a room that the page has opened takes the focus from a button")
	}
}

// A room that can't be opened says so to who writes there. What was begun goes on once it can,
// whether its user has the page try again or a new connection does.
func TestARoomThatDoesNotOpenKeepsTheFocus(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(f *fake, p *page){
		"asked": func(_ *fake, p *page) {
			p.do(`document.querySelector("#room-note button").focus()`)
			p.enter(0)
		},
		"connected": func(f *fake, _ *page) { f.dropAll() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, alice := inTeam(t)
			f.with(func() {
				f.fail = func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/rooms/team/messages") }
			})
			alice.openRoom("team")
			alice.until(composing)
			alice.typed("begun")
			alice.do(`answered()`)
			alice.until(`document.activeElement?.id === "room-note" && document.activeElement.innerText.includes("can’t be shown")`)
			alice.looksOf("opening-failed-" + name)
			f.with(func() { f.fail = nil })
			again(f, alice)
			alice.until(composing)
			alice.opened()
			alice.typed(" and ended\n")
			alice.shows("hello", "begun and ended")
		})
	}
}

// No keyboard covers a room that a finger opens.
func TestARoomIsOpenedByTouch(t *testing.T) {
	t.Parallel()
	_, alice := inTeam(t)
	alice.look(390, 780, "light")
	alice.touched()
	alice.until(`matchMedia("(pointer: coarse)").matches`)
	alice.tap(".back")
	alice.until(`document.getElementById("conversation").offsetParent === null`)
	alice.tap("[data-room-id=team]")
	alice.until(opening)
	alice.drawn()
	alice.screenshot("opening-phone")
	alice.do(`answered()`)
	alice.opened()
	alice.shows("hello")
	if eval[bool](alice, composing) {
		t.Error("the keyboard covers a room that was tapped")
	}
}

// Whom a message mentions is not known before the members of its room are: it waits for them,
// and what is sent after it stays behind it.
func TestAMentionInARoomThatOpens(t *testing.T) {
	t.Parallel()
	_, alice := inTeam(t)
	alice.openRoom("team")
	alice.until(composing)
	alice.typed("first\n")
	alice.typed("tea, @bob?\n")
	alice.typed("last\n")
	alice.mark("first", "sent", "Sent")
	alice.mark("tea, @bob?", "waiting", "Waiting")
	alice.mark("last", "waiting", "Waiting")
	alice.do(`answered()`)
	alice.opened()
	alice.shows("hello", "first", "tea, @bob?", "last")
	alice.until(mentioned + ` === "@bob"`)
}
