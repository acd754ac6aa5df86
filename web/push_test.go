package web_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/webpush/webpushtest"
)

// subscribing stands in for what the headless shell lacks: the user's permission, a page's
// notifications, and a push service at which it could subscribe. What is subscribed is kept
// as a browser does, also when the page is loaded again. endpoints are those that it gives,
// one after the other.
const subscribing = `{
	globalThis.made = []; globalThis.asked = 0;
	Object.defineProperty(document, "hidden", {configurable: true, get: () => globalThis.away ?? false});
	globalThis.Notification = class {
		static get permission() { return localStorage.getItem("stand-in allows") ?? "default"; }
		static async requestPermission() { globalThis.asked++; localStorage.setItem("stand-in allows", "granted"); return "granted"; }
		constructor(title, options) { Object.assign(this, {title, ...options}); globalThis.made.push(this); }
		close() { this.closed = true; }
	};
	const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
	const held = () => {
		const of = JSON.parse(localStorage.getItem("stand-in") ?? "null");
		return of && {
			endpoint: of.endpoint,
			options: { applicationServerKey: bytes(of.key).buffer },
			toJSON: () => ({ endpoint: of.endpoint, expirationTime: null, keys: of.keys }),
			unsubscribe: async () => { if (localStorage.getItem("stand-in stays")) throw new DOMException("it stays", "NetworkError"); localStorage.removeItem("stand-in"); return true; },
		};
	};
	PushManager.prototype.getSubscription = async () => held();
	PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey: key }) => {
		if (!userVisibleOnly) throw new DOMException("it has to be visible", "NotAllowedError");
		if (!(await navigator.serviceWorker.getRegistration("app/pushworker.js")).active) throw new DOMException("no active worker", "AbortError");
		const n = Number(localStorage.getItem("stand-in n") ?? "0");
		localStorage.setItem("stand-in n", String(n + 1));
		const next = globalThis.subscription ?? { endpoint: "https://push.example.com/" + n, keys: { p256dh: "p", auth: "a" } };
		localStorage.setItem("stand-in", JSON.stringify({ ...next, key }));
		return held();
	};
}`

// showing stands in for a service worker's notifications, of which the headless shell has
// none, with what the browser promises of tags.
const showing = `{
	globalThis.shown = [];
	registration.showNotification = async (title, options) => {
		shown = shown.filter(({ tag }) => tag !== options.tag);
		const notification = { title, ...options, close: () => { shown = shown.filter((other) => other !== notification); } };
		shown.push(notification);
	};
	registration.getNotifications = async ({ tag } = {}) => shown.filter((n) => tag === undefined || n.tag === tag);
}undefined`

// openSubscribing opens the page in a browser of its own that can subscribe.
func openSubscribing(t testing.TB, url string) *page {
	t.Helper()
	p := openPage(t, url+"/app/icon.svg")
	p.subscribing(url)
	return p
}

// besideSubscribing opens another tab of the browser, which can subscribe too.
func (p *page) besideSubscribing(url, user string) *page {
	p.t.Helper()
	other := p.tab()
	other.subscribing(url)
	other.signIn(user)
	return other
}

// subscribing opens the page in a tab that can subscribe.
func (p *page) subscribing(url string) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: subscribing})
		return err
	}))
	p.run(chromedp.Navigate(url + "/"))
}

// leaves leaves the dialog that is open.
func (p *page) leaves() {
	p.t.Helper()
	p.escape()
	p.until(`document.querySelector("dialog[open]") === null`)
}

// settings opens the settings, in which pushes can be switched on.
func (p *page) settings() {
	p.t.Helper()
	// A dialog that was closed is reset a moment later.
	p.until(`document.querySelector("dialog[open]") === null && document.getElementById("profile-user").textContent === ""`)
	p.click("account")
	p.until(`document.getElementById("profile-dialog").open && !document.getElementById("notify-push-row").hidden`)
}

// switchPush switches pushes on or off in the settings.
func (p *page) switchPush() {
	p.t.Helper()
	p.settings()
	p.click("notify-push")
	p.click("profile-save")
	p.until(`document.querySelector("dialog[open]") === null`)
}

