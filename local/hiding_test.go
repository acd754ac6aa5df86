package local_test

import (
	"net/http"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// A direct message can be left: it is out of one user's list until the next message, or
// until they ask for it.
func TestADirectMessageIsHiddenUntilTheNextMessage(t *testing.T) {
	s := start(t, local.Config{Wrap: rig.Hasten})
	request := wire.RoomRequest{Type: "dm", Members: []string{"bob"}}
	var dm wire.Room
	s.API("alice", http.MethodPost, "/rooms", request, &dm)
	listed := func(user string) *wire.RoomSummary {
		var list wire.RoomList
		s.API(user, http.MethodGet, "/rooms", nil, &list)
		for _, room := range list.Rooms {
			if room.ChatRoomID == dm.ChatRoomID {
				return &room
			}
		}
		return nil
	}
	alice, bob := s.Connect("alice"), s.Connect("bob")
	bob.Deliver(dm.ChatRoomID, "hello", "")
	alice.ExpectIn(dm.ChatRoomID, wire.TypeMessage)
	rig.Eventually(t, "the last message", func() bool { room := listed("alice"); return room != nil && room.LastMessage != nil })

	if status := leave(s, "alice", dm.ChatRoomID); status != http.StatusNoContent {
		t.Fatalf("alice leaves: %d", status)
	}
	if listed("alice") != nil || listed("bob") == nil {
		t.Error("want it in bob's list alone")
	}
	var problem wire.Problem
	if status := s.API("alice", http.MethodDelete, "/rooms/"+dm.ChatRoomID+"/members?userId=bob", nil, &problem); status != http.StatusForbidden {
		t.Errorf("alice removes bob: %d %+v", status, problem)
	}
	bob.ExpectNone(wire.TypeMemberLeft)

	ack, _ := bob.Deliver(dm.ChatRoomID, "are you there?", "")
	if got := alice.ExpectIn(dm.ChatRoomID, wire.TypeMessage); got.MessageID != ack.MessageID {
		t.Errorf("alice gets %+v", got)
	}
	rig.Eventually(t, "the room in alice's list", func() bool {
		room := listed("alice")
		return room != nil && room.Unread == 2 && room.With.UserID == "bob" && room.LastMessage.MessageID == ack.MessageID
	})

	leave(s, "alice", dm.ChatRoomID)
	if listed("alice") != nil {
		t.Error("it is listed after it was left again")
	}
	if status := s.API("alice", http.MethodPost, "/rooms", request, nil); status != http.StatusOK || listed("alice") == nil {
		t.Errorf("asked for: %d, listed %v", status, listed("alice"))
	}
}
