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
	expected cost.Action     // of actions whose records come alone
	posts    float64         // the same
	pings    int             // of connections that were quiet
	hidden   map[string]bool // users of whom no one is told
	users    map[string]*own
	last     map[string]*own // of the day that was taken

	batch    batch   // of fanout's, of one moment
	together telling // what batches save where all records of a moment are in one
	window   window  // of lastmessage
}

// Of what a day may ask: the share of what operate/cost has, and what comes beside it in
// a day, such as what a user is sent again who left a room.
const (
	overExpected  = 1.1
	underExpected = 0.85
	besides       = 30
	besidesUnits  = 1000

	// Of a user's posts, more are a matter of chance: which records share a batch, and when the
	// gateway ends the connection of a frozen tab.
	overPosts  = 1.5
	underPosts = 0.6
	largeBill  = 200 // of a user, of which the report says how much was asked
)

// own is what can be told to be a user's.
type own struct {
	posts       float64 // of records that come alone
	together    float64 // the part of them that batches save
	invocations float64 // by frames and connections
}

// of is a user's own. b.mu is held.
func (b *bill) of(user string) *own {
	if b.users == nil {
		b.users = map[string]*own{}
	}
	if b.users[user] == nil {
		b.users[user] = &own{}
	}
	return b.users[user]
}

// asks counts a user's frames, or beginnings and ends of connections, whose action is added
// elsewhere.
func (b *bill) asks(user string, times int) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(user).invocations += float64(times)
}

// spent is what was asked of AWS on a day, and what was to be.
type spent struct {
	Used     faults.Used
	Expected cost.Action
	Posts    float64
	Users    ofUsers
}

// telling is what fanout does for a record, or saves for those that come with others.
type telling struct{ invocations, reads, posts float64 }

// batch is what fanout reads and posts once for all records of a batch.
type batch struct {
	at      int64 // ns since the start
	records int
	rooms   map[string]bool
	users   map[string]bool
	devices map[*device]int // how often each is told
	alone   telling         // of them, with the rooms' members
}

// window is what lastmessage does once for the records of a batch.
type window struct {
	began int64 // ns since the start; never before the first
	rooms map[string]bool
}

// audience is who is told something.
type audience struct {
	room    string
	crowd   int      // members who have no device
	users   []string // the others
	devices []*device
}

func (a audience) members() int       { return max(2, a.crowd+len(a.users)) }
func (a audience) connected() float64 { return float64(len(a.devices)) }

// without is the audience without a device that needs no telling.
func (a audience) without(d *device) audience {
	a.devices = slices.DeleteFunc(slices.Clone(a.devices), func(other *device) bool { return other == d })
	return a
}

// audience is a room's.
func (r *run) audience(room *room) audience {
	a := audience{room: room.id, crowd: room.crowd}
	for _, user := range room.users {
		if room.isMember(user) {
			a.users = append(a.users, user)
			a.devices = append(a.devices, r.connectedOf(user)...)
		}
	}
	return a
}

func (r *run) connectedOf(user string) (devices []*device) {
	for _, d := range r.byUser[user] {
		if d.isReached() {
			devices = append(devices, d)
		}
	}
	return devices
}

// How long the gateway keeps a connection, and one on which nothing comes or goes.
const (
	gatewayLife = 2 * time.Hour
	gatewayIdle = 10 * time.Minute
)

// isReached reports whether the gateway has a connection of the device. A frozen one neither
// pings nor replaces its connection, and learns of its end when it is shown again.
func (d *device) isReached() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.connectionID == "" || !d.tab.isFrozen() {
		return d.connectionID != ""
	}
	now, busy := d.run.now(), max(d.tab.frozenSince(), d.posted.Load())
	return now-d.since < int64(gatewayLife) && now-busy < int64(gatewayIdle)
}

// hide notes that no one is told any more when a user comes or goes, or that others are again.
func (b *bill) hide(user string, hidden bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hidden == nil {
		b.hidden = map[string]bool{}
	}
	b.hidden[user] = hidden
}

func (b *bill) hides(user string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hidden[user]
}

func (b *bill) add(a cost.Action) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = b.expected.Plus(a)
}

