package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/topology"
)

// tab is an application that may lie in the background, as a browser's: then its timers fire
// once a minute at most. After some time it may be frozen: no timer fires, and nothing is
// read from its connections, which the server goes on to write to, or ends.
type tab struct {
	mu       sync.Mutex
	hidden   bool
	hiddenAt int64         // ns since the start, when it last was
	frozen   chan struct{} // closed when it is not frozen any more; nil: it is not
	waiting  []func()      // of timers that are due
	frozenAt int64         // ns since the start, when it was last; 0: never
	thawedAt int64         // when that ended
}

// timerEvery is how often timers of a tab in the background fire.
const timerEvery = time.Minute

// hide puts the tab in the background.
func (t *tab) hide(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hidden, t.hiddenAt = true, now
}

// late is how often the tab's timers have fired late, since it was hidden.
func (t *tab) late(now int64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hidden || t.frozen != nil {
		return 0
	}
	return int((now - t.hiddenAt) / int64(timerEvery))
}

// freeze freezes the tab, unless someone has it before them.
func (t *tab) freeze(now int64) (done bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hidden || t.frozen != nil {
		return false
	}
	t.frozen, t.frozenAt = make(chan struct{}), now
	return true
}

// show brings the tab to the foreground, and reports whether it was frozen.
func (t *tab) show(now int64) (thawed bool) {
	t.mu.Lock()
	t.hidden = false
	waiting := t.waiting
	t.waiting = nil
	if thawed = t.frozen != nil; thawed {
		close(t.frozen)
		t.frozen, t.thawedAt = nil, now
	}
	t.mu.Unlock()
	for _, fire := range waiting {
		go fire()
	}
	return thawed
}

// awaitThawed waits while the tab is frozen. A nil tab never is.
func (t *tab) awaitThawed() {
	if t == nil {
		return
	}
	t.mu.Lock()
	frozen := t.frozen
	t.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// isFrozen reports whether the tab is frozen; wasFrozen, whether it was at some time from a
// moment on.
func (t *tab) isFrozen() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.frozen != nil
}

func (t *tab) wasFrozen(since int64) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.frozen != nil || t.frozenAt != 0 && t.thawedAt >= since
}

// thawed is when the tab was last shown after it was frozen; 0: never.
func (t *tab) thawed() int64 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.thawedAt
}

// due has a timer fire that is due.
func (t *tab) due(fire func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.frozen != nil:
		t.waiting = append(t.waiting, fire)
	case t.hidden:
		now := time.Now()
		time.AfterFunc(now.Truncate(timerEvery).Add(timerEvery).Sub(now), func() { t.afterMinute(fire) })
	default:
		go fire()
	}
}

// afterMinute has a timer fire that is due since the minute before.
func (t *tab) afterMinute(fire func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.frozen != nil {
		t.waiting = append(t.waiting, fire)
		return
	}
	go fire()
}

// tabClock is the clock of a tab.
type tabClock struct {
	clockwork.Clock

	tab *tab
}

// After implements clockwork.Clock.
func (c tabClock) After(d time.Duration) <-chan time.Time {
	fired := make(chan time.Time, 1)
	c.AfterFunc(d, func() { fired <- c.Now() })
	return fired
}

// AfterFunc implements clockwork.Clock. What is due while the tab is frozen comes also after
// a Stop. What is due at once needs no timer in a browser.
func (c tabClock) AfterFunc(d time.Duration, f func()) clockwork.Timer {
	if d <= 0 {
		return c.Clock.AfterFunc(d, func() { c.tab.afterMinute(f) })
	}
	return c.Clock.AfterFunc(d, func() { c.tab.due(f) })
}

// How a tab that stays open is used: it lies in the background for some hours, several times a
// day and at night. Some are frozen then, after some minutes.
const (
	backgroundTimes = 3 // a day
	backgroundMost  = 5 * time.Hour
	backgroundLeast = 20 * time.Minute
	freezesAfter    = 5 * time.Minute
	frozenShare     = 0.7
	bedtime         = 22*time.Hour + 30*time.Minute
)

