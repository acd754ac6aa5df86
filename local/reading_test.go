package local_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/wire"
)

// summary is what a user's list says of a room.
func summary(s *rig.Rig, user, room string) wire.RoomSummary {
	s.T.Helper()
	var list wire.RoomList
	s.API(user, http.MethodGet, "/rooms?limit=100", nil, &list)
	i := slices.IndexFunc(list.Rooms, func(r wire.RoomSummary) bool { return r.ChatRoomID == room })
	if i < 0 {
		s.T.Fatalf("the list of %s lacks %s", user, room)
	}
	return list.Rooms[i]
}

// readUpTo moves a user's read cursor.
func readUpTo(s *rig.Rig, user, room, messageID string) {
	s.T.Helper()
	if status := s.API(user, http.MethodPost, "/rooms/"+room+"/read", wire.ReadRequest{UpTo: messageID}, nil); status != http.StatusNoContent {
		s.T.Fatalf("%s reads: status %d", user, status)
	}
}

// cursor is how far a user has read, as another member sees it.
func cursor(s *rig.Rig, as, room, user string) string {
	s.T.Helper()
	var description wire.Room
	s.API(as, http.MethodGet, "/rooms/"+room, nil, &description)
	for _, m := range description.Members {
		if m.UserID == user {
			return m.ReadUpTo
		}
	}
	s.T.Fatalf("%s is not a member of %s", user, room)
	return ""
}

// flood stores n messages, faster than a connection may send.
func flood(s *rig.Rig, room, sender string, n int) {
	s.T.Helper()
	store := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, time.Now)
	ids := chat.NewIDs(time.Now, rand.Reader)
	for i := range n {
		id, ms, err := ids.Message()
		if err != nil {
			s.T.Fatal(err)
		}
		m := chat.Message{RoomID: room, ID: id, SenderID: sender, Content: fmt.Sprint(i), SentAt: ms}
		if err := store.PutMessage(s.T.Context(), m); err != nil {
			s.T.Fatal(err)
		}
	}
}

func TestUnreadCountsWhatOthersSaid(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	var ids []string
	for i := range 5 {
		ack, _ := alice.Deliver(room, fmt.Sprint(i), "")
		ids = append(ids, ack.MessageID)
	}
	bob.Deliver(room, "mine", "")

	for _, step := range []struct {
		upTo string
		want int
	}{{"", 5}, {ids[1], 3}, {ids[0], 3}, {ids[4], 0}} { // a cursor never moves back
		if step.upTo != "" {
			readUpTo(s, "bob", room, step.upTo)
		}
		if got := summary(s, "bob", room).Unread; got != step.want {
			t.Errorf("after reading up to %s, %d are unread, want %d", step.upTo, got, step.want)
		}
	}
	if got := summary(s, "alice", room).Unread; got != 1 {
		t.Errorf("alice has %d unread, want bob's one", got)
	}
	alice.Deliver(room, "gone", "")
	last := s.History("alice", room)[0].MessageID
	s.API("alice", http.MethodDelete, "/rooms/"+room+"/messages/"+last, nil, nil)
	if got := summary(s, "bob", room).Unread; got != 0 {
		t.Errorf("a deleted message counts: %d", got)
	}
}

// By these a client that was away learns what it missed: how far another device of
// the user has read, and that the message shown in the list was edited.
func TestTheListHasTheReadCursorAndTheLastEdit(t *testing.T) {
	s := start(t, local.Config{Wrap: rig.Hasten})
	room := s.Room("alice", "bob")
	bob := s.Connect("bob")
	first, _ := bob.Deliver(room, "one", "c-1")
	second, _ := bob.Deliver(room, "two", "c-2")
	readUpTo(s, "alice", room, first.MessageID)
	edited := edit(s, "bob", room, second.MessageID, "two!")
	rig.Eventually(t, "the edit shows in the list", func() bool {
		last := summary(s, "alice", room).LastMessage
		return last != nil && last.Preview == "two!" && last.EditedAt == edited.EditedAt
	})
	if got := summary(s, "alice", room); got.ReadUpTo != first.MessageID || got.Unread != 1 {
		t.Errorf("alice's list: read up to %q, %d unread; want %q, 1", got.ReadUpTo, got.Unread, first.MessageID)
	}
	if got := summary(s, "bob", room); got.ReadUpTo != "" {
		t.Errorf("bob's list: read up to %q, want nothing", got.ReadUpTo)
	}
}

