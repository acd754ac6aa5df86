package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

const (
	// backlog is with how many messages a device begins with a room: more than
	// there are when the first ones begin.
	backlog = client.MaxPage

	// callTimeout bounds a send, and each call of the API.
	callTimeout = 20 * time.Second

	// Every fourth device has tokens that end within the run.
	shortTokens    = 4
	shortTokenLife = 90 * time.Second
	tokenLife      = time.Hour
)

// device is one of a user's devices. Its application may end and start again:
// each time is a life.
type device struct {
	run     *run
	user    string
	name    string
	tokens  time.Duration
	network *network
	http    *http.Client

	browser     bool          // it runs the browser library, else the Go client
	clockOffset time.Duration // how far a browser's clock is ahead
	relay       string        // the address of a browser's network; "" before it is first opened

	absent   atomic.Bool       // it reaches nothing, or is closed, for long: it is judged when it is back
	closed   atomic.Bool       // its application was ended, for long
	connects atomic.Int64      // since it was last asked
	wakes    atomic.Int64      // the same
	marked   map[string]string // by room: how far the user has read on it; its user's own

	mu           sync.Mutex
	client       *client.Client
	end          context.CancelFunc
	ended        chan struct{}
	asking       sync.WaitGroup // for read cursors
	connectionID string         // "" while there is none
	since        int64          // when it was connected
	counted      int64          // up to when the time of its connection was
	lost         int64          // when it was disconnected
	lives        []life
	calls        []call
}

// call is a request of the device's client, from its beginning to the answer.
type call struct{ from, to int64 }

// life is what a device saw from its application's start to its end.
type life struct {
	visits map[string]*visit // by room id, those that go on
	past   []*visit
}

// visit is what a device saw of one room, from when it first heard of it until
// it was told that its user left.
type visit struct {
	room   string
	whole  bool // it began before the room's first message
	newest ulid.ULID
	log    []seen
	held   []seen // shown by a browser, though maybe not handed on as new

	deleted map[ulid.ULID]bool // messages of which it was told that they were deleted
	leftOut int64              // when a gap last said that messages were left out; 0: never

	// What a Go device shows: what it was handed, as it was changed since, and how
	// far each user has read.
	screen map[string]client.HistoryMessage
	read   map[string]string
}

// seen is a message that was handed to the application.
type seen struct {
	id     ulid.ULID
	number int
	at     int64
	since  int64 // when the device was connected
	kept   int64 // when a fault last kept something from its connection; never: it still does
}

func (r *run) newDevice(user string, index int) *device {
	d := &device{run: r, user: user, name: fmt.Sprintf("%s/%d", user, index), network: newNetwork(r.dialer), tokens: tokenLife, marked: map[string]string{}}
	if len(r.devices)%shortTokens == shortTokens-1 {
		d.tokens = shortTokenLife
	}
	var transport http.RoundTripper = d.network.transport
	if r.config.Transport != nil {
		transport = r.config.Transport(transport)
	}
	d.http = &http.Client{Transport: watched{d, transport}}
	return d
}

// watched notes when the client asks for something, and counts its connections.
type watched struct {
	device *device
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	from := w.device.run.now()
	response, err := w.next.RoundTrip(r)
	w.device.mu.Lock()
	defer w.device.mu.Unlock()
	w.device.calls = append(w.device.calls, call{from, w.device.run.now()})
	if err == nil && response.StatusCode == http.StatusSwitchingProtocols {
		w.device.connects.Add(1)
	}
	return response, err
}

// authorized says whether the device may have been given a message of a room that
// was sent at one time and seen at another: its user was a member in between, or
// during a call that overlaps with it. The answer to a request that a member made
// may have what was stored while the answer was made.
func (d *device) authorized(room *room, sent, seen int64) bool {
	if room.mayBeMember(d.user, sent, seen) {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.calls, func(c call) bool { return c.to >= sent && c.from <= seen && room.mayBeMember(d.user, c.from, c.to) })
}

// open starts the application.
func (d *device) open(ctx context.Context) error {
	d.mu.Lock()
	d.connectionID, d.lost = "", d.run.now()
	d.lives = append(d.lives, life{visits: map[string]*visit{}})
	d.mu.Unlock()
	if d.browser {
		return d.openBrowser(ctx)
	}
	return d.openClient(ctx)
}

// close ends the application.
func (d *device) close(ctx context.Context) {
	d.network.heal() // a goodbye to a silent connection would wait for an answer
	if d.browser {
		d.closeBrowser(ctx)
	} else {
		d.closeClient()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countOnline()
	d.connectionID = ""
}

// noteOnline counts the time of the device's connection up to now.
func (d *device) noteOnline() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countOnline()
}

