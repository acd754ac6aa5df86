package chat_test

import (
	"fmt"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
)

// A block that comes while the direct message is made is marked in it.
func TestBlock_WhileTheRoomIsMade(t *testing.T) {
	w := newWorld(t)
	blocks := chat.NewBlocks(w.store, w.clock.now)
	w.once("CreateRoom", func() { ok(t, blocks.Block(t.Context(), "bob", "alice")) })
	room := w.direct("alice", "bob")
	w.connect("alice")
	_, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "hello"})
	refused(t, "a message to a user who blocks the sender", err, chat.CodeForbidden)
	refused(t, "blocking oneself", blocks.Block(t.Context(), "bob", "bob"), chat.CodeInvalidRequest)
	refused(t, "blocking no one", blocks.Block(t.Context(), "bob", ""), chat.CodeInvalidRequest)
	refused(t, "unblocking no one", blocks.Unblock(t.Context(), "bob", ""), chat.CodeInvalidRequest)
}

// A block that comes and ends while the direct message is made does not come back.
func TestBlock_ThatEndsWhileTheRoomIsMade(t *testing.T) {
	w := newWorld(t)
	blocks := chat.NewBlocks(w.store, w.clock.now)
	w.once("CreateRoom", func() {
		ok(t, blocks.Block(t.Context(), "bob", "alice"))
		w.once("MarkBlock", func() { ok(t, blocks.Unblock(t.Context(), "bob", "alice")) })
	})
	room := w.direct("alice", "bob")
	w.connect("alice")
	w.say("alice", room, "hello")
	if kept, _, err := blocks.List(t.Context(), "bob", "", 10); err != nil || len(kept) > 0 {
		t.Errorf("bob blocks %v, %v", kept, err)
	}
}

// A user's blocks have a bound; those that there are may be made again.
func TestBlock_Bound(t *testing.T) {
	w := newWorld(t)
	blocks := chat.NewBlocks(w.store, w.clock.now)
	for i := range chat.MaxBlocks {
		ok(t, blocks.Block(t.Context(), "alice", fmt.Sprint("user-", i)))
	}
	refused(t, "one more", blocks.Block(t.Context(), "alice", "bob"), chat.CodeInvalidRequest)
	ok(t, blocks.Block(t.Context(), "alice", "user-7"))
	ok(t, blocks.Unblock(t.Context(), "alice", "user-7"))
	ok(t, blocks.Block(t.Context(), "alice", "bob"))
}

// That one who is a member blocks the one who adds them again is not told.
func TestAddMember_WhoIsThereAndBlocks(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	blocks := chat.NewBlocks(w.store, w.clock.now)
	for _, user := range []string{"bob", "carol"} {
		ok(t, blocks.Block(t.Context(), user, "alice"))
	}
	if added, err := w.rooms.AddMember(t.Context(), "alice", room, "bob", false); added || err != nil {
		t.Errorf("adding a member again: %t, %v", added, err)
	}
	_, err := w.rooms.AddMember(t.Context(), "alice", room, "carol", false)
	refused(t, "adding who blocks", err, chat.CodeForbidden)
}

// A room that was made with a key is made again with it, also if a member blocks its maker by then.
func TestCreate_AgainAfterABlock(t *testing.T) {
	w := newWorld(t)
	blocks := chat.NewBlocks(w.store, w.clock.now)
	n := chat.NewRoom{Name: "Tea", Type: chat.Group, Members: []string{"bob"}, Key: "k"}
	first, _, err := w.rooms.Create(t.Context(), "alice", n)
	ok(t, err)
	ok(t, blocks.Block(t.Context(), "bob", "alice"))
	again, created, err := w.rooms.Create(t.Context(), "alice", n)
	if ok(t, err); again.ID != first.ID || !created {
		t.Errorf("made again is %+v, %t; want %s", again, created, first.ID)
	}
	n.Key = "other"
	_, _, err = w.rooms.Create(t.Context(), "alice", n)
	refused(t, "another room", err, chat.CodeForbidden)
}
