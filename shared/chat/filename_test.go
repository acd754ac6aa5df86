package chat_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestFileName(t *testing.T) {
	family := "\U0001f468\u200d\U0001f469\u200d\U0001f467"
	for _, test := range []struct{ given, want string }{
		{"tea.png", "tea.png"},
		{"Пари\u0306ж.pdf", "Пари\u0306ж.pdf"},
		{family + ".jpg", family + ".jpg"},
		{"/etc/passwd", "passwd"},
		{"../../.ssh/authorized_keys", "authorized_keys"},
		{`C:\photos\tea.png`, "tea.png"},
		{`..\tea.png`, "tea.png"},
		{"a/b\\c", "c"},
		{"folder/", "file"},
		{"..", "file"},
		{".profile", "profile"},
		{" tea .png . ", "tea .png"},
		{"a\r\nb\x00\x7f\u0085\u2028c.txt", "abc.txt"},
		{"invoice\u202egnp.exe", "invoicegnp.exe"},
		{"\u2066a\u2069\u200e\u200f\u061c\u200b\ufeff.txt", "a.txt"},
		{"a\u00a0\u3000b", "a  b"},
		{`<a>:"b"|c?*.txt`, "_a___b__c__.txt"},
		{"con", "_con"},
		{"COM1.tar.gz", "_COM1.tar.gz"},
		{"lpt².txt", "_lpt².txt"},
		{"nul .txt", "_nul .txt"},
		{"console.txt", "console.txt"},
		{"COM10", "COM10"},
		{"\u0301", "file"},
		{"M\xfcller.pdf", "M_ller.pdf"},
		{"M\ufffdller.pdf", "M_ller.pdf"},
		{"\u3164", "file"},
		{strings.Repeat("x", 300) + ".jpeg", strings.Repeat("x", 194) + ".jpeg"},
		{strings.Repeat("é", 300), strings.Repeat("é", 99)},
		{"a." + strings.Repeat("x", 300), "a." + strings.Repeat("x", 197)},
	} {
		if got, err := chat.FileName(test.given); got != test.want || err != nil {
			t.Errorf("FileName(%q) = %q, %v; want %q", test.given, got, err, test.want)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 4_097)} {
		_, err := chat.FileName(bad)
		refused(t, "a bad name", err, chat.CodeInvalidRequest)
	}
}

func TestFileName_IsSafeAndStays(t *testing.T) {
	pieces := []string{"a", "\xff", "\ufffd", "é", ".", " ", "/", "\\", "con", "COM1", "\u202e", "\u200d", "\n", "\"", "\u0301", "界", ".png", strings.Repeat("x", 90)}
	rapid.Check(t, func(t *rapid.T) {
		given := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 12).Draw(t, "pieces"), "")
		name, err := chat.FileName(given)
		if err != nil {
			t.Fatalf("FileName(%q): %v", given, err)
		}
		again, err := chat.FileName(name)
		if err != nil || again != name {
			t.Fatalf("FileName(%q) = %q, and of that %q, %v", given, name, again, err)
		}
		if len(name) == 0 || len(name) > chat.MaxFileName || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\"\n\u202e") ||
			strings.TrimFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) }) != name {
			t.Fatalf("FileName(%q) = %q", given, name)
		}
	})
}
