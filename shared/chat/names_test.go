package chat_test

import (
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestNamesOfRooms(t *testing.T) {
	for name, ok := range map[string]bool{
		"Team":           true,
		"佐藤 春香":          true,
		"مرحبا":          true,
		"👩\u200d👧":       true, // joined by a character that is not seen
		"":               false,
		"   ":            false,
		"\u200b\ufeff":   false,
		"a\u202eb":       false,
		"a\u2067b\u2069": false,
		"a\nb":           false,
		"a\ufffdb":       false,
		"a\xffb":         false,
	} {
		if err := chat.ValidateRoomName(name); (err == nil) != ok {
			t.Errorf("%q: %v; want it allowed: %t", name, err, ok)
		}
	}
}