// tell adds an action that fanout tells an audience of. Fanout reads the members of a room
// and the presence of a user once for all records of a batch, and posts once to each device.
// What happens in one moment may come in one batch, or in several: that is not the bill's to
// say.
func (b *bill) tell(now int64, a cost.Action, to audience) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected, b.posts = b.expected.Plus(a), b.posts+to.connected()
	if now-b.batch.at > int64(time.Second) || b.batch.records == 0 {
		b.endBatch()
		b.batch = batch{at: now, rooms: map[string]bool{}, users: map[string]bool{}, devices: map[*device]int{}}
	}
	x := &b.batch
	x.records++
	x.alone.reads += float64(len(to.users))
	x.alone.posts += to.connected()
	if to.room != "" {
		if x.rooms[to.room] {
			b.together.reads += float64(to.crowd) + 1 // and the query of the members
		}
		x.rooms[to.room] = true
	}
	for _, user := range to.users {
		x.users[user] = true
	}
	for _, d := range to.devices {
		x.devices[d]++
		b.of(d.user).posts++
		d.posted.Store(now)
	}
}

// endBatch adds what a batch saves. b.mu is held.
func (b *bill) endBatch() {
	x := &b.batch
	if x.records == 0 {
		return
	}
	b.together.invocations += float64(x.records - 1)
	b.together.reads += x.alone.reads - float64(len(x.users))
	b.together.posts += x.alone.posts - float64(len(x.devices))
	for d, told := range x.devices {
		b.of(d.user).together += float64(told - 1)
	}
}

// project adds that lastmessage gets a record of a room, and whether that moves the room in
// lists.
func (b *bill) project(now int64, room string, members int, moves bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.window.rooms == nil || now-b.window.began >= int64(cost.Window) {
		b.window = window{now, map[string]bool{}}
	}
	again := b.window.rooms[room]
	first := len(b.window.rooms) == 0
	b.window.rooms[room] = true
	if again && !moves {
		return
	}
	a := cost.Project(members, moves)
	if !first {
		a.Invocations = nil
	}
	if again {
		a.Writes-- // of the last message
	}
	b.expected = b.expected.Plus(a)
}

