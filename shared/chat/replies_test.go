package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

// reply answers a message through a fresh connection.
func (w *world) reply(userID, roomID, to, clientMessageID string) (chat.Message, error) {
	w.Helper()
	w.clock.advance(time.Millisecond)
	w.connect(userID)
	receipt, err := w.sender.Send(w.Context(), chat.SendRequest{
		ConnectionID: userID, RoomID: roomID, Content: "yes", ReplyTo: to, ClientMessageID: clientMessageID,
	})
	if err != nil {
		return chat.Message{}, err
	}
	stored := w.message(roomID, receipt.MessageID)
	if diff := cmp.Diff(stored.ReplyTo, receipt.ReplyTo); diff != "" && !receipt.Duplicate {
		w.Errorf("the receipt has another quote than the message: %s", diff)
	}
	return stored, nil
}

// A reply keeps what it answers as it was then.
func TestReply_QuotesTheMessage(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	question := w.say("alice", room, strings.Repeat("q", 200))
	want := &chat.Quote{Quoted: chat.Quoted{MessageID: question, SenderID: "alice", Preview: strings.Repeat("q", chat.MaxPreview)}}
	answer, err := w.reply("bob", room, question, "k")
	ok(t, err)
	if diff := cmp.Diff(want, answer.ReplyTo); diff != "" {
		t.Error(diff)
	}
	again, err := w.reply("bob", room, question, "k")
	ok(t, err)
	if again.ID != answer.ID {
		t.Errorf("sent again, it is message %s; want %s", again.ID, answer.ID)
	}

	_, err = w.editor.Edit(t.Context(), "alice", room, question, "changed", nil)
	ok(t, err)
	edited, err := w.editor.Edit(t.Context(), "bob", room, answer.ID, "no", nil)
	ok(t, err)
	if diff := cmp.Diff(want, edited.ReplyTo); diff != "" {
		t.Errorf("after edits of both: %s", diff)
	}
	ok(t, w.editor.Delete(t.Context(), "alice", room, question))
	late, err := w.reply("alice", room, question, "")
	ok(t, err)
	if diff := cmp.Diff(&chat.Quote{Quoted: chat.Quoted{MessageID: question, SenderID: "alice"}}, late.ReplyTo); diff != "" {
		t.Errorf("of a deleted message: %s", diff)
	}
	ok(t, w.editor.Delete(t.Context(), "bob", room, answer.ID))
	if deleted := w.message(room, answer.ID); deleted.ReplyTo != nil {
		t.Errorf("a deleted reply quotes %+v", deleted.ReplyTo)
	}
}

func TestReply_Refused(t *testing.T) {
	w := newWorld(t)
	room, other := w.group("alice", "bob"), w.group("alice", "bob")
	elsewhere := w.say("alice", other, "x")
	for name, test := range map[string]struct {
		user, to string
		code     chat.Code
	}{
		"another room's message": {"bob", elsewhere, chat.CodeNotFound},
		"no message":             {"bob", "01HQZ6T0T0ABCDEFGHJKMNPQRS", chat.CodeNotFound},
		"no id":                  {"bob", "last", chat.CodeInvalidRequest},
		"a stranger":             {"carol", elsewhere, chat.CodeNotAMember},
	} {
		_, err := w.reply(test.user, room, test.to, "")
		refused(t, name, err, test.code)
	}
	if messages, _, err := w.store.Messages(t.Context(), room, chat.Range{Limit: 1}); len(messages) > 0 || err != nil {
		t.Errorf("stored %+v, error %v; want nothing", messages, err)
	}
	_, err := w.reply("alice", other, elsewhere, "")
	ok(t, err)
	w.breakOn("MessagesByID")
	if _, err := w.reply("alice", other, elsewhere, ""); err == nil {
		t.Error("a reply was stored without what it answers")
	}
}
