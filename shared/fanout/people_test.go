package fanout_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

// comes is the record of a user who has come or gone.
func comes(user string) json.RawMessage { return changestest.Insert(table.Seen(user), nil) }

func TestPresence_ReachesTheMembersOfSmallRoomsOnce(t *testing.T) {
	m := &memory{members: []string{"alice", "bob", "carol"}, rooms: []string{room, "s"}, seen: chat.Seen{At: 7, LastSeenAt: 6}}
	sent := broadcast(t, m, comes("alice"), changestest.Numbered(comes("alice"), 2), changestest.Join(room, "carol"))
	want := wire.ServerFrame{Type: wire.TypePresence, UserID: "alice", At: 7, LastSeenAt: 6}
	for user, frames := range map[string]int{"alice": 0, "bob": 1, "carol": 1} {
		var got []wire.ServerFrame
		for _, frame := range sent[user] {
			if frame.Type == wire.TypePresence {
				got = append(got, frame)
			}
		}
		if diff := cmp.Diff(slices.Repeat([]wire.ServerFrame{want}, frames), got); diff != "" && len(got)+frames > 0 {
			t.Errorf("%s got (-want +got):\n%s", user, diff)
		}
	}
}

func TestPresence_IsBounded(t *testing.T) {
	for _, test := range []struct {
		name   string
		memory *memory
		record json.RawMessage
		want   int
	}{
		{"a room as large as may be", crowd(chat.PresenceRoom, 0), comes("user-000000"), chat.PresenceRoom - 1},
		{"a larger one", crowd(chat.PresenceRoom+1, 0), comes("user-000000"), 0},
		{"a room that was left", crowd(3, 0), comes("alice"), 0},
		{"what is old", crowd(3, 0), changestest.Aged(comes("user-000000"), time.Hour), 0},
	} {
		test.memory.rooms, test.memory.seen = []string{room}, chat.Seen{Online: true, At: 7}
		if sent := broadcast(t, test.memory, test.record); len(sent) != test.want {
			t.Errorf("%s: %d were told, want %d", test.name, len(sent), test.want)
		}
		if asked := test.memory.asked.Load(); asked > chat.PresenceRoom {
			t.Errorf("%s: %d members were asked for", test.name, asked)
		}
	}
}

func TestPresence_OfWhatIsNotKnownIsNotTold(t *testing.T) {
	m := crowd(3, 0)
	m.rooms = []string{room}
	if sent := broadcast(t, m, comes("user-000000")); len(sent) > 0 {
		t.Errorf("%d were notified, though nothing is known", len(sent))
	}
}

// A user who comes or goes makes no record come again, whatever can't be read for it, and
// fails no message.
func TestPresence_IsNeverRetried(t *testing.T) {
	const elsewhere = "s"
	m := &memory{members: []string{"bob", "carol"}, messages: changestest.MessageIDs(1), seen: chat.Seen{At: 7}, rooms: []string{elsewhere}}
	sent := received{}
	failed := handle(t, &failing{memory: m, membersOf: elsewhere}, sent, comes("bob"), changestest.Send(room, m.messages[0]))
	if len(failed) > 0 || !slices.Equal(sent.types("carol"), []string{wire.TypeMessage}) {
		t.Errorf("without the user's rooms: the records %q come again, carol got %q", failed, sent.types("carol"))
	}
	if failed := handle(t, &failing{memory: m, presenceOf: "bob"}, received{}, comes("carol")); len(failed) > 0 {
		t.Errorf("without the connections of those told: the records %q come again", failed)
	}
}

