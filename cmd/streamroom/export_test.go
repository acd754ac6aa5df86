package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/test/rig"
)

// TestExport of a user into a file, and of a room to stdout.
func TestExport(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Seed(2, 2, 3)
	path := filepath.Join(t.TempDir(), "user.jsonl")
	code, stdout, stderr := tool(t, "export", "--endpoint", w.TableURL(), "--user", "room-0001-0", "--out", path)
	data, err := os.ReadFile(path)
	if code != exitDone || stdout != "" || err != nil || strings.Count(string(data), `"kind":"message"`) != 3 {
		t.Errorf("exit code %d, %s, %v, stdout %q, file:\n%s", code, stderr, err, stdout, data)
	}
	if want := "Written: 1 member, 3 message, 1 participation, 1 room."; !strings.Contains(stderr, want) {
		t.Errorf("got %q, want %q", stderr, want)
	}
	code, stdout, stderr = tool(t, "export", "--endpoint", w.TableURL(), "--room", "room-0000")
	if code != exitDone || strings.Count(stdout, "\n") != 1+2+3 || strings.Contains(stdout, "room-0001") {
		t.Errorf("exit code %d, %s, stdout:\n%s", code, stderr, stdout)
	}
	missing := filepath.Join(t.TempDir(), "no", "user.jsonl")
	if code, _, stderr = tool(t, "export", "--endpoint", w.TableURL(), "--user", "u", "--out", missing); code != exitFailed {
		t.Errorf("a folder that is not there: exit code %d, %s", code, stderr)
	}
}
