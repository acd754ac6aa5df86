package stream_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

// state is a message as it is at a version; 0 is how it was said. deleted says
// that the version is its end.
func state(id string, version int64, deleted bool) chat.Message {
	ms, err := chat.MessageTime(id)
	if err != nil {
		panic(err)
	}
	m := chat.Message{RoomID: room, ID: id, SenderID: "alice", SentAt: ms, ClientMessageID: "c-1"}
	if deleted {
		m.DeletedAt = version
		return m
	}
	m.EditedAt, m.Content = version, fmt.Sprint("version ", version)
	return m
}

// image is a message's item.
func image(m chat.Message) attributes {
	it := attributes{table.SenderID: {"S": m.SenderID}, table.ClientMessageID: {"S": "c-1"}}
	if m.Version() != 0 {
		it[table.EditedAt] = map[string]string{"N": strconv.FormatInt(m.Version(), 10)}
	}
	if m.DeletedAt != 0 {
		it[table.DeletedAt] = it[table.EditedAt]
	} else {
		it[table.Content] = map[string]string{"S": m.Content}
	}
	return it
}

// edits is the record of a message's change from one state to the next.
func edits(before, after chat.Message) json.RawMessage {
	return modified(table.Message(room, after.SentAt, after.ID), image(before), image(after))
}

func modified(key table.Key, before, after attributes) json.RawMessage {
	text, err := json.Marshal(map[string]any{"eventName": "MODIFY", "dynamodb": map[string]any{
		"ApproximateCreationDateTime": now.Unix(), "SequenceNumber": "1",
		"Keys":     attributes{table.PK: {"S": key.PK}, table.SK: {"S": key.SK}},
		"OldImage": before, "NewImage": after,
	}})
	if err != nil {
		panic(err)
	}
	return text
}

// told are the changes that a connection was told of, each as its type and
// version.
func (r received) told(connectionID string) []string {
	var told []string
	for _, frame := range r[connectionID] {
		told = append(told, fmt.Sprintf("%s %d", frame.Type, max(frame.EditedAt, frame.DeletedAt)))
	}
	return told
}

func TestAChangeIsToldAsTheMessageIsNow(t *testing.T) {
	id := messageIDs(1)[0]
	said, first, second, gone := state(id, 0, false), state(id, 1, false), state(id, 2, false), state(id, 3, true)
	insert := record("INSERT", table.Message(room, said.SentAt, id), image(said))
	for _, test := range []struct {
		name    string
		now     chat.Message
		records []json.RawMessage
		want    []string
	}{
		{"an edit", first, []json.RawMessage{edits(said, first)}, []string{"messageEdited 1"}},
		{"two edits in a batch", second, []json.RawMessage{edits(said, first), edits(first, second)}, []string{"messageEdited 2"}},
		{"two edits out of order", second, []json.RawMessage{edits(first, second), edits(said, first)}, []string{"messageEdited 2"}},
		{"an edit that comes late", second, []json.RawMessage{edits(said, first)}, []string{"messageEdited 2"}},
		{"an edit that comes after the end", gone, []json.RawMessage{edits(first, second)}, []string{"messageDeleted 3"}},
		{"said and edited in a batch", first, []json.RawMessage{insert, edits(said, first)}, []string{"message 0", "messageEdited 1"}},
		{"said and edited, and not told before", first, []json.RawMessage{insert}, []string{"message 0", "messageEdited 1"}},
		{"said and deleted in a batch", gone, []json.RawMessage{insert, edits(said, gone)}, []string{"messageDeleted 3"}},
		{"said and deleted, and not told before", gone, []json.RawMessage{insert}, []string{"messageDeleted 3"}},
		{"the end", gone, []json.RawMessage{edits(second, gone)}, []string{"messageDeleted 3"}},
		{"an edited message, replayed", second, []json.RawMessage{record("INSERT", table.Message(room, said.SentAt, id), image(second))}, []string{"messageEdited 2"}},
		{"a deleted message, replayed", gone, []json.RawMessage{record("INSERT", table.Message(room, said.SentAt, id), image(gone))}, []string{"messageDeleted 3"}},
		{"an edited message that was read", first, []json.RawMessage{edits(first, first)}, nil},
		{"a message that was read", said, []json.RawMessage{edits(said, said)}, nil},
		{"long ago", first, []json.RawMessage{changed(edits(said, first), time.Hour, nil)}, []string{"gap 0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{members: []string{"alice", "bob"}, messages: []string{id}, states: map[string]chat.Message{id: test.now}}
			sent := broadcast(t, m, test.records...)
			for _, user := range m.members {
				if diff := cmp.Diff(test.want, sent.told(user)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", user, diff)
				}
				for _, frame := range sent[user] {
					if frame.Type == wire.TypeMessageEdited && (frame.ClientMessageID != "") != (user == "alice") {
						t.Errorf("%s gets the client message id %q", user, frame.ClientMessageID)
					}
					if frame.Type != wire.TypeGap && frame.Content != test.now.Content {
						t.Errorf("%s gets %q", user, frame.Content)
					}
				}
			}
		})
	}
}