// countOnline is noteOnline with d.mu held.
func (d *device) countOnline() {
	if d.connectionID != "" {
		d.run.bill.wasOnline(time.Duration(d.run.now() - d.counted))
		d.counted = d.run.now()
	}
}

// reopen ends the application and starts it again. It then knows nothing but the
// rooms that its user is in.
func (d *device) reopen(ctx context.Context) error {
	d.close(ctx)
	if err := d.open(ctx); err != nil {
		return err
	}
	return d.followRooms(ctx)
}

// followRooms follows what an application would find in the list of rooms.
func (d *device) followRooms(ctx context.Context) error {
	for _, room := range d.run.rooms {
		if room.isMember(d.user) {
			if err := d.follow(ctx, room); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow shows a room.
func (d *device) follow(ctx context.Context, room *room) error {
	if !d.browser {
		return d.current().Follow(room.id)
	}
	if !d.shows(room) {
		return nil
	}
	return d.run.browsers.call(ctx, d, "show", map[string]any{"room": room.id}, nil)
}

// shows reports whether the application shows a room's messages.
func (d *device) shows(room *room) bool {
	return !d.browser || room.index%closedRooms != closedRooms-1
}

// closedRooms: one room of this number is never opened in a browser, which counts
// what is unread there all the same.
const closedRooms = 3

// connection is the open connection, and since when; "" for none.
func (d *device) connection() (id string, since int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.connectionID, d.since
}

// connected notes that the server has answered on a connection, for the first time
// or again.
func (d *device) connected(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.connectionID == id {
		return
	}
	d.countOnline()
	d.connectionID, d.since = id, d.run.now()
	d.counted = d.since
	if d.browser { // of which no one sees the handshakes
		d.connects.Add(1)
	}
	d.run.tally.connected(time.Duration(d.since - d.lost))
}

// goingAway is what a client says of a connection that the gateway ended, for its age, its
// idleness or the gateway's own end.
const goingAway = "(1001 "

func (d *device) disconnected(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.connectionID
	if id != "" {
		d.countOnline()
		d.connectionID, d.lost = "", d.run.now()
	}
	if err != nil && strings.Contains(err.Error(), goingAway) && d.run.lasting && !d.run.restartedSince(d.run.now()) {
		d.run.ledger.violate(Violation{Promise: Ended, Client: d.name, Detail: fmt.Sprintf("connection %s, after %s: %v", id, time.Duration(d.lost-d.since).Round(time.Second), err)})
	}
	var refusal *client.Error
	if errors.As(err, &refusal) && refusal.Code == client.CodeReconnect && id != "" && !d.run.injector.Gone(id) {
		d.run.ledger.violate(Violation{
			Promise: Forgotten, Client: d.name,
			Detail: fmt.Sprintf("the server has forgotten connection %s, which lives and was never answered 410", id),
		})
	}
}

// take notes a message.
func (d *device) take(m client.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.visit(m.ChatRoomID)
	id, number, problem := d.run.ledger.recognize(m.ChatRoomID, m.HistoryMessage)
	switch late := id.Compare(v.newest) < 0; {
	case problem != "":
		d.run.ledger.violate(Violation{Promise: Altered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID}, Detail: problem})
		return
	case late != m.Late && len(v.log) > 0 && !d.browser: // which places messages by their ids
		d.run.ledger.violate(Violation{
			Promise: Unordered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID, v.newest.String()},
			Detail: fmt.Sprintf("a message comes after the newest one, and says of itself that it is late: %t", m.Late),
		})
	case late:
		d.run.tally.add(&d.run.tally.Late)
	default:
		v.newest = id
	}
	v.log = append(v.log, seen{id: id, number: number, at: d.run.now(), since: d.since, kept: d.kept()})
	v.screen[m.MessageID] = m.HistoryMessage
	d.run.tally.add(&d.run.tally.Deliveries)
}

// kept is when a fault last kept something from the connection; never if functions were
// answered that it is gone, and leave it alone until its client pings. d.mu is held.
func (d *device) kept() int64 {
	if !d.run.lasting {
		return 0
	}
	if d.run.injector.Gone(d.connectionID) {
		return never
	}
	if last := d.run.injector.Disturbed(d.connectionID); !last.IsZero() {
		return d.run.at(last)
	}
	return 0
}

// hold notes messages that a browser shows.
func (d *device) hold(messages []client.HistoryMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range messages {
		id, number, problem := d.run.ledger.recognize(m.ChatRoomID, m)
		if problem != "" {
			d.run.ledger.violate(Violation{Promise: Altered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID}, Detail: problem})
			continue
		}
		v := d.visit(m.ChatRoomID)
		v.held = append(v.held, seen{id: id, number: number, at: d.run.now()})
	}
}