func TestUnreadStopsAtAHundred(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	flood(s, room, "alice", 103)
	if got := summary(s, "bob", room); got.Unread != 100 || !got.UnreadMore {
		t.Errorf("%d are unread, more %t; want 100 and more", got.Unread, got.UnreadMore)
	}
}

func TestUnreadCountsPastOwnAndDeletedMessages(t *testing.T) {
	s := start(t, local.Config{})
	own, deleted := s.Room("alice", "bob"), s.Room("alice", "bob")
	flood(s, own, "bob", 108)
	flood(s, own, "alice", 4)
	flood(s, deleted, "alice", 108)
	var older wire.History
	newest := s.History("alice", deleted)
	s.API("alice", http.MethodGet, "/rooms/"+deleted+"/messages?before="+newest[len(newest)-1].MessageID, nil, &older)
	for _, m := range append(newest, older.Messages...) {
		if status := s.API("alice", http.MethodDelete, "/rooms/"+deleted+"/messages/"+m.MessageID, nil, nil); status != http.StatusNoContent {
			t.Fatalf("delete: status %d", status)
		}
	}
	flood(s, deleted, "alice", 3)
	for room, want := range map[string]int{own: 4, deleted: 3} {
		if got := summary(s, "bob", room); got.Unread != want || got.UnreadMore {
			t.Errorf("%d are unread, more %t; want %d", got.Unread, got.UnreadMore, want)
		}
	}
}

func TestASmallRoomIsToldWhoHasRead(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob", "carol")
	alice, phone, laptop := s.Connect("alice"), s.Connect("bob"), s.Connect("bob")
	first, _ := alice.Deliver(room, "one", "")
	second, _ := alice.Deliver(room, "two", "")

	readUpTo(s, "bob", room, second.MessageID)
	for _, d := range []*rig.Socket{alice, phone, laptop} {
		if got := d.Expect(wire.TypeRead); got.ChatRoomID != room || got.UserID != "bob" || got.UpTo != second.MessageID {
			t.Errorf("%s is told %+v", d.User, got)
		}
	}
	for _, m := range s.History("carol", room) {
		if !slices.Equal(m.ReadBy, []string{"alice", "bob"}) {
			t.Errorf("%s was read by %q", m.Content, m.ReadBy)
		}
	}
	readUpTo(s, "bob", room, first.MessageID) // nothing happens
	alice.ExpectNone(wire.TypeRead)
	if got := cursor(s, "carol", room, "bob"); got != second.MessageID {
		t.Errorf("bob has read up to %s, want %s", got, second.MessageID)
	}
	if got := cursor(s, "carol", room, "carol"); got != "" {
		t.Errorf("carol has read up to %s", got)
	}
}

func TestALargerRoomDerivesWhoHasRead(t *testing.T) {
	s := start(t, local.Config{})
	users := []string{"alice", "bob"}
	for i := range 20 {
		users = append(users, fmt.Sprintf("user-%02d", i))
	}
	room := s.Room(users...)
	alice, phone, laptop := s.Connect("alice"), s.Connect("bob"), s.Connect("bob")
	first, _ := alice.Deliver(room, "one", "")
	alice.Deliver(room, "two", "")

	readUpTo(s, "bob", room, first.MessageID)
	for _, d := range []*rig.Socket{phone, laptop} { // their own devices stay in step
		if got := d.Expect(wire.TypeRead); got.UserID != "bob" || got.UpTo != first.MessageID {
			t.Errorf("%s is told %+v", d.User, got)
		}
	}
	alice.ExpectNone(wire.TypeRead)
	for _, m := range s.History("alice", room) {
		want := []string{"alice"}
		if m.MessageID == first.MessageID {
			want = []string{"alice", "bob"}
		}
		if !slices.Equal(m.ReadBy, want) {
			t.Errorf("%s was read by %q, want %q", m.Content, m.ReadBy, want)
		}
	}
}

