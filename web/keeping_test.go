package web_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/shared/wire"
)

// beside opens a second tab of the same browser, which shares what the browser keeps,
// and signs in there.
func (p *page) beside(url, user string) *page {
	p.t.Helper()
	other := p.tab()
	other.run(chromedp.Navigate(url + "/"))
	other.signIn(user)
	return other
}

// tab opens another tab of the same browser.
func (p *page) tab() *page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatal(err)
	}
	return &page{t: p.t, ctx: ctx}
}

// disconnect takes the connections away until the fake is up again.
func (f *fake) disconnect(from *page) {
	f.with(func() { f.down = true })
	f.dropAll()
	from.until(`document.querySelector("[data-testid=connection-state]").textContent !== "Connected"`)
}

// Signing out deletes what is not sent, in other tabs, too, so it asks about them.
func TestSigningOutAsksForOtherTabs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	first := signedIn(t, f.URL, "alice")
	second := first.beside(f.URL, "alice")
	f.disconnect(second)
	second.send("important")
	second.mark("important", "waiting", "Waiting")
	first.do(`document.getElementById("signout").click()`)
	first.until(`document.getElementById("confirm-dialog").open && document.getElementById("confirm-text").textContent.startsWith("1 message is not sent yet.")`)
	first.do(`document.querySelector("[data-testid=confirm-no]").click()`)
	f.with(func() { f.down = false })
	second.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	second.shows("important")
	first.shows("important")
}

// A draft is one, in all tabs: what was sent in one is not written any more in another.
func TestADraftInTwoTabs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	first := signedIn(t, f.URL, "alice")
	first.opened()
	first.typed("On my way")
	second := first.beside(f.URL, "alice")
	second.until(`document.getElementById("composer-input").value === "On my way"`)
	first.typed("!")
	second.until(`document.getElementById("composer-input").value === "On my way!"`)
	first.typed("\n")
	second.shows("On my way!")
	second.until(`document.getElementById("composer-input").value === "" && document.getElementById("composer-send").disabled`)
}

// Who was removed while offline learns that what they wrote was not sent, and can copy
// it, also after a reload.
func TestMessagesToARoomThatWasLeft(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.say("team", "bob", "hello")
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	alice.shows("hello")
	f.disconnect(alice)
	alice.send("important")
	alice.mark("important", "waiting", "Waiting")
	alice.openRoom("general")
	f.with(func() {
		f.rooms["team"].members = []string{"bob"}
		f.down = false
		f.refuse = func(frame wire.ClientFrame) any {
			if frame.ChatRoomID != "team" {
				return nil
			}
			return wire.Error{Type: wire.TypeError, Code: "not_a_member", Message: "no", ClientMessageID: frame.ClientMessageID}
		}
	})
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	for range 2 {
		alice.until(`document.querySelector("[data-room-id=team]")?.textContent.includes("Not sent: important")`)
		alice.run(chromedp.Reload())
	}
	alice.openRoom("team")
	alice.until(`document.getElementById("room-note").innerText.includes("You are not a member of this room.")`)
	alice.until(`document.querySelector("#room-note blockquote").textContent === "important"`)
	alice.screenshot("unsent-in-left-room")
	alice.run(click("#room-note [data-testid=discard]"))
	alice.until(`document.querySelector("[data-room-id=team]") === null`)
	alice.until(`document.querySelector("#room-note blockquote") === null`)
}

// An edit that takes its time leaves the field to what is written next; one that was
// not saved is not lost.
func TestWritingGoesOnDuringAnEdit(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.send("helo")
	alice.shows("helo")
	answers := make(chan struct{})
	f.with(func() {
		f.hold = func(r *http.Request) {
			if r.Method == http.MethodPatch {
				<-answers
			}
		}
	})
	edit := func(from, more string) {
		t.Helper()
		alice.arrow("ArrowUp", 0)
		alice.until(`document.getElementById("composer-input").value === "` + from + `"`)
		alice.typed(more + "\n")
		alice.until(`document.getElementById("composer-input").value === ""`)
	}
	edit("helo", "!")
	alice.typed("and the next")
	answers <- struct{}{}
	alice.shows("helo!")
	alice.until(`document.getElementById("composer-input").value === "and the next"`)
	alice.typed(" one\n")
	alice.shows("helo!", "and the next one")
	// Two in a row: the second begins with the first, and is saved after it.
	edit("and the next one", "?")
	edit("and the next one?", "!")
	answers <- struct{}{}
	answers <- struct{}{}
	alice.shows("helo!", "and the next one?!")

	f.with(func() { f.rooms["general"].messages[1].SenderID = "someone else" }) // it will be refused
	edit("and the next one?!", " no")
	answers <- struct{}{}
	alice.until(`document.getElementById("composer-input").value === "and the next one?! no"`)
	alice.until(`!document.getElementById("composer-editing").hidden && document.getElementById("composer-problem").textContent !== ""`)
	alice.escape()
	edit("and the next one?! no", "t")
	alice.typed("something else")
	answers <- struct{}{}
	alice.until(`document.getElementById("toast").textContent.startsWith("Your edit was not saved.") && !document.getElementById("toast").hidden`)
	alice.until(`document.getElementById("composer-input").value === "something else"`)
}

