package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// at has the keyboard go to the message that says this.
func (p *page) at(text string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`[...document.querySelectorAll("[data-testid=message]")].find((m) => m.querySelector(".text").textContent === %q).focus()`, text))
}

// direct opens the direct messages with a user, and returns their room's id.
func (p *page) direct(user string) string {
	p.t.Helper()
	p.click("new-direct")
	p.typed(user + "\n")
	p.until(`document.getElementById("room-name").textContent === "` + user + `"`)
	return eval[string](p, openRoom)
}

// seen waits until the open direct message says this of the other one, and whether they
// have a dot.
func (p *page) seen(room, words string, online bool) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.getElementById("room-kind").textContent.startsWith(%q)
		&& document.querySelector("[data-room-id='%s'] .avatar").classList.contains("online") === %v`, words, room, online))
}

const (
	openRoom = `decodeURIComponent(location.hash.slice("#/room/".length))`

	// told is all that the open room shows every reader alike.
	told = `JSON.stringify([document.getElementById("room-name").textContent, document.getElementById("room-members").innerText,
		...[...document.querySelectorAll("[data-testid=message]")].map((m) => [
			m.matches(".own") ? document.getElementById("account-name").textContent : m.querySelector(".bubble > :first-child").textContent,
			m.querySelector(".text").textContent, !m.querySelector(".said > p > :first-child").hidden ? "edited" : "",
			...[...m.querySelectorAll("[data-testid=mention]")].map((e) => e.textContent),
			...[...m.querySelectorAll("[data-testid=quote]:not([hidden]) > *")].map((e) => e.textContent),
			...[...m.querySelectorAll("[data-testid=reaction]")].map((b) => b.textContent).sort(),
		])])`
)

// Three people in a room see what each of them does, whether they are there or come back to
// it: that one types, is online, reacts, replies, mentions, edits, deletes, leaves and joins.
func TestThreePeopleAndWhatTheyDo(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	url := attachmentServer(t)
	alice, bob, carol := inRoom(t, url, "alice"), inRoom(t, url, "bob"), inRoom(t, url, "carol")
	all := []*page{alice, bob, carol}
	show := func(texts ...string) {
		t.Helper()
		for _, p := range all {
			p.shows(texts...)
		}
	}

	// Alice makes a room, which is public.
	alice.click("new-room")
	alice.typed("Tea\tbob, carol\n")
	alice.until(`document.getElementById("room-name").textContent === "Tea" && !document.getElementById("room-members").hidden`)
	tea := eval[string](alice, openRoom)
	alice.click("members")
	alice.click("place-owners")
	alice.click("share")
	alice.until(`!document.getElementById("place-form").hidden`)
	alice.escape()
	for _, p := range []*page{bob, carol} {
		p.openRoom(tea)
	}
	for _, p := range all {
		p.until(`document.getElementById("room-members").innerText === "3 members"`)
	}

	// Bob types, which the others see until his message comes.
	bob.do(`document.getElementById("composer-input").focus()`)
	const types = `document.querySelector("[data-testid=typing] span").textContent.includes("bob")`
	poll(t, func() bool {
		bob.typed("e")
		return eval[bool](alice, types) && eval[bool](carol, types)
	})
	bob.typing("")
	bob.do(`document.getElementById("composer-input").select()`)
	bob.typed("Tea or coffee?\n")
	show("Tea or coffee?")
	alice.typing("")
	carol.typing("")

	// His network goes, and he closes the page. What he did waits; the others learn that he
	// is away. Without the second, the server would take his connection for open.
	withBob := alice.direct("bob")
	alice.seen(withBob, "Online", true)
	bob.cutOff()
	bob.at("Tea or coffee?")
	bob.key("+", "Equal", 187, 8)
	bob.until(`document.activeElement.getAttribute("aria-label") === "Thumbs up"`)
	bob.do(`document.activeElement.click()`)
	bob.until(reactions + ` === "👍1!"`)
	bob.openRoom("general")
	bob.send("Back in a minute")
	bob.mark("Back in a minute", "waiting", "Waiting")
	bob.do(`BeforeUnloadEvent.prototype.preventDefault = () => {}`)
	bob.run(chromedp.Navigate("about:blank"))
	alice.seen(withBob, "Last seen", false)

	// Alice replies to him and mentions him, and edits; carol reacts, and deletes.
	alice.openRoom(tea)
	alice.shows("Tea or coffee?")
	alice.opened()
	alice.at("Tea or coffee?")
	alice.key("r", "KeyR", 82, 0)
	alice.until(`document.activeElement.id === "composer-input"`)
	alice.typed("Tea for @bob?\n")
	alice.shows("Tea or coffee?", "Tea for @bob?")
	alice.send("Greeen")
	alice.shows("Tea or coffee?", "Tea for @bob?", "Greeen")
	alice.arrow("ArrowUp", 0)
	alice.until(written + ` === "Greeen"`)
	alice.do(`document.getElementById("composer-input").select()`)
	alice.typed("Green\n")
	carol.shows("Tea or coffee?", "Tea for @bob?", "Green")
	carol.at("Tea or coffee?")
	carol.key("+", "Equal", 187, 8)
	carol.until(`document.activeElement.getAttribute("aria-label") === "Thumbs up"`)
	carol.do(`document.activeElement.click()`)
	carol.until(reactions + ` === "👍1!"`)
	carol.send("Never mind")
	carol.shows("Tea or coffee?", "Tea for @bob?", "Green", "Never mind")
	carol.at("Never mind")
	carol.key("Delete", "Delete", 46, 0)
	carol.click("confirm-yes")
	for _, p := range []*page{alice, carol} {
		p.shows("Tea or coffee?", "Tea for @bob?", "Green", "Message deleted")
		p.until(quotes + ` === "bob: Tea or coffee?"`)
	}

	// Bob is back: what he did is done, and he finds what he missed, who mentioned him first.
	bob.offline(false)
	bob.run(chromedp.Navigate(url + "/#/room/general"))
	bob.until(marked + ` === "@1"`)
	bob.unread(tea, "2")
	bob.shows("Back in a minute")
	for _, p := range []*page{alice, carol} {
		p.until(reactions + ` === "👍2` + map[*page]string{carol: "!"}[p] + `"`)
		p.unread("general", "1")
	}
	bob.openRoom(tea)
	bob.until(divided + ` === "Tea for @bob?"`)
	bob.until(mentioned + ` === "@bob*"`)
	bob.until(marked + ` === ""`)
	bob.unread(tea, "")
	show("Tea or coffee?", "Tea for @bob?", "Green", "Message deleted")
	bob.until(reactions + ` === "👍2!"`)
	bob.do(`document.querySelector("[data-testid=quote]:not([hidden])").click()`)
	bob.until(`document.activeElement.querySelector(".text")?.textContent === "Tea or coffee?"`)

	// Who is online shows again; carol hides it.
	alice.openRoom(withBob)
	alice.seen(withBob, "Online", true)
	withCarol := alice.direct("carol")
	alice.seen(withCarol, "Online", true)
	carol.click("account")
	carol.until(`!document.getElementById("profile-hidden").disabled`)
	carol.click("profile-hidden")
	carol.click("profile-save")
	alice.seen(withCarol, "Direct message", false)
	alice.openRoom(tea)

	// What bob marks as unread is unread for him alone.
	bob.at("Green")
	bob.key("u", "KeyU", 85, 0)
	bob.until(divided + ` === "Green"`)
	bob.unread(tea, "1")
	alice.unread(tea, "")
	carol.unread(tea, "")

	// Carol leaves the room, and joins it again.
	carol.click("members")
	carol.click("leave")
	carol.click("confirm-yes")
	carol.until(`document.getElementById("composer").hidden && document.querySelector("[data-room-id='` + tea + `']") === null`)
	for _, p := range []*page{alice, bob} {
		p.until(`document.getElementById("room-members").innerText === "2 members"`)
	}
	alice.send("Where is carol?")
	for _, p := range []*page{alice, bob} {
		p.shows("Tea or coffee?", "Tea for @bob?", "Green", "Message deleted", "Where is carol?")
	}
	carol.click("join")
	carol.until(`!document.getElementById("composer").hidden`)
	carol.send("Here again")
	show("Tea or coffee?", "Tea for @bob?", "Green", "Message deleted", "Where is carol?", "Here again")
	bob.send("Good")
	bob.unread(tea, "")

	// All three see the same.
	show("Tea or coffee?", "Tea for @bob?", "Green", "Message deleted", "Where is carol?", "Here again", "Good")
	const want = `["Tea","3 members",` +
		`["bob","Tea or coffee?","","👍2"],` +
		`["alice","Tea for @bob?","","@bob","bob","Tea or coffee?"],` +
		`["alice","Green","edited"],["carol","Message deleted",""],` +
		`["alice","Where is carol?",""],["carol","Here again",""],["bob","Good",""]]`
	for _, p := range all {
		p.until(told + ` === ` + quoted(want))
	}
}
