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
	return append(dst, 0, 1)
}

// AppendPrefix appends the common prefix of the AppendOrdered of all strings, or
// binaries, that begin with v.
func (v Value) AppendPrefix(dst []byte) []byte { return appendEscaped(dst, v.Text) }

// appendEscaped writes a zero byte as 0 0xff, so that the terminator 0 1 sorts before any
// continuation.
func appendEscaped(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, 0, 0xff)
		s = s[i+1:]
	}
}

// appendOrderedNumber writes sign, exponent and digits; for a negative number the
// complement of the magnitude's bytes.
func appendOrderedNumber(dst []byte, s string) []byte {
	negative, digits, exponent, _ := scanNumber(s)
	if digits == "" {
		return append(dst, 0x80)
	}
	start := len(dst)
	biased := exponent - minExponent
	dst = append(dst, 0x81, byte(biased>>8), byte(biased))
	dst = append(dst, digits...)
	dst = append(dst, 0)
	if negative {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}
