package web_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/shared/wire"
)

// mark waits until the mark of a message of one's own says this.
func (p *page) mark(text, mark, words string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`[...document.querySelectorAll("[data-testid=message].own")].some((m) =>
		m.querySelector(".text").textContent === %q && m.querySelector("[data-testid=mark]").dataset.mark === %q
		&& m.querySelector("[data-testid=mark]").title === %q)`, text, mark, words))
}

// room waits until a room of the list shows this, as text.
func (p *page) room(id, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector("[data-room-id='%s']")?.innerText.includes(%q)`, id, text))
}

// unread waits until a room's unread mark says this; "" for none.
func (p *page) unread(id, words string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector("[data-room-id='%s'] [data-testid=unread]:not([hidden])")?.textContent === %s`, id,
		map[bool]string{true: "undefined", false: quoted(words)}[words == ""]))
}

func TestTicks(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.names["bob"] = "Bob B."
		f.deliver = func(*fakeConn, wire.Message) []wire.Message { return nil }
	})
	alice := signedIn(t, f.URL, "alice")
	alice.send("hello")
	alice.mark("hello", "sent", "Sent")
	f.with(func() { f.deliver = nil })
	alice.send("are you there?")
	alice.mark("are you there?", "sent", "Sent")
	bob := signedIn(t, f.URL, "bob")
	bob.until(`document.querySelectorAll("[data-testid=message]").length === 2`)
	alice.mark("hello", "read", "Read by Bob B.")
	alice.mark("are you there?", "read", "Read by Bob B.")
	bob.send("yes")
	alice.until(`document.querySelector(".sender")?.textContent === "Bob B."`)
	bob.mark("yes", "read", "Read by alice")
}

func TestUnreadMarksAndTheDivider(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("team", 130, time.Now().Add(-time.Minute), func(i int) (string, string) { return "bob", fmt.Sprint("note ", i) })
	f.with(func() { f.readUpTo("team", "alice", f.rooms["team"].messages[99].MessageID) })
	f.fill("general", 1, time.Now(), func(int) (string, string) { return "alice", "newest" })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.unread("team", "30")
	alice.until(`document.title === "(30) Streamroom"`)

	alice.openRoom("team")
	alice.until(`document.querySelector("[data-testid=divider]:not([hidden])")?.closest("li").querySelector(".text").textContent === "note 100"`)
	// What isn't in view isn't read.
	alice.until(`Number(document.querySelector("[data-room-id=team] [data-testid=unread]").textContent) < 30`)
	alice.screenshot("divider")
	alice.click("newest")
	alice.unread("team", "")
	alice.until(`document.title === "Streamroom"`)
	poll(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.rooms["team"].unread("alice") == 0
	})

	// A room that isn't open counts, up to 99+; another device of hers that reads takes the mark away.
	alice.openRoom("general")
	for range 3 {
		f.say("team", "bob", "more")
	}
	alice.unread("team", "3")
	f.with(func() { f.readAll("team", "alice") })
	alice.unread("team", "")
	for range 101 {
		f.say("team", "bob", "more")
	}
	alice.unread("team", "99+")
}

func TestDirectMessages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.names["alice"] = "Alice A." })
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.click("new-direct")
	alice.typed("alice\n")
	alice.until(`document.getElementById("new-direct-problem").textContent === "That is you: choose someone else."`)
	alice.screenshot("new-direct")
	alice.do(`document.getElementById("new-direct-name").value = ""`)
	alice.typed("bob\n")
	alice.until(`document.getElementById("room-name").textContent === "bob"`)
	alice.send("psst")
	alice.shows("psst")
	bob.room("dm-alice-bob", "Alice A.")
	bob.unread("dm-alice-bob", "1")

	// It is one room, by either user.
	bob.click("new-direct")
	bob.typed("alice\n")
	bob.shows("psst")
	alice.mark("psst", "read", "Read by bob")
	bob.click("members")
	bob.until(`document.querySelectorAll("[data-testid=member]").length === 2`)
	if eval[bool](bob, `[...document.querySelectorAll("#members-dialog form")].some((e) => e.offsetParent)`) {
		t.Error("members of a direct message can be changed")
	}
	if got := eval[string](bob, `document.getElementById("room-leave").textContent`); got != "Hide until the next message" {
		t.Errorf("the button that leaves a direct message says %q", got)
	}
}

