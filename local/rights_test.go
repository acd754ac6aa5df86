package local_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// ptr returns a pointer to a value.
func ptr[T any](v T) *T { return &v }

// newStaff makes a room with members of every role.
func newStaff(t *testing.T) *rig.Staff {
	t.Helper()
	return rig.NewStaff(start(t, local.Config{LogLevel: "warn", Wrap: rig.Unlimited}))
}

// Every role, strangers, services and who has no token, over the HTTP API and sockets. In
// package infra the same table is checked within what the deployed roles allow.
func TestRightsOverTheWire(t *testing.T) {
	rig.CheckRights(start(t, local.Config{LogLevel: "warn", Wrap: rig.Unlimited}))
}

// What moderators do reaches all, and is in what is read.
func TestModeration(t *testing.T) {
	s := newStaff(t)
	mara, paul := s.Sockets["mara"], s.Sockets["paul"]
	until := time.Now().Add(time.Hour).UnixMilli()
	for i, change := range []wire.MemberChange{{MutedUntil: &until}, {MutedUntil: ptr(int64(0))}} {
		var now wire.ChangedMember
		s.API("mara", http.MethodPatch, "/rooms/"+s.RoomID+"/members?userId=paul", change, &now)
		var frame wire.ServerFrame
		for frame.UserID != "paul" { // after those of the room's beginning
			frame = mara.ExpectIn(s.RoomID, wire.TypeMemberChanged)
		}
		want := wire.ServerFrame{UserID: "paul", Role: "member", MutedUntil: *change.MutedUntil, At: now.ChangedAt}
		if frame.UserID != want.UserID || frame.Role != want.Role || frame.MutedUntil != want.MutedUntil || frame.At != want.At || want.At == 0 {
			t.Errorf("mara got %+v, want %+v", frame, want)
		}
		wantCode := []string{string(chat.CodeMuted), ""}[i]
		paul.Send(s.RoomID, "now?", "")
		answer := paul.Expect(wire.TypeAck, wire.TypeError)
		if answer.Code != wantCode || answer.Until != *change.MutedUntil {
			t.Errorf("paul is answered %+v, want the code %q", answer, wantCode)
		}
	}
	var room wire.Room
	s.API("paul", http.MethodGet, "/rooms/"+s.RoomID, nil, &room)
	for _, m := range room.Members {
		if m.UserID == "mara" && m.Role != "moderator" || m.UserID == "tina" && m.MutedUntil == 0 {
			t.Errorf("the list has %+v", m)
		}
	}
	// One's own is there, wherever in the list one is.
	var own wire.Room
	s.API("tina", http.MethodGet, "/rooms/"+s.RoomID+"?limit=1", nil, &own)
	if own.Role != "member" || own.MutedUntil == 0 || own.ChangedAt == 0 || own.Members[0].UserID == "tina" {
		t.Errorf("tina reads %+v", own)
	}
	id := s.Sent["paul"]
	if code := s.Ask("mara", http.MethodDelete, "/messages/"+id, nil); code != "" {
		t.Fatalf("mara deletes paul's message: %s", code)
	}
	if frame := paul.ExpectIn(s.RoomID, wire.TypeMessageDeleted); frame.MessageID != id || frame.DeletedBy != "mara" || frame.SenderID != "paul" {
		t.Errorf("paul got %+v", frame)
	}
	var missed wire.SyncResponse
	s.API("pia", http.MethodPost, "/sync", wire.SyncRequest{Rooms: map[string]string{s.RoomID: s.Sent["mara"][:10] + "0000000000000000"}}, &missed)
	for from, messages := range map[string][]wire.HistoryMessage{"history": s.History("pia", s.RoomID), "sync": missed.Rooms[s.RoomID].Messages} {
		i := slices.IndexFunc(messages, func(m wire.HistoryMessage) bool { return m.MessageID == id })
		if i < 0 || messages[i].DeletedBy != "mara" || messages[i].Content != "" {
			t.Errorf("%s: %+v", from, messages)
		}
	}
}

