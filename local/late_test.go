package local_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
)

// delayed holds back the write of a message's content, whose id is minted by then.
// arrived is closed when the write has come, and release lets it through.
func (b *broken) delayed(content string) (arrived <-chan struct{}, release func()) {
	came, let := make(chan struct{}), make(chan struct{})
	b.set(func() {
		b.request = func(function, body string, next http.RoundTripper) http.RoundTripper {
			if function != topology.SendMessage || !strings.Contains(body, `"`+content+`"`) {
				return next
			}
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				close(came)
				<-let
				return next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
			})
		}
	})
	return came, func() { close(let) }
}

// A message that is stored behind the cursors of those who have read on is unread,
// and not read by them, until they read again.
func TestWhatIsStoredBehindACursorIsUnread(t *testing.T) {
	t.Parallel()
	b := &broken{}
	s := start(t, local.Config{Wrap: b.Wrap})
	room := s.Room("alice", "bob", "carol")
	slow, alice, bob := s.Connect("alice"), s.Connect("alice"), s.Connect("bob")

	arrived, release := b.delayed("late")
	slow.Send(room, "late", "c-1")
	<-arrived
	b.set(func() { b.skew = map[string]time.Duration{topology.SendMessage: 10 * time.Millisecond} }) // not in one ms
	ack, _ := alice.Deliver(room, "on time", "")
	bob.ExpectIn(room, wire.TypeMessage)
	for _, user := range []string{"bob", "carol"} {
		readUpTo(s, user, room, ack.MessageID)
		alice.ExpectIn(room, wire.TypeRead)
	}
	release()
	late := slow.Expect(wire.TypeAck)
	if got := bob.ExpectIn(room, wire.TypeMessage); got.MessageID != late.MessageID || late.MessageID >= ack.MessageID {
		t.Fatalf("bob got %s, want %s, before %s", got.MessageID, late.MessageID, ack.MessageID)
	}
	check := func(what string, want map[string]int) {
		t.Helper()
		history := s.History("alice", room)
		m := history[slices.IndexFunc(history, func(m wire.HistoryMessage) bool { return m.MessageID == late.MessageID })]
		for user, n := range want {
			if got := summary(s, user, room).Unread; got != n {
				t.Errorf("%s: %s has %d unread, want %d", what, user, got, n)
			}
			if read := slices.Contains(m.ReadBy, user); read != (n == 0) {
				t.Errorf("%s: read by %q; want %s among them: %t", what, m.ReadBy, user, n == 0)
			}
		}
	}
	check("stored", map[string]int{"bob": 1, "carol": 1})

	readUpTo(s, "bob", room, ack.MessageID)
	if got := alice.ExpectIn(room, wire.TypeRead); got.UserID != "bob" || got.UpTo != ack.MessageID {
		t.Errorf("alice is told that %s has read up to %s; want bob, the same again", got.UserID, got.UpTo)
	}
	check("bob has read again", map[string]int{"bob": 0, "carol": 1})
	readUpTo(s, "bob", room, ack.MessageID)
	alice.ExpectNone(wire.TypeRead) // nothing was stored in between
}

// A program with the Go client is told which message is late, and reads it by marking
// the newest one again.
func TestTheGoClientReadsALateMessage(t *testing.T) {
	t.Parallel()
	b := &broken{}
	s := start(t, local.Config{Wrap: b.Wrap})
	room := s.Room("alice", "bob")
	bob := follow(s, "bob", room)
	slow, alice := s.Connect("alice"), s.Connect("alice")

	arrived, release := b.delayed("late")
	slow.Send(room, "late", "c-1")
	<-arrived
	b.set(func() { b.skew = map[string]time.Duration{topology.SendMessage: 10 * time.Millisecond} }) // not in one ms
	ack, _ := alice.Deliver(room, "on time", "")
	bob.has(room, "on time")
	unread := func() int {
		list, err := bob.ListRooms(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list.Rooms, func(r client.RoomSummary) bool { return r.ChatRoomID == room })
		return list.Rooms[i].Unread
	}
	for _, step := range []func(){func() {}, func() {
		release()
		rig.Eventually(t, "the late message", func() bool {
			return bob.that(func(m client.Message) bool { return m.Content == "late" && m.Late })
		})
		if got := unread(); got != 1 {
			t.Errorf("%d unread, want the late one", got)
		}
	}} {
		step()
		if err := bob.MarkRead(t.Context(), room, ack.MessageID); err != nil {
			t.Fatal(err)
		}
		if got := unread(); got != 0 {
			t.Errorf("%d unread after reading, want none", got)
		}
	}
}

// that reports whether a message came of which this is true.
func (f *follower) that(is func(client.Message) bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.events, func(e client.Event) bool {
		m, ok := e.(client.Message)
		return ok && is(m)
	})
}
