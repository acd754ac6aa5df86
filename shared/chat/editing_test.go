package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

// Only who sent a message edits it, or deletes it without a role, and only as a member.
func TestEditAndDelete_OnlySender(t *testing.T) {
	w := newWorld(t)
	room, other := w.group("alice", "bob", "carol"), w.group("alice")
	mine, theirs := w.say("alice", room, "mine"), w.say("bob", room, "theirs")
	left := w.say("carol", room, "left")
	ok(t, w.rooms.RemoveMember(t.Context(), "carol", room, "carol"))
	for _, test := range []struct {
		name, user, room, id string
		code                 chat.Code
	}{
		{"an owner another's", "alice", room, theirs, chat.CodeForbidden},
		{"a member another's", "bob", room, mine, chat.CodeForbidden},
		{"a sender who left", "carol", room, left, chat.CodeNotAMember},
		{"another room's", "alice", other, mine, chat.CodeNotFound},
		{"in no room", "alice", "nowhere", mine, chat.CodeNotAMember},
		{"a forged room", "alice", "a#b", mine, chat.CodeInvalidRequest},
		{"a malformed id", "alice", room, strings.ToLower(mine), chat.CodeInvalidRequest},
		{"one that was never sent", "alice", room, "01HQR73D040000000000000000", chat.CodeNotFound},
	} {
		_, err := w.editor.Edit(t.Context(), test.user, test.room, test.id, "x", nil)
		refused(t, "edit: "+test.name, err, test.code)
		if test.user == "alice" && test.id == theirs {
			continue // who moderates the room deletes it: see TestRights
		}
		refused(t, "delete: "+test.name, w.editor.Delete(t.Context(), test.user, test.room, test.id), test.code)
	}
	for id, content := range map[string]string{mine: "mine", theirs: "theirs", left: "left"} {
		if m := w.message(room, id); m.Content != content || m.Version() != 0 {
			t.Errorf("message %+v was changed", m)
		}
	}
}

func TestEdit_ChangesContentAndTime(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	id := w.say("alice", room, "one")
	want := w.message(room, id)
	now := w.clock.now().UnixMilli()
	for _, step := range []struct {
		content string
		code    chat.Code
		at      int64
	}{
		{"one", "", 0}, // no change, no write
		{"two", "", now},
		{"two", "", now},
		{"three", "", now + 1}, // the clock stands
		{"", chat.CodeInvalidRequest, now + 1},
		{"a\ufffd", chat.CodeInvalidRequest, now + 1},
		{strings.Repeat("x", maxFit+1), chat.CodeTooLarge, now + 1},
		{strings.Repeat("x", chat.MaxContent+1), chat.CodeTooLarge, now + 1},
		{"four", "", now + 2},
	} {
		got, err := w.editor.Edit(t.Context(), "alice", room, id, step.content, nil)
		answers(t, "edit to "+step.content, err, step.code)
		if want.EditedAt = step.at; step.code == "" {
			want.Content = step.content
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		if diff := cmp.Diff(want, w.message(room, id)); diff != "" {
			t.Error(diff)
		}
	}
}

// A deleted message keeps its sender and time, and nothing else ever again.
func TestDelete_LeavesSenderAndTime(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	id := w.say("alice", room, "one")
	sent := w.message(room, id)
	w.clock.advance(time.Second)
	_, err := w.editor.Edit(t.Context(), "alice", room, id, "two", nil)
	ok(t, err)
	edited := w.clock.now().UnixMilli()
	for range 2 { // deleting it again succeeds
		ok(t, w.editor.Delete(t.Context(), "alice", room, id))
		want := chat.Message{RoomID: room, ID: id, SenderID: "alice", SentAt: sent.SentAt, DeletedAt: edited + 1}
		if diff := cmp.Diff(want, w.message(room, id)); diff != "" {
			t.Error(diff)
		}
		w.clock.advance(time.Second)
	}
	_, err = w.editor.Edit(t.Context(), "alice", room, id, "three", nil)
	refused(t, "edit of a deleted message", err, chat.CodeNotFound)
}

func TestEdit_Concurrent(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice")
	id := w.say("alice", room, "one")
	overtake := func() {
		m := w.message(room, id)
		m.Content, m.EditedAt = m.Content+"+", m.Version()+w.clock.now().UnixMilli()
		_, _, err := w.store.EditMessage(t.Context(), m)
		ok(t, err)
	}
	w.once("EditMessage", overtake)
	got, err := w.editor.Edit(t.Context(), "alice", room, id, "two", nil)
	if ok(t, err); got.Content != "two" || w.message(room, id).Content != "two" {
		t.Errorf("content %q after an edit that was overtaken, want two", got.Content)
	}
	tries := 0
	w.on("EditMessage", func() { tries++; overtake() })
	_, err = w.editor.Edit(t.Context(), "alice", room, id, "three", nil)
	if gaveUp(t, err); tries != 8 {
		t.Errorf("%d tries, want 8", tries)
	}
	w.once("EditMessage", func() { ok(t, w.editor.Delete(t.Context(), "alice", room, id)) })
	_, err = w.editor.Edit(t.Context(), "alice", room, id, "four", nil)
	refused(t, "an edit that a deletion overtook", err, chat.CodeNotFound)
}

func TestDelete_Concurrent(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice")
	id := w.say("alice", room, "one")
	overtake := func() {
		m := w.message(room, id)
		m.Content, m.EditedAt = m.Content+"+", m.Version()+w.clock.now().UnixMilli()
		_, _, err := w.store.EditMessage(t.Context(), m)
		ok(t, err)
	}
	tries := 0
	w.on("DeleteMessage", func() { tries++; overtake() })
	gaveUp(t, w.editor.Delete(t.Context(), "alice", room, id))
	if tries != 8 {
		t.Errorf("%d tries, want 8", tries)
	}
	w.once("DeleteMessage", overtake)
	ok(t, w.editor.Delete(t.Context(), "alice", room, id))
	if w.message(room, id).DeletedAt == 0 {
		t.Error("not deleted")
	}
	id = w.say("alice", room, "two")
	w.once("DeleteMessage", func() { ok(t, w.editor.Delete(t.Context(), "alice", room, id)) })
	ok(t, w.editor.Delete(t.Context(), "alice", room, id))
}

func TestEditor_ErrorsOfTheStore(t *testing.T) {
	for method, call := range map[string]func(*world, string, string) error{
		"Place": func(w *world, room, id string) error { return w.editor.Delete(w.Context(), "alice", room, id) },
		"EditMessage": func(w *world, room, id string) error {
			_, err := w.editor.Edit(w.Context(), "alice", room, id, "x", nil)
			return err
		},
		"DeleteMessage": func(w *world, room, id string) error { return w.editor.Delete(w.Context(), "alice", room, id) },
	} {
		w := newWorld(t)
		room := w.group("alice")
		id := w.say("alice", room, "one")
		w.breakOn(method)
		internal(t, method, call(w, room, id))
	}
}
