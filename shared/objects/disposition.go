package objects

import (
	"strings"

	"github.com/streamroom/streamroom/shared/chat"
)

// disposition returns what a browser is to do with a file: show it, or save it under its
// name (RFC 6266). The name is there twice: as ASCII, for programs that know no more, and
// as UTF-8 (RFC 8187), which others prefer.
func disposition(f chat.File) string {
	kind := "attachment"
	if f.Inline() {
		kind = "inline"
	}
	return kind + `; filename="` + asciiName(f.Name) + `"; filename*=UTF-8''` + extendedName(f.Name)
}

// asciiName replaces what is not ASCII, and what quoting or some readers would take for
// an escape. chat.FileName has left no quotes and backslashes.
func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
}

// extendedName encodes a name as RFC 8187 asks.
func extendedName(name string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$&+-.^_`|~", c) >= 0:
			out.WriteByte(c)
		default:
			out.WriteByte('%')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
		}
	}
	return out.String()
}
