package web_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// BenchmarkPageLoad measures a tab whose user is signed in, from the start of the
// navigation: until all files were read and run, and until the newest messages of
// the first room are in the page. Warm asks whether the files changed, cold reads
// them.
func BenchmarkPageLoad(b *testing.B) {
	losesNetwork(b)
	f := newFake(b)
	conversation(f)
	p := signedIn(b, f.URL, "alice")
	p.until(`document.querySelectorAll("[data-testid=message]").length === 12`)
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: `
			new MutationObserver((_, observer) => {
				if (!document.querySelector("[data-testid=message]")) return;
				observer.disconnect();
				performance.mark("first-message");
			}).observe(document, {childList: true, subtree: true});`})
		return err
	}))
	for _, server := range []struct {
		name    string
		latency float64 // ms
		cold    bool
	}{{"warm", 0, false}, {"cold", 0, true}, {"cold-100ms-away", 100, true}} {
		b.Run(server.name, func(b *testing.B) {
			p.network(server.latency, server.cold)
			var loaded, first float64
			for b.Loop() {
				p.run(chromedp.Reload())
				p.until(`document.querySelectorAll("[data-testid=message]").length === 12`)
				loaded += eval[float64](p, `performance.getEntriesByType("navigation")[0].loadEventEnd`)
				first += eval[float64](p, `performance.getEntriesByName("first-message")[0].startTime`)
			}
			b.ReportMetric(loaded/float64(b.N), "ms-to-load")
			b.ReportMetric(first/float64(b.N), "ms-to-first-message")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// network makes the server as far away as this, and the browser's cache empty.
func (p *page) network(latency float64, cold bool) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		rules := []*network.Conditions{}
		if latency > 0 {
			rules = append(rules, &network.Conditions{Latency: latency, DownloadThroughput: -1, UploadThroughput: -1})
		}
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: rules})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, t, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: cold})
		return err
	}))
}

// frames is how the time between animation frames was spread, in ms.
type frames struct {
	Count                      int
	Mean, Median, P99, Longest float64
	Late                       int // later than two frames of 60 a second
}

// countFrames measures animation frames while other things happen.
func (p *page) countFrames(d time.Duration) frames {
	p.t.Helper()
	p.do(fmt.Sprintf(`(() => {
		globalThis.measured = undefined;
		const deltas = [];
		let last;
		const start = performance.now();
		const step = (now) => {
			if (last !== undefined) deltas.push(now - last);
			last = now;
			if (now - start < %d) { requestAnimationFrame(step); return; }
			deltas.sort((a, b) => a - b);
			const at = (share) => deltas[Math.min(deltas.length - 1, Math.floor(share * deltas.length))];
			globalThis.measured = {
				Count: deltas.length, Mean: deltas.reduce((a, b) => a + b, 0) / deltas.length,
				Median: at(0.5), P99: at(0.99), Longest: deltas.at(-1), Late: deltas.filter((d) => d > 33.4).length,
			};
		};
		requestAnimationFrame(step);
	})()`, d.Milliseconds()))
	p.until(`globalThis.measured !== undefined`)
	measured := eval[frames](p, `globalThis.measured`)
	p.do(`delete globalThis.measured`)
	return measured
}

// worked is for how long the page has run scripts, looked for styles and laid
// out, in s. Painting isn't in it: without a GPU that says nothing.
func (p *page) worked() float64 {
	p.t.Helper()
	var seconds float64
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, performance.Enable, performance.EnableParams{}); err != nil {
			return err
		}
		result, err := cdp.Call(ctx, t, performance.GetMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, m := range result.Metrics {
			switch m.Name {
			case "ScriptDuration", "LayoutDuration", "RecalcStyleDuration":
				seconds += m.Value
			}
		}
		return nil
	}))
	return seconds
}

// BenchmarkFrames measures how smoothly the page draws with 10,000 messages loaded, or
// 1,000 with -short, in one of 300 rooms: while nothing happens, while 50 messages a
// second arrive with the newest in view, and while they arrive as one scrolls through
// history, each for 8 seconds, or 1 with -short.
func BenchmarkFrames(b *testing.B) {
	const perSecond = 50
	messages, measured := 10_000, 8*time.Second
	if testing.Short() {
		messages, measured = 1_000, time.Second
	}
	f := newFake(b)
	f.fill("general", messages, time.Now(), func(i int) (string, string) {
		return []string{"alice", "bob", "carol"}[i/3%3], fmt.Sprintf("Message %d, which says a little more than its number does.", i)
	})
	f.with(func() {
		f.readAll("general", "alice")
		for i := range 300 {
			f.rooms[fmt.Sprint("room-", i)] = &fakeRoom{name: fmt.Sprint("Room ", i), members: []string{"alice"}}
		}
	})
	p := signedIn(b, f.URL, "alice")
	p.until(`document.querySelectorAll("[data-testid=message]").length === 50`)
	p.do(`(() => {
		const scroller = document.getElementById("scroller");
		const step = () => {
			if (document.querySelector("[data-testid=message] .text").textContent.startsWith("Message 0,")) { globalThis.top_ = true; return; }
			scroller.scrollTop = 0;
			requestAnimationFrame(step);
		};
		step();
	})()`)
	started := time.Now()
	p.within(10*patience, `globalThis.top_`)
	through := time.Since(started)
	p.click("newest")

	stop := make(chan struct{})
	write := func() {
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				f.say("general", "bob", fmt.Sprint("Live message ", i))
			}
		}
	}
	report := func(name string, measure func() frames) {
		before := p.worked()
		m := measure()
		b.ReportMetric((p.worked()-before)/(m.Mean*float64(m.Count)/1000)*100, "%-working-"+name)
		b.ReportMetric(1000/m.Mean, "fps-"+name)
		b.ReportMetric(m.P99, "p99-ms-"+name)
		b.ReportMetric(m.Longest, "longest-ms-"+name)
		b.ReportMetric(float64(m.Late), "late-"+name)
	}
	for b.Loop() {
		report("idle", func() frames { return p.countFrames(measured / 4) })
		done := make(chan struct{})
		go func() { defer close(done); write() }()
		report("live", func() frames { return p.countFrames(measured) })
		p.do(fmt.Sprintf(`(() => {
			const scroller = document.getElementById("scroller");
			const end = performance.now() + %d;
			const step = (now) => { scroller.scrollTop -= 40; if (now < end) requestAnimationFrame(step); };
			requestAnimationFrame(step);
		})()`, measured.Milliseconds()))
		report("scrolling", func() frames { return p.countFrames(measured) })
		close(stop)
		<-done
		stop = make(chan struct{})
		// Not by the button: it is hidden where little was scrolled in a short run.
		p.do(`document.getElementById("scroller").scrollTop = 1e9`)
	}
	b.ReportMetric(through.Seconds(), "s-to-scroll-through")
	b.ReportMetric(eval[float64](p, `document.getElementsByTagName("*").length`), "elements")
	b.ReportMetric(eval[float64](p, `performance.memory.usedJSHeapSize / 1e6`), "MB-heap")
	b.ReportMetric(0, "ns/op")
}
