package chat

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// hasVisible reports whether anything of a text is seen: a text of blanks,
// control characters and characters of no width looks like no text.
func hasVisible(text string) bool { return strings.ContainsFunc(text, visible) }

// blanks are the characters that look like a space, though Unicode counts them
// among letters and symbols: the blank Braille pattern, the object replacement
// character, the null notehead, and the full and the half blank of Egyptian
// hieroglyphs.
const blanks = "\u2800\ufffc\U0001d159\U00013441\U00013442"

// visible reports whether a character is seen by itself. Characters that this
// version of Go doesn't know are: they may be new letters or emoji.
func visible(r rune) bool {
	if unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
		return true // such as U+0600, which stands under a number
	}
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z, unicode.Mn, unicode.Me,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point) &&
		!strings.ContainsRune(blanks, r)
}

// changesDirection reports whether a character embeds, overrides or isolates a
// direction of text (Unicode Standard Annex 9).
func changesDirection(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// mostMarks returns the greatest number of marks on one character of a text.
func mostMarks(text string) int {
	most := 0
	for graphemes := uniseg.NewGraphemes(text); graphemes.Next(); {
		marks := strings.Map(func(r rune) rune {
			if unicode.In(r, unicode.Mn, unicode.Me) {
				return r
			}
			return -1
		}, graphemes.Str())
		most = max(most, utf8.RuneCountInString(marks))
	}
	return most
}

// Beginning returns a text, or its first characters, at most `most`, where it
// has more. It never cuts what is read as one character (a grapheme cluster of
// Unicode Standard Annex 29), such as a family of emoji or a letter with its
// accents. A text that begins with one that is longer gives "…".
func Beginning(text string, most int) string {
	if len(text) <= most {
		return text
	}
	var read, safe, count int // bytes read; those before a place to cut; characters read
	state := -1
	for rest := text; rest != ""; {
		var grapheme string
		grapheme, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if count += utf8.RuneCountInString(grapheme); count > most {
			return cmp.Or(text[:safe], "…")
		}
		if read += len(grapheme); !strings.ContainsAny(grapheme, conjoiners) {
			safe = read
		}
	}
	return text
}

// conjoiners join a consonant of an Indic script to the next one. The library
// ends a grapheme after them, as Unicode did until 15.0; newer versions don't.
const conjoiners = "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d"
