package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkName checks what people read as the name of something: at most so many
// characters, something to see among them, and nothing that turns the text
// around it: one name must not look like another.
func checkName(field, name string, most int) error {
	switch n := utf8.RuneCountInString(name); {
	case n > most:
		return Errorf(CodeInvalidRequest, "%s has %d characters; at most %d are allowed", field, n, most)
	case strings.ContainsRune(name, utf8.RuneError) || strings.ContainsFunc(name, unicode.IsControl):
		return Errorf(CodeInvalidRequest, "%s must be valid UTF-8 without control characters", field)
	case strings.ContainsFunc(name, turns):
		return Errorf(CodeInvalidRequest, "%s must not have characters in it that change the direction of text", field)
	case !strings.ContainsFunc(name, seen):
		return Errorf(CodeInvalidRequest, "%s must have something to see in it", field)
	}
	return nil
}

// turns says whether a character embeds, overrides or isolates a direction.
func turns(r rune) bool { return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' }

func seen(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
