package main

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/faults"
)

// Records of one moment may come in one batch, or in several: then more is read and posted.
func TestBill_Batches(t *testing.T) {
	t.Parallel()
	run := &run{}
	phone, laptop := &device{run: run, user: "alice"}, &device{run: run, user: "bob"}
	tell := func(b *bill, at time.Duration, room string) {
		to := audience{room: room, users: []string{"alice", "bob"}, devices: []*device{phone, laptop}}
		b.tell(int64(at), cost.Marked(2, 2), to)
	}
	alone := cost.Marked(2, 2).Reads
	for name, tt := range map[string]struct {
		at           []time.Duration
		rooms        []string
		invocations  int
		reads, posts float64
	}{
		"moments":            {[]time.Duration{0, time.Minute}, []string{"a", "a"}, 2, 2 * alone, 4},
		"a batch of a room":  {[]time.Duration{0, 0}, []string{"a", "a"}, 1, alone, 2},
		"a batch of two":     {[]time.Duration{0, 0}, []string{"a", "b"}, 1, 2*alone - 2, 2},
		"two at a time":      {[]time.Duration{0, 0}, []string{"a", "b"}, 2, 2 * alone, 4},
		"three in two":       {[]time.Duration{0, 0, 0}, []string{"a", "b", "c"}, 2, 3*alone - 2, 4},
		"fewer than batches": {[]time.Duration{0, time.Minute}, []string{"a", "a"}, 1, 2 * alone, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bill{}
			for i, at := range tt.at {
				tell(b, at, tt.rooms[i])
			}
			if got, posts := b.take(cost.Action{}, 0, tt.invocations); math.Abs(got.Reads-tt.reads) > 1e-9 || math.Abs(posts-tt.posts) > 1e-9 {
				t.Errorf("got %v read units and %v posts, want %v and %v", got.Reads, posts, tt.reads, tt.posts)
			}
		})
	}
}

// Messages of one window of lastmessage share its invocation, and those of one room the last
// message.
func TestBill_Windows(t *testing.T) {
	t.Parallel()
	b := &bill{}
	b.project(0, "a", 2, true)
	b.project(1, "a", 2, false)
	b.project(2, "b", 2, false)
	b.project(int64(cost.Window), "a", 2, false)
	got, _ := b.take(cost.Action{}, 0, 0)
	want := cost.Project(2, true).Writes + 2*cost.Project(2, false).Writes
	if n := got.Invocations[topology.LastMessage]; n != 2 || got.Writes != want {
		t.Errorf("got %v invocations and %v write units, want 2 and %v", n, got.Writes, want)
	}
}

// What functions are asked for more often than operate/cost has it for what devices did is
// a broken promise, and so is what they are asked for so seldom that operate/cost must be wrong.
func TestDays_CheckBill(t *testing.T) {
	for name, tt := range map[string]struct{ invoked, connects, broken int }{
		"as expected":       {200, 200, 0},
		"what comes beside": {besides, 0, 0},
		"too often":         {300, 200, 1},
		"too seldom":        {100, 200, 1},
	} {
		t.Run(name, func(t *testing.T) {
			clock := clockwork.NewFakeClock()
			injector, err := faults.New(faults.Plan{}, clock)
			if err != nil {
				t.Fatal(err)
			}
			d := &days{run: &run{config: Config{Clock: clock}, injector: injector, ledger: &ledger{}, bill: &bill{}}, meter: &faults.Meter{}}
			f := local.Function{Construct: func(functions.Env) (lambda.Handler, error) {
				return handlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }), nil
			}}
			f.Name = topology.Connect
			handler, err := d.meter.Wrap(f).Construct(functions.Env{})
			if err != nil {
				t.Fatal(err)
			}
			for range tt.invoked {
				if _, err := handler.Invoke(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			d.checkBill(cost.Action{Invocations: map[string]float64{topology.Connect: float64(tt.connects)}}, 0) // nothing asks the table
			if broken := d.ledger.broken(); len(broken) != tt.broken {
				t.Errorf("got %v", broken)
			}
			if d.spent[0].Used.Invocations[topology.Connect] != tt.invoked {
				t.Errorf("%d were invoked, counted are %v", tt.invoked, d.spent[0].Used.Invocations)
			}
		})
	}
}

// What was asked for a user's connections, those that replaced others among them, is compared
// with what operate/cost has for the user.
func TestDays_CheckUsers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		posts, sends int
		broken       int
	}{
		"as expected":    {2000, 100, 0},
		"too many posts": {3100, 100, 1},
		"too few posts":  {1000, 100, 1},
		"too many sends": {2000, 200, 1},
	} {
		phone := &device{user: "alice"}
		d := &days{run: &run{bill: &bill{}, ledger: &ledger{}}, people: []*person{{user: "alice"}, {user: "bob"}}}
		phone.run = d.run
		d.owners.Store("a", "alice")
		for i := range 2000 {
			d.bill.tell(int64(i)*int64(time.Minute), cost.Action{}, audience{users: []string{"alice"}, devices: []*device{phone}})
		}
		d.bill.asks("alice", 100)
		d.bill.take(cost.Action{}, 0, 0)
		broken := 0
		all := d.checkUsers(map[string]faults.UsedFor{
			"a": {Posts: tt.posts / 2, Invocations: tt.sends},
			"b": {Posts: tt.posts / 2, Replaces: "a"},
			"c": {Posts: 10_000},
		}, func(_ string, used, expected, over, under, beside float64, _ ...string) {
			if wrongly(used, expected, over, under, beside) {
				broken++
			}
		})
		if share := float64(tt.posts) / 2000; broken != tt.broken || all.posts.least != share || all.posts.most != share {
			t.Errorf("%s: %d are wrong, want %d; posts %s", name, broken, tt.broken, all.posts)
		}
		if user := d.ownerOf("b", nil); user != "alice" {
			t.Errorf("%s: b is of %q", name, user)
		}
	}
}
