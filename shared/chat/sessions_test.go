package chat_test

import (
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestDisconnect_EndsAUsersConnections(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	for _, id := range []string{"first", "second"} {
		ok(t, w.sessions.Open(t.Context(), chat.Connection{ID: id, UserID: "alice", ConnectedAt: epoch, TokenExpiresAt: epoch + 60_000}))
	}
	w.connect("bob")
	for user, want := range map[string]int{"alice": 2, "carol": 0} {
		n, err := w.sessions.Disconnect(t.Context(), user)
		if ok(t, err); n != want {
			t.Errorf("%d connections of %s were ended, want %d", n, user, want)
		}
	}
	for _, id := range []string{"first", "second"} {
		_, err := w.sessions.Ping(t.Context(), id)
		refused(t, "ping of "+id, err, chat.CodeDisconnected)
		_, err = w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: id, RoomID: room, Content: "x"})
		refused(t, "send by "+id, err, chat.CodeDisconnected)
	}
	_, err := w.sessions.Ping(t.Context(), "bob")
	ok(t, err)
	w.connect("alice") // a token that has not ended opens another one
	_, err = w.sessions.Ping(t.Context(), "alice")
	ok(t, err)
	// Frames on an ended connection are no flood.
	sessions := chat.NewSessions(w.store, frames, w.clock.now)
	for range chat.RefusedBurst + 1 {
		ok(t, sessions.Refused(t.Context(), "first", chat.ErrDisconnected()))
	}
	_, err = sessions.Ping(t.Context(), "first")
	refused(t, "ping after many frames", err, chat.CodeDisconnected)
	_, err = w.sessions.Disconnect(t.Context(), "a#b")
	refused(t, "no user id", err, chat.CodeInvalidRequest)
	w.breakOn("Disconnect")
	_, err = w.sessions.Disconnect(t.Context(), "alice")
	internal(t, "Disconnect", err)
}

// What a pong tells a client: the newest room of its user's list.
func TestChangedAt(t *testing.T) {
	w := newWorld(t)
	expect := func(when, user string, want int64) {
		t.Helper()
		at, err := w.sessions.ChangedAt(t.Context(), user)
		if ok(t, err); at != want {
			t.Errorf("%s: %d for %s, want %d", when, at, user, want)
		}
	}
	expect("without a room", "alice", 0)
	room := w.group("alice", "bob")
	expect("in a new room", "alice", epoch)
	w.clock.advance(time.Second)
	w.group("carol", "bob")
	expect("in one more", "bob", epoch+1000)
	expect("in the first alone", "alice", epoch)
	ok(t, w.store.AdvanceRoomOrder(t.Context(), "alice", room, epoch+5000))
	expect("after a message", "alice", epoch+5000)
	w.breakOn("ChangedAt")
	_, err := w.sessions.ChangedAt(t.Context(), "alice")
	internal(t, "ChangedAt", err)
}
