package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/test/faults"
	"github.com/streamroom/streamroom/test/rig"
)

// DaysConfig says how many days a run in virtual time has, and whose.
type DaysConfig struct {
	Seed  uint64
	Days  int // 1 to 366
	Users int // 4 to 2000
	Crowd int // of members without a device in the first room, up to 10000; over 2000 have it served in slices

	// Without are the kinds of dayFaults that don't happen.
	Without []string
	// TTLLag is how long items outlive their time; the default is 48 h, negative is none.
	TTLLag time.Duration

	// Wrap, if set, changes each function beneath the faults.
	Wrap func(local.Function) local.Function
	// Token, if set, stands between each device and the source of its tokens.
	Token func(next TokenSource) TokenSource
	// Transport, if set, stands between each device's client and its network.
	Transport func(next http.RoundTripper) http.RoundTripper
	// Log takes the server's log; nil drops it.
	Log      io.Writer
	LogLevel string
	// Progress, if set, is called after each day.
	Progress func(DaysReport)
	// Stopped, if set, is asked every virtual minute whether to end the run: a context of
	// outside of a bubble would keep its time from going on.
	Stopped func() bool
	// Enough, if set, ends the run within a virtual minute of a broken promise that is
	// enough; and Until, if it isn't 0, that long after its start.
	Enough func(Violation) bool
	Until  time.Duration
}

// What happens on days beside what users do, and can be left out of them.
const (
	faultDisconnects = "disconnects"
	faultDeployments = "deployments"
	faultSplits      = "splits"
	faultTabs        = "tabs" // are frozen
)

var dayFaults = []string{
	faultTable, faultPosts, faultInvocations, faultClocks, faultOutages, faultNetwork, faultDisconnects, faultMembers, faultDeployments, faultRestarts, faultSplits, faultTabs,
}

// happens reports whether a kind of dayFaults does.
func (c DaysConfig) happens(kind string) bool { return !slices.Contains(c.Without, kind) }

// TokenSource gives a user's token.
type TokenSource = func(context.Context) (string, error)

// The bounds of a DaysConfig.
const (
	maxDays      = 366
	minDaysUsers = 4
	maxDaysUsers = 2000
	maxDaysCrowd = 10_000
)

func (c DaysConfig) check() error {
	switch {
	case c.Days < 1 || c.Days > maxDays:
		return fmt.Errorf("%w: want 1 to %d days, got %d", ErrConfig, maxDays, c.Days)
	case c.Users < minDaysUsers || c.Users > maxDaysUsers:
		return fmt.Errorf("%w: want %d to %d users, got %d", ErrConfig, minDaysUsers, maxDaysUsers, c.Users)
	}
	if c.Crowd < 0 || c.Crowd > maxDaysCrowd {
		return fmt.Errorf("%w: want a crowd of 0 to %d, got %d", ErrConfig, maxDaysCrowd, c.Crowd)
	}
	for _, kind := range c.Without {
		if !slices.Contains(dayFaults, kind) {
			return fmt.Errorf("%w: want kinds of faults of %s, got %q", ErrConfig, strings.Join(dayFaults, ","), kind)
		}
	}
	return nil
}

// Of a run of days.
const (
	day          = 24 * time.Hour
	judged       = 3 * time.Hour // after midnight, when all are in bed
	quietBefore  = time.Hour     // before that no one does anything any more
	daysTimeout  = 30 * time.Minute
	daysPoll     = 30 * time.Second // a comparison takes 0.1 s of a processor, and is made until daysTimeout
	peopleInRoom = 8
	roomsOfUser  = 4

	ttlLag    = 48 * time.Hour // "within a few days" is all that AWS says
	shardLife = 4 * time.Hour
	sweep     = 5 * time.Minute // of the table: what is past its time stays that much longer
)

// days is a run of days.
type days struct {
	*run
	config   DaysConfig
	state    *local.State
	versions *faults.Versions
	meter    *faults.Meter
	spent    []spent // by day
	people   []*person
	from     time.Time // the first day's midnight
	done     int
}