// People are served behind rooms, in rounds of some thousand connections, all of them.
func TestPresence_TakesAsManyRoundsAsItNeeds(t *testing.T) {
	rooms := []string{"a", "b", "c"}
	m := crowd(chat.PresenceRoom, 1)
	m.rooms, m.seen = rooms, chat.Seen{Online: true, At: 7}
	records := []json.RawMessage{changestest.Send(room, m.messages[0])}
	for _, of := range rooms {
		for _, user := range m.members {
			records = append(records, comes(of+"-"+user))
		}
	}
	sent := received{}
	if failed := handle(t, apart{m}, sent, records...); len(failed) > 0 {
		t.Errorf("the records %q failed", failed)
	}
	if told := len(records) - 1; told*(chat.PresenceRoom-1) <= fanout.SliceSize*fanout.SlicesAtOnce {
		t.Fatalf("%d people fit one round", told)
	}
	for _, of := range rooms {
		for _, user := range m.members {
			if got := len(sent[of+"-"+user]); got != chat.PresenceRoom-1 {
				t.Errorf("%s of %s got %d frames, want one of each other", user, of, got)
			}
		}
	}
	if got := sent.types(room + "-" + m.members[0]); !slices.Equal(got, []string{wire.TypeMessage}) {
		t.Errorf("a member of the room got %q", got)
	}
}

func TestPresence_FollowsARoundOfARoom(t *testing.T) {
	large := crowd(fanout.SliceSize*fanout.SlicesAtOnce, 1)
	large.rooms, large.seen = []string{"a"}, chat.Seen{At: 7}
	store := small{apart{large}}
	sent := received{}
	if failed := handle(t, store, sent, comes("a-user-000000"), changestest.Send(room, large.messages[0])); len(failed) > 0 {
		t.Errorf("the records %q failed", failed)
	}
	if got := sent.types("a-user-000001"); !slices.Equal(got, []string{"presence a-user-000000"}) {
		t.Errorf("a member of the user's room got %q", got)
	}
}

// small has all rooms but one cut down to two members.
type small struct{ fanout.Store }

func (s small) MembersIn(ctx context.Context, roomID string, r fanout.MemberRange, limit int) ([]chat.Member, bool, error) {
	members, more, err := s.Store.MembersIn(ctx, roomID, r, limit)
	if roomID != room {
		members, more = members[:2], false
	}
	return members, more, err
}

// However many people come at a time, each of their rooms is read once.
func TestPresence_ReadsARoomOnce(t *testing.T) {
	m := crowd(chat.PresenceRoom, 0)
	m.rooms, m.seen = []string{"a", "b"}, chat.Seen{Online: true, At: 7}
	var records []json.RawMessage
	for i, user := range m.members {
		records = append(records, changestest.Numbered(comes(user), i))
	}
	store := &countingRooms{memory: m}
	sent := received{}
	if failed := handle(t, store, sent, records...); len(failed) > 0 || len(sent) != len(m.members) {
		t.Errorf("%d were told, want %d; the records %q failed", len(sent), len(m.members), failed)
	}
	if got := store.reads.Load(); got != 2 {
		t.Errorf("the members of two rooms were read %d times", got)
	}
}

// countingRooms counts the reads of members.
type countingRooms struct {
	*memory
	reads atomic.Int64
}

func (c *countingRooms) MembersIn(ctx context.Context, roomID string, r fanout.MemberRange, limit int) ([]chat.Member, bool, error) {
	c.reads.Add(1)
	return c.memory.MembersIn(ctx, roomID, r, limit)
}

// What is told is read of those only whom someone is told about.
func TestPresence_ReadsNothingOfAUserWithNoOneToTell(t *testing.T) {
	for _, test := range []struct {
		name  string
		rooms []string
		want  int64
	}{
		{"no rooms", nil, 0},
		{"a room", []string{room}, 1},
	} {
		m := crowd(3, 0)
		m.rooms, m.seen = test.rooms, chat.Seen{Online: true, At: 7}
		store := &countingSeen{memory: m}
		if failed := handle(t, store, received{}, comes("user-000000")); len(failed) > 0 || store.reads.Load() != test.want {
			t.Errorf("%s: what is told was read %d times, want %d; the records %q failed", test.name, store.reads.Load(), test.want, failed)
		}
	}
}

// countingSeen counts the reads of what others are told.
type countingSeen struct {
	*memory
	reads atomic.Int64
}

func (c *countingSeen) Seen(ctx context.Context, users []string) (map[string]chat.Seen, error) {
	c.reads.Add(int64(len(users)))
	return c.memory.Seen(ctx, users)
}
