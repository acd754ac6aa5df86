package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// startLocal runs a whole Streamroom.
func startLocal(t *testing.T, c local.Config) *rig.Rig {
	t.Helper()
	c.Unthrottled = true // tests send faster than people do
	return rig.Start(t, c)
}

func TestTwoPeopleChatOnTheRealServer(t *testing.T) {
	t.Parallel()
	startBrowser(t) // skips before anything is started
	c := local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", DataDir: t.TempDir(), LogLevel: "error", Log: t.Output()}
	server := startLocal(t, c)
	alice, bob := signedIn(t, server.URL(), "alice"), signedIn(t, server.URL(), "bob")
	alice.send("Good morning")
	bob.shows("Good morning")
	bob.send("お早うございます <b>Alice</b>")
	alice.shows("Good morning", "お早うございます <b>Alice</b>")

	alice.click("new-room")
	alice.typed("Weekend\tbob\n")
	alice.until(`document.getElementById("room-name").textContent === "Weekend"`)
	bob.until(`document.querySelectorAll("[data-testid=room-item]").length === 2`)
	alice.send("Hiking on Saturday?")
	alice.shows("Hiking on Saturday?")
	bob.until(`document.querySelector("[data-testid=room-item] [data-testid=unread]").innerText === "1"`)
	bob.run(click(`[data-testid="room-item"]`))
	bob.shows("Hiking on Saturday?")
	bob.screenshot("local")

	// The server ends and comes back; what was written in between arrives.
	c.Addr = server.URL()[len("http://"):]
	server.Stop()
	alice.until(`document.querySelector("[data-testid=connection-state]").dataset.state === "waiting"`)
	alice.send("Or on Sunday?")
	startLocal(t, c)
	for _, p := range []*page{alice, bob} {
		p.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	}
	alice.shows("Hiking on Saturday?", "Or on Sunday?")
	bob.shows("Hiking on Saturday?", "Or on Sunday?")
}

// The page knows its user by the server's spelling of the name.
func TestSigningInWithCapitals(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	bob := signedIn(t, server.URL(), "Bob")
	bob.until(`document.getElementById("account-name").textContent === "bob"`)
	bob.send("It is me")
	bob.shows("It is me")
	bob.until(`document.querySelector("[data-testid=message].own") !== null`)
}

// A name that is misspelt makes no room unless the user wants it.
func TestAMisspeltNameIsAskedAbout(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	alice := signedIn(t, server.URL(), "alice")
	signedIn(t, server.URL(), "bob")
	asked := func(name string) {
		t.Helper()
		alice.until(`document.getElementById("confirm-dialog").open && document.getElementById("confirm-text").textContent.includes("` + name + `” has never signed in")`)
	}
	alice.click("new-direct")
	alice.typed("bbo\n")
	asked("bbo")
	alice.screenshot("never-signed-in")
	alice.escape()
	alice.until(`document.querySelector("#new-direct-dialog .problem").textContent === "“bbo” has never signed in here."`)
	alice.do(`document.getElementById("new-direct-name").value = "Bob"`)
	alice.click("new-direct-create")
	alice.until(`document.getElementById("room-name").textContent === "bob"`)
	alice.until(`document.querySelectorAll("[data-testid=room-item]").length === 2`)

	alice.click("new-room")
	alice.typed("Tea\tbob, carol\n")
	asked("carol")
	alice.click("confirm-yes")
	alice.until(`document.getElementById("room-name").textContent === "Tea"`)
	alice.click("members")
	alice.until(`document.getElementById("members-dialog").open`)
	alice.do(`document.getElementById("member-name").value = "dave"`)
	alice.click("member-add")
	asked("dave")
	alice.click("confirm-yes")
	alice.until(`document.querySelector("[data-user-id=dave]") !== null`)
}

