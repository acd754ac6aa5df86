package jsonio

const hexDigits = "0123456789abcdef"

// AppendString appends s, which is UTF-8, as a JSON string. It escapes what JSON demands
// and nothing else.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// AppendName appends s as a member name with its colon, after a comma unless it comes
// first in its object.
func AppendName(dst []byte, s string) []byte {
	dst = AppendComma(dst)
	dst = AppendString(dst, s)
	return append(dst, ':')
}

// AppendComma appends a comma unless dst is empty or ends with an opening bracket.
func AppendComma(dst []byte) []byte {
	if n := len(dst); n == 0 || dst[n-1] == '{' || dst[n-1] == '[' {
		return dst
	}
	return append(dst, ',')
}
