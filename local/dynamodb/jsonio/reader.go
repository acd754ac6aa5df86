// Package jsonio reads and writes the JSON of the DynamoDB protocol without reflection.
//
// A Reader walks over a document once, from left to right, and hands out substrings of
// it, so a request costs almost no allocations; the price is that it must know what it
// expects next. Errors are *SyntaxError for what is no JSON and *TypeError for JSON of
// another shape than expected.
package jsonio

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds recursion: DynamoDB documents nest 32 levels at most, each two levels
// of JSON, plus the request around them.
const maxDepth = 200

// SyntaxError reports input that is not JSON, or nests deeper than any request can.
type SyntaxError struct {
	Offset int // byte at which reading stopped
	Reason string
}

func (e *SyntaxError) Error() string {
	return "invalid JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// TypeError reports a value whose JSON type does not fit the request. Its text is what
// DynamoDB answers.
type TypeError struct{ Message string }

func (e *TypeError) Error() string { return e.Message }

// Reader reads one JSON document. Create it with NewReader.
type Reader struct {
	src   string
	pos   int
	depth int
}

// NewReader returns a reader of src. Strings it returns share src's memory.
func NewReader(src string) *Reader { return &Reader{src: src} }

func (r *Reader) syntax(reason string) error { return &SyntaxError{Offset: r.pos, Reason: reason} }

// peek skips white space and returns the next byte, 0 at the end.
func (r *Reader) peek() byte {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// End reports an error unless only white space is left.
func (r *Reader) End() error {
	if r.peek() != 0 || r.pos < len(r.src) {
		return r.syntax("data after the end of the document")
	}
	return nil
}

// Null consumes a null if that comes next, and reports whether it did.
func (r *Reader) Null() bool {
	if r.peek() == 'n' && strings.HasPrefix(r.src[r.pos:], "null") {
		r.pos += len("null")
		return true
	}
	return false
}

// Struct reads an object whose absent and null members mean the same: field is called for
// each member that is not null and must consume its value.
func (r *Reader) Struct(field func(name string) error) error {
	return r.Map(func(name string) error {
		if r.Null() {
			return nil
		}
		return field(name)
	})
}

// Document is Struct for an object with nothing after it.
func (r *Reader) Document(field func(name string) error) error {
	if err := r.Struct(field); err != nil {
		return err
	}
	return r.End()
}

// Map reads an object, nulls included: field is called for each member and must consume
// its value.
func (r *Reader) Map(field func(name string) error) error {
	if r.peek() != '{' {
		return r.mismatch("Map")
	}
	return r.sequence('}', func() error {
		if r.peek() != '"' {
			return r.syntax("expected a member name")
		}
		name, err := r.String()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.syntax("expected ':'")
		}
		r.pos++
		return field(name)
	})
}

// Array reads an array: element is called at each of its elements and must consume it.
func (r *Reader) Array(element func() error) error {
	if r.peek() != '[' {
		return r.mismatch("List")
	}
	return r.sequence(']', element)
}

// sequence reads what stands between the bracket at pos and its counterpart.
func (r *Reader) sequence(closing byte, element func() error) error {
	if r.depth++; r.depth > maxDepth {
		return r.syntax("nested too deeply")
	}
	r.pos++
	if r.peek() == closing {
		r.pos++
		r.depth--
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.pos++
		case closing:
			r.pos++
			r.depth--
			return nil
		default:
			return r.syntax("expected ',' or '" + string(closing) + "'")
		}
	}
}

// Bool reads true or false.
func (r *Reader) Bool() (bool, error) {
	switch r.peek() {
	case 't':
		return true, r.literal("true")
	case 'f':
		return false, r.literal("false")
	}
	return false, r.mismatch("Boolean")
}

func (r *Reader) literal(word string) error {
	if !strings.HasPrefix(r.src[r.pos:], word) {
		return r.syntax("unknown literal")
	}
	r.pos += len(word)
	return nil
}

// Int reads a number without fraction.
func (r *Reader) Int() (int64, error) {
	c := r.peek()
	if c != '-' && (c < '0' || c > '9') {
		return 0, r.mismatch("Long")
	}
	text, err := r.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, &TypeError{Message: "NUMBER_VALUE cannot be converted to Long"}
	}
	return n, nil
}

func (r *Reader) number() (string, error) {
	start := r.pos
	if r.src[r.pos] == '-' {
		r.pos++
	}
	whole := r.digits()
	if whole == 0 || (whole > 1 && r.src[r.pos-whole] == '0') {
		return "", r.syntax("malformed number")
	}
	if r.at('.') {
		r.pos++
		if r.digits() == 0 {
			return "", r.syntax("malformed number")
		}
	}
	if r.at('e') || r.at('E') {
		r.pos++
		if r.at('+') || r.at('-') {
			r.pos++
		}
		if r.digits() == 0 {
			return "", r.syntax("malformed number")
		}
	}
	return r.src[start:r.pos], nil
}

