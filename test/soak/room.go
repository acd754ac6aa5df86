package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/fanout"
)

// never is a time after all others.
const never = math.MaxInt64

// room is a room of the run. Its first member owns it and stays.
type room struct {
	id    string
	index int
	dm    bool     // a direct message of two users, who stay
	users []string // those who are members at times
	crowd int      // other members, who stay and have no device

	mu      sync.Mutex
	members map[string][]membership
	unsure  map[string]int64 // changeMembers' own: when a change of a user was last tried and not answered
	shown   [2]int           // messages of the owner's that all have seen and read before some go away

	mutes, bans map[string][]sentence // by user
	blocks      []sentence            // in which one user of a direct message blocks the other
	reports     reports
	spot        spot
	keeps       time.Duration // messages, for how long; 0: always
	moved       int64         // the bill's: when the room was last moved in lists; 0: never
}

// membership is a time in which a user is a member. What comes between a call
// and its answer is uncertain.
type membership struct{ added, surelyAdded, removed, surelyRemoved int64 }

func (m *room) owner() string { return m.users[0] }

// size is how many members the room has, at most.
func (m *room) size() int { return len(m.users) + m.crowd }

// mayBeMember reports whether a user may have been a member at some time from one moment
// to another.
func (m *room) mayBeMember(user string, from, to int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.members[user], func(p membership) bool { return p.added <= to && p.surelyRemoved >= from })
}

// isMemberThroughout reports whether a user was surely a member all the time from one moment to
// another.
func (m *room) isMemberThroughout(user string, from, to int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.members[user], func(p membership) bool { return p.surelyAdded <= from && p.removed >= to })
}

// isMember reports whether a user is, or may soon be, a member.
func (m *room) isMember(user string) bool { return m.mayBeMember(user, never, never) }

// isMember reports the same of a room by its id.
func (r *run) isMember(roomID, user string) bool {
	return slices.ContainsFunc(r.rooms, func(m *room) bool { return m.id == roomID && m.isMember(user) })
}

func (m *room) change(user string, f func(*membership)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.members[user]
	f(&all[len(all)-1])
}

// setUp makes devices and rooms, and has all members see a first message in each.
// Nothing breaks yet.
func (r *run) setUp(ctx context.Context) error {
	users := make([]string, r.config.Users)
	for i := range users {
		users[i] = fmt.Sprintf("user-%d", i)
		for j := range r.config.Devices {
			d := r.newDevice(users[i], j)
			if err := d.open(ctx); err != nil {
				return err
			}
			r.devices = append(r.devices, d)
		}
		if i < r.config.Browsers {
			if err := r.addBrowser(ctx, users[i], i); err != nil {
				return err
			}
		}
	}
	random := r.random("rooms")
	for i := range r.config.Rooms {
		if err := r.makeRoom(ctx, i, users, random); err != nil {
			return fmt.Errorf("make a room: %w", err)
		}
	}
	for _, d := range r.devices {
		if err := d.followRooms(ctx); err != nil {
			return err
		}
	}
	// A browser gets a message of a room that it never opens while it is connected
	// only, and on a busy machine Node.js takes seconds to start.
	if err := r.awaitWithin(ctx, r.poll, r.poll, setUpTimeout, r.browsersConnected); err != nil {
		return fmt.Errorf("connect the browsers: %w", err)
	}
	for _, room := range r.rooms {
		if !r.deviceOf(room.owner()).say(ctx, room) {
			return errors.New("the first message of a room was refused")
		}
	}
	r.fillIndex(ctx)
	// Nothing is judged yet: this takes as long as the machine is slow.
	err := r.awaitWithin(ctx, r.poll, r.poll, setUpTimeout, func() bool { return len(r.undelivered(true)) == 0 })
	r.loadedAt.Store(r.now())
	if err != nil {
		return fmt.Errorf("deliver the first messages: %w", err)
	}
	return nil
}

// browsersConnected says whether all browsers are.
func (r *run) browsersConnected() bool {
	return !slices.ContainsFunc(r.devices, func(d *device) bool {
		id, _ := d.connection()
		return d.browser && id == ""
	})
}

