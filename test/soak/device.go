package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/test/rig"
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

	mu           sync.Mutex
	client       *client.Client
	end          context.CancelFunc
	ended        chan struct{}
	connectionID string // "" while there is none
	since        int64  // when it was connected
	lost         int64  // when it was disconnected
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
}

// seen is a message that was handed to the application.
type seen struct {
	id     ulid.ULID
	number int
	at     int64
}

func (r *run) newDevice(user string, index int) *device {
	d := &device{run: r, user: user, name: fmt.Sprintf("%s/%d", user, index), network: newNetwork(), tokens: tokenLife}
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

// watched notes when the client asks for something.
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
	c, err := client.New(client.Options{
		WebSocketURL: d.run.host.WebSocketURL(), APIURL: d.run.host.APIURL(), Backlog: backlog, HTTPClient: d.http,
		Token: func(ctx context.Context) (string, error) {
			return rig.SignIn(ctx, d.http, d.run.host.URL(), d.user, d.tokens)
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.mu.Lock()
	defer d.mu.Unlock()
	ended := make(chan struct{})
	d.client, d.end, d.ended = c, cancel, ended
	d.connectionID, d.lost = "", d.run.now()
	d.lives = append(d.lives, life{visits: map[string]*visit{}})
	go func() {
		defer close(ended)
		_ = c.Run(ctx, func(_ context.Context, e client.Event) { d.handle(e) }) // its error is ctx's
	}()
	return nil
}

// close ends the application.
func (d *device) close() {
	d.mu.Lock()
	end, ended := d.end, d.ended
	d.mu.Unlock()
	if end == nil {
		return
	}
	d.network.heal() // a goodbye to a silent connection would wait for an answer
	end()
	<-ended
	d.network.transport.CloseIdleConnections()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.connectionID = ""
}

// reopen ends the application and starts it again. It then knows nothing but the
// rooms that its user is in.
func (d *device) reopen(ctx context.Context) error {
	d.close()
	if err := d.open(ctx); err != nil {
		return err
	}
	return d.followRooms()
}

// followRooms follows what an application would find in the list of rooms.
func (d *device) followRooms() error {
	for _, room := range d.run.rooms {
		if room.isMember(d.user) {
			if err := d.current().Follow(room.id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *device) current() *client.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.client
}

// connection is the open connection, and since when; "" for none.
func (d *device) connection() (id string, since int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.connectionID, d.since
}

// handle takes what the client tells its application.
func (d *device) handle(e client.Event) {
	switch e := e.(type) {
	case client.Message:
		d.take(e)
	case client.MemberLeft:
		if e.UserID == d.user {
			d.leave(e.ChatRoomID)
		}
	case client.Connected:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.connectionID, d.since = e.ConnectionID, d.run.now()
		d.run.tally.connected(time.Duration(d.since - d.lost))
	case client.Disconnected:
		d.disconnected(e.Err)
	case client.CatchUpFailed:
		d.run.tally.add(&d.run.tally.CatchUpsFailed)
	}
}

func (d *device) disconnected(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.connectionID
	d.connectionID, d.lost = "", d.run.now()
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
	case late != m.Late && len(v.log) > 0:
		d.run.ledger.violate(Violation{
			Promise: Unordered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID, v.newest.String()},
			Detail: fmt.Sprintf("a message comes after the newest one, and says of itself that it is late: %t", m.Late),
		})
	case late:
		d.run.tally.add(&d.run.tally.Late)
	default:
		v.newest = id
	}
	v.log = append(v.log, seen{id: id, number: number, at: d.run.now()})
	d.run.tally.add(&d.run.tally.Deliveries)
}

// visit is the visit of a room that goes on. d.mu is held.
func (d *device) visit(room string) *visit {
	visits := d.lives[len(d.lives)-1].visits
	v := visits[room]
	if v == nil {
		v = &visit{room: room, whole: d.run.loadedAt.Load() == 0}
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
// visit of the room.
func (d *device) has(room string) map[ulid.ULID]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.lives[len(d.lives)-1]
	ids := map[ulid.ULID]bool{}
	for _, v := range append(slices.Clone(now.past), now.visits[room]) {
		if v == nil || v.room != room {
			continue
		}
		for _, s := range v.log {
			ids[s.id] = true
		}
	}
	return ids
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

// talk sends messages until ctx ends, and waits for the last one's outcome.
func (d *device) talk(ctx context.Context) {
	random := d.run.random("talk " + d.name)
	d.run.every(ctx, 60*d.run.config.Sends/float64(len(d.run.devices)), random, func() {
		if room := d.run.busyRoom(random, d.user); room != nil {
			d.say(ctx, room)
		}
	})
}

// say sends one message and notes what becomes of it.
func (d *device) say(ctx context.Context, room *room) (acked bool) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	number, content := d.run.ledger.sending(room.id, d.user, d.name, d.run.now())
	ack, err := d.current().Send(ctx, room.id, content)
	d.run.ledger.sent(number, d.run.now(), ack, err)
	return err == nil
}

// timeout is the context of a call, which goes on when the load ends.
func (r *run) timeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return clockwork.WithTimeout(context.WithoutCancel(ctx), r.config.Clock, callTimeout)
}

// content is what message number n says: its number, and something that is
// easily altered on its way.
func content(seed uint64, n int) string {
	const letters = "aä日😀 <&>\"\\\n\t\u2028'{}"
	random := newRandom(seed, uint64(n)) //nolint:gosec // a number that counts up
	runes := []rune(letters)
	text := []rune(strconv.Itoa(n) + " ")
	for range int(math.Abs(random.NormFloat64()) * 40) {
		text = append(text, runes[random.IntN(len(runes))])
	}
	return string(text)
}
