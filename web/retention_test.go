package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// An owner sees and sets for how long messages are kept; the other members see it.
func TestRetention(t *testing.T) {
	t.Parallel()
	alice, bob, weekend := inWeekend(t)
	bob.openRoom(weekend)
	const view = `document.querySelector("[data-testid=retention-view]")`
	saved := func(days, want string) {
		t.Helper()
		alice.do(`(() => {
			const input = document.querySelector("[data-testid=retention-days]");
			input.value = "` + days + `";
			input.focus();
		})()`)
		alice.enter(0)
		alice.until(`document.querySelector("[data-testid=member-status]").textContent === "` + want + `"`)
	}
	alice.click("members")
	alice.until(`document.querySelector("[data-testid=retention-days]").checkVisibility() && !` + view + `.checkVisibility()`)
	saved("7", "Messages that are sent from now on are deleted after 7 days.")
	alice.do(`document.querySelector("[data-testid=retention-days]").scrollIntoView()`)
	alice.looksOf("retention")
	bob.click("members")
	bob.until(view + `.checkVisibility() && ` + view + `.textContent === "Messages that are sent from now on are deleted after 7 days."`)
	if eval[bool](bob, `document.querySelector("[data-testid=retention-days]").checkVisibility()`) {
		t.Error("a plain member is offered to change it")
	}
	for _, days := range []string{"1.5", "-1", "36501"} {
		alice.do(`document.querySelector("[data-testid=retention-days]").value = "` + days + `"; document.getElementById("retention-form").requestSubmit()`)
		alice.until(`document.getElementById("retention-problem").textContent === "Choose 1 to 36500 days, or leave it empty."`)
	}
	saved("", "Messages are kept forever.")
	bob.until(`!` + view + `.checkVisibility()`)
}

// A message that ends goes from the room, and from the list.
func TestMessagesThatEndGo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 2, time.Now().Add(-time.Minute), func(i int) (string, string) { return "bob", fmt.Sprint(i) })
	f.with(func() { f.rooms["general"].messages[0].ExpiresAt = time.Now().Add(time.Hour).UnixMilli() })
	alice := signedIn(t, f.URL, "alice")
	alice.shows("0", "1")
	// Two hours pass, first at the server, by whose time a message ends.
	f.with(func() { f.ahead = 2 * time.Hour })
	alice.do(`{const { now } = Date; Date.now = () => now() + 7_200_000;}`)
	f.with(func() {
		last := f.rooms["general"].messages[1]
		f.broadcast("general", wire.Message{
			Type: wire.TypeMessage, ChatRoomID: "general", MessageID: "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", SenderID: "bob", Content: "gone at once",
			Timestamp: last.Timestamp, PreviousMessageID: &last.MessageID, ExpiresAt: time.Now().UnixMilli(),
		})
	})
	alice.shows("1")
	alice.until(`!document.querySelector("[data-testid=room-item]").innerText.includes("gone at once")`)
}

// Who is banned is listed with why, until when and by whom; there are more reports than a page has.
func TestModerationLists(t *testing.T) {
	t.Parallel()
	alice, _, weekend := inWeekend(t)
	until := time.Now().AddDate(0, 0, 2)
	alice.asks("alice", "PUT", "/rooms/"+weekend+"/bans?userId=dave", fmt.Sprintf(`{"reason":"Sells watches","until":%d}`, until.UnixMilli()))
	alice.do(`globalThis.asked = undefined; (async () => {
		const post = async (user, path, body) => {
			const headers = { "Content-Type": "application/json" };
			const { token } = await (await fetch("/token", { method: "POST", body: JSON.stringify({ user }), headers })).json();
			return fetch(path, { method: "POST", body: JSON.stringify(body), headers: { ...headers, Authorization: "Bearer " + token } });
		};
		for (let i = 0; i < 60; i++) {
			const room = "/api/rooms/` + weekend + `/messages";
			const { messageId } = await (await post("carol", room, { content: "Message " + i })).json();
			await post("alice", room + "/" + messageId + "/report", { reason: "Reason " + i });
		}
		globalThis.asked = true;
	})()`)
	alice.until(`globalThis.asked`)
	alice.click("members")
	alice.until(`document.querySelector("[data-testid=bans]").checkVisibility()`)
	alice.do(`document.querySelector("[data-testid=bans]").click()`)
	const banned = `document.querySelector("#bans [data-user-id=dave]")?.innerText ?? ""`
	alice.until(`["Sells watches · Until ", " · By alice"].every((part) => (` + banned + `).includes(part))`)
	alice.looksOf("bans-why")

	alice.do(`document.querySelector("[data-testid=reports]").click()`)
	const rows = `document.querySelectorAll("#reports [data-testid=listed]")`
	const more = `[...document.querySelectorAll("#reports > button")].find((b) => b.textContent === "Show more")`
	alice.until(rows + `.length >= 20 && ` + rows + `.length < 60 && !` + more + `.hidden`)
	alice.do(more + `.focus(), ` + more + `.click()`)
	alice.until(rows + `.length === 60 && ` + more + `.hidden`)
	if got := eval[int](alice, `new Set([...`+rows+`].map((row) => row.dataset.about)).size`); got != 60 {
		t.Errorf("%d messages are listed, want 60", got)
	}
	if eval[bool](alice, `document.activeElement === document.body`) {
		t.Error("the focus is lost with the button")
	}
}
