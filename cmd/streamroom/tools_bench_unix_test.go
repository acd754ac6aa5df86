//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/streamroom/streamroom/replay/testbed"
)

// BenchmarkTools rebuilds and verifies a table of 20,000 messages, or of as many
// as STREAMROOM_BENCH_MESSAGES says, in rooms of 10 members with 1,000 messages,
// and reports the time and the memory of the program, which is a process of its
// own.
func BenchmarkTools(b *testing.B) {
	const members, perRoom = 10, 1_000
	messages := 20_000
	if text := os.Getenv("STREAMROOM_BENCH_MESSAGES"); text != "" {
		var err error
		if messages, err = strconv.Atoi(text); err != nil || messages < perRoom {
			b.Fatalf("STREAMROOM_BENCH_MESSAGES is %q; use a number from %d on", text, perRoom)
		}
	}
	binary, err := build()
	if err != nil {
		b.Fatal(err)
	}
	w := testbed.Begin(b, testbed.Options{})
	// Nobody makes the projections but the replay.
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
		w.Write(testbed.RoomItems(fmt.Sprintf("room-%05d", i), members, perRoom)...)
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
			memory := int64(0)
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), binary, append(tool.args, "--endpoint", w.TableURL())...)
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tool.code {
					b.Fatalf("%v\n%.2000s", err, out)
				}
				if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
					memory = max(memory, usage.Maxrss)
				}
			}
			b.ReportMetric(float64(messages)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(memory)/1024, "peak-MB")
		})
	}
}
