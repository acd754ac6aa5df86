package web_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// reactions tells what is below each message that has some: each with its count, and
// whether it is the reader's.
const reactions = `[...document.querySelectorAll("[data-testid=reactions]:not([hidden])")].map((list) =>
	[...list.querySelectorAll("[data-testid=reaction]")].map((b) => b.textContent + (b.getAttribute("aria-pressed") === "true" ? "!" : "")).join(" ")).join()`

// Two people react to a message: by keyboard, by pointer, and with what they type; both
// see it live, after a reload, and after being offline.
func TestReactions(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	url := attachmentServer(t)
	alice, bob := inRoom(t, url, "alice"), inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	alice.send("Tea or coffee?")
	bob.until(`document.querySelectorAll("[data-testid=message][data-message-id]").length === 1`)
	alice.until(`document.querySelectorAll("[data-testid=message][data-message-id]").length === 1`)

	// By keyboard: up to the message, +, and the first of those that are offered.
	bob.do(`document.querySelector("[data-testid=message]").focus()`)
	bob.key("+", "Equal", 187, 8)
	bob.until(`document.activeElement.getAttribute("aria-label") === "Thumbs up"`)
	for _, scheme := range []string{"light", "dark"} {
		bob.look(390, 780, scheme)
		bob.screenshot("react-dialog-" + scheme)
	}
	bob.do(`document.activeElement.click()`)
	bob.until(reactions + ` === "👍1!"`)
	bob.until(`document.activeElement.matches("[data-testid=message]")`)
	alice.until(reactions + ` === "👍1"`)
	alice.until(`document.getElementById("announcer").textContent.includes("bob reacted to your message: 👍")`)
	alice.until(`document.querySelector("[data-testid=reaction]").getAttribute("aria-label") === "👍, 1 person"`)

	// By pointer, with what is there, and with what is typed.
	alice.click("reaction")
	for _, page := range []*page{alice, bob} {
		page.until(reactions + ` === "👍2!"`)
	}
	alice.do(`document.querySelector(".reaction.more").click()`)
	alice.do(`document.querySelector("[data-testid=react-other]").focus()`)
	alice.typed("no\n")
	alice.until(`document.getElementById("react-problem").textContent === "Type one emoji, or a name such as :tada:."`)
	alice.do(`document.querySelector("[data-testid=react-other]").value = ""`)
	alice.typed(":tada:\n")
	alice.until(`!document.getElementById("react-dialog").open`)
	alice.until(reactions + ` === "👍2! :tada:1!"`)
	bob.until(reactions + ` === "👍2! :tada:1"`)
	for _, scheme := range []string{"light", "dark"} {
		alice.look(320, 640, scheme)
		alice.screenshot("reactions-" + scheme)
	}
	alice.look(1100, 700, "light")
	alice.screenshot("reactions-wide")

	// Taken back; a reload reads it from history.
	bob.click("reaction")
	for page, want := range map[*page]string{alice: "👍1! :tada:1!", bob: "👍1 :tada:1"} {
		page.until(reactions + ` === "` + want + `"`)
	}
	bob.do(`location.reload()`)
	bob.until(`document.readyState === "complete" && ` + reactions + ` === ":tada:1 👍1"`) // in the order of history

	// Offline it shows at once, and is sent when the network is back.
	bob.offline(true)
	bob.do(`document.querySelector("[data-reaction=👍]").click()`)
	bob.until(reactions + ` === ":tada:1 👍2!"`)
	bob.offline(false)
	alice.until(reactions + ` === "👍2! :tada:1!"`)

	// What is deleted has none.
	alice.do(`document.querySelector("[data-testid=message]").focus()`)
	alice.key("Delete", "Delete", 46, 0)
	alice.click("confirm-yes")
	for _, page := range []*page{alice, bob} {
		page.until(reactions + ` === ""`)
	}
}

// A finger opens what is offered, chooses, types any emoji, and takes back.
func TestReactionsByTouch(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice, bob := inRoom(t, url, "alice"), inRoom(t, url, "bob")
	alice.send("Tea or coffee?")
	bob.shows("Tea or coffee?")
	bob.look(390, 780, "light")
	bob.touched()
	bob.tap(".message .text")
	bob.until(`document.querySelector("[data-testid=react]")?.checkVisibility()`)
	bob.tap("[data-testid=react]")
	bob.until(`document.getElementById("react-dialog").open && document.activeElement.matches(".choice")`) // no keyboard covers them
	bob.tap("[data-testid=choice][aria-label=Heart]")
	bob.until(`!document.getElementById("react-dialog").open`)
	bob.until(reactions + ` === "❤️1!"`)
	alice.until(reactions + ` === "❤️1"`)

	bob.tap(".reaction.more")
	bob.until(`document.getElementById("react-dialog").open`)
	bob.until(`document.querySelector("[data-testid=choice][aria-label=Heart]").getAttribute("aria-pressed") === "true"`)
	bob.tap("[data-testid=react-other]")
	bob.until(`document.activeElement.id === "react-other"`)
	bob.inserted("🦊🦊")
	bob.tap("[data-testid=react-submit]")
	bob.until(`document.getElementById("react-problem").textContent.startsWith("Type one emoji")`)
	bob.do(`document.getElementById("react-other").select()`)
	bob.inserted("👩🏽‍🚀")
	bob.screenshot("react-touch")
	bob.tap("[data-testid=react-submit]")
	bob.until(`!document.getElementById("react-dialog").open`)
	bob.until(reactions + ` === "❤️1! 👩🏽‍🚀1!"`)
	alice.until(reactions + ` === "❤️1 👩🏽‍🚀1"`)

	bob.tap("[data-testid=reaction]")
	bob.until(reactions + ` === "👩🏽‍🚀1!"`)
	alice.until(reactions + ` === "👩🏽‍🚀1"`)
}

// inserted writes a text where the focus is, as a keyboard on the screen does.
func (p *page) inserted(text string) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// A reaction that could not be sent is there after a reload, and is sent then.
func TestAReactionSurvivesAReload(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice := inRoom(t, url, "alice")
	alice.send("Tea or coffee?")
	alice.until(`document.querySelectorAll("[data-testid=message][data-message-id]").length === 1`)
	bob := openPage(t, strings.Replace(url, "127.0.0.1", "localhost", 1)+"/")
	bob.do(`const real = fetch; globalThis.fetch = (url, init) =>
		String(url).includes("/reactions") ? Promise.reject(new TypeError("no network")) : real(url, init)`)
	bob.signIn("bob")
	bob.until(`document.querySelectorAll("[data-testid=message][data-message-id]").length === 1`)
	bob.do(`document.querySelector("[data-testid=message]").focus()`)
	bob.key("+", "Equal", 187, 8)
	bob.until(`document.activeElement.getAttribute("aria-label") === "Thumbs up"`)
	bob.do(`document.activeElement.click()`)
	bob.until(reactions + ` === "👍1!"`)
	bob.do(`location.reload()`)
	alice.until(reactions + ` === "👍1"`)
	bob.until(`document.readyState === "complete" && ` + reactions + ` === "👍1!"`)
	bob.until(`Object.keys(localStorage).filter((key) => key.startsWith("streamroom reaction ")).length === 0`)
}
