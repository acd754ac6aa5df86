package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/local"
)

// zone moves the page to a time zone, as a device that travels.
func (p *page) zone(name string) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
		return err
	}))
	p.do(`document.dispatchEvent(new Event("visibilitychange"))`)
}

// days tells the headings and times of messages, each with its text.
const days = `[...document.querySelectorAll("[data-testid=message]")].map((m) => {
	const day = m.querySelector(".day");
	return [day.hidden ? "" : day.textContent, m.querySelector("time").textContent, m.querySelector(".text").textContent].join("|");
}).join()`

// Days and times are those of the place where the reader is, and of now.
func TestDaysFollowTheReader(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	// The clocks of Berlin go forward at 01:00 UTC of 29 March 2026: that day has 23 hours.
	at := func(text string) time.Time {
		when, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for i, when := range []string{"2026-03-28 22:30", "2026-03-28 23:30", "2026-03-29 21:30", "2026-03-29 22:30"} {
		f.fill("general", 1, at(when), func(int) (string, string) { return "bob", fmt.Sprint(i) })
	}
	alice := signedIn(t, f.URL, "alice")
	clock := func(utc string) {
		alice.do(fmt.Sprintf(`Date.now = () => %d`, at(utc).UnixMilli()))
		alice.do(`document.dispatchEvent(new Event("visibilitychange"))`)
	}
	alice.zone("Europe/Berlin")
	clock("2026-03-30 09:00")
	alice.until(days + ` === "Saturday, March 28, 2026|11:30 PM|0,Yesterday|12:30 AM|1,|11:30 PM|2,Today|12:30 AM|3"`)
	// Midnight passes, and nothing else happens.
	clock("2026-03-30 23:00")
	alice.until(days + `.endsWith("Yesterday|12:30 AM|3")`)
	// The reader travels.
	alice.zone("America/Sao_Paulo")
	alice.until(days + ` === "Saturday, March 28, 2026|07:30 PM|0,|08:30 PM|1,Yesterday|06:30 PM|2,|07:30 PM|3"`)
	alice.until(`document.querySelector(".room-item-time").textContent === "Yesterday"`)
	clock("2026-03-29 23:30")
	alice.until(`document.querySelector(".room-item-time").textContent === "07:30 PM"`)
}

// A day of another year says so: rooms whose days are alike would seem out of order.
func TestDaysOfOtherYears(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	at := time.Date(2024, time.November, 25, 12, 0, 0, 0, time.UTC)
	f.fill("general", 1, at, func(int) (string, string) { return "bob", "old" })
	alice := signedIn(t, f.URL, "alice")
	shows := func(now time.Time, want string) {
		t.Helper()
		alice.do(fmt.Sprintf(`Date.now = () => %d`, now.UnixMilli()))
		alice.do(`document.dispatchEvent(new Event("visibilitychange"))`)
		alice.until(`document.querySelector(".room-item-time").textContent === "` + want + `"`)
	}
	shows(at.AddDate(0, 1, 0), "Nov 25")
	shows(at.AddDate(0, 3, 0), "Nov 25, 2024")
	shows(at.AddDate(2, 0, 1), "Nov 25, 2024")
	alice.look(360, 640, "light")
	if eval[int](alice, `document.documentElement.scrollWidth`) > 360 {
		t.Error("the page is wider than the screen")
	}
}

// Enter that ends a composition sends nothing: Safari ends it before the key.
func TestEnterThatChoosesAWordSendsNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.opened()
	alice.typed("にほん")
	alice.do(`document.activeElement.dispatchEvent(new CompositionEvent("compositionend", {data: "日本", bubbles: true}))`)
	alice.do(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", keyCode: 229, bubbles: true, cancelable: true}))`)
	alice.typed("です\n")
	alice.shows("にほんです")
}

// What is written in a room stays there, however fast rooms are switched.
func TestQuickSwitchesMixNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("general", 3, time.Now().Add(-time.Minute), func(i int) (string, string) { return "bob", fmt.Sprint("general ", i) })
	f.fill("team", 3, time.Now(), func(i int) (string, string) { return "bob", fmt.Sprint("team ", i) })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	// On a slow device the page gets an Enter late, from before it showed the room that was chosen.
	write := func(text string) {
		alice.do(`document.getElementById("composer-input").focus()`)
		alice.typed(text)
	}
	switchTo := func(room string) {
		alice.do(`(() => {
			const early = new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true});
			location.hash = "#/room/` + room + `";
			window.dispatchEvent(new HashChangeEvent("hashchange"));
			document.getElementById("composer-input").dispatchEvent(early);
		})()`)
	}
	alice.shows("general 0", "general 1", "general 2")
	write("for general")
	switchTo("team")
	alice.shows("team 0", "team 1", "team 2")
	write("begun in team")
	switchTo("general")
	alice.shows("general 0", "general 1", "general 2")
	alice.until(`document.getElementById("composer-input").value === "for general"`)
	write("\n")
	alice.shows("general 0", "general 1", "general 2", "for general")
	switchTo("team")
	alice.until(`document.getElementById("composer-input").value === "begun in team"`)
	write("\n")
	alice.shows("team 0", "team 1", "team 2", "begun in team")
	// An edit that is begun isn't taken to another room, nor does it become a draft.
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("composer-input").value === "begun in team"`)
	alice.typed(" and changed")
	alice.openRoom("general")
	alice.until(`document.getElementById("composer-input").value === "" && document.getElementById("composer-editing").hidden`)
	alice.send("after an edit")
	alice.until(`document.querySelector("[data-testid=message]:last-child .text").textContent === "after an edit"`)
	alice.openRoom("team")
	alice.until(`document.getElementById("composer-input").value === "" && document.getElementById("composer-editing").hidden`)
	// It goes on where it was left, until it is given up.
	for _, text := range []string{"begun in team and changed", "begun in team"} {
		alice.arrow("ArrowUp", 0)
		alice.until(`document.getElementById("composer-input").value === "` + text + `"`)
		alice.escape()
		alice.until(`document.getElementById("composer-editing").hidden`)
	}
	if n := f.count("team", "after an edit") + f.count("general", "begun in team"); n != 0 {
		t.Errorf("%d messages went astray", n)
	}
}

// An edit that takes its time holds up nothing else.
func TestASlowEditLetsOthersThrough(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}} })
	f.fill("team", 1, time.Now(), func(int) (string, string) { return "bob", "hello" })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.send("helo")
	alice.shows("helo")
	release, held := make(chan struct{}), make(chan struct{})
	f.with(func() {
		f.hold = func(r *http.Request) {
			if r.Method == http.MethodPatch {
				close(held)
				<-release
			}
		}
	})
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("composer-input").value === "helo"`)
	alice.typed("!\n")
	<-held
	alice.openRoom("team")
	alice.send("in time")
	alice.shows("hello", "in time")
	f.with(func() { f.rooms["general"].messages[0].SenderID = "someone else" }) // it will be refused
	close(release)
	alice.until(`document.getElementById("announcer").textContent.includes("Your edit was not saved.")`)
	if problem := eval[string](alice, `document.getElementById("composer-problem").textContent`); problem != "" {
		t.Errorf("the room says %q about a message of another one", problem)
	}
}