func (r *Reader) at(c byte) bool { return r.pos < len(r.src) && r.src[r.pos] == c }

func (r *Reader) digits() int {
	start := r.pos
	for r.pos < len(r.src) && '0' <= r.src[r.pos] && r.src[r.pos] <= '9' {
		r.pos++
	}
	return r.pos - start
}

// String reads a string. Invalid UTF-8 is a syntax error.
func (r *Reader) String() (string, error) {
	if r.peek() != '"' {
		return "", r.mismatch("String")
	}
	r.pos++
	start, ascii := r.pos, true
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == '"':
			s := r.src[start:r.pos]
			if !ascii && !utf8.ValidString(s) {
				return "", r.syntax("invalid UTF-8 in a string")
			}
			r.pos++
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", r.syntax("control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		r.pos++
	}
	return "", r.syntax("unterminated string")
}

// escaped reads on from the first backslash of the string that started at start.
func (r *Reader) escaped(start int) (string, error) {
	out := append(make([]byte, 0, 2*(r.pos-start)+16), r.src[start:r.pos]...)
	for r.pos < len(r.src) {
		c := r.src[r.pos]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return "", r.syntax("invalid UTF-8 in a string")
			}
			r.pos++
			return string(out), nil
		case c < ' ':
			return "", r.syntax("control character in a string")
		case c != '\\':
			out = append(out, c)
			r.pos++
			continue
		}
		r.pos++
		if r.pos == len(r.src) {
			break
		}
		c = r.src[r.pos]
		r.pos++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			char, err := r.unicodeEscape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, char)
		default:
			return "", r.syntax("unknown escape")
		}
	}
	return "", r.syntax("unterminated string")
}

// unicodeEscape reads the four digits after \u, and the second half of a surrogate pair.
// Half a pair becomes U+FFFD.
func (r *Reader) unicodeEscape() (rune, error) {
	first, err := r.hex4()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if strings.HasPrefix(r.src[r.pos:], `\u`) {
		before := r.pos
		r.pos += 2
		second, err := r.hex4()
		if err != nil {
			return 0, err
		}
		if char := utf16.DecodeRune(first, second); char != utf8.RuneError {
			return char, nil
		}
		r.pos = before
	}
	return utf8.RuneError, nil
}

func (r *Reader) hex4() (rune, error) {
	if len(r.src)-r.pos < 4 {
		return 0, r.syntax("short \\u escape")
	}
	n, err := strconv.ParseUint(r.src[r.pos:r.pos+4], 16, 16)
	if err != nil {
		return 0, r.syntax("malformed \\u escape")
	}
	r.pos += 4
	return rune(n), nil
}

// Skip reads over any value.
func (r *Reader) Skip() error {
	switch c := r.peek(); {
	case c == '{':
		return r.Map(func(string) error { return r.Skip() })
	case c == '[':
		return r.Array(r.Skip)
	case c == '"':
		_, err := r.String()
		return err
	case c == 't', c == 'f':
		_, err := r.Bool()
		return err
	case c == 'n':
		return r.literal("null")
	case c == '-', '0' <= c && c <= '9':
		_, err := r.number()
		return err
	}
	return r.syntax("expected a value")
}

// mismatch returns the error for a value at pos that is not a want, in DynamoDB's words,
// or a syntax error if there is no value.
func (r *Reader) mismatch(want string) error {
	collection := want == "Map" || want == "List"
	switch c := r.peek(); {
	case c == '{' && collection, c == '[' && collection, collection && c == '"':
		return &TypeError{Message: "Unexpected field type"}
	case c == '{':
		return &TypeError{Message: "Start of structure or map found where not expected."}
	case c == '[':
		return &TypeError{Message: "Start of list found where not expected"}
	case c == '"':
		return &TypeError{Message: "STRING_VALUE cannot be converted to " + want}
	case c == 't' && strings.HasPrefix(r.src[r.pos:], "true"):
		return &TypeError{Message: "TRUE_VALUE cannot be converted to " + want}
	case c == 'f' && strings.HasPrefix(r.src[r.pos:], "false"):
		return &TypeError{Message: "FALSE_VALUE cannot be converted to " + want}
	case c == 'n' && strings.HasPrefix(r.src[r.pos:], "null"):
		return &TypeError{Message: "NULL_VALUE cannot be converted to " + want}
	case c == '-', '0' <= c && c <= '9':
		return &TypeError{Message: "NUMBER_VALUE cannot be converted to " + want}
	}
	return r.syntax("expected a value")
}
