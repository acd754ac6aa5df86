package local_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// An edit moves no room and no message, and an older message's text never becomes
// the preview.
func TestAnEditMovesNothing(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock})
	first, second := s.Room("alice", "bob"), s.Room("alice", "bob")
	alice := s.Connect("alice")
	say := func(room, content string) string {
		clock.Advance(time.Second)
		ack, _ := alice.Deliver(room, content, "")
		return ack.MessageID
	}
	oldest, last := say(second, "oldest"), say(second, "last")
	say(first, "newest")
	list := func() (shown []string) {
		clock.Advance(time.Second)
		var out wire.RoomList
		s.API("bob", http.MethodGet, "/rooms", nil, &out)
		for _, r := range out.Rooms {
			if r.LastMessage != nil {
				shown = append(shown, r.ChatRoomID+" "+r.LastMessage.Preview)
			}
		}
		return shown
	}
	want := []string{first + " newest", second + " last"}
	rig.Eventually(t, "the order of the rooms", func() bool { return slices.Equal(list(), want) })
	clock.Advance(time.Hour)
	edit(s, "alice", second, oldest, "OLDEST")
	edit(s, "alice", second, last, "LAST")
	want[1] = second + " LAST"
	rig.Eventually(t, "the edited preview", func() bool { return slices.Equal(list(), want) })
	var contents []string
	for _, m := range s.History("bob", second) {
		contents = append(contents, m.Content)
	}
	if diff := cmp.Diff([]string{"LAST", "OLDEST"}, contents); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
}

// Pages leave nothing out and repeat nothing, though all happened at one time, and
// whatever the position from which one reads on.
func TestPagesOfOneMillisecond(t *testing.T) {
	s := start(t, local.Config{Clock: clockwork.NewFakeClockAt(time.Now())})
	want := []string{local.Lobby}
	var room string
	for range 5 {
		room = s.Room("alice", "bob", "carol", "dave")
		want = append(want, room)
	}
	slices.Sort(want)
	s.Token("alice", 0)
	for limit := 1; limit <= 3; limit++ {
		var got []string
		for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
			var out wire.RoomList
			s.API("alice", http.MethodGet, fmt.Sprintf("/rooms?limit=%d&cursor=%s", limit, cursor), nil, &out)
			for _, r := range out.Rooms {
				got = append(got, r.ChatRoomID)
			}
			cursor = out.Cursor
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rooms by %d (-want +got):\n%s", limit, diff)
		}
	}

	alice := s.Connect("alice")
	var ids []string
	for i := range 7 {
		ack, _ := alice.Deliver(room, fmt.Sprint(i), "")
		ids = append(ids, ack.MessageID)
	}
	slices.Sort(ids)
	read := func(after string) (got []string) {
		for more := true; more; {
			var out wire.History
			s.API("bob", http.MethodGet, "/rooms/"+room+"/messages?limit=2&after="+after, nil, &out)
			for _, m := range out.Messages {
				got = append(got, m.MessageID)
			}
			after, more = out.Cursor, out.Cursor != ""
		}
		return got
	}
	first := ids[0][:10] + "0000000000000000"
	if diff := cmp.Diff(ids, read(first)); diff != "" {
		t.Errorf("messages from a position without a message (-want +got):\n%s", diff)
	}
	s.API("alice", http.MethodDelete, messagePath(room, ids[3]), nil, nil)
	if diff := cmp.Diff(ids[4:], read(ids[3])); diff != "" {
		t.Errorf("messages after a deleted one (-want +got):\n%s", diff)
	}
}

// Who is removed gets nothing more and may do nothing more, on the socket that was
// open; who comes back finds the room at once, with all that was said.
func TestLeavingAndComingBack(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	own, _ := bob.Deliver(room, "bob's", "")
	alice.ExpectIn(room, wire.TypeMessage)
	s.API("alice", http.MethodDelete, "/rooms/"+room+"/members?userId=bob", nil, nil)
	bob.ExpectIn(room, wire.TypeMemberLeft)
	missed, _ := alice.Deliver(room, "behind bob's back", "")
	bob.Send(room, "may I?", "c-1")
	if got := bob.Expect(wire.TypeError, wire.TypeAck, wire.TypeMessage); got.Code != "not_a_member" {
		t.Errorf("after the removal bob gets %+v", got)
	}
	for _, r := range []struct{ method, path, body string }{
		{http.MethodPatch, messagePath(room, own.MessageID), `{"content":"x"}`},
		{http.MethodDelete, messagePath(room, own.MessageID), ""},
		{http.MethodPost, "/rooms/" + room + "/read", `{"upTo":"` + missed.MessageID + `"}`},
		{http.MethodGet, "/rooms/" + room + "/messages", ""},
	} {
		c := badInput{"", r.method, r.path, jsonType, r.body, http.StatusForbidden, "not_a_member"}
		if status, problem := bad(s, s.Token("bob", 0), c); status != c.status || problem.Code != c.code {
			t.Errorf("%s %s is answered with %d, %+v", r.method, r.path, status, problem)
		}
	}

	s.API("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: "bob"}, nil)
	bob.ExpectIn(room, wire.TypeMemberJoined)
	var list wire.RoomList
	s.API("bob", http.MethodGet, "/rooms", nil, &list)
	if !slices.ContainsFunc(list.Rooms, func(r wire.RoomSummary) bool { return r.ChatRoomID == room }) {
		t.Errorf("bob's rooms are %+v", list.Rooms)
	}
	alice.Deliver(room, "welcome back", "")
	if got := bob.ExpectIn(room, wire.TypeMessage); got.Content != "welcome back" {
		t.Errorf("bob gets %+v", got)
	}
	if n := len(s.History("bob", room)); n != 3 {
		t.Errorf("bob reads %d messages, want 3", n)
	}
}

// Two devices that read at once leave the later position, and a send that is tried
// on several connections is stored once.
func TestDevicesOfOneUserAgree(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	var ids []string
	for i := range 6 {
		ack, _ := alice.Deliver(room, fmt.Sprint(i), "")
		ids = append(ids, ack.MessageID)
	}
	s.Token("bob", 0)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			s.API("bob", http.MethodPost, "/rooms/"+room+"/read", wire.ReadRequest{UpTo: ids[i%6]}, nil)
		})
	}
	all.Wait()
	var list wire.RoomList
	s.API("bob", http.MethodGet, "/rooms", nil, &list)
	for _, r := range list.Rooms {
		if r.ChatRoomID == room && r.Unread != 0 {
			t.Errorf("%d are unread though the last was read", r.Unread)
		}
	}

	answers := map[string]int{}
	for range 3 {
		device := s.Connect("bob")
		device.Send(room, "once", "c-1")
		answers[device.Expect(wire.TypeAck, wire.TypeError).MessageID]++
	}
	if len(answers) != 1 || len(s.History("alice", room)) != 7 {
		t.Errorf("the tries are answered with %v, and there are %d messages", answers, len(s.History("alice", room)))
	}
}
