package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/faults"
)

// bill is what a day's actions ask of AWS, by operate/cost.
type bill struct {
	mu       sync.Mutex
	expected cost.Action
	posts    float64
	online   time.Duration // of all connections together
}

// Of what a day may ask: the share over what operate/cost has, and what comes beside it in
// a day, such as what a user is sent again who left a room.
const (
	overExpected = 1.1
	besides      = 30
)

// spent is what was asked of AWS on a day, and what was to be.
type spent struct {
	Used     faults.Used
	Expected cost.Action
	Posts    float64
}

func (b *bill) add(a cost.Action, posts float64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected, b.posts = b.expected.Plus(a), b.posts+posts
}

// members is how many a room has, and how many connections these have together.
func (r *run) audience(room *room) (members int, connected float64) {
	for _, user := range room.users {
		if room.isMember(user) {
			members++
		}
	}
	for _, d := range r.devices {
		if id, _ := d.connection(); id != "" && room.isMember(d.user) {
			connected++
		}
	}
	return max(2, members), connected
}

// chargeSend, chargeChange and chargeRead add a message, an edit or deletion of one, and a
// move of a read cursor to the bill.
func (r *run) chargeSend(room *room, content int) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	others := max(0, connected-1)
	r.bill.add(cost.Send(content).Plus(cost.Broadcast(members, others, 1, content)).Plus(cost.Project(members, true)), others)
}

func (r *run) chargeChange(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	r.bill.add(cost.Broadcast(members, connected, 1, 0).Plus(cost.Project(members, false)), connected)
}

func (r *run) chargeRead(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	r.bill.add(cost.Read(members, connected), connected)
}

// chargeTyping and chargeReaction add that others are told who types, and what a member
// reacts with.
func (r *run) chargeTyping(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	others := max(0, connected-1)
	r.bill.add(cost.Typing(members, others), others)
}

func (r *run) chargeReaction(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	r.bill.add(cost.Broadcast(members, connected, 1, 0), connected)
}

// chargePresence adds what others are told when a device of a user comes or goes, whether
// or not it is the user's only one.
func (r *run) chargePresence(user string) {
	if r.bill == nil {
		return
	}
	rooms, most := 0, 0
	told := map[*device]bool{}
	for _, room := range r.rooms {
		if !room.isMember(user) {
			continue
		}
		rooms++
		for _, d := range r.devices {
			if id, _ := d.connection(); id != "" && d.user != user && room.isMember(d.user) {
				told[d] = true
			}
		}
		members, _ := r.audience(room)
		most = max(most, members)
	}
	r.bill.add(cost.Told(rooms, most, float64(len(told))), float64(len(told)))
}

// wasOnline adds the time of a connection to the bill, from when it was counted last.
func (b *bill) wasOnline(d time.Duration) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.online += d
}

// take is a day's bill, with connections and pings.
func (b *bill) take(connects, wakes int) (cost.Action, float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pings := float64(connects+wakes) + float64(b.online)/float64(cost.PingEvery)
	a := b.expected.Plus(cost.Connect(0).Plus(cost.Disconnect(0)).Times(float64(connects))).Plus(cost.Ping().Times(pings))
	posts := b.posts
	b.expected, b.posts, b.online = cost.Action{}, 0, 0
	return a, posts
}

// checkBill compares what functions asked for on a day with what operate/cost has for it.
func (d *days) checkBill(connects, wakes int) {
	s := spent{Used: d.meter.Take()}
	s.Expected, s.Posts = d.bill.take(connects, wakes)
	d.spent = append(d.spent, s)
	now := d.run.config.Clock.Now()
	over := func(what, function string, used int, expected float64) {
		if d.injector.Down(function, now.Add(-day), now) { // who fails tries again
			return
		}
		if float64(used) > overExpected*expected+besides {
			d.ledger.violate(Violation{Promise: Costs, Detail: fmt.Sprintf("%s on day %d: %d, and operate/cost has %.0f", what, d.done+1, used, expected)})
		}
	}
	for _, f := range topology.Functions() {
		if f.Name != topology.API { // which judges ask, too
			over("invocations of "+f.Name, f.Name, s.Used.Invocations[f.Name], s.Expected.Invocations[f.Name])
		}
	}
	over("posts", topology.Fanout, s.Used.Posts, s.Posts)
}