// subscribed are the endpoints that the server has of a user.
func (f *fake) subscribed(user string) (endpoints string) {
	f.with(func() { endpoints = strings.Join(f.pushes[user], " ") })
	return endpoints
}

// held waits until the browser has the subscription of this endpoint; "" for none.
func held(p *page, endpoint string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`(JSON.parse(localStorage.getItem("stand-in"))?.endpoint ?? "") === %q`, endpoint))
}

func vapidKey(b byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{4}, slices.Repeat([]byte{b}, 64)...))
}

// A browser subscribes when its user switches it on, at no other time, with the server's key,
// and hands that in at each start; it ends by switching off and by signing out.
func TestPushes_TheSubscription(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	alice := openSubscribing(t, f.URL)
	alice.signIn("alice")
	alice.click("account")
	alice.until(`document.getElementById("profile-dialog").open`)
	alice.until(`document.getElementById("notify-push-row").hidden && !document.getElementById("notify").hidden`)
	alice.leaves()
	if registered := eval[bool](alice, `navigator.serviceWorker.controller !== null || globalThis.asked > 0`); registered || f.subscribed("alice") != "" {
		t.Error("the browser was asked before the user wanted it")
	}

	f.with(func() { f.pushKey = vapidKey(1) })
	alice.switchPush()
	const first, second, third, fourth = "https://push.example.com/0", "https://push.example.com/1", "https://push.example.com/2", "https://push.example.com/3"
	at := func(want string) {
		t.Helper()
		poll(t, func() bool { return f.subscribed("alice") == want })
	}
	at(first)
	if asked := eval[int](alice, `globalThis.asked`); asked != 1 {
		t.Errorf("the browser asked %d times", asked)
	}
	alice.settings()
	alice.until(`document.querySelector("[data-testid=notify-push]").checked`)
	for _, look := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 1000, 700, "light"}, {"narrow", 320, 640, "dark"}} {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("push-" + look.name)
		if wide := eval[int](alice, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: the page is %d px too wide", look.name, wide)
		}
	}
	alice.look(1200, 800, "light")
	alice.leaves()

	// The server has forgotten it, and then has another key.
	f.with(func() { f.pushes["alice"] = nil })
	again := func() {
		t.Helper()
		alice.run(chromedp.Reload())
		alice.until(`document.querySelector("[data-testid=room-item]") !== null`)
	}
	again()
	at(first)
	f.with(func() { f.pushKey = vapidKey(2) })
	again()
	at(second)

	alice.switchPush() // off
	at("")
	alice.until(`(navigator.serviceWorker.getRegistrations().then((all) => { globalThis.registrations = all.length; }), globalThis.registrations === 0)`)
	if held := eval[string](alice, `localStorage.getItem("stand-in") ?? ""`); held != "" {
		t.Errorf("the browser keeps %s", held)
	}
	again()
	alice.switchPush()
	at(third)
	alice.click("signout")
	alice.until(`document.activeElement?.dataset.testid === "signin-name" && localStorage.getItem("stand-in") === null`)
	at("")
	alice.signIn("alice")
	alice.settings()
	alice.until(`!document.querySelector("[data-testid=notify-push]").checked`)
	alice.leaves()

	// What can't be done is said, and is off.
	f.with(func() {
		f.fail = func(r *http.Request) bool { return r.Method == http.MethodPut && r.URL.Path == "/api/me/push" }
	})
	alice.settings()
	alice.click("notify-push")
	alice.click("profile-save")
	alice.until(`document.getElementById("profile-problem").textContent !== ""`)
	f.with(func() { f.fail = nil })
	alice.click("profile-save")
	alice.until(`document.querySelector("dialog[open]") === null`)
	at(fourth)
}

