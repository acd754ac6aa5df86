package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/css"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take for anything before a test gives up.
const patience = time.Minute

// browser is one Chromium for all tests here; TestMain ends it.
var browser struct {
	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.cancel != nil {
		browser.cancel()
	}
	os.Exit(code)
}

// browsers are the programs that can show the page, the first one found is used. The
// headless shell is Chromium without a window: the tests take half the time in it.
var browsers = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}

// startBrowser returns the browser, started at first use. It skips the test where
// no Chromium is installed: the browser client can't be tested without a browser.
// Where STREAMROOM_REQUIRE_BROWSER is set, as in CI, that is a failure.
func startBrowser(t testing.TB) context.Context {
	t.Helper()
	var path string
	for _, name := range browsers {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" && os.Getenv("STREAMROOM_REQUIRE_BROWSER") != "" {
		t.Fatal("no Chromium is installed, and STREAMROOM_REQUIRE_BROWSER asks for one")
	}
	if path == "" {
		t.Skip("no Chromium is installed (looked for " + strings.Join(browsers, ", ") + ")")
	}
	browser.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.Flag("disable-component-update", true),
			chromedp.Flag("ignore-certificate-errors", true), // of overHTTP2
			chromedp.WindowSize(1200, 800),
		)
		// The browser outlives the test that happens to start it.
		alloc, cancel := chromedp.NewExecAllocator(context.Background(), options...)
		browser.ctx, browser.cancel = chromedp.NewContext(alloc)
		stop := browser.cancel
		browser.cancel = func() { stop(); cancel() }
		browser.err = chromedp.Do(browser.ctx)
	})
	if browser.err != nil {
		t.Fatalf("start %s: %v", path, browser.err)
	}
	return browser.ctx
}

// page is a tab of its own, with its own storage.
type page struct {
	t            testing.TB
	ctx          context.Context
	losesNetwork bool
}

// openPage opens a URL in a new tab. What the page throws or reports, violations of
// its policy among it, fails the test; lost connections don't.
func openPage(t testing.TB, url string) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(startBrowser(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &page{t: t, ctx: ctx}
	// The first action ties the tab to its context: this one has no timeout.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if _, p.losesNetwork = losing.Load(t.Name()); !p.losesNetwork {
		p.run(chromedp.Func(quieten))
	}
	var mu sync.Mutex
	var problems []string
	report := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		problems = append(problems, text)
	}
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			report(ev.ExceptionDetails.Text)
		case *cdplog.EventEntryAdded:
			if ev.Entry.Level == cdplog.EntryLevelError && ev.Entry.Source != cdplog.EntrySourceNetwork {
				report(ev.Entry.Text)
			}
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.ConsoleAPICalledTypeError {
				report(fmt.Sprint("console.error: ", ev.Args[0].Description))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, problem := range problems {
			t.Errorf("the page reported: %s", problem)
		}
	})
	p.run(chromedp.Navigate(url))
	return p
}

// quieten has a tab tell nothing of its requests and styles, which takes time and which
// no test reads.
func quieten(ctx context.Context, t *chromedp.Target) error {
	_, err := cdp.Call(ctx, t, network.Disable, cdp.Empty{})
	if err == nil {
		_, err = cdp.Call(ctx, t, css.Disable, cdp.Empty{})
	}
	return err
}

// losing has the tests that call losesNetwork, by name.
var losing sync.Map

// losesNetwork has the tabs that a test opens from here on be such that it can take the
// network from them: a socket stays in reach that was opened while a tab told nothing.
func losesNetwork(t testing.TB) {
	t.Helper()
	losing.Store(t.Name(), true)
}

// signedIn opens the page and signs in.
func signedIn(t testing.TB, url, user string) *page {
	t.Helper()
	p := openPage(t, url+"/")
	p.signIn(user)
	return p
}