// broadcast is what it takes to broadcast a change of one message. A room that is large
// keeps its connections only while it is busy: here the presence of each member is read.
func broadcast(to audience, content int) cost.Action {
	members := to.members()
	a := cost.Broadcast(members, to.connected(), 1, content)
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

// chargeSend adds a message with its outcome to the bill, chargeChange an edit or deletion of
// one, and chargeRead a move of a read cursor.
func (r *run) chargeSend(room *room, by *device, content, files int, refused bool) {
	if r.bill == nil {
		return
	}
	r.bill.asks(by.user, 1)
	if refused {
		a := cost.Send(0)
		r.bill.add(cost.Action{Invocations: a.Invocations, Reads: cost.SendReads(1, false), Writes: 1})
		return
	}
	to := r.audience(room).without(by)
	a := cost.Send(content)
	if files > 0 {
		a = a.Plus(cost.Attached(files, content))
	}
	now := r.now()
	r.bill.tell(now, a.Plus(broadcast(to, content)), to)
	r.bill.project(now, room.id, to.members(), room.moves(now))
}

// moves reports whether a message moves the room in lists.
func (m *room) moves(now int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.moved != 0 && now-m.moved <= int64(chat.OrderInterval) {
		return false
	}
	m.moved = now
	return true
}

func (r *run) chargeChange(room *room) {
	if r.bill == nil {
		return
	}
	to, now := r.audience(room), r.now()
	r.bill.tell(now, broadcast(to, 0), to)
	r.bill.project(now, room.id, to.members(), false)
}

func (r *run) chargeRead(room *room, user string) {
	if r.bill == nil {
		return
	}
	to := r.audience(room)
	members := to.members()
	if members > markedMembers { // the user's own are told
		to = audience{users: []string{user}, devices: r.connectedOf(user)}
	}
	r.bill.tell(r.now(), cost.Marked(members, to.connected()), to) // judges ask the API, too: it is not counted
}

// chargeTyping and chargeReaction add that others are told who types, and what a member
// reacts with.
func (r *run) chargeTyping(room *room, by *device) {
	if r.bill == nil {
		return
	}
	to := r.audience(room)
	r.bill.asks(by.user, 1)
	if to.members() > chat.TypingRoom {
		r.bill.add(cost.Typing(to.members(), 0))
		return
	}
	to.users = slices.DeleteFunc(to.users, func(user string) bool { return user == by.user })
	to.devices = slices.DeleteFunc(to.devices, func(d *device) bool { return d.user == by.user })
	r.bill.tell(r.now(), cost.Typing(len(to.users)+1, to.connected()), to)
}

func (r *run) chargeReaction(room *room) {
	if r.bill == nil {
		return
	}
	to := r.audience(room)
	r.bill.tell(r.now(), broadcast(to, 0), to)
}

// chargeMembers adds that members are notified of another one, who comes, goes or is muted.
func (r *run) chargeMembers(room *room) {
	if r.bill == nil {
		return
	}
	to := r.audience(room)
	r.bill.tell(r.now(), broadcast(to, 0), to)
}

// chargePresence adds what others are told when a device comes or goes that is its user's
// only one. The one that succeeds another is there before that goes: it is told to no one.
func (r *run) chargePresence(of *device) {
	if r.bill == nil || r.loadedAt.Load() == 0 { // there are no rooms yet
		return
	}
	for _, d := range r.byUser[of.user] {
		if d != of && d.isReached() {
			return
		}
	}
	r.chargeTold(of.user)
}

// chargeTold adds that others are told that a user came or went: the members of the user's
// small rooms, each once.
func (r *run) chargeTold(user string) {
	if r.bill == nil || r.bill.hides(user) {
		return
	}
	none := cost.Told(0, 0, 0)
	a, others := none, map[string]bool{}
	tell := func(users []string, size int, isMember func(user string) bool) {
		if !isMember(user) {
			return
		}
		if size > chat.PresenceRoom {
			a.Reads += cost.Told(1, chat.PresenceRoom, 0).Reads - none.Reads - float64(chat.PresenceRoom-1)
			return
		}
		members := 0
		for _, other := range users {
			if !isMember(other) {
				continue
			}
			if members++; other != user {
				others[other] = true
			}
		}
		a.Reads += cost.Told(1, members, 0).Reads - none.Reads - float64(members-1)
	}
	for _, room := range r.rooms {
		tell(room.users, room.size(), room.isMember)
	}
	// All are in local.Lobby.
	tell(slices.Collect(maps.Keys(r.byUser)), len(r.byUser), func(string) bool { return true })
	var to audience
	for other := range others {
		to.users = append(to.users, other)
		to.devices = append(to.devices, r.connectedOf(other)...)
	}
	a.Reads += float64(len(to.users))
	r.bill.tell(r.now(), a, to)
}

// indexed is how many of a user's rooms keep their connections themselves, at most.
func (r *run) indexed(user string) (rooms int) {
	for _, room := range r.rooms {
		if room.size() > chat.LongIndexAbove && room.isMember(user) {
			rooms++
		}
	}
	return min(rooms, chat.MaxIndexedRooms)
}

// wasQuiet adds the pings of a connection on which no frame came for some time, and gives for
// how long none has come since the last of them.
func (b *bill) wasQuiet(user string, d time.Duration) (rest time.Duration) {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	pings := int(d / cost.PingEvery)
	b.pings += pings
	b.of(user).invocations += float64(pings)
	return d % cost.PingEvery
}

// take is a day's bill, with sessions, and pings beside those of quiet connections: fanout
// was invoked a number of times.
func (b *bill) take(sessions cost.Action, pings, fanouts int) (cost.Action, float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endBatch()
	a := b.expected.Plus(sessions).Plus(cost.Ping().Times(float64(pings + b.pings)))
	posts := b.posts
	if most := b.together.invocations; most > 0 { // the share of records that came with others
		share := min(1, max(0, (a.Invocations[topology.Fanout]-float64(fanouts))/most))
		a = a.Plus(cost.Action{Invocations: map[string]float64{topology.Fanout: -share * most}, Reads: -share * b.together.reads})
		posts -= share * b.together.posts
		for _, o := range b.users {
			o.posts -= share * o.together
		}
	}
	b.last, b.users = b.users, nil
	b.expected, b.posts, b.pings, b.batch, b.together = cost.Action{}, 0, 0, batch{}, telling{}
	return a, posts
}

// checkBill compares what functions asked for on a day with what operate/cost has for it.
func (d *days) checkBill(sessions cost.Action, pings int) {
	s := spent{Used: d.meter.Take()}
	s.Expected, s.Posts = d.bill.take(sessions, pings, s.Used.Invocations[topology.Fanout])
	now := d.run.config.Clock.Now()
	within := func(what string, used, expected, over, under, beside float64, functions ...string) {
		down := slices.ContainsFunc(functions, func(function string) bool { return d.injector.Down(function, now.Add(-day), now) })
		if wrongly(used, expected, over, under, beside) && !down { // who fails tries again
			d.ledger.violate(Violation{Promise: Costs, Detail: fmt.Sprintf("%s on day %d: %.0f, and operate/cost has %.0f", what, d.done+1, used, expected)})
		}
	}
	check := func(what string, used, expected, beside float64, functions ...string) {
		within(what, used, expected, overExpected, underExpected, beside, functions...)
	}
	for _, f := range topology.Functions() {
		if f.Name != topology.API { // which judges ask, too
			check("invocations of "+f.Name, float64(s.Used.Invocations[f.Name]), s.Expected.Invocations[f.Name], besides, f.Name)
		}
	}
	s.Users = d.checkUsers(s.Used.Connections, within)
	s.Used.Connections = nil // they would be kept for the report
	d.spent = append(d.spent, s)
	check("posts", float64(s.Used.Posts), s.Posts, besides, topology.Fanout)
	check("read units", beside(s.Used.Reads), s.Expected.Reads, besidesUnits, topology.Fanout, topology.LastMessage)
	check("write units", beside(s.Used.Writes), s.Expected.Writes, besidesUnits, topology.Fanout, topology.LastMessage)
}

// ownerOf is whose a connection is: of one that replaces another, who that was of; "" if no
// device has named it.
func (d *days) ownerOf(id string, used map[string]faults.UsedFor) string {
	for range len(used) + 1 {
		if user, known := d.owners.Load(id); known {
			return user.(string)
		}
		if id = used[id].Replaces; id == "" {
			return ""
		}
	}
	return ""
}

// wrongly reports whether something was asked too often, or so seldom that what is expected
// must be wrong.
func wrongly(used, expected, over, under, beside float64) bool {
	return used > over*expected+beside || used < under*expected-beside
}

// checkUsers compares the same of each user: posts to their devices, and invocations by their
// frames and connections.
func (d *days) checkUsers(used map[string]faults.UsedFor, check func(what string, used, expected, over, under, beside float64, functions ...string)) (all ofUsers) {
	owners, users := map[string]string{}, map[string]faults.UsedFor{}
	for id, c := range used {
		owners[id] = d.ownerOf(id, used)
		sum := users[owners[id]]
		sum.Posts, sum.Invocations = sum.Posts+c.Posts, sum.Invocations+c.Invocations
		users[owners[id]] = sum
	}
	d.owners.Clear() // of connections that have ended
	for id, user := range owners {
		if user != "" {
			d.owners.Store(id, user)
		}
	}
	for _, p := range d.people {
		o := d.bill.last[p.user]
		if o == nil {
			continue
		}
		u := users[p.user]
		check("posts to "+p.user, float64(u.Posts), o.posts, overPosts, underPosts, besides, topology.Fanout)
		check("invocations by "+p.user, float64(u.Invocations), o.invocations, overExpected, underExpected, besides)
		all.posts.add(float64(u.Posts), o.posts)
		all.invocations.add(float64(u.Invocations), o.invocations)
	}
	return all
}

// ofUsers says of users how much was asked, by what operate/cost has.
type ofUsers struct{ posts, invocations shares }

// shares are the least and the greatest of some shares.
type shares struct{ least, most float64 }

// add takes a share, unless it is of little.
func (s *shares) add(used, expected float64) {
	if expected < largeBill {
		return
	}
	share := used / expected
	if s.most == 0 {
		s.least = share
	}
	s.least, s.most = min(s.least, share), max(s.most, share)
}

// String is how people read them.
func (s shares) String() string { return fmt.Sprintf("%.2f to %.2f", s.least, s.most) }

// beside are the units of all functions beside the API's, which judges ask, too.
func beside(units map[string]float64) (sum float64) {
	for function, n := range units {
		if function != topology.API {
			sum += n
		}
	}
	return sum
}
