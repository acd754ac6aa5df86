package local_test

import (
	"net/http"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/webpush/webpushtest"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// chooses sets what a user is notified of in a room.
func chooses(s *rig.Rig, room, user, notify string) wire.Notify {
	s.T.Helper()
	var now wire.Notify
	if status := s.API(user, http.MethodPut, "/rooms/"+room+"/notify", wire.NotifyRequest{Notify: notify}, &now); status != http.StatusOK {
		s.T.Fatalf("%s chooses %s and is answered %d", user, notify, status)
	}
	return now
}

// What a user is notified of is told to their devices, and is in what they read, theirs alone.
func TestNotify_IsTheUsersOnAllDevices(t *testing.T) {
	s := newStaff(t)
	paul, tablet, mara := s.Sockets["paul"], s.Connect("paul"), s.Sockets["mara"]
	last := int64(0)
	for _, notify := range []string{"none", "mentions", "all"} {
		now := chooses(s.Rig, s.RoomID, "paul", notify)
		for _, device := range []*rig.Socket{paul, tablet} {
			if frame := device.ExpectIn(s.RoomID, wire.TypeNotifyChanged); frame.Notify != notify || frame.At != now.NotifyAt || frame.At <= last {
				t.Errorf("paul's device got %+v, want %+v", frame, now)
			}
		}
		last = now.NotifyAt
		if again := chooses(s.Rig, s.RoomID, "paul", notify); again != now {
			t.Errorf("the same again is answered %+v, want %+v", again, now)
		}
		said := notify
		if notify == "all" {
			said = ""
		}
		var room wire.Room
		var list wire.RoomList
		s.API("paul", http.MethodGet, "/rooms/"+s.RoomID, nil, &room)
		s.API("paul", http.MethodGet, "/rooms", nil, &list)
		if room.Notify != said || room.NotifyAt != last {
			t.Errorf("the room says %q at %d, want %q at %d", room.Notify, room.NotifyAt, said, last)
		}
		for _, r := range list.Rooms {
			if r.ChatRoomID == s.RoomID && (r.Notify != said || r.NotifyAt != last) || r.ChatRoomID != s.RoomID && r.NotifyAt != 0 {
				t.Errorf("the list says %+v, want %q at %d", r, said, last)
			}
		}
		var others wire.Room
		s.API("mara", http.MethodGet, "/rooms/"+s.RoomID, nil, &others)
		if others.Notify != "" || others.NotifyAt != 0 {
			t.Errorf("mara reads %+v", others)
		}
	}
	mara.ExpectNone(wire.TypeNotifyChanged)
}

// Pushes keep to what each user has chosen.
func TestPush_KeepsToWhatOneIsNotifiedOf(t *testing.T) {
	service := webpushtest.New(t)
	r := start(t, local.Config{LogLevel: "warn", Push: true, Pushes: service.Transport()})
	room := r.Room("alice", "bob", "carol", "dave")
	bobs, carols, daves := subscribe(r, service, "bob"), subscribe(r, service, "carol"), subscribe(r, service, "dave")
	chooses(r, room, "bob", "mentions")
	chooses(r, room, "carol", "none")
	alice := r.Connect("alice")
	alice.Deliver(room, "for everyone", "")
	alice.Write(`{"action":"sendMessage","chatRoomId":"` + room + `","content":"for two","clientMessageId":"c-1","mentions":["bob","carol"]}`)
	alice.Expect(wire.TypeAck)
	rig.Eventually(t, "dave is notified of both, and bob of the mention", func() bool { return len(daves.Received()) == 2 && len(bobs.Received()) == 1 })
	chooses(r, room, "carol", "all")
	chooses(r, room, "dave", "none")
	alice.Deliver(room, "the last one", "")
	rig.Eventually(t, "carol is notified", func() bool { return len(carols.Received()) == 1 })
	if b, d := len(bobs.Received()), len(daves.Received()); b != 1 || d != 2 {
		t.Errorf("bob was notified of %d, dave of %d", b, d)
	}
}
