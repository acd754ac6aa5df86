package item

import (
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// DynamoDB's numbers have 38 significant digits and magnitudes from 1E-130 up to
// 9.99…E+125.
const (
	maxDigits   = 38
	maxExponent = 125
	minExponent = -130
)

// ParseNumber returns the canonical form of a number: a plain decimal without exponent,
// plus sign, leading or trailing zeros. The error is an *Error with DynamoDB's own text.
func ParseNumber(s string) (string, error) {
	if isPlainInteger(s) {
		return s, nil
	}
	negative, digits, exponent, ok := scanNumber(s)
	if !ok {
		return "", invalid("The parameter cannot be converted to a numeric value: " + s)
	}
	if digits == "" {
		return "0", nil
	}
	switch {
	case exponent > maxExponent:
		return "", invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case exponent < minExponent:
		return "", invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(digits) > maxDigits:
		return "", invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return plain(negative, digits, exponent), nil
}

// isPlainInteger recognises the usual case, which is canonical already.
func isPlainInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > 18 || (digits[0] == '0' && s != "0") {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// scanNumber splits a decimal: d.ddd × 10^exponent, with digits neither starting nor
// ending with a zero; none for zero.
func scanNumber(s string) (negative bool, digits string, exponent int, ok bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	mantissa := s
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		power := s[i+1:]
		n, err := strconv.Atoi(power)
		if err != nil && !isDigits(strings.TrimLeft(power, "+-")) {
			return false, "", 0, false
		}
		// a power beyond any int is still an overflow or underflow, not a syntax error
		exponent = min(max(n, -1<<30), 1<<30)
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = whole + fraction
	if !isDigits(digits) {
		return false, "", 0, false
	}
	exponent += len(whole) - 1
	significant := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(significant)
	return negative, strings.TrimRight(significant, "0"), exponent, true
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// plain is the inverse of scanNumber.
func plain(negative bool, digits string, exponent int) string {
	var b strings.Builder
	if negative {
		b.WriteByte('-')
	}
	switch whole := exponent + 1; {
	case whole <= 0:
		b.WriteString("0.")
		b.WriteString(strings.Repeat("0", -whole))
		b.WriteString(digits)
	case whole >= len(digits):
		b.WriteString(digits)
		b.WriteString(strings.Repeat("0", whole-len(digits)))
	default:
		b.WriteString(digits[:whole])
		b.WriteByte('.')
		b.WriteString(digits[whole:])
	}
	return b.String()
}

// CompareNumbers orders two canonical numbers by value.
func CompareNumbers(a, b string) int {
	if len(a) < 18 && len(b) < 18 {
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		if errX == nil && errY == nil {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	negA, negB := a[0] == '-', b[0] == '-'
	switch {
	case negA && negB:
		return compareMagnitudes(b[1:], a[1:])
	case negA:
		return -1
	case negB:
		return 1
	}
	return compareMagnitudes(a, b)
}

func compareMagnitudes(a, b string) int {
	wholeA, fractionA, _ := strings.Cut(a, ".")
	wholeB, fractionB, _ := strings.Cut(b, ".")
	switch {
	case len(wholeA) < len(wholeB):
		return -1
	case len(wholeA) > len(wholeB):
		return 1
	}
	if c := strings.Compare(wholeA, wholeB); c != 0 {
		return c
	}
	return strings.Compare(fractionA, fractionB)
}

// arithmetic keeps more digits than a number may have, so that a result with too many is
// noticed instead of rounded.
var arithmetic = apd.Context{Precision: 300, MaxExponent: apd.MaxExponent, MinExponent: apd.MinExponent}

// Add returns the sum of two canonical numbers. The error is an *Error: the result may be
// too large or have too many digits.
func Add(a, b string) (string, error) {
	if len(a) < 18 && len(b) < 18 {
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		if errX == nil && errY == nil {
			return strconv.FormatInt(x+y, 10), nil
		}
	}
	return calculate(a, b, arithmetic.Add)
}

// Subtract returns the difference of two canonical numbers, with the errors of Add.
func Subtract(a, b string) (string, error) {
	return calculate(a, b, arithmetic.Sub)
}

func calculate(a, b string, operation func(d, x, y *apd.Decimal) (apd.Condition, error)) (string, error) {
	x, _, errX := apd.NewFromString(a)
	y, _, errY := apd.NewFromString(b)
	if errX != nil || errY != nil {
		return "", invalid("The parameter cannot be converted to a numeric value: " + a + ", " + b)
	}
	var result apd.Decimal
	if _, err := operation(&result, x, y); err != nil {
		return "", invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	}
	return ParseNumber(result.Text('f'))
}
