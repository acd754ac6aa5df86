package web_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// manage chooses something from the menu of a member, in the list that is open.
func (p *page) manage(user, choice string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector("[data-menu='%s']") !== null`, user))
	p.do(fmt.Sprintf(`document.querySelector("[data-menu='%s']").click()`, user))
	p.click(choice)
}

// offered waits until the menu of a member has these choices, and closes it.
func (p *page) offered(user, choices string) {
	p.t.Helper()
	menu := fmt.Sprintf(`document.querySelector("[data-menu='%s']")`, user)
	p.until(fmt.Sprintf(`document.querySelector("dialog[open] #member-choices") === null && %s !== null`, menu))
	p.do(menu + `.focus()`)
	p.enter(0)
	p.until(`[...document.querySelectorAll("#member-choices button")].map((b) => b.innerText).join() === "` + choices + `"`)
	p.escape()
	p.until(`document.activeElement === ` + menu)
}

// looksOf takes pictures of a view in both lights, wide and on a phone, and checks its width
// and, where there is axe-core, its accessibility.
func (p *page) looksOf(name string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for width, size := range map[int64]string{390: "-phone", 1200: ""} {
			p.look(width, 780, scheme)
			p.screenshot(name + size + "-" + scheme)
			if os.Getenv("STREAMROOM_AXE") != "" {
				p.accessible(axe(p.t), name+size+", "+scheme)
			}
			if eval[int64](p, `document.documentElement.scrollWidth`) > width {
				p.t.Errorf("%s: the page is wider than %d px", name, width)
			}
		}
	}
	p.look(1200, 800, "light")
}

const closed = `document.querySelector("[data-testid=composer-closed]")`

// inWeekend has alice in her new room Weekend, with bob, who is elsewhere, and carol, who has
// never signed in.
func inWeekend(t *testing.T) (alice, bob *page, weekend string) {
	t.Helper()
	url := attachmentServer(t)
	alice = inRoom(t, url, "alice")
	bob = inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	alice.click("new-room")
	alice.typed("Weekend\tbob, carol\n")
	alice.click("confirm-yes") // of carol
	alice.until(`document.getElementById("room-name").textContent === "Weekend"`)
	return alice, bob, eval[string](alice, `decodeURIComponent(location.hash.slice("#/room/".length))`)
}

// An owner makes a moderator, who deletes what others wrote; mutes a member, who sees it
// and writes again; bans one, who sees that, and lifts the ban.
func TestModeration(t *testing.T) {
	t.Parallel()
	alice, bob, weekend := inWeekend(t)
	alice.send("Buy my watches!")
	alice.until(`document.querySelector("[data-status=sent]") !== null`)
	bob.openRoom(weekend)
	bob.shows("Buy my watches!")
	bob.do(`document.querySelector("[data-testid=message]").focus()`)
	const bin = `document.querySelector("[data-testid=delete]")`
	if !eval[bool](bob, bin+`.hidden`) {
		t.Error("a plain member is offered to delete a message of someone else")
	}
	bob.click("members")
	bob.offered("carol", "Block")
	bob.escape()

	alice.click("members")
	const mutes = "Mute for 10 minutes,Mute for 1 hour,Mute for 1 day,Remove,Ban,Block"
	alice.offered("bob", "Make moderator,Make owner,"+mutes)
	alice.manage("bob", "make-moderator")
	alice.until(`document.querySelector("[data-user-id=bob] .role")?.textContent === "Moderator"`)
	alice.until(`document.getElementById("member-status").textContent.includes("bob") && document.activeElement?.dataset.menu === "bob"`)
	alice.offered("bob", "Make owner,Take the role back,"+mutes)
	alice.do(`document.querySelector("[data-menu=bob]").click()`)
	alice.looksOf("member-menu")
	alice.escape()

	// What a moderator may do is there without a reload.
	bob.do(`document.querySelector("[data-testid=message]").focus()`)
	bob.until(`!` + bin + `.hidden`)
	bob.click("members")
	bob.offered("carol", mutes)
	bob.offered("alice", "Block")
	bob.escape()
	bob.do(`document.querySelector("[data-testid=message]").focus()`)
	bob.key("Delete", "Delete", 46, 0)
	bob.until(`document.getElementById("confirm-title").textContent.replace(/[\u2068\u2069]/g, "") === "Delete a message of alice?"`)
	bob.click("confirm-yes")
	alice.escape()
	for _, p := range []*page{alice, bob} {
		p.shows("Deleted by a moderator")
	}
	alice.looksOf("deleted-by-a-moderator")

	// A mute is seen where one writes, keeps what was begun, and ends.
	alice.click("members")
	alice.manage("bob", "make-member")
	alice.until(`document.querySelector("[data-user-id=bob] .role") === null`)
	bob.do(`document.getElementById("composer-input").focus()`)
	bob.typed("Sorry, I")
	alice.manage("bob", "mute")
	alice.until(`document.querySelector("[data-user-id=bob]").innerText.includes("Muted until")`)
	alice.looksOf("members-muted")
	bob.until(closed + `.innerText.startsWith("You are muted in this room until ") && document.getElementById("composer").hidden`)
	bob.until(`document.activeElement === ` + closed)
	bob.until(`document.getElementById("announcer").lastChild.textContent.startsWith("You are muted")`)
	bob.looksOf("muted")
	alice.offered("bob", "Make moderator,Make owner,Unmute,"+mutes)
	alice.manage("bob", "unmute")
	bob.until(closed + `.hidden && document.activeElement?.id === "composer-input"`)
	bob.typed(" was wrong\n")
	bob.shows("Deleted by a moderator", "Sorry, I was wrong")
	bob.do(`(async () => {
		const { token } = await (await fetch("/token", { method: "POST", body: '{"user":"alice"}', headers: { "Content-Type": "application/json" } })).json();
		await fetch("/api/rooms/` + weekend + `/members?userId=bob", {
			method: "PATCH", body: JSON.stringify({ mutedUntil: Date.now() + 1500 }),
			headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
		});
	})()`)
	bob.until(`!` + closed + `.hidden`)
	bob.until(closed + `.hidden && !document.getElementById("composer").hidden`)

	// A banned user sees that the room is gone, and may be let in again.
	alice.manage("bob", "ban")
	alice.click("confirm-yes")
	bob.until(`document.querySelector("#room-note h3")?.textContent === "This room is no longer yours" && document.getElementById("composer").hidden`)
	bob.until(`document.querySelector("[data-room-id='` + weekend + `']") === null`)
	bob.looksOf("banned")
	alice.until(`document.querySelector("[data-menu=bob]") === null`)
	alice.do(`document.getElementById("member-name").value = "bob"`)
	alice.click("member-add")
	alice.until(`document.getElementById("member-problem").textContent === "Banned from this room. A moderator can lift that."`)
	alice.click("bans")
	alice.until(`document.querySelector("#bans [data-user-id=bob]")?.innerText.includes("By")`)
	alice.do(`document.querySelector("#bans button").scrollIntoView()`)
	alice.looksOf("bans")
	alice.do(`document.querySelector("#bans button").click()`)
	alice.until(`document.querySelector("#bans [data-user-id=bob]") === null && document.activeElement?.dataset.testid === "bans"`)
	alice.click("member-add")
	bob.openRoom(weekend)
	bob.shows("Deleted by a moderator", "Sorry, I was wrong")
}

// Whom a user blocks is said in the list of members, in the direct message, where nothing
// can be written then, and in the profile; all of them end it.
func TestBlocks(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice := inRoom(t, url, "alice")
	bob := inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	alice.until(`document.querySelector("[data-testid=members]").textContent.includes("2 members")`)
	alice.click("members")
	alice.manage("bob", "block")
	alice.looksOf("block-asked")
	alice.click("confirm-yes")
	alice.until(`document.querySelector("[data-user-id=bob]").innerText.includes("Blocked by you")`)
	alice.offered("bob", "Unblock")
	alice.escape()
	bob.click("new-direct")
	bob.typed("alice\n")
	bob.until(`document.querySelector("#new-direct-dialog .problem").textContent === "You may not do that here."`)
	bob.escape()

	alice.click("account")
	alice.click("blocks")
	alice.until(`document.querySelector("#blocks [data-user-id=bob]") !== null`)
	alice.looksOf("blocks")
	alice.do(`document.querySelector("#blocks button").click()`)
	alice.until(`document.querySelector("#blocks [data-user-id=bob]") === null && document.activeElement?.dataset.testid === "blocks"`)
	alice.escape()

	alice.click("new-direct")
	alice.typed("bob\n")
	alice.until(`document.getElementById("room-name").textContent === "bob"`)
	alice.send("Hello")
	alice.shows("Hello")
	direct := eval[string](alice, `decodeURIComponent(location.hash.slice("#/room/".length))`)
	bob.openRoom(direct)
	alice.click("members")
	alice.looksOf("members-direct")
	alice.click("room-block")
	alice.click("confirm-yes")
	alice.until(`document.querySelector("[data-testid=room-block]").textContent === "Unblock"`)
	alice.escape()
	alice.until(closed + `.innerText.replace(/[\u2068\u2069]/g, "").startsWith("You have blocked bob.")`)
	alice.looksOf("blocked")
	bob.send("Hey?")
	bob.until(`document.querySelector("[data-status=failed]")?.innerText.includes("Not sent. You may not do that here.")`)
	alice.run(chromedp.Reload())
	alice.until(closed + `?.innerText.includes("You have blocked")`)
	alice.click("unblock")
	alice.until(closed + `.hidden && document.activeElement?.id === "composer-input"`)
	bob.click("retry")
	alice.shows("Hello", "Hey?")
}
