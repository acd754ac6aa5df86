package lambda

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/eventsource/eventsourcetest"
	"github.com/streamroom/streamroom/shared/topology"
)

func TestNewMappingRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*MappingConfig)
		want   string
	}{
		"no function":      {func(c *MappingConfig) { c.Mapping.Function = "" }, "want a function"},
		"no invoker":       {func(c *MappingConfig) { c.Invoker = nil }, "want Streams, Invoker"},
		"stream name":      {func(c *MappingConfig) { c.StreamARN = "stream" }, "want arn:"},
		"batch size":       {func(c *MappingConfig) { c.Mapping.BatchSize = 10_001 }, "got 10001"},
		"window":           {func(c *MappingConfig) { c.Mapping.BatchWindow = 301 * time.Second }, "got 5m1s"},
		"parallelization":  {func(c *MappingConfig) { c.Mapping.ParallelizationFactor = 11 }, "got 11"},
		"attempts":         {func(c *MappingConfig) { c.Mapping.MaximumRetryAttempts = -2 }, "got -2"},
		"age":              {func(c *MappingConfig) { c.Mapping.MaximumRecordAge = time.Second }, "got 1s"},
		"poll interval":    {func(c *MappingConfig) { c.PollInterval = -1 }, "invalid poll interval"},
		"too many filters": {func(c *MappingConfig) { c.Mapping.Filters = make([]topology.Pattern, 6) }, "want at most 5, got 6"},
		"empty pattern":    {func(c *MappingConfig) { c.Mapping.Filters = make([]topology.Pattern, 1) }, "at least one alternative"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			config := MappingConfig{
				Mapping:     topology.StreamMapping{Function: "f", BatchSize: 1, ParallelizationFactor: 1},
				StreamARN:   testARN,
				Streams:     newFakeStreams(),
				Invoker:     &calls{},
				Checkpoints: NewMemoryCheckpoints(),
				Failures:    &Bucket{},
				Clock:       clockwork.NewRealClock(),
			}
			if _, err := NewMapping(config); err != nil {
				t.Fatalf("unchanged: %v", err)
			}
			tt.change(&config)
			if _, err := NewMapping(config); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

// Everything that is deployed must run here.
func TestNewMappingTakesTheTopology(t *testing.T) {
	for _, sm := range topology.StreamMappings() {
		_, err := NewMapping(MappingConfig{
			Mapping:     sm,
			StreamARN:   testARN,
			Streams:     newFakeStreams(),
			Invoker:     &calls{},
			Checkpoints: NewMemoryCheckpoints(),
			Failures:    &Bucket{},
			Clock:       clockwork.NewRealClock(),
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestMappingBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		for _, sk := range []string{"a", "b", "c"} {
			streams.put("s1", "p", sk)
		}
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) { c.Mapping.BatchSize = 2 })
		synctest.Wait()
		began := time.Now()
		streams.put("s1", "p", "d")
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"a", "b"}, {"c"}, {"d"}})
		expect(t, "time from a wake to the invocation", f.times[2].Sub(began), time.Duration(0))
	})
}

func TestMappingBatchWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) {
			c.Mapping.BatchSize = 3
			c.Mapping.BatchWindow = 5 * time.Second
		})
		elapse(10 * time.Second)
		// The window begins when the first record is read, and that may take
		// until the next poll of the base rate.
		streams.put("s1", "p", "a")
		elapse(3 * time.Second)
		streams.put("s1", "p", "b")
		elapse(1900 * time.Millisecond)
		expect(t, "batches within the window", f.all(), [][]string(nil))
		elapse(350 * time.Millisecond)
		expect(t, "batches after the window", f.all(), [][]string{{"a", "b"}})
		// A full batch does not wait.
		for _, sk := range []string{"c", "d", "e", "f"} {
			streams.put("s1", "p", sk)
		}
		elapse(BasePollInterval)
		expect(t, "batches when one is full", f.all(), [][]string{{"a", "b"}, {"c", "d", "e"}})
		elapse(5 * time.Second)
		expect(t, "batches at the end", f.all(), [][]string{{"a", "b"}, {"c", "d", "e"}, {"f"}})
	})
}

// Records that come while the function runs wait for a window of their own.
func TestMappingBatchWindowBeginsAsAnInvocationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "a")
		c := &calls{answer: func(n int, _ []string, _ events.DynamoDBEvent) (Result, error) {
			if n == 1 {
				pause(10 * time.Second)
			}
			return Result{}, nil
		}}
		f := begin(t, streams, c, nil, func(c *MappingConfig) { c.Mapping.BatchWindow = 5 * time.Second })
		elapse(6 * time.Second) // the first invocation runs from 5 s to 15 s
		streams.put("s1", "p", "b")
		elapse(13900 * time.Millisecond)
		expect(t, "batches within the second window", f.all(), [][]string{{"a"}})
		elapse(200 * time.Millisecond)
		expect(t, "batches after the second window", f.all(), [][]string{{"a"}, {"b"}})
	})
}

