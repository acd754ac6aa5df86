package web_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/local"
)

// gate is a network whose server reads no further than the begin of a request, until it is
// told to go on: a browser is held at what the system's buffers take.
type gate struct {
	net.ListenConfig
	net.Dialer

	mu    sync.Mutex
	holds string        // how requests begin that are held; "" for none
	open  chan struct{} // closed when those that are held go on
	held  []*gated
	cuts  bool // they are not held, but end
}

// Listen implements local.Network.
func (g *gate) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	listener, err := g.ListenConfig.Listen(ctx, network, address)
	return &gatedListener{listener, g}, err
}

// hold holds requests from now on that begin so.
func (g *gate) hold(begin string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds, g.open, g.held, g.cuts = begin, make(chan struct{}), nil, false
}

// release lets go on what is held, and holds nothing more.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds != "" {
		close(g.open)
	}
	g.holds = ""
}

// cut ends the connections of what is held, and of what would be, until a release: a browser
// sends a request again by itself if a connection ends that it had used before.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.held {
		_ = c.Close()
	}
	g.cuts = true
}

// stops decides about what a connection reads: it goes on when open is closed, or at once if
// that is nil.
func (g *gate) stops(c *gated, read []byte) (open chan struct{}, cuts bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds == "" || !bytes.HasPrefix(read, []byte(g.holds)) {
		return nil, false
	}
	g.held = append(g.held, c)
	return g.open, g.cuts
}

// ended waits until the server has done with what was held.
func (g *gate) ended(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if len(held) == 0 {
		t.Fatal("nothing was held")
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for _, c := range held {
		select {
		case <-c.closed:
		case <-timeout.C:
			t.Fatalf("not within %v: the end of a connection", patience)
		}
	}
}

type gatedListener struct {
	net.Listener
	gate *gate
}

// Accept implements net.Listener.
func (l *gatedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetReadBuffer(64 << 10) // so that little of a request is on its way
	}
	return &gated{Conn: conn, gate: l.gate, closed: make(chan struct{})}, err
}

// gated is a connection of a gate.
type gated struct {
	net.Conn
	gate   *gate
	once   sync.Once
	closed chan struct{}
}

// Read implements net.Conn. A browser writes the head of a request by itself.
func (c *gated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	open, cuts := c.gate.stops(c, p[:n])
	switch {
	case cuts:
		return 0, errors.Join(net.ErrClosed, c.Close())
	case open != nil:
		select {
		case <-open:
		case <-c.closed:
		}
	}
	return n, err
}

// Close implements net.Conn.
func (c *gated) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// uploadsBegin is how the request of an upload begins.
const uploadsBegin = "POST /objects/"

// gatedServer is an attachmentServer behind a gate.
func gatedServer(t *testing.T) (*gate, *local.Server) {
	t.Helper()
	startBrowser(t)
	g := &gate{}
	s := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", Network: g, LogLevel: "error", Log: t.Output()})
	t.Cleanup(g.release) // before the server stops
	return g, s.Server
}

// uploading has alice upload a film to a room that bob is in, of which a part has gone.
func uploading(t *testing.T) (g *gate, s *local.Server, alice, bob *page) {
	t.Helper()
	g, s = gatedServer(t)
	alice, bob = inRoom(t, s.URL(), "alice"), inRoom(t, s.URL(), "bob")
	g.hold(uploadsBegin)
	alice.film()
	alice.underway()
	return g, s, alice, bob
}

// objects are the keys of all files that a server has.
func objectsOf(t *testing.T, s *local.Server) []string {
	t.Helper()
	_, body := fetched(t, s.TableURL()+"/"+local.AttachmentsBucket+"?list-type=2")
	var listed struct{ Contents []struct{ Key string } }
	if err := xml.Unmarshal(body, &listed); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	keys := []string{}
	for _, object := range listed.Contents {
		keys = append(keys, object.Key)
	}
	return keys
}

// film attaches a file that is larger than what buffers take.
func (p *page) film() {
	p.t.Helper()
	p.do(`{const t = new DataTransfer(); t.items.add(new File([new Uint8Array(16e6)], "film.mov", {type: "video/quicktime"}));
		document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: t, bubbles: true, cancelable: true}));}`)
}

// underway waits until a part of the film has gone, and the page shows how much.
func (p *page) underway() {
	p.t.Helper()
	p.uploads("uploading")
	p.until(`(bar => bar.checkVisibility() && bar.max === 16e6 && bar.value > 0 && bar.value < bar.max)(document.querySelector("[data-testid=upload] progress"))`)
	p.until(`/^\d.* of 16 MB$/.test(document.querySelector(".upload-state").textContent)`)
}

