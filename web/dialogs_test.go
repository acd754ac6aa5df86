package web_test

import (
	"fmt"
	"strings"
	"testing"
)

// The close event comes later than a dialog is gone: one that is open again by then keeps
// what is typed in it, and does what it is for.
func TestADialogThatIsOpenAgainAtOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.opened()
	for _, c := range []struct{ dialog, opens, input, typed, submits, done string }{
		{"profile-dialog", "account", "profile-name", "Alice A.", "profile-save", `document.getElementById("account-name").textContent === "Alice A."`},
		{"new-room-dialog", "new-room", "new-room-name", "Tea", "new-room-create", `document.getElementById("room-name").textContent === "Tea"`},
		{"new-direct-dialog", "new-direct", "new-direct-name", "bob", "new-direct-create", `document.getElementById("room-name").textContent === "bob"`},
	} {
		alice.click(c.opens)
		alice.until(fmt.Sprintf(`document.getElementById(%q).open`, c.dialog))
		alice.do(fmt.Sprintf(`{const dialog = document.getElementById(%q);
			globalThis.said = false;
			dialog.addEventListener("close", () => { globalThis.said = true; }, { once: true });
			dialog.close();
			document.querySelector("[data-testid=%s]").click();
			document.getElementById(%q).value = %q;}`, c.dialog, c.opens, c.input, c.typed))
		alice.until(`globalThis.said`)
		if got := eval[string](alice, fmt.Sprintf(`document.getElementById(%q).value`, c.input)); got != c.typed {
			t.Errorf("%s: %q is left of %q", c.dialog, got, c.typed)
		}
		if c.opens == "account" && !eval[bool](alice, `document.getElementById("profile-user").textContent === "alice"`) {
			t.Errorf("%s: it does not say whose it is", c.dialog)
		}
		alice.click(c.submits)
		alice.until(c.done + fmt.Sprintf(` && !document.getElementById(%q).open`, c.dialog))
	}
}

// A question that is asked again before the close event of the last one has come waits for
// its own answer.
func TestAQuestionThatIsAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"alice", "bob"}} })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	alice.click("members")
	alice.until(`document.querySelectorAll("[data-testid=member]").length === 2`)
	alice.click("member-menu")
	alice.click("member-remove")
	alice.until(`document.getElementById("confirm-dialog").open`)
	alice.do(`{const dialog = document.getElementById("confirm-dialog");
		globalThis.said = false;
		dialog.addEventListener("close", () => { globalThis.said = true; }, { once: true });
		dialog.close();
		for (const id of ["member-menu", "member-remove"]) document.querySelector("[data-testid=" + id + "]").click();}`)
	alice.until(`globalThis.said`)
	alice.click("confirm-yes")
	alice.until(`document.querySelectorAll("[data-testid=member]").length === 1`)
}

// Names are bounded in characters, as the server counts them, and what is too long stays to be
// shortened.
func TestANameThatIsTooLong(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	for _, c := range []struct {
		opens, input, submits, problem string
		most                           int
		done                           string
	}{
		{"account", "profile-name", "profile-save", "profile-problem", 64, `document.getElementById("account-name").textContent`},
		{"new-room", "new-room-name", "new-room-create", "new-room-problem", 100, `document.getElementById("room-name").textContent`},
	} {
		alice.click(c.opens)
		alice.until(fmt.Sprintf(`document.activeElement?.id === %q`, c.input))
		alice.inserted(strings.Repeat("🎉", c.most+2))
		alice.click(c.submits)
		alice.until(fmt.Sprintf(`document.getElementById(%q).textContent === "That is 2 characters too long."`, c.problem))
		alice.until(fmt.Sprintf(`document.activeElement.id === %q && document.activeElement.value.length === 2 * %d`, c.input, c.most+2))
		alice.do(fmt.Sprintf(`document.getElementById(%q).value = "🎉".repeat(%d)`, c.input, c.most))
		alice.click(c.submits)
		alice.until(c.done + fmt.Sprintf(` === "🎉".repeat(%d)`, c.most))
	}
}
