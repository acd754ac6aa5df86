package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// person is a user with habits: when they sleep and work, and which devices they have.
type person struct {
	days    *days
	user    string
	devices []*device // the phone, and a laptop if they have one

	wakes, sleeps time.Duration // after midnight
	works         bool          // from nine to five, at the laptop if there is one
	phoneSleeps   bool          // it is off at night
	tabStays      bool          // the laptop's application stays open, also at night
	hikes         bool          // away from all networks on weekends
	talks         float64       // messages in a session, on average
	hides         visibility    // moderate's own
}

func (d *days) newPerson(user string, index int) *person {
	random := d.random("habits " + user)
	p := &person{
		days: d, user: user,
		wakes:       6*time.Hour + part(random, 3*time.Hour),
		sleeps:      21*time.Hour + part(random, 4*time.Hour),
		works:       random.Float64() < 0.7,
		phoneSleeps: random.Float64() < 0.5,
		tabStays:    random.Float64() < 0.5,
		hikes:       index%10 == 9,
		talks:       0.5 + 3*random.Float64()*random.Float64(),
	}
	p.devices = []*device{d.newDevice(user, 0)}
	if random.Float64() < 0.6 {
		p.devices = append(p.devices, d.newDevice(user, 1))
	}
	if len(p.devices) > 1 && p.tabStays && d.config.happens(faultTabs) {
		laptop := p.devices[1]
		laptop.tab = &tab{}
		laptop.network.tab = laptop.tab
	}
	for i, device := range p.devices {
		device.tokens, device.clockOffset = longTokenLife, 0
		if d.config.happens(faultClocks) {
			device.clockOffset = clockOffsets[(index/3+i)%len(clockOffsets)]
		}
		if (index+i)%3 == 0 { // whose connections end before their age
			device.tokens = tokenLife
		}
	}
	return p
}

// longTokenLife is the life of most devices' tokens: one of tokenLife takes a connection an
// hour, and a signature, which are a large part of the processor's time of a day.
const longTokenLife = 23 * time.Hour

// part is a random part of a time.
func part(random *rand.Rand, of time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(of)))
}

func (p *person) phone() *device { return p.devices[0] }

// day is what the person does on a day, and what becomes of their devices. What is in
// one list waits for what is before it.
func (p *person) day(number int) [][]event {
	random := p.days.random(fmt.Sprint("day ", number, " of ", p.user))
	midnight := p.days.from.Add(time.Duration(number) * day)
	weekend := midnight.Weekday() == time.Saturday || midnight.Weekday() == time.Sunday
	wakes, sleeps := midnight.Add(p.wakes+part(random, time.Hour)), midnight.Add(p.sleeps+part(random, time.Hour/2))
	if weekend && p.hikes {
		return [][]event{p.hike(midnight)}
	}
	lists := [][]event{p.carry(wakes, sleeps, p.works && !weekend, random)}
	if len(p.devices) > 1 {
		lists = append(lists, p.use(p.devices[1], midnight, p.works && !weekend, random))
	}
	if index, _ := strconv.Atoi(strings.TrimPrefix(p.user, "user-")); (index+number)%4 == 0 && p.days.config.happens(faultNetwork) {
		lists = append(lists, p.loseAnswer(wakes.Add(5*time.Hour+part(random, 4*time.Hour)), random))
	}
	return append(lists, p.talk(wakes, sleeps, random))
}

// loseAnswer is a message that is sent as the network breaks: it is stored, and its ack
// lost. The phone finds a network again hours later.
func (p *person) loseAnswer(at time.Time, random *rand.Rand) []event {
	phone := p.phone()
	plan := rand.New(rand.NewPCG(random.Uint64(), random.Uint64())) //nolint:gosec // not for secrets
	return []event{{at, func(ctx context.Context) {
		if id, _ := phone.connection(); id == "" || phone.absent.Load() {
			return
		}
		var mine []*room
		for _, room := range p.days.rooms {
			if room.isMember(p.user) {
				mine = append(mine, room)
			}
		}
		if len(mine) == 0 {
			return
		}
		phone.network.deafen()
		done := make(chan struct{})
		go func() {
			defer close(done)
			phone.sayWith(ctx, mine[plan.IntN(len(mine))], 6*time.Hour, extras{})
		}()
		p.days.pause(ctx, 5*time.Second)
		p.leave(phone)
		p.days.pause(ctx, 2*time.Hour+part(plan, time.Hour))
		p.back(ctx, phone)
		<-done
	}}}
}

// hike has the phone reach nothing from Saturday morning to Sunday night.
func (p *person) hike(midnight time.Time) []event {
	if midnight.Weekday() == time.Saturday {
		return []event{{midnight.Add(8 * time.Hour), func(context.Context) { p.leave(p.phone()) }}}
	}
	return []event{{midnight.Add(21 * time.Hour), func(ctx context.Context) { p.back(ctx, p.phone()) }}}
}

