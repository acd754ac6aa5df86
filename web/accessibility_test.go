package web_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// axe returns axe-core's source, which is not in this repository: .ci/web fetches
// it and names it in STREAMROOM_AXE.
func axe(t testing.TB) string {
	t.Helper()
	path := os.Getenv("STREAMROOM_AXE")
	if path == "" {
		t.Skip("STREAMROOM_AXE doesn't name axe-core's axe.min.js; .ci/web fetches it and runs this test")
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// accessible has axe-core look at the page as it is now.
func (p *page) accessible(source, view string) {
	p.t.Helper()
	if !eval[bool](p, `typeof globalThis.axe === "object"`) {
		p.do(source + ";undefined")
	}
	p.do(`globalThis.found = undefined; axe.run(document, {resultTypes: ["violations"]}).then(
		({violations}) => { globalThis.found = JSON.stringify(violations.map((v) => ({id: v.id, help: v.help, at: v.nodes.map((n) => n.html.slice(0, 200) + " " + n.any.map((a) => a.message).join("; "))}))) },
		(err) => { globalThis.found = JSON.stringify([{id: "axe", help: String(err), at: []}]) })`)
	p.until(`globalThis.found !== undefined`)
	var violations []struct {
		ID, Help string
		At       []string
	}
	if err := json.Unmarshal([]byte(eval[string](p, `globalThis.found`)), &violations); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range violations {
		p.t.Errorf("%s: %s (%s):\n\t%s", view, v.Help, v.ID, strings.Join(v.At, "\n\t"))
	}
}

func TestAccessibility(t *testing.T) {
	t.Parallel()
	source := axe(t)
	f := newFake(t)
	conversation(f)
	f.with(func() { f.pushKey = vapidKey(1) })
	start := openPage(t, f.URL+"/")
	start.until(`document.activeElement?.dataset.testid === "signin-name"`)
	looks := []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 1200, 800, "light"}, {"dark", 1200, 800, "dark"}, {"phone", 390, 780, "light"}, {"phone, dark", 390, 780, "dark"}, {"narrow", 320, 640, "light"}}
	for _, look := range looks {
		start.look(look.width, look.height, look.scheme)
		start.accessible(source, "sign in, "+look.name)
	}
	start.typed("\n")
	start.accessible(source, "sign in, refused")

	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 12`)
	f.say("weekend", "bob", "Who brings the map?")
	alice.unread("weekend", "1")
	for _, look := range looks {
		alice.look(look.width, look.height, look.scheme)
		alice.accessible(source, "room, "+look.name)
		for button, dialog := range map[string]string{"members": "members", "new-room": "new-room", "new-direct": "new-direct", "help": "help", "account": "profile"} {
			alice.do(`document.querySelector("[data-testid=` + button + `]").click()`)
			alice.until(`document.getElementById("` + dialog + `-dialog").open`)
			if dialog == "profile" {
				alice.until(`!document.getElementById("notify-push-row").hidden`)
			}
			alice.accessible(source, dialog+" dialog, "+look.name)
			alice.escape()
			alice.until(`document.querySelector("dialog[open]") === null`)
		}
		alice.do(`[...document.querySelectorAll(".own .bubble")].at(-1).dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
		alice.until(`document.querySelector(".actions") !== null`)
		alice.accessible(source, "actions, "+look.name)
		alice.do(`document.querySelector("[data-testid=react]").click()`)
		alice.until(`document.getElementById("react-dialog").open`)
		alice.accessible(source, "reactions, "+look.name)
		alice.escape()
		alice.until(`document.querySelector("dialog[open]") === null`)
		alice.do(`document.querySelector("[data-testid=search-open]").click()`)
		alice.typed("release")
		alice.until(`document.querySelector(".message.current") !== null`)
		alice.accessible(source, "search, "+look.name)
		alice.do(`document.documentElement.dir = "rtl"`)
		alice.accessible(source, "search from the right, "+look.name)
		alice.do(`document.documentElement.dir = ""`)
		if wide := eval[int](alice, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("search, %s: the page is %d px too wide", look.name, wide)
		}
		alice.escape()
		alice.do(`[...document.querySelectorAll(".own .bubble")].at(-1).dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`)
		alice.do(`document.querySelector("[data-testid=edit]").click()`)
		alice.accessible(source, "editing, "+look.name)
		alice.escape()
		alice.do(`document.querySelector("[data-testid=delete]").click()`)
		alice.until(`document.getElementById("confirm-dialog").open`)
		alice.accessible(source, "confirm, "+look.name)
		alice.escape()
		alice.until(`document.querySelector("dialog[open]") === null`)
		alice.do(`location.hash = "#/"`)
		alice.until(`document.getElementById("room-head").hidden`)
		alice.accessible(source, "rooms, "+look.name)
		alice.do(`location.hash = "#/room/general"`)
		alice.until(`document.querySelectorAll("[data-testid=message]").length === 12 && !document.getElementById("room-members").hidden`)
	}
	f.with(func() { f.down = true })
	f.dropAll()
	alice.until(`!document.getElementById("banner").hidden`)
	alice.send("later")
	for _, look := range looks {
		alice.look(look.width, look.height, look.scheme)
		alice.accessible(source, "offline, "+look.name)
	}

	empty := newFake(t)
	bob := signedIn(t, empty.URL, "bob")
	for _, look := range looks {
		bob.look(look.width, look.height, look.scheme)
		bob.accessible(source, "empty, "+look.name)
	}
}

