package dynamo_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
)

// A reader goes on over any number of messages that have expired and are not deleted yet,
// in requests that are bounded.
func TestMessages_ManyThatHaveExpired(t *testing.T) {
	now := time.UnixMilli(1_709_136_000_000)
	store := dynamo.New(dynamo.NewClient(tableConfig(t)), "table", func() time.Time { return now })
	put := func(n int, content string, expiresAt int64) string {
		at := now.Add(time.Duration(n) * time.Millisecond)
		id := ulid.MustNew(ulid.Timestamp(at), bytes.NewReader(binary.BigEndian.AppendUint64(make([]byte, 2), 1))).String()
		err := store.PutMessage(t.Context(), chat.Message{
			RoomID: "r", ID: id, SenderID: "alice", SentAt: at.UnixMilli(), Content: content, ExpiresAt: expiresAt,
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	const expired = 7_000
	first := put(0, "kept", 0)
	for i := range expired {
		content := "gone"
		if i%20 == 0 {
			content = strings.Repeat("x", 10_000) // 3.5 MB in all
		}
		put(1+i, content, now.UnixMilli())
	}
	last := put(1+expired, "kept", 0)
	for name, read := range map[string]func(from string) ([]chat.Message, bool, error){
		"backward": func(from string) ([]chat.Message, bool, error) {
			return store.Messages(t.Context(), "r", chat.Range{Before: from, Limit: 50})
		},
		"forward": func(from string) ([]chat.Message, bool, error) {
			return store.Messages(t.Context(), "r", chat.Range{After: from, Limit: 50})
		},
		"sync": func(from string) ([]chat.Message, bool, error) {
			missed, err := store.MessagesAfter(t.Context(), []chat.Position{{RoomID: "r", MessageID: from}}, 50)
			if err != nil {
				return nil, false, err
			}
			return missed[0].Messages, missed[0].More, nil
		},
	} {
		from, want := first, last
		if name == "backward" {
			from, want = last, first
		}
		pages := 1
		for ; ; pages++ {
			messages, more, err := read(from)
			if err != nil || len(messages) != 1 || pages > 9 {
				t.Fatalf("%s, page %d: %d messages, error %v; want one of each", name, pages, len(messages), err)
			}
			from = messages[0].ID
			if !more {
				break
			}
			if messages[0].DeletedAt == 0 || messages[0].Content != "" {
				t.Errorf("%s, page %d ends with %+v, want a deleted message", name, pages, messages[0])
			}
		}
		if from != want || pages < 2 {
			t.Errorf("%s: page %d ends with %s, want %s after some", name, pages, from, want)
		}
	}
}