// fillIndex has the room of Group members keep the connections of its members, which few
// messages bring about.
func (r *run) fillIndex(ctx context.Context) {
	const most = 200 // tries: fewer than one run of a million needs more
	if r.config.Group == 0 || len(r.rooms) < 2 {
		return
	}
	room := r.rooms[1]
	said := r.ledger.newest(room.id)
	for range most {
		if said != "" && fanout.Indexes(said, true) {
			return
		}
		number, _ := r.deviceOf(room.owner()).sayNumber(ctx, room)
		said = r.ledger.idOf(number)
	}
}

// clockOffsets are how far devices' clocks are ahead, in turn.
var clockOffsets = []time.Duration{3 * time.Hour, -3 * time.Hour, 0}

// addBrowser gives a user a device that runs the browser library.
func (r *run) addBrowser(ctx context.Context, user string, index int) (err error) {
	if r.browsers == nil {
		if r.browsers, err = r.startBrowsers(); err != nil {
			return err
		}
	}
	d := r.newDevice(user, r.config.Devices)
	d.browser, d.clockOffset = true, clockOffsets[index%len(clockOffsets)]
	if err := d.open(ctx); err != nil {
		return err
	}
	r.devices = append(r.devices, d)
	return nil
}

// makeRoom makes a room of a user and half of the others, one at least.
func (r *run) makeRoom(ctx context.Context, index int, users []string, random *rand.Rand) error {
	return r.makeRoomOf(ctx, index, users, max(2, (len(users)+1)/2), random)
}

// makeRoomOf makes a room of a user and some others.
func (r *run) makeRoomOf(ctx context.Context, index int, users []string, others int, random *rand.Rand) error {
	m := newRoom(index)
	m.users = append(m.users, users[index%len(users)])
	for _, i := range random.Perm(len(users))[:min(others, len(users))] {
		if users[i] != m.owner() {
			m.users = append(m.users, users[i])
		}
	}
	members := m.users[1:]
	if r.isVisited(m) {
		members = append(slices.Clone(members), visitor)
	}
	creating, cancel := r.timeout(ctx)
	defer cancel()
	made, err := r.deviceOf(m.owner()).current().CreateRoom(creating, client.RoomRequest{
		Name: fmt.Sprintf("Room %d", index), Type: "group", Members: members,
	})
	if err != nil {
		return err
	}
	r.addRoom(m, made.ChatRoomID)
	switch index {
	case 0:
		return r.crowd(ctx, m, r.config.Crowd)
	case 1:
		return r.crowd(ctx, m, r.config.Group)
	}
	return nil
}

func newRoom(index int) *room {
	return &room{
		index: index, members: map[string][]membership{}, unsure: map[string]int64{},
		mutes: map[string][]sentence{}, bans: map[string][]sentence{}, reports: reports{},
	}
}

// addRoom notes a room that was made.
func (r *run) addRoom(m *room, id string) {
	m.id = id
	for _, user := range m.users {
		m.members[user] = []membership{{0, 0, never, never}}
	}
	r.rooms = append(r.rooms, m)
}

// crowd adds members to a room who have no device. In the order of user ids they
// stand between the users, so that these end up in several slices of the room.
func (r *run) crowd(ctx context.Context, m *room, n int) error {
	owner := r.deviceOf(m.owner())
	m.crowd = n
	for i := range n {
		ctx, cancel := r.timeout(ctx)
		err := owner.current().AddMember(ctx, m.id, fmt.Sprintf("user-%d-%06d", i%r.config.Users, i))
		cancel()
		if err != nil {
			return fmt.Errorf("add one of a crowd: %w", err)
		}
	}
	return nil
}

// deviceOf is a user's first device.
func (r *run) deviceOf(user string) *device {
	i := slices.IndexFunc(r.devices, func(d *device) bool { return d.user == user })
	return r.devices[i]
}

// Rooms are busy for a while and then quiet, and half of them fall silent
// permanently at some time: what is lost last in a room is not given away by the next
// message.
const (
	spell        = 2 * time.Second
	busyRooms    = 0.7
	outsiderRate = 0.02 // of sends into rooms that the user is not in
)

// busyRoom picks a room to say something in; nil for none.
func (r *run) busyRoom(random *rand.Rand, user string) *room {
	strange := random.Float64() < outsiderRate
	loaded := max(0, r.now()-r.loadedAt.Load())
	var busy []*room
	for _, room := range r.rooms {
		if room.isMember(user) != strange && r.busy(room, time.Duration(loaded)) {
			busy = append(busy, room)
		}
	}
	if len(busy) == 0 {
		return nil
	}
	return busy[random.IntN(len(busy))]
}

