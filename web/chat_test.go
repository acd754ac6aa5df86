package web_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/shared/wire"
)

func TestTwoPeopleChat(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.until(`document.body.innerText.includes("Nothing has been said yet")`)
	alice.screenshot("empty")
	alice.send("Good morning")
	alice.shows("Good morning")
	bob.shows("Good morning")
	bob.send("お早うございます")
	bob.shows("Good morning", "お早うございます")
	alice.shows("Good morning", "お早うございます")
	alice.until(`document.querySelector("[data-testid=room-item]").innerText.includes("bob: お早うございます")`)

	storage := eval[string](alice, `JSON.stringify({...sessionStorage})`)
	if strings.Contains(storage, "e30.") || !strings.Contains(storage, "alice") {
		t.Errorf("session storage is %s: want the name, and no token", storage)
	}
}

func TestAReloadKeepsWhoIsSignedInAndSigningOutForgets(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	f.with(func() { f.down = true })
	alice.run(chromedp.Reload())
	alice.until(`!document.getElementById("banner").hidden`)
	alice.until(`document.getElementById("account-name").textContent === "alice"`)
	f.with(func() { f.down = false })
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	alice.until(`document.querySelector("[data-testid=connection-state]").textContent === "Connected"`)
	alice.opened()
	alice.typed("begun by alice")
	alice.run(click("#signout"))
	alice.until(`document.activeElement?.dataset.testid === "signin-name"`)
	alice.do(`document.getElementById("signin-name").value = ""`)
	alice.typed("bob\n")
	alice.opened()
	if draft := eval[string](alice, written); draft != "" {
		t.Errorf("bob finds %q in the composer", draft)
	}
}

// What waits and what was begun are there after a reload, and the page asks before
// it is left, while something waits.
func TestAReloadKeepsUnsentMessagesAndDrafts(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	asks := `!window.dispatchEvent(new Event("beforeunload", {cancelable: true}))`
	if eval[bool](alice, asks) {
		t.Error("the page asks though all is sent")
	}
	f.with(func() { f.down = true })
	f.dropAll()
	alice.until(`document.querySelector("[data-testid=connection-state]").textContent !== "Connected"`)
	alice.send("unsent")
	alice.mark("unsent", "waiting", "Waiting")
	alice.typed("begun")
	if !eval[bool](alice, asks) {
		t.Error("the page doesn't ask though a message waits")
	}
	// The dialog itself would wait for its answer.
	alice.do(`BeforeUnloadEvent.prototype.preventDefault = () => {}`)
	alice.run(chromedp.Reload())
	alice.mark("unsent", "waiting", "Waiting")
	alice.until(`document.querySelector("[data-testid=composer-input]").value === "begun"`)
	f.with(func() { f.down = false })
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	alice.mark("unsent", "sent", "Sent")
	alice.shows("unsent")
	if eval[bool](alice, asks) {
		t.Error("the page asks though all is sent")
	}
}

