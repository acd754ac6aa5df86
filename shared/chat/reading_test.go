package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

// cursor returns a user's read cursor.
func (w *world) cursor(roomID, userID string) string {
	w.Helper()
	cursors, err := w.store.ReadCursors(w.Context(), roomID, userID, userID)
	ok(w, err)
	return cursors[userID]
}

// crowd adds plain members to a room of alice until it has n.
func (w *world) crowd(roomID string, n int) {
	w.Helper()
	room, _, err := w.store.Room(w.Context(), roomID)
	ok(w, err)
	for i := room.MemberCount; i < n; i++ {
		_, err := w.rooms.AddMember(w.Context(), "alice", roomID, fmt.Sprintf("user%03d", i))
		ok(w, err)
	}
}

func TestRead_WhoAndWhat(t *testing.T) {
	w := newWorld(t)
	room, other := w.group("alice", "bob"), w.group("carol")
	id, theirs := w.say("alice", room, "x"), w.say("carol", other, "y")
	for _, test := range []struct {
		name, user, room, upTo string
		code                   chat.Code
	}{
		{"a foreign room", "carol", room, id, chat.CodeNotAMember},
		{"no room", "bob", "nowhere", id, chat.CodeNotAMember},
		{"a forged room", "bob", "a#b", id, chat.CodeInvalidRequest},
		{"another room's message", "bob", room, theirs, chat.CodeInvalidRequest},
		{"a malformed id", "bob", room, strings.ToLower(id), chat.CodeInvalidRequest},
		{"a message", "bob", room, id, ""},
	} {
		answers(t, test.name, w.readers.Read(t.Context(), test.user, test.room, test.upTo), test.code)
		if got := w.cursor(room, "bob"); (got != "") != (test.code == "") {
			t.Errorf("%s: the cursor is %q", test.name, got)
		}
	}
}

// The cursor only moves forward, and each message that it passes gets the reader.
func TestRead_CursorAndReadBy(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	var sent []string
	for range 4 {
		sent = append(sent, w.say("alice", room, "x"))
	}
	ok(t, w.editor.Delete(t.Context(), "alice", room, sent[1]))
	readBy := func() (readers [][]string) {
		for _, id := range sent {
			readers = append(readers, w.message(room, id).ReadBy)
		}
		return readers
	}
	a, ab := []string{"alice"}, []string{"alice", "bob"}
	for _, step := range []struct {
		upTo, cursor int
		readBy       [][]string
	}{
		{0, 0, [][]string{ab, nil, a, a}},
		{2, 2, [][]string{ab, nil, ab, a}},
		{0, 2, [][]string{ab, nil, ab, a}},
		{1, 2, [][]string{ab, nil, ab, a}},
		{2, 2, [][]string{ab, nil, ab, a}},
		{3, 3, [][]string{ab, nil, ab, ab}},
	} {
		ok(t, w.readers.Read(t.Context(), "bob", room, sent[step.upTo]))
		if got := w.cursor(room, "bob"); got != sent[step.cursor] {
			t.Errorf("read up to %d: the cursor is %s", step.upTo, got)
		}
		if diff := cmp.Diff(step.readBy, readBy()); diff != "" {
			t.Errorf("read up to %d (-want +got):\n%s", step.upTo, diff)
		}
	}
}

// A cursor that is there already, or further, costs one read.
func TestRead_BehindTheCursorDoesNothing(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	old, last := w.say("alice", room, "x"), w.say("alice", room, "y")
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	w.store.Before(func(method string) error {
		if method != "Place" {
			return errBroken
		}
		return nil
	})
	for _, id := range []string{last, old} {
		ok(t, w.readers.Read(t.Context(), "bob", room, id))
	}
}

// A deleted message can be read up to, too.
func TestRead_UpToADeletedMessage(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	id := w.say("alice", room, "x")
	ok(t, w.editor.Delete(t.Context(), "alice", room, id))
	w.breakOn("AddReader") // it gets no reader, so that is not tried
	ok(t, w.readers.Read(t.Context(), "bob", room, id))
	if got := w.cursor(room, "bob"); got != id {
		t.Errorf("the cursor is %q, want %q", got, id)
	}
}

