package fanout_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// popular is a room of n members whose only message has reactions.
func popular(n int, reactions chat.Reactions) (m *memory, id string) {
	m = crowd(n, 1)
	id = m.messages[0]
	m.states = map[string]chat.Message{id: {RoomID: room, ID: id, SenderID: "alice", Content: "hi", Reactions: reactions}}
	return m, id
}

// Of a batch each member gets a frame a message: the counts as they are now, and the
// changes that led to them.
func TestReactions(t *testing.T) {
	m, id := popular(3, chat.Reactions{Version: 9, Counts: map[string]int{"👍": 2}})
	sent := broadcast(t, m,
		changestest.React(room, id, "user-000000", nil, []string{"👍"}),
		changestest.React(room, id, "user-000001", []string{"👍", "b"}, []string{"b"}),
		changestest.React(room, id, "user-000001", []string{"b"}, []string{"b", "👍"}),
		changestest.React(room, id, "user-000001", []string{"b", "👍"}, []string{"👍"}),
	)
	want := []wire.ServerFrame{{
		Type: wire.TypeReactions, ChatRoomID: room, MessageID: id, Version: 9, Counts: map[string]int{"👍": 2},
		Changed: []wire.ReactionChange{
			{UserID: "user-000000", Reaction: "👍", Added: true},
			{UserID: "user-000001", Reaction: "👍", Added: true},
			{UserID: "user-000001", Reaction: "b"},
		},
	}}
	for user := range 3 {
		if diff := cmp.Diff(want, sent[fmt.Sprintf("user-%06d", user)]); diff != "" {
			t.Errorf("user %d: %s", user, diff)
		}
	}
}

// A frame names the newest changes, and to each who reacted their own.
func TestReactions_OfMany(t *testing.T) {
	m, id := popular(100, chat.Reactions{Version: 50, Counts: map[string]int{"👍": 50}})
	var records []json.RawMessage
	for i := range 50 {
		records = append(records, changestest.React(room, id, fmt.Sprintf("user-%06d", i), nil, []string{"👍"}))
	}
	sent := broadcast(t, m, records...)
	for user, changes := range map[string]int{"user-000000": 21, "user-000029": 21, "user-000030": 20, "user-000099": 20} {
		frames := sent[user]
		if len(frames) != 1 || len(frames[0].Changed) != changes || frames[0].Counts["👍"] != 50 {
			t.Errorf("%s got %+v, want %d changes", user, frames, changes)
		} else if changes == 21 && frames[0].Changed[0].UserID != user {
			t.Errorf("%s got the change of %s, want their own", user, frames[0].Changed[0].UserID)
		}
	}
}

// In a room that is cut into slices only who reacts is told, on all devices.
func TestReactions_InALargeRoom(t *testing.T) {
	m, id := popular(2_001, chat.Reactions{Version: 1, Counts: map[string]int{"👍": 1}})
	sent := broadcast(t, m, changestest.React(room, id, "user-000007", nil, []string{"👍"}))
	if frames := sent["user-000007"]; len(sent) != 1 || len(frames) != 1 || len(frames[0].Changed) != 1 || len(m.stored) > 0 {
		t.Errorf("sent %+v and %d slices, want one frame to one user", sent, len(m.stored))
	}
}

// What is deleted, or no member's, says nothing; a message of the same batch is sent, too.
func TestReactions_AmongOtherEvents(t *testing.T) {
	m, id := popular(2, chat.Reactions{Version: 2, Counts: map[string]int{"👍": 1}})
	sent := broadcast(t, m,
		changestest.Send(room, id), changestest.React(room, id, "gone", nil, []string{"👍"}),
		changestest.React(room, changestest.MessageIDs(2)[1], "user-000000", nil, []string{"👍"}),
	)
	if diff := cmp.Diff([]string{wire.TypeMessage, wire.TypeReactions}, sent.types("user-000001")); diff != "" || len(sent) != 2 {
		t.Errorf("%d users: %s", len(sent), diff)
	}
	m.states[id] = chat.Message{RoomID: room, ID: id, SenderID: "alice", DeletedAt: 5}
	if sent := broadcast(t, m, changestest.React(room, id, "user-000000", []string{"👍"}, nil)); len(sent) > 0 {
		t.Errorf("of a deleted message: %+v", sent)
	}
}
