package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
)

// The kinds of differences.
const (
	LastMessage = "lastmessage" // a room's LASTMESSAGE
	Order       = "order"       // a room's place in a member's list, GSI1
	Membership  = "membership"  // a member and the participation
	Room        = "room"        // a room's description, and its members
	Cursor      = "cursor"      // a read cursor, its member, and what both say the member is notified of
	Connection  = "connection"  // a connection's row and its entry in the user's presence
	Online      = "online"      // a member's connections in a room that keeps them
	Seen        = "seen"        // what others have learned of a user's presence
	Reactions   = "reactions"   // the counts of a message's reactions, and what members reacted with
	Attachment  = "attachment"  // a file's item and the message that names it
	File        = "file"        // a file in the bucket and its item
	Place       = "place"       // a room's place, in GSI2
	Ban         = "ban"         // a ban, and the member whom it should have removed
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

// Report is the result of a verification.
type Report struct {
	Items   int            `json:"items"`
	Kinds   map[string]int `json:"kinds"`
	Foreign int            `json:"foreign"` // items whose keys are not those of shared/table
	Files   int            `json:"files"`
	// ForeignFiles are those whose keys are not those of shared/objects.
	ForeignFiles int `json:"foreignFiles"`

	ReadUnits   float64 `json:"readUnits"`
	Suspects    int     `json:"suspects"` // rechecked
	Differences int     `json:"differences"`
	Repaired    int     `json:"repaired"`
	Seconds     float64 `json:"seconds"`
}

// Config says what to verify.
type Config struct {
	DB    *dynamodb.Client
	Table string          // its name
	Files *objects.Bucket // of attachments; nil leaves it out
	Now   func() time.Time

	// OrderInterval is the deployment's setting: how far a room may stand behind its last
	// message in lists.
	OrderInterval time.Duration

	ReadRate float64       // read units a second; 0 is as fast as it goes
	Settle   time.Duration // how long consumers may be behind
	Leftover time.Duration // how long DynamoDB may take to delete what has expired
	MinAge   time.Duration // the least age of a file without an item: younger ones may be of messages that are being sent
	Repair   bool          // repair what can be repaired, if it is still as it was read

	// Wait waits for the time that consumers may be behind; nil waits by the real clock.
	Wait func(context.Context, time.Duration) error
	// Found gets each difference, one at a time. Progress gets the number of items
	// and of files read, about every ten thousand. Both may be nil.
	Found    func(Difference)
	Progress func(items, files int)
}

// Run verifies the table. The error is one that ended it before its time; the
// report then has what was found so far.
func Run(ctx context.Context, c Config) (Report, error) {
	if c.Wait == nil {
		c.Wait = backoff.Sleep
	}
	v := &verifier{config: c, reads: throttle.New(c.ReadRate), candidates: map[candidate]bool{}}
	v.report.Kinds = map[string]int{}
	began := c.Now()
	err := v.scan(ctx)
	if err == nil {
		err = v.scanFiles(ctx)
	}
	if err == nil {
		v.mu.Lock()
		err = v.recheck(ctx)
		v.mu.Unlock()
	}
	v.report.Seconds = c.Now().Sub(began).Seconds()
	return v.report, err
}

// maxCandidates is how many candidates are gathered before they are rechecked.
const maxCandidates = 20_000

// candidate is what did not fit when it was read.
type candidate struct {
	kind       string
	room, user string
	connection string
	attachment string
	message    string    // that has the attachment, as the one or the other says; that was reacted to
	key        table.Key // a leftover's
}

// verifier is the state of one call of Run.
type verifier struct {
	config Config
	reads  throttle.Throttle

	matched atomic.Bool // some file of the bucket has an item

	mu         sync.Mutex // guards what follows
	report     Report
	candidates map[candidate]bool
	strays     int // files without an item
}

// addCandidate notes something to recheck.
func (v *verifier) addCandidate(ctx context.Context, s candidate) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.candidates[s] = true
	if len(v.candidates) < maxCandidates {
		return nil
	}
	return v.recheck(ctx) // the mutex is held: scanning pauses
}

// recheckRounds is how often a candidate must differ.
const recheckRounds = 2

// recheck checks the candidates again, and reports and repairs what still differs.
// The caller holds the mutex.
func (v *verifier) recheck(ctx context.Context) error {
	v.report.Suspects += len(v.candidates)
	var differing []finding
	for range recheckRounds {
		if len(v.candidates) == 0 {
			return nil
		}
		// Consumers have Settle for what was written until now.
		until := v.config.Now()
		if err := v.config.Wait(ctx, v.config.Settle); err != nil {
			return fmt.Errorf("wait for consumers of the stream: %w", err)
		}
		var err error
		if differing, err = v.check(ctx, until); err != nil {
			return err
		}
		clear(v.candidates)
		for _, f := range differing {
			v.candidates[f.candidate] = true
		}
	}
	clear(v.candidates)
	slices.SortFunc(differing, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.PK, b.PK), cmp.Compare(a.SK, b.SK), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Problem, b.Problem))
	})
	for _, f := range differing {
		if f.Kind == File && f.candidate.message == "" {
			v.strays++
		}
	}
	for _, f := range differing {
		if v.config.Repair {
			v.repair(ctx, &f)
		}
		v.report.Differences++
		if f.Repaired {
			v.report.Repaired++
		}
		if v.config.Found != nil {
			v.config.Found(f.Difference)
		}
	}
	return ctx.Err()
}

// finding is a difference, and its repair.
type finding struct {
	Difference
	candidate candidate
	repair    func(context.Context) error // nil: it can't be
}

func (v *verifier) repair(ctx context.Context, f *finding) {
	if f.repair == nil {
		f.Note = "it can't be repaired: no item says what it should be"
		return
	}
	err := f.repair(ctx)
	switch {
	case refusedCondition(err), errors.Is(err, errChanged):
		f.Note = errChanged.Error()
	case err != nil:
		f.Note = err.Error()
	default:
		f.Repaired = true
	}
}

// checksInFlight is how many rooms and connections are checked at once.
const checksInFlight = 8

// check returns which candidates differ, taking what was written until then for
// what consumers have seen.
func (v *verifier) check(ctx context.Context, until time.Time) ([]finding, error) {
	byRoom := map[string][]candidate{}
	var others []candidate
	for s := range v.candidates {
		if s.room != "" && s.kind != Online && s.kind != Reactions && s.kind != Ban {
			byRoom[s.room] = append(byRoom[s.room], s)
		} else {
			others = append(others, s)
		}
	}
	var mu sync.Mutex
	var all []finding
	var group errgroup.Group
	group.SetLimit(checksInFlight)
	do := func(check func() ([]finding, error)) {
		group.Go(func() error {
			found, err := check()
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found...)
			return err
		})
	}
	for id, candidates := range byRoom {
		do(func() ([]finding, error) { return v.checkRoom(ctx, id, candidates, until) })
	}
	for _, s := range others {
		do(func() ([]finding, error) {
			switch s.kind {
			case Connection:
				return v.checkConnection(ctx, s)
			case Online:
				return v.checkOnline(ctx, s)
			case Ban:
				return v.checkBan(ctx, s)
			case Seen:
				return v.checkSeen(ctx, s)
			case Reactions:
				return v.checkReactions(ctx, s, until.UnixMilli())
			}
			return v.checkLeftover(ctx, s)
		})
	}
	err := group.Wait()
	return all, err
}
