// Package jsonscan reads JSON whose form the reader knows: it asks for each value in turn.
//
// It takes what encoding/json takes, but no text with bytes that are not UTF-8, which
// encoding/json replaces, and no values that are nested more deeply than maxDepth.
package jsonscan

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep objects and lists may be in each other. Items of DynamoDB take 32
// levels of attributes, which are two of JSON each.
const maxDepth = 100

// Scanner reads a text from its start to its end. If what is asked for does not come next,
// the Scanner is bad from then on, and all that it returns is a zero value. A loop over Next
// ends then, so it is enough to ask End or Bad when all is read.
type Scanner struct {
	text  string
	at    int
	depth int
	first bool // an object or a list was opened, of which nothing is read
	bad   bool
}

// Of returns a Scanner of a text. The texts that it returns share their memory with it.
func Of(text string) Scanner { return Scanner{text: text} }

// Fail makes the Scanner bad.
func (s *Scanner) Fail() { s.at, s.first, s.bad = len(s.text), false, true }

// Bad reports whether something else came than was asked for.
func (s *Scanner) Bad() bool { return s.bad }

// End reports whether all was read, and was as it was asked for.
func (s *Scanner) End() bool {
	s.peek()
	return !s.bad && s.at == len(s.text)
}

// peek returns the next byte that is no space; 0 at the end.
func (s *Scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// accept takes a byte, if it is the next one.
func (s *Scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// want takes a byte, which must be the next one.
func (s *Scanner) want(c byte) {
	if !s.accept(c) {
		s.Fail()
	}
}

// Open begins an object or a list with its bracket.
func (s *Scanner) Open(bracket byte) {
	s.want(bracket)
	if s.depth++; s.depth > maxDepth {
		s.Fail()
	}
	s.first = !s.bad
}

// Next goes to the next value of what is open, or ends it with a bracket.
func (s *Scanner) Next(bracket byte) (more bool) {
	first := s.first
	s.first = false
	switch {
	case s.accept(bracket):
		s.depth--
		return false
	case !first:
		s.want(',')
	}
	return !s.bad
}

// Name reads the name of an object's next value.
func (s *Scanner) Name() string {
	name := s.Text()
	s.want(':')
	return name
}

// Text reads a string.
func (s *Scanner) Text() string {
	s.want('"')
	rest := s.text[s.at:]
	end, ascii := plain(rest)
	switch {
	case end == len(rest) || rest[end] < ' ':
		s.Fail()
		return ""
	case rest[end] == '\\':
		return s.escaped(end)
	case !ascii && !utf8.ValidString(rest[:end]):
		s.Fail()
		return ""
	}
	s.at += end + 1
	return rest[:end]
}

// plain returns how many bytes from the start of a text stand for themselves in a string,
// and whether they all are ASCII. It looks at eight at a time.
func plain(text string) (n int, ascii bool) {
	const each, high = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	all := uint64(0)
	for ; n+8 <= len(text); n += 8 {
		t := text[n : n+8]
		x := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		quote, backslash := x^each*'"', x^each*'\\'
		if ((x-each*' ')&^x|(quote-each)&^quote|(backslash-each)&^backslash)&high != 0 {
			break
		}
		all |= x
	}
	for ; n < len(text); n++ {
		c := text[n]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		all |= uint64(c)
	}
	return n, all&high == 0
}

// escaped reads a string that has an escape i bytes on.
func (s *Scanner) escaped(i int) (text string) {
	for i += s.at; i < len(s.text) && s.text[i] != '"'; i++ {
		if s.text[i] == '\\' {
			i++
		}
	}
	if i >= len(s.text) || !utf8.ValidString(s.text[s.at:i]) || json.Unmarshal([]byte(s.text[s.at-1:i+1]), &text) != nil {
		s.Fail()
		return ""
	}
	s.at = i + 1
	return text
}

// Null takes a null, if it is next.
func (s *Scanner) Null() bool { return s.literal("null") }

// Bool reads true or false.
func (s *Scanner) Bool() bool {
	is := s.literal("true")
	if !is && !s.literal("false") {
		s.Fail()
	}
	return is
}

func (s *Scanner) literal(word string) bool {
	if s.peek() != word[0] || !strings.HasPrefix(s.text[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

// Number reads a number, as it is written.
func (s *Scanner) Number() string {
	s.peek()
	start := s.at
	s.one("-")
	if !s.one("0") {
		s.digits()
	}
	if s.one(".") {
		s.digits()
	}
	if s.one("eE") {
		s.one("+-")
		s.digits()
	}
	if s.bad {
		return ""
	}
	return s.text[start:s.at]
}

// Int reads a number that is an integer of 64 bits.
func (s *Scanner) Int() int64 {
	n, err := strconv.ParseInt(s.Number(), 10, 64)
	if err != nil {
		s.Fail()
		return 0
	}
	return n
}

// one takes one of some bytes, if that is what comes next.
func (s *Scanner) one(of string) bool {
	if s.at == len(s.text) || strings.IndexByte(of, s.text[s.at]) < 0 {
		return false
	}
	s.at++
	return true
}

func (s *Scanner) digits() {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	if s.at == start {
		s.Fail()
	}
}

// Skip passes over a value.
func (s *Scanner) Skip() {
	switch s.peek() {
	case '{':
		for s.Open('{'); s.Next('}'); {
			s.Name()
			s.Skip()
		}
	case '[':
		for s.Open('['); s.Next(']'); {
			s.Skip()
		}
	case '"':
		s.Text()
	case 't', 'f':
		s.Bool()
	case 'n':
		if !s.Null() {
			s.Fail()
		}
	default:
		s.Number()
	}
}