// partFilled checks that the bar of an upload has two colours, by one like it that stands
// still.
func (p *page) partFilled(look string) {
	p.t.Helper()
	p.do(`{const bar = document.querySelector("[data-testid=upload] progress"), like = bar.cloneNode(); like.id = "like"; like.value = like.max / 2; bar.after(like);}`)
	defer p.do(`document.getElementById("like").remove()`)
	box := eval[[]float64](p, `(({x, y, width, height}) => [x, y, width, height])(document.getElementById("like").getBoundingClientRect())`)
	shown, err := png.Decode(bytes.NewReader(value(p, chromedp.CaptureScreenshot())))
	if err != nil {
		p.t.Fatal(err)
	}
	at := func(part float64) color.Color { return shown.At(int(box[0]+part*box[2]), int(box[1]+box[3]/2)) }
	if at(0.25) == at(0.75) {
		p.t.Errorf("%s: the bar is of one colour, %v", look, at(0.25))
	}
}

// While a file uploads the page shows how far it is, and a message waits for it.
func TestAnUploadShowsHowFarItIs(t *testing.T) {
	t.Parallel()
	g, _, alice, bob := uploading(t)
	if label := eval[string](alice, `document.querySelector("[data-testid=upload] progress").ariaLabel`); label != "Upload of film.mov" {
		t.Errorf("the bar is called %q", label)
	}
	for _, look := range attachmentLooks {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("uploading-" + look.name)
		alice.partFilled(look.name)
	}
	g.release()
	alice.uploads("uploaded")
	alice.until(`document.querySelector("[data-testid=upload] progress").hidden && document.querySelector(".upload-state").textContent === "16 MB"`)

	alice.look(1200, 800, "light")
	g.hold(uploadsBegin)
	alice.film()
	alice.send("Two films")
	alice.until(`/^Uploading: \d.* of 32 MB/.test(document.querySelector(".own[data-status=waiting] .underway")?.textContent)`)
	if n := eval[int](bob, `document.querySelectorAll("[data-testid=message]").length`); n != 0 {
		t.Errorf("the message came before its files, to bob as one of %d", n)
	}
	g.release()
	bob.shows("Two films")
	bob.until(`document.querySelectorAll(".message [data-testid=file]").length === 2`)
}

// An upload that is given up ends at once: nothing of it is stored or sent.
func TestAnUploadIsGivenUp(t *testing.T) {
	t.Parallel()
	g, s, alice, bob := uploading(t)
	alice.do(`document.querySelector("[data-testid=upload-remove]").focus()`)
	alice.enter(0)
	alice.uploads()
	alice.until(`document.activeElement.dataset.testid === "attach" && document.getElementById("announcer").textContent.includes("film.mov removed")`)
	g.release()
	g.ended(t)
	alice.send("Without it")
	bob.shows("Without it")
	if got := objectsOf(t, s); len(got) != 0 {
		t.Errorf("the bucket has %q", got)
	}

	// So does one of a message that is deleted before it was sent.
	alice.do(`{const { send } = XMLHttpRequest.prototype; XMLHttpRequest.prototype.send = function (form) { globalThis.request = this; send.call(this, form); };}`)
	g.hold(uploadsBegin)
	alice.film()
	alice.send("Never mind")
	const says = `document.querySelector(".own[data-status=waiting] .underway")?.textContent`
	alice.until(`/^Uploading: [1-9]/.test(` + says + `)`)
	alice.do(`document.querySelector(".own[data-status=waiting] [data-testid=discard]").focus()`)
	// The browser's own events, of what the connection has taken, may follow for a while.
	alice.until(`(request.upload.dispatchEvent(new ProgressEvent("progress", { loaded: 15e6 })), ` + says + `.startsWith("Uploading: 15 MB of 16 MB."))`)
	alice.until(`document.activeElement.dataset.testid === "discard"`)
	alice.enter(0)
	alice.shows("Without it")
	g.release()
	g.ended(t)
	alice.send("After it")
	for _, p := range []*page{alice, bob} {
		p.shows("Without it", "After it")
		p.until(`document.querySelector(".message [data-testid=file]") === null`)
	}
	if got := objectsOf(t, s); len(got) != 0 {
		t.Errorf("the bucket has %q", got)
	}
}

// An upload that breaks off with the connection begins again with the next one, and its
// message is sent once.
func TestAnUploadIsTriedAgainAfterAReconnect(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	g, s, alice, bob := uploading(t)
	alice.send("The film")
	alice.cutOff()
	g.cut()
	g.ended(t)
	alice.until(`document.querySelector(".own[data-status=waiting] .underway")?.textContent.startsWith("Uploading: 0 bytes of 16 MB.")`)
	g.release()
	alice.offline(false)
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	for _, p := range []*page{alice, bob} {
		p.shows("The film")
		p.until(`document.querySelectorAll("[data-testid=message] [data-testid=file]").length === 1`)
	}
	var sent []string
	for _, key := range objectsOf(t, s) {
		if strings.HasPrefix(key, "rooms/") {
			sent = append(sent, key)
		}
	}
	if len(sent) != 1 {
		t.Errorf("the messages have the files %q, want one", sent)
	}
}