// Who presses twice means it once: what is written next, or was begun before, stays, and the
// keyboard goes on writing.
func TestPressingTwiceSendsOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	twice := func() {
		t.Helper()
		at := eval[[]float64](alice, `(({x, y, width, height}) => [x + width / 2, y + height / 2])(document.getElementById("composer-send").getBoundingClientRect())`)
		alice.run(chromedp.MouseClickXY(at[0], at[1], chromedp.ClickCount(1)), chromedp.MouseClickXY(at[0], at[1], chromedp.ClickCount(2)))
	}
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.typed("helo")
	twice()
	alice.shows("helo")
	alice.arrow("ArrowUp", 0)
	alice.escape()
	alice.typed("begun")
	edit := func(from, more string) {
		t.Helper()
		alice.do(`document.querySelector("[data-testid=message].own").focus()`)
		alice.key("e", "KeyE", 69, 0)
		alice.until(`document.getElementById("composer-input").value === "` + from + `"`)
		alice.typed(more)
	}
	edit("helo", "!")
	twice()
	alice.shows("helo!")
	alice.until(`document.getElementById("composer-input").value === "begun"`)
	edit("helo!", "?")
	alice.enter(0)
	alice.do(`document.getElementById("composer-input").dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", repeat: true, bubbles: true, cancelable: true}))`)
	alice.shows("helo!?")
	alice.typed(" and ended\n")
	alice.shows("helo!?", "begun and ended")
}

// An edit that could not be saved is there after a reload, until it is saved, given up, or
// its user signs out.
func TestAReloadKeepsAnEdit(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.send("helo")
	alice.shows("helo")
	composer := func(text string) {
		t.Helper()
		alice.until(`document.getElementById("composer-input").value === "` + text + `"`)
	}
	comeBack := func() {
		alice.run(chromedp.Reload())
		alice.until(`document.querySelector("[data-testid=connection-state]").textContent === "Connected"`)
		alice.shows("helo")
		composer("")
		alice.arrow("ArrowUp", 0)
	}
	kept := `Object.keys(localStorage).filter((key) => key.startsWith("streamroom edit ")).length`
	alice.offline(true)
	alice.arrow("ArrowUp", 0)
	alice.typed(" there\n")
	alice.until(`document.getElementById("composer-problem").textContent !== ""`)
	composer("helo there")
	alice.offline(false)
	comeBack()
	composer("helo there")
	alice.typed(", bob")
	comeBack()
	composer("helo there, bob")
	alice.escape()
	alice.arrow("ArrowUp", 0)
	composer("helo")
	alice.typed(" you")
	comeBack()
	composer("helo you")
	alice.enter(0)
	alice.shows("helo you")
	alice.until(kept + ` === 0`)
	alice.arrow("ArrowUp", 0)
	alice.typed(" all")
	alice.until(kept + ` === 1`)
	alice.click("signout")
	alice.until(`!document.getElementById("signin").hidden && ` + kept + ` === 0`)
}

// A browser that keeps nothing for the site chats all the same.
func TestWithoutStorage(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := openPage(t, "about:blank")
	alice.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
			Source: `for (const name of ["sessionStorage", "localStorage"]) Object.defineProperty(window, name, {
				get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
			});`,
		})
		return err
	}))
	alice.run(chromedp.Navigate(f.URL + "/"))
	alice.signIn("alice")
	alice.send("hello")
	alice.shows("hello")
	alice.run(click("#signout"))
	alice.do(`document.getElementById("signin-name").value = ""`)
	alice.signIn("bob")
	alice.until(`document.getElementById("account-name").textContent === "bob"`)
}

// Nothing of a user who signed out stays in the page: not on the screen, and not behind it.
func TestSigningOutLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.rooms["team"] = &fakeRoom{name: "SecretTeam", members: []string{"alice", "bob"}}
		f.names["bob"] = "SecretBob"
		f.names["alice"] = "SecretAlice"
	})
	f.say("team", "bob", "SecretText")
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	alice.shows("SecretText")
	alice.send("SecretOwn")
	alice.shows("SecretText", "SecretOwn")
	f.say("team", "bob", "SecretLater")
	alice.shows("SecretText", "SecretOwn", "SecretLater")
	alice.click("members")
	alice.until(`document.querySelectorAll("[data-testid=member]").length === 2`)
	alice.click("member-menu")
	alice.click("member-remove")
	alice.escape()
	alice.escape()
	alice.click("account")
	alice.escape()
	alice.do(`document.querySelector("[data-testid=message].own").focus()`)
	alice.key("Delete", "Delete", 46, 0)
	alice.escape()
	alice.do(`document.getElementById("composer-input").value = "SecretDraft"; document.getElementById("composer-input").dispatchEvent(new Event("input"))`)
	alice.click("signout")
	alice.until(`!document.getElementById("signin").hidden`)
	alice.until(`document.querySelector("[data-testid=confirm-yes]").checkVisibility() === false`)
	// Dialogs forget what they showed with their close events, which come later than they go.
	alice.until(`[document.title, ...[...document.querySelectorAll("body *")].filter((e) => e.children.length === 0)
		.flatMap((e) => [e.textContent, e.value ?? "", e.placeholder ?? "", ...[...e.attributes].map((a) => a.value)])]
		.every((text) => !/Secret/.test(text))`)
}