// Readers are stored in small rooms alone, in the newest 100 messages, once, and
// at most 100 of them.
func TestRead_ReadersAreBounded(t *testing.T) {
	for _, test := range []struct {
		name    string
		members int
		marked  bool
	}{
		{"a small room", chat.SmallRoom, true},
		{"a larger room", chat.SmallRoom + 1, false},
	} {
		w := newWorld(t)
		room := w.group("alice", "bob")
		w.crowd(room, test.members)
		id := w.say("alice", room, "x")
		ok(t, w.readers.Read(t.Context(), "bob", room, id))
		if got := slices.Contains(w.message(room, id).ReadBy, "bob"); got != test.marked || w.cursor(room, "bob") != id {
			t.Errorf("%s: bob among the readers: %t, cursor %s", test.name, got, w.cursor(room, "bob"))
		}
	}

	w := newWorld(t)
	room := w.group("alice", "bob")
	var sent []string
	for range 102 {
		sent = append(sent, w.say("alice", room, "x"))
	}
	for i := range chat.CountedReaders - 1 {
		ok(t, w.store.AddReader(t.Context(), room, sent[100], fmt.Sprint("former", i)))
	}
	for i := range chat.CountedReaders - 2 {
		ok(t, w.store.AddReader(t.Context(), room, sent[99], fmt.Sprint("former", i)))
	}
	var writes atomic.Int64
	ok(t, w.store.AddReader(t.Context(), room, sent[98], "bob"))
	w.store.Before(func(method string) error {
		if method == "AddReader" {
			writes.Add(1)
		}
		return nil
	})
	ok(t, w.readers.Read(t.Context(), "bob", room, sent[101]))
	for i, want := range map[int]bool{0: false, 1: false, 2: true, 98: true, 99: true, 100: false, 101: true} {
		if got := slices.Contains(w.message(room, sent[i]).ReadBy, "bob"); got != want {
			t.Errorf("message %d: bob among the readers: %t, want %t", i, got, want)
		}
	}
	if writes.Load() != 98 { // 100, without a full one and one that bob is in already
		t.Errorf("%d writes, want 98", writes.Load())
	}
}

// The messages first: a call that fails in between, and is repeated, marks them
// again.
func TestReaders_ErrorsOfTheStore(t *testing.T) {
	for _, method := range []string{"Place", "Unread", "AddReader", "AdvanceReadCursor"} {
		w := newWorld(t)
		room := w.group("alice", "bob")
		id := w.say("alice", room, "x")
		w.breakOn(method)
		internal(t, method, w.readers.Read(t.Context(), "bob", room, id))
		w.store.Before(nil)
		if cursor := w.cursor(room, "bob"); cursor != "" {
			t.Errorf("%s: the cursor is %s", method, cursor)
		}
		ok(t, w.readers.Read(t.Context(), "bob", room, id))
		if !slices.Contains(w.message(room, id).ReadBy, "bob") {
			t.Errorf("%s: repeated, and bob is not among the readers", method)
		}
	}
}

func TestUnread_MessagesOfOthersAfterTheCursor(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	first := w.say("alice", room, "x")
	w.say("alice", room, "y")
	w.say("bob", room, "z")
	for _, step := range []struct {
		user string
		read string
		want int
	}{{"bob", "", 2}, {"alice", "", 1}, {"bob", first, 1}} {
		if step.read != "" {
			ok(t, w.readers.Read(t.Context(), step.user, room, step.read))
		}
		rooms, _, err := w.rooms.List(t.Context(), step.user, "", 1)
		if ok(t, err); rooms[0].Unread != step.want {
			t.Errorf("%s has %d unread, want %d", step.user, rooms[0].Unread, step.want)
		}
	}
}

func TestSessions_PingAndClose(t *testing.T) {
	w := newWorld(t)
	c := chat.Connection{ID: "c", UserID: "alice", ConnectedAt: epoch, TokenExpiresAt: epoch + 500}
	ok(t, w.sessions.Open(t.Context(), c))
	for _, step := range []struct {
		at   time.Duration
		code chat.Code
	}{
		{0, ""},
		{chat.TokenGrace + 499*time.Millisecond, ""},
		{chat.TokenGrace + 500*time.Millisecond, chat.CodeReconnect}, // the row lives to the second's end
	} {
		w.clock.set(step.at)
		got, err := w.sessions.Ping(t.Context(), "c")
		answers(t, "ping after "+step.at.String(), err, step.code)
		if step.code == "" && got != c {
			t.Errorf("connection %+v, want %+v", got, c)
		}
	}
	w.clock.set(0)
	for range 2 {
		ok(t, w.sessions.Close(t.Context(), "c"))
		_, err := w.sessions.Ping(t.Context(), "c")
		refused(t, "ping of a closed connection", err, chat.CodeReconnect)
	}
	for method, call := range map[string]func() error{
		"PutConnection":    func() error { return w.sessions.Open(t.Context(), c) },
		"DeleteConnection": func() error { return w.sessions.Close(t.Context(), "c") },
		"Connection":       func() error { _, err := w.sessions.Ping(t.Context(), "c"); return err },
	} {
		w.breakOn(method)
		internal(t, method, call())
	}
}