func TestShiftEnterBreaksALine(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.opened()
	alice.until(`document.querySelector("[data-testid=composer-send]").disabled`)
	alice.typed("one")
	alice.enter(shift)
	alice.typed("two")
	// The Enter that ends a Japanese word sends nothing.
	alice.do(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", isComposing: true, bubbles: true, cancelable: true}))`)
	alice.enter(0)
	alice.shows("one\ntwo")
	alice.until(`document.querySelector("[data-testid=composer-input]").value === ""`)
}

func TestContentStaysText(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	attack := `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, `<b>bob</b>`)
	bob.send(attack)
	alice.shows(attack)
	found := eval[int](alice, `document.querySelectorAll("#chat img, #chat script, #chat b").length`)
	title := eval[string](alice, `document.title`)
	if found != 0 || strings.Contains(title, "owned") {
		t.Errorf("content became markup: %d elements, title %q", found, title)
	}
}

func TestResumeAfterALostConnection(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.send("before")
	bob.shows("before")

	// The server stores what alice sends next, but its ack and broadcast are lost with the connection.
	f.with(func() {
		f.mute = true
		f.deliver = func(*fakeConn, wire.Message) []wire.Message { return nil }
	})
	alice.send("in between")
	alice.until(`document.querySelector("[data-status=sending]") !== null`)
	poll(t, func() bool { return f.count("general", "in between") == 1 })
	f.with(func() { f.down, f.mute, f.deliver = true, false, nil })
	f.dropAll()
	alice.until(`document.querySelector("[data-testid=connection-state]").dataset.state !== "online"`)
	alice.until(`!document.getElementById("banner").hidden`)
	alice.screenshot("reconnecting")
	f.say("general", "carol", "while you were away")
	alice.send("when back")
	f.with(func() { f.down = false })

	want := []string{"before", "in between", "while you were away", "when back"}
	alice.shows(want...)
	bob.shows(want...)
	for _, text := range want {
		if n := f.count("general", text); n != 1 {
			t.Errorf("%q is stored %d times", text, n)
		}
	}
	alice.until(`document.querySelector("[data-testid=connection-state]").textContent === "Connected"`)
}

func TestHolesAreFilledAndDuplicatesDropped(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.send("1")
	alice.shows("1")
	f.with(func() {
		f.deliver = func(_ *fakeConn, m wire.Message) []wire.Message {
			if m.Content == "2" {
				return nil
			}
			return []wire.Message{m, m}
		}
	})
	for i := 2; i <= 4; i++ {
		f.say("general", "bob", fmt.Sprint(i))
	}
	alice.shows("1", "2", "3", "4")
}

func TestEarlierMessages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 120, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint(i + 1) })
	f.with(func() { f.readAll("general", "alice") })
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 50`)
	if got := alice.texts(); got[0] != "71" || got[49] != "120" {
		t.Errorf("the newest page is %s to %s", got[0], got[49])
	}
	alice.toTop()
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 110`)
	// What was in view stays in view, so the start is reached again only by scrolling.
	top := eval[float64](alice, `document.getElementById("scroller").scrollTop`)
	if top < 500 {
		t.Errorf("after older messages came the view is at %v: it did not stay where it was", top)
	}
	alice.do(`document.getElementById("scroller").scrollTop = 0`)
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 120`)
	alice.until(`document.querySelector("[data-testid=older]").hidden`)
	if got := alice.texts(); got[0] != "1" || !slices.IsSortedFunc(got, func(a, b string) int { return len(a) - len(b) }) {
		t.Errorf("history is out of order: %q", got)
	}
}

