package progress

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestUpdate_PrintsPlainLinesAtIntervalsWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1_000, 0)
	l := New(&out)
	l.now = func() time.Time { return now }
	for i := range 25 {
		l.Update(fmt.Sprintf("%d s", i))
		now = now.Add(time.Second)
	}
	if w := l.Above(&out); w != &out {
		t.Error("Above wraps a writer although there is no terminal")
	}
	l.Done()
	if want := "0 s\n10 s\n20 s\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

func TestUpdate_RewritesOneLineOnTerminal(t *testing.T) {
	var out bytes.Buffer
	l := &Line{now: time.Now, out: &out, terminal: true}
	results := l.Above(&out)
	fmt.Fprintln(results, "plan")
	l.Update("1 of 2")
	fmt.Fprintln(results, "found")
	l.Update("2 of 2")
	l.Done()
	fmt.Fprintln(results, "done")
	line := func(text string) string { return "\r\x1b[K\x1b[?7l" + text + "\x1b[?7h" }
	want := "plan\n" + line("1 of 2") + "\r\x1b[K" + "found\n" + line("1 of 2") + line("2 of 2") + "\r\x1b[K" + "done\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

func TestNew_FileIsNoTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if New(file).terminal {
		t.Error("a regular file is taken for a terminal")
	}
}
