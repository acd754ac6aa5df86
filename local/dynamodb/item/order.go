package item

import "strings"

// AppendOrdered appends a key value, an S, N or B, so that the bytes of two values of one
// kind sort as the values do. No value's bytes are a prefix of another's, so more can
// follow.
func (v Value) AppendOrdered(dst []byte) []byte {
	if v.Kind == N {
		return appendOrderedNumber(dst, v.Text)
	}
	dst = appendEscaped(dst, v.Text)
	return append(dst, terminator...)
}

// CutOrdered is the inverse of AppendOrdered: it returns the text of the value of a kind that s
// begins with, and what follows it. The text of an S or B that has no zero byte in it shares the
// memory of s. It returns false if s does not begin with such a value.
func CutOrdered(kind Kind, s string) (text, rest string, ok bool) {
	if kind == N {
		return cutOrderedNumber(s)
	}
	escaped := false
	for i := 0; ; i += len(escape) {
		n := strings.IndexByte(s[i:], 0)
		if n < 0 || i+n+1 == len(s) {
			return "", "", false
		}
		i += n
		switch s[i+1] {
		case escape[1]:
			escaped = true
		case terminator[1]:
			text = s[:i]
			if escaped {
				text = strings.ReplaceAll(text, escape, "\x00")
			}
			return text, s[i+len(terminator):], true
		default:
			return "", "", false
		}
	}
}

// What stands for a zero byte, and for the end of a string or binary, which so sorts before any
// continuation.
const (
	escape     = "\x00\xff"
	terminator = "\x00\x01"
)

// AppendPrefix appends the common prefix of the AppendOrdered of all strings, or
// binaries, that begin with v.
func (v Value) AppendPrefix(dst []byte) []byte { return appendEscaped(dst, v.Text) }

func appendEscaped(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, escape...)
		s = s[i+1:]
	}
}

// The first byte of an ordered number; that of a negative one is the complement of a positive's.
const (
	zeroNumber     = 0x80
	positiveNumber = 0x81
)

// appendOrderedNumber writes sign, exponent and digits; for a negative number the
// complement of the magnitude's bytes.
func appendOrderedNumber(dst []byte, s string) []byte {
	negative, digits, exponent, _ := scanNumber(s)
	if digits == "" {
		return append(dst, zeroNumber)
	}
	start := len(dst)
	biased := exponent - minExponent
	dst = append(dst, positiveNumber, byte(biased>>8), byte(biased))
	dst = append(dst, digits...)
	dst = append(dst, 0)
	if negative {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// cutOrderedNumber returns the canonical number whose appendOrderedNumber s begins with.
func cutOrderedNumber(s string) (text, rest string, ok bool) {
	const head = 3 // sign and exponent
	if s != "" && s[0] == zeroNumber {
		return "0", s[1:], true
	}
	if len(s) < head {
		return "", "", false
	}
	flip, negative := byte(0), s[0] == positiveNumber^0xff
	if negative {
		flip = 0xff
	}
	end := strings.IndexByte(s[head:], flip)
	if end <= 0 || s[0]^flip != positiveNumber {
		return "", "", false
	}
	var digits [maxDigits]byte
	n := copy(digits[:], s[head:head+end])
	for i := range n {
		digits[i] ^= flip
	}
	exponent := int(s[1]^flip)<<8 + int(s[2]^flip) + minExponent
	return plain(negative, string(digits[:n]), exponent), s[head+end+1:], n == end
}