func TestNewMessagesWhileReadingEarlierOnes(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 45, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint(i) })
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 45`)
	alice.do(`document.getElementById("scroller").scrollTop = 400`)
	alice.until(`!document.getElementById("newest").hidden`)
	f.say("general", "bob", "look")
	alice.until(`document.getElementById("newest").innerText === "1 new message"`)
	alice.run(click("#newest"))
	alice.until(`document.getElementById("newest").hidden`)
}

func TestRoomsAndMembers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice, bob, carol := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob"), signedIn(t, f.URL, "carol")
	alice.click("new-room")
	alice.typed("Weekend\tbob, bob ,")
	alice.screenshot("new-room")
	alice.enter(0)
	alice.until(`document.getElementById("room-name").textContent === "Weekend"`)
	bob.openRoom("room-1")
	alice.send("Hiking on Saturday?")
	bob.shows("Hiking on Saturday?")

	alice.click("members")
	alice.until(`document.querySelectorAll("[data-testid=member]").length === 2`)
	alice.run(click("#member-name"))
	alice.typed("carol\n")
	alice.until(`document.querySelectorAll("[data-testid=member]").length === 3`)
	carol.openRoom("room-1")
	carol.shows("Hiking on Saturday?")
	bob.until(`document.getElementById("room-members").innerText === "3 members"`)

	// A message elsewhere moves its room up and marks it unread.
	f.say("general", "dave", "anyone?")
	bob.until(`document.querySelector("[data-testid=room-item]").dataset.roomId === "general"`)
	bob.until(`document.querySelector("[data-testid=room-item] [data-testid=unread]").innerText === "1"`)
	bob.until(`document.title === "(1) Streamroom"`)
}

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	tries := 0
	f.with(func() {
		f.refuse = func(frame wire.ClientFrame) any {
			switch {
			case frame.Content == "never":
				return wire.Error{Type: wire.TypeError, Code: "not_a_member", Message: "no", ClientMessageID: frame.ClientMessageID}
			case tries < 2:
				tries++
				return map[string]string{"message": "Internal server error", "connectionId": "c=", "requestId": "r="}
			default:
				return nil
			}
		}
	})
	alice.send("the gateway fails at this twice")
	alice.shows("the gateway fails at this twice")
	alice.send("never")
	alice.until(`document.querySelector("[data-status=failed]")?.innerText.includes("You are not a member of this room.")`)
	alice.send("goes on")
	alice.until(`document.querySelectorAll("[data-status=sent]").length === 2`)
	alice.screenshot("refused")
	f.with(func() { f.refuse = nil })
	alice.click("retry")
	alice.shows("the gateway fails at this twice", "goes on", "never")
}

// A message whose sender is over a limit says until when it waits. A reload or a new
// connection doesn't send it earlier, and its sender may give it up.
func TestAMessageThatHasToWait(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.say("general", "bob", "hello")
	alice := signedIn(t, f.URL, "alice")
	tries := 0
	f.with(func() {
		f.refuse = func(frame wire.ClientFrame) any {
			if frame.ChatRoomID != "general" {
				return nil
			}
			tries++
			return wire.Error{
				Type: wire.TypeError, Code: "rate_limited", Message: "no", ClientMessageID: frame.ClientMessageID,
				RetryAfter: (40 * time.Minute).Milliseconds(),
			}
		}
	})
	alice.openRoom("general")
	alice.send("see you")
	const waits = `/^You have sent a lot\. This is sent again at .*\d:\d\d.*\. Cancel$/u.test(document.querySelector("[data-status=waiting] .underway")?.textContent)`
	alice.until(waits)
	alice.mark("see you", "waiting", "Waiting")
	alice.looksOf("has-to-wait")
	f.disconnect(alice)
	f.with(func() { f.down = false })
	for range 2 {
		alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
		alice.until(`document.querySelector("[data-testid=connection-state]").textContent === "Connected"`)
		alice.until(waits)
		alice.do(`BeforeUnloadEvent.prototype.preventDefault = () => {}`) // it would ask
		alice.run(chromedp.Reload())
	}
	alice.until(waits)
	alice.click("discard")
	alice.until(`document.querySelector(".own[data-testid=message]") === null`)
	f.with(func() {
		if tries != 1 {
			t.Errorf("the message was sent %d times, want 1", tries)
		}
	})
}

func TestSignInProblems(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := openPage(t, f.URL+"/")
	p.until(`document.activeElement?.dataset.testid === "signin-name"`)
	p.screenshot("signin-light")
	for _, tt := range []struct{ name, problem string }{
		{"", "Type a name first."},
		{"a#b", "can’t have #"},
		{"refused", "this name is not allowed here"},
	} {
		p.do(`document.getElementById("signin-name").value = ""`)
		p.typed(tt.name + "\n")
		p.until(fmt.Sprintf(`document.getElementById("signin-error").textContent.includes(%q)`, tt.problem))
	}
}

func TestUnitsInTheBrowser(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	p := openPage(t, f.URL+"/sources/testdata/unit.html")
	p.until(`globalThis.results !== undefined`)
	results := eval[[]struct {
		Name    string `json:"name"`
		Problem string `json:"problem"`
	}](p, `results`)
	if len(results) == 0 {
		t.Fatal("no test ran")
	}
	for _, r := range results {
		t.Run(r.Name, func(t *testing.T) {
			if r.Problem != "" {
				t.Error(r.Problem)
			}
		})
	}
}

// nodeJS is the program of Node.js; it skips the test where there is none.
func nodeJS(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("STREAMROOM_REQUIRE_NODE") != "" {
		t.Fatal("no Node.js is installed, and STREAMROOM_REQUIRE_NODE asks for it")
	}
	if err != nil {
		t.Skip("no Node.js is installed")
	}
	return node
}

// The library needs no page: it is tested in Node.js, too, which takes a second.
func TestUnitsInNode(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), nodeJS(t), "testdata/run.js").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// An address can be followed, and learns nothing of the page; code is shown as it is written.
func TestLinksAndCode(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice, bob := signedIn(t, f.URL, "alice"), signedIn(t, f.URL, "bob")
	alice.send("see https://example.com/a?b=c, or javascript:alert(1), and `x < y`")
	alice.until(`document.querySelector("[data-testid=message][data-status=sent]") !== null`)
	f.say("general", "bob", "```go\nif a <b> {\n\tb()\n}\n```")
	for _, page := range []*page{alice, bob} {
		page.shows("see https://example.com/a?b=c, or javascript:alert(1), and x < y", "if a <b> {\n\tb()\n}")
		page.until(`[...document.querySelectorAll(".text a")].map((a) => [a.href, a.target, a.rel, a.textContent].join(" ")).join() ===
			"https://example.com/a?b=c _blank noopener noreferrer https://example.com/a?b=c"`)
		page.until(`[...document.querySelectorAll("[data-testid=message] code")].map((c) => c.parentElement.localName).join() === "div,pre"`)
	}
	// What was an address is none after an edit.
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("composer-input").value.startsWith("see https")`)
	alice.do(`document.getElementById("composer-input").value = "see nothing"; document.getElementById("composer-input").dispatchEvent(new Event("input"))`)
	alice.enter(0)
	for _, page := range []*page{alice, bob} {
		page.until(`document.querySelector(".text").textContent === "see nothing" && document.querySelector(".text a") === null`)
	}
}
