package local_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/faults"
)

// failing makes functions fail in the ways of an injector.
func (b *broken) failing(in *faults.Injector, functions ...string) {
	b.set(func() {
		b.invoke = func(function, _ string, next lambda.Handler) lambda.Handler {
			if slices.Contains(functions, function) {
				return in.Handler(function, next)
			}
			return next
		}
	})
}

// ignored does what the stream's consumers are not to care about.
func (b *broken) ignored(do func()) {
	b.set(func() {
		b.invoke = func(function, _ string, next lambda.Handler) lambda.Handler {
			if function == topology.Fanout || function == topology.LastMessage {
				return handle(func(context.Context, []byte) ([]byte, error) { return []byte("{}"), nil })
			}
			return next
		}
	})
	defer b.set(func() { b.invoke = nil })
	do()
}

// through counts the records of a kind that a function has done with.
func (b *broken) through(function string, is func(events.DynamoDBEventRecord) bool) int {
	sequences := map[string]bool{}
	for _, i := range b.that(func(i invocation) bool { return i.function == function && i.err == nil && len(i.again) == 0 }) {
		for _, r := range i.records {
			if is(r) {
				sequences[r.Change.SequenceNumber] = true
			}
		}
	}
	return len(sequences)
}

// What was written ten minutes ago is not broadcast as if it were new: a gap for
// each room and batch has the clients ask. A large room is told by its slices.
func TestConsumersThatWereDownForTenMinutes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		crowd int
		down  []string
	}{
		"small room": {0, []string{topology.Fanout, topology.LastMessage}},
		"large room": {fanout.SliceAbove, []string{topology.Fanout}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, b := newJumper(), &broken{}
			s := start(t, local.Config{Clock: clock, Wrap: b.Wrap, LogLevel: "warn"})
			// Alice and zoe are the first and last of all members.
			room, other := s.Room("alice", "zoe"), s.Room("alice", "zoe")
			b.ignored(func() {
				s.Crowd(room, tt.crowd)
				rig.Eventually(t, "the crowd has come", func() bool {
					return b.through(topology.Fanout, func(r events.DynamoDBEventRecord) bool {
						return strings.HasPrefix(r.Change.Keys[table.SK].String(), table.MemberPrefix+"crowd")
					}) == tt.crowd
				})
			})
			alice, zoe := s.Connect("alice"), s.Connect("zoe")
			online := []*follower{follow(s, "alice", room, other), follow(s, "zoe", room, other)}
			for _, id := range []string{room, other} {
				alice.Deliver(id, "before", "")
				zoe.ExpectIn(id, wire.TypeMessage)
				for _, f := range online {
					f.has(id, "before")
				}
			}

			b.failing(always(t, faults.Plan{Invocations: faults.Invocations{Refused: 1}}), tt.down...)
			said := tells(4, alice, clock.jump, room, other)
			tells(1, alice, clock.jump, room) // which is the newest
			said[room] = append(said[room], "message 0")
			for _, function := range tt.down {
				rig.Eventually(t, function+" fails", func() bool {
					return len(b.that(func(i invocation) bool { return i.function == function && i.err != nil })) > 0
				})
			}
			clock.jump(10 * time.Minute)
			b.set(func() { b.invoke = nil })
			clock.jump(2 * time.Minute) // over the pause after the last failure

			for _, id := range []string{room, other} {
				for _, f := range online {
					f.has(id, slices.Concat([]string{"before"}, said[id])...)
				}
			}
			late := func(r events.DynamoDBEventRecord) bool { return of(r, room) && !says(r, "before") }
			rig.Eventually(t, "the room's messages are through", func() bool { return b.through(topology.Fanout, late) == len(said[room]) })
			gaps := len(b.that(func(i invocation) bool {
				return i.function == topology.Fanout && i.err == nil && slices.ContainsFunc(i.records, late)
			}))
			for range gaps {
				if got := zoe.ExpectIn(room, wire.TypeGap, wire.TypeMessage); got.Type != wire.TypeGap {
					t.Errorf("zoe was sent %+v, want a gap for each of %d batches", got, gaps)
				}
			}
			zoe.ExpectNoneIn(room, wire.TypeGap)
			if given := s.Failures(); len(given) > 0 {
				t.Errorf("records were given up: %+v", given)
			}
			if !slices.Contains(tt.down, topology.LastMessage) {
				return
			}
			rig.Eventually(t, "the list of rooms is in order", func() bool {
				var out wire.RoomList
				s.API("zoe", http.MethodGet, "/rooms", nil, &out)
				first := out.Rooms[0]
				newest := s.History("zoe", room)[0]
				return first.ChatRoomID == room && first.LastMessage != nil && first.LastMessage.MessageID == newest.MessageID &&
					first.LastMessageAt == newest.Timestamp && out.Rooms[1].ChatRoomID == other
			})
		})
	}
}

