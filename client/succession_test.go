package client_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

// untilSucceeded passes time until a client has tried to open a second connection.
func (r *rig) untilSucceeded() {
	for range 4 * 120 {
		if r.opened() > 1 {
			return
		}
		r.pass(15 * time.Second)
	}
	r.t.Fatal("no second handshake within 2 hours")
}

func (r *rig) opened() int {
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	return r.handshakes
}

// open returns the connections that are open.
func (r *rig) open() []*fakeConn {
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	return slices.Clone(r.conns)
}

// Nothing is missed between a connection and its successor, so nothing is asked for.
func TestSuccession(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.client.SetRandom(1) // so that no sync of active rooms, some 37 min apart, is due then
		r.follow("general")
		r.run()
		r.say("general", "one")
		r.untilSucceeded()
		synced := len(r.syncs)
		both := r.open()
		if len(both) != 2 {
			t.Fatalf("%d connections are open, want both", len(both))
		}
		both[1].write(r.store("general", "bob", "two"))
		both[0].write(r.store("general", "bob", "three")) // what was on its way
		r.say("general", "four")                          // on both
		if _, err := r.client.Send(t.Context(), "general", "five"); err != nil {
			t.Fatal(err)
		}
		r.pass(10 * time.Second)
		if len(r.open()) != 2 {
			t.Error("the first one was closed while a broadcast may be on its way")
		}
		r.pass(25 * time.Second)
		if open := r.open(); len(open) != 1 || open[0].id != "conn-2" {
			t.Errorf("%d connections are open, want the second", len(open))
		}
		r.wantContents("general", "one two three four five ")
		connected, disconnected := r.states()
		if len(connected) != 1 || len(disconnected) != 0 {
			t.Errorf("the events are %+v and %+v, want one connection", connected, disconnected)
		}
		if now := len(r.syncs); now != synced {
			t.Errorf("%d syncs, want none", now-synced)
		}
		if want := []string{"", "conn-1"}; !slices.Equal(r.replaces, want) {
			t.Errorf("the handshakes replace %q, want %q", r.replaces, want)
		}
	})
}

// A connection of which frames come all the time tells its name all the same, by which it
// is replaced.
func TestSuccessionOfTheBusy(t *testing.T) {
	bubble(t, func(r *rig) {
		r.follow("general")
		r.run()
		for range 4 * 60 * 5 {
			r.pass(15 * time.Second)
			open := r.open()
			open[len(open)-1].write(r.store("general", "bob", "again"))
		}
		if want := []string{"", "conn-1", "conn-2"}; len(r.replaces) < len(want) || !slices.Equal(r.replaces[:len(want)], want) {
			r.t.Errorf("the handshakes replace %q, want %q", r.replaces, want)
		}
	})
}

// A connection works on while it can't be succeeded.
func TestSuccessionFails(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.onHandshake = func(n int, w http.ResponseWriter) bool {
			if n == 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n == 2
		}
		r.follow("general")
		r.run()
		r.untilSucceeded()
		if _, err := r.client.Send(t.Context(), "general", "one"); err != nil {
			t.Fatal(err)
		}
		r.pass(2 * time.Minute)
		if _, disconnected := r.states(); len(disconnected) != 0 {
			t.Errorf("disconnected: %+v", disconnected)
		}
		if open := r.open(); r.opened() != 3 || len(open) != 1 || open[0].id != "conn-3" {
			t.Errorf("%d handshakes, %d connections open, want the third", r.opened(), len(open))
		}
	})
}

// A successor that is of no use is found as any connection is.
func TestSuccessorEnds(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.follow("general")
		r.run()
		r.untilSucceeded()
		r.onHandshake = func(int, http.ResponseWriter) bool {
			r.store("general", "bob", "missed")
			return false
		}
		r.open()[1].write(wire.Error{Type: wire.TypeError, Code: client.CodeReconnect})
		r.pass(time.Minute)
		if _, disconnected := r.states(); len(disconnected) != 1 {
			t.Errorf("disconnected: %+v, want once", disconnected)
		}
		r.wantContents("general", "missed ")
	})
}

// A connection that is dead is not succeeded: what it didn't bring is asked for.
func TestNoSuccessionOfTheDead(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.client.SetRandom(0.9) // the connection lasts 112 min: its successor is not due yet
		r.follow("general")
		r.run()
		r.pass(85 * time.Minute)
		r.onFrame = func(c *fakeConn, _ wire.ClientFrame) bool { return c.id == "conn-1" }
		r.store("general", "bob", "lost")
		r.untilSucceeded()
		r.pass(time.Minute)
		_, disconnected := r.states()
		if len(disconnected) != 1 || !slices.Equal(r.replaces, []string{"", ""}) {
			t.Errorf("disconnected: %+v; the handshakes replace %q", disconnected, r.replaces)
		}
		r.wantContents("general", "lost ")
	})
}

// A connection that dies while its successor is opened may have missed something, which is
// asked for.
func TestSuccessionOfTheDying(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.follow("general")
		r.run()
		r.say("general", "one")
		r.onHandshake = func(int, http.ResponseWriter) bool {
			r.onFrame = func(c *fakeConn, _ wire.ClientFrame) bool { return c.id == "conn-1" }
			r.store("general", "bob", "two")
			return false
		}
		r.untilSucceeded()
		r.pass(20 * time.Second)
		r.wantContents("general", "one two ")
		if _, disconnected := r.states(); len(disconnected) != 0 || r.opened() != 2 {
			t.Errorf("disconnected: %+v, %d handshakes", disconnected, r.opened())
		}
	})
}

// A send that is under way when its connection is succeeded gets its ack there.
func TestSendAcrossSuccession(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.follow("general")
		done := make(chan error, 1)
		var late *fakeConn
		var sent wire.ClientFrame
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage || c.id != "conn-1" {
				return false
			}
			late, sent = c, f
			return true
		}
		r.onHandshake = func(n int, _ http.ResponseWriter) bool {
			if n == 2 {
				go func() {
					_, err := r.client.Send(t.Context(), "general", "one")
					done <- err
				}()
				<-time.After(time.Second)
			}
			return false
		}
		r.run()
		r.untilSucceeded()
		r.pass(2 * time.Second)
		if late == nil {
			t.Fatal("the send did not go out on the first connection")
		}
		ack, frame := r.accept(sent)
		late.write(ack)
		r.broadcastBut(sent.Echo, late, frame)
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.pass(time.Minute)
		r.wantContents("general", "one ")
	})
}

// What is lost on connections that work, and that nothing else tells of, is found in a day
// or so: an edit, and a message of a room after which a newer one came in another.
func TestAllIsAskedForOnceADay(t *testing.T) {
	bubble(t, func(r *rig) {
		r.follow("general")
		r.follow("other")
		r.run()
		r.say("general", "0")
		r.pass(2 * time.Hour)
		r.change("general", 0, time.Now().UnixMilli(), "edited")
		r.store("general", "bob", "lost")
		r.say("other", "newer")
		r.pass(10 * time.Hour)
		if got := r.contents("general"); got != "0 " {
			t.Fatalf("something else tells: %q", got)
		}
		r.pass(25 * time.Hour)
		r.wantContents("general", "0 lost ")
		if told := r.story(); !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, `edited "edited"`) }) {
			t.Errorf("no one tells of the edit: %q", told)
		}
		if _, disconnected := r.states(); len(disconnected) != 0 {
			t.Errorf("the connection was lost: %+v", disconnected)
		}
	})
}
