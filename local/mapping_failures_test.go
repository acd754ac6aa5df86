package local_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	runtime "github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/faults"
)

// hold keeps a function from beginning, so that records gather, until release.
// What is under way goes on as it began.
func (b *broken) hold(function string) (release func()) {
	held := make(chan struct{})
	b.set(func() {
		before := b.invoke
		b.invoke = func(name, payload string, next lambda.Handler) lambda.Handler {
			if before != nil {
				next = before(name, payload, next)
			}
			if name != function {
				return next
			}
			return handle(func(ctx context.Context, payload []byte) ([]byte, error) {
				select {
				case <-held:
				case <-ctx.Done():
				}
				return next.Invoke(ctx, payload)
			})
		}
	})
	return func() { close(held) }
}

// tells sends messages in turns, as fast as one may, and returns what they say
// by room.
func tells(n int, from *rig.Socket, pass func(time.Duration), rooms ...string) map[string][]string {
	from.Rig.T.Helper()
	said := map[string][]string{}
	for i := range n {
		for _, room := range rooms {
			pass(100 * time.Millisecond)
			content := fmt.Sprintf("message %d", i)
			said[room] = append(said[room], content)
			from.Send(room, content, "")
			if ack := from.Expect(wire.TypeAck, wire.TypeError); ack.Type != wire.TypeAck {
				from.Rig.T.Fatalf("a send is answered %+v", ack)
			}
		}
	}
	return said
}

// unreadable breaks what a function reads and writes of a room.
func unreadable(in *faults.Injector, name, room string) func(function, body string, next http.RoundTripper) http.RoundTripper {
	return func(function, body string, next http.RoundTripper) http.RoundTripper {
		if function == name && strings.Contains(body, table.RoomPrefix+room) {
			return in.Table(function, next)
		}
		return next
	}
}

// Of a batch only the records of a room that can't be read come again. The
// others are told at once.
func TestAnUnreadableRoomHoldsNoOther(t *testing.T) {
	t.Parallel()
	clock, b := newJumper(), &broken{once: true}
	s := start(t, local.Config{Clock: clock, Wrap: b.Wrap, Shards: 1}) // else the rooms may be on two
	good, bad := s.Room("alice", "bob"), s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), follow(s, "bob", good, bad)
	for _, room := range []string{good, bad} {
		alice.Deliver(room, "before", "")
		bob.has(room, "before")
	}
	failed := always(t, faults.Plan{Table: faults.Table{Failed: 1}})

	release := b.hold(topology.Fanout)
	b.set(func() { b.request = unreadable(failed, topology.Fanout, bad) })
	said := tells(20, alice, clock.jump, bad, good)
	release()
	var told []string // of the good room, by a batch with both
	rig.Eventually(t, "a batch with both rooms fails in part", func() bool {
		for _, i := range b.that(func(i invocation) bool { return len(i.again) > 0 }) {
			for _, r := range i.records {
				if of(r, good) {
					told = append(told, r.Change.NewImage[table.Content].String())
				}
			}
		}
		return len(told) > 0
	})
	for len(told) > 0 {
		content := alice.ExpectIn(good, wire.TypeMessage).Content
		told = slices.DeleteFunc(told, func(told string) bool { return told == content })
	}
	bob.has(bad, "before")
	b.set(func() { b.request = nil })
	for _, room := range []string{good, bad} {
		bob.has(room, slices.Concat([]string{"before"}, said[room])...)
	}

	for _, i := range b.that(func(i invocation) bool { return len(i.again) > 0 }) {
		for _, r := range i.records {
			if again := slices.Contains(i.again, r.Change.SequenceNumber); again != of(r, bad) {
				t.Errorf("a record of %s comes again: %v", r.Change.Keys[table.PK].String(), again)
			}
		}
	}
}

