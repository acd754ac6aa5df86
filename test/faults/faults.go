// Package faults injects faults from a plan: into requests to the table, into
// posts to @connections, and into invocations. A test injects them into a whole
// Streamroom by its configuration:
//
//	injector, err := faults.New(faults.All(seed), clock)
//	server, err := local.Start(ctx, local.Config{Wrap: injector.Wrap, …})
//	injector.Begin()
//
// or at one seam: Injector.Table and Injector.Posts wrap a transport,
// Injector.Handler wraps a function's handler.
//
// What happens to the n-th call of a kind (a seam, a function, an operation) is
// the same in every run with the same seed. Which call comes n-th is up to the
// run, where calls come side by side.
//
// Every fault is one that AWS is known for: an answer that was lost after the
// write was done, a 200 for a frame that never arrives, a 410 for one that did,
// a function that is killed half-way, two invocations for one event, clocks
// that differ.
package faults

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/shared/topology"
)

// The seams at which faults are injected.
const (
	SeamTable       = "table"
	SeamStream      = "stream" // what a function's mapping asks of the table's stream
	SeamPosts       = "posts"
	SeamInvocations = "invocations"
	seamDisconnect  = "disconnect"
)

// Plan says what goes wrong, and how often. Rates are from 0 to 1; those of one
// seam sum up to 1 at most. The zero Plan breaks nothing.
type Plan struct {
	Seed        uint64
	Table       Table
	Posts       Posts
	Invocations Invocations

	// LostDisconnects is the rate of $disconnects that never come.
	LostDisconnects float64

	// Delay bounds what is slow: each takes a random part of it.
	Delay time.Duration

	// Skew bounds how far the clock of a function's execution environment is
	// off, either way.
	Skew time.Duration

	// Outages come beside the rates.
	Outages []Outage
}

// Table has the rates of what happens to a request to the table or its stream.
type Table struct {
	Throttled float64 // 400, ProvisionedThroughputExceededException or ThrottlingException
	Failed    float64 // 500
	Conflict  float64 // writes: cancelled by another transaction, or in conflict with one
	Reset     float64 // the connection breaks before the request is carried out
	Lost      float64 // the connection breaks after it was carried out
	Slow      float64 // carried out late, or answered late
	Partial   float64 // BatchGetItem: some keys come back unprocessed
}

// Posts has the rates of what happens to a post to a connection.
type Posts struct {
	Gone       float64 // delivered, and answered 410 all the same
	Throttled  float64 // 429
	Failed     float64 // 500
	Forbidden  float64 // 403
	Reset      float64 // the connection breaks before the post is carried out
	Unanswered float64 // the connection breaks after it was carried out
	Hang       float64 // no answer until the caller gives up
	Lost       float64 // 200, and not delivered
	Twice      float64 // delivered two times
	Slow       float64 // delivered late, or answered late
}

// Invocations has the rates of what happens to an invocation.
type Invocations struct {
	Refused  float64 // it fails before any work is done
	Crashed  float64 // it fails after all work was done
	TimedOut float64 // its context ends in the middle, and it fails
	Twice    float64 // the same event, one time after the other
	Slow     float64 // it begins late
}

// Outage is a time in which every call at a seam fails: requests to the table
// or its stream are throttled, posts answered 500, invocations refused.
type Outage struct {
	Seam     string        // SeamTable, SeamStream, SeamPosts or SeamInvocations
	Function string        // "" is all of them
	After    time.Duration // since Begin
	For      time.Duration
}

// All is a plan in which everything that can break does, at rates that a
// healthy Streamroom survives.
func All(seed uint64) Plan {
	return Plan{
		Seed:  seed,
		Table: Table{Throttled: 0.02, Failed: 0.01, Conflict: 0.02, Reset: 0.01, Lost: 0.02, Slow: 0.05, Partial: 0.1},
		Posts: Posts{
			Gone: 0.01, Throttled: 0.02, Failed: 0.02, Forbidden: 0.005, Reset: 0.01, Unanswered: 0.02,
			Hang: 0.003, Lost: 0.03, Twice: 0.02, Slow: 0.05,
		},
		Invocations:     Invocations{Refused: 0.01, Crashed: 0.01, TimedOut: 0.01, Twice: 0.02, Slow: 0.03},
		LostDisconnects: 0.3,
		Delay:           400 * time.Millisecond,
		Skew:            500 * time.Millisecond,
	}
}

// Times is the plan at a part of its rates, from 0 to 1.
func (p Plan) Times(part float64) Plan {
	t, o, i := &p.Table, &p.Posts, &p.Invocations
	for _, rate := range []*float64{
		&t.Throttled, &t.Failed, &t.Conflict, &t.Reset, &t.Lost, &t.Slow, &t.Partial,
		&o.Gone, &o.Throttled, &o.Failed, &o.Forbidden, &o.Reset, &o.Unanswered, &o.Hang, &o.Lost, &o.Twice, &o.Slow,
		&i.Refused, &i.Crashed, &i.TimedOut, &i.Twice, &i.Slow, &p.LostDisconnects,
	} {
		*rate *= part
	}
	return p
}

