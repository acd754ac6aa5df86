package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/table"
)

// The kinds of differences.
const (
	LastMessage = "lastmessage" // a room's LASTMESSAGE
	Order       = "order"       // a room's place in a member's list, GSI1
	Membership  = "membership"  // a member and the participation
	Room        = "room"        // a room's description, and its members
	Cursor      = "cursor"      // a read cursor, and its member
	Connection  = "connection"  // a connection's row and its entry in the user's presence
	Leftover    = "leftover"    // an item that expired long ago
)

// Difference is something that is not as it follows from other items. It never
// holds what people wrote.
type Difference struct {
	Kind     string `json:"kind"`
	PK       string `json:"pk"`
	SK       string `json:"sk"`
	Problem  string `json:"problem"`
	Repaired bool   `json:"repaired"`
	Note     string `json:"note,omitempty"` // why it was not repaired
}

// Report is what a verification came to.
type Report struct {
	Items       int            `json:"items"`
	Kinds       map[string]int `json:"kinds"`
	Foreign     int            `json:"foreign"` // items whose keys are none of ours
	ReadUnits   float64        `json:"readUnits"`
	Suspects    int            `json:"suspects"` // looked at again
	Differences int            `json:"differences"`
	Repaired    int            `json:"repaired"`
	Seconds     float64        `json:"seconds"`
}

// Config says what to verify.
type Config struct {
	DB    *dynamodb.Client
	Table string // its name
	Now   func() time.Time

	ReadRate float64       // read units a second; 0 is as fast as it goes
	Settle   time.Duration // how far consumers may be behind
	Leftover time.Duration // how long DynamoDB may take to delete what has expired
	Repair   bool          // mend what can be mended, if it is still as it was seen

	// Wait waits for the settle time; nil waits by the real clock.
	Wait func(context.Context, time.Duration) error
	// Found hears of each difference, one at a time. Progress hears of the items
	// read, about each ten thousand. Both may be nil.
	Found    func(Difference)
	Progress func(items int)
}

// Run verifies the table. The error is one that ended it before its time; the
// report then has what was found so far.
func Run(ctx context.Context, c Config) (Report, error) {
	if c.Wait == nil {
		c.Wait = wait
	}
	v := &verifier{Config: c, reads: throttle.New(c.ReadRate), suspects: map[suspect]bool{}}
	v.report.Kinds = map[string]int{}
	began := c.Now()
	err := v.scan(ctx)
	if err == nil {
		v.mu.Lock()
		err = v.settle(ctx)
		v.mu.Unlock()
	}
	v.report.Seconds = c.Now().Sub(began).Seconds()
	return v.report, err
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxSuspects is how many suspects are gathered before they are settled.
const maxSuspects = 20_000

// suspect is what did not fit when it was read.
type suspect struct {
	kind       string
	room, user string
	connection string
	key        table.Key // a leftover's
}

// verifier is a Run in its course.
type verifier struct {
	Config
	reads throttle.Throttle

	mu       sync.Mutex // guards what follows
	report   Report
	suspects map[suspect]bool
}

// suspect notes something to look at again.
func (v *verifier) suspect(ctx context.Context, s suspect) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.suspects[s] = true
	if len(v.suspects) < maxSuspects {
		return nil
	}
	return v.settle(ctx) // meanwhile nobody suspects anything more
}

// settleRounds is how often a suspect must differ.
const settleRounds = 2

// settle looks at the suspects again, and reports and mends what still differs.
// The caller holds the mutex.
func (v *verifier) settle(ctx context.Context) error {
	v.report.Suspects += len(v.suspects)
	var differing []finding
	for range settleRounds {
		if len(v.suspects) == 0 {
			return nil
		}
		// Consumers have the settle time for what was written until now.
		until := v.Now()
		if err := v.Wait(ctx, v.Settle); err != nil {
			return fmt.Errorf("wait for consumers of the stream: %w", err)
		}
		var err error
		if differing, err = v.look(ctx, until); err != nil {
			return err
		}
		clear(v.suspects)
		for _, f := range differing {
			v.suspects[f.suspect] = true
		}
	}
	clear(v.suspects)
	slices.SortFunc(differing, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.PK, b.PK), cmp.Compare(a.SK, b.SK), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Problem, b.Problem))
	})
	for _, f := range differing {
		if v.Repair {
			v.mend(ctx, &f)
		}
		v.report.Differences++
		if f.Repaired {
			v.report.Repaired++
		}
		if v.Found != nil {
			v.Found(f.Difference)
		}
	}
	return ctx.Err()
}

// finding is a difference, and how to mend it.
type finding struct {
	Difference
	suspect suspect
	repair  func(context.Context) error // nil: it can't be
}

func (v *verifier) mend(ctx context.Context, f *finding) {
	if f.repair == nil {
		f.Note = "it can't be mended: nothing says what it should be"
		return
	}
	err := f.repair(ctx)
	switch {
	case refusedCondition(err):
		f.Note = "it has changed meanwhile; verify again"
	case err != nil:
		f.Note = err.Error()
	default:
		f.Repaired = true
	}
}

// looksInFlight is how many rooms and connections are looked at side by side.
const looksInFlight = 8

// look returns which suspects differ, taking what was written until then for
// what consumers have seen.
func (v *verifier) look(ctx context.Context, until time.Time) ([]finding, error) {
	byRoom := map[string][]suspect{}
	var others []suspect
	for s := range v.suspects {
		if s.room != "" {
			byRoom[s.room] = append(byRoom[s.room], s)
		} else {
			others = append(others, s)
		}
	}
	var mu sync.Mutex
	var all []finding
	var group errgroup.Group
	group.SetLimit(looksInFlight)
	do := func(check func() ([]finding, error)) {
		group.Go(func() error {
			found, err := check()
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found...)
			return err
		})
	}
	for id, suspects := range byRoom {
		do(func() ([]finding, error) { return v.lookAtRoom(ctx, id, suspects, until) })
	}
	for _, s := range others {
		do(func() ([]finding, error) {
			if s.kind == Connection {
				return v.lookAtConnection(ctx, s)
			}
			return v.lookAtLeftover(ctx, s)
		})
	}
	err := group.Wait()
	return all, err
}
