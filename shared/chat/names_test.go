package chat_test

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
)

// invisible are texts that show nothing.
var invisible = []string{
	" ", "\u00a0\u3000\u2003", "\t\r\n", "\x00\x07\x7f\u0085", "\u2028\u2029",
	"\u200b\u200c\u200d\u2060\ufeff", "\u00ad", "\u061c", "\u200e\u200f", "\u202a\u202c", "\u2066\u2069",
	"\u3164", "\u115f\u1160", "\uffa0", "\u034f", "\u180e", "\ufe0f", "\U000e0100", "\U000e0041", "\ufffe\U0010ffff",
	"\u2800\u2800", "\ufffc", "\U0001d159", "\U00013441\U00013442",
	strings.Repeat("\u0301", 60), "\u20dd",
}

// visible are short texts of one character that is seen.
var visible = []string{
	"a", ".", "é", "e\u0301", "佐", "م", "\u0600", "1\ufe0f\u20e3", "👩\u200d👧", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "ा",
	"\U0001fae9", // younger than Go's tables
	"\uf8ff",     // of a private use: fonts show it
}

func TestNamesOfRooms(t *testing.T) {
	names := map[string]bool{
		"Team":                              true,
		"佐藤 春香":                             true,
		"مرحبا\u200f":                       true,
		"ှမြွှိုံ့":                         true, // more marks on a letter than in most scripts
		"a" + strings.Repeat("\u0301", 8):   true,
		"a" + strings.Repeat("\u0301", 9):   false,
		"aa" + strings.Repeat("\u20dd", 9):  false,
		strings.Repeat("a\u0301\u0302", 33): true,
		"":                                  false,
		"a\u202eb":                          false,
		"a\u2067b\u2069":                    false,
		"a\nb":                              false,
		"a\u2028b":                          false,
		"a\ufffdb":                          false,
		"a\xffb":                            false,
	}
	for _, name := range invisible {
		names[name] = false
	}
	for _, name := range visible {
		names[name] = true
	}
	for name, ok := range names {
		if err := chat.ValidateRoomName(name); (err == nil) != ok {
			t.Errorf("%q: %v; want it allowed: %t", name, err, ok)
		}
	}
}

func TestContentShowsSomething(t *testing.T) {
	for _, text := range invisible {
		refused(t, text, chat.ValidateContent(text), chat.CodeInvalidRequest)
		if err := chat.ValidateContent(text + "!" + text); err != nil {
			t.Errorf("%q around an exclamation mark: %v", text, err)
		}
	}
	for _, text := range visible {
		if err := chat.ValidateContent(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
