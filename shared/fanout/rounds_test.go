package fanout_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// hanging never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// When no post is answered, each invocation ends in its own time, long before the
// function's. What there was no time for comes again, and once all connections are
// known not to answer, nothing does.
func TestHandle_EndsInTimeWhenNoPostIsAnswered(t *testing.T) {
	i := slices.IndexFunc(topology.Functions(), func(f topology.Function) bool { return f.Name == topology.Fanout })
	timeout := topology.Functions()[i].Timeout
	for _, members := range []int{500, 3_000} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			m := crowd(members, 2)
			records := []json.RawMessage{changestest.Send(room, m.messages[0]), changestest.Send(room, m.messages[1])}
			if members > fanout.SliceAbove {
				broadcast(t, m, records...)
				records = m.records(0)
			}
			synctest.Test(t, func(t *testing.T) {
				// The bubble's clock begins elsewhere.
				ahead := time.Until(changestest.Now)
				clock := func() time.Time { return time.Now().Add(ahead) }
				pusher, err := push.New(push.Config{
					Endpoint: "http://gateway/stage", Region: "us-east-1", Transport: hanging{}, Now: clock,
					Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
				})
				if err != nil {
					t.Fatal(err)
				}
				consumer := fanout.New(m, pusher, topology.FanoutDeadline, clock, zerolog.Nop())
				invocations := 0
				for ; len(records) > 0 && invocations < 200; invocations++ {
					began := time.Now()
					answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
					if err != nil {
						t.Fatal(err)
					}
					if took := time.Since(began); took > topology.FanoutDeadline || took*2 > timeout {
						t.Errorf("it took %s of fake time, the function has %s", took, timeout)
					}
					records = records[len(records)-len(answer.BatchItemFailures):]
				}
				if len(records) > 0 || invocations == 1 {
					t.Errorf("%d records come again after %d invocations, want none after several", len(records), invocations)
				}
			})
		})
	}
}

// steady answers every post after a while.
type steady struct{}

