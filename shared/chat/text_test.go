package chat_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestPreview_First140Characters(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	const family = "👩\u200d👩\u200d👧\u200d👧" // 7 characters that are one
	for content, want := range map[string]string{
		"":                                         "",
		strings.Repeat("é", 140):                   strings.Repeat("é", 140),
		strings.Repeat("é", 141):                   strings.Repeat("é", 140),
		x(5000):                                    x(140),
		x(139) + "e\u0301":                         x(139),
		x(138) + "e\u0301":                         x(138) + "e\u0301",
		x(134) + family:                            x(134),
		x(133) + family + "x":                      x(133) + family,
		x(138) + "🇯🇵🇫🇷":                            x(138) + "🇯🇵",
		x(137) + "🇯🇵🇫🇷":                            x(137) + "🇯🇵",
		x(139) + "\r\n":                            x(139),
		x(139) + "👍🏽":                              x(139),
		x(139) + "\u1100\u1161\u11a8":              x(139), // of three letters
		x(138) + "क्" + "ष":                        x(138), // one conjunct
		x(137) + "क्" + "ष":                        x(137) + "क्ष",
		"e" + strings.Repeat("\u0301", 139):        "e" + strings.Repeat("\u0301", 139),
		"e" + strings.Repeat("\u0301", 140):        "…",
		"e" + strings.Repeat("\u0301", 5000) + "x": "…",
		x(140) + "\u0301":                          x(139),
	} {
		m := chat.Message{ID: "id", SenderID: "alice", Content: content, SentAt: 1, EditedAt: 2, DeletedAt: 3}
		if diff := cmp.Diff(chat.LastMessage{
			MessageID: "id", SenderID: "alice", Preview: want, SentAt: 1, DeletedAt: 3, Version: 3,
		}, m.Preview()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", content, diff)
		}
	}
}

// However characters are joined, a preview is whole graphemes, as many as fit.
func TestPreview_CutsNoGrapheme(t *testing.T) {
	t.Parallel()
	parts := []string{"x", "é", "\u0301", "\u200d", "👩", "🏽", "🇯", "🇵", "\ufe0f", "\r", "\n", "ᄀ", "ᅡ", "ᆨ", "\u0600", "ा", " "}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var b strings.Builder
		for range random.IntN(400) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		content := b.String()
		want := ""
		for graphemes := uniseg.NewGraphemes(content); graphemes.Next(); {
			if utf8.RuneCountInString(want+graphemes.Str()) > chat.MaxPreview {
				break
			}
			want += graphemes.Str()
		}
		if got := (chat.Message{Content: content}).Preview().Preview; got != want {
			t.Fatalf("%q: preview %q, want %q", content, got, want)
		}
	}
}

func TestErrorsQuoteWholeCharacters(t *testing.T) {
	for id, want := range map[string]string{
		strings.Repeat("é", 40):          `got "` + strings.Repeat("é", 40) + `"`,
		strings.Repeat("é", 41):          `got "` + strings.Repeat("é", 40) + `"…`,
		strings.Repeat("é", 39) + "👍🏽👍🏽": `got "` + strings.Repeat("é", 39) + `"…`,
	} {
		if _, err := chat.MessageTime(id); !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %q, want …%q", err, want)
		}
	}
}
