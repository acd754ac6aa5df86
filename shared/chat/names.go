package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkName checks a name that people read: at most `most` characters, at least
// one of them visible, none that breaks the line or changes the direction of
// text, with which one name could look like another, and no pile of marks, which
// would cover what is beside the name.
func checkName(field, name string, most int) error {
	switch n := utf8.RuneCountInString(name); {
	case n > most:
		return Errorf(CodeInvalidRequest, "invalid %s: want at most %d characters, got %d", field, most, n)
	case strings.ContainsRune(name, utf8.RuneError) || strings.ContainsFunc(name, controls):
		return Errorf(CodeInvalidRequest, "invalid %s: want valid UTF-8 without control characters and U+FFFD", field)
	case strings.ContainsFunc(name, changesDirection):
		return Errorf(CodeInvalidRequest, "invalid %s: want no character that changes the direction of text", field)
	case !hasVisible(name):
		return Errorf(CodeInvalidRequest, "invalid %s: want at least one visible character", field)
	}
	if marks := mostMarks(name); marks > MaxMarks {
		return Errorf(CodeInvalidRequest, "invalid %s: want at most %d combining marks on a character, got %d", field, MaxMarks, marks)
	}
	return nil
}

// controls reports whether a character controls the text around it, line and
// paragraph separators included.
func controls(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }
