package local_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/wire"
)

// summary is what a user's list says of a room.
func (s *server) summary(user, room string) wire.RoomSummary {
	s.t.Helper()
	var list wire.RoomList
	s.api(user, http.MethodGet, "/rooms?limit=100", nil, &list)
	i := slices.IndexFunc(list.Rooms, func(r wire.RoomSummary) bool { return r.ChatRoomID == room })
	if i < 0 {
		s.t.Fatalf("the list of %s lacks %s", user, room)
	}
	return list.Rooms[i]
}

// readUpTo moves a user's read cursor.
func (s *server) readUpTo(user, room, messageID string) {
	s.t.Helper()
	if status := s.api(user, http.MethodPost, "/rooms/"+room+"/read", wire.ReadRequest{UpTo: messageID}, nil); status != http.StatusNoContent {
		s.t.Fatalf("%s reads: status %d", user, status)
	}
}

// cursor is how far a user has read, as another member sees it.
func (s *server) cursor(as, room, user string) string {
	s.t.Helper()
	var description wire.Room
	s.api(as, http.MethodGet, "/rooms/"+room, nil, &description)
	for _, m := range description.Members {
		if m.UserID == user {
			return m.ReadUpTo
		}
	}
	s.t.Fatalf("%s is no member of %s", user, room)
	return ""
}

// flood stores n messages, faster than a connection may send.
func (s *server) flood(room, sender string, n int) {
	s.t.Helper()
	store := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, time.Now)
	ids := chat.NewIDs(time.Now, rand.Reader)
	for i := range n {
		id, ms, err := ids.Message()
		if err != nil {
			s.t.Fatal(err)
		}
		m := chat.Message{RoomID: room, ID: id, SenderID: sender, Content: fmt.Sprint(i), SentAt: ms, ReadBy: []string{sender}}
		if _, _, err := store.PutMessage(s.t.Context(), m, ms); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestUnreadCountsWhatOthersSaid(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	alice, bob := s.connect("alice"), s.connect("bob")
	var ids []string
	for i := range 5 {
		ack, _ := alice.deliver(room, fmt.Sprint(i), "")
		ids = append(ids, ack.MessageID)
	}
	bob.deliver(room, "mine", "")

	for _, step := range []struct {
		upTo string
		want int
	}{{"", 5}, {ids[1], 3}, {ids[0], 3}, {ids[4], 0}} { // a cursor never moves back
		if step.upTo != "" {
			s.readUpTo("bob", room, step.upTo)
		}
		if got := s.summary("bob", room).Unread; got != step.want {
			t.Errorf("after reading up to %s, %d are unread, want %d", step.upTo, got, step.want)
		}
	}
	if got := s.summary("alice", room).Unread; got != 1 {
		t.Errorf("alice has %d unread, want bob's one", got)
	}
	alice.deliver(room, "gone", "")
	last := s.history("alice", room)[0].MessageID
	s.api("alice", http.MethodDelete, "/rooms/"+room+"/messages/"+last, nil, nil)
	if got := s.summary("bob", room).Unread; got != 0 {
		t.Errorf("a deleted message counts: %d", got)
	}
}

func TestUnreadStopsAtAHundred(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	s.flood(room, "alice", 103)
	if got := s.summary("bob", room).Unread; got != 100 {
		t.Errorf("%d are unread, want 100", got)
	}
}

func TestASmallRoomIsToldWhoHasRead(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob", "carol")
	alice, phone, laptop := s.connect("alice"), s.connect("bob"), s.connect("bob")
	first, _ := alice.deliver(room, "one", "")
	second, _ := alice.deliver(room, "two", "")

	s.readUpTo("bob", room, second.MessageID)
	for _, d := range []*device{alice, phone, laptop} {
		if got := d.expect(wire.TypeRead); got.ChatRoomID != room || got.UserID != "bob" || got.UpTo != second.MessageID {
			t.Errorf("%s is told %+v", d.user, got)
		}
	}
	for _, m := range s.history("carol", room) {
		if !slices.Equal(m.ReadBy, []string{"alice", "bob"}) {
			t.Errorf("%s was read by %q", m.Content, m.ReadBy)
		}
	}
	s.readUpTo("bob", room, first.MessageID) // nothing happens
	alice.none(wire.TypeRead)
	if got := s.cursor("carol", room, "bob"); got != second.MessageID {
		t.Errorf("bob has read up to %s, want %s", got, second.MessageID)
	}
	if got := s.cursor("carol", room, "carol"); got != "" {
		t.Errorf("carol has read up to %s", got)
	}
}

func TestALargerRoomDerivesWhoHasRead(t *testing.T) {
	s := start(t, local.Config{})
	users := []string{"alice", "bob"}
	for i := range 20 {
		users = append(users, fmt.Sprintf("user-%02d", i))
	}
	room := s.room(users...)
	alice, phone, laptop := s.connect("alice"), s.connect("bob"), s.connect("bob")
	first, _ := alice.deliver(room, "one", "")
	alice.deliver(room, "two", "")

	s.readUpTo("bob", room, first.MessageID)
	for _, d := range []*device{phone, laptop} { // their own devices stay in step
		if got := d.expect(wire.TypeRead); got.UserID != "bob" || got.UpTo != first.MessageID {
			t.Errorf("%s is told %+v", d.user, got)
		}
	}
	alice.none(wire.TypeRead)
	for _, m := range s.history("alice", room) {
		want := []string{"alice"}
		if m.MessageID == first.MessageID {
			want = []string{"alice", "bob"}
		}
		if !slices.Equal(m.ReadBy, want) {
			t.Errorf("%s was read by %q, want %q", m.Content, m.ReadBy, want)
		}
	}
}

// A message's readers don't grow without end where members come and go, and
// reading goes on.
func TestAMessageKeepsItsFirstReaders(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	id, ms, err := chat.NewIDs(time.Now, rand.Reader).Message()
	if err != nil {
		t.Fatal(err)
	}
	m := chat.Message{RoomID: room, ID: id, SenderID: "alice", Content: "hi", SentAt: ms}
	for i := range chat.CountedReaders {
		m.ReadBy = append(m.ReadBy, fmt.Sprint("gone-", i))
	}
	if _, _, err := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, time.Now).PutMessage(t.Context(), m, ms); err != nil {
		t.Fatal(err)
	}
	s.readUpTo("bob", room, id)
	if got := len(s.history("alice", room)[0].ReadBy); got != chat.CountedReaders {
		t.Errorf("%d have read the message, want the first %d", got, chat.CountedReaders)
	}
	if got := s.cursor("alice", room, "bob"); got != id {
		t.Errorf("bob has read up to %q, want %q", got, id)
	}
}