// deleted notes that a device got a deletion: a message that was deleted
// before it was delivered comes as its deletion alone.
func (d *device) deleted(room, messageID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noteDeleted(room, messageID)
}

// noteDeleted is deleted with d.mu held.
func (d *device) noteDeleted(room, messageID string) {
	v := d.visit(room)
	if v.deleted == nil {
		v.deleted = map[ulid.ULID]bool{}
	}
	if id, err := ulid.ParseStrict(messageID); err == nil {
		v.deleted[id] = true
	}
}

// leftOut notes that a device was told by a gap that messages of a room were left out.
func (d *device) leftOut(room string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.visit(room).leftOut = d.run.now()
}

// revise takes a change of a message. What it doesn't show it has no use for.
func (d *device) revise(m client.HistoryMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.visit(m.ChatRoomID)
	_, _, problem := d.run.ledger.recognize(m.ChatRoomID, m)
	held, shown := v.screen[m.MessageID]
	switch {
	case problem != "":
		d.run.ledger.violate(Violation{Promise: Altered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID}, Detail: problem})
	case !shown && m.DeletedAt != 0:
		d.noteDeleted(m.ChatRoomID, m.MessageID)
	case !shown:
	case held.DeletedAt != 0 || m.DeletedAt == 0 && m.EditedAt <= held.EditedAt:
		d.run.ledger.violate(Violation{
			Promise: WentBack, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID},
			Detail: fmt.Sprintf("changed at %d, deleted at %d; a change of %d, deleted at %d came before", m.EditedAt, m.DeletedAt, held.EditedAt, held.DeletedAt),
		})
	default:
		v.screen[m.MessageID] = m
	}
	d.run.tally.add(&d.run.tally.Changes)
}

// moved takes a read cursor.
func (d *device) moved(room, user, upTo string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.visit(room)
	v.read[user] = max(v.read[user], upTo)
}

// forgetCursor drops the read cursor of a user who left a room, which takes it with
// them; forgetCursors drops all, before they are asked for.
func (d *device) forgetCursor(room, user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.visit(room).read, user)
}

func (d *device) forgetCursors() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.lives[len(d.lives)-1].visits {
		clear(v.read)
	}
}

// visit is the visit of a room that goes on. d.mu is held.
func (d *device) visit(room string) *visit {
	visits := d.lives[len(d.lives)-1].visits
	v := visits[room]
	if v == nil {
		v = &visit{
			room: room, whole: d.run.loadedAt.Load() == 0,
			screen: map[string]client.HistoryMessage{}, read: map[string]string{},
		}
		visits[room] = v
	}
	return v
}

// leave ends the visit of a room.
func (d *device) leave(room string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := &d.lives[len(d.lives)-1]
	if v := now.visits[room]; v != nil {
		now.past = append(now.past, v)
		delete(now.visits, room)
	}
}

// has says which of the messages the running application was handed, in any
// visit of the room, or got the deletion of; and when it was last told that others
// were left out, which only an application that shows the room asks for. 0 is never.
func (d *device) has(room *room) (ids map[ulid.ULID]bool, leftOut int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.lives[len(d.lives)-1]
	ids = map[ulid.ULID]bool{}
	for _, v := range append(slices.Clone(now.past), now.visits[room.id]) {
		if v == nil || v.room != room.id {
			continue
		}
		maps.Copy(ids, v.deleted)
		if !d.shows(room) {
			leftOut = max(leftOut, v.leftOut)
		}
		for _, s := range slices.Concat(v.log, v.held) {
			ids[s.id] = true
		}
	}
	return ids, leftOut
}

// lacks says which messages of a history the current visit of the room lacks:
// of those since it began.
func (d *device) lacks(room string, history []stored) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.lives[len(d.lives)-1].visits[room]
	ids := map[ulid.ULID]bool{}
	first := ulid.ULID{}
	if v != nil {
		for _, s := range v.log {
			ids[s.id] = true
			if !v.whole && (first.IsZero() || s.id.Compare(first) < 0) {
				first = s.id
			}
		}
	}
	var missing []string
	for _, m := range history {
		if m.id.Compare(first) >= 0 && !ids[m.id] {
			missing = append(missing, m.id.String())
		}
	}
	return missing
}

// visits are all visits of all lives.
func (d *device) visits() []*visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*visit
	for _, l := range d.lives {
		all = append(all, l.past...)
		for _, v := range l.visits {
			all = append(all, v)
		}
	}
	return all
}
