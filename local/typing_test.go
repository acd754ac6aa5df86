package local_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

func TestASmallRoomIsToldWhoTypes(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice, tablet, phone, laptop := s.Connect("alice"), s.Connect("alice"), s.Connect("bob"), s.Connect("bob")
	before := time.Now().UnixMilli()
	for range 5 { // of which one counts
		alice.Types(room)
	}
	for d, got := range map[*rig.Socket]wire.ServerFrame{phone: alice.TypesTo(room, phone), laptop: laptop.Expect(wire.TypeTyping)} {
		if got.ChatRoomID != room || got.UserID != "alice" || got.At < before || got.At > time.Now().UnixMilli() {
			t.Errorf("%s is told %+v", d.ConnectionID, got)
		}
		d.ExpectNone(wire.TypeTyping)
	}
	for _, d := range []*rig.Socket{alice, tablet} {
		d.ExpectNone(wire.TypeTyping)
	}
}

func TestWhoMayNotTypeWritesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	bob, mallory := s.Connect("bob"), s.Connect("mallory")
	mallory.Types(room)
	if refused := mallory.Expect(wire.TypeError); refused.Code != string(chat.CodeNotAMember) || refused.Action != wire.ActionTyping {
		t.Errorf("mallory is answered %+v", refused)
	}
	bob.ExpectNone(wire.TypeTyping)
	wantNotes(t, s, 0)
}

func TestALargerRoomIsNotToldWhoTypes(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	users := []string{"alice", "bob"}
	for i := range chat.TypingRoom - 1 {
		users = append(users, fmt.Sprintf("user-%02d", i))
	}
	room := s.Room(users...)
	alice, bob := s.Connect("alice"), s.Connect("bob")
	alice.Types(room)
	bob.ExpectNone(wire.TypeTyping)
	wantNotes(t, s, 0)
}

func TestTypingIsSwitchedOff(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{Wrap: switchedOff(config.Typing)})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	alice.Types(room)
	if refused := alice.Expect(wire.TypeError); refused.Code != string(chat.CodeUnknownAction) {
		t.Errorf("alice is answered %+v", refused)
	}
	alice.Write(`{"action":"ping"}`)
	if pong := alice.Expect(wire.TypePong); !slices.Equal(pong.Off, []string{wire.OffTyping}) {
		t.Errorf("the pong %+v does not say that typing is off", pong)
	}
	wantNotes(t, s, 0)
}

// wantNotes checks how many typing notes there are.
func wantNotes(t *testing.T, s *rig.Rig, want int) {
	t.Helper()
	notes := 0
	for key := range s.Dump() {
		if id, err := table.Parse(key); err == nil && id.Kind == table.KindTyping {
			notes++
		}
	}
	if notes != want {
		t.Errorf("the table has %d typing notes, want %d", notes, want)
	}
}