// A phone offers its camera, for one picture.
func TestAPhonesCamera(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice, bob := inRoom(t, url, "alice"), inRoom(t, url, "bob")
	const camera = `document.querySelector("[data-testid=camera]")`
	if eval[bool](alice, camera+`.checkVisibility()`) {
		t.Error("a computer with a mouse offers a camera")
	}
	alice.look(390, 780, "light")
	chosen := make(chan *cdppage.EventFileChooserOpened, 1)
	err := chromedp.Listen(alice.ctx, func(ev any) {
		if opened, ok := ev.(*cdppage.EventFileChooserOpened); ok {
			chosen <- opened
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	alice.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
		if err == nil {
			_, err = cdp.Call(ctx, t, cdppage.SetInterceptFileChooserDialog, cdppage.SetInterceptFileChooserDialogParams{Enabled: true})
		}
		return err
	}))
	alice.until(camera + `.checkVisibility()`)
	alice.screenshot("camera-phone")
	alice.tap("[data-testid=camera]")
	var opened *cdppage.EventFileChooserOpened
	select {
	case opened = <-chosen:
	case <-time.After(patience):
		t.Fatal("the camera's button opens nothing")
	}
	if opened.Mode != cdppage.FileChooserOpenedModeSelectSingle {
		t.Errorf("it takes %s", opened.Mode)
	}
	const asks = `document.getElementById("composer-photo")`
	if got := eval[string](alice, asks+`.getAttribute("capture") + " " + `+asks+`.accept`); got != "environment image/*" {
		t.Errorf("it asks for %q", got)
	}
	files := filesFor(t, map[string][]byte{"IMG_0001.png": picture(t, 300, 400)})
	alice.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: files("IMG_0001.png"), BackendNodeID: opened.BackendNodeID})
		return err
	}))
	alice.uploads("uploaded")
	alice.tap("#composer-send")
	for _, p := range []*page{alice, bob} {
		p.until(`document.querySelector("[data-status=sent] img[data-loaded]")?.naturalWidth === 300`)
	}
}

// A picture has its room before it is loaded: nothing that is read moves when it is there.
func TestAPictureMovesNothing(t *testing.T) {
	t.Parallel()
	g, s := gatedServer(t)
	alice := inRoom(t, s.URL(), "alice")
	files := filesFor(t, map[string][]byte{"wide.png": picture(t, 1200, 600), "tall.png": picture(t, 200, 900), "small.png": picture(t, 20, 30), "wrong.png": picture(t, 100, 400)})
	alice.send("Before")
	alice.attach(files("wide.png", "tall.png", "small.png")...)
	alice.uploads("uploaded", "uploaded", "uploaded")
	alice.do(`globalThis.createImageBitmap = async () => ({ width: 300, height: 30 })`) // which it is not
	alice.attach(files("wrong.png")...)
	alice.uploads("uploaded", "uploaded", "uploaded", "uploaded")
	alice.send("Four pictures")
	alice.send("After")
	alice.shows("Before", "Four pictures", "After")
	alice.until(`document.querySelectorAll("img[data-loaded]").length === 4`)

	const boxes = `JSON.stringify([...document.querySelectorAll("[data-testid=message], [data-testid=message] .picture, [data-testid=message] img")].map((e) => {
		const {x, y, width, height} = e.getBoundingClientRect(); return [e.className || e.localName, x, y, width, height]; }))`
	for name, width := range map[string]int64{"bob": 1200, "carol": 320} {
		p := openPage(t, s.URL()+"/")
		p.look(width, 2_000, "light") // all of it is in view
		g.hold("GET /objects/")
		p.signIn(name)
		if width < 600 { // the list of rooms is shown first
			p.openRoom("general")
		}
		p.shows("Before", "Four pictures", "After")
		p.until(`[...document.querySelectorAll(".picture img")].filter((i) => i.src && !i.complete).length === 4`)
		p.drawn()
		p.do(`globalThis.moved = []; new PerformanceObserver((list) => moved.push(...list.getEntries())).observe({type: "layout-shift"})`)
		before := eval[string](p, boxes)
		p.screenshot("picture-loading-" + name)
		g.release()
		p.until(`document.querySelectorAll("img[data-loaded]").length === 4`)
		p.drawn()
		if after := eval[string](p, boxes); after != before {
			t.Errorf("%s: before the pictures were loaded\n%s\nand after\n%s", name, before, after)
		}
		if moved := eval[string](p, `JSON.stringify(moved)`); moved != "[]" {
			t.Errorf("%s: the page moved: %s", name, moved)
		}
	}
}
