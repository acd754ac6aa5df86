package chat_test

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestUserIDs(t *testing.T) {
	for id, valid := range map[string]bool{
		"alice":                            true,
		"a b/c?d%41":                       true,
		strings.Repeat("\u00e9", 64):       true,
		"":                                 false,
		strings.Repeat("\u00e9", 64) + "x": false,
		"a#b":                              false,
		"a\x00b":                           false,
		"a\u0085b":                         false,
		"a\xff":                            false,
		"a\ufffd":                          false,
	} {
		if err := chat.ValidateUserID(id); (err == nil) != valid {
			t.Errorf("%q: %v, want valid %t", id, err, valid)
		}
	}
}
