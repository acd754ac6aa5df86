package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// tool calls the command as a shell does.
func tool(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestReplay_MissingCheckpointFails(t *testing.T) {
	code, _, stderr := tool(t, "replay", "--resume", filepath.Join(t.TempDir(), "none.json"))
	if code != exitFailed || !strings.Contains(stderr, "no checkpoint") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestOperatorCommands_FollowTheRunbooks calls the commands as docs/operations.md
// does.
func TestOperatorCommands_FollowTheRunbooks(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	here := func(args ...string) []string { return append(args, "--endpoint", w.TableURL()) }
	records := w.Seed(5, 2, 4)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	t.Chdir(t.TempDir())
	step := func(want int, says string, args ...string) string {
		t.Helper()
		code, stdout, stderr := tool(t, here(args...)...)
		if code != want || !strings.Contains(stdout+stderr, says) || strings.Contains(stdout+stderr, "message 3") {
			t.Errorf("streamroom %v: exit code %d, want %d and %q\n%s%s", args, code, want, says, stdout, stderr)
		}
		return stdout
	}
	step(exitDone, "0 differ", "verify", "--settle", "0s")
	w.Spoil()
	step(exitIncomplete, "--repair fixes", "verify", "--settle", "0s")
	step(exitDone, "Nothing was sent", "replay")
	step(exitDone, "Sent 20 records", "replay", "--apply")
	step(exitDone, "0 differ", "verify", "--settle", "0s")
	step(exitDone, "Saved 4 records", "replay", "--room", "room-0001", "--target", "none", "--save", "room.jsonl")
	step(exitFailed, "exists: choose another file", "replay", "--target", "none", "--save", "room.jsonl")
	step(exitDone, "Sent 4 records", "replay", "--source", "file", "--file", "room.jsonl", "--apply")
	step(exitDone, "MESSAGE#", "replay", "--target", "none", "--user", "room-0001-0", "--show", "2")
	step(exitDone, "0 records", "replay", "--from", "1s")
	step(exitDone, "There are no failures", "failures", "list")
	step(exitUsage, "add --deliver", "replay", "--target", "fanout", "--apply")

	w.Consumers.Plant(func(string, []events.DynamoDBEventRecord) ([]byte, error) { return nil, errors.New("a bug") })
	w.Write(rig.RoomItems("late", 1, 1)...)
	id := ""
	rig.Eventually(t, "a failure", func() bool {
		list := step(exitDone, "", "failures", "list", "--json")
		var entry struct{ ID string }
		if json.NewDecoder(strings.NewReader(list)).Decode(&entry) == nil {
			id = entry.ID
		}
		return strings.Count(list, "RetryAttemptsExhausted") > 0 && strings.Count(list, `"records":1`)+2*strings.Count(list, `"records":2`) >= 2
	})
	step(exitDone, id, "failures", "show", id)
	step(exitIncomplete, "stays in the bucket", "replay", "--source", "failures", "--apply", "--attempts", "1")
	step(exitIncomplete, "fails: CHATROOM#late", "replay", "--room", "late", "--apply", "--attempts", "1")
	w.Consumers.Plant(nil)
	step(exitDone, "Removed", "failures", "retry")
	step(exitDone, "There are no failures", "failures", "list")
	lines := step(exitDone, "", "replay", "--apply", "--json")
	for line := range strings.Lines(lines) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &object); err != nil || len(object) != 1 {
			t.Errorf("not one JSON object: %s", line)
		}
	}
	if last := lines[strings.LastIndex(strings.TrimSpace(lines), "\n")+1:]; !strings.Contains(last, `{"summary":`) || !strings.Contains(last, `"records":21`) {
		t.Errorf("it ends with %s", last)
	}
	step(exitDone, `"differences":0`, "verify", "--settle", "0s", "--json")
}

// TestReplay_CtrlCPrintsHowToResume interrupts a run at its first batch, and resumes it.
func TestReplay_CtrlCPrintsHowToResume(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(5, 1, 4)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	checkpoint := filepath.Join(t.TempDir(), "checkpoint.json")
	ctx, stop := context.WithCancel(t.Context())
	w.Consumers.Plant(func(string, []events.DynamoDBEventRecord) ([]byte, error) { stop(); return nil, nil })
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"replay", "--endpoint", w.TableURL(), "--apply", "--rate", "1", "--checkpoint", checkpoint}, nil, &stdout, &stderr)
	if code != exitInterrupted || !strings.Contains(stderr.String(), "streamroom replay --resume "+checkpoint) {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	w.Consumers.Plant(nil)
	if code, stdout, stderr := tool(t, "replay", "--resume", checkpoint, "--rate", "0"); code != exitDone || !strings.Contains(stdout, "Sent 20 records") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// TestReplay_KilledRunResumes kills the program itself and resumes the run: every
// record is delivered.
func TestReplay_KilledRunResumes(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{Fanout: true})
	records := w.Seed(10, 1, 10)
	rig.Eventually(t, "the live records", func() bool { return w.Consumers.Handled(topology.Fanout) == records })
	w.Consumers.Reset()
	checkpoint := filepath.Join(t.TempDir(), "checkpoint.json")
	screen := newScreen()
	cmd := program(t.Context(), "replay", "--endpoint", w.TableURL(), "--target", "fanout", "--deliver", "--apply",
		"--rate", "15", "--checkpoint", checkpoint)
	cmd.Stdout, cmd.Stderr = screen, screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := screen.await("of 100 sent"); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed; that is its error
	if came := w.Consumers.Handled(topology.Fanout); came == 0 || came == 100 {
		t.Errorf("%d of 100 records had come when it was killed", came)
	}
	if _, err := os.Stat(checkpoint); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := tool(t, "replay", "--resume", checkpoint, "--rate", "0"); code != exitDone {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if came := w.Consumers.Handled(topology.Fanout); came != 100 {
		t.Errorf("%d of 100 records came", came)
	}
}
