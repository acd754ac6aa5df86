package jsonscan_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/streamroom/streamroom/shared/jsonscan"
)

// deepest is how deep objects and lists are read.
const deepest = 100

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// texts are values of all kinds, and what is nearly one.
var texts = []string{
	"", " ", "{}", " [ ] ", "{", "[", "]", "[}", "{}{}", "null", "nul", "nullx", "true", "tru", "false", "falsey",
	`{"a":1}`, `{ "a" : [ 1 , {} ] , "b" : null }`, `{"a" 1}`, `{"a":1 "b":2}`, `{"a":1,}`, `{,"a":1}`, `{1:1}`, `{"a"}`,
	"[1,2]", "[1 2]", "[1,]", "[,1]", "[,]", "[1,,2]",
	"0", "-0", "01", "-", "-a", "1.5", "1.", ".5", "1e5", "1E+5", "1e-05", "1e", "1e+", "1.5e1x", "+1", "1_0", "0x1", "NaN", "9" + strings.Repeat("0", 400),
	`"a`, `"a" "`, `"\"\\\/\b\f\n\r\té😀"`, `"\x"`, `"\u12"`, `"\ud800"`, `"\`, `"\"`, "\"a\tb\"", "\"\\n\tb\"", "\"\xff\"", "\"\\n\xff\"", "\xff", "\"a\x7f\"", "\x00", "\"\x00\"",
	nested(deepest), nested(deepest + 1), strings.Repeat(`{"a":`, deepest+1) + "1" + strings.Repeat("}", deepest+1), strings.Repeat("[", 500),
}

// What is read is what encoding/json reads, and what it refuses is refused.
func TestScanner(t *testing.T) {
	for _, text := range texts {
		checkScanner(t, text)
	}
	for n := range 20 { // strings are read in steps of some bytes
		for at := range n + 1 {
			for _, odd := range []string{`"`, `\`, `\"`, `\\`, "\x1f", " ", "\x7f", "\x80", "\xff", "é", "\u2028", "😀"} {
				checkScanner(t, `["`+strings.Repeat("a", at)+odd+strings.Repeat("b", n-at)+`","c"]`)
			}
		}
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(checkScanner)
}

// checkScanner reads a text as encoding/json says what is in it.
func checkScanner(t *testing.T, text string) {
	t.Helper()
	skipped := jsonscan.Of(text)
	skipped.Skip()
	valid := json.Valid([]byte(text)) && utf8.ValidString(text)
	if valid {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		s := jsonscan.Of(text)
		depth := checkValue(t, decoder, &s)
		valid = depth <= deepest
		if s.End() != valid {
			t.Errorf("%q, %d deep: read to the end: %v", text, depth, s.End())
		}
	}
	if skipped.End() != valid {
		t.Errorf("%q: passed over: %v, want %v", text, skipped.End(), valid)
	}
}

// checkValue reads a value, of which it returns the depth.
func checkValue(t *testing.T, decoder *json.Decoder, s *jsonscan.Scanner) (depth int) {
	t.Helper()
	equal := func(got, want any) {
		if got != want && !s.Bad() {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	switch want := token(t, decoder).(type) {
	case json.Delim:
		open, end := byte(want), byte(want)+2 // the bracket that ends it
		for s.Open(open); decoder.More(); depth = max(depth, checkValue(t, decoder, s)) {
			equal(s.Next(end), true)
			if open == '{' {
				equal(s.Name(), token(t, decoder))
			}
		}
		equal(s.Next(end), false)
		token(t, decoder)
		return depth + 1
	case string:
		equal(s.Text(), want)
	case json.Number:
		equal(s.Number(), want.String())
	case bool:
		equal(s.Bool(), want)
	case nil:
		equal(s.Null(), true)
	}
	return 0
}

func token(t *testing.T, decoder *json.Decoder) json.Token {
	t.Helper()
	token, err := decoder.Token()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A Scanner that is asked for what does not come next is bad, and returns nothing more.
func TestScanner_Bad(t *testing.T) {
	for name, ask := range map[string]func(*jsonscan.Scanner){
		"an object":  func(s *jsonscan.Scanner) { s.Open('{') },
		"a string":   func(s *jsonscan.Scanner) { s.Text() },
		"a number":   func(s *jsonscan.Scanner) { s.Number() },
		"an integer": func(s *jsonscan.Scanner) { s.Int() },
		"a boolean":  func(s *jsonscan.Scanner) { s.Bool() },
		"a name":     func(s *jsonscan.Scanner) { s.Open('['); s.Next(']'); s.Name() },
		"another bracket": func(s *jsonscan.Scanner) {
			s.Open('[')
			s.Next(']')
			s.Text()
			s.Next(']')
			s.Text()
			s.Next('}')
		},
		"nothing, it fails": func(s *jsonscan.Scanner) { s.Fail() },
	} {
		t.Run(name, func(t *testing.T) {
			s := jsonscan.Of(`["a","b"]`)
			ask(&s)
			if !s.Bad() || s.End() {
				t.Error("it is not bad")
			}
			for range 2 {
				s.Open('[')
				if s.Next(']') || s.Text() != "" || s.Number() != "" || s.Name() != "" || s.Bool() || s.Null() || !s.Bad() || s.End() {
					t.Error("it reads on")
				}
				s.Skip()
			}
		})
	}
}

func TestScanner_Int(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-1": -1, "1709136000000": 1709136000000,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
	} {
		s := jsonscan.Of(text)
		if got := s.Int(); got != want || !s.End() {
			t.Errorf("%s: got %d, bad %t", text, got, s.Bad())
		}
	}
	for _, text := range []string{"9223372036854775808", "1.0", "1e3", `"1"`, "null", "-", "01", ""} {
		s := jsonscan.Of(text)
		if got := s.Int(); got != 0 || s.End() {
			t.Errorf("%s: got %d, want it to be bad", text, got)
		}
	}
}