// What people see of each other: who types, who is online, what they reacted with, whom one
// may mention, and what is marked as unread.
func TestAccessibilityOfPeople(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	conversation(f)
	f.with(func() {
		f.seen = map[string]int64{"haruka": 0, "bob": 0, "carol": time.Now().Add(-time.Hour).UnixMilli()}
		general := f.rooms["general"].messages
		general[4].Reactions = &wire.Reactions{Version: 1, Counts: map[string]int{"👍": 2, ":tada:": 1}, Mine: []string{"👍"}}
		general[5].Reactions = &wire.Reactions{Version: 1, Counts: map[string]int{"❤️": 12}, Mine: []string{}}
	})
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 12`)
	alice.until(reactions + ` === "👍2! :tada:1,❤️12"`)
	f.types("general", "bob")
	alice.typing("bob is typing")
	alice.opened()
	const marked = "مرحبا بالجميع، هل يمكنكم قراءة هذا؟"
	alice.at(marked)
	alice.key("u", "KeyU", 85, 0)
	alice.until(divided + ` === ` + quoted(marked))
	alice.unread("general", "4")
	alice.looksOf("people-room")
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.typed("@")
	alice.until(`document.querySelectorAll("[data-testid=people]:not([hidden]) [role=option]").length > 2`)
	alice.looksOf("people-mention")
	alice.typing("bob is typing")
	alice.escape()
	alice.click("members")
	alice.until(`[...document.querySelectorAll("[data-testid=seen]")].map((e) => e.textContent.slice(0, 9)).filter(Boolean).sort().join() === "Last seen,Online,Online"`)
	alice.looksOf("people-members")
	alice.escape()
	alice.openRoom("dm-alice-haruka")
	alice.seen("dm-alice-haruka", "Online", true)
	f.types("dm-alice-haruka", "haruka")
	alice.typing("佐藤 春香 is typing")
	alice.looksOf("people-direct")
	alice.do(`location.hash = "#/"`)
	alice.until(`document.getElementById("room-head").hidden`)
	alice.looksOf("people-rooms")
}

// conversation fills a fake with what a page of every kind of message shows.
func conversation(f *fake) {
	f.with(func() {
		f.names["carol"] = "Carol Jones"
		f.names["haruka"] = "佐藤 春香"
		f.rooms["weekend"] = &fakeRoom{name: "Weekend", members: []string{"alice", "bob", "carol"}}
		f.rooms["release"] = &fakeRoom{name: "Release 1.0: who does what, and until when", members: []string{"bob", "alice"}}
		f.rooms["books"] = &fakeRoom{name: "كتب", members: []string{"alice", "dana"}}
		f.rooms["dm-alice-haruka"] = &fakeRoom{kind: "dm", members: []string{"alice", "haruka"}}
		f.rooms["general"].members = []string{"carol", "alice", "bob", "dana", "haruka"}
	})
	yesterday := time.Now().Add(-26 * time.Hour)
	f.fill("books", 1, yesterday, func(int) (string, string) { return "dana", "هل انتهيت من قراءة الكتاب؟" })
	f.fill("release", 1, yesterday, func(int) (string, string) {
		return "bob", "I have the changelog; could you read it once more before tonight?"
	})
	f.fill("dm-alice-haruka", 1, time.Now().Add(-2*time.Hour), func(int) (string, string) { return "haruka", "明日の会議は十時からで大丈夫ですか？" })
	f.fill("general", 3, yesterday, func(i int) (string, string) {
		return "bob", []string{"Morning, all", "The new build is on the test stage", "Tell me if anything looks odd"}[i]
	})
	f.fill("general", 9, time.Now().Add(-3*time.Minute), func(i int) (string, string) {
		lines := [][2]string{
			{"carol", "Looks good from here."},
			{"carol", "One thing: the room list takes a moment on my phone. Not slow, but I noticed it, and I would rather say so now than after the release."},
			{"alice", "I’ll look at it this afternoon."},
			{"bob", "Thanks!"},
			{"dana", "مرحبا بالجميع، هل يمكنكم قراءة هذا؟"},
			{"haruka", "はい、読めます。右から左へもきれいに表示されていますね。"},
			{"bob", "Averylongwordthathasnobreakinit" + strings.Repeat("andgoeson", 14)},
			{"carol", "Two lines, as they were written.\nTry it:\n```sh\ngo run ./cmd/streamroom local --listen 127.0.0.1:9000 --data ./data-of-the-release\n```\nThe rest is at https://docs.example.com/releases/1.0."},
			{"alice", "Perfect, with `--data` then: http://localhost:8080. Lunch at half past twelve?"},
		}
		return lines[i][0], lines[i][1]
	})
	f.with(func() {
		for _, room := range []string{"general", "release", "books", "dm-alice-haruka"} {
			f.readAll(room, "alice")
		}
		general := f.rooms["general"].messages
		general[11].ReplyTo = &wire.Quote{MessageID: general[4].MessageID, SenderID: "carol", Preview: general[4].Content}
		general[8].ReplyTo = &wire.Quote{MessageID: general[7].MessageID, SenderID: "dana", Preview: general[7].Content}
		general[3].EditedAt = general[3].Timestamp + 1
		general[6].Content, general[6].DeletedAt = "", general[6].Timestamp+1
		f.readUpTo("general", "bob", general[7].MessageID)
		f.readUpTo("general", "carol", general[10].MessageID)
	})
}

// TestLooks shows the page with a conversation in it, to be looked at.
func TestLooks(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	conversation(f)
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 12`)
	f.say("weekend", "bob", "Who brings the map?")
	alice.unread("weekend", "1")
	alice.do(`document.getElementById("composer-input").focus()`)
	for _, scheme := range []string{"light", "dark"} {
		alice.look(1200, 800, scheme)
		alice.screenshot("desktop-" + scheme)
		for button, dialog := range map[string]string{"members": "members", "new-room": "new-room", "new-direct": "new-direct", "help": "help", "account": "profile"} {
			alice.do(`document.querySelector("[data-testid=` + button + `]").click()`)
			alice.until(`document.getElementById("` + dialog + `-dialog").open`)
			alice.screenshot(dialog + "-" + scheme)
			alice.look(390, 780, scheme)
			alice.screenshot(dialog + "-phone-" + scheme)
			alice.look(1200, 800, scheme)
			alice.escape()
			alice.until(`document.querySelector("dialog[open]") === null`)
		}
		alice.look(390, 780, scheme)
		alice.screenshot("phone-" + scheme)
		width := eval[float64](alice, `document.documentElement.scrollWidth`)
		if width > 390 {
			t.Errorf("%s: the page is %v px wide on a phone of 390", scheme, width)
		}
		alice.do(`location.hash = "#/"`)
		alice.until(`document.getElementById("conversation").offsetParent === null`)
		alice.screenshot("phone-rooms-" + scheme)
		alice.do(`location.hash = "#/room/general"`)
		alice.until(`document.querySelectorAll("[data-testid=message]").length === 12 && !document.getElementById("room-members").hidden`)
	}
}
