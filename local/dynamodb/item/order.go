package item

import "strings"

// AppendOrdered appends a key value, an S, N or B, so that the bytes of two values of one kind sort as the values do, and so
// that no value's bytes are the start of another's: more can follow.
func (v Value) AppendOrdered(dst []byte) []byte {
	if v.Kind == N {
		return appendOrderedNumber(dst, v.Text)
	}
	dst = appendEscaped(dst, v.Text)
	return append(dst, 0, 1)
}

// AppendPrefix appends the bytes with which the AppendOrdered of every string, or binary, that begins with v begins.
func (v Value) AppendPrefix(dst []byte) []byte { return appendEscaped(dst, v.Text) }

// appendEscaped writes a zero byte as 0 0xff, so that the terminator 0 1 sorts before whatever continues a value.
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

// appendOrderedNumber writes sign, exponent and digits; of a negative number the complement of its magnitude's bytes.
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