// Who is banned gets nothing of the room from then on, and comes back when it is over.
// Their sockets end; another one has their other rooms.
func TestBan(t *testing.T) {
	s := newStaff(t)
	room, devices := "/rooms/"+s.RoomID, []*rig.Socket{s.Connect("pia"), s.Connect("pia")}
	other := s.Room("pia", "sven")
	s.API("olga", http.MethodPatch, room, wire.RoomChange{Visibility: ptr(wire.Public)}, nil)
	if code := s.Ask("mara", http.MethodPut, "/bans?userId=pia", wire.BanRequest{Reason: "spam"}); code != "" {
		t.Fatalf("mara bans pia: %s", code)
	}
	for _, device := range devices {
		if frame := device.Expect(wire.TypeError); frame.Code != string(chat.CodeReconnect) {
			t.Errorf("pia got %+v", frame)
		}
		device.ExpectEnd()
	}
	pia := s.Connect("pia")
	s.Sockets["olga"].Deliver(s.RoomID, "without pia", "")
	pia.ExpectNoneIn(s.RoomID, wire.TypeMessage)
	pia.Send(s.RoomID, "hello", "")
	if frame := pia.Expect(wire.TypeAck, wire.TypeError); frame.Code != string(chat.CodeNotAMember) {
		t.Errorf("pia sends and is answered %+v", frame)
	}
	s.Sockets["sven"].Deliver(other, "with pia", "")
	if frame := pia.ExpectIn(other, wire.TypeMessage); frame.Content != "with pia" {
		t.Errorf("pia got %+v", frame)
	}
	for user, path := range map[string]string{"pia": "/join", "olga": "/members"} {
		var body any
		if user == "olga" {
			body = wire.MemberRequest{UserID: "pia"}
		}
		if code := s.Ask(user, http.MethodPost, path, body); code != string(chat.CodeBanned) {
			t.Errorf("%s by %s is answered %q, want banned", path, user, code)
		}
	}
	var list wire.BanList
	s.API("mara", http.MethodGet, room+"/bans", nil, &list)
	if len(list.Bans) != 2 || list.Bans[1].UserID != "pia" || list.Bans[1].By != "mara" || list.Bans[1].Reason != "spam" || list.Bans[1].At == 0 {
		t.Errorf("banned are %+v", list)
	}
	if code := s.Ask("mara", http.MethodDelete, "/bans?userId=pia", nil) + s.Ask("pia", http.MethodPost, "/join", nil); code != "" {
		t.Errorf("pia does not come back: %s", code)
	}
	pia.ExpectIn(s.RoomID, wire.TypeMemberJoined)
	// A user banned in their absence is back, and a ban that is made again ends nothing.
	s.Ask("mara", http.MethodPut, "/bans?userId=bert", wire.BanRequest{})
	s.Sockets["bert"].Write(`{"action":"ping"}`)
	s.Sockets["bert"].Expect(wire.TypePong)
}

// A client comes back by itself, and has its user's other rooms and not that one.
func TestBan_AClientComesBack(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room, other := s.Room("alice", "bob"), s.Room("alice", "bob")
	bob, alice := follow(s, "bob", room, other), s.Connect("alice")
	alice.Deliver(room, "before", "")
	bob.has(room, "before")
	if status := s.API("alice", http.MethodPut, "/rooms/"+room+"/bans?userId=bob", wire.BanRequest{}, nil); status != http.StatusOK {
		t.Fatalf("alice bans bob: status %d", status)
	}
	bob.online(2)
	alice.Deliver(room, "without bob", "")
	alice.Deliver(other, "with bob", "")
	bob.has(other, "with bob")
	if got := bob.contents(room); !slices.Equal(got, []string{"before"}) {
		t.Errorf("bob has %q of the room", got)
	}
	rooms, err := bob.Rooms(t.Context())
	for id, want := range map[string]bool{room: false, other: true} {
		if got := slices.ContainsFunc(rooms, func(r client.RoomSummary) bool { return r.ChatRoomID == id }); got != want || err != nil {
			t.Errorf("bob's rooms are %+v, %v; want %s among them: %t", rooms, err, id, want)
		}
	}
}

// Who is blocked begins no direct message, writes in none, and adds no one; nor does who
// blocks write.
func TestBlock(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	alice, bob := s.Connect("alice"), s.Connect("bob")
	direct := func(by, with string) (room wire.Room, status int) {
		status = s.API(by, http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{with}}, &room)
		return room, status
	}
	group := s.Room("bob", "carol")
	add := func() int {
		return s.API("bob", http.MethodPost, "/rooms/"+group+"/members", wire.MemberRequest{UserID: "alice"}, nil)
	}
	for _, exists := range []bool{false, true} {
		s.API("alice", http.MethodPut, "/me/blocks/bob", nil, nil)
		var list wire.BlockList
		s.API("alice", http.MethodGet, "/me/blocks", nil, &list)
		if len(list.Blocks) != 1 || list.Blocks[0].UserID != "bob" || list.Blocks[0].At == 0 {
			t.Errorf("blocked are %+v", list)
		}
		want := http.StatusForbidden
		if exists {
			want = http.StatusOK
		}
		for by, with := range map[string]string{"alice": "bob", "bob": "alice"} {
			room, status := direct(by, with)
			if status != want {
				t.Errorf("%s asks for a direct message: status %d, want %d", by, status, want)
			}
			if exists {
				d := map[string]*rig.Socket{"alice": alice, "bob": bob}[by]
				d.Send(room.ChatRoomID, "hello", "")
				if frame := d.Expect(wire.TypeAck, wire.TypeError); frame.Code != string(chat.CodeForbidden) {
					t.Errorf("%s writes and is answered %+v", by, frame)
				}
			}
		}
		if status := add(); status != http.StatusForbidden {
			t.Errorf("bob adds alice: status %d", status)
		}
		if status := s.API("bob", http.MethodPost, "/rooms", wire.RoomRequest{Type: "group", Name: "Trap", Members: []string{"carol", "alice"}}, nil); status != http.StatusForbidden {
			t.Errorf("bob makes a room with alice: status %d", status)
		}
		s.API("alice", http.MethodDelete, "/me/blocks/bob", nil, nil)
		room, _ := direct("bob", "alice")
		bob.Deliver(room.ChatRoomID, "hello", "")
		alice.Deliver(room.ChatRoomID, "hello", "")
	}
	if status := add(); status != http.StatusCreated {
		t.Errorf("bob adds alice, who does not block him any more: status %d", status)
	}
}