// In a room whose members don't learn who comes and goes, they learn of changes.
func TestEverybodyInARoomIsToldOfItsChanges(t *testing.T) {
	for _, members := range []int{chat.SmallRoom, 101, stream.SliceAbove} {
		m := crowd(members, 1)
		id := m.messages[0]
		edit := state(id, 1, false)
		m.states, m.name = map[string]chat.Message{id: edit}, "Tea"
		sent := broadcast(t, m, edits(state(id, 0, false), edit),
			modified(table.Room(room), attributes{}, attributes{table.EditedAt: {"N": "7"}}),
			record("INSERT", table.Read(room, m.members[0]), attributes{table.UpTo: {"S": id}}))
		for i, user := range m.members {
			want := []string{"messageEdited 1", "roomChanged 0"}
			if i == 0 || members <= chat.SmallRoom {
				want = append(want, "read 0")
			}
			if diff := cmp.Diff(want, sent.told(user)); diff != "" {
				t.Fatalf("%d members: %s (-want +got):\n%s", members, user, diff)
			}
		}
	}
}

func TestAChangeThatCannotBeReadHoldsNothingUp(t *testing.T) {
	ids := messageIDs(2)
	broken := image(state(ids[0], 1, false))
	broken[table.EditedAt] = map[string]string{"S": "yesterday"}
	edit := state(ids[1], 1, false)
	m := &memory{members: []string{"bob"}, messages: ids, states: map[string]chat.Message{ids[1]: edit}}
	sent := broadcast(t, m,
		modified(table.Message(room, edit.SentAt-1, ids[0]), image(state(ids[0], 0, false)), broken),
		modified(table.Read(room, "bob"), nil, nil),
		edits(state(ids[1], 0, false), edit))
	if diff := cmp.Diff([]string{"messageEdited 1"}, sent.told("bob")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each change of a message is a run of its own, and the same change, told again,
// is the same run.
func TestEachChangeOfALargeRoomIsARunOfItsOwn(t *testing.T) {
	m := crowd(stream.SliceAbove+700, 1)
	id := m.messages[0]
	m.states = map[string]chat.Message{}
	said, first, second, gone := state(id, 0, false), state(id, 1, false), state(id, 2, false), state(id, 3, true)
	runs := map[string]bool{}
	for _, step := range []struct {
		record json.RawMessage
		now    chat.Message
		want   string
	}{
		{record("INSERT", table.Message(room, said.SentAt, id), image(said)), said, "message 0"},
		{edits(said, first), first, "messageEdited 1"},
		{edits(first, second), second, "messageEdited 2"},
		{edits(second, gone), gone, "messageDeleted 3"},
		{modified(table.Room(room), attributes{}, attributes{table.EditedAt: {"N": "7"}}), gone, "roomChanged 0"},
		{modified(table.Room(room), attributes{table.EditedAt: {"N": "7"}}, attributes{table.EditedAt: {"N": "8"}}), gone, "roomChanged 0"},
	} {
		m.states[id], m.name = step.now, "Tea"
		var keys []table.Key
		for range 2 { // a second try stores the same
			m.stored = nil
			if direct := broadcast(t, m, step.record); len(direct) > 0 {
				t.Errorf("%s: %d users are told without a slice", step.want, len(direct))
			}
			found := m.storedKeys()
			if keys != nil && !slices.Equal(keys, found) {
				t.Errorf("%s: another try stores %v, not %v", step.want, found, keys)
			}
			keys = found
		}
		for _, key := range keys {
			if runs[key.PK] {
				t.Errorf("%s: %s was used by an earlier run", step.want, key.PK)
			}
			runs[key.PK] = true
		}
		sent := spread(t, m, m.records(0)...)
		for _, user := range m.members {
			if diff := cmp.Diff([]string{step.want}, sent.told(user)); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", user, diff)
			}
		}
	}
}

func TestWhoIsToldOfAReader(t *testing.T) {
	ids := messageIDs(3)
	reads := func(user, upTo string) json.RawMessage {
		return record("INSERT", table.Read(room, user), attributes{table.UpTo: {"S": upTo}})
	}
	small := &memory{members: []string{"alice", "bob", "carol"}}
	sent := broadcast(t, small, reads("bob", ids[0]), reads("bob", ids[2]), reads("bob", ids[1]), reads("alice", ids[0]))
	for _, user := range small.members {
		if diff := cmp.Diff([]string{"read alice", "read bob"}, sent.types(user)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", user, diff)
		}
		if got := sent[user][1].UpTo; got != ids[2] {
			t.Errorf("%s is told of %s, want the latest", user, got)
		}
	}

	for _, members := range []int{chat.SmallRoom + 1, stream.SliceAbove + 1} {
		large := crowd(members, 0)
		sent := broadcast(t, large, reads("user-000007", ids[0]))
		if len(sent) != 1 || len(sent["user-000007"]) != 1 {
			t.Errorf("of %d members, %d are told of one who reads, want that one", members, len(sent))
		}
		if asked := large.asked.Load(); asked > chat.SmallRoom {
			t.Errorf("%d members are read for that", asked)
		}
	}
	if sent := broadcast(t, small, changed(reads("bob", ids[0]), time.Hour, nil)); len(sent) > 0 {
		t.Error("what was read an hour ago is told")
	}
}

func TestARoomThatIsRenamed(t *testing.T) {
	m := &memory{members: []string{"alice"}, name: "Now"}
	counted := attributes{table.EditedAt: {"N": "5"}, table.MemberCount: {"N": "2"}}
	sent := broadcast(t, m, modified(table.Room(room), attributes{table.EditedAt: {"N": "5"}}, counted))
	if len(sent) > 0 {
		t.Error("a room that was counted is told of")
	}
	sent = broadcast(t, m, modified(table.Room(room), attributes{}, attributes{table.EditedAt: {"N": "5"}, table.Name: {"S": "Then"}}))
	if got := sent["alice"]; len(got) != 1 || got[0].Name != "Now" {
		t.Errorf("alice is told %+v, want the name as it is now", got)
	}
}
