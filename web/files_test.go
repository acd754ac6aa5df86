package web_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// pasted has the page get a paste of a picture and texts by their types, and returns
// whether the page took it for itself.
func (p *page) pasted(name, texts string) bool {
	p.t.Helper()
	return eval[bool](p, `(() => { const t = new DataTransfer(); t.items.add(new File(["content"], "`+name+`", {type: "image/png"}));
		for (const [type, text] of Object.entries(`+texts+`)) t.setData(type, text);
		return !document.getElementById("composer-input").dispatchEvent(new ClipboardEvent("paste", {clipboardData: t, bubbles: true, cancelable: true})); })()`)
}

// A folder is no file: a browser gives it a size, and then can't read it.
func TestAFolderIsNotAttached(t *testing.T) {
	t.Parallel()
	alice := inRoom(t, attachmentServer(t), "alice")
	folder := filepath.Join(t.TempDir(), "holiday")
	if err := os.MkdirAll(filepath.Join(folder, "in it"), 0o750); err != nil {
		t.Fatal(err)
	}
	// The browser of the tests drops no folders of its own.
	alice.do(`DataTransferItem.prototype.webkitGetAsEntry = function () { const { name } = this.getAsFile(); return { name, isDirectory: name === "trip" }; }`)
	alice.do(`{const t = new DataTransfer(); for (const name of ["trip", "plan.pdf"]) t.items.add(new File(["content"], name));
		document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: t, bubbles: true, cancelable: true}));}`)
	alice.until(`document.getElementById("toast").textContent === "trip is a folder, and was not attached."`)
	alice.uploads("uploaded")
	alice.attach(folder)
	alice.uploads("uploaded", "failed")
	alice.until(`document.querySelector("[data-status=failed] .upload-state").textContent.startsWith("It can’t be read")`)
	alice.run(click("[data-status=failed] [data-testid=upload-remove]"))
	alice.uploads("uploaded")
	alice.do(`{const t = new DataTransfer(); for (let i = 0; i < 13; i++) t.items.add(new File(i < 12 ? [i] : [], i + ".txt"));
		document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: t, bubbles: true, cancelable: true}));}`)
	alice.until(`document.getElementById("toast").textContent === "12.txt is empty, or a folder, and was not attached. 9.txt, 10.txt, and 11.txt are too many, and were not attached: a message can have 10 files."`)
}

// What is copied as a file has its name as a text beside it; what is copied from a table
// or a text has its picture.
func TestPastedTextsAndFiles(t *testing.T) {
	t.Parallel()
	alice := inRoom(t, attachmentServer(t), "alice")
	for _, c := range []struct {
		name, texts string
		file        bool
	}{
		{"finder.png", `{"text/plain": "finder.png"}`, true},
		{"browser.png", `{"text/html": "<img src='https://example.com/a.png'>"}`, true},
		{"sheet.png", `{"text/plain": "1\t2", "text/html": "<table><td>1<td>2</table>"}`, false},
		{"word.png", `{"text/plain": "Hello", "text/rtf": "{\\rtf1 Hello}"}`, false},
	} {
		if got := alice.pasted(c.name, c.texts); got != c.file {
			t.Errorf("%s: taken as a file: %v, want %v", c.name, got, c.file)
		}
	}
	alice.uploads("uploaded", "uploaded")
}

// Who presses Enter right after a paste sends what was pasted.
func TestEnterRightAfterAPaste(t *testing.T) {
	t.Parallel()
	alice := inRoom(t, attachmentServer(t), "alice")
	alice.do(`{const decode = globalThis.createImageBitmap; globalThis.createImageBitmap = async (file) => { await new Promise((resolve) => { globalThis.decode = resolve; }); return decode(file); };}`)
	alice.do(`globalThis.screen = new Promise((resolve) => { const c = document.createElement("canvas"); c.width = 64; c.height = 48; c.toBlob(resolve); })`)
	alice.do(`screen.then((blob) => { const t = new DataTransfer(); t.items.add(new File([blob], "screen.png", {type: "image/png"}));
		document.getElementById("composer-input").dispatchEvent(new ClipboardEvent("paste", {clipboardData: t, bubbles: true, cancelable: true})); globalThis.pasted = true; })`)
	alice.until(`globalThis.pasted`)
	alice.send("Look")
	alice.until(`document.querySelectorAll(".own[data-status=waiting] [data-testid=file]").length === 1`)
	alice.do(`globalThis.decode()`)
	alice.until(`document.querySelector(".own[data-status=sent] img[data-loaded]")?.naturalWidth === 64`)
	alice.shows("Look")
	alice.uploads()
}

