package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/streamroom/streamroom/test/rig"
)

// BenchmarkTools rebuilds and verifies a table of 20,000 messages, or of 2,000 with -short,
// or of as many as STREAMROOM_BENCH_MESSAGES says, in rooms of 10 members with 1,000
// messages, and reports the time and the memory of the program, which is a process of its
// own.
func BenchmarkTools(b *testing.B) {
	const members, perRoom = 10, 1_000
	messages := 20_000
	if testing.Short() {
		messages = 2_000
	}
	if text := os.Getenv("STREAMROOM_BENCH_MESSAGES"); text != "" {
		var err error
		if messages, err = strconv.Atoi(text); err != nil || messages < perRoom {
			b.Fatalf("STREAMROOM_BENCH_MESSAGES is %q; use a number from %d on", text, perRoom)
		}
	}
	binary := filepath.Join(b.TempDir(), "streamroom") // without the tests' own code and memory
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	w := rig.StartOperated(b, rig.OperatedOptions{})
	// Only the replay writes the projections.
	mappings, err := w.Clients.Lambda.ListEventSourceMappings(b.Context(), &lambda.ListEventSourceMappingsInput{})
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range mappings.EventSourceMappings {
		if _, err := w.Clients.Lambda.UpdateEventSourceMapping(b.Context(), &lambda.UpdateEventSourceMappingInput{UUID: m.UUID, Enabled: aws.Bool(false)}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range messages / perRoom {
		w.Write(rig.RoomItems(fmt.Sprintf("room-%05d", i), members, perRoom)...)
	}
	for _, tool := range []struct {
		name string
		args []string
		code int
	}{
		{"verify-before", []string{"verify", "--settle", "0s", "--read-rate", "0"}, exitIncomplete},
		{"rebuild", []string{"replay", "--apply", "--rate", "0", "--read-rate", "0", "--checkpoint", b.TempDir() + "/checkpoint.json"}, exitDone},
		{"verify-after", []string{"verify", "--settle", "0s", "--read-rate", "0"}, exitDone},
	} {
		b.Run(tool.name, func(b *testing.B) {
			peak := 0
			for b.Loop() {
				var out bytes.Buffer
				cmd := exec.CommandContext(b.Context(), binary, append(tool.args, "--endpoint", w.TableURL())...)
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				peak = max(peak, highWater(cmd.Process.Pid, ended))
				if code := cmd.ProcessState.ExitCode(); code != tool.code {
					b.Fatalf("exit code %d\n%s", code, out.Bytes()[max(0, out.Len()-2000):])
				}
			}
			b.ReportMetric(float64(messages)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(peak)/1024, "peak-MB")
		})
	}
}

// highWater waits for a process to end and returns the most memory that it had,
// in KB. The usage that the system accounts for begins with its parent's, which
// has the table.
func highWater(pid int, ended <-chan error) (peak int) {
	for {
		select {
		case <-ended:
			return peak
		case <-time.After(20 * time.Millisecond):
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has just ended
		}
		for line := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				if kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB")); err == nil {
					peak = max(peak, kb)
				}
			}
		}
	}
}
