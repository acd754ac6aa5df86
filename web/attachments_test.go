package web_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/local"
)

// picture returns a PNG of a size.
func picture(t testing.TB, width, height int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			img.Set(x, y, color.RGBA{uint8(40 + 160*x/width), uint8(90 + 120*y/height), 150, 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// filesFor writes files that a page can attach, and returns their paths.
func filesFor(t testing.TB, files map[string][]byte) func(names ...string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(names ...string) []string {
		paths := make([]string, len(names))
		for i, name := range names {
			paths[i] = filepath.Join(dir, name)
		}
		return paths
	}
}

// attach chooses files by the button's input.
func (p *page) attach(paths ...string) {
	p.t.Helper()
	p.run(chromedp.SetUploadFiles(chromedp.CSS(`[data-testid="attach-file"]`), paths))
}

// uploads waits until the files that are attached are in these states, in their order.
func (p *page) uploads(states ...string) {
	p.t.Helper()
	p.until(`[...document.querySelectorAll("[data-testid=upload]")].map((e) => e.dataset.status).join(" ") === "` + strings.Join(states, " ") + `"`)
}

// dropped has the page get a file as a drop or a paste has it.
func (p *page) dropped(event, target, name, contentType string) {
	p.t.Helper()
	p.do(`{const t = new DataTransfer(); t.items.add(new File(["content"], "` + name + `", {type: "` + contentType + `"}));
		const at = ` + target + `;
		at.dispatchEvent("` + event + `" === "paste" ? new ClipboardEvent("paste", {clipboardData: t, bubbles: true, cancelable: true})
			: new DragEvent("` + event + `", {dataTransfer: t, bubbles: true, cancelable: true}));}`)
}

// following returns the address that the page opens, instead of opening it.
func (p *page) following(selector string) string {
	p.t.Helper()
	p.do(`globalThis.followed = ""; HTMLAnchorElement.prototype.click = function () { globalThis.followed = this.href; }`)
	p.run(click(selector))
	p.until(`globalThis.followed`)
	return eval[string](p, `globalThis.followed`)
}

func fetched(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

func attachmentServer(t *testing.T) string {
	t.Helper()
	startBrowser(t)
	return startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()}).URL()
}

// inRoom opens the page in the room that everyone is in.
func inRoom(t *testing.T, url, user string) *page {
	t.Helper()
	p := signedIn(t, url, user)
	p.until(`!document.getElementById("composer").hidden`)
	return p
}

var pdf = []byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")

// Two people exchange a picture and a PDF, one of them offline in between.
func TestAPictureAndAPDF(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	url := attachmentServer(t)
	tea := picture(t, 640, 400)
	files := filesFor(t, map[string][]byte{"tea.png": tea, "plan.pdf": pdf})
	alice, bob := inRoom(t, url, "alice"), inRoom(t, strings.Replace(url, "127.0.0.1", "localhost", 1), "bob")
	bob.send("Hi")
	alice.shows("Hi")
	bob.offline(true)
	alice.attach(files("tea.png", "plan.pdf")...)
	alice.uploads("uploaded", "uploaded")
	alice.send("For Saturday")
	alice.until(`document.querySelector(".own[data-status=sent] img[data-loaded]")?.naturalWidth === 640`)
	alice.uploads()
	alice.until(`document.getElementById("announcer").textContent.includes("tea.png uploaded")`)

	bob.offline(false)
	bob.until(`document.querySelector(".picture img[data-loaded]")?.naturalWidth === 640`)
	bob.shows("Hi", "For Saturday")
	shown := eval[[]float64](bob, `(() => { const i = document.querySelector(".picture img"), b = i.getBoundingClientRect(); return [Number(i.getAttribute("width")), Number(i.getAttribute("height")), b.width, b.height]; })()`)
	if shown[0] != 320 || shown[1] != 200 || shown[2] != 320 || shown[3] != 200 {
		t.Errorf("the picture is %v, want 320 by 200", shown)
	}
	bob.until(`document.querySelector(".message [data-testid=file] .file-name").textContent === "plan.pdf"`)
	response, body := fetched(t, bob.following(".message [data-testid=file]"))
	if disposition := response.Header.Get("Content-Disposition"); !bytes.Equal(body, pdf) || !strings.HasPrefix(disposition, "attachment") {
		t.Errorf("the PDF has %d bytes, as %q", len(body), disposition)
	}
	link := bob.following(".picture")
	if _, body := fetched(t, link); !bytes.Equal(body, tea) {
		t.Errorf("the picture has %d bytes, want %d", len(body), len(tea))
	}

	alice.run(click(".own .text"))
	alice.click("delete")
	alice.click("confirm-yes")
	bob.until(`document.querySelector(".message .deleted") !== null && document.querySelector(".message .picture, .message .file") === null`)
}

// A photo is sent without where and when it was taken; its turn stays.
func TestAPhotoHasNoPosition(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, image.NewRGBA(image.Rect(0, 0, 64, 32)), nil); err != nil {
		t.Fatal(err)
	}
	notes := append([]byte("\xff\xe1\x00\x4eExif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x02"+
		"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x01\x0e\x00\x02\x00\x00\x00\x20\x00\x00\x00\x26\x00\x00\x00\x00"), "N52.5200 E13.4050 Linienstrasse "...)
	photo := slices.Concat(plain.Bytes()[:2], notes, plain.Bytes()[2:], []byte("a film from E13.4050"))
	alice, bob := inRoom(t, url, "alice"), inRoom(t, url, "bob")
	alice.attach(filesFor(t, map[string][]byte{"IMG_1.jpg": photo})("IMG_1.jpg")...)
	alice.uploads("uploaded")
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.enter(0)
	bob.until(`document.querySelector(".picture img[data-loaded]") !== null`)
	// It stands on its side, for the sender and for its readers.
	for _, p := range []*page{alice, bob} {
		p.until(`(i => i?.naturalWidth === 32 && i.naturalHeight === 64 && i.getAttribute("height") === "64")(document.querySelector(".picture img[data-loaded]"))`)
	}
	_, got := fetched(t, bob.following(".picture"))
	if bytes.Contains(got, []byte("E13")) || !bytes.HasSuffix(got, plain.Bytes()[2:]) || len(got) != plain.Len()+36 {
		t.Errorf("a photo of %d bytes, %d without notes, is sent as %d: %q", len(photo), plain.Len(), len(got), got[:min(120, len(got))])
	}
}

// A file can be dropped and pasted, and goes when it is removed. What a browser would run
// is never shown in the page, and no name changes the direction of what is around it.
func TestFilesAreDroppedAndPasted(t *testing.T) {
	t.Parallel()
	alice := inRoom(t, attachmentServer(t), "alice")
	alice.dropped("drop", "document.getElementById('messages')", "run.svg", "image/svg+xml")
	alice.dropped("paste", "document.getElementById('composer-input')", `\u202egpj.exe`, "text/html")
	alice.uploads("uploaded", "uploaded")
	if names := eval[string](alice, `[...document.querySelectorAll("[data-testid=upload] .file-name")].map((e) => e.textContent).join()`); names != "run.svg,gpj.exe" {
		t.Errorf("the files are called %q", names)
	}
	alice.do(`document.querySelector("[data-testid=upload-remove]").focus()`)
	alice.typed("\n")
	alice.uploads("uploaded")
	alice.until(`document.activeElement.getAttribute("aria-label") === "Remove gpj.exe"`)
	alice.dropped("drop", "document.body", "run.svg", "image/svg+xml")
	alice.uploads("uploaded", "uploaded")
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.enter(0)
	alice.until(`document.querySelectorAll(".own[data-status=sent] .message-body [data-testid=file]").length === 2`)
	if n := eval[int](alice, `document.querySelectorAll(".message img, .message iframe, .message object").length`); n != 0 {
		t.Errorf("%d files are shown in the page", n)
	}
	for _, name := range []string{"gpj.exe", "run.svg"} {
		response, _ := fetched(t, alice.following(`.message [title="`+name+`"]`))
		if got := response.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
			t.Errorf("%s comes as %q", name, got)
		}
	}
	alice.until(`document.querySelector("[data-testid=room-item] .room-item-preview").textContent === "You: 2 files"`)
}

