package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// output is stdout. A command that can't write there has failed, though few look at
// each write: a disk may be full.
type output struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err //nolint:wrapcheck // it is stdout's own
}

// failure returns the first error in writing, nil where all was written.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

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