// busy says whether a room is, some time after the load began.
func (r *run) busy(room *room, loaded time.Duration) bool {
	life := newRandom(r.config.Seed, uint64(room.index)).Float64() * float64(r.config.Duration) //nolint:gosec // not negative
	if room.index%2 == 1 && loaded > time.Duration(life) {
		return false
	}
	return newRandom(r.config.Seed+uint64(room.index), uint64(loaded/spell)).Float64() < busyRooms //nolint:gosec // not negative
}

// lateEffect is how long after a call that was not answered what it asked for may
// still happen: a function has 10 s.
const lateEffect = 15 * time.Second

// changeMembers has members removed and added again until ctx ends. Each change
// is tried until its outcome is known.
func (r *run) changeMembers(ctx context.Context) {
	random := r.random("members")
	r.every(ctx, r.config.Chaos.MemberChanges, random, func() {
		room := r.rooms[random.IntN(len(r.rooms))]
		user := room.users[random.IntN(len(room.users))]
		if user == room.owner() || r.now()-room.unsure[user] < int64(lateEffect) {
			return
		}
		r.changeMember(ctx, room, user)
		r.tally.add(&r.tally.MemberChanges)
	})
}

func (r *run) changeMember(ctx context.Context, room *room, user string) {
	r.changeMemberBy(ctx, room, user, func(ctx context.Context, c *client.Client) error { return c.RemoveMember(ctx, room.id, user) })
}

// changeMemberBy removes a member by a call, or adds a user who is none.
func (r *run) changeMemberBy(ctx context.Context, room *room, user string, leave func(context.Context, *client.Client) error) {
	remove := room.isMember(user)
	r.chargeMembers(room)
	if remove {
		room.change(user, func(p *membership) { p.removed = r.now() })
	} else {
		room.mu.Lock()
		room.members[user] = append(room.members[user], membership{r.now(), never, never, never})
		room.mu.Unlock()
	}
	deadline := r.config.Clock.After(r.config.StepTimeout)
	for !r.tryChange(ctx, room, user, remove, leave) {
		room.unsure[user] = r.now()
		select {
		case <-r.config.Clock.After(pollInterval):
		case <-deadline:
			r.ledger.violate(Violation{Promise: Refused, Room: room.id, Client: user, Detail: "a change of members was not taken for long"})
			return
		}
	}
	if remove {
		room.change(user, func(p *membership) { p.surelyRemoved = r.now() })
		return
	}
	room.change(user, func(p *membership) { p.surelyAdded = r.now() })
	for _, d := range r.devices {
		if d.user == user && r.random(fmt.Sprint("follow ", r.now())).IntN(2) == 0 { // the others wait to be told
			_ = d.follow(ctx, room) // fails for ids that are none
		}
	}
}

func (r *run) tryChange(ctx context.Context, room *room, user string, remove bool, leave func(context.Context, *client.Client) error) bool {
	ctx, cancel := r.timeout(ctx)
	defer cancel()
	device := r.deviceOf(room.owner())
	owner := device.current()
	if device.absent.Load() { // since the first try
		var err error
		if owner, err = r.reader(device.user); err != nil {
			return false
		}
	}
	if !remove {
		return owner.AddMember(ctx, room.id, user) == nil
	}
	err := leave(ctx, owner)
	var refusal *client.Error
	return err == nil || errors.As(err, &refusal) && refusal.Code == client.CodeNotFound // an earlier try did it
}

// breakNetworks cuts and silences devices until ctx ends.
func (r *run) breakNetworks(ctx context.Context) {
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		random := r.random("cuts")
		r.every(ctx, r.config.Chaos.Cuts, random, func() {
			r.devices[random.IntN(len(r.devices))].network.cut()
			r.tally.add(&r.tally.Cuts)
		})
	})
	both.Go(func() {
		random := r.random("partitions")
		r.every(ctx, r.config.Chaos.Partitions, random, func() {
			d := r.devices[random.IntN(len(r.devices))]
			d.network.partition()
			r.tally.add(&r.tally.Partitions)
			r.pause(ctx, time.Duration(random.ExpFloat64()*float64(partitionMean)))
			d.network.heal()
		})
	})
}

// partitionMean is how long a network is silent, on average.
const partitionMean = 3 * time.Second