// A browser has the pushes of one user: who signs in where another one has closed the page
// without signing out ends the other's, and gets none of theirs.
func TestPushes_AnotherUserOfTheBrowser(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.pushKey = vapidKey(1) })
	const first, second, third = "https://push.example.com/0", "https://push.example.com/1", "https://push.example.com/2"
	p := openSubscribing(t, f.URL)
	next := func(user string) {
		t.Helper()
		p.do(`sessionStorage.clear()`)
		p.run(chromedp.Reload())
		p.signIn(user)
	}
	p.signIn("alice")
	p.switchPush()
	held(p, first)

	next("bob")
	held(p, "")
	p.until(`(navigator.serviceWorker.getRegistrations().then((all) => { globalThis.registrations = all.length; }), globalThis.registrations === 0)`)
	p.until(`(caches.has("streamroom push").then((has) => { globalThis.told = has; }), globalThis.told === false)`)
	p.settings()
	p.until(`!document.querySelector("[data-testid=notify-push]").checked`)
	p.leaves()
	p.switchPush()
	held(p, second)
	poll(t, func() bool { return f.subscribed("bob") == second })

	// Both have it on, and each gets one of their own. The push service no longer has the others.
	next("alice")
	held(p, third)
	poll(t, func() bool { return f.subscribed("alice") == first+" "+third })
	if bobs := f.subscribed("bob"); bobs != second {
		t.Errorf("bob has %s", bobs)
	}
	p.run(chromedp.Reload())
	p.until(`document.querySelector("[data-testid=room-item]") !== null`)
	held(p, third)
}

// Where two users are signed in, in two tabs of a browser, only the tab of the one who has
// its subscription shows pushes as on, tells the worker, and ends them.
func TestPushes_TwoUsersInTwoTabs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.pushKey = vapidKey(1) })
	const first, second, third, fourth = "https://push.example.com/0", "https://push.example.com/1", "https://push.example.com/2", "https://push.example.com/3"
	isOn := func(p *page, want bool) {
		t.Helper()
		p.settings()
		if on := eval[bool](p, `document.querySelector("[data-testid=notify-push]").checked`); on != want {
			t.Errorf("pushes are on: %t, want %t", on, want)
		}
		p.leaves()
	}
	alice := openSubscribing(t, f.URL)
	alice.signIn("alice")
	alice.switchPush()
	held(alice, first)
	isOn(alice, true)

	// Bob has not chosen them, and gets none of alice's.
	bob := alice.besideSubscribing(f.URL, "bob")
	held(alice, "")
	isOn(alice, false)
	alice.switchPush()
	held(alice, second)
	isOn(alice, true)

	// Both chose them, bob last.
	bob.switchPush()
	held(bob, third)
	isOn(bob, true)
	isOn(alice, false)
	alice.do(`
		globalThis.told = 0;
		const open = caches.open.bind(caches);
		caches.open = (name) => { globalThis.told++; return open(name); };
		globalThis.away = true;
		document.dispatchEvent(new Event("visibilitychange"));
	`)
	if told := eval[int](alice, `globalThis.told`); told != 0 {
		t.Errorf("alice's tab told bob's worker %d times", told)
	}
	alice.do(`globalThis.away = false; document.dispatchEvent(new Event("visibilitychange"))`)
	alice.click("signout")
	alice.until(`document.activeElement?.dataset.testid === "signin-name"`)
	held(bob, third)
	isOn(bob, true)
	if bobs := f.subscribed("bob"); bobs != third {
		t.Errorf("bob has %s", bobs)
	}

	// What the browser fails to end is not handed in as alice's.
	alice.do(`localStorage.setItem("stand-in stays", "yes")`)
	alice.run(chromedp.Reload())
	alice.signIn("alice")
	alice.settings()
	alice.click("notify-push")
	alice.click("profile-save")
	alice.until(`document.getElementById("profile-problem").textContent.includes("another user")`)
	held(alice, third)
	if alices := f.subscribed("alice"); strings.Contains(alices, third) {
		t.Errorf("alice has %s, of which the last one is bob's", alices)
	}
	alice.leaves()
	isOn(alice, false)
	alice.do(`localStorage.removeItem("stand-in stays")`)
	alice.switchPush()
	held(alice, fourth)
	isOn(alice, true)
}