// signIn signs in on the page that asks for a name.
func (p *page) signIn(user string) {
	p.t.Helper()
	p.until(`document.activeElement?.dataset.testid === "signin-name"`)
	p.typed(user + "\n")
	p.until(`document.querySelector("[data-testid=connection-state]").textContent === "Connected"`)
	p.until(`document.querySelector("[data-testid=room-item]") !== null`)
	// The newest room, where there is space for one beside the list: what comes while that is
	// opening is unread, and the reader is led to the first of it.
	p.until(`document.getElementById("stage").ariaBusy !== "true"`)
}

func (p *page) run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	for _, step := range steps {
		value(p, step)
	}
}

// value runs an action and returns what it gives.
func value[T any](p *page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// eval evaluates JavaScript.
func eval[T any](p *page, js string) T {
	p.t.Helper()
	return value(p, chromedp.Evaluate[T](js))
}

// do runs JavaScript.
func (p *page) do(js string) {
	p.t.Helper()
	eval[chromedp.Void](p, js)
}

// until waits until JavaScript says true. (chromedp.Poll makes code from strings,
// which the page's policy forbids.)
func (p *page) until(js string) {
	p.t.Helper()
	p.within(patience, js)
}

// within is until with its own patience.
func (p *page) within(patience time.Duration, js string) {
	p.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.holds(js) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			p.t.Fatalf("not within %v: %s\nthe page says:\n%s", patience, js, eval[string](p, "globalThis.document?.body.innerText ?? JSON.stringify(globalThis.shown)"))
		}
	}
}

// holds reports whether JavaScript says true. A page that is being left says nothing.
func (p *page) holds(js string) bool {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+js+")"))
	if err != nil && !strings.Contains(err.Error(), "navigated or closed") {
		p.t.Fatal(err)
	}
	return ok && err == nil
}

// typed sends keys to whatever has the focus. A \n at the end is Enter.
func (p *page) typed(keys string) {
	p.t.Helper()
	text, enter := strings.CutSuffix(keys, "\n")
	p.run(chromedp.KeyEvent(text))
	if enter {
		p.enter(0)
	}
}

// Modifiers of keys.
const (
	alt   = 1
	ctrl  = 2
	shift = 8
)

// enter presses Enter as a keyboard does: a page that prevents its default gets no
// line break. (chromedp.KeyEvent sends the line break apart from the key.)
func (p *page) enter(modifiers int64) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, e := range []input.DispatchKeyEventParams{
			{Type: input.DispatchKeyEventTypeKeyDown, Text: "\r"},
			{Type: input.DispatchKeyEventTypeKeyUp},
		} {
			e.Key, e.Code, e.WindowsVirtualKeyCode, e.Modifiers = "Enter", "Enter", 13, modifiers
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

// key presses a key by its name, such as ArrowUp, with modifiers.
func (p *page) key(key, code string, number, modifiers int64) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			e := input.DispatchKeyEventParams{Type: kind, Key: key, Code: code, WindowsVirtualKeyCode: number, Modifiers: modifiers}
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

// arrow presses ArrowUp or ArrowDown.
func (p *page) arrow(key string, modifiers int64) {
	p.t.Helper()
	p.key(key, key, map[string]int64{"ArrowUp": 38, "ArrowDown": 40}[key], modifiers)
}

// escape presses Escape.
func (p *page) escape() {
	p.t.Helper()
	p.key("Escape", "Escape", 27, 0)
}

// offline takes the network away from the page, or gives it back. Sockets that are
// open stay so, as they do on a machine that has just lost its network.
func (p *page) offline(offline bool) {
	p.t.Helper()
	if !p.losesNetwork {
		p.t.Fatal("this test has to call losesNetwork before it opens the page")
	}
	p.emulateNetwork(offline)
	if !offline {
		return
	}
	// The browser's network learns of it by another way than of the page's next request,
	// which may come first.
	p.do(`window.reached = {}`)
	p.until(`(() => {
		const reached = window.reached;
		if (reached.is === undefined && reached.asked) return false;
		if (reached.is === false) return true;
		reached.asked = true;
		delete reached.is;
		fetch("/?reached", { method: "HEAD", cache: "no-store" }).then(() => (reached.is = true), () => (reached.is = false));
		return false;
	})()`)
}

// cutOff takes the network away, and waits until the page shows that it is not connected. A
// frame that was under way has it take its open socket for alive, so it is told again.
func (p *page) cutOff() {
	p.t.Helper()
	p.offline(true)
	p.until(`(dispatchEvent(new Event("offline")), document.querySelector("[data-testid=connection-state]").dataset.state !== "online")`)
}

func (p *page) emulateNetwork(offline bool) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		rules := []*network.Conditions{}
		if offline {
			rules = append(rules, &network.Conditions{Offline: true, DownloadThroughput: -1, UploadThroughput: -1})
		}
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: rules})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, network.OverrideNetworkState, network.OverrideNetworkStateParams{
			Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
		})
		return err
	}))
}