func (steady) RoundTrip(r *http.Request) (*http.Response, error) {
	<-time.After(30 * time.Millisecond) // of fake time
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// apart is a table in which each room has its own members.
type apart struct{ *memory }

func (a apart) MembersIn(ctx context.Context, roomID string, r fanout.MemberRange, limit int) ([]chat.Member, bool, error) {
	members, more, err := a.memory.MembersIn(ctx, roomID, r, limit)
	for i := range members {
		members[i].UserID = roomID + "-" + members[i].UserID
	}
	return members, more, err
}

// A batch may ask for more posts than an invocation has time for, say behind an
// outage. Nothing is lost then: what there is no time for comes again.
func TestServeRooms_ABacklogTakesSeveralInvocations(t *testing.T) {
	const rooms, members = 25, 500
	m := crowd(members, 1)
	var records []json.RawMessage
	for i := range rooms {
		key := table.Message(fmt.Sprint("room-", i), changestest.Now.UnixMilli(), m.messages[0])
		sent := changestest.Insert(key, changestest.Attributes{table.SenderID: {"S": "alice"}, table.Content: {"S": "hi"}})
		records = append(records, changestest.Numbered(sent, i))
	}
	synctest.Test(t, func(t *testing.T) {
		ahead := time.Until(changestest.Now)
		clock := func() time.Time { return time.Now().Add(ahead) }
		pusher, err := push.New(push.Config{
			Endpoint: "http://gateway/stage", Region: "us-east-1", Transport: steady{}, Now: clock,
			Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		})
		if err != nil {
			t.Fatal(err)
		}
		counted := &counting{pusher: pusher}
		consumer := fanout.New(apart{m}, counted, topology.FanoutDeadline, clock, zerolog.Nop())
		invocations := 0
		for ; len(records) > 0 && invocations < rooms; invocations++ {
			answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
			if err != nil {
				t.Fatal(err)
			}
			records = records[len(records)-len(answer.BatchItemFailures):] // the last ones, or else they were not in order
		}
		if counted.delivered != rooms*members || counted.undelivered > 0 || invocations == 1 {
			t.Errorf("%d delivered and %d not, in %d invocations; want all %d in several",
				counted.delivered, counted.undelivered, invocations, rooms*members)
		}
	})
}

// counting counts what becomes of posts.
type counting struct {
	pusher                 fanout.Pusher
	delivered, undelivered int
}

func (c *counting) Push(ctx context.Context, posts []push.Post) []push.Delivery {
	deliveries := c.pusher.Push(ctx, posts)
	for _, d := range deliveries {
		if d.Outcome == push.Delivered {
			c.delivered++
		} else {
			c.undelivered++
		}
	}
	return deliveries
}

// What there is no time for is delivered again.
func TestServeSlices_BeyondTheDeadlineAreDeliveredAgain(t *testing.T) {
	m := crowd(9_000, 1)
	broadcast(t, m, changestest.Send(room, m.messages[0]))
	records := m.records(0)
	clock := changestest.Now
	slow := slowPusher{received{}, func() { clock = clock.Add(4 * time.Second) }}
	consumer := fanout.New(m, slow, 10*time.Second, func() time.Time { return clock }, zerolog.Nop())
	answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	again := map[string]bool{}
	for _, failure := range answer.BatchItemFailures {
		again[failure.ItemIdentifier] = true
	}
	if len(again) == 0 || len(again) == len(records) {
		t.Fatalf("%d of %d slices come again, want some", len(again), len(records))
	}
	var rest []json.RawMessage
	for i, record := range records {
		if again[strconv.Itoa(i)] {
			rest = append(rest, record)
		}
	}
	for user, frames := range broadcast(t, m, rest...) {
		slow.received[user] = append(slow.received[user], frames...)
	}
	if len(slow.received) != 9_000 {
		t.Errorf("%d members got the message in the end, want 9000", len(slow.received))
	}
}

type slowPusher struct {
	received
	slow func()
}

func (s slowPusher) Push(ctx context.Context, posts []push.Post) []push.Delivery {
	s.slow()
	return s.received.Push(ctx, posts)
}

// overloaded is a gateway whose posts take some time each, and those to one
// connection forever.
type overloaded struct {
	each time.Duration
	dead string

	mu  sync.Mutex
	got map[string]bool // connections
}

func (o *overloaded) RoundTrip(r *http.Request) (*http.Response, error) {
	id := path.Base(r.URL.Path)
	answered := time.After(o.each) // of fake time
	if id == o.dead {
		answered = nil
	}
	select {
	case <-answered:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.got[id] = true
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// What the deadline cuts off comes again, in rooms that were begun as well. A
// connection that never answers makes no room come again.
func TestHandle_PostsThatTheDeadlineCutsOffComeAgain(t *testing.T) {
	const members = 1_500
	for name, test := range map[string]struct {
		each  time.Duration
		again bool
	}{
		"posts outlast the deadline": {300 * time.Millisecond, true}, // 14 s for all
		"a dead connection alone":    {10 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := crowd(members, 1)
			records := []json.RawMessage{changestest.Numbered(changestest.Send(room, m.messages[0]), 0)}
			synctest.Test(t, func(t *testing.T) {
				ahead := time.Until(changestest.Now)
				clock := func() time.Time { return time.Now().Add(ahead) }
				gateway := &overloaded{each: test.each, dead: m.members[0], got: map[string]bool{}}
				pusher, err := push.New(push.Config{
					Endpoint: "http://gateway/stage", Region: "us-east-1", Transport: gateway, Now: clock,
					Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
				})
				if err != nil {
					t.Fatal(err)
				}
				consumer := fanout.New(m, pusher, topology.FanoutDeadline, clock, zerolog.Nop())
				answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
				if err != nil || len(answer.BatchItemFailures) > 0 != test.again {
					t.Fatalf("%d of %d got it, records %v come again, error %v; want that they do: %t",
						len(gateway.got), members, answer.BatchItemFailures, err, test.again)
				}
				if test.again {
					gateway.each = 10 * time.Millisecond
					answer, err = consumer.Handle(t.Context(), changes.Event{Records: records})
				}
				if err != nil || len(answer.BatchItemFailures) > 0 || len(gateway.got) != members-1 {
					t.Errorf("%d of %d got it in the end, records %v come again, error %v", len(gateway.got), members, answer.BatchItemFailures, err)
				}
			})
		})
	}
}
