package web_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// printed prints the page and returns how many sheets of paper that takes.
func (p *page) printed() int {
	p.t.Helper()
	var pdf []byte
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, cdppage.PrintToPDF, cdppage.PrintToPDFParams{})
		if err == nil {
			pdf = r.Data
		}
		return err
	}))
	return bytes.Count(pdf, []byte("/Type /Page\n"))
}

// All messages that are loaded go on paper, not what fits the window. The page is
// where it was afterwards.
func TestPrinting(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fill("general", 120, time.Now().Add(-time.Minute), func(i int) (string, string) { return "bob", fmt.Sprint("line ", i) })
	alice := signedIn(t, f.URL, "alice")
	alice.until(`document.querySelector("[data-testid=message]") !== null`)
	// Some way up: older messages are loaded, and those in the page begin somewhere.
	alice.toTop()
	alice.until(`document.querySelector("[data-testid=message] .text")?.textContent === "line 0"`)
	alice.do(`document.getElementById("scroller").scrollTop = 1500`)
	top := `Math.round(document.elementFromPoint(900, 400).closest("li").getBoundingClientRect().top) + document.elementFromPoint(900, 400).closest("li").textContent`
	before := eval[string](alice, top)
	alice.do(`window.addEventListener("beforeprint", () => {
		globalThis.onPaper = [...document.querySelectorAll("[data-testid=message] .text")].map((e) => e.textContent).join();
	})`)
	var all bytes.Buffer
	for i := range 120 {
		fmt.Fprintf(&all, ",line %d", i)
	}
	// A line each, without the list of rooms: more than 3 sheets, and fewer than a sheet for ten.
	if sheets := alice.printed(); sheets < 4 || sheets > 12 {
		t.Errorf("120 messages take %d sheets of paper", sheets)
	}
	if got := eval[string](alice, `globalThis.onPaper`); got != all.String()[1:] {
		t.Errorf("on paper are %s", got)
	}
	if after := eval[string](alice, top); after != before {
		t.Errorf("after printing %q is in view, want %q", after, before)
	}
	alice.send("and on")
	alice.until(`[...document.querySelectorAll("[data-testid=message] .text")].at(-1).textContent === "and on"`)
}