// Readers follow from cursors alone: they are complete however many messages are
// read at once, and whatever becomes of the room's size.
func TestEveryMessageNamesItsReaders(t *testing.T) {
	s := start(t, local.Config{})
	users := []string{"alice", "bob"}
	for i := range chat.SmallRoom - 1 {
		users = append(users, fmt.Sprintf("user-%02d", i))
	}
	room := s.Room(users...)
	flood(s, room, "alice", 126)
	last := s.History("alice", room)[0].MessageID
	for _, user := range users {
		readUpTo(s, user, room, last)
	}
	check := func(want int) {
		t.Helper()
		messages := s.History("alice", room)
		var older wire.History
		s.API("alice", http.MethodGet, "/rooms/"+room+"/messages?before="+messages[len(messages)-1].MessageID, nil, &older)
		messages = append(messages, older.Messages...)
		if len(messages) != 126 {
			t.Fatalf("%d messages, want 126", len(messages))
		}
		for _, m := range messages {
			if len(m.ReadBy) != want {
				t.Fatalf("message %s was read by %d, want %d", m.Content, len(m.ReadBy), want)
			}
		}
	}
	check(chat.SmallRoom + 1)
	if status := s.API("bob", http.MethodDelete, "/rooms/"+room+"/members/bob", nil, nil); status != http.StatusNoContent {
		t.Fatalf("leave: status %d", status)
	}
	check(chat.SmallRoom)
}

// A member who joins, or joins again, has nothing unread of what was sent before,
// and is not shown as a reader of it.
func TestJoiningBeginsAtTheNewestMessage(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	flood(s, room, "alice", 5)
	readUpTo(s, "bob", room, s.History("bob", room)[0].MessageID)
	bob.Expect(wire.TypeRead)
	alice.Expect(wire.TypeRead)
	if status := s.API("bob", http.MethodDelete, "/rooms/"+room+"/members/bob", nil, nil); status != http.StatusNoContent {
		t.Fatalf("leave: status %d", status)
	}
	for _, user := range []string{"bob", "carol"} {
		if status := s.API("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: user}, nil); status != http.StatusCreated {
			t.Fatalf("add %s: status %d", user, status)
		}
		if got := summary(s, user, room).Unread; got != 0 {
			t.Errorf("%s joins with %d unread, want none", user, got)
		}
	}
	flood(s, room, "alice", 2)
	for _, user := range []string{"bob", "carol"} {
		if got := summary(s, user, room).Unread; got != 2 {
			t.Errorf("%s has %d unread, want 2", user, got)
		}
	}
	for _, m := range s.History("alice", room) {
		if !slices.Equal(m.ReadBy, []string{"alice"}) {
			t.Errorf("%s was read by %q, want alice alone", m.Content, m.ReadBy)
		}
	}
	alice.ExpectNone(wire.TypeRead)

	messages := s.History("alice", room)
	newest, joinedAt := messages[0].MessageID, messages[2].MessageID
	readUpTo(s, "carol", room, newest)
	got := alice.Expect(wire.TypeRead)
	if got.UserID != "carol" || got.From != joinedAt || got.UpTo != newest {
		t.Errorf("alice is sent %+v, want what carol has read after %s, up to %s", got, joinedAt, newest)
	}
	read := client.Read{UpTo: newest, From: joinedAt, Since: got.Since, Known: got.Known}
	if got.Since == "" || !read.Includes(newest) || !read.Includes(messages[1].MessageID) || read.Includes(newest[:25]+"!") {
		t.Errorf("alice is sent %+v, want the two messages of a moment ago among what carol has read, and no others", got)
	}
	var description wire.Room
	s.API("alice", http.MethodGet, "/rooms/"+room, nil, &description)
	for _, m := range description.Members {
		if m.UserID == "carol" && (m.ReadFrom != joinedAt || m.ReadUpTo != newest || m.ReadSince != got.Since || m.ReadKnown != got.Known) {
			t.Errorf("carol is described as %+v, want what she has read after %s, up to %s", m, joinedAt, newest)
		}
	}
	for i, m := range s.History("alice", room) {
		if got, want := slices.Contains(m.ReadBy, "carol"), i < 2; got != want {
			t.Errorf("%s was read by carol: %t, want %t", m.Content, got, want)
		}
	}
}