// A message waits for its files, over an interruption; after a reload it says which of
// them are gone with the page.
func TestFilesWaitForTheNetwork(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	alice := inRoom(t, attachmentServer(t), "alice")
	alice.cutOff()
	alice.dropped("drop", "document.body", "notes.txt", "text/plain")
	alice.uploads("waiting")
	alice.send("Read this")
	alice.until(`document.querySelector(".own[data-status=waiting] + *, .own[data-status=waiting] .underway")?.textContent.startsWith("Uploading: 0 bytes of 7 bytes.")`)
	alice.offline(false)
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	alice.shows("Read this")
	alice.until(`document.querySelectorAll(".own[data-status=sent] [data-testid=file]").length === 1`)

	alice.cutOff()
	alice.dropped("drop", "document.body", "more.txt", "text/plain")
	alice.send("And this")
	alice.offline(false)
	// The dialog itself would wait for its answer.
	alice.do(`BeforeUnloadEvent.prototype.preventDefault = () => {}`)
	alice.run(chromedp.Reload())
	alice.until(`document.querySelector(".own[data-status=failed] .unsent")?.textContent.includes("before “more.txt” was uploaded: attach it again.")`)
	if n := eval[int](alice, `document.querySelectorAll("[data-testid=retry]").length`); n != 0 {
		t.Error("a message can be tried again that lacks a file")
	}
}

