package functions_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

// A message that expires, as its room says, asks and writes what another one does: a send
// reads for how long it is kept with its sender's membership.
func TestSendMessage_BudgetOfRetention(t *testing.T) {
	for _, send := range sends {
		t.Run(send.name, func(t *testing.T) {
			inBubble(t, 1, func(m metered) {
				say := m.sender(send.way, 1024)
				plain := say()
				if got := m.newestMessage(); got.ExpiresAt != 0 {
					t.Errorf("a message expires at %d", got.ExpiresAt)
				}
				retained, err := m.store.RetainRoom(m.t.Context(), chat.Room{ID: room, RetentionDays: 7, RenamedAt: 1})
				if err != nil || !retained {
					t.Fatal(retained, err)
				}
				m.must(m.store.RetainMembers(m.t.Context(), room, 7))
				if diff := cmp.Diff(plain, say()); diff != "" {
					t.Errorf("(-kept forever +kept for a week):\n%s", diff)
				}
				got := m.newestMessage()
				if want := (got.SentAt + 7*24*60*60*1000 + 999) / 1000 * 1000; got.ExpiresAt != want {
					t.Errorf("a message expires at %d, want %d", got.ExpiresAt, want)
				}
			})
		})
	}
}

// newestMessage reads the room's newest message.
func (m metered) newestMessage() chat.Message {
	m.t.Helper()
	messages, _, err := m.store.Messages(m.t.Context(), room, chat.Range{Limit: 1})
	m.must(err)
	if len(messages) == 0 {
		m.t.Fatal("the room has no message")
	}
	return messages[0]
}
