package web_test

import (
	"strings"
	"testing"
)

// typing waits until the line below the messages says this.
func (p *page) typing(words string) {
	p.t.Helper()
	p.until(`document.querySelector("[data-testid=typing] span").textContent.replace(/[\u2068\u2069]/g, "") === "` + words + `"`)
}

// Who types is seen below the messages, by screen readers, too, until their message comes
// or they stop.
func TestTyping(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice, bob := inRoom(t, url, "alice"), inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	alice.until(`document.querySelector("[data-testid=members]").textContent.includes("2 members")`)
	bob.until(`document.querySelector("[data-testid=members]").textContent.includes("2 members")`)
	alice.typing("")
	bob.do(`document.getElementById("composer-input").focus()`)
	bob.typed("Te")
	alice.typing("bob is typing")
	alice.until(`document.querySelector("[data-testid=typing]").getAttribute("role") === "status"`)
	for _, scheme := range []string{"light", "dark"} {
		alice.look(320, 640, scheme)
		alice.screenshot("typing-" + scheme)
	}
	bob.typed("a\n")
	alice.shows("Tea")
	alice.typing("")
	poll(t, func() bool { // the server takes it once in 3 s
		bob.typed("o")
		return eval[bool](alice, `document.querySelector("[data-testid=typing] span").textContent !== ""`)
	})
	alice.typing("") // he stopped
	bob.typing("")
}

// Who is online has a dot, and words for screen readers; one may hide it.
func TestPresence(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice := inRoom(t, url, "alice")
	bob := inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	alice.click("new-direct")
	alice.typed("bob\n")
	alice.until(`document.getElementById("room-name").textContent === "bob"`)
	const online = `document.querySelector("[aria-current=page] .avatar").classList.contains("online")`
	alice.until(online + ` && document.querySelector("[aria-current=page]").textContent.includes("online")`)
	alice.until(`document.getElementById("room-kind").textContent === "Online"`)
	for _, scheme := range []string{"light", "dark"} {
		alice.look(1000, 640, scheme)
		alice.screenshot("presence-" + scheme)
	}
	alice.click("members")
	alice.until(`document.querySelector("[data-user-id=bob] [data-testid=seen]")?.textContent === "Online"`)
	alice.look(320, 640, "dark")
	alice.screenshot("presence-members")
	alice.escape()

	// Bob hides it.
	bob.click("account")
	bob.until(`!document.getElementById("profile-hidden").disabled && !document.getElementById("profile-hidden").checked`)
	bob.click("profile-hidden")
	bob.screenshot("presence-hide")
	bob.click("profile-save")
	alice.until(`!` + online)
	alice.until(`document.getElementById("room-kind").textContent === "Direct message"`)
	bob.click("account")
	bob.until(`!document.getElementById("profile-hidden").disabled && document.getElementById("profile-hidden").checked`)
	bob.click("profile-hidden")
	bob.click("profile-save")
	alice.until(online)
}
