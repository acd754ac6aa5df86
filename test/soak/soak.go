// Command soak tests Streamroom's promises under faults: many clients in many
// rooms of a real local server, over real sockets, while faults are injected from
// a plan. Then the faults end, and what each client saw is compared with the
// rooms' histories, and what it shows with what the server answers to a fresh reader.
// Run it from the root of the module:
//
//	go run ./test/soak --minutes 10 --seed 1
//
// A device is an application on the Go client, in this process, or on the browser
// library, in a process of Node.js (browser.go, browser.js) that reaches the server by
// a relay for each device, so that its network breaks like the others. Devices'
// clocks are 3 h ahead, 3 h behind, or right. Browsers open two rooms of three, and count
// what is unread in all.
//
// What is checked is listed in promise.go.
//
// A run with the same seed has the same plan: who sends what and when, what
// breaks, and the n-th call of each kind that fails. How goroutines and sockets
// come to interleave is not part of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/test/faults"
	"github.com/streamroom/streamroom/test/rig"
)

// Config says how large a run is, and what breaks.
type Config struct {
	Seed     uint64
	Duration time.Duration // of load and faults; settling comes after it

	// StepTimeout is how long each step of settling may take. The default is 2 min: a
	// stream mapping that failed often waits a minute between attempts.
	StepTimeout time.Duration

	Users   int // 2 or more
	Devices int // of each user, 1 or more
	Rooms   int // 1 or more
	Crowd   int // of members without a device in the first room
	Group   int // and in the second room, where they make fanout use its index

	// Browsers is how many users have one more device, which runs the browser
	// library in Node.js.
	Browsers int

	// Sends, Changes and Reads are what all devices do in a second, in sum. Changes
	// are edits, deletions, reactions and moves of read cursors.
	Sends, Changes, Reads float64

	Faults faults.Plan // its seed is Seed
	Chaos  Chaos

	// Wrap, if set, changes each function beneath the faults.
	Wrap func(local.Function) local.Function
	// Transport, if set, stands between each device's Go client and its network.
	Transport func(next http.RoundTripper) http.RoundTripper
	// Token, if set, stands between each Go client and the source of its tokens.
	Token func(next TokenSource) TokenSource
	// Library, if set, changes each file of the browser library.
	Library func(name string, text []byte) []byte
	// BrowserLog takes what the browser library writes to its console; nil drops it.
	BrowserLog io.Writer

	// Network, if set, is what the server and the devices are on, and nothing leaves the
	// process: such a run may be made in a bubble of testing/synctest, in its time. It has
	// no browsers and no restarts.
	Network *rig.Network
	// Enough, if set, ends the run before settling waits for anything more once a broken
	// promise is enough.
	Enough func(Violation) bool

	// Clock is the real one if nil. Clients go by the real one in any case.
	Clock clockwork.Clock
	// Log takes the server's log, from LogLevel on ("warn", if empty); nil drops it.
	Log      io.Writer
	LogLevel string

	// Progress, if set, is called now and then, and at the end of the load.
	Progress func(Progress)
}

// Chaos says how often things happen that are not the functions' own: how many
// times a minute, in sum.
type Chaos struct {
	Cuts          float64 // a device's connections are reset
	Partitions    float64 // a device's connections say nothing any more, and are reset seconds later
	Reopens       float64 // a device's application ends and starts again
	MemberChanges float64 // a user joins or leaves a room
	Restarts      float64 // the server stops, gently or not, and starts on the same data
}

// How often the run looks, at most.
const (
	pollInterval    = 100 * time.Millisecond
	compareInterval = time.Second // reads everything that there is
	growth          = 4           // of an interval, while what is waited for does not come
	sampleInterval  = 5 * time.Second
	samples         = 20 // of a run that is longer
)

const (
	defaultStepTimeout = 2 * time.Minute
	setUpTimeout       = 5 * time.Minute
)

// A room is made with up to 49 members, and has half of the users; a user's
// newest 20 connections are served, and some of those have ended.
const (
	maxUsers   = 96
	maxDevices = 10
)

// ErrConfig is the error of a run that can't be as it was asked for.
var ErrConfig = errors.New("invalid configuration")

