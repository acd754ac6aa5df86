package local_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/faults"
)

// skewed sends messages from functions whose clock is off.
func (b *broken) skewed(by time.Duration, send func()) {
	b.set(func() { b.skew = map[string]time.Duration{topology.SendMessage: by} })
	defer b.set(func() { b.skew = nil })
	send()
}

// Messages whose place is before others that were seen already, by a function's
// clock or by a slow write, come to everyone: live, or by the overlap of a
// sync to clients that missed them and have reconnected.
func TestMessagesStoredBehindOthers(t *testing.T) {
	t.Parallel()
	b := &broken{}
	s := start(t, local.Config{Wrap: b.Wrap, LogLevel: "warn"})
	room := s.Room("alice", "bob", "carol", "dave", "erin")
	everyone := []*follower{follow(s, "alice", room), follow(s, "bob", room), follow(s, "carol", room), follow(s, "dave", room)}
	alice, bob, carol, dave := everyone[0], everyone[1], everyone[2], everyone[3]
	all := func(content string) {
		t.Helper()
		if got := haveHistory(room, everyone...); !slices.Contains(got, content) {
			t.Errorf("%q is not in the history, %q", content, got)
		}
	}
	alice.tell(room, "first")
	all("first")

	// Carol reconnects and syncs.
	cut := func(n int) {
		t.Helper()
		syncs := func() int {
			return len(b.that(func(i invocation) bool {
				return i.function == topology.API && strings.Contains(i.payload, `"carol"`)
			}))
		}
		before := syncs()
		carol.cut(n)
		rig.Eventually(t, "carol syncs", func() bool { return syncs() > before })
	}
	cut(1)

	// She is told nothing that says hidden, and there is no hole to see.
	lost := always(t, faults.Plan{Posts: faults.Posts{Lost: 1}})
	var connection atomic.Value
	connection.Store(carol.online(2))
	begun, write, stored := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	b.set(func() {
		b.post = func(id, frame string, next http.RoundTripper) http.RoundTripper {
			if id == connection.Load() && strings.Contains(frame, "hidden") {
				return lost.Posts("", next)
			}
			return next
		}
		b.request = func(function, body string, next http.RoundTripper) http.RoundTripper {
			if function != topology.SendMessage || !strings.Contains(body, "slow") {
				return next
			}
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				begun <- struct{}{}
				select {
				case <-write:
				case <-r.Context().Done():
				}
				return next.RoundTrip(r)
			})
		}
	})
	b.skewed(-5*time.Second, func() { bob.tell(room, "behind, hidden") })
	for _, f := range []*follower{alice, bob, dave} {
		f.has(room, "behind, hidden", "first")
	}
	b.served(t, topology.Fanout, "behind, hidden")
	cut(2)
	carol.has(room, "behind, hidden", "first")

	b.skewed(3*time.Second, func() { dave.tell(room, "ahead") })
	all("ahead")
	alice.tell(room, "behind")
	all("behind")

	// Its id is from before the next messages, which carol has when it is stored.
	go func() {
		defer close(stored)
		if _, err := bob.Send(t.Context(), room, "slow, hidden"); err != nil {
			t.Errorf("bob sends: %v", err)
		}
	}()
	<-begun
	alice.tell(room, "in between")
	all("in between")
	cut(3)
	connection.Store(carol.online(4))
	close(write)
	<-stored
	b.served(t, topology.Fanout, "slow, hidden")
	cut(4)
	all("slow, hidden")

	late := follow(s, "erin", room)
	haveHistory(room, append(everyone, late)...)
}

// A message of a function whose clock is behind is no room's last one.
func TestTheLastMessageDoesNotGoBack(t *testing.T) {
	t.Parallel()
	clock, b := clockwork.NewFakeClockAt(time.Now()), &broken{}
	s := start(t, local.Config{Clock: clock, Wrap: b.Wrap, LogLevel: "warn"})
	room, other := s.Room("alice", "bob"), s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	projected := func(content string) {
		t.Helper()
		rig.Eventually(t, content+" is projected", func() bool {
			b.pass(clock, 500*time.Millisecond)
			done := b.about(topology.LastMessage, content)
			return len(done) > 0 && done[len(done)-1].err == nil && len(done[len(done)-1].again) == 0
		})
	}
	check := func(when string, want wire.ServerFrame, order ...string) {
		t.Helper()
		var out wire.RoomList
		s.API("bob", http.MethodGet, "/rooms", nil, &out)
		if out.Rooms[0].ChatRoomID != order[0] || out.Rooms[1].ChatRoomID != order[1] {
			t.Errorf("%s the rooms are in the order %s, %s", when, out.Rooms[0].ChatRoomID, out.Rooms[1].ChatRoomID)
		}
		for _, r := range out.Rooms {
			if r.ChatRoomID == room && (r.LastMessage == nil || r.LastMessage.MessageID != want.MessageID || r.LastMessageAt != want.Timestamp) {
				t.Errorf("%s the room's last message is %+v at %d, want %+v", when, r.LastMessage, r.LastMessageAt, want)
			}
		}
	}
	b.leap(t, clock, time.Minute) // away from the rooms' creation
	alice.Deliver(other, "in between", "")
	b.leap(t, clock, 2*time.Second)
	newest, _ := alice.Deliver(room, "newest", "")
	projected("newest")
	check("at first", newest, room, other)

	behindNewest := time.UnixMilli(newest.Timestamp).Add(-time.Second).Sub(clock.Now())
	b.skewed(behindNewest, func() {
		if behind, _ := bob.Deliver(room, "behind", ""); behind.MessageID >= newest.MessageID {
			t.Fatalf("%s is not before %s: the test shows nothing", behind.MessageID, newest.MessageID)
		}
	})
	projected("behind")
	check("after a message behind it", newest, room, other)

	// Both within one window.
	b.leap(t, clock, time.Minute)
	last, _ := alice.Deliver(other, "last", "")
	b.skewed(-2*time.Second, func() { bob.Deliver(other, "before the last", "") })
	projected("before the last")
	projected("last")
	check("in the end", newest, other, room)
	var out wire.RoomList
	s.API("bob", http.MethodGet, "/rooms", nil, &out)
	if m := out.Rooms[0].LastMessage; m == nil || m.MessageID != last.MessageID {
		t.Errorf("the other room's last message is %+v, want %s", m, last.MessageID)
	}
}
