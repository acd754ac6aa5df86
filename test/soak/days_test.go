package main

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Texts, so that a wrong one is told in a line: package flag adds all flags of a test.
var (
	daysFlag    = flag.String("days", "", "how many virtual `days` TestVirtualDays has; none skips it")
	seedFlag    = flag.String("seed", "1", "`number` that decides the days")
	usersFlag   = flag.String("users", "20", "`number` of users of TestVirtualDays")
	crowdFlag   = flag.String("crowd", "0", "`number` of members without a device in the first room of TestVirtualDays; over 2000 have it served in slices")
	withoutFlag = flag.String("without", "none", "`kinds` of what breaks that doesn't on TestVirtualDays: all, none, or some of "+strings.Join(dayFaults, ","))
)

// parseDays reads the flags of TestVirtualDays.
func parseDays(days, users, crowd, seed, without string) (c DaysConfig, err error) {
	if c.Days, err = strconv.Atoi(days); err != nil {
		return c, fmt.Errorf("invalid -days %q: want 1 to %d", days, maxDays)
	}
	if c.Users, err = strconv.Atoi(users); err != nil {
		return c, fmt.Errorf("invalid -users %q: want %d to %d", users, minDaysUsers, maxDaysUsers)
	}
	if c.Crowd, err = strconv.Atoi(crowd); err != nil {
		return c, fmt.Errorf("invalid -crowd %q: want 0 to %d", crowd, maxDaysCrowd)
	}
	if c.Seed, err = parseSeed(seed); err != nil {
		return c, err
	}
	switch without {
	case "none":
	case "all":
		c.Without = dayFaults
	default:
		c.Without = strings.Split(without, ",")
	}
	return c, c.check()
}

func parseSeed(text string) (seed uint64, err error) {
	if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
		return 0, fmt.Errorf("invalid -seed %q: want a number from 0 to %d", text, uint64(math.MaxUint64))
	}
	return seed, nil
}

// gcPercent has a run, whose heap is small, spend its time on the days, up to so much memory
// for each user.
const (
	gcPercent    = 500
	memoryOfUser = 5 << 20 // bytes
)

// TestVirtualDays runs days of users with habits in minutes, and judges each:
//
//	go test ./test/soak -run TestVirtualDays -v -days 3 -seed 7
func TestVirtualDays(t *testing.T) {
	if *daysFlag == "" {
		t.Skip("takes minutes: go test ./test/soak -run TestVirtualDays -v -days 1 -seed 7")
	}
	c, err := parseDays(*daysFlag, *usersFlag, *crowdFlag, *seedFlag, *withoutFlag)
	if err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(max(100, c.Users)) * memoryOfUser))
	signals := make(chan os.Signal, 1)
	defer close(signals)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	var interrupted atomic.Bool
	go func() {
		<-signals
		interrupted.Store(true)
	}()

	c.Stopped = interrupted.Load
	c.Progress = func(r DaysReport) {
		heap := float64(r.Samples[len(r.Samples)-1].HeapBytes) / (1 << 20)
		t.Logf("day %d of %d: %d sends, %.1f MB of heap, %d broken promises", r.Days, r.Of, r.Counts.Sends, heap, len(r.Violations))
	}
	report, took, err := inBubble(t, c)
	var text bytes.Buffer
	report.Print(&text)
	t.Logf("%s%.0f times real time: %s in %s", &text, float64(report.Virtual)/float64(took), report.Virtual.Round(time.Minute), took.Round(time.Second))
	switch {
	case interrupted.Load():
		t.Error("stopped: the report so far")
		return
	case err != nil:
		t.Error(err)
	}
	if report.OK() {
		return
	}
	t.Errorf("promises were broken: %s", report.Violations[0])
	// Which goroutine goes first is not the seed's, so a smaller run may fail by chance only.
	c.Days, c.Progress = max(1, report.Days), nil
	c.Enough = breaks([]Promise{report.Violations[0].Promise})
	smallest := shrink(c, report.Virtual, report.Violations[0], func(c DaysConfig) (Violation, time.Duration, bool) {
		if interrupted.Load() {
			return Violation{}, 0, false
		}
		smaller, _, _ := inBubble(t, c)
		i := slices.IndexFunc(smaller.Violations, c.Enough)
		if i < 0 || interrupted.Load() {
			return Violation{}, 0, false
		}
		return smaller.Violations[i], smaller.Virtual, true
	})
	t.Errorf("the smallest run that failed, of %d: %s", smallest.runs, smallest)
}

