package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// quotes tells what each message that answers one quotes.
const quotes = `[...document.querySelectorAll("[data-testid=quote]:not([hidden])")].map((q) => [...q.children].map((c) => c.textContent).join(": ")).join()`

// Someone answers a message by keyboard, or by the button that comes with the pointer;
// everyone sees which one, as it is now.
func TestReplies(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice, bob := inRoom(t, url, "alice"), inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	alice.send("Tea or coffee?")
	bob.until(`document.querySelectorAll("[data-testid=message][data-message-id]").length === 1`)

	// By keyboard: up to the message, R, the answer.
	bob.do(`document.querySelector("[data-testid=message]").focus()`)
	bob.key("r", "KeyR", 82, 0)
	bob.until(`document.activeElement.id === "composer-input"`)
	bob.until(`document.querySelector("[data-testid=replying]:not([hidden]) span").textContent === "Replying to alice: Tea or coffee?"`)
	bob.escape()
	bob.until(`document.querySelector("[data-testid=replying]").hidden`)
	bob.do(`document.querySelector("[data-testid=message]").focus()`)
	bob.key("r", "KeyR", 82, 0)
	bob.typed("Te")
	for _, scheme := range []string{"light", "dark"} {
		bob.look(390, 780, scheme)
		bob.screenshot("replying-" + scheme)
	}
	bob.typed("a\n")
	for _, page := range []*page{alice, bob} {
		page.shows("Tea or coffee?", "Tea")
		page.until(quotes + ` === "alice: Tea or coffee?"`)
	}
	bob.until(`document.querySelector("[data-testid=replying]").hidden`)

	// By pointer; others' messages are not edited or deleted.
	alice.do(`[...document.querySelectorAll(".bubble")].at(-1).dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
	alice.until(`[...document.querySelectorAll(".actions button:not([hidden])")].map((b) => b.title).join() === "React,Reply,Mark as unread,Report"`)
	alice.click("reply")
	alice.typed("Me too\n")
	bob.until(quotes + ` === "alice: Tea or coffee?,bob: Tea"`)

	// What is quoted is shown as it is now; a reload reads it from history.
	bob.do(`document.querySelector("[data-testid=quote]:not([hidden])").click()`)
	bob.until(`document.activeElement.querySelector(".text")?.textContent === "Tea or coffee?"`)
	bob.arrow("ArrowDown", 0)
	bob.key("Delete", "Delete", 46, 0)
	bob.click("confirm-yes")
	for _, page := range []*page{alice, bob} {
		page.until(quotes + ` === "bob: Message deleted"`)
	}
	alice.do(`location.reload()`)
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 3`)
	alice.until(quotes + ` === "bob: Message deleted"`)
}

// A quote leads to its message, however far back that is.
func TestAQuoteLeadsFarBack(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 300, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint("message ", i) })
	f.with(func() {
		messages := f.rooms["general"].messages
		first, last := messages[20], &messages[len(messages)-1]
		last.ReplyTo = &wire.Quote{MessageID: first.MessageID, SenderID: "bob", Preview: first.Content}
		messages[len(messages)-2].ReplyTo = &wire.Quote{MessageID: "01BX5ZZKBKACTAV9WEVGEMMVRZ", SenderID: "bob", Preview: "gone"}
		f.readAll("general", "alice")
	})
	alice := signedIn(t, f.URL, "alice")
	alice.until(quotes + ` === "bob: gone,bob: message 20"`)
	alice.do(`[...document.querySelectorAll("[data-testid=quote]:not([hidden])")].at(-1).click()`)
	const found = `document.activeElement.matches(".message") && document.activeElement`
	alice.until(found + `.querySelector(".text").textContent === "message 20"`)
	alice.until(found + `.getBoundingClientRect().top > 0 && ` + found + `.getBoundingClientRect().bottom < innerHeight`)
	alice.click("newest")
	alice.do(`[...document.querySelectorAll("[data-testid=quote]:not([hidden])")].at(-2).click()`)
	alice.until(`document.getElementById("toast").textContent.startsWith("That message is too far back")`)
}
