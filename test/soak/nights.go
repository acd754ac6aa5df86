package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/topology"
)

// judge compares at night what everyone saw and shows with what the server has, while
// nothing breaks. Users who are away are judged when they are back.
func (d *days) judge(ctx context.Context) error {
	d.pause(ctx, d.run.config.Clock.Until(d.from.Add(time.Duration(d.done+1)*day+judged)))
	for _, p := range d.people {
		if phone := p.phone(); phone.absent.Load() && (!p.hikes || !d.weekend()) {
			p.back(ctx, phone)
		}
	}
	random := d.random(fmt.Sprint("tabs at night ", d.done))
	for _, device := range d.devices {
		device.show(ctx, random.Float64() < toldShare)
	}
	for _, device := range d.present() {
		if err := device.followRooms(ctx); err != nil {
			return err
		}
	}
	if err := d.awaitDelivered(ctx); err != nil {
		return err
	}
	if err := d.awaitSame(ctx, fmt.Sprintf("at the end of day %d", d.done+1)); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{d.judgePresence, d.check, d.checkLists, d.checkReports, d.checkPlaces, d.judgeHidden, func(ctx context.Context) error { return d.checkItems(ctx, d.config.TTLLag) }} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	d.checkTimes()
	d.checkPace()
	d.checkConnects()
	return d.forget(ctx)
}

// judgePresence compares who is shown as online with what the server says, before and after
// someone's only device goes, and when it is back.
func (d *days) judgePresence(ctx context.Context) error {
	d.settling.Store(true) // devices ask when they connect
	d.asks = true
	defer func() {
		d.settling.Store(false)
		d.asks = false
	}()
	var all sync.WaitGroup
	for _, device := range d.present() {
		all.Go(func() {
			device.forgetPeople()
			device.forgetCursors()
			device.askCursors(ctx)
		})
	}
	all.Wait()
	if err := d.awaitSame(ctx, fmt.Sprintf("on night %d", d.done+1)); err != nil {
		return err
	}
	p, in := d.alone()
	if p == nil {
		return nil
	}
	for _, online := range []bool{false, true} {
		if online {
			p.back(ctx, p.phone())
		} else {
			p.leave(p.phone())
		}
		if err := d.awaitPresence(ctx, p.user, in, online); err != nil {
			return err
		}
		if err := d.awaitSame(ctx, fmt.Sprintf("on night %d, with %s online: %t", d.done+1, p.user, online)); err != nil {
			return err
		}
	}
	return nil
}

// alone is a person with one device that is there, and a small room that they are in but do
// not own; nil for none.
func (d *days) alone() (*person, *room) {
	random := d.random(fmt.Sprint("alone ", d.done))
	for _, i := range random.Perm(len(d.people)) {
		p, there := d.people[i], 0
		for _, device := range p.devices {
			if !device.absent.Load() {
				there++
			}
		}
		if there != 1 || p.phone().absent.Load() || p.hides != presenceShown {
			continue
		}
		for _, room := range d.rooms {
			if room.isMember(p.user) && room.owner() != p.user && room.size() <= markedMembers {
				return p, room
			}
		}
	}
	return nil, nil
}

// weekend reports whether hikers are away on the night after the day.
func (d *days) weekend() bool {
	return d.from.Add(time.Duration(d.done)*day).Weekday() == time.Saturday
}

// clockError is how far the clock of what stores a message may be off.
const clockError = 5 * time.Second

// checkTimes looks for messages whose time is not that of their sending.
func (d *days) checkTimes() {
	sends, _ := d.ledger.all()
	d.ledger.mu.Lock()
	sends = sends[d.ledger.settled:]
	d.ledger.mu.Unlock()
	for _, s := range sends {
		at := d.at(s.id.Timestamp())
		if !s.id.IsZero() && (at < s.called-int64(clockError) || at > s.returned+int64(clockError)) {
			d.ledger.violate(Violation{
				Promise: Dated, Room: s.room, Client: s.client, IDs: []string{s.id.String()},
				Detail: fmt.Sprintf("its time is %s after it was sent", time.Duration(at-s.called).Round(time.Second)),
			})
		}
	}
}

// slowest is how long after its sending a device that is connected may get a message, and
// how long after an outage mappings may try again.
const slowest = 2 * time.Minute

// checkPace looks for messages that came to a connected device only when it asked.
func (d *days) checkPace() {
	sends, _ := d.ledger.all()
	rooms := map[string]*room{}
	for _, room := range d.rooms {
		rooms[room.id] = room
	}
	for _, device := range d.devices {
		for _, v := range device.visits() {
			for _, s := range v.log {
				sent := sends[s.number]
				if !rooms[v.room].isMemberThroughout(device.user, sent.called, s.at) {
					continue // who joins is shown what was said before
				}
				late := time.Duration(s.at - max(sent.called, d.at(s.id.Timestamp())))
				if s.since >= sent.called || late <= slowest || s.kept >= sent.called || d.restartedSince(sent.called-int64(slowest)) || d.injector.Down("fanout", d.start.Add(time.Duration(sent.called)-slowest), d.start.Add(time.Duration(s.at))) {
					continue
				}
				d.ledger.violate(Violation{
					Promise: Slow, Room: v.room, Client: device.name, IDs: []string{s.id.String()},
					Detail: fmt.Sprintf("it came %s after it was sent, though the device was connected", late.Round(time.Second)),
				})
			}
		}
	}
}

