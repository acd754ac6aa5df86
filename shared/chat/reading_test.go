package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// cursor returns a user's read cursor.
func (w *world) cursor(roomID, userID string) string {
	w.Helper()
	cursors, err := w.store.ReadCursors(w.Context(), roomID, userID, userID)
	ok(w, err)
	return cursors[userID].UpTo
}

// crowd adds plain members to a room of alice until it has n.
func (w *world) crowd(roomID string, n int) {
	w.Helper()
	room, _, err := w.store.Room(w.Context(), roomID)
	ok(w, err)
	for i := room.MemberCount; i < n; i++ {
		_, err := w.rooms.AddMember(w.Context(), "alice", roomID, fmt.Sprintf("user%03d", i), false)
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

// readBy returns the readers of a room's messages, by message id.
func (w *world) readBy(roomID string) map[string][]string {
	w.Helper()
	messages, _, err := w.histories.Read(w.Context(), "alice", roomID, chat.Range{Limit: 1_000})
	ok(w, err)
	readers := map[string][]string{}
	for _, m := range messages {
		readers[m.ID] = m.ReadBy
	}
	return readers
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
		readers := w.readBy(room)
		for i, want := range step.readBy {
			if !slices.Equal(readers[sent[i]], want) {
				t.Errorf("read up to %d: message %d was read by %q, want %q", step.upTo, i, readers[sent[i]], want)
			}
		}
	}
}

// A cursor that is there already, or further, writes nothing.
func TestRead_BehindTheCursorDoesNothing(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	old, last := w.say("alice", room, "x"), w.say("alice", room, "y")
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	w.store.Before(func(method string) error {
		if method == "AdvanceReadCursor" || method == "ReviseReadCursor" {
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
	ok(t, w.readers.Read(t.Context(), "bob", room, id))
	if got := w.cursor(room, "bob"); got != id {
		t.Errorf("the cursor is %q, want %q", got, id)
	}
}

// However many messages a cursor passes, each of them names the reader.
func TestRead_AllMessagesThatTheCursorPasses(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	last := ""
	for range 126 {
		last = w.say("alice", room, "x")
	}
	ok(t, w.readers.Read(t.Context(), "bob", room, last))
	unnamed := 0
	for _, readers := range w.readBy(room) {
		if !slices.Contains(readers, "bob") {
			unnamed++
		}
	}
	if unnamed > 0 {
		t.Errorf("%d of 126 messages don't name their reader", unnamed)
	}
}

// Who has read a message does not depend on how many members there were then.
func TestRead_ReadersOfARoomThatShrinks(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	w.crowd(room, chat.SmallRoom+1)
	id := w.say("alice", room, "x")
	members, _, err := w.store.Members(t.Context(), room, "", 100)
	ok(t, err)
	for _, m := range members {
		ok(t, w.readers.Read(t.Context(), m.UserID, room, id))
	}
	if got := len(w.readBy(room)[id]); got != chat.SmallRoom+1 {
		t.Errorf("%d readers, want all %d members", got, chat.SmallRoom+1)
	}
	ok(t, w.rooms.RemoveMember(t.Context(), "alice", room, "bob"))
	if got := len(w.readBy(room)[id]); got != chat.SmallRoom {
		t.Errorf("%d readers after one left, want the other %d members", got, chat.SmallRoom)
	}
}

// What was sent before someone joined is neither unread for them nor read by them,
// and what they had read before they left stays out of the count.
func TestAddMember_JoinsAtTheNewestMessage(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	var sent []string
	for range 5 {
		sent = append(sent, w.say("alice", room, "x"))
	}
	ok(t, w.readers.Read(t.Context(), "bob", room, sent[4]))
	ok(t, w.rooms.RemoveMember(t.Context(), "alice", room, "bob"))
	for _, user := range []string{"bob", "carol"} {
		_, err := w.rooms.AddMember(t.Context(), "alice", room, user, false)
		ok(t, err)
	}
	unread := func(user string, want int) {
		t.Helper()
		rooms, _, err := w.rooms.List(t.Context(), user, "", 1)
		if ok(t, err); rooms[0].Unread != want {
			t.Errorf("%s has %d unread, want %d", user, rooms[0].Unread, want)
		}
	}
	unread("bob", 0)
	unread("carol", 0)
	for range 2 {
		sent = append(sent, w.say("alice", room, "y"))
	}
	unread("bob", 2)
	unread("carol", 2)

	seen := func(as string) [2]string {
		t.Helper()
		room, err := w.rooms.Get(t.Context(), as, room, "bob", 1)
		ok(t, err)
		return [2]string{room.Members[0].ReadFrom, room.Members[0].ReadUpTo} // carol's
	}
	if others, own := seen("alice"), seen("carol"); others != [2]string{} || own != [2]string{sent[4], sent[4]} {
		t.Errorf("carol has read %q for alice and %q for herself; want nothing, and after and up to %s", others, own, sent[4])
	}
	ok(t, w.readers.Read(t.Context(), "carol", room, sent[5]))
	unread("carol", 1)
	if got, want := seen("alice"), [2]string{sent[4], sent[5]}; got != want {
		t.Errorf("carol has read after and up to %q, want %q", got, want)
	}
	for i, id := range sent {
		want := []string{"alice"}
		if i == 5 {
			want = []string{"alice", "carol"}
		}
		if got := w.readBy(room)[id]; !slices.Equal(got, want) {
			t.Errorf("message %d was read by %q, want %q", i, got, want)
		}
	}
}

func TestReaders_ErrorsOfTheStore(t *testing.T) {
	for _, method := range []string{"Place", "AdvanceReadCursor"} {
		w := newWorld(t)
		room := w.group("alice", "bob")
		id := w.say("alice", room, "x")
		w.breakOn(method)
		internal(t, method, w.readers.Read(t.Context(), "bob", room, id))
		w.store.Before(nil)
		if cursor := w.cursor(room, "bob"); cursor != "" {
			t.Errorf("%s: the cursor is %s", method, cursor)
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
		ok(t, w.sessions.Close(t.Context(), "c", 1000))
		_, err := w.sessions.Ping(t.Context(), "c")
		refused(t, "ping of a closed connection", err, chat.CodeReconnect)
	}
	for method, call := range map[string]func() error{
		"PutConnection":    func() error { return w.sessions.Open(t.Context(), c) },
		"DeleteConnection": func() error { return w.sessions.Close(t.Context(), "c", 1000) },
		"Connection":       func() error { _, err := w.sessions.Ping(t.Context(), "c"); return err },
	} {
		w.breakOn(method)
		internal(t, method, call())
	}
}
