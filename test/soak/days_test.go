package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	daysFlag  = flag.Int("days", 0, "how many virtual `days` TestVirtualDays has; 0 skips it")
	seedFlag  = flag.Uint64("seed", 1, "`number` that decides the days")
	usersFlag = flag.Int("users", 20, "`number` of users of TestVirtualDays")
	calmFlag  = flag.Bool("calm", false, "TestVirtualDays has nothing break but networks")
)

// gcPercent has a run, whose heap is small, spend its time on the days.
const gcPercent = 500

// TestVirtualDays runs days of users with habits in minutes, and judges each:
//
//	go test ./test/soak -run TestVirtualDays -v -days 3 -seed 7
func TestVirtualDays(t *testing.T) {
	if *daysFlag == 0 {
		t.Skip("takes minutes: go test ./test/soak -run TestVirtualDays -v -days 1 -seed 7")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	signals := make(chan os.Signal, 1)
	defer close(signals)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	var interrupted atomic.Bool
	go func() {
		<-signals
		interrupted.Store(true)
	}()

	c := DaysConfig{
		Seed: *seedFlag, Days: *daysFlag, Users: *usersFlag, Calm: *calmFlag, Stopped: interrupted.Load,
		Progress: func(r DaysReport) {
			heap := float64(r.Samples[len(r.Samples)-1].HeapBytes) / (1 << 20)
			t.Logf("day %d of %d: %d sends, %.1f MB of heap, %d broken promises", r.Days, r.Of, r.Counts.Sends, heap, len(r.Violations))
		},
	}
	report, took := inBubble(t, c)
	var text bytes.Buffer
	report.Print(&text)
	t.Logf("%s%.0f times real time: %s in %s", &text, float64(report.Virtual)/float64(took), report.Virtual.Round(time.Minute), took.Round(time.Second))
	if report.OK() || interrupted.Load() {
		return
	}
	// Which goroutine goes first is not the seed's, so a smaller run may fail by chance only.
	c.Days, c.Progress = max(1, report.Days), nil
	c = shrink(c, func(c DaysConfig) bool {
		smaller, _ := inBubble(t, c)
		return !interrupted.Load() && slices.ContainsFunc(smaller.Violations, func(v Violation) bool { return v.Promise == report.Violations[0].Promise })
	})
	t.Errorf("promises were broken; the smallest run that fails: -seed %d -days %d -users %d -calm=%t", c.Seed, c.Days, c.Users, c.Calm)
}

func TestShrink(t *testing.T) {
	runs := 0
	got := shrink(DaysConfig{Users: 100, Days: 2}, func(c DaysConfig) bool {
		runs++
		return c.Users >= 20 && c.Calm == (c.Users == 25 && runs == 4)
	})
	if got.Users != 25 || !got.Calm {
		t.Errorf("got %+v", got)
	}
}

// inBubble makes a run in a bubble of its own, and says how long that took in real time.
func inBubble(t *testing.T, c DaysConfig) (report DaysReport, took time.Duration) {
	t.Helper()
	began := time.Now()
	var log bytes.Buffer
	var err error
	synctest.Test(t, func(t *testing.T) { // which ends its caller, too, if it fails
		c.Log, c.LogLevel = &log, "error"
		report, err = RunDays(t.Context(), c)
	})
	switch {
	case errors.Is(err, ErrConfig):
		t.Fatal(err)
	case errors.Is(err, context.Canceled):
		t.Error("stopped: the report so far")
	case err != nil:
		t.Error(err)
	}
	if log.Len() > 0 {
		t.Logf("the server logged:\n%.5000s", log.String())
	}
	return report, time.Since(began)
}

func TestDaysConfig(t *testing.T) {
	for name, c := range map[string]DaysConfig{
		"no day": {Users: 20}, "too many days": {Days: 367, Users: 20}, "negative days": {Days: -1, Users: 20},
		"few users": {Days: 1, Users: 3}, "many users": {Days: 1, Users: 2001},
	} {
		if _, err := RunDays(t.Context(), c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
