package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/topology"
)

// calls is a FunctionInvoker that notes the sort keys of every batch and
// answers by a script.
type calls struct {
	// answer gets the number of the call, from 1. nil means success.
	answer func(n int, batch []string, e events.DynamoDBEvent) (Result, error)

	mu      sync.Mutex
	batches [][]string
	times   []time.Time
}

func (c *calls) Invoke(_ context.Context, _ string, payload []byte) (Result, error) {
	var event events.DynamoDBEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return Result{}, err
	}
	var batch []string
	for _, r := range event.Records {
		batch = append(batch, r.Change.Keys["SK"].String())
	}
	c.mu.Lock()
	c.batches = append(c.batches, batch)
	c.times = append(c.times, time.Now())
	n := len(c.batches)
	c.mu.Unlock()
	result := Result{RequestID: "request", ExecutedVersion: LatestVersion}
	if c.answer == nil {
		return result, nil
	}
	answered, err := c.answer(n, batch, event)
	result.Payload, result.FunctionError = answered.Payload, answered.FunctionError
	return result, err
}

func (c *calls) all() [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.batches)
}

// fixture is a mapping in a synctest bubble.
type fixture struct {
	*fakeStreams
	*calls
	checkpoints *Checkpoints
	queue       *Queue
	stop        func() // ends Run and waits for it
}

// begin runs a mapping with batches of 10 without window, retries or bisect,
// changed by configure.
func begin(t *testing.T, streams *fakeStreams, c *calls, checkpoints *Checkpoints, configure func(*MappingConfig)) *fixture {
	t.Helper()
	queue, err := OpenQueue("")
	if err != nil {
		t.Fatal(err)
	}
	if checkpoints == nil {
		checkpoints = NewMemoryCheckpoints()
	}
	config := MappingConfig{
		StreamMapping: topology.StreamMapping{
			Function:              "f",
			BatchSize:             10,
			ParallelizationFactor: 1,
			MaximumRecordAge:      time.Hour,
			ReportItemFailures:    true,
		},
		StreamARN:   testARN,
		Streams:     streams,
		Invoker:     c,
		Checkpoints: checkpoints,
		Failures:    queue,
		Wake:        streams.wake,
		Clock:       clockwork.NewRealClock(),
		Logger:      zerolog.New(zerolog.NewTestWriter(t)),
	}
	if configure != nil {
		configure(&config)
	}
	m, err := NewMapping(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &fixture{streams, c, checkpoints, queue, stop}
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var errThrottledInTest = errors.New("throttled")

func unhandled() Result {
	return Result{Payload: []byte(`{"errorMessage":"no"}`), FunctionError: Unhandled}
}

// failAt answers that the record with this sort key failed, if it is there.
func failAt(sk string, e events.DynamoDBEvent) Result {
	for _, r := range e.Records {
		if r.Change.Keys["SK"].String() == sk {
			return Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"` + r.Change.SequenceNumber + `"}]}`)}
		}
	}
	return Result{Payload: []byte(`{"batchItemFailures":[]}`)}
}

func TestMappingDeliversInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		for _, sk := range []string{"a", "b", "c"} {
			streams.put("s1", "p", sk)
		}
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) { c.BatchSize = 2 })
		synctest.Wait()
		streams.put("s1", "p", "d")
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"a", "b"}, {"c"}, {"d"}})
	})
}

// The recorded case: with three retries, one bad record is delivered once in
// its batch and four times at the head of the remainder.
func TestMappingPartialAnswerExhaustsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		var bad string
		for _, sk := range []string{"a", "b", "bad"} {
			bad = streams.put("s1", "p", sk)
		}
		c := &calls{answer: func(_ int, _ []string, e events.DynamoDBEvent) (Result, error) { return failAt("bad", e), nil }}
		f := begin(t, streams, c, nil, func(c *MappingConfig) { c.MaximumRetryAttempts = 3 })
		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"a", "b", "bad"}, {"bad"}, {"bad"}, {"bad"}, {"bad"}})
		failures := f.queue.List()
		if len(failures) != 1 {
			t.Fatalf("%d failures", len(failures))
		}
		got := failures[0].Failure
		expect(t, "request", got.Request, RequestContext{"request", FunctionARN("f"), RetryAttemptsExhausted, 4})
		expect(t, "response", got.Response, &ResponseContext{StatusCode: 200, ExecutedVersion: "$LATEST"})
		expect(t, "start", got.Batch.StartSequenceNumber, bad)
		expect(t, "size", got.Batch.BatchSize, 1)
	})
}
