package chat_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// mint returns an id of now, with which a message may be stored later.
func (w *world) mint() string {
	w.Helper()
	w.clock.advance(time.Millisecond)
	id, _, err := chat.NewIDs(w.clock.now, rand.Reader).Message()
	ok(w, err)
	return id
}

// storeLate stores a message under an id that was minted before.
func (w *world) storeLate(userID, roomID, id string) {
	w.Helper()
	ms, err := chat.MessageTime(id)
	ok(w, err)
	m := chat.Message{RoomID: roomID, ID: id, SenderID: userID, Content: "late", SentAt: ms}
	ok(w, w.store.PutMessage(w.Context(), m))
}

// unread is how many messages of a room are unread for a user.
func (w *world) unread(userID, roomID string) int {
	w.Helper()
	rooms, _, err := w.rooms.List(w.Context(), userID, "", 100)
	ok(w, err)
	i := slices.IndexFunc(rooms, func(r chat.RoomSummary) bool { return r.Room.ID == roomID })
	if i < 0 {
		w.Fatalf("the list of %s lacks %s", userID, roomID)
	}
	return rooms[i].Unread
}

// wantUnread checks who has not read a message, by the count and by its readers.
func (w *world) wantUnread(what, roomID, messageID string, want map[string]int) {
	w.Helper()
	readers := w.readBy(roomID)[messageID]
	for user, n := range want {
		if got := w.unread(user, roomID); got != n {
			w.Errorf("%s: %s has %d unread, want %d", what, user, got, n)
		}
		if read := slices.Contains(readers, user); read != (n == 0) {
			w.Errorf("%s: read by %q; want %s among them: %t", what, readers, user, n == 0)
		}
	}
}

// A message that is stored behind a cursor is unread until its user has read again,
// however late it is.
func TestRead_WhatIsStoredBehindTheCursor(t *testing.T) {
	for _, lateness := range []time.Duration{time.Millisecond, time.Second, chat.StoreWithin - 2*time.Second} {
		t.Run(lateness.String(), func(t *testing.T) {
			w := newWorld(t)
			room := w.group("alice", "bob", "carol")
			w.say("alice", room, "first")
			late := w.mint()
			w.clock.advance(lateness)
			last := w.say("alice", room, "last")
			for _, user := range []string{"bob", "carol"} {
				ok(t, w.readers.Read(t.Context(), user, room, last))
			}
			w.storeLate("alice", room, late)
			w.wantUnread("stored", room, late, map[string]int{"bob": 1, "carol": 1})

			ok(t, w.readers.Read(t.Context(), "bob", room, last))
			w.wantUnread("read again", room, late, map[string]int{"bob": 0, "carol": 1})
			w.clock.advance(time.Hour)
			w.wantUnread("an hour later", room, late, map[string]int{"bob": 0, "carol": 1})
			ok(t, w.readers.Read(t.Context(), "carol", room, last))
			w.wantUnread("both", room, late, map[string]int{"bob": 0, "carol": 0})
		})
	}
}

// Someone who reads a later message has read what is stored by then; one who reads up
// to an earlier one has read what is behind that alone.
func TestRead_PastWhatIsStoredBehindTheCursor(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	before, first := w.mint(), w.say("alice", room, "first")
	between := w.mint()
	last := w.say("alice", room, "last")
	for _, user := range []string{"bob", "carol"} {
		ok(t, w.readers.Read(t.Context(), user, room, last))
	}
	w.storeLate("alice", room, before)
	w.storeLate("alice", room, between)
	ok(t, w.readers.Read(t.Context(), "bob", room, first))
	w.wantUnread("up to the first", room, between, map[string]int{"bob": 1, "carol": 2})
	if readers := w.readBy(room)[before]; !slices.Contains(readers, "bob") {
		t.Errorf("read by %q, want bob", readers)
	}
	if got := w.cursor(room, "bob"); got != last {
		t.Errorf("the cursor fell to %s", got)
	}
	ok(t, w.readers.Read(t.Context(), "carol", room, w.say("alice", room, "newer")))
	w.wantUnread("past all", room, between, map[string]int{"bob": 2, "carol": 0})
}

// One's own and deleted messages are not unread, however late they were stored, nor
// what was sent before one joined.
func TestRead_LateMessagesThatAreNotUnread(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	own, deleted, joined := w.mint(), w.mint(), w.mint()
	last := w.say("alice", room, "last")
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	_, err := w.rooms.AddMember(t.Context(), "alice", room, "carol", false)
	ok(t, err)
	w.storeLate("bob", room, own)
	w.storeLate("alice", room, deleted)
	ok(t, w.editor.Delete(t.Context(), "alice", room, deleted))
	if got := w.unread("bob", room); got != 0 {
		t.Errorf("bob has %d unread, want none", got)
	}
	w.storeLate("alice", room, joined)
	for user, want := range map[string]int{"bob": 1, "carol": 0} {
		if got := w.unread(user, room); got != want {
			t.Errorf("%s has %d unread, want %d", user, got, want)
		}
	}
}

// A cursor knows the newest messages of a busy room; what is stored behind those
// counts as read.
func TestRead_InABusyRoom(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	early := w.mint()
	var late, last string
	for i := range 3 * chat.MaxKnown / 2 {
		if i == chat.MaxKnown {
			late = w.mint()
		}
		last = w.say("alice", room, "x")
	}
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	if got := w.unread("bob", room); got != 0 {
		t.Fatalf("%d unread, want none", got)
	}
	w.storeLate("alice", room, early)
	w.storeLate("alice", room, late)
	w.wantUnread("two late ones", room, late, map[string]int{"bob": 1})
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	w.wantUnread("read again", room, late, map[string]int{"bob": 0})
}

// What is stored while a read is under way, after it saw what there was, is unread.
func TestRead_WhileMessagesAreStored(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	late := w.mint()
	last := w.say("alice", room, "last")
	stored := false
	w.store.Before(func(method string) error {
		if method == "AdvanceReadCursor" && !stored {
			stored = true
			w.storeLate("alice", room, late)
		}
		return nil
	})
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	w.wantUnread("stored in between", room, late, map[string]int{"bob": 1})

	// Another device reads on at the same time.
	newer := w.say("alice", room, "newer")
	overtaken := false
	w.store.Before(func(method string) error {
		if method == "ReviseReadCursor" && !overtaken {
			overtaken = true
			return w.readers.Read(t.Context(), "bob", room, newer)
		}
		return nil
	})
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	w.wantUnread("read twice at once", room, late, map[string]int{"bob": 0})
	if got := w.cursor(room, "bob"); got != newer {
		t.Errorf("the cursor is %s, want %s", got, newer)
	}
}
