package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/wire"
)

// BenchmarkReceive takes live messages from encoded frame to event, alone and in
// batches.
func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{1, 50} {
		b.Run(fmt.Sprintf("%d a frame", size), func(b *testing.B) {
			c, err := New(Options{
				WebSocketURL: "ws://h", APIURL: "http://h",
				Token: func(context.Context) (string, error) { return "", nil },
			})
			if err != nil {
				b.Fatal(err)
			}
			c.inbox.with("general", func(r *recovery) { r.ask(c.clock.Now()); r.newest(nil, false) })
			var previous *string
			frames := make([][]byte, 0, b.N/size+1)
			for n := 0; n < b.N; n += size {
				var parts [][]byte
				for i := range size {
					var id ulid.ULID
					_ = id.SetTime(uint64(1 + n + i))
					m := wire.Message{
						Type: wire.TypeMessage, ChatRoomID: "general", MessageID: id.String(), SenderID: "bob",
						Content: strings.Repeat("x", 100), Timestamp: 1, PreviousMessageID: previous,
					}
					previous = &m.MessageID
					encoded, err := wire.Encode(m)
					if err != nil {
						b.Fatal(err)
					}
					parts = append(parts, encoded)
				}
				frames = append(frames, wire.Join(parts, wire.MaxFrame)...)
			}
			got := 0
			b.ReportAllocs()
			for b.ResetTimer(); len(frames) > 0; frames = frames[1:] {
				var f wire.ServerFrame
				if err := json.Unmarshal(frames[0], &f); err != nil {
					b.Fatal(err)
				}
				if err := c.receive(nil, f); err != nil {
					b.Fatal(err)
				}
				for _, ok, _ := c.inbox.events.take(); ok; _, ok, _ = c.inbox.events.take() {
					got++
				}
			}
			if got < b.N {
				b.Fatalf("%d of %d messages came", got, b.N)
			}
			b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
