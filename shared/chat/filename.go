package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxGivenName bounds a file's name as a client gives it, in bytes: a path, perhaps.
const maxGivenName = 4_096

// FileName returns a file's name that is safe to show and to save under, in every system:
// the last part of a path, without control characters, characters that change the
// direction of text or have no width, and those that Windows reserves; not a name of one
// of its devices, no dots or blanks at its ends, and at most MaxFileName bytes, of which
// the extension stays. What is no valid text, as in names of another encoding, becomes _.
// A name of which nothing visible is left is "file".
//
// Errors: CodeInvalidRequest for none, and a very long one.
func FileName(given string) (string, error) {
	switch {
	case given == "":
		return "", Errorf(CodeInvalidRequest, "name is missing")
	case len(given) > maxGivenName:
		return "", Errorf(CodeInvalidRequest, "invalid name: want at most %d bytes, got %d", maxGivenName, len(given))
	}
	name := strings.Map(harmless, given[strings.LastIndexAny(given, `/\`)+1:])
	name = trimName(shorten(trimName(name)))
	if !hasVisible(name) {
		return "file", nil
	}
	if isDevice(name) {
		return "_" + name, nil
	}
	return name, nil
}

// harmless returns what a character of a file's name becomes; -1 for nothing.
func harmless(r rune) rune {
	switch {
	case unicode.Is(unicode.Zs, r):
		return ' '
	case r == utf8.RuneError, strings.ContainsRune(`<>:"|?*`, r):
		return '_'
	case controls(r), changesDirection(r), marksDirection(r):
		return -1
	case unicode.In(r, unicode.Cf, unicode.Noncharacter_Code_Point) && !joins(r):
		return -1
	}
	return r
}

// marksDirection reports whether a character is an invisible mark of a direction.
func marksDirection(r rune) bool { return r == '\u200e' || r == '\u200f' || r == '\u061c' }

// joins reports whether an invisible character is part of emoji and of words: the
// joiners, and the tags of flags.
func joins(r rune) bool {
	return r == '\u200c' || r == '\u200d' || '\U000e0020' <= r && r <= '\U000e007f'
}

func trimName(name string) string { return strings.Trim(name, " .") }

// shorten cuts a name to MaxFileName bytes, less one for isDevice, before its extension.
func shorten(name string) string {
	const most, longestExtension = MaxFileName - 1, 16
	if len(name) <= most {
		return name
	}
	extension := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= longestExtension {
		name, extension = name[:i], name[i:]
	}
	end := most - len(extension)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return trimName(name[:end]) + extension
}

// isDevice reports whether Windows takes a name for one of its devices, whatever its
// extension ("Naming Files, Paths, and Namespaces", Win32).
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		if rest, ok := strings.CutPrefix(stem, port); ok && utf8.RuneCountInString(rest) == 1 && strings.ContainsAny(rest, "0123456789¹²³") {
			return true
		}
	}
	return false
}
