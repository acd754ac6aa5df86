package local_test

import (
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

func TestClosedConnectionsAreForgotten(t *testing.T) {
	tests := map[string]func(*rig.Socket) error{
		"clean":  func(d *rig.Socket) error { return d.Conn.Close(websocket.StatusNormalClosure, "bye") },
		"abrupt": func(d *rig.Socket) error { return d.Conn.CloseNow() },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, local.Config{})
			alice := s.Connect("alice")
			if rows, entries := s.CountConnections("alice"); rows != 1 || entries != 1 {
				t.Fatalf("%d rows, %d entries of an open connection", rows, entries)
			}
			if err := end(alice); err != nil {
				t.Fatal(err)
			}
			rig.Eventually(t, "the connection's rows go", func() bool {
				rows, entries := s.CountConnections("alice")
				return rows == 0 && entries == 0
			})
		})
	}
}

// TestLostDisconnectsAreFoundByPosting loses $disconnect: the next message finds
// out, but not while the connection might still be in its handshake.
func TestLostDisconnectsAreFoundByPosting(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock, Wrap: func(d local.Deployment) local.Deployment {
		d.DropDisconnect = func(string) bool { return true }
		return d
	}})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	_ = bob.Conn.CloseNow()
	<-bob.Ended

	alice.Deliver(room, "young", "")
	alice.ExpectNone(wire.TypeMessage)
	if rows, entries := s.CountConnections("bob"); rows != 2 || entries != 1 {
		t.Errorf("%d rows, %d entries: a connection within its grace was dropped", rows, entries)
	}
	clock.Advance(61 * time.Second)
	alice.Deliver(room, "old", "")
	rig.Eventually(t, "the ended connection goes", func() bool {
		rows, entries := s.CountConnections("bob")
		return rows == 1 && entries == 0
	})
	if _, entries := s.CountConnections("alice"); entries != 1 {
		t.Error("the sender's connection went as well")
	}
}

func TestExpiredConnectionsAreIgnoredAndRemoved(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock, Wrap: func(d local.Deployment) local.Deployment {
		d.DropDisconnect = func(string) bool { return true }
		return d
	}})
	room := s.Room("alice")
	alice, other := s.ConnectWith("alice", s.Token("alice", 300*time.Second)), s.ConnectWith("alice", s.Token("alice", 300*time.Second))

	clock.Advance(5*time.Minute + 31*time.Second) // the token's end, and the clocks' leeway
	alice.Send(room, "too late", "c")
	if got := alice.Expect(wire.TypeAck, wire.TypeError); got.Code != "token_expired" {
		t.Errorf("after the token's end: %+v", got)
	}
	clock.Advance(30 * time.Second) // the connection's end
	for frame, d := range map[string]*rig.Socket{
		`{"action":"ping"}`: alice,
		`{"action":"sendMessage","chatRoomId":"` + room + `","content":"too late"}`: other,
	} {
		d.Write(frame)
		if got := d.Expect(wire.TypePong, wire.TypeAck, wire.TypeError); got.Code != "reconnect" {
			t.Errorf("after the connection's end %s is answered %+v", frame, got)
		}
		<-d.Ended
	}
	clock.Advance(chat.ConnectionLife) // a socket's end at the latest
	rig.Eventually(t, "TTL removes the rows", func() bool {
		clock.Advance(time.Second)
		rows, _ := s.CountConnections("alice")
		return rows == 0
	})
}

func TestStoppingClosesSocketsAndForgetsThem(t *testing.T) {
	s := start(t, local.Config{DataDir: t.TempDir()})
	alice := s.Connect("alice")
	s.Stop()
	if code := websocket.CloseStatus(<-alice.Ended); code != websocket.StatusGoingAway {
		t.Errorf("the socket ended with %d, want 1001", code)
	}
}