// Deleting the last message, or the only one, leaves nothing of its text in the
// list, there and after a reload.
func TestADeletedLastMessageIsGoneFromTheList(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	alice, bob := signedIn(t, server.URL(), "alice"), signedIn(t, server.URL(), "bob")
	alice.send("a secret")
	bob.shows("a secret")
	alice.do(`document.querySelector("[data-testid=message].own").focus()`)
	alice.key("Delete", "Delete", 46, 0)
	alice.click("confirm-yes")
	for _, p := range []*page{alice, bob} {
		p.shows("Message deleted")
		p.room(local.Lobby, "Message deleted")
	}
	bob.run(chromedp.Reload())
	bob.room(local.Lobby, "Message deleted")
	alice.send("another")
	bob.room(local.Lobby, "another")
}

// What is written is sent as it is, but for empty lines around it: it may be code.
func TestIndentationIsSent(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("general")
	alice.do(`(() => {
		const input = document.getElementById("composer-input");
		input.value = " \n\n    if x:\n        y()  \n \n";
		input.dispatchEvent(new Event("input"));
		input.focus();
	})()`)
	alice.enter(0)
	alice.shows("    if x:\n        y()")
}

// Nothing is pushed out of sight by names of one long word.
func TestLongNamesFit(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	long := strings.Repeat("W", 100)
	user := strings.Repeat("u", 128)
	f.with(func() {
		f.rooms["team"] = &fakeRoom{name: long, members: []string{"alice", user, "bob"}}
		f.names[user] = strings.Repeat("N", 64)
		f.names["bob"] = strings.Repeat("N", 64)
	})
	f.say("team", user, long+long)
	f.say("team", "bob", "https://example.com/"+long+long)
	alice := signedIn(t, f.URL, "alice")
	over := `(() => {
		const out = [];
		const w = document.documentElement.clientWidth;
		for (const e of document.querySelectorAll("body *")) {
			if (!e.checkVisibility() || e.closest(".unseen") || e.closest("svg")) continue;
			const r = e.getBoundingClientRect();
			if (r.width && (r.right > w + 1 || r.left < -1)) out.push("outside " + e.outerHTML.slice(0, 120));
			const s = getComputedStyle(e);
			if (e.scrollWidth > e.clientWidth + 1 && s.display !== "inline" && !["hidden", "clip"].includes(s.overflowX) && e.clientWidth) out.push("wide " + s.overflowX + " " + e.scrollWidth + ">" + e.clientWidth + " " + e.outerHTML.slice(0, 120));
		}
		return out.join("\n");
	})()`
	for _, width := range []int64{320, 1200} {
		fits := func(what string) {
			t.Helper()
			if got := eval[string](alice, over); got != "" {
				t.Errorf("%s, %d wide:\n%s", what, width, got)
			}
		}
		alice.look(1200, 700, "light")
		alice.openRoom("team")
		alice.look(width, 700, "light")
		alice.until(`document.querySelectorAll("[data-testid=message]").length === 2`)
		fits("the room")
		alice.click("members")
		alice.until(`document.querySelectorAll("[data-testid=member]").length === 3`)
		fits("its members")
		alice.do(`document.querySelector("[data-testid=member-menu]").click()`)
		fits("what can be done with one")
		alice.escape()
		for _, button := range []string{"member-remove", "leave"} {
			if button == "member-remove" {
				alice.do(`document.querySelector("[data-testid=member-menu]").click()`)
			}
			alice.do(`document.querySelector("[data-testid=` + button + `]").click()`)
			alice.until(`document.getElementById("confirm-dialog").open`)
			fits(button)
			alice.escape()
		}
		alice.escape()
	}
}