// Outages are, for each minute, one of the table, its stream, @connections or a
// function, for some seconds.
func Outages(seed uint64, duration time.Duration) []Outage {
	kinds := []Outage{
		{Seam: SeamTable},
		{Seam: SeamTable, Function: topology.Fanout},
		{Seam: SeamTable, Function: topology.LastMessage},
		{Seam: SeamTable, Function: topology.SendMessage},
		{Seam: SeamTable, Function: topology.API},
		{Seam: SeamStream},
		{Seam: SeamPosts},
		{Seam: SeamInvocations, Function: topology.Fanout},
		{Seam: SeamInvocations, Function: topology.LastMessage},
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not for secrets
	var all []Outage
	for minute := time.Duration(0); minute < duration; minute += time.Minute {
		o := kinds[random.IntN(len(kinds))]
		o.After = minute + time.Duration(random.Int64N(int64(50*time.Second)))
		o.For = time.Second + time.Duration(random.Int64N(int64(5*time.Second)))
		all = append(all, o)
	}
	return all
}

// Nights are, for days that begin at 3 in the morning, what a region's bad days have. On
// the first day, and every third after it, fanout can't read the stream for 40 minutes at
// noon, and lastmessage not for 5 h from 8 in the evening; on the second lastmessage fails
// for 20 minutes; on the third the table is down for 5 minutes.
func Nights(days int) (all []Outage) {
	for n := range days {
		after := time.Duration(n) * 24 * time.Hour
		switch n % 3 {
		case 0:
			all = append(
				all,
				Outage{Seam: SeamStream, Function: topology.Fanout, After: after + 9*time.Hour, For: 40 * time.Minute},
				Outage{Seam: SeamStream, Function: topology.LastMessage, After: after + 17*time.Hour, For: 5 * time.Hour},
			)
		case 1:
			all = append(all, Outage{Seam: SeamInvocations, Function: topology.LastMessage, After: after + 8*time.Hour, For: 20 * time.Minute})
		case 2:
			all = append(all, Outage{Seam: SeamTable, After: after + 10*time.Hour, For: 5 * time.Minute})
		}
	}
	return all
}

// Injector carries a plan out, from Begin to End. It is safe for concurrent use,
// and may serve one deployment after the other.
type Injector struct {
	plan  Plan
	clock clockwork.Clock

	mu          sync.Mutex
	began       time.Time // zero: nothing breaks
	resting     bool      // nothing but outages breaks
	calls       map[string]uint64
	counts      map[string]int
	connections map[string]*connection // by id, those of which something is known
}

// connection is what happened to a connection.
type connection struct {
	at        time.Time // when it last did
	disturbed time.Time // the last post that a fault kept or delayed; zero: none
	gone      bool      // functions were answered 410 while it lived
	successor string    // the id of what replaced it while it worked; "": none
}

// New returns an injector at rest. It fails if the plan makes no sense.
func New(plan Plan, clock clockwork.Clock) (*Injector, error) {
	t, p, i := plan.Table, plan.Posts, plan.Invocations
	for what, rates := range map[string][]float64{
		"Table":           {t.Throttled, t.Failed, t.Conflict, t.Reset, t.Lost, t.Slow, t.Partial},
		"Posts":           {p.Gone, p.Throttled, p.Failed, p.Forbidden, p.Reset, p.Unanswered, p.Hang, p.Lost, p.Twice, p.Slow},
		"Invocations":     {i.Refused, i.Crashed, i.TimedOut, i.Twice, i.Slow},
		"LostDisconnects": {plan.LostDisconnects},
	} {
		sum := 0.0
		for _, rate := range rates {
			if !(rate >= 0) {
				return nil, fmt.Errorf("faults: invalid rate of %s: want 0 to 1, got %v", what, rate)
			}
			sum += rate
		}
		if sum > 1 {
			return nil, fmt.Errorf("faults: invalid rates of %s: want a sum of at most 1, got %v", what, sum)
		}
	}
	if plan.Delay < 0 || plan.Skew < 0 {
		return nil, fmt.Errorf("faults: invalid Delay or Skew: want 0 or more, got %v and %v", plan.Delay, plan.Skew)
	}
	for _, o := range plan.Outages {
		if !slices.Contains([]string{SeamTable, SeamStream, SeamPosts, SeamInvocations}, o.Seam) {
			return nil, fmt.Errorf("faults: invalid outage: want one of table, stream, posts or invocations, got %q", o.Seam)
		}
	}
	return &Injector{
		plan: plan, clock: clock,
		calls: map[string]uint64{}, counts: map[string]int{}, connections: map[string]*connection{},
	}, nil
}

// Begin lets faults happen.
func (in *Injector) Begin() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.began = in.clock.Now()
}

// End lets no more faults happen. Those under way come to their end.
func (in *Injector) End() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.began = time.Time{}
}

// Rest has nothing break by chance until Resume; outages come as they are planned.
func (in *Injector) Rest() { in.rest(true) }

// Resume ends a rest.
func (in *Injector) Resume() { in.rest(false) }

func (in *Injector) rest(resting bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.resting = resting
}