// Functions that fail before, in the middle of and after their work, or do it
// twice, lose nothing and show nothing twice.
func TestConsumersThatCrashInMidBatch(t *testing.T) {
	t.Parallel()
	b := &broken{}
	s := start(t, local.Config{Wrap: b.Wrap, LogLevel: "warn"})
	rooms := []string{s.Room("alice", "bob", "carol"), s.Room("alice", "bob", "carol")}
	var everyone []*follower
	for _, user := range []string{"alice", "bob", "carol"} {
		everyone = append(everyone, follow(s, user, rooms...))
	}
	crashes := always(t, faults.Plan{
		Seed: 7, Delay: 400 * time.Millisecond,
		Invocations: faults.Invocations{Refused: 0.1, Crashed: 0.15, TimedOut: 0.2, Twice: 0.2, Slow: 0.1},
	})
	b.failing(crashes, topology.Fanout, topology.LastMessage)
	var sending sync.WaitGroup
	for _, f := range everyone {
		sending.Go(func() {
			for i := range 14 {
				if _, err := f.Send(t.Context(), rooms[i%2], fmt.Sprintf("%s %d", f.user, i)); err != nil {
					t.Errorf("%s sends: %v", f.user, err)
				}
			}
		})
	}
	sending.Wait()
	more := 0
	rig.Eventually(t, "everything happens", func() bool {
		counts := crashes.Counts()
		if counts["invocations crashed"] > 0 && counts["invocations timed out"] > 0 && counts["invocations twice"] > 0 {
			return true
		}
		everyone[0].tell(rooms[0], "more")
		more++
		return false
	})
	b.set(func() { b.invoke = nil })
	stored := 0
	for _, room := range rooms {
		everyone[0].tell(room, "after")
		stored += len(haveHistory(room, everyone...))
	}
	if sent := 3*14 + more + len(rooms); stored != sent {
		t.Errorf("%d messages are stored, %d were sent", stored, sent)
	}
}

// An invocation that goes on and on is ended by Lambda, and another one has its
// records.
func TestAConsumerThatRunsOutOfTime(t *testing.T) {
	t.Parallel()
	clock, b := clockwork.NewFakeClockAt(time.Now()), &broken{}
	s := start(t, local.Config{Clock: clock, Wrap: b.Wrap})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), follow(s, "bob", room)
	alice.Deliver(room, "before", "")
	bob.has(room, "before")
	stuck := make(chan struct{}, 10)
	var hanging atomic.Int32
	b.set(func() {
		b.invoke = func(_, payload string, next lambda.Handler) lambda.Handler {
			if !strings.Contains(payload, "first") || !strings.Contains(payload, "eventSourceARN") {
				return next
			}
			return handle(func(ctx context.Context, payload []byte) ([]byte, error) {
				hanging.Add(1)
				defer hanging.Add(-1)
				stuck <- struct{}{}
				<-ctx.Done()
				return next.Invoke(ctx, payload)
			})
		}
	})
	clock.Advance(time.Second)
	alice.Send(room, "first", "")
	alice.Expect(wire.TypeAck)
	<-stuck
	clock.Advance(time.Second)
	alice.Send(room, "second", "")
	alice.Expect(wire.TypeAck)
	b.set(func() { b.invoke = nil })
	rig.Eventually(t, "the invocation is ended, and its records come again", func() bool {
		clock.Advance(500 * time.Millisecond)
		// Bob may have asked for it before: what hangs would hang forever once the clock stands.
		return len(bob.contents(room)) == 3 && hanging.Load() == 0
	})
	bob.has(room, "before", "first", "second")
	if given := s.Failures(); len(given) > 0 {
		t.Errorf("records were given up: %+v", given)
	}
}

// While the table has no capacity, a send is refused in a way that is worth
// another try, or it is stored. It is never acknowledged and lost.
func TestAThrottledTable(t *testing.T) {
	t.Parallel()
	b := &broken{once: true}
	s := start(t, local.Config{Wrap: b.Wrap, LogLevel: "error"})
	room := s.Room("alice", "bob", "carol")
	devices := []*rig.Socket{s.Connect("alice"), s.Connect("bob")}
	carol := follow(s, "carol", room)
	devices[0].Deliver(room, "before", "")
	carol.has(room, "before")

	throttle := func(share float64) *faults.Injector {
		throttled := always(t, faults.Plan{Seed: 3, Table: faults.Table{Throttled: share}})
		b.set(func() {
			b.request = func(function, _ string, next http.RoundTripper) http.RoundTripper {
				return throttled.Table(function, next)
			}
		})
		return throttled
	}
	throttle(0.25) // of a send's five requests: some get through
	const sends = 12
	for i := range sends {
		for _, d := range devices {
			d.Send(room, fmt.Sprintf("%s %d", d.User, i), fmt.Sprintf("c-%d", i))
		}
	}
	acked, refused := map[string]bool{}, 0
	for _, d := range devices {
		for range sends {
			switch got := d.Expect(wire.TypeAck, wire.TypeError); {
			case got.Type == wire.TypeAck:
				acked[got.MessageID] = true
			case got.Code == "internal" || got.Code == "rate_limited":
				refused++
			default:
				t.Errorf("%s is answered %+v, which is not worth another try", d.User, got)
			}
		}
	}
	throttled := throttle(0.5)
	sent := make(chan struct{})
	go func() { // the Go client tries again by itself
		defer close(sent)
		if _, err := carol.Send(t.Context(), room, "carol"); err != nil {
			t.Errorf("carol sends: %v", err)
		}
	}()
	before := throttled.Counts()["table throttled"]
	rig.Eventually(t, "carol's send meets a throttled table", func() bool { return throttled.Counts()["table throttled"] > before+5 })
	b.set(func() { b.request = nil })
	<-sent
	carol.tell(room, "after")
	if refused == 0 || len(acked) == 0 {
		t.Errorf("%d sends were refused, %d acknowledged: the test shows nothing", refused, len(acked))
	}
	ofCarol := 0
	for _, m := range s.History("carol", room) {
		delete(acked, m.MessageID)
		if m.Content == "carol" {
			ofCarol++
		}
	}
	if len(acked) > 0 || ofCarol != 1 {
		t.Errorf("acknowledged and not stored: %v; stored of carol: %d", acked, ofCarol)
	}
	haveHistory(room, carol)
}
