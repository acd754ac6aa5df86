package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
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
	besidesUnits = 1000
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

// audience is how many members a room has, and how many connections these have together.
func (r *run) audience(room *room) (members int, connected float64) {
	members = room.crowd
	for _, user := range room.users {
		if !room.isMember(user) {
			continue
		}
		members++
		for _, d := range r.byUser[user] {
			if id, _ := d.connection(); id != "" {
				connected++
			}
		}
	}
	return max(2, members), connected
}

// broadcast is what it takes to broadcast a change of one message. A room that is large
// keeps its connections only while it is busy: here the presence of each member is read.
func broadcast(members int, connected float64, content int) cost.Action {
	a := cost.Broadcast(members, connected, 1, content)
	switch {
	case members > chat.LongIndexAbove:
		a.Reads += float64(members)
	case members > chat.IndexAbove: // of some messages members are put into the index
		a.Writes += float64(members) * (cost.IndexWrites + 1) / chat.BusyEvery
		a.Reads += float64(members) / chat.BusyEvery
	}
	if members > fanout.SliceAbove { // each slice is stored, and reads its members once more
		n := float64(members/fanout.SliceSize + 1)
		a = a.Plus(cost.Action{Invocations: map[string]float64{topology.Fanout: n}, Writes: n, Reads: float64(members)})
	}
	return a
}

// chargeSend, chargeChange and chargeRead add a message, an edit or deletion of one, and a
// move of a read cursor to the bill.
func (r *run) chargeSend(room *room, content, files int) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	others := max(0, connected-1)
	a := cost.Send(content).Plus(broadcast(members, others, content)).Plus(cost.Project(members, true))
	if files > 0 {
		a = a.Plus(cost.Attached(files, content))
	}
	r.bill.add(a, others)
}

func (r *run) chargeChange(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	r.bill.add(broadcast(members, connected, 0).Plus(cost.Project(members, false)), connected)
}

func (r *run) chargeRead(room *room, user string) {
	if r.bill == nil {
		return
	}
	members, posts := r.audience(room)
	if members > markedMembers {
		posts = float64(len(r.byUser[user]))
	}
	r.bill.add(cost.Marked(members, posts), posts) // judges ask the API, too: it is not counted
}

// chargeTyping and chargeReaction add that others are told who types, and what a member
// reacts with.
func (r *run) chargeTyping(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	others := max(0, connected-1)
	if members > chat.TypingRoom {
		others = 0
	}
	r.bill.add(cost.Typing(members, others), others)
}

func (r *run) chargeReaction(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	r.bill.add(broadcast(members, connected, 0), connected)
}

// chargeMembers adds that members are notified of another one, who comes, goes or is muted.
func (r *run) chargeMembers(room *room) {
	if r.bill == nil {
		return
	}
	members, connected := r.audience(room)
	r.bill.add(broadcast(members, connected, 0), connected)
}

// chargePresence adds what others are told when a device comes or goes that is its user's
// only one. The one that succeeds another is there before that goes: it is told to no one.
func (r *run) chargePresence(of *device) {
	if r.bill == nil || r.loadedAt.Load() == 0 { // there are no rooms yet
		return
	}
	for _, d := range r.byUser[of.user] {
		if id, _ := d.connection(); d != of && id != "" {
			return
		}
	}
	r.chargeTold(of.user)
}

// chargeTold adds that others are told that a user came or went.
func (r *run) chargeTold(user string) {
	if r.bill == nil {
		return
	}
	rooms, members := 0, 0
	told := map[*device]bool{}
	tell := func(users []string, size int, isMember func(user string) bool) {
		if !isMember(user) || size > chat.PresenceRoom {
			return
		}
		rooms, members = rooms+1, members+size
		for _, other := range users {
			if other == user || !isMember(other) {
				continue
			}
			for _, d := range r.byUser[other] {
				if id, _ := d.connection(); id != "" {
					told[d] = true
				}
			}
		}
	}
	for _, room := range r.rooms {
		tell(room.users, room.size(), room.isMember)
	}
	// All are in local.Lobby.
	tell(slices.Collect(maps.Keys(r.byUser)), len(r.byUser), func(string) bool { return true })
	r.bill.add(cost.Told(rooms, (members+rooms-1)/max(1, rooms), float64(len(told))/float64(max(1, rooms))), float64(len(told)))
}

// indexed is how many of a user's rooms keep their connections themselves, at most.
func (r *run) indexed(user string) (rooms int) {
	for _, room := range r.rooms {
		if room.size() > chat.IndexAbove && room.isMember(user) {
			rooms++
		}
	}
	return min(rooms, chat.MaxIndexedRooms)
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

// take is a day's bill, with sessions, and pings beside those that a connection's time asks for.
func (b *bill) take(sessions cost.Action, pings int) (cost.Action, float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := float64(pings) + float64(b.online)/float64(cost.PingEvery)
	a := b.expected.Plus(sessions).Plus(cost.Ping().Times(all))
	posts := b.posts
	b.expected, b.posts, b.online = cost.Action{}, 0, 0
	return a, posts
}

// checkBill compares what functions asked for on a day with what operate/cost has for it.
func (d *days) checkBill(sessions cost.Action, pings int) {
	s := spent{Used: d.meter.Take()}
	s.Expected, s.Posts = d.bill.take(sessions, pings)
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
	if reads := beside(s.Used.Reads); reads > overExpected*s.Expected.Reads+besidesUnits {
		d.ledger.violate(Violation{Promise: Costs, Detail: fmt.Sprintf("read units on day %d: %.0f, and operate/cost has %.0f", d.done+1, reads, s.Expected.Reads)})
	}
	if writes := beside(s.Used.Writes); writes > overExpected*s.Expected.Writes+besidesUnits {
		d.ledger.violate(Violation{Promise: Costs, Detail: fmt.Sprintf("write units on day %d: %.0f, and operate/cost has %.0f", d.done+1, writes, s.Expected.Writes)})
	}
}

// beside are the units of all functions beside the API's, which judges ask, too.
func beside(units map[string]float64) (sum float64) {
	for function, n := range units {
		if function != topology.API {
			sum += n
		}
	}
	return sum
}
