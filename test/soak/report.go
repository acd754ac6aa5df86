package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Violation is a promise that was broken.
type Violation struct {
	Promise Promise  `json:"promise"`
	Seed    uint64   `json:"seed"`
	At      string   `json:"at,omitempty"` // virtual time
	Room    string   `json:"room,omitempty"`
	Client  string   `json:"client,omitempty"` // a user, or a device of one: user-1/0
	IDs     []string `json:"ids,omitempty"`    // of messages
	Detail  string   `json:"detail"`
}

// shownIDs is how many ids a line shows.
const shownIDs = 5

// String is the violation in one line.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (seed %d)", v.Promise, v.Seed)
	if v.At != "" {
		fmt.Fprintf(&b, " %s", v.At)
	}
	if v.Room != "" {
		fmt.Fprintf(&b, " room %s", v.Room)
	}
	if v.Client != "" {
		fmt.Fprintf(&b, " client %s", v.Client)
	}
	if n := len(v.IDs); n > 0 {
		fmt.Fprintf(&b, " %d: %s", n, strings.Join(v.IDs[:min(n, shownIDs)], " "))
		if n > shownIDs {
			b.WriteString(" …")
		}
	}
	return b.String() + ": " + v.Detail
}

// Sample is what the process held at one time.
type Sample struct {
	At         time.Duration `json:"at"` // since the start, in ns
	Goroutines int           `json:"goroutines"`
	HeapBytes  uint64        `json:"heapBytes"` // live, after a collection

	// Of days: messages that devices show, and items of the table the night after.
	Shown int `json:"shown,omitempty"`
	Items int `json:"items,omitempty"`
}

// Counts are what happened in a run.
type Counts struct {
	Sends   int `json:"sends"`
	Acked   int `json:"acked"`
	Refused int `json:"refused"`
	Unknown int `json:"unknown"` // sends that failed, and may be stored all the same
	Reads   int `json:"reads"`   // of histories

	Edits     int `json:"edits"` // that succeeded, as the deletions and the moves of read cursors
	Deletions int `json:"deletions"`
	Marks     int `json:"marks"`
	Reactions int `json:"reactions"`

	Deliveries int `json:"deliveries"` // messages handed to applications
	Late       int `json:"late"`       // those among them that a newer one came before
	Changes    int `json:"changes"`    // of messages, handed to applications of the Go client

	Typings int `json:"typings"` // of which applications of the Go client were told

	Connects       int `json:"connects"`
	Cuts           int `json:"cuts"`
	Partitions     int `json:"partitions"`
	Reopens        int `json:"reopens"`
	CatchUpsFailed int `json:"catchUpsFailed"` // as clients told their applications
	MemberChanges  int `json:"memberChanges"`
	Restarts       int `json:"restarts"`              // of the server
	Freezes        int `json:"freezes,omitempty"`     // on days: of tabs in the background
	Files          int `json:"files"`                 // uploaded
	Moderations    int `json:"moderations,omitempty"` // on days: mutes, bans, reports, hidden presences, places

	Linearizable int `json:"linearizable"` // rooms whose reads and sends were explained
	Undecided    int `json:"undecided"`    // rooms for which that took too long
}

// Report is what a run saw.
type Report struct {
	Seed     uint64        `json:"seed"`
	Duration time.Duration `json:"duration"` // of the load, in ns
	Users    int           `json:"users"`
	Devices  int           `json:"devices"`  // of all users
	Browsers int           `json:"browsers"` // those among them that run the browser library
	Rooms    int           `json:"rooms"`

	Counts Counts         `json:"counts"`
	Faults map[string]int `json:"faults"` // injected, by kind

	// GivenUp are the records in the failure queue, by function.
	GivenUp map[string]int `json:"givenUp"`
	// Converged is how long after the faults each step of settling was done: what
	// was sent has arrived and is in the lists; a further message has arrived;
	// everyone has caught up after a reconnect. In ns.
	Converged []time.Duration `json:"converged"`
	// Reconnects are the median, the 99th percentile and the greatest of the
	// times that devices were without a connection, in ns.
	Reconnects [3]time.Duration `json:"reconnects"`

	Samples    []Sample    `json:"samples"`
	Violations []Violation `json:"violations"`
}

// OK says whether every promise was kept.
func (r Report) OK() bool { return len(r.Violations) == 0 }

// shownViolations is how many lines of violations a printed report has.
const shownViolations = 50