// maxConnects is how often a device connects in a day, at most: 30 times for tokens of an
// hour, and after each tunnel.
const maxConnects = 100

// checkConnects looks for devices that connect too often, and for other costs.
func (d *days) checkConnects() {
	var sessions cost.Action
	pings := 0
	for _, device := range d.devices {
		n, indexed := device.connects.Swap(0), d.indexed(device.user)
		sessions = sessions.Plus(cost.Connect(indexed).Plus(cost.Disconnect(indexed)).Times(float64(n)))
		wakes := device.wakes.Swap(0)
		pings += int(n + wakes)
		d.bill.asks(device.user, int(2*n+n+wakes)) // it begins, ends, and pings once
		device.noteQuiet()
		if n > maxConnects {
			d.ledger.violate(Violation{Promise: Costs, Client: device.name, Detail: fmt.Sprintf("it has connected %d times on day %d: want %d at most", n, d.done+1, maxConnects)})
		}
	}
	d.checkBill(sessions, pings)
}

// forget drops what was judged.
func (d *days) forget(ctx context.Context) error {
	d.ledger.mu.Lock()
	d.ledger.settled, d.ledger.reads = len(d.ledger.sends), nil
	d.ledger.mu.Unlock()
	d.shared.forget()
	d.injector.Forget(d.run.config.Clock.Now().Add(-day))
	for i, device := range d.devices {
		if !device.absent.Load() && (i+d.done)%2 == 0 { // an application lives two days at most
			if err := device.reopen(ctx); err != nil {
				return err
			}
		}
		device.mu.Lock()
		device.lives = device.lives[len(device.lives)-1:]
		device.lives[0].past, device.calls = nil, nil
		device.mu.Unlock()
	}
	for _, p := range d.people {
		if p.phoneSleeps && !p.phone().absent.Load() {
			p.leave(p.phone())
		}
	}
	return nil
}

// DaysReport is what a run of days saw.
type DaysReport struct {
	Seed       uint64
	Days       int // that were judged
	Of         int
	Virtual    time.Duration
	Devices    int
	Rooms      int
	Counts     Counts
	Faults     map[string]int
	Samples    []Sample
	Spent      []spent     // by day
	Violations []Violation // of the last of the days: it ends the run
}

func (d *days) report() DaysReport {
	whole := d.run.report()
	return DaysReport{
		Seed: d.config.Seed, Days: d.done, Of: d.config.Days, Virtual: time.Duration(d.now()), Devices: len(d.devices), Rooms: len(d.rooms),
		Counts: whole.Counts, Faults: whole.Faults, Spent: d.spent, Samples: whole.Samples, Violations: whole.Violations,
	}
}

// OK says whether every promise was kept.
func (r DaysReport) OK() bool { return len(r.Violations) == 0 }

// Print writes the report for people.
func (r DaysReport) Print(w io.Writer) {
	fmt.Fprintf(w, "seed %d: %d of %d days, %d devices, %d rooms\n", r.Seed, r.Days, r.Of, r.Devices, r.Rooms)
	c := r.Counts
	fmt.Fprintf(w, "  %d sends: %d acknowledged, %d refused, %d of unknown outcome; %d deliveries, %d late\n", c.Sends, c.Acked, c.Refused, c.Unknown, c.Deliveries, c.Late)
	fmt.Fprintf(w, "  %d edits, %d deletions, %d read marks, %d reactions, %d typed, %d connects, %d member changes, %d of moderation and places, %d files, %d tabs frozen\n",
		c.Edits, c.Deletions, c.Marks, c.Reactions, c.Typings, c.Connects, c.MemberChanges, c.Moderations, c.Files, c.Freezes)
	for _, s := range r.Samples {
		fmt.Fprintf(w, "  at midnight, after %s: %d goroutines, %.1f MB of heap; %d messages on screens; %d items in the table that night\n",
			s.At.Round(time.Minute), s.Goroutines, float64(s.HeapBytes)/(1<<20), s.Shown, s.Items)
	}
	for i, s := range r.Spent {
		fmt.Fprintf(w, "  day %d: %d posts of %.0f, %.0f read units of %.0f, %.0f write units of %.0f",
			i+1, s.Used.Posts, s.Posts, beside(s.Used.Reads), s.Expected.Reads, beside(s.Used.Writes), s.Expected.Writes)
		for _, f := range topology.Functions() {
			fmt.Fprintf(w, "; %s %d of %.0f", f.Name, s.Used.Invocations[f.Name], s.Expected.Invocations[f.Name])
		}
		fmt.Fprintf(w, "; of each user's own: posts %s, invocations %s", s.Users.posts, s.Users.invocations)
		fmt.Fprintln(w)
	}
	for i, v := range r.Violations {
		if i == shownViolations {
			fmt.Fprintf(w, "… and %d more\n", len(r.Violations)-i)
			break
		}
		fmt.Fprintf(w, "BROKEN %s\n", v)
	}
}