// The end of a shard ends the window.
func TestMappingBatchWindowAtTheEndOfAShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "a")
		streams.split("s2", "s1")
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) { c.Mapping.BatchWindow = 300 * time.Second })
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"a"}})
	})
}

// Who gathers for a window is not polled for every record.
func TestMappingWithBatchWindowPollsNoFasterThanTheBaseRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) {
			c.Mapping.BatchWindow = time.Second
			c.Mapping.BatchSize = 10_000
		})
		for n := range 1000 {
			streams.put("s1", "p", strconv.Itoa(n))
			elapse(10 * time.Millisecond)
		}
		elapse(10 * time.Second)
		f.stop()
		expect(t, "records", len(slices.Concat(f.all()...)), 1000)
		if f.polls > 45 {
			t.Errorf("%d polls in ten busy seconds and ten idle ones", f.polls)
		}
	})
}

func TestMappingPayloadLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		for _, sk := range []string{"a", "b", "c", "d"} {
			streams.putRecord("s1", types.Record{Dynamodb: &types.StreamRecord{
				Keys:     map[string]types.AttributeValue{"SK": &types.AttributeValueMemberS{Value: sk}},
				NewImage: map[string]types.AttributeValue{"v": &types.AttributeValueMemberS{Value: strings.Repeat("\x01", 350_000)}},
			}})
		}
		f := begin(t, streams, &calls{}, nil, nil)
		synctest.Wait()
		// Each of them is 2.1 MB of JSON.
		expect(t, "batches", f.all(), [][]string{{"a", "b"}, {"c", "d"}})
	})
}

func TestMappingReadsPagesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		const records = 2500
		for n := range records {
			streams.put("s1", "p", fmt.Sprintf("%04d", n))
		}
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) { c.Mapping.BatchSize = 10_000 })
		synctest.Wait()
		all := slices.Concat(f.all()...)
		expect(t, "records", len(all), records)
		expect(t, "in order", slices.IsSorted(all), true)
	})
}

// What a lane cannot deliver must not pile up in memory.
func TestMappingStopsReadingBehindABlockedFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.pageSize = 10
		for n := range 1000 {
			streams.put("s1", "p", strconv.Itoa(n))
		}
		release := make(chan struct{})
		c := &calls{answer: func(int, []string, events.DynamoDBEvent) (Result, error) {
			<-release
			return Result{}, nil
		}}
		f := begin(t, streams, c, nil, func(c *MappingConfig) { c.PollInterval = time.Millisecond })
		elapse(time.Minute)
		streams.mu.Lock()
		polls := streams.polls
		streams.mu.Unlock()
		if polls > 3 {
			t.Errorf("%d pages of one batch each were read behind a blocked one", polls)
		}
		close(release)
		elapse(time.Minute)
		expect(t, "records in the end", len(slices.Concat(f.all()...)), 1000)
	})
}

func TestMappingPolls(t *testing.T) {
	tests := map[string]struct {
		configure func(*MappingConfig)
		min, max  int // polls of one shard in a minute
	}{
		"at AWS's base rate":  {func(c *MappingConfig) { c.Wake = nil }, 238, 242},
		"seldom if woken":     {nil, 2, 2},
		"as often as told to": {func(c *MappingConfig) { c.PollInterval = time.Second }, 59, 61},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := begin(t, newFakeStreams("s1"), &calls{}, nil, tt.configure)
				elapse(time.Minute)
				f.stop()
				if f.polls < tt.min || f.polls > tt.max {
					t.Errorf("%d polls, want %d to %d", f.polls, tt.min, tt.max)
				}
				if f.describes > 7 {
					t.Errorf("%d descriptions of the stream", f.describes)
				}
			})
		})
	}
}

// A wake polls the shards that have something new, and asks for shards if they changed.
func TestMappingPollsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1", "s2", "s3", "s4")
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) { c.Version = streams.version })
		synctest.Wait()
		polls, describes := streams.polls, streams.describes
		for i := range 10 {
			elapse(2 * time.Second)
			streams.put("s2", "p", strconv.Itoa(i))
			synctest.Wait()
			expect(t, "batches", len(f.all()), i+1)
		}
		expect(t, "polls", streams.polls-polls, 10)
		expect(t, "descriptions of the stream", streams.describes-describes, 0)
	})
}

// Without Wake, a record waits for the next poll.
func TestMappingWithoutWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) { c.Wake = nil })
		elapse(100 * time.Millisecond)
		streams.put("s1", "p", "a")
		elapse(149 * time.Millisecond)
		expect(t, "batches before the poll", f.all(), [][]string(nil))
		elapse(time.Millisecond)
		expect(t, "batches after the poll", f.all(), [][]string{{"a"}})
	})
}

func TestMappingFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "OTHER#1", "MESSAGE#1")
		streams.put("s1", "CHATROOM#1", "MESSAGE#1")
		streams.put("s1", "CHATROOM#1", "READ#1")
		last := streams.put("s1", "USER#1", "x")
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) {
			c.Mapping.Filters = []topology.Pattern{
				{EventNames: []string{"INSERT"}, PKPrefixes: []string{"CHATROOM#"}, SKPrefixes: []string{"MESSAGE#", "MEMBER#"}},
				{EventNames: []string{"REMOVE"}, PKPrefixes: []string{"USER#"}, SKPrefixes: []string{"x"}},
			}
		})
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"MESSAGE#1"}})
		expect(t, "checkpoint", f.checkpoint(t, "s1"), Checkpoint{SequenceNumber: last})
		// Without anything to invoke, the position moves on all the same.
		last = streams.put("s1", "OTHER#1", "MESSAGE#2")
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"MESSAGE#1"}})
		expect(t, "checkpoint", f.checkpoint(t, "s1"), Checkpoint{SequenceNumber: last})
	})
}

func TestMappingParallelizationKeepsItemsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		const items, versions = 37, 25
		for version := range versions {
			for item := range items {
				r := types.Record{Dynamodb: &types.StreamRecord{
					Keys: map[string]types.AttributeValue{
						"PK": &types.AttributeValueMemberS{Value: "p"},
						"SK": &types.AttributeValueMemberS{Value: strconv.Itoa(item)},
					},
					NewImage: map[string]types.AttributeValue{"v": &types.AttributeValueMemberN{Value: strconv.Itoa(version)}},
				}}
				streams.putRecord("s1", r)
			}
		}
		var mu sync.Mutex
		next := make(map[string]int64)
		running, most := 0, 0
		c := &calls{answer: func(n int, _ []string, e events.DynamoDBEvent) (Result, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			pause(time.Duration(1+n%7) * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			running--
			for _, r := range e.Records {
				item := r.Change.Keys["SK"].String()
				version, _ := r.Change.NewImage["v"].Integer()
				if version != next[item] {
					t.Errorf("item %s: version %d instead of %d", item, version, next[item])
				}
				next[item]++
			}
			return Result{}, nil
		}}
		f := begin(t, streams, c, nil, func(c *MappingConfig) { c.Mapping.ParallelizationFactor = 4 })
		elapse(10 * time.Second)
		expect(t, "records", len(slices.Concat(f.all()...)), items*versions)
		expect(t, "concurrent batches", most, 4)
		expect(t, "checkpoint", f.checkpoint(t, "s1"), Checkpoint{SequenceNumber: fmt.Sprintf("%021d", items*versions)})
	})
}

// The checkpoint of a shard is its lowest unfinished position, whatever other
// lanes have done.
func TestMappingCheckpointWaitsForTheSlowestLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		before := streams.put("s1", "p", "first")
		for n := range 30 {
			streams.put("s1", "p", strconv.Itoa(n))
		}
		c := &calls{}
		release := make(chan struct{})
		c.answer = func(_ int, batch []string, _ events.DynamoDBEvent) (Result, error) {
			if slices.Contains(batch, "0") {
				<-release
			}
			return Result{}, nil
		}
		f := begin(t, streams, c, nil, func(c *MappingConfig) {
			c.Mapping.ParallelizationFactor = 10
			c.Mapping.BatchSize = 1
		})
		elapse(time.Second)
		if len(f.all()) < 10 {
			t.Errorf("only %d batches while one is held up", len(f.all()))
		}
		expect(t, "checkpoint while one is held up", f.checkpoint(t, "s1"), Checkpoint{SequenceNumber: before})
		close(release)
		elapse(time.Second)
		expect(t, "checkpoint in the end", f.checkpoint(t, "s1"), Checkpoint{SequenceNumber: fmt.Sprintf("%021d", 31)})
	})
}

// From a stream record to the handler and back to a checkpoint, in process: the
// time that the mapping and the invoker add to a message.
func BenchmarkWakeToHandler(b *testing.B) {
	streams := newFakeStreams("s1", "s2", "s3", "s4")
	handled := make(chan time.Time, 1)
	invoker := NewInvoker(clockwork.NewRealClock(), zerolog.Nop())
	err := invoker.Register(topology.Function{Name: topology.Fanout, Timeout: time.Minute}, 10, func() lambda.Handler {
		return lambda.NewHandler(func(events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
			handled <- time.Now()
			return events.DynamoDBEventResponse{}, nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	m, err := NewMapping(MappingConfig{
		Mapping:     topology.StreamMappings()[0],
		StreamARN:   testARN,
		Streams:     streams,
		Invoker:     invoker,
		Checkpoints: NewMemoryCheckpoints(),
		Failures:    &Bucket{},
		Wake:        streams.wake,
		Clock:       clockwork.NewRealClock(),
		Logger:      zerolog.Nop(),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	r := eventsourcetest.Message(1)
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		change := *r.Dynamodb
		change.ApproximateCreationDateTime = nil
		put := time.Now()
		streams.putRecord("s1", types.Record{EventName: r.EventName, Dynamodb: &change})
		times = append(times, (<-handled).Sub(put))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