// RunDays carries out a run of days, in the time of its caller, which is a bubble of
// testing/synctest: the clock is package time's. Nothing leaves the process. An error says
// that the run could not be made; broken promises are in the report, also if ctx ends.
func RunDays(ctx context.Context, c DaysConfig) (DaysReport, error) {
	if err := c.check(); err != nil {
		return DaysReport{}, err
	}
	if c.TTLLag == 0 {
		c.TTLLag = ttlLag
	}
	c.TTLLag = max(0, c.TTLLag)
	clock := clockwork.NewRealClock()
	network := rig.NewNetwork()
	injector, err := faults.New(c.plan(), clock)
	if err != nil {
		return DaysReport{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	monday := clock.Now().UTC().Truncate(day)
	for monday.Weekday() != time.Monday {
		monday = monday.Add(day)
	}
	clock.Sleep(clock.Until(monday.Add(judged)))
	r := &run{
		config: Config{
			Seed: c.Seed, Duration: time.Duration(c.Days) * day, StepTimeout: daysTimeout, Clock: clock, Wrap: c.Wrap,
			Users: c.Users, Devices: 1, Rooms: max(2, c.Users*roomsOfUser/peopleInRoom), Crowd: c.Crowd, Group: chat.LongIndexAbove, Log: c.Log, LogLevel: c.LogLevel, Token: c.Token, Transport: c.Transport,
		},
		start: clock.Now(), injector: injector, dialer: network, ledger: &ledger{seed: c.Seed}, readers: map[string]*client.Client{},
		poll: daysPoll, lasting: true, bill: &bill{}, byUser: map[string][]*device{},
	}
	r.direct = &http.Client{Transport: &http.Transport{DialContext: network.DialContext}}
	state := &local.State{}
	d := &days{run: r, config: c, from: monday, state: state, versions: faults.NewVersions(c.Seed, handover, clock), meter: &faults.Meter{}}
	wrap := func(deployed local.Deployment) local.Deployment {
		return local.EachFunction(d.versions.Wrap)(r.wrap(local.EachFunction(d.meter.Wrap)(deployed)))
	}
	r.host = rig.NewHost(local.Config{State: state, Network: network, TTLLag: c.TTLLag, ShardLife: shardLife, Sweep: sweep, Log: panics{c.Log, r.ledger}, LogLevel: c.LogLevel, Wrap: wrap})
	r.ledger.at = func() string { return clock.Now().UTC().Format("Mon 15:04:05") }
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go d.watch(ctx, cancel)
	err = d.play(ctx)
	if errors.Is(context.Cause(ctx), errEnough) && errors.Is(err, context.Canceled) {
		err = nil
	}
	return d.report(), err
}

// errEnough ends a run that has shown what it was to show.
var errEnough = errors.New("no more is asked for")

// watch ends the run when it was stopped, or has shown enough.
func (d *days) watch(ctx context.Context, end context.CancelCauseFunc) {
	for d.pause(ctx, time.Minute) {
		switch c := d.config; {
		case c.Stopped != nil && c.Stopped():
			end(context.Canceled)
		case c.Until > 0 && d.now() >= int64(c.Until), c.Enough != nil && slices.ContainsFunc(d.ledger.broken(), c.Enough):
			end(errEnough)
		}
	}
}

// play is the run, from the start of the server to its end.
func (d *days) play(ctx context.Context) (err error) {
	if err := d.host.Start(ctx); err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	always := context.WithoutCancel(ctx)
	defer func() {
		d.lasting = false // no device is told any more
		for _, device := range d.devices {
			device.close(always)
		}
		d.direct.CloseIdleConnections()
		if stopErr := errors.Join(d.host.Stop(always, false), d.state.Close()); err == nil {
			err = stopErr
		}
	}()
	if err := d.setUp(ctx); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	for d.done < d.config.Days {
		if err := d.live(ctx); err != nil {
			return err
		}
		if err := d.judge(ctx); err != nil {
			return fmt.Errorf("judge day %d: %w", d.done+1, err)
		}
		d.done++
		report := d.report()
		if d.config.Progress != nil {
			d.config.Progress(report)
		}
		if !report.OK() {
			return nil // what comes of it would hide it
		}
	}
	return nil
}

// setUp makes people, their devices and rooms.
func (d *days) setUp(ctx context.Context) error {
	users := make([]string, d.config.Users)
	for i := range users {
		users[i] = fmt.Sprintf("user-%d", i)
		p := d.newPerson(users[i], i)
		d.people = append(d.people, p)
		d.devices = append(d.devices, p.devices...)
		d.byUser[p.user] = p.devices
	}
	if err := d.plantRooms(ctx, users); err != nil {
		return err
	}
	for _, device := range d.devices { // which ask for the others as soon as they are open
		if err := device.open(ctx); err != nil {
			return err
		}
	}
	random := d.random("rooms")
	for i := range d.run.config.Rooms {
		if isOld(i) {
			continue // it is there
		}
		if err := d.makeRoomOf(ctx, i, users, peopleInRoom-1, random); err != nil {
			return fmt.Errorf("make a room: %w", err)
		}
	}
	if err := errors.Join(d.openPlaces(ctx), d.retainRooms(ctx), d.openDirects(ctx)); err != nil {
		return err
	}
	for _, device := range d.devices {
		if err := device.followRooms(ctx); err != nil {
			return err
		}
	}
	d.loadedAt.Store(max(1, d.now())) // it took no time, maybe
	d.pause(ctx, time.Minute)         // until what follows from it is done
	d.meter.Take()
	d.bill.take(cost.Action{}, 0, 0)
	for _, device := range d.devices {
		device.connects.Store(0)
	}
	return nil
}

// live has a day go by, from one judgement to when it is quiet before the next.
func (d *days) live(ctx context.Context) error {
	var all sync.WaitGroup
	if d.done == 0 {
		d.injector.Begin()
	}
	d.injector.Resume()
	until := d.from.Add(time.Duration(d.done+1)*day + judged - quietBefore)
	for _, p := range d.people {
		for _, habit := range p.day(d.done) {
			all.Go(func() { d.follow(ctx, until, habit) })
		}
	}
	all.Go(func() { d.follow(ctx, until, append(d.memberMoves(), d.moderation()...)) }) // one at a time
	all.Go(func() { d.upset(ctx, until) })
	all.Go(func() {
		midnight := d.from.Add(time.Duration(d.done+1) * day)
		d.follow(ctx, until, []event{{midnight, func(context.Context) { d.sampleShown() }}})
	})
	all.Wait()
	d.injector.Rest()
	d.pause(ctx, d.run.config.Clock.Until(until))
	return ctx.Err()
}

// sampleShown notes what the process holds, and what of that applications show: it grows with
// the messages of two days, up to a backlog for each room.
func (d *days) sampleShown() {
	d.sample()
	shown := 0
	for _, device := range d.devices {
		for _, v := range device.visits() {
			device.mu.Lock()
			shown += len(v.screen)
			device.mu.Unlock()
		}
	}
	d.samples[len(d.samples)-1].Shown = shown
}

// event is something that someone does at some time of a day.
type event struct {
	at time.Time
	do func(ctx context.Context)
}

// follow does one event after the other.
func (d *days) follow(ctx context.Context, until time.Time, events []event) {
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	for _, e := range events {
		if e.at.After(until) || !d.pause(ctx, d.run.config.Clock.Until(e.at)) {
			return
		}
		e.do(ctx)
	}
}

// memberMoves are of users who leave rooms, and come back, in the course of a day.
func (d *days) memberMoves() (events []event) {
	if !d.config.happens(faultMembers) {
		return nil
	}
	random, groups := d.random(fmt.Sprint("members ", d.done)), d.groups()
	for range max(2, len(d.people)/4) {
		at := d.from.Add(time.Duration(d.done)*day + judged + time.Duration(random.Int64N(int64(day-2*quietBefore))))
		room := groups[random.IntN(len(groups))]
		user := room.users[1+random.IntN(len(room.users)-1)]
		events = append(events, event{at, func(ctx context.Context) {
			if d.now()-room.unsure[user] >= int64(lateEffect) && !room.sentenced(user, d.now()) && !d.mayBlock(user, room.owner()) && !d.deviceOf(room.owner()).absent.Load() {
				d.changeMember(ctx, room, user)
				d.tally.add(&d.tally.MemberChanges)
			}
		}})
	}
	return events
}
