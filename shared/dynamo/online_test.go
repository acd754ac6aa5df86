package dynamo_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/fanout"
)

// index is a table with a clock, and rooms whose connections are kept.
type index struct {
	*testing.T
	*dynamo.Store
	ms atomic.Int64
}

func newIndex(t *testing.T, rooms int, users ...string) *index {
	t.Helper()
	x := &index{T: t}
	x.ms.Store(1_709_136_000_000)
	x.Store = dynamo.New(openTable(t), "table", x.now)
	for i := range rooms {
		var members []chat.Member
		for _, user := range users {
			members = append(members, chat.Member{UserID: user, Role: chat.PlainMember, JoinedAt: x.ms.Load()})
		}
		_, err := x.CreateRoom(t.Context(), chat.Room{ID: fmt.Sprint("r", i), Type: chat.Group}, members)
		x.must(err)
	}
	return x
}

func (x *index) now() time.Time { return time.UnixMilli(x.ms.Load()) }

func (x *index) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *index) connect(user, id string) chat.Connection {
	x.Helper()
	c := chat.Connection{ID: id, UserID: user, ConnectedAt: x.ms.Add(1), TokenExpiresAt: x.ms.Load() + (24 * time.Hour).Milliseconds()}
	_, _, err := x.PutConnection(x.Context(), c, chat.RateTake{})
	x.must(err)
	return c
}

