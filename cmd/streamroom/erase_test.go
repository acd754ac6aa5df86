package main

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// TestErase counts first, erases when told to, and then finds nothing.
func TestErase(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(2, 2, 3)
	// A last message that is written behind a run shows what the run has erased.
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	for _, step := range []struct {
		more string
		want []string
	}{
		{"", []string{"message               3  tombstones", "member                1  left", "Nothing was erased: add --apply."}},
		{"--apply --settle 0s --json", []string{`"message":{"found":3,"erased":3}`, `"left":0`}},
		{"--apply --settle 0s", []string{"There is nothing of the user."}},
	} {
		args := append([]string{"erase", "--endpoint", w.TableURL(), "--user", "room-0001-0"}, strings.Fields(step.more)...)
		code, stdout, stderr := tool(t, args...)
		if code != exitDone {
			t.Fatalf("%s: exit code %d, %s", step.more, code, stderr)
		}
		for _, want := range step.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: got\n%s\nwant %q", step.more, stdout, want)
			}
		}
	}
}