// run is a run of the checker.
type run struct {
	config    Config
	start     time.Time
	injector  *faults.Injector
	host      *rig.Host
	rooms     []*room
	devices   []*device
	byUser    map[string][]*device // of days
	browsers  *browsers            // nil: no device is one
	ledger    *ledger
	shared    sharedMessages            // of what Go devices show
	dialer    dialer                    // of the networks
	poll      time.Duration             // how often to look, at most
	lasting   bool                      // the server runs throughout
	asks      bool                      // devices ask who has read what when they connect, once it settles
	direct    *http.Client              // on which nothing breaks
	readers   map[string]*client.Client // by user; they only ask the HTTP API
	tally     tally
	owners    sync.Map // by connection id, the user
	bill      *bill    // nil: none is kept
	visitor   presentVisitor
	leaving   string // a user who is about to go or to come: when that shows is not judged yet
	samples   []Sample
	loadedAt  atomic.Int64 // when the rooms were set up; 0 before
	restarted atomic.Int64 // when the server was last stopped or started; 0: not since the start
	settling  atomic.Bool  // no faults are injected any more
	banned    sync.Map     // by user, when a ban of them was last asked for
}

// Run carries out one run, of about Duration and what it takes to converge, and
// reports what it saw. An error says that the run could not be made; broken
// promises are in the report.
func Run(ctx context.Context, c Config) (Report, error) {
	r, err := newRun(c)
	if err != nil {
		return Report{}, err
	}
	server := local.Config{Clock: r.config.Clock, Log: panics{r.config.Log, r.ledger}, LogLevel: r.config.LogLevel, Wrap: r.wrap}
	if c.Network != nil {
		server.Network = c.Network
	} else {
		if server.DataDir, err = os.MkdirTemp("", "streamroom-soak-"); err != nil {
			return Report{}, fmt.Errorf("make a data folder: %w", err)
		}
		defer os.RemoveAll(server.DataDir)
	}
	r.host = rig.NewHost(server)
	err = r.play(ctx)
	return r.report(), err
}

func newRun(c Config) (*run, error) {
	switch {
	case c.Duration <= 0:
		return nil, fmt.Errorf("%w: want a duration of more than 0, got %v", ErrConfig, c.Duration)
	case c.Users < 2 || c.Devices < 1 || c.Rooms < 1:
		return nil, fmt.Errorf("%w: want at least 2 users, 1 device and 1 room, got %d, %d and %d", ErrConfig, c.Users, c.Devices, c.Rooms)
	case c.Browsers < 0 || c.Browsers > c.Users:
		return nil, fmt.Errorf("%w: want 0 browsers to as many as there are users, %d, got %d", ErrConfig, c.Users, c.Browsers)
	case c.Users > maxUsers || c.Devices > maxDevices:
		return nil, fmt.Errorf("%w: want at most %d users with %d devices each, got %d with %d", ErrConfig, maxUsers, maxDevices, c.Users, c.Devices)
	case c.Network != nil && (c.Browsers > 0 || c.Chaos.Restarts > 0):
		return nil, fmt.Errorf("%w: want no browsers and no restarts in a network in memory", ErrConfig)
	case !(c.Sends > 0) || !(c.Reads >= 0) || !(c.Changes >= 0):
		return nil, fmt.Errorf("%w: want sends a second > 0, reads and changes a second >= 0, got %v, %v and %v", ErrConfig, c.Sends, c.Reads, c.Changes)
	}
	if c.Clock == nil {
		c.Clock = clockwork.NewRealClock()
	}
	if c.StepTimeout == 0 {
		c.StepTimeout = defaultStepTimeout
	}
	if c.LogLevel == "" {
		c.LogLevel = "warn"
	}
	c.Faults.Seed = c.Seed
	injector, err := faults.New(c.Faults, c.Clock)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	r := &run{config: c, start: c.Clock.Now(), injector: injector}
	r.ledger, r.readers = &ledger{seed: c.Seed}, map[string]*client.Client{}
	r.dialer, r.poll, r.asks = &net.Dialer{}, pollInterval, true
	direct := &http.Transport{}
	if c.Network != nil {
		r.dialer, direct.DialContext = c.Network, c.Network.DialContext
		r.poll = compareInterval // a poll takes none of its time: it would look very often
	}
	r.direct = &http.Client{Transport: direct}
	return r, nil
}

// Limits of the run's few users: faults end their connections far more often than
// networks would, and each has several devices that send, and try again.
const (
	connectRate = "600" // a minute
	sendRate    = "50"  // a second
	readRate    = "50"
)