func (p *person) leave(d *device) {
	d.absent.Store(true)
	d.network.leave()
}

func (p *person) back(ctx context.Context, d *device) {
	d.network.back()
	d.wake(ctx)
	d.absent.Store(false)
}

// Commutes: trains go through tunnels.
const (
	commute = 40 * time.Minute
	tunnel  = 90 * time.Second
)

// carry is a day of the phone: off at night, and on trains.
func (p *person) carry(wakes, sleeps time.Time, works bool, random *rand.Rand) (events []event) {
	phone := p.phone()
	events = append(events, event{wakes, func(ctx context.Context) { p.back(ctx, phone) }})
	if works && p.days.config.happens(faultNetwork) {
		for _, leaves := range []time.Time{wakes.Add(time.Hour), wakes.Add(10 * time.Hour)} {
			for at := leaves; at.Before(leaves.Add(commute)); at = at.Add(4 * time.Minute) {
				enters := at.Add(part(random, 2*time.Minute))
				events = append(
					events,
					event{enters, func(context.Context) { phone.network.leave() }},
					event{enters.Add(part(random, tunnel)), func(ctx context.Context) {
						phone.network.back()
						phone.wake(ctx)
					}},
				)
			}
		}
	}
	if p.phoneSleeps {
		events = append(events, event{sleeps.Add(10 * time.Minute), func(context.Context) { p.leave(phone) }})
	}
	return events
}

// use is a day of the laptop: open in the office, or left open.
func (p *person) use(laptop *device, midnight time.Time, works bool, random *rand.Rand) []event {
	opens, closes := midnight.Add(18*time.Hour+part(random, 2*time.Hour)), midnight.Add(22*time.Hour)
	if works {
		opens, closes = midnight.Add(9*time.Hour+part(random, time.Hour)), midnight.Add(17*time.Hour+part(random, time.Hour))
	}
	if laptop.tab != nil {
		return p.background(laptop, midnight)
	}
	if p.tabStays {
		return nil
	}
	return []event{
		{opens, func(ctx context.Context) {
			if !laptop.closed.Swap(false) {
				return // it is still open from the first day
			}
			if err := laptop.reopen(ctx); err != nil {
				p.days.ledger.violate(Violation{Promise: ClientRuns, Client: laptop.name, Detail: err.Error()})
			}
			laptop.absent.Store(false)
		}},
		{closes, func(ctx context.Context) {
			laptop.absent.Store(true)
			laptop.closed.Store(true)
			laptop.close(ctx)
		}},
	}
}

// Sessions: someone looks at a device, reads what is new and says something.
const (
	sessions    = 16 // a day
	sessionTime = 4 * time.Minute
	reactsShare = 0.3 // of what is said
	editsShare  = 0.08
	erasesShare = 0.03
)

// talk is what a person reads and says on a day.
func (p *person) talk(wakes, sleeps time.Time, random *rand.Rand) (events []event) {
	for range sessions {
		at := wakes.Add(part(random, sleeps.Sub(wakes)))
		plan := rand.New(rand.NewPCG(random.Uint64(), random.Uint64())) //nolint:gosec // not for secrets
		events = append(events, event{at, func(ctx context.Context) { p.session(ctx, plan) }})
	}
	return events
}

func (p *person) session(ctx context.Context, random *rand.Rand) {
	d := p.devices[random.IntN(len(p.devices))]
	if d.closed.Load() || d.absent.Load() {
		d = p.phone()
	}
	r := p.days.run
	var mine []*room
	for _, i := range random.Perm(len(r.rooms)) {
		if r.rooms[i].isMember(p.user) {
			mine = append(mine, r.rooms[i])
		}
	}
	for _, room := range mine {
		if upTo := r.ledger.newest(room.id); upTo != "" && d.marked[room.id] != upTo {
			d.marked[room.id] = upTo
			d.readUpTo(ctx, room, upTo)
		}
	}
	for p.talks > 0 && len(mine) > 0 && random.Float64() < p.talks/(1+p.talks) {
		if !r.pause(ctx, time.Duration(random.ExpFloat64()*float64(30*time.Second))) {
			return
		}
		room := mine[random.IntN(min(2, len(mine)))]
		d.sayMore(ctx, room, random)
		switch share := random.Float64(); {
		case share < reactsShare:
			d.react(ctx, room, random)
		case share < reactsShare+editsShare:
			d.edit(ctx, room, random)
		case share < reactsShare+editsShare+erasesShare:
			d.erase(ctx, room, random)
		}
	}
}
