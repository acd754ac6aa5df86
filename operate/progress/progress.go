// Package progress shows how far long work has come: one line that is rewritten
// in place on a terminal, and plain lines at intervals elsewhere, such as in a
// log of CI. Programs write it to stderr, so that stdout has their results only.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// PlainEvery is about the least time between two lines where there is no terminal.
const PlainEvery = 10 * time.Second

// Control sequences that every terminal of today understands (ECMA-48, and
// DECAWM of xterm's control sequences). Without automatic wrapping a line that is
// too long is cut at the edge, where it would else spill into lines that can't be
// rewritten.
const (
	clearLine = "\r\x1b[K"
	noWrap    = "\x1b[?7l"
	wrap      = "\x1b[?7h"
)

// Line is the progress of one piece of work. Its methods are safe for concurrent
// use.
type Line struct {
	now      func() time.Time
	terminal bool

	mu      sync.Mutex
	out     io.Writer
	text    string    // shown on the terminal; "" if there is none
	printed time.Time // when the last plain line was
}

// New returns a Line on w, usually os.Stderr. The line is rewritten if w is a
// terminal and TERM is not "dumb".
func New(w io.Writer) *Line {
	file, isFile := w.(*os.File)
	return &Line{
		now: time.Now, out: w,
		terminal: isFile && isatty.IsTerminal(file.Fd()) && os.Getenv("TERM") != "dumb",
	}
}

// Update shows text, which has no line break, in place of the text before. Where
// there is no terminal, text is dropped if the last line is more recent than
// PlainEvery.
func (l *Line) Update(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal {
		l.text = text
		l.draw()
		return
	}
	// A ticker of PlainEvery may be a little early, and must not lose every second line.
	if now := l.now(); l.printed.IsZero() || now.Sub(l.printed) > PlainEvery*9/10 {
		l.printed = now
		fmt.Fprintln(l.out, text)
	}
}

// Done removes the line from the terminal. What is written next begins at the
// start of a line.
func (l *Line) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	l.text = ""
}

// Above returns a writer that passes whole lines on to w, above the progress
// line: w may be the same terminal. Where there is no terminal it is w.
func (l *Line) Above(w io.Writer) io.Writer {
	if !l.terminal {
		return w
	}
	return above{line: l, w: w}
}

type above struct {
	line *Line
	w    io.Writer
}

func (a above) Write(p []byte) (int, error) {
	a.line.mu.Lock()
	defer a.line.mu.Unlock()
	a.line.clear()
	n, err := a.w.Write(p)
	a.line.draw()
	return n, err
}

func (l *Line) clear() {
	if l.text != "" {
		fmt.Fprint(l.out, clearLine)
	}
}

func (l *Line) draw() {
	if l.text != "" {
		fmt.Fprint(l.out, clearLine+noWrap+l.text+wrap)
	}
}
