package lambda

import (
	"context"
	"encoding/json"
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
	event   []byte // of the last call
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
	c.event = payload
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
	queue       *Bucket
	stop        func() // ends Run and waits for it
}

// begin runs a mapping with batches of 10 without window, retries or bisect,
// changed by configure.
func begin(t *testing.T, streams *fakeStreams, c *calls, checkpoints *Checkpoints, configure func(*MappingConfig)) *fixture {
	t.Helper()
	queue, err := OpenBucket("")
	if err != nil {
		t.Fatal(err)
	}
	if checkpoints == nil {
		checkpoints = NewMemoryCheckpoints()
	}
	config := MappingConfig{
		Mapping: topology.StreamMapping{
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

// pause waits in a synctest bubble, where that takes no time.
func pause(d time.Duration) { <-time.After(d) }

// elapse lets time pass in a synctest bubble, and waits until all is quiet.
func elapse(d time.Duration) {
	pause(d)
	synctest.Wait()
}

// failAt answers that the record with this sort key failed, if it is there.
func failAt(sk string) func(int, []string, events.DynamoDBEvent) (Result, error) {
	return func(_ int, _ []string, e events.DynamoDBEvent) (Result, error) {
		for _, r := range e.Records {
			if r.Change.Keys["SK"].String() == sk {
				return Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"` + r.Change.SequenceNumber + `"}]}`)}, nil
			}
		}
		return Result{Payload: []byte(`{"batchItemFailures":[]}`)}, nil
	}
}

// failWith answers a function error for batches that hold this sort key.
func failWith(sk string) func(int, []string, events.DynamoDBEvent) (Result, error) {
	return func(_ int, batch []string, _ events.DynamoDBEvent) (Result, error) {
		if slices.Contains(batch, sk) {
			return Result{Payload: []byte(`{"errorMessage":"no","errorType":"T"}`), FunctionError: Unhandled}, nil
		}
		return Result{}, nil
	}
}

// checkpoint is what the store has for a shard of the mapping to f.
func (f *fixture) checkpoint(t *testing.T, shardID string) Checkpoint {
	t.Helper()
	checkpoints, err := f.checkpoints.Load(t.Context(), "f "+testARN)
	if err != nil {
		t.Fatal(err)
	}
	return checkpoints[shardID]
}
