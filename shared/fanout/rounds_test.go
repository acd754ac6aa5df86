package fanout_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
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

// When no post is answered, the invocation ends in its own time, long before
// the function's, and nothing is sent to all members again: neither a room's
// message nor that of a slice which was begun. Slices that were not begun come
// again.
func TestHandle_EndsInTimeWhenNoPostIsAnswered(t *testing.T) {
	i := slices.IndexFunc(topology.Functions(), func(f topology.Function) bool { return f.Name == topology.Fanout })
	timeout := topology.Functions()[i].Timeout
	for _, members := range []int{500, 30_000} {
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
				began := time.Now()
				answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > topology.FanoutDeadline || took*2 > timeout {
					t.Errorf("it took %s of fake time, the function has %s", took, timeout)
				}
				if members <= fanout.SliceAbove {
					if len(answer.BatchItemFailures) > 0 {
						t.Errorf("%d records come again", len(answer.BatchItemFailures))
					}
					return
				}
				if n := len(answer.BatchItemFailures); n == 0 || n >= len(records) {
					t.Errorf("%d of %d slices come again, want those that there was no time for", n, len(records))
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
