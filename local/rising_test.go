package local_test

import (
	"testing"

	"github.com/streamroom/streamroom/local"
)

// Who waits for an ack before the next send has both in the order of sending, also within
// one millisecond.
func TestSendsAfterAcksRise(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn", Unthrottled: true})
	room := s.Room("alice")
	alice := s.Connect("alice")
	last, together := "", 0
	for range 300 {
		alice.Send(room, "x", "")
		ack := alice.ExpectIn(room, "ack")
		if ack.MessageID <= last {
			t.Fatalf("%s was sent after the ack of %s, and is before it", ack.MessageID, last)
		}
		if last != "" && ack.MessageID[:10] == last[:10] {
			together++
		}
		last = ack.MessageID
	}
	t.Logf("%d were stored in the millisecond of the one before", together)
}
