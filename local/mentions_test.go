package local_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// mention sends a message that mentions users, or whatever else is in their place.
func mention(t *testing.T, d *rig.Socket, room, content string, mentioned any) {
	t.Helper()
	frame, err := json.Marshal(map[string]any{
		"action": wire.ActionSendMessage, "chatRoomId": room, "content": content, "mentions": mentioned, "clientMessageId": "c-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Write(string(frame))
}

// listed is a room in a user's list.
func listed(s *rig.Rig, user, room string) wire.RoomSummary {
	s.T.Helper()
	var out wire.RoomList
	if status := s.API(user, http.MethodGet, "/rooms", nil, &out); status != http.StatusOK {
		s.T.Fatalf("rooms: status %d", status)
	}
	i := slices.IndexFunc(out.Rooms, func(r wire.RoomSummary) bool { return r.ChatRoomID == room })
	if i < 0 {
		s.T.Fatalf("%s has no room %s", user, room)
	}
	return out.Rooms[i]
}

// Mentions come wherever a message comes, and are counted until they are read.
func TestMentions(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob", "carol")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	_, first := alice.Deliver(room, "first", "")
	mention(t, alice, room, "@bob?", []string{"Bob", "bob", "alice"})
	want := []string{"bob", "alice"}
	got := bob.ExpectIn(room, wire.TypeMessage)
	for got.Content != "@bob?" {
		got = bob.ExpectIn(room, wire.TypeMessage)
	}
	if !slices.Equal(got.Mentions, want) {
		t.Errorf("the frame mentions %q, want %q", got.Mentions, want)
	}
	if in := listed(s, "bob", room); in.Unread != 2 || in.Mentions != 1 {
		t.Errorf("bob's list has %d unread, %d mentions", in.Unread, in.Mentions)
	}
	var missed wire.SyncResponse
	s.API("bob", http.MethodPost, "/sync", wire.SyncRequest{Rooms: map[string]string{room: first.MessageID}}, &missed)
	for name, messages := range map[string][]wire.HistoryMessage{"history": s.History("bob", room)[:1], "sync": missed.Rooms[room].Messages} {
		if len(messages) != 1 || !slices.Equal(messages[0].Mentions, want) {
			t.Errorf("%s: %+v, want mentions of %q", name, messages, want)
		}
	}
	path := "/rooms/" + room + "/messages/" + got.MessageID
	var edited wire.HistoryMessage
	s.API("alice", http.MethodPatch, path, wire.EditRequest{Content: "@carol?", Mentions: &[]string{"CAROL"}}, &edited)
	frame := bob.ExpectIn(room, wire.TypeMessageEdited)
	if want := []string{"carol"}; !slices.Equal(edited.Mentions, want) || !slices.Equal(frame.Mentions, want) {
		t.Errorf("after an edit: the answer mentions %q, the frame %q", edited.Mentions, frame.Mentions)
	}
	if of, other := listed(s, "bob", room).Mentions, listed(s, "carol", room).Mentions; of != 0 || other != 1 {
		t.Errorf("after an edit: bob has %d mentions, carol %d", of, other)
	}
	s.API("carol", http.MethodPost, "/rooms/"+room+"/read", wire.ReadRequest{UpTo: got.MessageID}, nil)
	if in := listed(s, "carol", room); in.Unread != 0 || in.Mentions != 0 {
		t.Errorf("after a read: %d unread, %d mentions", in.Unread, in.Mentions)
	}
}

func TestMentions_AreRefusedAndNothingStored(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	for name, test := range map[string]struct {
		mentions any
		code     string
	}{
		"no member":     {[]string{"bob", "carol"}, "not_found"},
		"too many":      {slices.Repeat([]string{"bob"}, 21), "invalid_request"},
		"no user id":    {[]string{"bob", "a#b"}, "invalid_request"},
		"a text":        {"bob", "invalid_request"},
		"no texts":      {[]int{7}, "invalid_request"},
		"an invisible":  {[]string{"bo\u200bb"}, "invalid_request"},
		"a blank in it": {[]string{" bob"}, "invalid_request"},
	} {
		mention(t, alice, room, "hi", test.mentions)
		if got := alice.Expect(wire.TypeError); got.Code != test.code || got.ClientMessageID != "c-1" {
			t.Errorf("%s: %+v, want %s", name, got, test.code)
		}
	}
	if got := s.History("alice", room); len(got) != 0 {
		t.Errorf("the room has %+v, want nothing", got)
	}
	_, message := alice.Deliver(room, "x", "")
	path := "/rooms/" + room + "/messages/" + message.MessageID
	for want, users := range map[int][]string{http.StatusNotFound: {"carol"}, http.StatusBadRequest: slices.Repeat([]string{"bob"}, 21)} {
		if got := s.API("alice", http.MethodPatch, path, wire.EditRequest{Content: "y", Mentions: &users}, nil); got != want {
			t.Errorf("an edit that mentions %q: status %d, want %d", users, got, want)
		}
	}
}

// Go clients send and get mentions.
func TestMentions_OfAGoClient(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice, bob := follow(s, "alice", room), follow(s, "bob", room)
	alice.tell(room, "who?", client.Mentioning("bob"))
	for name, f := range map[string]*follower{"the sender": alice, "bob": bob} {
		f.has(room, "who?")
		if got := f.messages(room)[0].Mentions; !slices.Equal(got, []string{"bob"}) {
			t.Errorf("%s: the message mentions %q", name, got)
		}
	}
}
