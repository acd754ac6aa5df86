package local_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// reply sends an answer to a message.
func reply(t *testing.T, d *rig.Socket, room, content string, to any) {
	t.Helper()
	frame, err := json.Marshal(map[string]any{
		"action": wire.ActionSendMessage, "chatRoomId": room, "content": content, "replyTo": to, "clientMessageId": content,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Write(string(frame))
}

// A reply brings what it answers wherever a message comes.
func TestReplies(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	_, question := alice.Deliver(room, "who?", "q")
	reply(t, bob, room, "me", question.MessageID)
	want := &wire.Quote{MessageID: question.MessageID, SenderID: "alice", Preview: "who?"}
	answer := alice.ExpectIn(room, wire.TypeMessage)
	if diff := cmp.Diff(want, answer.ReplyTo); diff != "" || answer.Content != "me" {
		t.Errorf("the frame %+v: %s", answer, diff)
	}
	edit := wire.EditRequest{Content: "not me"}
	if status := s.API("bob", http.MethodPatch, "/rooms/"+room+"/messages/"+answer.MessageID, edit, nil); status != http.StatusOK {
		t.Errorf("edit: status %d", status)
	}
	if edited := alice.ExpectIn(room, wire.TypeMessageEdited); cmp.Diff(want, edited.ReplyTo) != "" {
		t.Errorf("the edit's frame %+v, want the quote %+v", edited, want)
	}
	var missed wire.SyncResponse
	ask := wire.SyncRequest{Rooms: map[string]string{room: question.MessageID}}
	if status := s.API("alice", http.MethodPost, "/sync", ask, &missed); status != http.StatusOK {
		t.Fatalf("sync: status %d", status)
	}
	for name, messages := range map[string][]wire.HistoryMessage{"history": s.History("alice", room)[:1], "sync": missed.Rooms[room].Messages} {
		if len(messages) != 1 || cmp.Diff(want, messages[0].ReplyTo) != "" {
			t.Errorf("%s: %+v, want the quote %+v", name, messages, want)
		}
	}
	if status := s.API("bob", http.MethodDelete, "/rooms/"+room+"/messages/"+answer.MessageID, nil, nil); status != http.StatusNoContent {
		t.Errorf("delete: status %d", status)
	}
	if deleted := s.History("alice", room)[0]; deleted.ReplyTo != nil {
		t.Errorf("the deleted reply still quotes %+v", deleted.ReplyTo)
	}
}

func TestReplies_AreRefusedAndNothingStored(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room, other := s.Room("alice", "bob"), s.Room("alice", "bob")
	alice := s.Connect("alice")
	_, elsewhere := alice.Deliver(other, "x", "x")
	for name, test := range map[string]struct {
		to   any
		code string
	}{
		"another room's": {elsewhere.MessageID, "not_found"},
		"no id":          {"last", "invalid_request"},
		"no text":        {7, "invalid_request"},
	} {
		reply(t, alice, room, "yes", test.to)
		if got := alice.Expect(wire.TypeError); got.Code != test.code || got.ClientMessageID != "yes" {
			t.Errorf("%s: %+v, want %s", name, got, test.code)
		}
	}
	if got := s.History("alice", room); len(got) != 0 {
		t.Errorf("the room has %+v, want nothing", got)
	}
}

// Go clients get what a message answers, the one that sent it, too.
func TestReplies_OfAGoClient(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice, bob := follow(s, "alice", room), follow(s, "bob", room)
	question := alice.tell(room, "who?")
	bob.tell(room, "me", client.InReplyTo(question))
	want := &client.Quote{MessageID: question, SenderID: "alice", Preview: "who?"}
	for name, f := range map[string]*follower{"the sender": bob, "the asker": alice} {
		f.has(room, "who?", "me")
		if diff := cmp.Diff(want, f.messages(room)[1].ReplyTo); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