// online lists the connections that a room keeps, in a range of users.
func (x *index) online(room string, r fanout.MemberRange) []string {
	x.Helper()
	found, err := x.Online(x.Context(), room, r, chat.MaxConnections)
	x.must(err)
	ids := []string{}
	for _, user := range slices.Sorted(maps.Keys(found)) {
		for _, c := range found[user] {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// until is how long from now a room has a member's connections.
func (x *index) until(room, user string) time.Duration {
	x.Helper()
	m, _, err := x.Member(x.Context(), room, user)
	x.must(err)
	switch {
	case m.IndexedUntil < 0:
		return -1
	case m.IndexedUntil == 0:
		return 0
	}
	return time.Unix(m.IndexedUntil, 0).Sub(x.now()).Round(time.Minute)
}

func (x *index) equal(what string, got []string, want ...string) {
	x.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var everyone = fanout.MemberRange{}

func TestIndexMember_TheRoomKeepsConnectionsForALease(t *testing.T) {
	x := newIndex(t, 1, "alice", "bob")
	x.connect("alice", "a1")
	x.connect("bob", "b1")
	x.equal("before", x.online("r0", everyone))
	x.must(x.IndexMember(t.Context(), "r0", "alice", fanout.IndexLease))
	x.equal("those there were", x.online("r0", everyone), "a1")
	x.connect("alice", "a2")
	x.equal("and a new one, newest first", x.online("r0", everyone), "a2", "a1")
	if got := x.until("r0", "alice"); got != fanout.IndexLease {
		t.Errorf("alice is in the index for %v, want %v", got, fanout.IndexLease)
	}
	x.must(x.DeleteConnection(t.Context(), "a1", false))
	x.equal("after an end", x.online("r0", everyone), "a2")
	x.ms.Add(chat.ConnectionLife.Milliseconds() + 2_000)
	x.equal("expired", x.online("r0", everyone))
	// Within the lease and its margin rows are written, and not later.
	for _, step := range []struct {
		after time.Duration
		want  []string
	}{{fanout.IndexLease - chat.ConnectionLife, []string{"a3"}}, {2 * time.Hour, []string{}}} {
		x.ms.Add(step.after.Milliseconds())
		x.connect("alice", "a3")
		x.equal("at the lease's end", x.online("r0", everyone), step.want...)
		x.must(x.DeleteConnection(t.Context(), "a3", false))
	}
}

// The lease of a room that is not large ends before that of a large one, and doesn't cut
// that short: its mark may be set later.
func TestIndexMember_AShorterLeaseKeepsTheNoteOfALongerOne(t *testing.T) {
	x := newIndex(t, 1, "alice")
	x.connect("alice", "a1")
	x.must(x.IndexMember(t.Context(), "r0", "alice", fanout.IndexLease))
	x.must(x.IndexMember(t.Context(), "r0", "alice", chat.BusyLease))
	if got := x.until("r0", "alice"); got != chat.BusyLease {
		t.Errorf("alice is in the index for %v, want %v", got, chat.BusyLease)
	}
	x.ms.Add((fanout.IndexLease - time.Minute).Milliseconds())
	x.connect("alice", "a2")
	x.equal("near the longer lease's end", x.online("r0", everyone), "a2")
}

func TestIndexMember_NotOfThoseInManyRoomsNorOfThoseWhoNeverSignedIn(t *testing.T) {
	const rooms = chat.MaxIndexedRooms + 1
	x := newIndex(t, rooms, "alice", "bob")
	c := x.connect("alice", "a1")
	for i := range rooms {
		for range 2 {
			x.must(x.IndexMember(t.Context(), fmt.Sprint("r", i), "alice", fanout.IndexLease))
		}
		x.must(x.IndexMember(t.Context(), fmt.Sprint("r", i), "bob", fanout.IndexLease))
	}
	if first, last, bob := x.until("r0", "alice"), x.until("r10", "alice"), x.until("r0", "bob"); first <= 0 || last != -1 || bob != -1 {
		t.Errorf("alice is in the first room's index for %v, in the last one's for %v, bob for %v; want a lease, and twice not to try", first, last, bob)
	}
	if signed, err := x.SignedIn(t.Context(), []string{"bob"}); err != nil || len(signed) > 0 {
		t.Errorf("%v have signed in, error %v; want no one", signed, err)
	}
	x.equal("the last room", x.online("r10", everyone))
	if m, _, err := x.Member(t.Context(), "r10", "alice"); err != nil || -m.IndexedUntil > x.now().Add(chat.BusyLease).Unix() {
		t.Errorf("the last room does not try before %d, error %v; want %v at most, when the shortest leases end", -m.IndexedUntil, err, chat.BusyLease)
	}
	x.connect("alice", "a2")
	x.equal("the tenth", x.online("r9", everyone), "a2", "a1")
	x.must(x.DropConnection(t.Context(), c))
	for i := range rooms - 1 {
		x.equal("after a drop", x.online(fmt.Sprint("r", i), everyone), "a2")
	}
}

// A row that was left behind goes when a post finds its connection ended; one that is
// there again stays.
func TestDropConnection_RemovesWhatWasLeftInRooms(t *testing.T) {
	x := newIndex(t, 1, "alice")
	c := x.connect("alice", "a1")
	x.must(x.IndexMember(t.Context(), "r0", "alice", fanout.IndexLease))
	old := c
	old.ConnectedAt--
	x.must(x.DropConnection(t.Context(), old))
	x.equal("another one's", x.online("r0", everyone), "a1")
	x.must(x.DropConnection(t.Context(), c))
	x.equal("its own", x.online("r0", everyone))
}

func TestIndexMember_WhoRejoinsIsNotInTheIndex(t *testing.T) {
	x := newIndex(t, 1, "alice", "bob")
	x.connect("alice", "a1")
	x.must(x.IndexMember(t.Context(), "r0", "alice", fanout.IndexLease))
	room := chat.Room{ID: "r0"}
	alice, _, err := x.Member(t.Context(), "r0", "alice")
	x.must(err)
	if removed, err := x.RemoveMember(t.Context(), "r0", alice, chat.Member{}); err != nil || !removed {
		t.Fatalf("removed %t, error %v", removed, err)
	}
	x.must(x.IndexMember(t.Context(), "r0", "alice", fanout.IndexLease)) // which was late
	if _, there, err := x.Member(t.Context(), "r0", "alice"); there || err != nil {
		t.Fatalf("a member was made: %t, error %v", there, err)
	}
	_, err = x.AddMember(t.Context(), room, chat.Member{UserID: "alice", Role: chat.PlainMember, JoinedAt: x.ms.Load()})
	x.must(err)
	if got := x.until("r0", "alice"); got != 0 {
		t.Errorf("who rejoined is in the index for %v", got)
	}
}

// A connection that begins while a member is put into the index is in it in the end.
func TestIndexMember_RacesWithConnections(t *testing.T) {
	const connections = 16
	for range 20 {
		x := newIndex(t, 1, "alice")
		x.connect("alice", "c-0")
		var group sync.WaitGroup
		for i := 1; i < connections; i++ {
			group.Go(func() {
				c := chat.Connection{ID: fmt.Sprint("c-", i), UserID: "alice", ConnectedAt: x.ms.Load(), TokenExpiresAt: x.ms.Load() + 3_600_000}
				if _, _, err := x.PutConnection(t.Context(), c, chat.RateTake{}); err != nil {
					t.Error(err)
				}
			})
		}
		for range 2 {
			group.Go(func() {
				if err := x.IndexMember(t.Context(), "r0", "alice", fanout.IndexLease); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got := x.online("r0", everyone); len(got) != connections || x.until("r0", "alice") <= 0 {
			t.Fatalf("the index has %d of %d connections", len(got), connections)
		}
	}
}

// User ids may be beginnings of others, and go on with what sorts before the separator.
func TestOnline_RangesAreThoseOfMembers(t *testing.T) {
	users := []string{"al", "al b", "al!", "al!c", "al$", "alb", "b"}
	x := newIndex(t, 1, users...)
	for _, user := range users {
		x.connect(user, "c-"+strings.ReplaceAll(user, " ", "_"))
		x.must(x.IndexMember(t.Context(), "r0", user, fanout.IndexLease))
	}
	slices.Sort(users)
	for i := range users {
		for j := i; j <= len(users); j++ {
			r := fanout.MemberRange{From: users[i]}
			if j < len(users) {
				r.To = users[j]
			}
			want := []string{}
			for _, user := range users[i:j] {
				want = append(want, "c-"+strings.ReplaceAll(user, " ", "_"))
			}
			x.equal(fmt.Sprintf("from %q to %q", r.From, r.To), x.online("r0", r), want...)
		}
	}
}
