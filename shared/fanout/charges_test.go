package fanout_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/table"
)

// ledger keeps what users are charged, and has spent the limits of some of them.
type ledger struct {
	posts map[string]int
	spent map[string]time.Duration
}

func (l *ledger) Add(_ context.Context, userID string, posts int) (time.Duration, error) {
	if l.posts == nil {
		l.posts = map[string]int{}
	}
	l.posts[userID] += posts
	return l.spent[userID], nil
}

func (l *ledger) Spent(userID string) time.Duration { return l.spent[userID] }

// charged hands records to a Fanout that charges users, and returns what was sent.
func charged(t *testing.T, m *memory, l *ledger, records ...json.RawMessage) received {
	t.Helper()
	sent := received{}
	consumer := fanout.New(m, sent, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop()).Charging(l)
	if _, err := consumer.Handle(t.Context(), changes.Event{Records: records}); err != nil {
		t.Fatal(err)
	}
	return sent
}

// Anyone who causes posts is charged for those that are beyond what their action counts for:
// one for each connection, and one for each eight members who are read.
func TestCharges_AreThoseOfWhoCausesPosts(t *testing.T) {
	ids := changestest.MessageIDs(3)
	message := changestest.Version(room, ids[0], 0, false)
	edited, deleted := changestest.Version(room, ids[0], 5, false), changestest.Version(room, ids[0], 5, true)
	byModerator := deleted
	byModerator.DeletedBy = "mara"
	replayed := changestest.From(changestest.Send(room, ids[0]), changes.ReplaySource, changes.ReplaySource+":run")
	sized := func(members int, states ...chat.Message) *memory {
		m := crowd(members, 3)
		m.rooms, m.seen, m.states = []string{room}, chat.Seen{Online: true, At: 7}, map[string]chat.Message{}
		for _, state := range states {
			m.states[state.ID] = state
		}
		return m
	}
	reacted := message
	reacted.Reactions = chat.Reactions{Version: 1, Counts: map[string]int{"👍": 2}}
	send := changestest.Send(room, ids[0])
	for _, test := range []struct {
		name    string
		memory  *memory
		records []json.RawMessage
		want    map[string]int
	}{
		{"a message to an ordinary room", sized(50), []json.RawMessage{send}, nil},
		{"a message to 1,000", sized(1000), []json.RawMessage{send}, map[string]int{"alice": 1000 + 125 + 1 - 64}},
		{"two that are posted together", sized(1000), []json.RawMessage{send, changestest.Send(room, ids[1])}, map[string]int{"alice": 1000 + 125 + 1 - 2*64}},
		{"an edit", sized(1000, edited), []json.RawMessage{changestest.Change(message, edited)}, map[string]int{"alice": 1000 + 125 + 1 - 64}},
		{"a deletion", sized(1000, deleted), []json.RawMessage{changestest.Change(message, deleted)}, map[string]int{"alice": 1000 + 125 - 64}},
		{"a moderator's", sized(1000, byModerator), []json.RawMessage{changestest.Change(message, deleted)}, map[string]int{"mara": 1000 + 125 - 64}},
		{"two reactions", sized(1000, reacted), []json.RawMessage{
			changestest.React(room, ids[0], "user-000001", nil, []string{"👍"}), changestest.React(room, ids[0], "user-000002", nil, []string{"👍"}),
		}, map[string]int{"user-000001": (1000+125)/2 - 64 + 1, "user-000002": (1000+125)/2 - 64 + 1}},
		{"who types", sized(20), []json.RawMessage{types("user-000000", 0)}, map[string]int{"user-000000": 19 + 3}},
		{"who comes", sized(20), []json.RawMessage{comes("user-000000")}, map[string]int{"user-000000": 19 + 3}},
		{"who joins", sized(20), []json.RawMessage{changestest.Join(room, "user-000000")}, nil},
		{"a message, and another one's read", sized(1000), []json.RawMessage{send, reads("user-000001", ids[0])}, map[string]int{"alice": 1000 + 125 + 1 - 64}},
		{"a name, and a read", sized(1000), []json.RawMessage{renames(), reads("user-000001", ids[0])}, nil},
		{"a name, and a message", sized(1000), []json.RawMessage{renames(), send}, map[string]int{"alice": (1000+125)/2 + 1 - 64}},
		{"a replay", sized(1000), []json.RawMessage{replayed}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l ledger
			charged(t, test.memory, &l, test.records...)
			if diff := cmp.Diff(test.want, l.posts); diff != "" {
				t.Errorf("charged (-want +got):\n%s", diff)
			}
		})
	}
}

