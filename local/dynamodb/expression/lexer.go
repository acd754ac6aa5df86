package expression

import "strings"

type tokenKind uint8

const (
	tokenEnd         tokenKind = iota
	tokenWord                  // an attribute name, a keyword or a function
	tokenName                  // #placeholder
	tokenValue                 // :placeholder
	tokenNumber                // a list index
	tokenPunctuation           // one of . , ( ) [ ] + - = <> < <= > >=
)

type token struct {
	kind tokenKind
	text string
	pos  int // of its first byte
}

// keyword reports whether the token is the given keyword, ignoring case.
func (t token) keyword(word string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, word)
}

func (t token) is(punctuation string) bool {
	return t.kind == tokenPunctuation && t.text == punctuation
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// tokenize splits an expression. A byte that starts no token becomes one of its own, for
// the parser to refuse.
func tokenize(text string) []token {
	tokens := make([]token, 0, len(text)/4+2)
	for pos := 0; pos < len(text); {
		c := text[pos]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			pos++
			continue
		}
		t := token{kind: tokenPunctuation, pos: pos}
		end := pos + 1
		switch {
		case isLetter(c):
			t.kind = tokenWord
		case c == '#':
			t.kind = tokenName
		case c == ':':
			t.kind = tokenValue
		case isDigit(c):
			t.kind = tokenNumber
		case strings.HasPrefix(text[pos:], "<>"), strings.HasPrefix(text[pos:], "<="), strings.HasPrefix(text[pos:], ">="):
			end++
		}
		if t.kind != tokenPunctuation {
			for end < len(text) && (isDigit(text[end]) || t.kind != tokenNumber && isLetter(text[end])) {
				end++
			}
		}
		if end == pos+1 && (t.kind == tokenName || t.kind == tokenValue) {
			t.kind = tokenPunctuation // a lone # or :
		}
		t.text = text[pos:end]
		tokens = append(tokens, t)
		pos = end
	}
	return append(tokens, token{kind: tokenEnd, text: "<EOF>", pos: len(text)})
}