// reopenDevices restarts applications until ctx ends.
func (r *run) reopenDevices(ctx context.Context) {
	random := r.random("reopens")
	r.every(ctx, r.config.Chaos.Reopens, random, func() {
		if err := r.devices[random.IntN(len(r.devices))].reopen(ctx); err != nil {
			r.ledger.violate(Violation{Promise: ClientRuns, Detail: err.Error()})
		}
		r.tally.add(&r.tally.Reopens)
	})
}

// restartServer stops and starts the server until ctx ends.
func (r *run) restartServer(ctx context.Context) {
	random := r.random("restarts")
	always := context.WithoutCancel(ctx)
	r.every(ctx, r.config.Chaos.Restarts, random, func() {
		err := r.host.Stop(always, random.IntN(2) == 0)
		if err == nil {
			err = r.host.Start(always)
		}
		if err != nil {
			r.ledger.violate(Violation{Promise: ServerRuns, Detail: err.Error()})
		}
		r.tally.add(&r.tally.Restarts)
	})
}

// Reads of the history: most are of the newest messages, the others of what came
// after one.
const (
	readAfter = 0.3
	readLimit = 40
)

// read reads parts of rooms' histories until ctx ends.
func (d *device) read(ctx context.Context) {
	if d.browser {
		return // which reads what it shows
	}
	random := d.run.random("read " + d.name)
	d.run.every(ctx, 60*d.run.config.Reads/float64(len(d.run.devices)), random, func() {
		room := d.run.rooms[random.IntN(len(d.run.rooms))]
		page := client.Page{Limit: 1 + random.IntN(readLimit)}
		if random.Float64() < readAfter {
			_, page.After = d.run.ledger.anyMessage(room.id, "", random)
		}
		ctx, cancel := d.run.timeout(ctx)
		defer cancel()
		called := d.run.now()
		history, err := d.current().History(ctx, room.id, page)
		returned := d.run.now()
		if err != nil {
			return
		}
		ids := make([]ulid.ULID, len(history.Messages))
		for i, m := range history.Messages {
			id, _, problem := d.run.ledger.recognize(room.id, m)
			if problem != "" {
				d.run.ledger.violate(Violation{Promise: Altered, Room: room.id, Client: d.name, IDs: []string{m.MessageID}, Detail: problem})
				return
			}
			ids[i] = id
		}
		d.run.ledger.read(read{
			room: room.id, client: d.name, page: page, ids: ids, more: history.Cursor != "", called: called, returned: returned,
		})
	})
}

// stored is a message in a room's history.
type stored struct {
	id      ulid.ULID
	number  int
	message client.HistoryMessage
}

// history reads all of a room's history, oldest first; historyFrom, what is not older than a
// message.
func (r *run) history(ctx context.Context, room *room) ([]stored, error) {
	return r.historyFrom(ctx, room, ulid.ULID{})
}

func (r *run) historyFrom(ctx context.Context, room *room, first ulid.ULID) ([]stored, error) {
	var all []stored
	page := client.Page{Limit: client.MaxPage}
	for {
		got, err := r.page(ctx, room, page)
		if err != nil {
			return nil, err
		}
		for _, m := range got.Messages {
			id, number, problem := r.ledger.recognize(room.id, m)
			if problem != "" {
				r.ledger.violate(Violation{Promise: Altered, Room: room.id, IDs: []string{m.MessageID}, Detail: problem})
				continue
			}
			if len(all) > 0 && id.Compare(all[len(all)-1].id) >= 0 {
				r.ledger.violate(Violation{
					Promise: OutOfOrder, Room: room.id, IDs: []string{all[len(all)-1].id.String(), m.MessageID},
					Detail: "the history gives a message that is not older than the one before",
				})
			}
			all = append(all, stored{id, number, m})
		}
		if page.Before = got.Cursor; got.Cursor == "" || len(all) > 0 && all[len(all)-1].id.Compare(first) < 0 {
			slices.Reverse(all)
			return all, nil
		}
	}
}

func (r *run) page(ctx context.Context, room *room, page client.Page) (client.History, error) {
	ctx, cancel := r.timeout(ctx)
	defer cancel()
	reader, err := r.reader(room.owner())
	if err != nil {
		return client.History{}, err
	}
	return reader.History(ctx, room.id, page)
}
