package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
	clockOffset time.Duration // how far its clock is ahead
	relay       string        // the address of a browser's network; "" before it is first opened

	absent   atomic.Bool       // it reaches nothing, or is closed, for long: it is judged when it is back
	closed   atomic.Bool       // its application was ended, for long
	tab      *tab              // it may lie in the background; nil: it never does
	posted   atomic.Int64      // the bill's: when it was last posted something
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
	heard        int64          // when a frame last came
	lost         int64          // when it was disconnected
	lives        []life
	people       map[string]sighting // whom it shows as online
	calls        []call
}

// call is a request of the device's client, from its beginning to the answer.
type call struct{ from, to int64 }

// life is what a device saw from its application's start to its end.
type life struct {
	visits map[string]*visit // by room id, those that go on
	past   []*visit
}

func (r *run) newDevice(user string, index int) *device {
	d := &device{run: r, user: user, name: fmt.Sprintf("%s/%d", user, index), network: newNetwork(r.dialer), tokens: tokenLife, marked: map[string]string{}, people: map[string]sighting{}}
	d.clockOffset = clockOffsets[len(r.devices)%len(clockOffsets)]
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
	if d.tab != nil {
		d.tab.show(d.run.now())
	}
	d.network.heal() // a goodbye to a silent connection would wait for an answer
	if d.browser {
		d.closeBrowser(ctx)
	} else {
		d.closeClient()
	}
	d.mu.Lock()
	d.countQuiet()
	went := d.connectionID != ""
	d.connectionID = ""
	d.mu.Unlock()
	if went {
		d.run.chargePresence(d)
	}
}

// noteQuiet counts the pings of the device's connection up to now; hears notes a frame, too.
func (d *device) noteQuiet() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countQuiet()
}

func (d *device) hears() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countQuiet()
	d.heard = d.run.now()
}

// countQuiet is noteQuiet with d.mu held.
func (d *device) countQuiet() {
	if now := d.run.now(); d.tab.isFrozen() {
		d.heard = now
	} else if d.connectionID != "" {
		d.heard = now - int64(d.run.bill.wasQuiet(d.user, time.Duration(now-d.heard)))
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
// or again. It reports whether the device had none before.
func (d *device) connected(id string) (came bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.connectionID == id {
		return false
	}
	came = d.connectionID == ""
	d.countQuiet()
	d.connectionID, d.since = id, d.run.now()
	d.run.owners.Store(id, d.user)
	d.heard = d.since
	if d.browser { // of which no one sees the handshakes
		d.connects.Add(1)
	}
	d.run.tally.connected(time.Duration(d.since - d.lost))
	return came
}

// goingAway is what a client says of a connection that the gateway ended, for its age, its
// idleness or the gateway's own end.
const goingAway = "(1001 "

// disconnected notes the end of a connection, and reports whether the device had one.
func (d *device) disconnected(err error) (went bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.connectionID
	if id != "" {
		d.countQuiet()
		d.connectionID, d.lost = "", d.run.now()
	}
	if err != nil && strings.Contains(err.Error(), goingAway) && d.run.lasting && !d.run.restartedSince(d.run.now()) && !d.tab.wasFrozen(d.since) {
		d.run.ledger.violate(Violation{Promise: Ended, Client: d.name, Detail: fmt.Sprintf("connection %s, after %s: %v", id, time.Duration(d.lost-d.since).Round(time.Second), err)})
	}
	var refusal *client.Error
	expired := d.tab.wasFrozen(d.since) // its token may have ended in the meantime
	if errors.As(err, &refusal) && refusal.Code == client.CodeReconnect && id != "" && !d.run.injector.Gone(id) && !d.run.bannedSince(d.user, d.since) && !expired {
		d.run.ledger.violate(Violation{
			Promise: Forgotten, Client: d.name,
			Detail: fmt.Sprintf("the server has forgotten connection %s, which lives and was never answered 410", id),
		})
	}
	return id != ""
}
