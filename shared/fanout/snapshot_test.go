package fanout_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestSnapshot_AChangeIsSentInItsCurrentState(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	sent, first := changestest.Version(room, id, 0, false), changestest.Version(room, id, 1, false)
	second, gone := changestest.Version(room, id, 2, false), changestest.Version(room, id, 3, true)
	insert := changestest.SendVersion(sent)
	for _, test := range []struct {
		name    string
		now     chat.Message
		records []json.RawMessage
		want    []string
	}{
		{"an edit", first, []json.RawMessage{changestest.Change(sent, first)}, []string{"messageEdited 1"}},
		{"two edits in a batch", second, []json.RawMessage{changestest.Change(sent, first), changestest.Change(first, second)}, []string{"messageEdited 2"}},
		{"two edits out of order", second, []json.RawMessage{changestest.Change(first, second), changestest.Change(sent, first)}, []string{"messageEdited 2"}},
		{"an edit that comes late", second, []json.RawMessage{changestest.Change(sent, first)}, []string{"messageEdited 2"}},
		{"an edit that comes after the end", gone, []json.RawMessage{changestest.Change(first, second)}, []string{"messageDeleted 3"}},
		{"sent and edited in a batch", first, []json.RawMessage{insert, changestest.Change(sent, first)}, []string{"message 0", "messageEdited 1"}},
		{"sent and edited, and not broadcast before", first, []json.RawMessage{insert}, []string{"message 0", "messageEdited 1"}},
		{"sent and deleted in a batch", gone, []json.RawMessage{insert, changestest.Change(sent, gone)}, []string{"messageDeleted 3"}},
		{"sent and deleted, and not broadcast before", gone, []json.RawMessage{insert}, []string{"messageDeleted 3"}},
		{"the end", gone, []json.RawMessage{changestest.Change(second, gone)}, []string{"messageDeleted 3"}},
		{"an edited message, replayed", second, []json.RawMessage{changestest.SendVersion(second)}, []string{"messageEdited 2"}},
		{"a deleted message, replayed", gone, []json.RawMessage{changestest.SendVersion(gone)}, []string{"messageDeleted 3"}},
		{"an edited message that was read", first, []json.RawMessage{changestest.Change(first, first)}, nil},
		{"a message that was read", sent, []json.RawMessage{changestest.Change(sent, sent)}, nil},
		{"long ago", first, []json.RawMessage{changestest.Aged(changestest.Change(sent, first), time.Hour)}, []string{"gap 0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &memory{members: []string{"alice", "bob"}, messages: []string{id}, states: map[string]chat.Message{id: test.now}}
			sent := broadcast(t, m, test.records...)
			for _, user := range m.members {
				if diff := cmp.Diff(test.want, sent.versions(user)); diff != "" {
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

// An edit may take mentions out, and put others in, before the message is broadcast.
func TestSnapshot_AMessageHasItsCurrentMentions(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	now := changestest.Version(room, id, 1, false)
	now.Mentions = []string{"carol"}
	m := &memory{members: []string{"alice", "bob"}, messages: []string{id}, states: map[string]chat.Message{id: now}}
	record := changestest.Mentioning(changestest.SendVersion(changestest.Version(room, id, 0, false)), "bob")
	got := broadcast(t, m, record)["bob"]
	if len(got) != 2 {
		t.Fatalf("bob gets %+v, want the message and its edit", got)
	}
	for _, frame := range got {
		if diff := cmp.Diff(now.Mentions, frame.Mentions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", frame.Type, diff)
		}
	}
}

func TestSnapshot_ARenamedRoomHasItsCurrentName(t *testing.T) {
	m := &memory{members: []string{"alice"}, name: "Now"}
	counted := changestest.Attributes{table.EditedAt: {"N": "5"}, table.MemberCount: {"N": "2"}}
	sent := broadcast(t, m, changestest.Modify(table.Room(room), changestest.Attributes{table.EditedAt: {"N": "5"}}, counted))
	if len(sent) > 0 {
		t.Error("a room whose members were counted is announced")
	}
	sent = broadcast(t, m, changestest.Modify(table.Room(room), changestest.Attributes{}, changestest.Attributes{table.EditedAt: {"N": "5"}, table.Name: {"S": "Then"}}))
	if got := sent["alice"]; len(got) != 1 || got[0].Name != "Now" {
		t.Errorf("alice gets %+v, want the current name", got)
	}
}

// A predecessor that is not given means that there is none.
func TestSnapshot_OnlyTheFirstMessageHasNoPredecessor(t *testing.T) {
	const files, mentions = chat.MaxAttachments * (chat.MaxFileName + 300), chat.MaxMentions * chat.MaxUserID
	largest := 1 << 20 / (chat.MaxContent + files + mentions + 2_000) // messages that fill a page of 1 MB
	for _, page := range []int{0, 60, largest} {
		t.Run(fmt.Sprint("pages of ", page), func(t *testing.T) {
			ids := changestest.MessageIDs(300)
			var records []json.RawMessage
			for _, id := range ids[100:200] {
				records = append(records, changestest.Send(room, id))
			}
			sent := broadcast(t, &memory{members: []string{"alice"}, messages: ids, page: page}, records...)
			if len(sent["alice"]) != 100 {
				t.Fatalf("%d messages, want 100", len(sent["alice"]))
			}
			for i, frame := range sent["alice"] {
				if frame.PreviousMessageID == nil || *frame.PreviousMessageID != ids[99+i] {
					t.Errorf("message %d follows %v, want %s", i, frame.PreviousMessageID, ids[99+i])
				}
			}
		})
	}
	ids := changestest.MessageIDs(2)
	sent := broadcast(t, &memory{members: []string{"alice"}, messages: ids}, changestest.Send(room, ids[0]), changestest.Send(room, ids[1]))
	if first := sent["alice"][0].PreviousMessageID; first != nil {
		t.Errorf("the room's first message follows %s", *first)
	}
}

// The connection that asked for no echo is sent its message all the same, if the ack
// named another one as the one before than fanout finds.
func TestSnapshot_AnEchoCorrectsTheAck(t *testing.T) {
	ids := changestest.MessageIDs(3)
	for _, test := range []struct {
		name, previous string
		stored         []string
		echo           bool
	}{
		{"the ack named the one before", ids[1], ids, false},
		{"the ack named none", "", ids, false},
		{"the ack named the room's beginning", chat.NoneBefore, ids[2:], false},
		{"another became the first", chat.NoneBefore, ids, true},
		{"another was stored in the meantime", ids[0], ids, true},
		{"the ack named one that isn't there", ids[1], ids[2:], true},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := changestest.Version(room, ids[2], 0, false)
			item := changestest.Item(sent)
			item[table.ClientMessageID] = map[string]string{"S": "c-1"}
			item[table.Origin] = map[string]string{"S": sent.SenderID} // its device is called as the user is
			if test.previous != "" {
				item[table.Previous] = map[string]string{"S": test.previous}
			}
			m := &memory{members: []string{sent.SenderID, "bob"}, messages: test.stored}
			got := broadcast(t, m, changestest.Insert(table.Message(room, sent.SentAt, sent.ID), item))
			if len(got["bob"]) != 1 {
				t.Errorf("bob got %+v", got["bob"])
			}
			if echo := len(got[sent.SenderID]) == 1; echo != test.echo {
				t.Errorf("the sender got %+v, want an echo: %t", got[sent.SenderID], test.echo)
			}
		})
	}
}
