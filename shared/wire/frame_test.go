package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/streamroom/streamroom/shared/wire"
)

func TestEncodeLeavesTextAsItIs(t *testing.T) {
	data, err := wire.Encode(wire.Message{Type: wire.TypeMessage, Content: `<b>&"こんにちは"</b>`})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"message","chatRoomId":"","messageId":"","senderId":"","content":"<b>&\"こんにちは\"</b>","timestamp":0,"previousMessageId":null}`
	if string(data) != want {
		t.Errorf("Encode = %s\nwant     %s", data, want)
	}
}

// TestJoinKeepsEveryFrameInOrder joins random frames and takes them apart again.
func TestJoinKeepsEveryFrameInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(60, 300).Draw(t, "limit")
		texts := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,120}`), 0, 12).Draw(t, "texts")
		frames := make([][]byte, len(texts))
		for i, text := range texts {
			frames[i] = []byte(`{"type":"message","content":"` + text + `"}`)
		}

		var got []string
		for _, data := range wire.Join(frames, limit) {
			var frame wire.ServerFrame
			if err := json.Unmarshal(data, &frame); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			parts := frame.Frames
			if frame.Type != wire.TypeBatch {
				parts = []json.RawMessage{data}
			} else {
				if len(data) > limit {
					t.Fatalf("a batch of %d bytes, over %d", len(data), limit)
				}
				if len(parts) < 2 {
					t.Fatalf("a batch of %d", len(parts))
				}
			}
			for _, part := range parts {
				got = append(got, string(part))
			}
		}
		var want []string
		for _, frame := range frames {
			want = append(want, string(frame))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("joined and taken apart:\n%v\nwant\n%v", got, want)
		}
	})
}