// A read that ends after its reader was removed leaves a cursor of a user who
// is not a member. It takes no member's place.
func TestTheCursorOfWhoHasLeftHidesNoOther(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob", "carol")
	ack, _ := s.Connect("alice").Deliver(room, "hi", "")
	if status := s.API("alice", http.MethodDelete, "/rooms/"+room+"/members/bob", nil, nil); status != http.StatusNoContent {
		t.Fatalf("remove bob: status %d", status)
	}
	store := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, time.Now)
	if _, err := store.AdvanceReadCursor(t.Context(), room, "bob", chat.ReadCursor{UpTo: ack.MessageID}, 1); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"alice", "carol"} {
		readUpTo(s, user, room, ack.MessageID)
	}
	if got := cursor(s, "alice", room, "carol"); got != ack.MessageID {
		t.Errorf("carol has read up to %q, want %q", got, ack.MessageID)
	}
}

// However many devices say so at once, the cursor stands at the newest.
func TestConcurrentReadsMoveForward(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	var ids []string
	for i := range 8 {
		ack, _ := alice.Deliver(room, fmt.Sprint(i), "")
		ids = append(ids, ack.MessageID)
	}
	s.Token("bob", 0)
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() { readUpTo(s, "bob", room, id) })
	}
	all.Wait()
	if got := cursor(s, "alice", room, "bob"); got != ids[len(ids)-1] {
		t.Errorf("bob has read up to %s, want %s", got, ids[len(ids)-1])
	}
	for _, m := range s.History("alice", room) {
		if !slices.Contains(m.ReadBy, "bob") {
			t.Errorf("%s was not read by bob", m.Content)
		}
	}
}

// A cursor is a place in the list: rooms that move to its top are not met again,
// and none is missed that stays.
func TestRoomCursorsSurviveNewMessages(t *testing.T) {
	s := start(t, local.Config{Wrap: rig.Hasten})
	want := map[string]bool{}
	var rooms []string
	for range 6 {
		id := s.Room("alice")
		rooms = append(rooms, id)
		want[id] = true
	}
	var first wire.RoomList
	s.API("alice", http.MethodGet, "/rooms?limit=3", nil, &first)
	cursorRoom := first.Rooms[2].ChatRoomID
	for _, r := range first.Rooms {
		delete(want, r.ChatRoomID)
	}
	alice := s.Connect("alice")
	alice.Deliver(cursorRoom, "the room that the cursor came from moves", "")
	rig.Eventually(t, "the move", func() bool {
		var list wire.RoomList
		s.API("alice", http.MethodGet, "/rooms?limit=1", nil, &list)
		return list.Rooms[0].ChatRoomID == cursorRoom
	})
	for cursor := first.Cursor; cursor != ""; {
		var page wire.RoomList
		if status := s.API("alice", http.MethodGet, "/rooms?limit=3&cursor="+cursor, nil, &page); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		for _, r := range page.Rooms {
			if !want[r.ChatRoomID] && r.ChatRoomID != local.Lobby {
				t.Errorf("the list has %s twice", r.ChatRoomID)
			}
			delete(want, r.ChatRoomID)
		}
		cursor = page.Cursor
	}
	if len(want) > 0 {
		t.Errorf("%d rooms of %d were missed", len(want), len(rooms))
	}
	var problem wire.Problem
	if status := s.API("bob", http.MethodGet, "/rooms?cursor="+first.Cursor, nil, &problem); status != http.StatusBadRequest || problem.Code != "invalid_request" {
		t.Errorf("alice's cursor is answered to bob with %d, %+v", status, problem)
	}
}
