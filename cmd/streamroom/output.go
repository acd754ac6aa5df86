package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// jsonLines writes one JSON object a line.
type jsonLines struct{ w io.Writer }

// write writes an object with one field.
func (j jsonLines) write(name string, value any) {
	text, err := json.Marshal(map[string]any{name: value})
	if err != nil { // a number that JSON does not have, such as infinity
		text, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	fmt.Fprintln(j.w, string(text))
}

// things renders a number of things, whose plural is regular.
func things(n int, one string) string {
	switch base, y := strings.CutSuffix(one, "y"); {
	case n == 1:
	case y:
		one = base + "ies"
	case strings.HasSuffix(one, "ch"):
		one += "es"
	default:
		one += "s"
	}
	return count(n) + " " + one
}

// count renders a number with commas between thousands.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// seconds renders a duration with as many digits as matter.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
