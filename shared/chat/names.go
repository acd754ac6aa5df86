package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkName checks a name that people read: at most `most` characters, at least
// one of them visible, and none that changes the direction of text, with which
// one name could look like another.
func checkName(field, name string, most int) error {
	switch n := utf8.RuneCountInString(name); {
	case n > most:
		return Errorf(CodeInvalidRequest, "invalid %s: want at most %d characters, got %d", field, most, n)
	case strings.ContainsRune(name, utf8.RuneError) || strings.ContainsFunc(name, unicode.IsControl):
		return Errorf(CodeInvalidRequest, "invalid %s: want valid UTF-8 without control characters and U+FFFD", field)
	case strings.ContainsFunc(name, changesDirection):
		return Errorf(CodeInvalidRequest, "invalid %s: want no character that changes the direction of text", field)
	case !strings.ContainsFunc(name, visible):
		return Errorf(CodeInvalidRequest, "invalid %s: want at least one visible character", field)
	}
	return nil
}

// changesDirection reports whether a character embeds, overrides or isolates a
// direction of text (Unicode Standard Annex 9).
func changesDirection(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
