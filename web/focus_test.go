package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// What has the focus keeps it, whatever else is drawn; only a member who is gone loses it.
func TestTheFocusStays(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob", "carol"}} })
	f.say("team", "bob", "hello")
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	alice.shows("hello")
	alice.click("members")
	alice.until(`document.querySelectorAll("[data-testid=member-menu]").length === 2`)
	alice.do(`document.querySelector("[data-menu=carol]").focus()`)
	f.say("general", "bob", "elsewhere")
	alice.until(`document.title === "(1) Streamroom"`)
	const onCarol = `document.activeElement?.dataset.menu === "carol"`
	if !eval[bool](alice, onCarol) {
		t.Error("a message elsewhere took the focus from the list of members")
	}
	f.with(func() {
		f.rooms["team"].members = []string{"alice", "carol", "dave"}
		for c := range f.conns {
			f.post(c, wire.Member{Type: wire.TypeMemberLeft, ChatRoomID: "team", UserID: "bob"})
		}
	})
	alice.until(`document.querySelector("[data-menu=dave]") !== null`)
	if !eval[bool](alice, onCarol) {
		t.Error("another member took the focus")
	}
	f.with(func() {
		f.rooms["team"].members = []string{"alice", "dave"}
		for c := range f.conns {
			f.post(c, wire.Member{Type: wire.TypeMemberLeft, ChatRoomID: "team", UserID: "carol"})
		}
	})
	alice.until(`document.querySelector("[data-menu=carol]") === null`)
	alice.until(`document.activeElement?.className === "members"`)
	alice.escape()

	f.disconnect(alice)
	alice.within(time.Minute, `/again in [4-9]/.test(document.querySelector("[data-testid=banner]").innerText)`)
	alice.do(`document.querySelector("[data-testid=try-now]").focus()`)
	before := eval[string](alice, `document.querySelector("[data-testid=banner]").innerText`)
	alice.until(fmt.Sprintf(`document.querySelector("[data-testid=banner]").innerText !== %q`, before))
	if !eval[bool](alice, `document.activeElement?.dataset.testid === "try-now"`) {
		t.Error("a second took the focus from the button that connects")
	}
}

// A message that stays in the page keeps the focus and the selection when older ones go.
func TestTheSelectionStays(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	for i := range 190 {
		f.say("general", "bob", fmt.Sprint(i))
	}
	alice.until(`document.querySelector("[data-testid=message]:last-child .text")?.textContent === "189"`)
	alice.do(`(() => {
		const last = document.querySelector("[data-testid=message]:last-child");
		last.focus();
		getSelection().selectAllChildren(last.querySelector(".text"));
	})()`)
	for i := range 20 {
		f.say("general", "bob", fmt.Sprint("later ", i))
	}
	alice.until(`document.querySelector("[data-testid=message]:last-child .text")?.textContent === "later 19"`)
	alice.until(`document.querySelectorAll("[data-testid=message]").length < 210`) // some went
	if got := eval[string](alice, `getSelection() + " " + document.activeElement.querySelector(".text")?.textContent`); got != "189 189" {
		t.Errorf("selected and focused: %q", got)
	}

	// A message that is read by someone stays selected.
	alice.send("mine")
	alice.mark("mine", "sent", "Sent")
	alice.do(`getSelection().selectAllChildren(document.querySelector("[data-testid=message]:last-child .text"))`)
	f.with(func() {
		messages := f.rooms["general"].messages
		for c := range f.conns {
			f.post(c, wire.Read{Type: wire.TypeRead, ChatRoomID: "general", UserID: "bob", UpTo: messages[len(messages)-1].MessageID})
		}
	})
	alice.mark("mine", "read", "Read by bob")
	if got := eval[string](alice, `getSelection().toString()`); got != "mine" {
		t.Errorf("selected: %q", got)
	}
}