// A read that ends after its reader was removed leaves a cursor of somebody who
// is no member. It takes nobody's place.
func TestTheCursorOfWhoHasLeftHidesNoOther(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob", "carol")
	ack, _ := s.connect("alice").deliver(room, "hi", "")
	if status := s.api("alice", http.MethodDelete, "/rooms/"+room+"/members/bob", nil, nil); status != http.StatusNoContent {
		t.Fatalf("remove bob: status %d", status)
	}
	store := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, time.Now)
	if err := store.AdvanceReadCursor(t.Context(), room, "bob", ack.MessageID, 1); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"alice", "carol"} {
		s.readUpTo(user, room, ack.MessageID)
	}
	if got := s.cursor("alice", room, "carol"); got != ack.MessageID {
		t.Errorf("carol has read up to %q, want %q", got, ack.MessageID)
	}
}

// However many devices say so at once, the cursor stands at the newest.
func TestConcurrentReadsMoveForward(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	alice := s.connect("alice")
	var ids []string
	for i := range 8 {
		ack, _ := alice.deliver(room, fmt.Sprint(i), "")
		ids = append(ids, ack.MessageID)
	}
	s.token("bob", 0)
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() { s.readUpTo("bob", room, id) })
	}
	all.Wait()
	if got := s.cursor("alice", room, "bob"); got != ids[len(ids)-1] {
		t.Errorf("bob has read up to %s, want %s", got, ids[len(ids)-1])
	}
	for _, m := range s.history("alice", room) {
		if !slices.Contains(m.ReadBy, "bob") {
			t.Errorf("%s was not read by bob", m.Content)
		}
	}
}

// A cursor is a place in the list: rooms that move to its top are not met again,
// and none is missed that stays.
func TestRoomCursorsSurviveNewMessages(t *testing.T) {
	s := start(t, local.Config{})
	want := map[string]bool{}
	var rooms []string
	for range 6 {
		id := s.room("alice")
		rooms = append(rooms, id)
		want[id] = true
	}
	var first wire.RoomList
	s.api("alice", http.MethodGet, "/rooms?limit=3", nil, &first)
	cursorRoom := first.Rooms[2].ChatRoomID
	for _, r := range first.Rooms {
		delete(want, r.ChatRoomID)
	}
	alice := s.connect("alice")
	alice.deliver(cursorRoom, "the room that the cursor came from moves", "")
	eventually(t, "the move", func() bool {
		var list wire.RoomList
		s.api("alice", http.MethodGet, "/rooms?limit=1", nil, &list)
		return list.Rooms[0].ChatRoomID == cursorRoom
	})
	for cursor := first.Cursor; cursor != ""; {
		var page wire.RoomList
		if status := s.api("alice", http.MethodGet, "/rooms?limit=3&cursor="+cursor, nil, &page); status != http.StatusOK {
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
	if status := s.api("bob", http.MethodGet, "/rooms?cursor="+first.Cursor, nil, &problem); status != http.StatusBadRequest || problem.Code != "invalid_request" {
		t.Errorf("alice's cursor is answered to bob with %d, %+v", status, problem)
	}
}