func TestEditingAndDeleting(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.send("helo")
	alice.send("to be deleted")
	bob.shows("helo", "to be deleted")
	alice.until(`document.querySelectorAll("[data-mark=read]").length === 2`)

	// By keyboard: the last message of one's own, then the one before it.
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("composer-input").value === "to be deleted"`)
	alice.screenshot("editing")
	alice.escape()
	alice.until(`document.getElementById("composer-input").value === "" && document.getElementById("composer-editing").hidden`)
	alice.do(`document.getElementById("scroller").focus()`)
	alice.arrow("ArrowUp", 0)
	alice.arrow("ArrowUp", 0)
	alice.until(`document.activeElement.querySelector(".text").textContent === "helo"`)
	alice.key("e", "KeyE", 69, 0)
	alice.until(`document.activeElement.id === "composer-input"`)
	alice.do(`document.activeElement.value = ""`)
	alice.typed("hello\n")
	for _, p := range []*page{alice, bob} {
		p.shows("hello", "to be deleted")
		p.until(`document.querySelector("[data-testid=message] .meta").innerText.startsWith("edited")`)
	}

	// By pointer, and only one's own.
	bob.do(`document.querySelector("[data-testid=message] .bubble").dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
	if eval[bool](bob, `document.querySelector(".actions :is([data-testid=edit], [data-testid=delete]):not([hidden])") !== null`) {
		t.Error("bob is offered to change what alice wrote")
	}
	alice.do(`[...document.querySelectorAll(".bubble")].at(-1).dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
	alice.screenshot("actions")
	alice.click("delete")
	alice.screenshot("confirm")
	alice.click("confirm-no")
	alice.until(`document.activeElement?.matches("[data-testid=message]")`)
	alice.key("Delete", "Delete", 46, 0)
	alice.click("confirm-yes")
	for _, p := range []*page{alice, bob} {
		p.shows("hello", "Message deleted")
		p.room("general", "Message deleted")
	}
	alice.run(click("#composer-input"))
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("composer-input").value === "hello"`)
	f.with(func() { f.rooms["general"].messages[0].SenderID = "someone else" })
	alice.typed("!\n")
	alice.until(`document.getElementById("composer-problem").textContent !== ""`)
	alice.until(`document.getElementById("composer-input").value === "hello!"`)
}

func TestOwnersLookAfterTheirRooms(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob", "a/b"}} })
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.openRoom("team")
	bob.openRoom("team")
	alice.click("members")
	alice.until(`document.querySelectorAll("[data-testid=member-menu]").length === 2`)
	alice.do(`document.getElementById("rename-name").value = "チーム"`)
	alice.click("rename-save")
	for _, p := range []*page{alice, bob} {
		p.until(`document.getElementById("room-name").textContent === "チーム"`)
		p.room("team", "チーム")
	}
	alice.manage("a/b", "member-remove")
	alice.until(`document.getElementById("confirm-title").textContent === "Remove a/b?"`)
	alice.click("confirm-yes")
	alice.until(`document.querySelectorAll("[data-testid=member]").length === 2`)
	bob.until(`document.getElementById("room-members").innerText === "2 members"`)

	// Others may only leave.
	bob.click("members")
	bob.until(`document.querySelectorAll("[data-testid=member]").length === 2`)
	bob.do(`document.querySelector("[data-testid=member-menu]").click()`)
	offered := eval[string](bob, `[...document.querySelectorAll("#member-choices button, #members-dialog form:not([hidden]), #bans:not([hidden])")].map((e) => e.innerText).join()`)
	if offered != "Block" {
		t.Errorf("a member who is not an owner is offered %q", offered)
	}
	bob.escape()
	bob.screenshot("members-plain")
	bob.click("leave")
	bob.click("confirm-yes")
	bob.until(`document.querySelector("[data-room-id=team]") === null && location.hash !== "#/room/team"`)
	alice.until(`document.querySelectorAll("[data-testid=member]").length === 1`)

	// A user who is removed while looking sees it.
	f.with(func() { f.rooms["team"].members = append(f.rooms["team"].members, "bob") })
	f.with(func() { f.tell("team", "bob") })
	bob.openRoom("team")
	alice.until(`document.querySelectorAll("[data-testid=member-menu]").length === 1`)
	alice.manage("bob", "member-remove")
	alice.click("confirm-yes")
	bob.until(`document.getElementById("room-note").innerText.includes("You left it, or were removed.")`)
	bob.until(`document.getElementById("composer").hidden`)
}

func TestNames(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	bob.click("account")
	bob.until(`document.getElementById("profile-user").textContent === "bob"`)
	bob.typed("ボブ <b>\n")
	bob.until(`document.getElementById("account-name").textContent === "ボブ <b>"`)
	bob.send("It is me")
	alice.until(`document.querySelector(".sender")?.textContent === "ボブ <b>" && document.querySelector(".sender").title === "bob"`)
	alice.room("general", "ボブ <b>: It is me")
	bob.run(click("#signout"))
	bob.until(`document.activeElement?.dataset.testid === "signin-name"`)
	bob = signedIn(t, f.URL, "bob")
	bob.until(`document.getElementById("account-name").textContent === "ボブ <b>"`)
}

