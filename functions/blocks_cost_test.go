package functions_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
)

// A send in a direct message asks whether one of the two blocks the other, by what it reads
// anyway: it costs what one in a group does, however many users both of them block, and takes
// as long. One that is refused for a block stores nothing.
func TestSendMessage_BlocksKeepToTheBudget(t *testing.T) {
	inBubble(t, 2, func(m metered) {
		rooms, blocks := chat.NewRooms(m.store, m.ids, m.clock.now), chat.NewBlocks(m.store, m.clock.now)
		direct, _, err := rooms.Create(m.t.Context(), user(0), chat.NewRoom{Type: chat.Direct, Members: []string{user(1)}})
		m.must(err)
		handler := m.wired(functions.SendMessage)
		send := func() usage {
			m.clock.advance(chat.StoreWithin)
			return m.count(handler, m.frame(connection(0), object{"action": "sendMessage", "chatRoomId": direct.ID, "content": text(1024)}), http.StatusOK)
		}
		send() // the function is warm
		for _, blocked := range []int{0, 3} {
			for i := range blocked {
				for by := range 2 {
					m.must(blocks.Block(m.t.Context(), user(by), fmt.Sprint("stranger-", i)))
				}
			}
			got := send()
			if read, write := cost.SendReads(2, false), sendUnits(2); got.Read != read || got.Write != write || got.RoundTrips != 2 {
				m.t.Errorf("%d blocks: %v read units, %v write units, %d round trips; want %v, %v, 2", blocked, got.Read, got.Write, got.RoundTrips, read, write)
			}
		}
		m.must(blocks.Block(m.t.Context(), user(1), user(0)))
		got := send()
		if want := 1.0; got.Write != want { // of the limit of refused frames
			m.t.Errorf("a send that is refused: %v write units, want %v", got.Write, want)
		}
	})
}
