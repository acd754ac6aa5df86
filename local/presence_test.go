package local_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// expectPresence waits for the next frame about a user's presence.
func expectPresence(t *testing.T, d *rig.Socket, user string, online bool) wire.ServerFrame {
	t.Helper()
	got := d.Expect(wire.TypePresence)
	if got.UserID != user || got.Online != online {
		t.Fatalf("%s is told %+v, want %s online %t", d.User, got, user, online)
	}
	return got
}

func closes(d *rig.Socket, status websocket.StatusCode) {
	d.Rig.T.Helper()
	if err := d.Conn.Close(status, ""); err != nil {
		d.Rig.T.Errorf("close: %v", err)
	}
}

// sighting is how a member is described.
func sighting(t *testing.T, s *rig.Rig, reader, room, user string) wire.RoomMember {
	t.Helper()
	var in wire.Room
	if status := s.API(reader, http.MethodGet, "/rooms/"+room, nil, &in); status != http.StatusOK {
		t.Fatalf("GET room answers %d", status)
	}
	i := slices.IndexFunc(in.Members, func(m wire.RoomMember) bool { return m.UserID == user })
	if i < 0 {
		t.Fatalf("no member %s", user)
	}
	return in.Members[i]
}

func TestMembersAreToldWhoComesAndGoes(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	var dm wire.Room
	s.API("alice", http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bob"}}, &dm)
	direct := dm.ChatRoomID
	alice := s.Connect("alice")
	phone := s.Connect("bob")
	came := expectPresence(t, alice, "bob", true)
	laptop := s.Connect("bob")
	closes(phone, websocket.StatusNormalClosure)
	alice.ExpectNone(wire.TypePresence) // a device is left
	if m := sighting(t, s, "alice", room, "bob"); !m.Online || m.LastSeenAt != 0 {
		t.Errorf("bob is described as %+v, want online", m)
	}

	closes(laptop, chat.Returning) // as a client does before its two hours are over
	again := s.Connect("bob")
	alice.ExpectNone(wire.TypePresence)
	closes(again, websocket.StatusGoingAway)
	gone := expectPresence(t, alice, "bob", false)
	if gone.At <= came.At || gone.LastSeenAt != gone.At {
		t.Errorf("bob came as %+v and has gone as %+v", came, gone)
	}
	alice.ExpectNone(wire.TypePresence) // once, with two rooms of both
	if m := sighting(t, s, "alice", room, "bob"); m.Online || m.LastSeenAt < came.At || m.LastSeenAt > gone.At {
		t.Errorf("bob is described as %+v, want seen between %d and %d", m, came.At, gone.At)
	}
	var in wire.RoomPresence
	if status := s.API("bob", http.MethodGet, "/rooms/"+direct+"/presence", nil, &in); status != http.StatusOK || in.Online != 1 || len(in.Users) != 2 || !in.Users[0].Online {
		t.Errorf("presence is answered with %d, %+v; want alice online, and bob", status, in)
	}
	if status := s.API("mallory", http.MethodGet, "/rooms/"+room+"/presence", nil, nil); status != http.StatusForbidden {
		t.Errorf("mallory gets %d", status)
	}
	var rooms wire.RoomList
	s.API("bob", http.MethodGet, "/rooms", nil, &rooms)
	if !slices.ContainsFunc(rooms.Rooms, func(r wire.RoomSummary) bool { return r.With != nil && r.With.Online }) {
		t.Errorf("the list %+v does not say that alice is online", rooms)
	}
}

func TestWhoHidesItIsNeverTold(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	expectPresence(t, alice, "bob", true)
	set := func(presence string) {
		t.Helper()
		var me wire.Me
		if status := s.API("bob", http.MethodPut, "/me", wire.NameChange{Presence: &presence}, &me); status != http.StatusOK || (me.Presence == wire.PresenceHidden) != (presence == wire.PresenceHidden) {
			t.Fatalf("PUT /me answers %d, %+v", status, me)
		}
	}
	set(wire.PresenceHidden)
	if gone := expectPresence(t, alice, "bob", false); gone.LastSeenAt != 0 {
		t.Errorf("alice is told %+v, want no time", gone)
	}
	closes(bob, websocket.StatusNormalClosure)
	bob = s.Connect("bob")
	alice.ExpectNone(wire.TypePresence)
	if m := sighting(t, s, "alice", room, "bob"); m.Online || m.LastSeenAt != 0 {
		t.Errorf("bob is described as %+v, want nothing of it", m)
	}
	set(wire.PresenceShown)
	expectPresence(t, alice, "bob", true)
	closes(bob, websocket.StatusNormalClosure)
	expectPresence(t, alice, "bob", false)
}

func TestPresenceIsSwitchedOff(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{Wrap: switchedOff(config.Presence)})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	closes(s.Connect("bob"), websocket.StatusNormalClosure)
	alice.ExpectNone(wire.TypePresence)
	if m := sighting(t, s, "alice", room, "alice"); m.Online {
		t.Errorf("alice is described as %+v", m)
	}
	if status := s.API("alice", http.MethodGet, "/rooms/"+room+"/presence", nil, nil); status != http.StatusBadRequest {
		t.Errorf("presence is answered with %d", status)
	}
	alice.Write(`{"action":"ping"}`)
	if pong := alice.Expect(wire.TypePong); !slices.Equal(pong.Off, []string{wire.OffPresence}) {
		t.Errorf("the pong %+v does not say that presence is off", pong)
	}
}