// A log file that is pasted, maybe by mistake, doesn't hold the page up for longer than
// a browser's own field would.
func TestALongPaste(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := signedIn(t, f.URL, "alice")
	alice.opened()
	alice.do(`globalThis.taken = (input) => {
		const before = performance.now();
		input.value = "a line of a log\n".repeat(16_000);
		return performance.now() - before;
	}`)
	plain := eval[float64](alice, `taken(document.body.appendChild(document.createElement("textarea")))`)
	here := eval[float64](alice, `taken(document.getElementById("composer-input"))`)
	if here > 5*plain+1000 {
		t.Errorf("16,000 lines take %.0f ms, and %.0f ms in a plain field", here, plain)
	}
	// Each line is written from its own side, as it is shown in messages.
	alice.do(`document.querySelector("body > textarea").remove()`)
	if got := eval[string](alice, `getComputedStyle(document.getElementById("composer-input")).unicodeBidi`); got != "plaintext" {
		t.Errorf("unicode-bidi is %s", got)
	}
}

// Names that are written from right to left stand where others do, and leave the page's
// own words in their order.
func TestNamesFromRightToLeft(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.rooms["team"] = &fakeRoom{name: "חדר ישיבות", members: []string{"alice", "דנה"}} })
	alice := signedIn(t, f.URL, "alice")
	alice.openRoom("team")
	alice.do(`globalThis.edge = (e, side) => {
		const range = document.createRange();
		range.selectNodeContents(e);
		return range.getBoundingClientRect()[side];
	}`)
	alice.until(`edge(document.getElementById("room-name"), "left") - document.getElementById("room-avatar").getBoundingClientRect().right < 30`)
	alice.until(`document.getElementById("room-kind").textContent.includes("דנה")`)
	alice.until(`edge(document.getElementById("room-kind"), "left") - document.getElementById("room-avatar").getBoundingClientRect().right < 30`)
	alice.click("members")
	alice.until(`document.getElementById("members-dialog").open`)
	alice.until(`edge(document.getElementById("members-title"), "left") - document.getElementById("members-dialog").getBoundingClientRect().left < 40`)
	alice.escape()
	alice.send("שלום לכולם")
	alice.until(`document.querySelector("[data-testid=message].own[data-status=sent]") !== null`)
	alice.do(`document.querySelector("[data-testid=message]").focus()`)
	alice.key("Delete", "Delete", 46, 0)
	alice.until(`document.getElementById("confirm-dialog").open`)
	// The sentence begins at the left, with what is quoted.
	alice.until(`getComputedStyle(document.getElementById("confirm-text")).direction === "ltr"`)
	alice.screenshot("right-to-left")
}