// A file that was changed or moved since it was chosen can't be read any more.
func TestAFileThatChanged(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	alice := inRoom(t, attachmentServer(t), "alice")
	files := filesFor(t, map[string][]byte{"plan.pdf": pdf, "gone.pdf": pdf})
	alice.cutOff()
	alice.attach(files("plan.pdf", "gone.pdf")...)
	alice.uploads("waiting", "waiting")
	if err := os.WriteFile(files("plan.pdf")[0], append(pdf, "more"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files("gone.pdf")[0]); err != nil {
		t.Fatal(err)
	}
	alice.offline(false)
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	alice.uploads("failed", "failed")
	alice.until(`[...document.querySelectorAll(".upload-state")].every((e) => e.textContent.includes("was changed or moved since it was chosen"))`)
}

// What is said beside files can be taken back.
func TestACaptionIsRemoved(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	alice, bob := inRoom(t, url, "alice"), inRoom(t, url, "bob")
	files := filesFor(t, map[string][]byte{"plan.pdf": pdf})
	alice.attach(files("plan.pdf")...)
	alice.uploads("uploaded")
	alice.send("Wrong words")
	bob.shows("Wrong words")
	alice.until(`document.querySelector(".own[data-status=sent]")`)
	alice.do(`document.getElementById("composer-input").focus()`)
	alice.arrow("ArrowUp", 0)
	alice.until(`document.getElementById("composer-input").value === "Wrong words"`)
	alice.do(`document.getElementById("composer-input").select()`)
	alice.key("Delete", "Delete", 46, 0)
	alice.until(`document.getElementById("composer-input").value === ""`)
	alice.enter(0)
	bob.until(`document.querySelector(".message .text").hidden && document.querySelectorAll(".message [data-testid=file]").length === 1`)
}

// Files stay with the room in which they were attached.
func TestFilesStayInTheirRoom(t *testing.T) {
	t.Parallel()
	alice := inRoom(t, attachmentServer(t), "alice")
	alice.click("new-room")
	alice.typed("Other\n")
	alice.until(`document.getElementById("room-name").textContent === "Other"`)
	files := filesFor(t, map[string][]byte{"plan.pdf": pdf})
	alice.attach(files("plan.pdf")...)
	alice.uploads("uploaded")
	alice.openRoom("general")
	alice.uploads()
	alice.send("nothing with it")
	alice.shows("nothing with it")
	alice.do(`history.back()`)
	alice.until(`document.getElementById("room-name").textContent === "Other"`)
	alice.uploads("uploaded")
	alice.send("the plan")
	alice.until(`document.querySelectorAll(".own[data-status=sent] [data-testid=file]").length === 1`)
}

// A browser takes what is opened long after a click for a pop-up: the reader is asked once more.
func TestALinkThatComesLate(t *testing.T) {
	t.Parallel()
	alice := inRoom(t, attachmentServer(t), "alice")
	files := filesFor(t, map[string][]byte{"plan.pdf": pdf})
	alice.attach(files("plan.pdf")...)
	alice.uploads("uploaded")
	alice.send("The plan")
	alice.until(`document.querySelector(".own[data-status=sent] [data-testid=file]")`)
	alice.do(`globalThis.followed = ""; HTMLAnchorElement.prototype.click = function () { globalThis.followed = this.href; };
		Object.defineProperty(navigator, "userActivation", {value: {isActive: false}, configurable: true})`)
	alice.run(click(".message [data-testid=file]"))
	alice.until(`document.getElementById("toast").textContent === "plan.pdf is ready now: open it once more."`)
	alice.do(`delete navigator.userActivation`)
	alice.run(click(".message [data-testid=file]"))
	alice.until(`globalThis.followed`)
}

// What is dropped while a dialog is open is not attached behind it.
func TestADropOnADialog(t *testing.T) {
	t.Parallel()
	alice := inRoom(t, attachmentServer(t), "alice")
	alice.click("new-room")
	alice.dropped("drop", "document.getElementById('new-room-dialog')", "notes.txt", "text/plain")
	alice.uploads()
	alice.escape()
	alice.dropped("drop", "document.body", "notes.txt", "text/plain")
	alice.uploads("uploaded")
	// Signing out deletes what is attached, too, so it asks.
	alice.click("signout")
	alice.until(`document.getElementById("confirm-dialog").open && document.getElementById("confirm-text").textContent.startsWith("1 file is attached to what is not sent yet.")`)
	alice.click("confirm-yes")
	alice.until(`!document.getElementById("signin").hidden`)
	alice.do(`document.getElementById("signin-name").value = ""; document.getElementById("signin-name").focus()`)
	alice.typed("bob\n")
	alice.until(`!document.getElementById("composer").hidden`)
	alice.uploads()
}

// While a tab uploads the files of a message, another one leaves the message to it.
func TestFilesThatAnotherTabUploads(t *testing.T) {
	t.Parallel()
	url := attachmentServer(t)
	first := inRoom(t, url, "alice")
	first.do(`{const { send } = XMLHttpRequest.prototype; XMLHttpRequest.prototype.send = function (form) { globalThis.upload = () => send.call(this, form); };}`)
	files := filesFor(t, map[string][]byte{"plan.pdf": pdf})
	first.attach(files("plan.pdf")...)
	first.send("The plan")
	first.until(`globalThis.upload && document.querySelector(".own[data-status=waiting]")`)
	second := first.beside(url, "alice")
	second.until(`document.getElementById("room-note").textContent.includes("Nothing has been said yet")`)
	if eval[bool](second, `document.querySelector("[data-testid=message]") !== null`) {
		t.Error("the other tab shows a message that it can't send")
	}
	first.do(`globalThis.upload()`)
	for _, p := range []*page{first, second} {
		p.shows("The plan")
		p.until(`document.querySelectorAll(".own[data-status=sent] [data-testid=file]").length === 1`)
	}
	// The tab that is left says what was interrupted.
	first.do(`globalThis.upload = undefined`)
	first.attach(files("plan.pdf")...)
	first.send("Once more")
	first.until(`globalThis.upload && document.querySelector(".own[data-status=waiting]")`)
	first.do(`BeforeUnloadEvent.prototype.preventDefault = () => {}`)
	first.run(chromedp.Navigate("about:blank"))
	second.do(`location.reload()`)
	second.until(`document.querySelector(".own[data-status=failed] .unsent")?.textContent.includes("before “plan.pdf” was uploaded: attach it again.")`)
}

// A picture whose link can't be had now is loaded later, without a reload. What the page
// holds of its own pictures is let go with the room.
func TestAPictureComesLater(t *testing.T) {
	t.Parallel()
	losesNetwork(t)
	url := attachmentServer(t)
	bob := inRoom(t, url, "bob")
	bob.do(`globalThis.own = new Set(); {const { createObjectURL, revokeObjectURL } = URL;
		URL.createObjectURL = (data) => { const url = createObjectURL(data); own.add(url); return url; };
		URL.revokeObjectURL = (url) => { own.delete(url); revokeObjectURL(url); };}`)
	files := filesFor(t, map[string][]byte{"tea.png": picture(t, 640, 400)})
	bob.do(`{const { send } = XMLHttpRequest.prototype; XMLHttpRequest.prototype.send = function (form) { globalThis.upload = () => send.call(this, form); };}`)
	bob.attach(files("tea.png")...)
	bob.send("Tea")
	bob.until(`globalThis.upload && document.querySelector(".own[data-status=waiting] img[data-loaded]") && own.size === 1`)
	bob.do(`upload()`)
	bob.until(`document.querySelector(".own[data-status=sent] img[data-loaded]") && own.size === 1`)
	bob.do(`{const input = document.getElementById("composer-input"); input.value = "Much later\n".repeat(60); input.dispatchEvent(new InputEvent("input", {bubbles: true})); input.focus();}`)
	bob.enter(0)
	bob.until(`document.querySelectorAll(".own[data-status=sent]").length === 2`)

	alice := inRoom(t, url, "alice")
	alice.until(`document.querySelectorAll("[data-testid=message]").length === 2`)
	alice.offline(true)
	alice.do(`{const { fetch } = globalThis; globalThis.asked = 0; globalThis.fetch = (...of) => { asked++; return fetch(...of); };}`)
	alice.toTop()
	alice.until(`document.querySelector(".picture img").getBoundingClientRect().bottom > 0`)
	alice.until(`document.querySelector("[data-testid=connection-state]").dataset.state !== "online"`)
	if eval[bool](alice, `document.querySelector(".picture img").hasAttribute("data-loaded")`) {
		t.Fatal("the picture was loaded before it was near")
	}
	alice.offline(false)
	alice.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	alice.until(`document.querySelector(".picture img[data-loaded]")?.naturalWidth === 640`)

	bob.do(`location.hash = "#/room/elsewhere"`)
	bob.until(`own.size === 0`)
}