// Print writes the report for people.
func (r Report) Print(w io.Writer) {
	c := r.Counts
	fmt.Fprintf(w, "seed %d: %d users, %d devices (%d browsers), %d rooms, %s of load\n", r.Seed, r.Users, r.Devices, r.Browsers, r.Rooms, r.Duration)
	fmt.Fprintf(w, "  sends       %d: %d acknowledged, %d refused, %d of unknown outcome\n", c.Sends, c.Acked, c.Refused, c.Unknown)
	fmt.Fprintf(w, "  deliveries  %d, %d of them late; %d changes of messages\n", c.Deliveries, c.Late, c.Changes)
	fmt.Fprintf(w, "  changes     %d edits, %d deletions, %d read marks, %d reactions, %d files; %d typed\n", c.Edits, c.Deletions, c.Marks, c.Reactions, c.Files, c.Typings)
	fmt.Fprintf(w, "  reads       %d; %d rooms linearizable, %d undecided\n", c.Reads, c.Linearizable, c.Undecided)
	fmt.Fprintf(w, "  devices     %d connects, %d cuts, %d partitions, %d applications restarted, %d failed catch-ups\n", c.Connects, c.Cuts, c.Partitions, c.Reopens, c.CatchUpsFailed)
	fmt.Fprintf(w, "  members     %d changes; server: %d restarts\n", c.MemberChanges, c.Restarts)
	fmt.Fprintf(w, "  reconnect   p50 %s, p99 %s, at most %s\n", round(r.Reconnects[0]), round(r.Reconnects[1]), round(r.Reconnects[2]))
	names := []string{"delivered and listed", "live again", "caught up", "same while online", "same after absence", "checked"}
	for i, d := range r.Converged {
		fmt.Fprintf(w, "  converged   %-20s %s after the last fault\n", names[i], round(d))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Faults)) {
		fmt.Fprintf(w, "  fault       %-20s %d\n", kind, r.Faults[kind])
	}
	for _, function := range slices.Sorted(maps.Keys(r.GivenUp)) {
		fmt.Fprintf(w, "  given up    %-20s %d records\n", function, r.GivenUp[function])
	}
	if n := len(r.Samples); n > 0 {
		for i, what := range []string{"start", "middle", "end"} {
			s := r.Samples[(n-1)*i/2]
			fmt.Fprintf(w, "  at %-9s %d goroutines, %.1f MB of heap\n", what, s.Goroutines, float64(s.HeapBytes)/(1<<20))
		}
	}
	for i, v := range r.Violations {
		if i == shownViolations {
			fmt.Fprintf(w, "… and %d more\n", len(r.Violations)-i)
			break
		}
		fmt.Fprintf(w, "BROKEN %s\n", v)
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// Progress is how far a run has come.
type Progress struct {
	At         time.Duration
	Counts     Counts
	Faults     int
	Violations int
	Sample     Sample
	Settling   bool // the load is over
}

// String returns a line without its line break.
func (p Progress) String() string {
	return fmt.Sprintf("%4.0f s  %d sends, %d acknowledged, %d deliveries, %d reconnects, %d faults, %d goroutines, %.1f MB, %d broken promises",
		p.At.Seconds(), p.Counts.Sends, p.Counts.Acked, p.Counts.Deliveries, p.Counts.Connects, p.Faults,
		p.Sample.Goroutines, float64(p.Sample.HeapBytes)/(1<<20), p.Violations)
}

// tally counts.
type tally struct {
	mu sync.Mutex
	Counts
	away  []time.Duration
	steps []time.Duration
	given map[string]int
}

// did counts one more in a field of the tally's Counts, unless it failed.
func (t *tally) did(count *int, err error) {
	if err == nil {
		t.add(count)
	}
}

// add counts one more in a field of the tally's Counts.
func (t *tally) add(count *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*count++
}

func (t *tally) connected(after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Connects++
	t.away = append(t.away, after)
}

func (t *tally) converged(step int, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps = append(t.steps[:step], after)
}

func (t *tally) gaveUp(records map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.given = records
}

// sample notes what the process holds.
func (r *run) sample() {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	r.samples = append(r.samples, Sample{At: time.Duration(r.now()), Goroutines: runtime.NumGoroutine(), HeapBytes: memory.HeapAlloc})
}

// counts are the tally's and the ledger's.
func (r *run) counts() Counts {
	r.tally.mu.Lock()
	c := r.tally.Counts
	r.tally.mu.Unlock()
	sends, reads := r.ledger.all()
	c.Sends, c.Reads = len(sends), len(reads)
	for _, s := range sends {
		switch {
		case !s.id.IsZero():
			c.Acked++
		case s.code != "":
			c.Refused++
		default:
			c.Unknown++
		}
	}
	return c
}

func (r *run) progress() Progress {
	faults := 0
	for _, n := range r.injector.Counts() {
		faults += n
	}
	return Progress{
		At: time.Duration(r.now()), Counts: r.counts(), Faults: faults,
		Violations: len(r.ledger.broken()), Sample: r.samples[len(r.samples)-1],
	}
}

func (r *run) report() Report {
	report := Report{
		Seed: r.config.Seed, Duration: r.config.Duration, Users: r.config.Users, Devices: len(r.devices), Browsers: r.config.Browsers, Rooms: len(r.rooms),
		Counts: r.counts(), Faults: r.injector.Counts(), Samples: r.samples, Violations: r.ledger.broken(),
	}
	r.tally.mu.Lock()
	defer r.tally.mu.Unlock()
	report.GivenUp, report.Converged = r.tally.given, r.tally.steps
	if away := slices.Sorted(slices.Values(r.tally.away)); len(away) > 0 {
		report.Reconnects = [3]time.Duration{away[len(away)/2], away[len(away)*99/100], away[len(away)-1]}
	}
	for i := range report.Violations {
		report.Violations[i].Seed = r.config.Seed
	}
	return report
}