// attachmentsShown has a page with every look of a file.
func attachmentsShown(t *testing.T) *page {
	t.Helper()
	url := attachmentServer(t)
	files := filesFor(t, map[string][]byte{
		"harbour at dawn.png": picture(t, 1200, 800), "tall.png": picture(t, 300, 900), "plan.pdf": pdf,
		"A long name of a spreadsheet that no one shortened before they sent it.xlsx": make([]byte, 1_234_567), "none.png": []byte("no picture"),
	})
	alice, bob := inRoom(t, url, "alice"), inRoom(t, url, "bob")
	bob.attach(files("harbour at dawn.png", "plan.pdf")...)
	bob.uploads("uploaded", "uploaded")
	bob.send("From this morning")
	alice.until(`document.querySelectorAll(".message [data-testid=file]").length === 1`)
	alice.attach(files("tall.png", "A long name of a spreadsheet that no one shortened before they sent it.xlsx", "none.png")...)
	alice.uploads("uploaded", "uploaded", "uploaded")
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.enter(0)
	alice.until(`document.querySelectorAll(".own[data-status=sent] [data-testid=file]").length === 2`)
	alice.attach(files("plan.pdf")...)
	alice.uploads("uploaded")
	alice.do(`{const t = new DataTransfer(); t.items.add(new File([new Uint8Array(27e6)], "holiday.mov", {type: "video/quicktime"})); document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: t, bubbles: true, cancelable: true}));}`)
	alice.uploads("uploaded", "failed")
	alice.until(`document.querySelectorAll(".picture img[data-loaded]").length === 2`)
	return alice
}

// attachmentLooks are those that people look at them with.
var attachmentLooks = []struct {
	name          string
	width, height int64
	scheme        string
}{{"light", 1200, 900, "light"}, {"dark", 1200, 900, "dark"}, {"phone", 390, 780, "light"}, {"phone-dark", 390, 780, "dark"}, {"narrow", 320, 640, "light"}}

func TestAccessibility_OfAttachments(t *testing.T) {
	t.Parallel()
	source := axe(t)
	alice := attachmentsShown(t)
	for _, look := range attachmentLooks {
		alice.look(look.width, look.height, look.scheme)
		alice.accessible(source, "attachments, "+look.name)
	}
}

// TestLooks_OfAttachments shows them, to be looked at.
func TestLooks_OfAttachments(t *testing.T) {
	t.Parallel()
	alice := attachmentsShown(t)
	for _, look := range attachmentLooks {
		alice.look(look.width, look.height, look.scheme)
		alice.screenshot("attachments-" + look.name)
		if width := eval[float64](alice, `document.documentElement.scrollWidth`); width > float64(look.width) {
			t.Errorf("%s: the page is %v px wide", look.name, width)
		}
		alice.do(`document.getElementById("scroller").scrollTop = 0`)
		alice.screenshot("attachments-top-" + look.name)
	}
	alice.look(1200, 900, "light")
	alice.dropped("dragover", "document.body", "a", "text/plain")
	alice.screenshot("attachments-dropping")
}