func TestParseDays(t *testing.T) {
	for name, tt := range map[string]struct{ days, users, crowd, seed, without, want string }{
		"as it is":        {"3", "12", "0", "18446744073709551615", "none", ""},
		"nothing breaks":  {"1", "4", "0", "0", "all", ""},
		"without two":     {"1", "4", "0", "0", "table,splits", ""},
		"no number":       {"week", "12", "0", "1", "none", `invalid -days "week"`},
		"half a day":      {"0.5", "12", "0", "1", "none", `invalid -days "0.5"`},
		"negative days":   {"-1", "12", "0", "1", "none", "want 1 to 366 days, got -1"},
		"too many days":   {"367", "12", "0", "1", "none", "want 1 to 366 days, got 367"},
		"all users":       {"1", "all", "0", "1", "none", `invalid -users "all"`},
		"few users":       {"1", "3", "0", "1", "none", "want 4 to 2000 users, got 3"},
		"many users":      {"1", "2001", "0", "1", "none", "want 4 to 2000 users, got 2001"},
		"a negative seed": {"1", "12", "0", "-1", "none", `invalid -seed "-1"`},
		"a seed too far":  {"1", "12", "0", "18446744073709551616", "none", "invalid -seed"},
		"an unknown kind": {"1", "12", "0", "1", "table,moon", `want kinds of faults of table,`},
		"no crowd":        {"1", "12", "few", "1", "none", `invalid -crowd "few"`},
		"a large crowd":   {"1", "12", "10001", "1", "none", "want a crowd of 0 to 10000, got 10001"},
	} {
		t.Run(name, func(t *testing.T) {
			switch _, err := parseDays(tt.days, tt.users, tt.crowd, tt.seed, tt.without); {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")):
				t.Errorf("got %v, want a line with %q", err, tt.want)
			}
		})
	}
}

func TestShrink(t *testing.T) {
	const fault = faultInvocations
	for name, tt := range map[string]struct {
		fails func(DaysConfig) bool
		users int
		left  []string // of dayFaults
		again int
	}{
		"always":         {func(DaysConfig) bool { return true }, minDaysUsers, nil, againRuns},
		"of many users":  {func(c DaysConfig) bool { return c.Users >= 20 }, 25, nil, againRuns},
		"by one fault":   {func(c DaysConfig) bool { return c.happens(fault) }, minDaysUsers, []string{fault}, againRuns},
		"only all of it": {func(c DaysConfig) bool { return c.Users == 100 && len(c.Without) == 0 }, 100, dayFaults, againRuns},
		"not again":      {func(DaysConfig) bool { return false }, 100, dayFaults, 0},
	} {
		t.Run(name, func(t *testing.T) {
			runs := 0
			got := shrink(DaysConfig{Users: 100, Days: 2}, 30*time.Hour, Violation{}, func(c DaysConfig) (Violation, time.Duration, bool) {
				runs++
				return Violation{Promise: Lost}, 20 * time.Hour, tt.fails(c)
			})
			var left []string
			for _, kind := range dayFaults {
				if got.config.happens(kind) {
					left = append(left, kind)
				}
			}
			if got.config.Users != tt.users || !slices.Equal(left, tt.left) || got.again != tt.again || got.runs > shrinkRuns || runs != got.runs+againRuns {
				t.Errorf("got %s, with %v, in %d runs", got, left, runs)
			}
			if shrank := got.config.Until == 20*time.Hour+shrinkSlack; shrank != (got.broken.Promise == Lost) {
				t.Errorf("it ends at %s, and has broken %q", got.config.Until, got.broken.Promise)
			}
		})
	}
}

// A run ends when it was to, or soon after what was looked for.
func TestRunDays_EndsEarly(t *testing.T) {
	t.Parallel()
	c := DaysConfig{Seed: 1, Days: 1, Users: 4, Without: dayFaults, Transport: keepConnection}
	c.Until = time.Hour
	if report, _, err := inBubble(t, c); err != nil || report.Virtual < c.Until || report.Virtual > c.Until+5*time.Minute || report.Days != 0 || !report.OK() {
		t.Errorf("ended after %s with %v, want %s: %v", report.Virtual, report.Violations, c.Until, err)
	}
	c.Until, c.Enough = 0, breaks([]Promise{Ended})
	if report, _, err := inBubble(t, c); err != nil || report.OK() || report.Virtual > 3*time.Hour {
		t.Errorf("ended after %s with %v: %v", report.Virtual, report.Violations, err)
	}
}

// inBubble makes a run in a bubble of its own, and says how long that took in real time.
func inBubble(t *testing.T, c DaysConfig) (report DaysReport, took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) { // which ends its caller, too, if it fails
		c.Log, c.LogLevel = &log, "error"
		report, err = RunDays(t.Context(), c)
	})
	if log.Len() > 0 {
		t.Logf("the server logged:\n%.5000s", log.String())
	}
	return report, time.Since(began), err
}