// Messages that arrive at once are all said, each once, also those of the same words.
func TestAllMessagesAreAnnounced(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.do(`globalThis.heard = [];
		new MutationObserver((changes) => {
			for (const { addedNodes } of changes) heard.push(...[...addedNodes].map((n) => n.isConnected ? n.textContent : "replaced"));
		}).observe(document.getElementById("announcer"), {childList: true, characterData: true, subtree: true})`)
	f.with(func() {
		frames := []any{}
		for i, text := range []string{"one", "two", "two"} {
			frames = append(frames, wire.Message{
				Type: wire.TypeMessage, ChatRoomID: "general", MessageID: fmt.Sprint("01KAAAAAAAAAAAAAAAAAAAAAA", i),
				SenderID: "bob", Content: text, Timestamp: time.Now().UnixMilli(),
			})
		}
		for c := range f.conns {
			f.post(c, map[string]any{"type": wire.TypeBatch, "frames": frames})
		}
	})
	alice.until(`JSON.stringify(heard.map((t) => t.replace(/[\u2068\u2069]/g, ""))) === '["bob: one","bob: two","bob: two"]'`)
}

// That the connection is gone is said once, not with each attempt to connect, and that it is
// back.
func TestALostConnectionIsSaidOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	f.with(func() { f.down = true })
	f.dropAll()
	const said = `[...document.getElementById("announcer").children].map((p) => p.textContent).join()`
	alice.until(said + ` === "Connection lost"`)
	const state = `document.querySelector("[data-testid=connection-state]").dataset.state`
	for range 3 {
		alice.until(state + ` === "waiting"`)
		alice.do(`document.querySelector("[data-testid=try-now]").click()`)
	}
	alice.until(state + ` === "waiting"`)
	f.with(func() { f.down = false })
	alice.do(`document.querySelector("[data-testid=try-now]").click()`)
	alice.until(said + ` === "Connection lost,Connected"`)
}

// Shortcuts leave the browser's own alone: at the place of the slash is the minus on
// many keyboards, and a keyboard without Latin letters has a key in the place of the E.
func TestShortcutsOnOtherKeyboards(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.send("привет")
	alice.shows("привет")
	const help = `document.getElementById("help-dialog").open`
	alice.key("-", "Slash", 189, ctrl) // German: zooms out
	alice.key("/", "Digit7", 55, ctrl|shift)
	alice.until(help)
	alice.escape()
	alice.key("/", "Slash", 191, ctrl)
	alice.until(help)
	alice.escape()
	pressed := func(key, code string, control bool) bool {
		t.Helper()
		return eval[bool](alice, fmt.Sprintf(`(() => {
			const event = new KeyboardEvent("keydown", { key: %q, code: %q, ctrlKey: %t, bubbles: true, cancelable: true });
			document.body.dispatchEvent(event);
			return event.defaultPrevented;
		})()`, key, code, control))
	}
	if pressed("-", "Slash", true) {
		t.Error("Control and minus is taken from the browser")
	}
	for _, key := range []string{"у", "E"} { // Russian, and with Caps Lock
		alice.do(`document.querySelector("[data-testid=message].own").focus()`)
		alice.key(key, "KeyE", 69, 0)
		alice.until(`document.getElementById("composer-input").value === "привет"`)
		alice.escape()
	}
}

// Who deletes a message is in the composer at once, and stays where they go from there until
// the answer comes.
func TestTheAnswerToADeletionLeavesTheFocus(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob"}} })
	f.say("team", "bob", "hello")
	f.say("team", "alice", "wrong")
	f.say("general", "bob", "newer") // so that this room is open at first
	alice := openPage(t, f.URL+"/")
	alice.do(`const real = fetch; globalThis.fetch = (url, init) => init?.method === "DELETE"
		? new Promise((resolve) => { globalThis.answer = () => resolve(real(url, init)); })
		: real(url, init)`)
	alice.signIn("alice")
	alice.openRoom("team")
	alice.shows("hello", "wrong")
	alice.opened()
	alice.at("wrong")
	alice.key("Delete", "Delete", 46, 0)
	alice.click("confirm-yes")
	alice.until(`globalThis.answer !== undefined`)
	alice.until(composing)
	alice.at("hello")
	alice.do(`answer()`)
	alice.until(`document.getElementById("announcer").lastElementChild?.textContent === "Message deleted"`)
	alice.shows("hello", "Message deleted")
	if got := eval[string](alice, `document.activeElement.querySelector(".text")?.textContent ?? ""`); got != "hello" {
		t.Errorf("the focus is at %q, want the message that had it", got)
	}
}