// Where both have chosen them, who did so last has them, whatever comes to the other's tab.
func TestPushes_OfWhoChoseThemLast(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.pushKey = vapidKey(1) })
	alice := openSubscribing(t, f.URL)
	alice.signIn("alice")
	bob := alice.besideSubscribing(f.URL, "bob")
	for i, p := range []*page{alice, bob, alice} {
		p.switchPush()
		held(p, fmt.Sprintf("https://push.example.com/%d", i))
	}
	f.say("general", "system", "the list of rooms changes")
	bob.until(`document.body.textContent.includes("the list of rooms changes")`)
	bob.settings() // it asks the server, as a subscription does
	bob.leaves()
	held(alice, "https://push.example.com/2")
	if alices := f.subscribed("alice"); !strings.HasSuffix(alices, "/2") {
		t.Errorf("alice has %s", alices)
	}
}

// The policy lets the page register its own worker, and no other script.
func TestPushes_NoOtherScriptIsAWorker(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() { f.pushKey = vapidKey(1) })
	// A tab of which no one says that it reports violations.
	p := openPage(t, f.URL+"/app/icon.svg").beside(f.URL, "alice")
	for name, js := range map[string]string{
		"a string":             `navigator.serviceWorker.register("app/pushworker.js")`,
		"another script":       `navigator.serviceWorker.register("app/app.js")`,
		"one of another site":  `navigator.serviceWorker.register("https://example.com/app/pushworker.js")`,
		"a worker":             `(async () => new Worker("app/pushworker.js"))()`,
		"one that is written":  `(async () => new Worker(URL.createObjectURL(new Blob(["1"]))))()`,
		"the same policy":      `(async () => trustedTypes.createPolicy("streamroom-worker", { createScriptURL: (url) => url }))()`,
		"another policy":       `(async () => trustedTypes.createPolicy("another", { createScriptURL: (url) => url }))()`,
		"the default policy":   `(async () => trustedTypes.createPolicy("default", { createScriptURL: (url) => url }))()`,
		"a script in the page": `(async () => { document.createElement("script").src = "app/app.js"; })()`,
	} {
		p.do(`globalThis.became = ""; ` + js + `.then(() => { globalThis.became = "done"; }, (err) => { globalThis.became = err.name; })`)
		p.until(`globalThis.became`)
		if became := eval[string](p, `globalThis.became`); became != "TypeError" {
			t.Errorf("%s: %s, want a TypeError", name, became)
		}
	}
	if n := eval[int](p, `performance.getEntriesByType("resource").filter(({name}) => name.includes("pushworker")).length`); n != 0 {
		t.Errorf("the worker was asked for %d times", n)
	}
}