// click clicks the element with this data-testid.
func (p *page) click(testid string) {
	p.t.Helper()
	p.run(click(`[data-testid="` + testid + `"]`))
}

// send writes a message and sends it with Enter.
func (p *page) send(text string) {
	p.t.Helper()
	p.run(chromedp.SendKeys(chromedp.CSS(`[data-testid="composer-input"]`), text))
	p.enter(0)
}

// openRoom opens a room from the list. It clicks without a pointer: rooms move in the list,
// and another one may be where the pointer was sent.
func (p *page) openRoom(id string) {
	p.t.Helper()
	item := `document.querySelector('[data-testid="room-item"][data-room-id="` + id + `"]')`
	p.until(item + ` !== null`)
	p.do(item + `.focus(), ` + item + `.click()`)
	p.until(item + `?.ariaCurrent === "page"`)
}

// opened waits until a room that has just been opened is: its composer had the focus before,
// its messages are shown, and the page has gone to its place in them.
func (p *page) opened() {
	p.t.Helper()
	p.until(`document.getElementById("stage")?.ariaBusy === "false"`)
}

// toTop scrolls to the top of a room that has just been opened. No one scrolls what was not
// drawn yet.
func (p *page) toTop() {
	p.t.Helper()
	p.opened()
	p.drawn()
	p.do(`document.getElementById("scroller").scrollTop = 0`)
}

// texts returns what the messages say, in the order shown.
func (p *page) texts() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll("[data-testid=message] .text")].map((e) => e.textContent)`)
}

// shows waits until exactly these messages are shown, all stored.
func (p *page) shows(want ...string) {
	p.t.Helper()
	texts, err := json.Marshal(want)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, messages := range []string{"", "[data-status=sent]"} {
		p.until(`JSON.stringify([...document.querySelectorAll("[data-testid=message]` + messages + ` .text")].map((e) => e.textContent)) === JSON.stringify(` + string(texts) + `)`)
	}
}

// screenshot keeps a picture where STREAMROOM_SCREENSHOTS names a folder.
func (p *page) screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("STREAMROOM_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture := value(p, chromedp.CaptureScreenshot())
	if err := os.MkdirAll(dir, 0o750); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// look sets how the page is looked at: its size in pixels, and "light" or "dark".
func (p *page) look(width, height int64, scheme string) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})
		return err
	}))
	p.drawn()
}

// drawn waits until the page has drawn itself again.
func (p *page) drawn() {
	p.t.Helper()
	p.do(`delete globalThis.drawn; requestAnimationFrame(() => requestAnimationFrame(() => { globalThis.drawn = true; }))`)
	p.until(`globalThis.drawn`)
}

// click clicks the first element of a selector, once it is visible.
func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible, chromedp.RetryInterval(25*time.Millisecond))
}

// poll waits until ok.
func poll(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v", patience)
		}
	}
}
