package chat_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// mention sends a message that mentions users, through a fresh connection.
func (w *world) mention(userID, roomID string, mentioned ...string) (string, error) {
	w.Helper()
	w.clock.advance(time.Millisecond)
	w.connect(userID)
	receipt, err := w.sender.Send(w.Context(), chat.SendRequest{ConnectionID: userID, RoomID: roomID, Content: "hi", Mentions: mentioned})
	return receipt.MessageID, err
}

// counts returns a user's unread messages in a room, and those that mention them.
func (w *world) counts(userID, roomID string) (unread, mentions int) {
	w.Helper()
	rooms, _, err := w.rooms.List(w.Context(), userID, "", 10)
	ok(w, err)
	i := slices.IndexFunc(rooms, func(r chat.RoomSummary) bool { return r.Room.ID == roomID })
	return rooms[i].Unread, rooms[i].Mentions
}

// expectCounts checks what counts returns.
func (w *world) expectCounts(when, userID, roomID string, unread, mentions int) {
	w.Helper()
	if gotUnread, gotMentions := w.counts(userID, roomID); gotUnread != unread || gotMentions != mentions {
		w.Errorf("%s: %s has %d unread with %d mentions, want %d and %d", when, userID, gotUnread, gotMentions, unread, mentions)
	}
}

func TestMentions_AreMembersEachOnce(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	id, err := w.mention("alice", room, "carol", "bob", "carol", "alice")
	ok(t, err)
	if got := w.message(room, id).Mentions; !slices.Equal(got, []string{"carol", "bob", "alice"}) {
		t.Errorf("the message mentions %q", got)
	}
	id, err = w.mention("alice", room, "alice") // for which no one is looked up
	ok(t, err)
	if got := w.message(room, id).Mentions; !slices.Equal(got, []string{"alice"}) {
		t.Errorf("of oneself: %q", got)
	}
	if got := w.message(room, w.say("alice", room, "x")).Mentions; got != nil {
		t.Errorf("a message without mentions has %q", got)
	}
}

func TestMentions_RefusedAndNothingStored(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	many := make([]string, chat.MaxMentions+1)
	for i := range many {
		many[i] = "bob"
	}
	for name, test := range map[string]struct {
		user  string
		users []string
		code  chat.Code
	}{
		"no member":  {"alice", []string{"bob", "carol"}, chat.CodeNotFound},
		"too many":   {"alice", many, chat.CodeInvalidRequest},
		"no user id": {"alice", []string{""}, chat.CodeInvalidRequest},
		"a stranger": {"carol", []string{"bob"}, chat.CodeNotAMember},
		"one's own":  {"carol", []string{"carol"}, chat.CodeNotAMember},
		"a bad one":  {"alice", []string{"a#b"}, chat.CodeInvalidRequest},
	} {
		_, err := w.mention(test.user, room, test.users...)
		refused(t, name, err, test.code)
	}
	w.breakOn("MembersAmong")
	if _, err := w.mention("alice", room, "bob"); err == nil {
		t.Error("a message was stored though it is not known whether bob is a member")
	}
	if messages, _, err := w.store.Messages(t.Context(), room, chat.Range{Limit: 1}); len(messages) > 0 || err != nil {
		t.Errorf("stored %+v, error %v; want nothing", messages, err)
	}
}

// Mentions are counted as unread messages are, and with them.
func TestMentions_AreCountedWhileUnread(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	_, err := w.mention("alice", room, "bob", "alice")
	ok(t, err)
	w.say("alice", room, "x")
	second, err := w.mention("carol", room, "bob")
	ok(t, err)
	w.expectCounts("after three", "bob", room, 3, 2)
	w.expectCounts("after three", "alice", room, 1, 0)
	w.expectCounts("after three", "carol", room, 2, 0)
	ok(t, w.editor.Delete(t.Context(), "carol", room, second))
	w.expectCounts("after a deletion", "bob", room, 2, 1)
	if got := w.message(room, second).Mentions; got != nil {
		t.Errorf("a deleted message mentions %q", got)
	}
	last, err := w.mention("carol", room, "bob")
	ok(t, err)
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	w.expectCounts("after a read", "bob", room, 0, 0)
}

// Of more unread messages than are counted, the newest ones' mentions are.
func TestMentions_OfTheNewestMessages(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	for range 3 {
		_, err := w.mention("alice", room, "bob")
		ok(t, err)
	}
	for range chat.MaxUnread - 1 {
		w.say("alice", room, "x")
	}
	w.expectCounts("one of three is in the newest", "bob", room, chat.MaxUnread, 1)
}

// An edit says whom the message mentions from then on, or leaves it as it was.
func TestMentions_ChangedByAnEdit(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	id, err := w.mention("alice", room, "bob")
	ok(t, err)
	for _, step := range []struct {
		content  string
		mentions *[]string
		want     []string
		code     chat.Code
	}{
		{"hi all", nil, []string{"bob"}, ""},
		{"hi all", &[]string{"carol", "carol"}, []string{"carol"}, ""},
		{"hi all", &[]string{"carol", "dave"}, []string{"carol"}, chat.CodeNotFound},
		{"hi all", &[]string{"a#b"}, []string{"carol"}, chat.CodeInvalidRequest},
		{"hi all", &[]string{"alice", "carol"}, []string{"alice", "carol"}, ""},
		{"hi", &[]string{}, nil, ""},
	} {
		what := fmt.Sprintf("%+v", step)
		before := w.message(room, id)
		_, err := w.editor.Edit(t.Context(), "alice", room, id, step.content, step.mentions)
		answers(t, what, err, step.code)
		m := w.message(room, id)
		if !slices.Equal(m.Mentions, step.want) {
			t.Errorf("%s: the message mentions %q", what, m.Mentions)
		}
		if changed := m.EditedAt != before.EditedAt; changed != (step.code == "") {
			t.Errorf("%s: changed %t", what, changed)
		}
	}
	w.expectCounts("in the end", "carol", room, 1, 0)
	unchanged := w.message(room, id).EditedAt
	_, err = w.editor.Edit(t.Context(), "alice", room, id, "hi", &[]string{})
	ok(t, err)
	if got := w.message(room, id).EditedAt; got != unchanged {
		t.Errorf("an edit that changes nothing is stored")
	}
}

// Who has left stays mentioned: a typing error can be corrected all the same.
func TestMentions_OfWhoHasLeft(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	id, err := w.mention("alice", room, "bob")
	ok(t, err)
	ok(t, w.rooms.RemoveMember(t.Context(), "bob", room, "bob"))
	edited, err := w.editor.Edit(t.Context(), "alice", room, id, "hello", &[]string{"bob"})
	ok(t, err)
	if !slices.Equal(edited.Mentions, []string{"bob"}) {
		t.Errorf("the message mentions %q", edited.Mentions)
	}
	_, err = w.mention("alice", room, "bob")
	refused(t, "a new mention", err, chat.CodeNotFound)
}

// An edit that says nothing of mentions leaves them as another one has set them.
func TestMentions_OfAnEditThatIsOvertaken(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	id, err := w.mention("alice", room, "bob")
	ok(t, err)
	w.once("EditMessage", func() {
		_, err := w.editor.Edit(t.Context(), "alice", room, id, "hi", &[]string{"carol"})
		ok(t, err)
	})
	edited, err := w.editor.Edit(t.Context(), "alice", room, id, "hello", nil)
	ok(t, err)
	if edited.Content != "hello" || !slices.Equal(edited.Mentions, []string{"carol"}) {
		t.Errorf("the message says %q and mentions %q", edited.Content, edited.Mentions)
	}
}
