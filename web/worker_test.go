package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// worker is the service worker of a page, which shows what is pushed.
type worker struct {
	*page
	tab    *page
	origin string
	id     serviceworker.RegistrationID
}

// worker attaches to the page's service worker.
func (p *page) worker(origin string) *worker {
	p.t.Helper()
	w := &worker{tab: p, origin: origin}
	ids := make(chan serviceworker.RegistrationID, 1)
	err := chromedp.Listen(p.ctx, func(ev any) {
		updated, ok := ev.(*serviceworker.EventWorkerRegistrationUpdated)
		if !ok {
			return
		}
		for _, r := range updated.Registrations {
			if r.ScopeURL == origin+"/app/" && !r.IsDeleted {
				select {
				case ids <- r.RegistrationID:
				default:
				}
			}
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, serviceworker.Enable, cdp.Empty{}); err != nil {
			return err
		}
		select {
		case w.id = <-ids:
		case <-ctx.Done():
			return ctx.Err()
		}
		_, err := cdp.Call(ctx, t, serviceworker.StartWorker, serviceworker.StartWorkerParams{ScopeURL: origin + "/app/"})
		return err
	}))
	var found target.ID
	poll(p.t, func() bool {
		targets, err := chromedp.Targets(p.ctx)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, info := range targets {
			if info.Type == "service_worker" && strings.HasPrefix(info.URL, origin+"/app/") {
				found = info.TargetID
			}
		}
		return found != ""
	})
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithTargetID(found))
	p.t.Cleanup(cancel)
	w.page = &page{t: p.t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatal(err)
	}
	w.do(showing)
	return w
}

// push delivers a push to the worker, as the browser does.
func (w *worker) push(data string) {
	w.t.Helper()
	w.tab.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{
			Origin: w.origin, RegistrationID: w.id, Data: data,
		})
		return err
	}))
}

// shows waits until the worker shows these, each as its title and body.
func (w *worker) shows(want ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf(`shown.map(({title, body}) => (title + ": " + body).replace(/[\u2068\u2069]/g, "")).join("|") === %q`, strings.Join(want, "|")))
}

// pushOf is a push of a message by bob, as the server sends it.
func pushOf(room, messageID, content string) string {
	data, err := json.Marshal(map[string]any{
		"type": "message", "chatRoomId": room, "messageId": messageID, "senderId": "bob", "timestamp": 1709136000000, "reason": "room", "content": content,
	})
	if err != nil {
		panic(err)
	}
	return string(data)
}
