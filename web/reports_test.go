package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// asks has someone who has no page here ask the API for something, as the protocol says.
func (p *page) asks(user, method, path, body string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`globalThis.asked = undefined; (async () => {
		const type = { "Content-Type": "application/json" };
		const { token } = await (await fetch("/token", { method: "POST", body: JSON.stringify({ user: %q }), headers: type })).json();
		const { status } = await fetch("/api" + %q, { method: %q, body: %q, headers: { ...type, Authorization: "Bearer " + token } });
		globalThis.asked = status;
	})()`, user, path, method, body))
	p.until(`globalThis.asked >= 200 && globalThis.asked < 300`)
}

// A member reports messages of another one, and sees where that is refused; an owner reads
// the reports, goes to a message, deletes one, and dismisses the others.
func TestModerationReports(t *testing.T) {
	t.Parallel()
	alice, bob, weekend := inWeekend(t)
	for _, content := range []string{"Buy my watches!", "Hi", "Only today!"} {
		alice.asks("carol", "POST", "/rooms/"+weekend+"/messages", `{"content":"`+content+`"}`)
	}
	alice.shows("Buy my watches!", "Hi", "Only today!")
	bob.openRoom(weekend)
	bob.shows("Buy my watches!", "Hi", "Only today!")
	bob.opened()
	const dialog = `document.getElementById("report-dialog")`
	at := func(n int) string { return fmt.Sprintf(`document.querySelectorAll("[data-testid=message]")[%d]`, n) }
	report := func(n int) {
		bob.do(at(n) + `.focus()`)
		bob.do(`document.querySelector("[data-testid=report]").click()`)
		bob.until(dialog + `.open && document.activeElement?.id === "report-reason"`)
	}

	alice.do(at(1) + `.focus(), document.querySelector("[data-testid=report]").focus()`)
	alice.looksOf("report-offered")
	bob.do(at(0) + `.focus()`)
	bob.key("!", "Digit1", 49, shift)
	bob.until(dialog + `.open && document.activeElement?.id === "report-reason"`)
	bob.until(dialog + `.innerText.includes("Who moderates this room sees it") && ` + dialog + `.innerText.includes("carol does not")`)
	bob.looksOf("report")
	bob.typed("He writes this everywhere\n")
	bob.until(`!` + dialog + `.open && document.getElementById("toast").textContent === "Message reported."`)
	bob.until(`document.activeElement === ` + at(0))
	report(1)
	bob.typed("\n")
	bob.until(`document.getElementById("report-hint").textContent === ""`)
	report(2)
	third := eval[string](bob, at(2)+`.dataset.messageId`)
	bob.asks("carol", "DELETE", "/rooms/"+weekend+"/messages/"+third, "")
	bob.typed("Again\n")
	bob.until(`document.getElementById("report-problem").textContent === "That isn’t there any more."`)
	bob.looksOf("report-refused")
	// Its close event comes later than the dialog is gone, and who writes by then goes on.
	bob.do(dialog + `.close(), document.getElementById("composer-input").focus()`)
	bob.until(`document.getElementById("report-hint").textContent === ""`)
	if !eval[bool](bob, `document.activeElement.id === "composer-input"`) {
		t.Error("a closed dialog takes the focus from the composer")
	}
	bob.send("It stops now")
	bob.until(`document.querySelector("[data-status=sent].own") !== null`)
	bob.do(at(3) + `.focus()`)
	if !eval[bool](bob, `document.querySelector("[data-testid=report]").hidden`) {
		t.Error("one is offered to report a message of one's own")
	}
	bob.click("members")
	bob.until(`document.querySelector("[data-testid=member]") !== null`)
	if eval[bool](bob, `document.querySelector("[data-testid=reports]").checkVisibility()`) {
		t.Error("a plain member is offered the reports")
	}
	bob.escape()

	first := eval[string](bob, at(0)+`.dataset.messageId`)
	alice.asks("alice", "POST", "/rooms/"+weekend+"/messages/"+first+"/report", `{"reason":"Spam"}`)
	const row = `[...document.querySelectorAll("#reports [data-testid=listed]")]`
	open := func() {
		alice.click("members")
		alice.until(`document.querySelector("[data-testid=reports]").checkVisibility()`)
		alice.click("reports")
		alice.until(row + `.length === 2`)
	}
	choose := func(n int, name string) string {
		button := fmt.Sprintf(row+`[%d]?.querySelector("[aria-label='%s: carol']")`, n, name)
		alice.do(button + `.focus(), ` + button + `.click()`)
		return button
	}
	open()
	texts := eval[[]string](alice, row+`.map((r) => r.innerText)`)
	for i, want := range [][]string{
		{"carol", " · Hi", "Reported by bob, "},
		{"carol", " · Buy my watches!", "Reported by bob, ", " · He writes this everywhere", "Reported by alice, ", " · Spam"},
	} {
		for _, part := range want {
			if !strings.Contains(texts[i], part) {
				t.Errorf("report %d says %q, want %q in it", i, texts[i], part)
			}
		}
	}
	alice.do(row + `[0].parentElement.scrollIntoView()`)
	alice.looksOf("reports")
	choose(1, "Go to the message")
	alice.until(`document.querySelector("dialog[open]") === null && document.activeElement === ` + at(0))

	open()
	button := choose(1, "Delete message")
	alice.until(`document.getElementById("confirm-title").textContent === "Delete a message of carol?"`)
	alice.looksOf("report-delete")
	alice.escape()
	alice.until(`document.activeElement === ` + button)
	alice.until(`document.getElementById("confirm-title").textContent === ""`) // that comes later: until then the button waits for the answer
	choose(1, "Delete message")
	alice.click("confirm-yes")
	alice.until(row + `.length === 1 && document.activeElement === ` + row + `[0].querySelector("button")`)
	bob.shows("Deleted by a moderator", "Hi", "Message deleted", "It stops now")
	choose(0, "Dismiss")
	alice.until(row + `.length === 0 && document.activeElement?.dataset.testid === "reports"`)
	alice.until(`document.querySelector("#reports [role=status]").textContent === "Dismissed."`)
	alice.escape()
	alice.click("members")
	alice.click("reports")
	alice.until(`document.querySelector("#reports [role=status]").textContent === "No message is reported."`)
	alice.shows("Deleted by a moderator", "Hi", "Message deleted", "It stops now")
}