// A direct message that is hidden comes back with the next message, and its count.
func TestADirectMessageIsHidden(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	alice, bob := signedIn(t, server.URL(), "alice"), signedIn(t, server.URL(), "bob")
	rooms := func(p *page, n int) {
		t.Helper()
		p.until(fmt.Sprintf(`document.querySelectorAll("[data-testid=room-item]").length === %d`, n))
	}
	bob.click("new-direct")
	bob.typed("alice\n")
	bob.until(`document.getElementById("room-name").textContent === "alice"`)
	bob.send("Hello")
	rooms(alice, 2)
	room := eval[string](bob, `decodeURIComponent(location.hash.slice("#/room/".length))`)
	alice.openRoom(room)
	alice.shows("Hello")
	alice.click("members")
	alice.until(`document.querySelector("[data-testid=leave]").textContent === "Hide until the next message"`)
	alice.screenshot("hide-direct")
	alice.click("leave")
	rooms(alice, 1)
	alice.run(chromedp.Reload())
	rooms(alice, 1)
	bob.send("Are you there?")
	rooms(alice, 2)
	alice.unread(room, "1")
	alice.openRoom(room)
	alice.shows("Hello", "Are you there?")
}

// TestThreePeopleOnTheRealServer tells what people do in a day of chatting, against
// the functions, the table and the streams as they are.
func TestThreePeopleOnTheRealServer(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	alice, bob, carol := signedIn(t, server.URL(), "alice"), signedIn(t, server.URL(), "bob"), signedIn(t, server.URL(), "carol")

	// A name, a room, and a message that is seen.
	bob.click("account")
	bob.until(`document.getElementById("profile-dialog").open`)
	bob.typed("Bob Brown\n")
	bob.until(`document.getElementById("account-name").textContent === "Bob Brown"`)
	alice.click("new-room")
	alice.typed("Weekend\tbob, carol\n")
	alice.until(`document.getElementById("room-name").textContent === "Weekend"`)
	alice.send("Hiking on Saturday?")
	alice.mark("Hiking on Saturday?", "sent", "Sent")
	weekend := eval[string](alice, `decodeURIComponent(location.hash.slice("#/room/".length))`)
	bob.unread(weekend, "1")
	bob.openRoom(weekend)
	bob.until(`document.querySelector("[data-testid=divider]:not([hidden])") !== null`)
	bob.unread(weekend, "")
	alice.mark("Hiking on Saturday?", "read", "Read by Bob Brown")
	carol.openRoom(weekend)
	alice.until(`document.querySelector("[data-mark=read]").title.includes("Bob Brown and carol") || document.querySelector("[data-mark=read]").title.includes("carol and Bob Brown")`)

	// Edits and deletions reach everyone, and those who read later.
	bob.send("Where two?")
	alice.shows("Hiking on Saturday?", "Where two?")
	bob.arrow("ArrowUp", 0)
	bob.until(`document.getElementById("composer-input").value === "Where two?"`)
	bob.do(`document.getElementById("composer-input").value = ""`)
	bob.typed("Where to?\n")
	for _, p := range []*page{alice, bob, carol} {
		p.shows("Hiking on Saturday?", "Where to?")
		p.room(weekend, "Where to?")
	}
	alice.send("The lake")
	alice.shows("Hiking on Saturday?", "Where to?", "The lake")
	alice.do(`document.querySelector("[data-testid=message].own").focus()`)
	alice.key("Delete", "Delete", 46, 0)
	alice.click("confirm-yes")
	for _, p := range []*page{alice, bob, carol} {
		p.shows("Message deleted", "Where to?", "The lake")
	}

	// Carol's network goes; what she writes waits, what she missed comes.
	carol.offline(true)
	carol.until(`document.querySelector("[data-testid=banner]").innerText.includes("You are offline")`)
	carol.send("Count me in")
	bob.send("Eight o’clock?")
	alice.shows("Message deleted", "Where to?", "The lake", "Eight o’clock?")
	carol.offline(false)
	carol.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	for _, p := range []*page{alice, bob, carol} {
		p.shows("Message deleted", "Where to?", "The lake", "Eight o’clock?", "Count me in")
	}

	// Owners rename and remove; a direct message is one room, by either user.
	alice.click("members")
	alice.until(`document.querySelectorAll("[data-testid=member-menu]").length === 2`)
	alice.do(`document.getElementById("rename-name").value = "Lake"`)
	alice.click("rename-save")
	bob.until(`document.getElementById("room-name").textContent === "Lake"`)
	alice.manage("carol", "member-remove")
	alice.click("confirm-yes")
	carol.until(`document.getElementById("room-note").innerText.includes("You left it, or were removed.")`)
	alice.escape()
	carol.click("new-direct")
	carol.typed("alice\n")
	carol.until(`document.getElementById("room-name").textContent === "alice"`)
	carol.send("What happened?")
	alice.until(`[...document.querySelectorAll("[data-testid=room-item]")].some((r) => r.innerText.includes("carol") && r.innerText.includes("What happened?"))`)
	alice.click("new-direct")
	alice.typed("carol\n")
	alice.shows("What happened?")
	carol.mark("What happened?", "read", "Read by alice")
	bob.click("members")
	bob.click("leave")
	bob.click("confirm-yes")
	bob.until(`document.querySelector("[data-room-id='` + weekend + `']") === null`)
}