// Who takes another's name is told apart by the id, wherever people are named.
func TestNamesThatLookAlike(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.names["bob"], f.names["mallet"], f.names["sara"] = "Bob", "ＢＯ\u200bＢ", "שרה"
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice", "sara"}}
	})
	f.say("team", "bob", "I am Bob")
	f.say("team", "sara", "שלום")
	f.say("team", "alice", "read this")
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	senders := `[...document.querySelectorAll(".sender")].map((s) => s.textContent).join()`
	alice.until(senders + ` === "Bob,שרה"`)

	f.with(func() { f.rooms["dm"] = &fakeRoom{kind: "dm", members: []string{"mallet", "alice"}} })
	f.say("dm", "mallet", "so am I")
	alice.room("dm", "ＢＯ\u200bＢ (mallet)")
	alice.until(senders + ` === "Bob (bob),שרה"`)
	f.with(func() { f.rooms["team"].members = append(f.rooms["team"].members, "mallet") })
	f.say("team", "mallet", "I am Bob, too")
	alice.room("team", "ＢＯ\u200bＢ (mallet): I am Bob, too")
	alice.until(senders + ` === "Bob (bob),שרה,ＢＯ\u200bＢ (mallet)"`)
	f.say("team", "sara", "שלום")
	alice.room("team", "\u2068שרה\u2069: \u2068שלום\u2069") // the colon stays between them
	alice.click("members")
	alice.until(`[...document.querySelectorAll("[data-testid=member]")].map((m) => m.innerText.replace(/\s+/g, " ")).join().includes("ＢＯ\u200bＢ mallet")`)
	alice.screenshot("alike")
	alice.run(chromedp.KeyEvent("\x1b"))
	alice.openRoom("dm")
	alice.until(`document.getElementById("room-name").textContent === "ＢＯ\u200bＢ (mallet)"`)
	alice.until(`document.getElementById("composer-input").placeholder === "Message ＢＯ\u200bＢ (mallet)"`)
	alice.until(`document.getElementById("room-avatar").textContent === "Ｂ"`)

	// What shows nothing can't be sent, by keyboard either.
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.typed("\u3164 \u200b\n")
	alice.until(`document.querySelector("[data-testid=composer-send]").disabled`)
	alice.typed("seen\n")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 2`)
}

func TestOfflineAndBack(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	f := newFake(t)
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.send("before")
	bob.shows("before")
	alice.offline(true)
	alice.until(`!navigator.onLine`)
	f.with(func() {
		for c := range f.conns {
			if c.user == "alice" {
				_ = c.ws.CloseNow()
			}
		}
	})
	alice.until(`document.querySelector("[data-testid=banner]").innerText.includes("You are offline")`)
	alice.send("written offline")
	bob.send("said while away")
	bob.shows("before", "said while away")
	alice.until(`document.querySelector("[data-status=waiting]") !== null`)
	alice.screenshot("offline")
	alice.offline(false)
	for _, p := range []*page{alice, bob} {
		p.shows("before", "said while away", "written offline")
	}
	alice.until(`document.querySelector("[data-testid=banner]").hidden`)
	if n := f.count("general", "written offline"); n != 1 {
		t.Errorf("stored %d times", n)
	}
}

func TestByKeyboard(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		for i := range 4 {
			f.rooms[fmt.Sprint("r", i)] = &fakeRoom{name: fmt.Sprint("Room ", i), members: []string{"alice"}}
		}
	})
	for i := range 4 {
		f.fill(fmt.Sprint("r", i), 1, time.Now().Add(-time.Duration(i)*time.Hour), func(int) (string, string) { return "alice", fmt.Sprint("in ", i) })
	}
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.getElementById("room-name").textContent === "Room 0"`)
	alice.opened()
	for _, want := range []string{"Room 1", "Room 2"} {
		alice.arrow("ArrowDown", alt)
		alice.until(`document.getElementById("room-name").textContent === ` + quoted(want))
	}
	alice.arrow("ArrowUp", alt)
	alice.until(`document.getElementById("room-name").textContent === "Room 1"`)
	alice.shows("in 1")
	alice.opened()

	// The list is one stop for Tab; arrows move in it, Enter opens.
	alice.until(`[...document.querySelectorAll("#rooms [tabindex='0']")].map((item) => item.dataset.roomId).join() === "r1"`)
	alice.do(`document.querySelector("#rooms [tabindex='0']").focus()`)
	alice.until(`document.activeElement.dataset.roomId === "r1"`)
	alice.arrow("ArrowDown", 0)
	alice.until(`document.activeElement.dataset.roomId === "r2"`)
	alice.key("End", "End", 35, 0)
	alice.key("Home", "Home", 36, 0)
	alice.until(`document.activeElement.dataset.roomId === "r0"`)
	alice.enter(0)
	alice.until(`document.getElementById("room-name").textContent === "Room 0"`)

	f.say("r3", "bob", "look here")
	alice.unread("r3", "1")
	alice.arrow("ArrowDown", alt|shift)
	alice.until(`document.getElementById("room-name").textContent === "Room 3"`)
	alice.until(`!document.getElementById("room-members").hidden`) // whom Alt+Shift+M shows are known

	for _, tt := range []struct {
		key, code string
		number    int64
		modifiers int64
		dialog    string
	}{
		{"/", "Slash", 191, ctrl, "help-dialog"},
		{"R", "KeyR", 82, alt | shift, "new-room-dialog"},
		{"D", "KeyD", 68, alt | shift, "new-direct-dialog"},
		{"M", "KeyM", 77, alt | shift, "members-dialog"},
	} {
		alice.key(tt.key, tt.code, tt.number, tt.modifiers)
		alice.until(`document.getElementById(` + quoted(tt.dialog) + `).open`)
		alice.screenshot(tt.dialog)
		alice.escape()
		alice.until(`document.querySelector("dialog[open]") === null`)
	}
}