// Counts says how often each fault happened, by names such as "table lost".
func (in *Injector) Counts() map[string]int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.counts)
}

// Disturbed says when a fault last kept a post from a connection, or one that
// succeeded it, or delayed it; zero for never.
func (in *Injector) Disturbed(connectionID string) (last time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for c := in.connections[connectionID]; c != nil; c = in.connections[c.successor] {
		if c.disturbed.After(last) {
			last = c.disturbed
		}
	}
	return last
}

// Down reports whether a function could not do its work, by the plan's outages, at some
// time from one moment to another.
func (in *Injector) Down(function string, from, to time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.began.IsZero() && slices.ContainsFunc(in.plan.Outages, func(o Outage) bool {
		begins := in.began.Add(o.After)
		return (o.Function == "" || o.Function == function) && begins.Before(to) && begins.Add(o.For).After(from)
	})
}

// Gone says whether a connection, or one that was to succeed it, was answered 410 by a
// fault: a function that posts to it has reason to take it for gone.
func (in *Injector) Gone(connectionID string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for c := in.connections[connectionID]; c != nil; c = in.connections[c.successor] {
		if c.gone {
			return true
		}
	}
	return false
}

// Forget drops what is known of connections to which nothing happened since a time.
func (in *Injector) Forget(before time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	maps.DeleteFunc(in.connections, func(_ string, c *connection) bool { return c.at.Before(before) })
}

// succeed notes that a connection is there to replace another one.
func (in *Injector) succeed(connectionID, successor string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if connectionID != successor && connectionID != "" {
		in.connection(connectionID).successor = successor
	}
}

// connection is what is noted of a connection to which something happens now. in.mu is held.
func (in *Injector) connection(id string) *connection {
	c := in.connections[id]
	if c == nil {
		c = &connection{}
		in.connections[id] = c
	}
	c.at = in.clock.Now()
	return c
}

// DropDisconnect is for local.Deployment: it loses $disconnects at the plan's rate.
func (in *Injector) DropDisconnect(string) bool {
	return in.decide(call{seam: seamDisconnect}, []chance{{lost, in.plan.LostDisconnects}}).fault == lost
}

// What happens to a call; "" is nothing.
const (
	throttled  = "throttled"
	failed     = "failed"
	conflict   = "conflict"
	reset      = "reset"
	lost       = "lost"
	slow       = "slow"
	partial    = "partial"
	gone       = "gone"
	forbidden  = "forbidden"
	unanswered = "unanswered"
	hang       = "hang"
	twice      = "twice"
	refused    = "refused"
	crashed    = "crashed"
	timedOut   = "timed out"
	outage     = "outage"
)

// call is what is told apart by seed: the calls of one kind are counted.
type call struct{ seam, function, operation string }

// chance is a fault and its rate.
type chance struct {
	fault string
	rate  float64
}

// decision says what happens to a call, and has the source of what else about it
// is random.
type decision struct {
	fault  string
	random *rand.Rand
}

// decide decides about the next call of its kind.
func (in *Injector) decide(c call, chances []chance) decision {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.began.IsZero() {
		return decision{}
	}
	random := in.random(c)
	d := decision{random: random}
	if !in.resting {
		d.fault = pick(random.Float64(), chances)
	}
	since := in.clock.Since(in.began)
	if slices.ContainsFunc(in.plan.Outages, func(o Outage) bool {
		return o.Seam == c.seam && (o.Function == "" || o.Function == c.function) && since >= o.After && since < o.After+o.For
	}) {
		d.fault = outage
	}
	if d.fault != "" {
		in.counts[c.seam+" "+d.fault]++
	}
	return d
}

// random is the source for the next call of a kind. in.mu is held.
func (in *Injector) random(c call) *rand.Rand {
	kind := c.seam + "/" + c.function + "/" + c.operation
	in.calls[kind]++
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(kind))                                             // never fails
	return rand.New(rand.NewPCG(in.plan.Seed, hash.Sum64()+in.calls[kind]<<32)) //nolint:gosec // not for secrets
}

// pick turns a number from 0 to 1 into one of the faults, or none.
func pick(number float64, chances []chance) string {
	for _, c := range chances {
		if number -= c.rate; number < 0 {
			return c.fault
		}
	}
	return ""
}

// disturb notes that a post to a connection was kept or delayed.
func (in *Injector) disturb(connectionID string, answeredGone bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	c := in.connection(connectionID)
	c.disturbed = c.at
	c.gone = c.gone || answeredGone
}

// delay waits for a random part of the plan's delay, or for the end of ctx.
func (in *Injector) delay(ctx context.Context, random *rand.Rand) error {
	select {
	case <-in.clock.After(in.part(random)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// part is a random part of the plan's delay.
func (in *Injector) part(random *rand.Rand) time.Duration {
	return time.Duration(random.Float64() * float64(in.plan.Delay))
}

// skew is how far the clock of an environment is off.
func (in *Injector) skew(function string) time.Duration {
	in.mu.Lock()
	defer in.mu.Unlock()
	random := in.random(call{seam: "clock", function: function})
	return time.Duration((2*random.Float64() - 1) * float64(in.plan.Skew))
}
