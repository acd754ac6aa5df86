package fanout_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
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