// reads is the record of a user who has read up to a message, and renames that of a new name.
func reads(user, messageID string) json.RawMessage {
	return changestest.Insert(table.Read(room, user), changestest.Attributes{table.UpTo: {"S": messageID}})
}

func renames() json.RawMessage {
	return changestest.Modify(table.Room(room), changestest.Attributes{}, changestest.Attributes{table.EditedAt: {"N": "7"}})
}

// cuts has no time for posts.
type cuts struct{}

func (cuts) Push(_ context.Context, posts []push.Post) []push.Delivery {
	return slices.Repeat([]push.Delivery{{Outcome: push.Undelivered, Cut: true}}, len(posts))
}

// What comes again is charged once, when all of it was posted.
func TestCharges_NotOfWhatFailed(t *testing.T) {
	m, l := crowd(1000, 1), &ledger{}
	send := changestest.Send(room, m.messages[0])
	consumer := fanout.New(m, cuts{}, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop()).Charging(l)
	answer, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{send}})
	if err != nil || len(answer.BatchItemFailures) != 1 || len(l.posts) > 0 {
		t.Errorf("answer %v, error %v, charged %v: want a failure, and no charge", answer, err, l.posts)
	}
	charged(t, m, l, send)
	if want := 1000 + 125 + 1 - 64; l.posts["alice"] != want {
		t.Errorf("charged %v, want %d", l.posts, want)
	}
}

// A room that is cut into slices is charged by them.
func TestCharges_OfSlices(t *testing.T) {
	m := crowd(5000, 1)
	var l ledger
	charged(t, m, &l, changestest.Send(room, m.messages[0]))
	if len(l.posts) > 0 {
		t.Errorf("charged %v before a slice is served", l.posts)
	}
	for len(m.stored) > 0 {
		charged(t, m, &l, m.records(0)...)
	}
	replayed := changestest.From(changestest.Send(room, m.messages[0]), changes.ReplaySource, changes.ReplaySource+":run")
	var free ledger
	charged(t, m, &free, replayed)
	for served := false; len(m.stored) > 0 || !served; served = true {
		charged(t, m, &free, m.records(0)...)
	}
	if len(free.posts) > 0 {
		t.Errorf("a replay is charged %v", free.posts)
	}
	if want := 5000 + 5000/8; l.posts["alice"] < want || l.posts["alice"] > want+20 {
		t.Errorf("charged %v, want %d and what is rounded up", l.posts, want)
	}
}

// Who has spent their limit by what they do in a room is paused there.
func TestCharges_PauseWhoHasSpentTheirLimit(t *testing.T) {
	m := crowd(1000, 1)
	l := ledger{spent: map[string]time.Duration{"alice": time.Minute}}
	sent := charged(t, m, &l, changestest.Send(room, m.messages[0]))
	want := map[string]int64{"alice": changestest.Now.Add(time.Minute).UnixMilli()}
	if diff := cmp.Diff(want, m.paused); diff != "" || len(sent) != 1000 {
		t.Errorf("%d got the message; paused (-want +got):\n%s", len(sent), diff)
	}
}

// Of a user who has spent their limit no one is told that they type or come. That they go, and
// what they have sent, is.
func TestCharges_OfWhoHasSpentTheirLimit(t *testing.T) {
	m := crowd(3, 1)
	m.members = append(m.members, "alice")
	m.rooms, m.seen = []string{room}, chat.Seen{Online: true, At: 7}
	l := ledger{spent: map[string]time.Duration{"alice": time.Second}}
	records := []json.RawMessage{types("alice", 0), comes("alice"), changestest.Send(room, m.messages[0])}
	sent := charged(t, m, &l, records...)
	if diff := cmp.Diff([]string{"message"}, sent.types("user-000000")); diff != "" {
		t.Errorf("a member got (-want +got):\n%s", diff)
	}
	if len(m.paused) > 0 {
		t.Errorf("paused %v in a room whose posts go with their message", m.paused)
	}
	m.seen.Online = false
	sent = charged(t, m, &l, comes("alice"))
	if diff := cmp.Diff([]string{"presence alice"}, sent.types("user-000000")); diff != "" {
		t.Errorf("when alice goes a member got (-want +got):\n%s", diff)
	}
	m.seen.Online = true
	records[0], records[1] = types("user-000001", 0), comes("user-000001")
	sent = charged(t, m, &l, records[:2]...)
	if diff := cmp.Diff([]string{"typing user-000001", "presence user-000001"}, sent.types("user-000000")); diff != "" {
		t.Errorf("of another one a member got (-want +got):\n%s", diff)
	}
}