// An owner can do what owners may, however far down the list of members they stand.
func TestAnOwnerFarDownTheList(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	zoe := signedIn(t, server.URL(), "zoe")
	zoe.do(`(async () => {
		const post = async (path, body, headers) => (await fetch(path, {
			method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json", ...headers},
		})).json();
		const { token } = await post("/token", { user: "zoe" });
		const as = { Authorization: "Bearer " + token };
		const members = Array.from({ length: 48 }, (_, i) => "m" + i);
		const { chatRoomId } = await post("/api/rooms", { name: "Big", type: "group", members }, as);
		const more = Array.from({ length: 60 }, (_, i) => "n" + i);
		while (more.length > 0) {
			await Promise.all(more.splice(0, 10).map((userId) => post("/api/rooms/" + chatRoomId + "/members", { userId }, as)));
		}
		location.hash = "#/room/" + chatRoomId;
	})()`)
	zoe.until(`document.getElementById("room-members").innerText === "109 members"`)
	zoe.click("members")
	zoe.until(`document.querySelectorAll("[data-testid=member]").length === 50`)
	zoe.until(`document.querySelectorAll("[data-testid=member-menu]").length === 50`)
	if eval[bool](zoe, `document.getElementById("member-form").hidden || document.getElementById("rename-form").hidden`) {
		t.Error("the owner can neither add members nor rename the room")
	}
	// A double click reads one page; a change keeps the reader's place in the list.
	zoe.do(`document.getElementById("members-more").click(), document.getElementById("members-more").click()`)
	zoe.until(`document.querySelectorAll("[data-testid=member]").length === 100`)
	const listed = `new Set([...document.querySelectorAll("[data-testid=member]")].map((m) => m.dataset.userId)).size`
	zoe.manage("n33", "member-remove")
	zoe.click("confirm-yes")
	zoe.until(`document.getElementById("members-count").textContent === "108 members"`)
	zoe.until(`document.querySelector("[data-menu=n33]") === null && document.querySelectorAll("[data-testid=member]").length === 100 && ` + listed + ` === 100`)
}

// A message in the room that is read is not shown as unread for a moment.
func TestTheRoomThatIsReadStaysRead(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	alice, bob := signedIn(t, server.URL(), "alice"), signedIn(t, server.URL(), "bob")
	alice.do(`(() => {
		globalThis.flashes = [];
		const watch = (element, what) => new MutationObserver(() => what() && flashes.push(what()))
			.observe(element, { subtree: true, attributes: true, childList: true, characterData: true });
		watch(document.getElementById("rooms"), () => document.querySelector("[data-testid=unread]:not([hidden])")?.textContent);
		watch(document.querySelector("title"), () => /\d/.exec(document.title)?.[0]);
	})()`)
	for i := range 5 {
		bob.send(fmt.Sprint("hello ", i))
		alice.until(fmt.Sprintf(`document.querySelector("[data-testid=message]:last-child .text")?.textContent === "hello %d"`, i))
	}
	bob.mark("hello 4", "read", "Read by alice")
	if got := eval[string](alice, `flashes.join()`); got != "" {
		t.Errorf("shown as unread: %s", got)
	}
}
