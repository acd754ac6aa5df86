package main

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/faults"
	"github.com/streamroom/streamroom/test/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small is a run that takes seconds.
func small() Config {
	return Config{
		Seed: 1, Duration: 8 * time.Second, StepTimeout: 2 * time.Minute,
		Users: 4, Devices: 2, Browsers: 2, Rooms: 6, Sends: 16, Changes: 12, Reads: 12,
	}
}

// withoutBrowsers judges the Go client alone where no Node.js is installed. A test
// that does so calls requireBrowsers in the end.
func withoutBrowsers(c Config) Config {
	if _, err := exec.LookPath("node"); err != nil {
		c.Browsers = 0
	}
	return c
}

// requireBrowsers skips the test if no Node.js is installed, or has it fail in CI.
func requireBrowsers(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err == nil {
		return
	}
	if os.Getenv("STREAMROOM_REQUIRE_NODE") != "" {
		t.Fatal("Node.js is not installed, and STREAMROOM_REQUIRE_NODE asks for it")
	}
	t.Skip("the browser library was not judged: Node.js is not installed")
}

// runAll makes runs side by side, more of them than there are processors: most
// of the time they wait.
func runAll(t *testing.T, configs map[string]Config) map[string]Report {
	t.Helper()
	_, reports := startAll(t, configs)
	return reports()
}

// startAll begins runs side by side. loaded is closed when the load of all is over; reports
// waits until they end.
func startAll(t *testing.T, configs map[string]Config) (loaded <-chan struct{}, reports func() map[string]Report) {
	t.Helper()
	var group errgroup.Group
	var loads sync.WaitGroup
	var mu sync.Mutex
	all := map[string]Report{}
	for name, c := range configs {
		loads.Add(1)
		over := sync.OnceFunc(loads.Done)
		c.Progress = func(p Progress) {
			if p.Settling {
				over()
			}
		}
		group.Go(func() error {
			defer over()
			report, err := Run(t.Context(), c)
			mu.Lock()
			defer mu.Unlock()
			all[name] = report
			return err
		})
	}
	ended := make(chan struct{})
	go func() {
		loads.Wait()
		close(ended)
	}()
	return ended, func() map[string]Report {
		t.Helper()
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		for name, report := range all {
			var text bytes.Buffer
			report.Print(&text)
			t.Logf("%s: %s", name, &text)
		}
		return all
	}
}

// runVirtual makes runs without browsers, each in virtual time: no one waits, and no machine
// is slow.
func runVirtual(t *testing.T, configs map[string]Config) map[string]Report {
	t.Helper()
	reports := map[string]Report{}
	for name, c := range configs {
		c.Network = rig.NewNetwork()
		synctest.Test(t, func(t *testing.T) {
			report, err := Run(t.Context(), c)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			reports[name] = report
		})
		var text bytes.Buffer
		reports[name].Print(&text)
		t.Logf("%s: %s", name, &text)
	}
	return reports
}

// skipUnderRace skips runs that compute all the time, five times as long under the race
// detector. It sees the same code in TestPromisesAreKept, over real sockets, and virtual time
// in TestRunDays_EndsEarly.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("takes five times as long under the race detector: go test ./test/soak -run PlantedBugs, as .ci/run does")
	}
}

// The load is not beside the planted bugs, which compute all the time: in real time, with
// them, too little happens in it. What follows mostly waits, and is.
func TestPromisesAreKept(t *testing.T) {
	calm, broken := withoutBrowsers(small()), withoutBrowsers(small())
	broken.Faults = faults.All(1)
	broken.Faults.Outages = []faults.Outage{
		{Seam: faults.SeamTable, Function: topology.Fanout, After: time.Second, For: time.Second},
		{Seam: faults.SeamPosts, After: 3 * time.Second, For: time.Second / 2},
	}
	broken.Chaos = Chaos{Cuts: 90, Partitions: 60, Reopens: 60, MemberChanges: 90, Restarts: 20}
	loaded, reports := startAll(t, map[string]Config{"nothing breaks": calm, "everything breaks": broken})
	<-loaded
	t.Parallel()
	for name, report := range reports() {
		if !report.OK() {
			t.Errorf("%s: promises were broken", name)
		}
		c := report.Counts
		if c.Acked < 10 || c.Deliveries < 2*c.Acked || c.Reads < 10 || c.Linearizable == 0 {
			t.Errorf("%s: too little happened to tell: %+v", name, c)
		}
	}
	requireBrowsers(t)
}
