package web_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"github.com/streamroom/streamroom/shared/wire"
)

// BenchmarkPageLoad measures a tab whose user is signed in, from the start of the
// navigation: until all files were read and run, and until the newest messages of
// the first room are in the page. Warm asks whether the files changed, cold reads
// them; from afar it does so over HTTP/2. If STREAMROOM_WEB_BEFORE names the folder web of
// another build, each load is followed by one of that build, and ratio is to its median.
func BenchmarkPageLoad(b *testing.B) {
	for _, server := range []struct {
		name    string
		start   func(*httptest.Server)
		latency float64 // ms
		cold    bool
	}{
		{"warm", (*httptest.Server).Start, 0, false},
		{"cold", (*httptest.Server).Start, 0, true},
		{"warm-100ms-away", overHTTP2, 100, false},
		{"cold-100ms-away", overHTTP2, 100, true},
	} {
		b.Run(server.name, func(b *testing.B) {
			losesNetwork(b)
			builds := []*page{loading(b, server.start, nil)}
			if folder := os.Getenv("STREAMROOM_WEB_BEFORE"); folder != "" {
				builds = append(builds, loading(b, server.start, os.DirFS(folder)))
			}
			loaded, first := make([][]float64, len(builds)), make([][]float64, len(builds))
			for _, p := range builds {
				p.network(server.latency, server.cold)
			}
			for b.Loop() {
				for i, p := range builds {
					p.run(chromedp.Reload())
					p.until(`document.querySelectorAll("[data-testid=message]").length === 12`)
					loaded[i] = append(loaded[i], eval[float64](p, `performance.getEntriesByType("navigation")[0].loadEventEnd`))
					first[i] = append(first[i], eval[float64](p, `performance.getEntriesByName("first-message")[0].startTime`))
				}
			}
			b.ReportMetric(median(loaded[0]), "ms-to-load")
			b.ReportMetric(median(first[0]), "ms-to-first-message")
			if len(builds) > 1 {
				b.ReportMetric(median(loaded[0])/median(loaded[1]), "ratio-to-load")
				b.ReportMetric(median(first[0])/median(first[1]), "ratio-to-first-message")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// loading is a page that notes when it shows its first message: this build's, or that of
// other files.
func loading(b *testing.B, start func(*httptest.Server), files fs.FS) *page {
	b.Helper()
	f := startFake(b, start)
	if files != nil {
		served := http.FileServerFS(files)
		f.page = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/config.json" {
				answer(w, http.StatusOK, localConfig)
				return
			}
			w.Header().Set("Cache-Control", "no-cache")
			served.ServeHTTP(w, r)
		}
	}
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
	return p
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
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
	Count                           int
	Mean, Median, P95, P99, Longest float64
	Dropped                         float64 // the share of the frames of 60 a second, %
	LongTasks                       int     // of over 50 ms
}

// countFrames measures animation frames while other things happen.
func (p *page) countFrames(d time.Duration) frames {
	p.t.Helper()
	p.do(fmt.Sprintf(`(() => {
		globalThis.measured = undefined;
		const deltas = [];
		let last;
		let tasks = 0;
		const observer = new PerformanceObserver((list) => { tasks += list.getEntries().length; });
		observer.observe({type: "longtask"});
		const start = performance.now();
		const step = (now) => {
			if (last !== undefined) deltas.push(now - last);
			last = now;
			if (now - start < %d) { requestAnimationFrame(step); return; }
			deltas.sort((a, b) => a - b);
			const at = (share) => deltas[Math.min(deltas.length - 1, Math.floor(share * deltas.length))];
			const whole = deltas.reduce((a, b) => a + b, 0);
			const missed = deltas.reduce((sum, d) => sum + Math.max(0, Math.round(d * 60 / 1000) - 1), 0);
			tasks += observer.takeRecords().length;
			observer.disconnect();
			globalThis.measured = {
				Count: deltas.length, Mean: whole / deltas.length, Median: at(0.5), P95: at(0.95), P99: at(0.99), Longest: deltas.at(-1),
				Dropped: missed / (missed + deltas.length) * 100, LongTasks: tasks,
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

// liven has users react to a message that came lately, and type.
func (f *fake) liven(id string, i int) {
	now := time.Now().UnixMilli()
	messages := f.rooms[id].messages
	reacted := messages[len(messages)-1-i%10]
	f.broadcast(id, wire.ReactionsChanged{
		Type: wire.TypeReactions, ChatRoomID: id, MessageID: reacted.MessageID, Version: now,
		Counts: map[string]int{"👍": 1 + i%7, "🎉": 1}, Changed: []wire.ReactionChange{{UserID: "carol", Reaction: "👍", Added: true}},
	})
	for _, user := range []string{"carol", "dave"} {
		f.broadcast(id, wire.Typing{Type: wire.TypeTyping, ChatRoomID: id, UserID: user, At: now})
	}
}

// BenchmarkFrames measures how smoothly the page draws with 10,000 messages loaded, or
// 1,000 with -short, in one of 300 rooms: while nothing happens, while 50 messages a
// second arrive with the newest in view, and 10 reactions to them, and two users type, and
// while all that arrives as one scrolls through history, each for 8 seconds, or 1 with -short.
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
		f.rooms["general"].members = append(f.rooms["general"].members, "bob", "carol", "dave")
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
				if i%5 == 0 {
					f.with(func() { f.liven("general", i) })
				}
			}
		}
	}
	report := func(name string, measure func() frames) {
		before := p.worked()
		m := measure()
		b.ReportMetric((p.worked()-before)/(m.Mean*float64(m.Count)/1000)*100, "%-working-"+name)
		b.ReportMetric(1000/m.Mean, "fps-"+name)
		b.ReportMetric(m.Median, "p50-ms-"+name)
		b.ReportMetric(m.P95, "p95-ms-"+name)
		b.ReportMetric(m.P99, "p99-ms-"+name)
		b.ReportMetric(m.Longest, "longest-ms-"+name)
		b.ReportMetric(m.Dropped, "%-dropped-"+name)
		b.ReportMetric(float64(m.LongTasks), "long-tasks-"+name)
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