// wrap injects the faults over what the run's caller changes.
func (r *run) wrap(d local.Deployment) local.Deployment {
	for _, f := range d.Functions { // which read only what they know
		f.Environment[config.ConnectRate], f.Environment[config.SendRate], f.Environment[config.ReadRate] = connectRate, sendRate, readRate
	}
	if r.config.Wrap != nil {
		d = local.EachFunction(r.config.Wrap)(d)
	}
	return r.injector.Wrap(d)
}

// now is the time since the start, in ns.
func (r *run) now() int64 { return int64(r.config.Clock.Since(r.start)) }

// at is when something was, in ns since the start.
func (r *run) at(t time.Time) int64 { return int64(t.Sub(r.start)) }

// random is what one actor of the run decides by.
func (r *run) random(actor string) *rand.Rand {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(actor)) // never fails
	return newRandom(r.config.Seed, hash.Sum64())
}

func newRandom(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // not for secrets
}

// pause waits for about d, and reports whether ctx still lives.
func (r *run) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-r.config.Clock.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// every calls do at random times, perMinute times a minute on average, until ctx
// ends.
func (r *run) every(ctx context.Context, perMinute float64, random *rand.Rand, do func()) {
	if perMinute <= 0 {
		return
	}
	mean := float64(time.Minute) / perMinute
	for r.pause(ctx, time.Duration(random.ExpFloat64()*mean)) {
		do()
	}
}

// await polls until done or until settling takes too long.
func (r *run) await(ctx context.Context, done func() bool) error {
	return r.awaitWithin(ctx, r.poll, max(r.poll, growth*pollInterval), r.config.StepTimeout, done)
}

// awaitWithin polls until done, at first after an interval and then less and less often, up to
// the longest one: a look reads much, and what has not come by now may take long. It looks
// once more at the end of the time.
func (r *run) awaitWithin(ctx context.Context, interval, longest, timeout time.Duration, done func() bool) error {
	deadline := r.config.Clock.After(timeout)
	for ; !done(); interval = min(2*interval, longest) {
		select {
		case <-r.config.Clock.After(interval):
		case <-deadline:
			if done() {
				return nil
			}
			return errTimeout
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// enough says that a broken promise was found, and that no other one is looked for.
func (r *run) enough() bool {
	return r.config.Enough != nil && slices.ContainsFunc(r.ledger.broken(), r.config.Enough)
}

var errTimeout = errors.New("it did not converge in time")

// play is the run, from the first server to the last.
func (r *run) play(ctx context.Context) (err error) {
	if err := r.host.Start(ctx); err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	defer func() {
		for _, d := range r.devices {
			d.close(ctx)
			d.network.close()
		}
		r.direct.CloseIdleConnections()
		r.leaveVisitor()
		if r.browsers != nil {
			err = errors.Join(err, r.browsers.close())
		}
		if stopErr := r.host.Stop(context.WithoutCancel(ctx), false); err == nil {
			err = stopErr
		}
	}()
	if err := r.setUp(ctx); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	r.load(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.converge(ctx)
}

// load is the part of the run in which things happen and break.
func (r *run) load(ctx context.Context) {
	r.sample()
	loaded, cancel := context.WithCancel(ctx)
	defer cancel()
	var actors sync.WaitGroup
	for _, d := range r.devices {
		actors.Go(func() { d.talk(loaded) })
		actors.Go(func() { d.change(loaded) })
		actors.Go(func() { d.read(loaded) })
	}
	actors.Go(func() { r.changeMembers(loaded) })
	actors.Go(func() { r.breakNetworks(loaded) })
	actors.Go(func() { r.reopenDevices(loaded) })
	actors.Go(func() { r.restartServer(loaded) })
	r.injector.Begin()
	r.watch(ctx)
	cancel()
	r.injector.End()
	actors.Wait()
	for _, d := range r.devices {
		d.network.heal()
	}
	if r.config.Progress != nil {
		p := r.progress()
		p.Settling = true
		r.config.Progress(p)
	}
}

// watch takes samples and tells of the progress until the load's time is over.
func (r *run) watch(ctx context.Context) {
	over := r.config.Clock.After(r.config.Duration)
	tick := r.config.Clock.NewTicker(max(sampleInterval, r.config.Duration/samples))
	defer tick.Stop()
	for {
		select {
		case <-over:
			r.sample()
			return
		case <-tick.Chan():
			r.sample()
			if r.config.Progress != nil {
				r.config.Progress(r.progress())
			}
		case <-ctx.Done():
			return
		}
	}
}