// The worker shows what is pushed: one notification a room, with the names that the page
// knows; none of the room that is seen; a press leads there, and reading it takes it away.
func TestPushes_WhatTheWorkerShows(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.with(func() {
		f.pushKey = vapidKey(1)
		f.names["bob"] = "Bob B."
		f.rooms["dm"] = &fakeRoom{kind: "dm", members: []string{"alice", "bob"}}
		f.rooms["team"] = &fakeRoom{name: "Team", members: []string{"bob", "alice"}}
	})
	f.fill("team", 1, time.Now().Add(-time.Hour), func(int) (string, string) { return "bob", "hello" })
	f.fill("dm", 1, time.Now().Add(-2*time.Hour), func(int) (string, string) { return "bob", "hi" })
	f.say("general", "bob", "the room that is opened by itself")
	alice := openSubscribing(t, f.URL)
	alice.signIn("alice")
	alice.openRoom("general")
	alice.switchPush()
	w := alice.worker(f.URL)

	w.push(pushOf("team", "01", "Lunch?"))
	w.shows("Bob B. in Team: Lunch?")
	w.push(pushOf("dm", "02", ""))
	w.shows("Bob B. in Team: Lunch?", "Bob B.: 1 new message")
	w.push(pushOf("team", "03", ""))
	w.shows("Bob B.: 1 new message", "Bob B. in Team: 2 new messages")
	w.push(pushOf("team", "03", "")) // twice
	w.until(`shown.at(-1).silent`)
	w.shows("Bob B.: 1 new message", "Bob B. in Team: 2 new messages")
	w.push(pushOf("elsewhere", "04", ""))
	w.shows("Bob B.: 1 new message", "Bob B. in Team: 2 new messages", "Bob B.: 1 new message")
	for _, data := range []string{"", "{", "[]", "null", `{"type":"another","chatRoomId":"x"}`, `{"type":"message","chatRoomId":1}`} {
		w.push(data)
	}

	// Nothing of the room that is open, as long as it is seen.
	w.push(pushOf("general", "05", "seen"))
	alice.do(`globalThis.away = true; document.dispatchEvent(new Event("visibilitychange"))`)
	w.until(`(navigator.locks.query().then(({held}) => { globalThis.free = !held.some(({name}) => name.startsWith("shows ")); }), globalThis.free)`)
	w.push(pushOf("general", "06", "not seen"))
	w.shows("Bob B.: 1 new message", "Bob B. in Team: 2 new messages", "Bob B.: 1 new message", "Bob B. in general: not seen")

	// A press leads to the room.
	alice.do(`globalThis.away = false; document.dispatchEvent(new Event("visibilitychange"))`)
	w.do(`dispatchEvent(Object.assign(new Event("notificationclick"), { notification: { close() {}, data: { chatRoomId: "team" } }, waitUntil() {} }))`)
	alice.until(`document.getElementById("room-name").textContent === "Team"`)

	// Nothing of what is written, where that was chosen.
	alice.settings()
	alice.click("notify-text")
	alice.click("profile-save")
	alice.until(`document.querySelector("dialog[open]") === null`)
	w.do(`globalThis.shown = []`)
	w.push(pushOf("dm", "07", "secret"))
	w.shows("Bob B.: 1 new message")

	// What is read goes. (The page's view of them, too, is a stand-in.)
	alice.do(`ServiceWorkerRegistration.prototype.getNotifications = async ({tag}) => [{ close: () => { globalThis.taken = tag; } }]`)
	f.with(func() { f.readAll("dm", "alice") })
	alice.until(`globalThis.taken === "streamroom alice dm"`)
}

// What the server sends to a push service is what the worker shows: the bytes that the
// browser decrypts are given to it.
func TestPushes_FromTheServerToTheScreen(t *testing.T) {
	t.Parallel()
	startBrowser(t)
	service := webpushtest.New(t)
	server := startLocal(t, local.Config{
		Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output(), Push: true, Pushes: service.Transport(),
	})
	browser := service.Subscribe()
	bob := openSubscribing(t, server.URL())
	bob.do(fmt.Sprintf(`globalThis.subscription = { endpoint: %q, keys: { p256dh: %q, auth: %q } }`, browser.Endpoint, browser.Key, browser.Auth))
	bob.signIn("bob")
	bob.switchPush()
	w := bob.worker(server.URL())
	alice := signedIn(t, server.URL(), "alice")
	alice.openRoom("general")
	alice.send("Good morning")
	bob.until(`document.querySelector("[data-testid=room-item]").innerText.includes("Good morning")`)
	// The page is left, and so bob is offline; what it knew by then the worker knows.
	bob.do(`globalThis.away = true; document.dispatchEvent(new Event("visibilitychange"))`)
	w.until(`(caches.open("streamroom push").then((cache) => cache.match("known")).then((known) => known?.json()).then((known) => {
		globalThis.known = known;
	}), globalThis.known?.people?.alice)`)
	bob.run(chromedp.Navigate(server.URL() + "/app/icon.svg"))
	poll(t, func() bool {
		alice.send("Are you there?")
		return len(browser.Received()) > 0
	})
	w.push(browser.Received()[0].Body)
	w.until(`shown.length === 1 && shown[0].tag.startsWith("streamroom bob ") && shown[0].data.chatRoomId === "general"`)
	w.shows("alice in General: 1 new message")
}