// background is a day of a tab. At night it stays where it is until it is judged.
func (p *person) background(laptop *device, midnight time.Time) (events []event) {
	random := p.days.random(fmt.Sprint("tab of ", p.user, " at ", midnight))
	lie := func(at time.Time, random *rand.Rand) {
		events = append(events, event{at, func(context.Context) { laptop.tab.hide(p.days.now()) }})
		if random.Float64() < frozenShare {
			events = append(events, event{at.Add(freezesAfter), func(context.Context) { laptop.freeze() }})
		}
	}
	at := midnight.Add(7*time.Hour + part(random, time.Hour))
	for range backgroundTimes {
		until := at.Add(backgroundLeast + part(random, backgroundMost-backgroundLeast))
		if until.After(midnight.Add(bedtime)) {
			break
		}
		lie(at, random)
		events = append(events, event{until, func(ctx context.Context) { p.days.wakeTab(ctx, laptop, random) }})
		at = until.Add(part(random, time.Hour))
	}
	lie(midnight.Add(bedtime+part(random, time.Hour)), random)
	return events
}

// freeze freezes the device's application.
func (d *device) freeze() {
	d.noteQuiet()
	d.noteLate()
	if d.tab.freeze(d.run.now()) {
		d.absent.Store(true)
		d.run.tally.add(&d.run.tally.Freezes)
	}
}

// show brings a device's tab to the foreground, and reports whether it was frozen. Most are
// told that they are seen again; the others find that their timers came late.
func (d *device) show(ctx context.Context, told bool) (thawed bool) {
	if d.tab == nil {
		return false
	}
	d.noteQuiet()
	d.noteLate()
	if thawed = d.tab.show(d.run.now()); told {
		d.wake(ctx)
	} else if thawed {
		d.wakes.Add(1)
	}
	if thawed {
		d.absent.Store(false)
	}
	return thawed
}

// noteLate counts the pings of a tab in the background. The Go client does not know that it
// is one, and takes each minute in which its timers come late for a sleep: it pings, unless
// it still waits for the end of the ping before, which is a matter of chance.
func (d *device) noteLate() { d.wakes.Add(int64(d.tab.late(d.run.now()) * 2 / 3)) }

// toldShare is the share of tabs that are told that they are seen again.
const toldShare = 0.7

// wakeTab brings a tab to the foreground, and judges it some time later if it was frozen.
func (d *days) wakeTab(ctx context.Context, device *device, random *rand.Rand) {
	frozen, shown := device.tab.frozenSince(), d.now()
	if device.show(ctx, random.Float64() < toldShare) && d.pause(ctx, slowest) {
		d.checkWoken(device, frozen, shown)
	}
}

func (t *tab) frozenSince() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.frozenAt
}

// checkWoken looks for messages that a device lacks which were sent while it was frozen, some
// time after it was shown again.
func (d *days) checkWoken(device *device, frozen, shown int64) {
	from, to := d.start.Add(time.Duration(shown)-slowest), d.run.config.Clock.Now()
	down := slices.ContainsFunc(topology.Functions(), func(f topology.Function) bool { return d.injector.Down(f.Name, from, to) })
	if down || d.restartedSince(shown) {
		return
	}
	id, _ := device.connection()
	// What a fault kept from a connection that works on is found by a later sync.
	if last := d.injector.Disturbed(id); id != "" && (d.injector.Gone(id) || d.at(last) >= frozen) {
		return
	}
	if id == "" {
		d.ledger.violate(Violation{Promise: Woken, Client: device.name, Detail: fmt.Sprintf("it is not connected %s after it was frozen", slowest)})
		return
	}
	unsettled := d.ledger.unsettled()
	for _, room := range d.rooms {
		var missed []send
		for _, s := range unsettled[room.id] {
			if s.called >= frozen && s.returned != 0 && s.returned <= shown && !s.id.IsZero() && !s.erasing {
				missed = append(missed, s)
			}
		}
		if len(missed) == 0 || len(missed) > client.MaxPage || !room.isMemberThroughout(device.user, frozen, d.now()) {
			continue
		}
		got, _ := device.has(room)
		var lacking []string
		for _, s := range missed {
			if !got[s.id] && !d.mayBeExpired(room, s.id) {
				lacking = append(lacking, s.id.String())
			}
		}
		if lacking != nil {
			d.ledger.violate(Violation{
				Promise: Woken, Room: room.id, Client: device.name, IDs: lacking,
				Detail: fmt.Sprintf("it was frozen for %s, and lacks these %s later", time.Duration(shown-frozen).Round(time.Minute), slowest),
			})
		}
	}
}