func TestManyMessagesStayFewElements(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 500, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint("m", i) })
	f.with(func() { f.readAll("general", "alice") })
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 50`)
	first := `document.querySelector("[data-testid=message] .text").textContent`
	for range 60 {
		alice.toTop()
		if n := eval[int](alice, `document.querySelectorAll("[data-testid=message]").length`); n > 200 {
			t.Fatalf("%d messages are in the page", n)
		}
		if eval[string](alice, first) == "m0" {
			break
		}
		before := eval[string](alice, first)
		alice.until(first + ` !== ` + quoted(before) + ` || document.getElementById("scroller").scrollTop > 0`)
	}
	alice.until(first + ` === "m0"`)
	// And down again, without a hole or a jump, while others write.
	f.say("general", "carol", "the end")
	alice.do(`(() => {
		const scroller = document.getElementById("scroller");
		const seen = new Set();
		const step = () => {
			for (const m of document.querySelectorAll("[data-testid=message] .text")) seen.add(m.textContent);
			if (seen.has("the end")) globalThis.seen = seen.size;
			else requestAnimationFrame(() => requestAnimationFrame(step));
			scroller.scrollTop += 500;
		};
		step();
	})()`)
	alice.until(`globalThis.seen !== undefined`)
	seen := eval[int](alice, `globalThis.seen`)
	if seen != 501 {
		t.Errorf("%d messages were seen on the way down, want 501", seen)
	}
	alice.do(`document.getElementById("scroller").scrollTop = 1e6`)
	alice.until(`document.getElementById("newest").hidden`)
}

func TestByTouch(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.look(390, 780, "light")
	alice.touched()
	alice.send("helo")
	alice.shows("helo")
	alice.tap(".own .text")
	alice.until(`document.querySelector(".actions")?.checkVisibility()`)
	alice.screenshot("touch")
	alice.tap("[data-testid=edit]")
	alice.until(`document.getElementById("composer-input").value === "helo"`)
	alice.do(`document.getElementById("composer-input").value = "hello"; document.getElementById("composer-input").dispatchEvent(new Event("input"))`)
	alice.tap("#composer-send")
	alice.shows("hello")
	alice.tap(".back")
	alice.until(`document.getElementById("conversation").offsetParent === null`)
	alice.tap("[data-testid=room-item]")
	alice.shows("hello")
}

// touched makes the page one that is touched.
func (p *page) touched() {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
		return err
	}))
}

// tap taps the middle of the first element of a selector.
func (p *page) tap(selector string) {
	p.t.Helper()
	at := eval[[]float64](p, `(({x, y, width, height}) => [x + width / 2, y + height / 2])(document.querySelector(`+quoted(selector)+`).getBoundingClientRect())`)
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		finger := []*input.TouchPoint{{X: at[0], Y: at[1]}}
		_, err := cdp.Call(ctx, t, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: finger})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}})
		return err
	}))
}

// A hidden page reads nothing.
func TestAHiddenPageReadsNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.send("before")
	alice.shows("before")
	hide := func(hidden bool) {
		alice.do(fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %v, configurable: true}); document.dispatchEvent(new Event("visibilitychange"))`, hidden))
	}
	hide(true)
	f.say("general", "bob", "one")
	f.say("general", "bob", "two")
	alice.shows("before", "one", "two")
	alice.unread("general", "2")
	alice.until(`document.title === "(2) Streamroom"`)
	alice.until(`document.querySelector("[data-testid=divider]:not([hidden])")?.closest("li").querySelector(".text").textContent === "one"`)
	hide(false)
	alice.unread("general", "")
	alice.until(`document.title === "Streamroom"`)
}