// Who is signed out by the server comes back to the room, and to what they had begun,
// by signing in again.
func TestAnEndedSessionComesBack(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob"}} })
	f.say("team", "bob", "hello")
	f.say("general", "bob", "newer")
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	alice.shows("hello")
	alice.opened()
	alice.typed("begun")
	alice.do(`(() => {
		const real = fetch;
		globalThis.ended = true;
		globalThis.fetch = (url, options) => ended && String(url).includes("token")
			? Promise.resolve(new Response('{"code":"unauthorized","detail":"Your session has ended."}', { status: 401 }))
			: real(url, options);
	})()`)
	f.with(func() { f.down = true })
	f.dropAll()
	alice.within(time.Minute, `document.getElementById("signin-error").textContent === "Your session has ended."`)
	f.with(func() { f.down = false })
	alice.do(`ended = false; document.getElementById("signin-name").value = ""`)
	alice.signIn("alice")
	alice.shows("hello")
	alice.until(`document.getElementById("composer-input").value === "begun"`)
}

// Going back closes what was asked: the answer is not for the room that is shown then.
func TestGoingBackAnswersNo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob"}}
		f.rooms["tea"] = &fakeRoom{name: "Tea", members: []string{"alice", "bob"}}
	})
	alice := signedIn(t, f.URL, "alice")
	for _, ask := range []string{"leave", "member-remove"} {
		alice.openRoom("tea")
		alice.openRoom("team")
		alice.until(`document.getElementById("room-members").innerText === "2 members"`)
		alice.click("members")
		alice.until(`document.querySelector("[data-testid=member-menu]")?.checkVisibility()`)
		if ask == "member-remove" {
			alice.click("member-menu")
		}
		alice.do(`document.querySelector("[data-testid=` + ask + `]").click()`)
		alice.until(`document.getElementById("confirm-dialog").open`)
		alice.do(`history.back()`)
		alice.until(`document.getElementById("room-name").textContent === "Tea"`)
		alice.do(`document.querySelector("[data-testid=confirm-yes]").click()`)
		alice.until(`document.querySelector("dialog[open]") === null`)
	}
	alice.click("new-room")
	alice.do(`history.back()`)
	alice.until(`document.querySelector("dialog[open]") === null`)
	alice.send("still here") // after what the answers would have asked for
	alice.until(`document.querySelector("[data-status=sent]") !== null`)
	f.with(func() {
		for id, want := range map[string]int{"team": 2, "tea": 2} {
			if got := len(f.rooms[id].members); got != want {
				t.Errorf("%s has %d members, want %d", id, got, want)
			}
		}
	})
}

// What is typed in a dialog while an earlier request of it is under way stays there: the
// earlier one neither closes it nor clears it, and takes no one elsewhere.
func TestADialogIsOfItsLastOpening(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var team, tea chan struct{}
	f.with(func() {
		team, tea = make(chan struct{}), make(chan struct{})
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob"}}
		f.rooms["crew"] = &fakeRoom{name: "Crew", members: []string{"alice", "bob"}}
		f.hold = func(r *http.Request) {
			switch {
			case r.Method == http.MethodPost && r.URL.Path == "/api/rooms":
				<-tea
			case r.Method == http.MethodPost && r.URL.Path == "/api/rooms/team/members":
				<-team
			}
		}
	})
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	alice.click("new-room")
	alice.typed("Tea")
	// Clicks in a row make one room, on a slow network, too.
	alice.do(`for (let i = 0; i < 3; i++) document.querySelector("[data-testid=new-room-create]").click()`)
	alice.escape()
	alice.click("new-room")
	alice.typed("Coffee")
	close(tea)
	alice.until(`[...document.querySelectorAll(".room-item-name")].filter((e) => e.textContent === "Tea").length === 1`)
	alice.until(`document.getElementById("new-room-name").value === "Coffee" && document.getElementById("new-room-dialog").open`)
	alice.until(`document.getElementById("room-name").textContent === "Team"`)
	alice.enter(0)
	alice.until(`document.getElementById("room-name").textContent === "Coffee" && !document.getElementById("new-room-dialog").open`)

	// So do names of members, in another room.
	alice.openRoom("team")
	alice.click("members")
	alice.until(`document.getElementById("members-dialog").open`)
	alice.do(`document.getElementById("member-name").focus()`)
	alice.typed("carol\n")
	alice.escape()
	alice.openRoom("crew")
	alice.click("members")
	alice.until(`document.getElementById("members-dialog").open`)
	alice.do(`document.getElementById("member-name").focus()`)
	alice.typed("da")
	close(team)
	poll(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.Contains(f.rooms["team"].members, "carol")
	})
	alice.typed("ve\n")
	alice.until(`document.querySelector("[data-testid=member][data-user-id=dave]") !== null`)
}