// Rooms that can never be read delay no others permanently: their records are
// given up and named. The next message tells what is missing.
func TestRecordsAreGivenUpAndMissedByTheNext(t *testing.T) {
	t.Parallel()
	clock, b := clockwork.NewFakeClockAt(time.Now()), &broken{once: true}
	s := start(t, local.Config{Clock: clock, Wrap: b.Wrap, Shards: 1}) // else the rooms may be on two
	good, bad := s.Room("alice", "bob"), s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), follow(s, "bob", good, bad)
	for _, room := range []string{good, bad} {
		alice.Deliver(room, "before", "")
		bob.has(room, "before")
	}
	pass := func(d time.Duration) { clock.Advance(d) }
	reset := always(t, faults.Plan{Table: faults.Table{Reset: 1}})
	release := b.hold(topology.Fanout)
	b.set(func() { b.request = unreadable(reset, topology.Fanout, bad) })
	said := tells(5, alice, pass, bad, good)
	release()

	// Each record of the bad room is in a range that was given up.
	var records []events.DynamoDBEventRecord
	rig.Eventually(t, "all records of the bad room are given up", func() bool {
		b.pass(clock, 5*time.Second)
		given := s.Failures()
		records = nil
		for _, i := range b.that(func(i invocation) bool { return i.function == topology.Fanout && len(i.again) > 0 }) {
			records = append(records, i.records...)
		}
		found := map[string]bool{}
		for _, r := range records {
			if of(r, bad) && slices.ContainsFunc(given, func(f eventsource.Failure) bool { return within(f, r) }) {
				found[r.Change.NewImage[table.Content].String()] = true
			}
		}
		return len(found) == len(said[bad])
	})
	for _, f := range s.Failures() {
		first := slices.IndexFunc(records, func(r events.DynamoDBEventRecord) bool {
			return r.Change.SequenceNumber == f.Batch.StartSequenceNumber
		})
		if first < 0 || !of(records[first], bad) {
			t.Errorf("a range begins at %s, which is no record of the bad room", f.Batch.StartSequenceNumber)
		}
		if f.Request.Condition != eventsource.RetryAttemptsExhausted || f.Response == nil || f.Response.FunctionError != nil {
			t.Errorf("records were given up by %+v, %+v", f.Request, f.Response)
		}
	}
	bob.has(good, slices.Concat([]string{"before"}, said[good])...)
	bob.has(bad, "before")

	b.set(func() { b.request = nil })
	clock.Advance(time.Second)
	alice.Send(bad, "after", "")
	all := slices.Concat([]string{"before"}, said[bad], []string{"after"})
	rig.Eventually(t, "the next message tells what is missing", func() bool {
		b.pass(clock, 5*time.Second) // a lane may have a retry to wait for, of records in a range of another
		return slices.Equal(bob.contents(bad), all)
	})
	bob.has(bad, all...)
}

// within says whether a record is in a range that was given up.
func within(f eventsource.Failure, r events.DynamoDBEventRecord) bool {
	sequence := func(number string) string { return fmt.Sprintf("%040s", number) }
	at := sequence(r.Change.SequenceNumber)
	return sequence(f.Batch.StartSequenceNumber) <= at && at <= sequence(f.Batch.EndSequenceNumber)
}

// A record that the function can't take, here by failing when all work is done,
// is found by halving the batch. It alone is given up.
func TestAPoisonRecordIsGivenUpAlone(t *testing.T) {
	t.Parallel()
	clock, b := clockwork.NewFakeClockAt(time.Now()), &broken{}
	s := start(t, local.Config{Clock: clock, Wrap: b.Wrap})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), follow(s, "bob", room)
	crash := always(t, faults.Plan{Invocations: faults.Invocations{Crashed: 1}})
	b.set(func() {
		b.invoke = func(function, payload string, next lambda.Handler) lambda.Handler {
			if function == topology.Fanout && strings.Contains(payload, "poison") {
				return crash.Handler(function, next)
			}
			return next
		}
	})
	release := b.hold(topology.Fanout)
	for i := range 51 { // several for each of the mapping's lanes
		content := fmt.Sprintf("message %d", i)
		if i == 40 {
			content = "poison"
		}
		clock.Advance(100 * time.Millisecond) // as fast as one may send
		alice.Send(room, content, "")
		if ack := alice.Expect(wire.TypeAck, wire.TypeError); ack.Type != wire.TypeAck {
			t.Fatalf("a send is answered %+v", ack)
		}
	}
	release()

	rig.Eventually(t, "something is given up", func() bool {
		b.pass(clock, 5*time.Second)
		return len(s.Failures()) > 0
	})
	if got := haveHistory(room, bob); len(got) != 51 {
		t.Errorf("bob has %q", got)
	}
	var poison string
	for _, i := range b.about(topology.Fanout, "poison") {
		for _, r := range i.records {
			if says(r, "poison") {
				poison = r.Change.SequenceNumber
			}
		}
	}
	given := s.Failures()
	f := given[0]
	if len(given) != 1 || f.Batch.BatchSize != 1 || f.Batch.StartSequenceNumber != poison || f.Batch.EndSequenceNumber != poison {
		t.Errorf("given up was %+v, want %s alone", given, poison)
	}
	if f.Response == nil || f.Response.FunctionError == nil || *f.Response.FunctionError != runtime.Unhandled {
		t.Errorf("it was given up by %+v", f.Response)
	}
}
