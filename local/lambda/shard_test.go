package lambda

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/topology"
)

func TestMappingReadsParentsBeforeChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("root", "other")
		streams.put("root", "p", "r1")
		streams.put("root", "p", "r2")
		streams.split("child", "root")
		streams.put("child", "p", "c1")
		streams.split("grandchild", "child")
		streams.put("grandchild", "p", "g1")
		streams.put("other", "p", "o1")
		release := make(chan struct{})
		c := &calls{answer: func(_ int, batch []string, _ events.DynamoDBEvent) (Result, error) {
			if batch[0] == "r1" {
				<-release
			}
			return Result{}, nil
		}}
		f := begin(t, streams, c, nil, nil)
		elapse(time.Minute)
		batches := f.all()
		slices.SortFunc(batches, slices.Compare)
		expect(t, "batches while the parent is not done", batches, [][]string{{"o1"}, {"r1", "r2"}})
		close(release)
		synctest.Wait()
		expect(t, "batches of the descendants", f.all()[2:], [][]string{{"c1"}, {"g1"}})
		expect(t, "root", f.checkpoint(t, "root").Finished, true)
		expect(t, "child", f.checkpoint(t, "child").Finished, true)
		expect(t, "grandchild", f.checkpoint(t, "grandchild").Finished, false)
	})
}

func TestMappingFindsNewShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams()
		f := begin(t, streams, &calls{}, nil, nil)
		elapse(3 * time.Second)
		// By a wake, within a second.
		streams.split("s1", "")
		streams.put("s1", "p", "a")
		elapse(time.Second)
		expect(t, "batches after a wake", f.all(), [][]string{{"a"}})
		// A split is noticed at once.
		streams.split("s2", "s1")
		streams.put("s2", "p", "b")
		synctest.Wait()
		expect(t, "batches after a split", f.all(), [][]string{{"a"}, {"b"}})
		// And without a wake by the safety net.
		streams.split("s3", "")
		elapse(wokenInterval)
		expect(t, "shards", f.reading("s3"), true)
	})
}

// reading reports whether the shard's iterator was ever asked for.
func (f *fakeStreams) reading(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.asked, id)
}

func TestMappingGoesOnFromItsCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("root")
		streams.put("root", "p", "a")
		streams.put("root", "p", "bad")
		streams.put("root", "p", "c")
		first := begin(t, streams, &calls{answer: failAt("bad")}, nil, func(c *MappingConfig) { c.Mapping.MaximumRetryAttempts = -1 })
		synctest.Wait()
		first.stop() // while it backs off
		expect(t, "batches of the first run", first.all(), [][]string{{"a", "bad", "c"}})
		// What was not done is delivered again, and nothing else.
		second := begin(t, streams, &calls{}, first.checkpoints, nil)
		synctest.Wait()
		expect(t, "batches of the second run", second.all(), [][]string{{"bad", "c"}})
		second.stop()
		// A finished shard stays finished.
		streams.split("child", "root")
		third := begin(t, streams, &calls{}, first.checkpoints, nil)
		synctest.Wait()
		third.stop()
		streams.put("child", "p", "d")
		fourth := begin(t, streams, &calls{}, first.checkpoints, nil)
		synctest.Wait()
		expect(t, "batches of the fourth run", fourth.all(), [][]string{{"d"}})
	})
}

func TestMappingForgetsShardsThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("root")
		streams.put("root", "p", "a")
		streams.split("child", "root")
		f := begin(t, streams, &calls{}, nil, nil)
		synctest.Wait()
		expect(t, "root", f.checkpoint(t, "root").Finished, true)
		streams.mu.Lock()
		streams.shards = streams.shards[1:]
		streams.mu.Unlock()
		elapse(wokenInterval)
		expect(t, "root", f.checkpoint(t, "root"), Checkpoint{})
		streams.put("child", "p", "b")
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"a"}, {"b"}})
	})
}

func TestMappingRecoversFromReadErrors(t *testing.T) {
	tests := map[string]struct {
		damage  func(*fakeStreams) // between record b, which was read, and c
		batches [][]string
	}{
		"expired iterator": {
			func(f *fakeStreams) { f.generation++ },
			[][]string{{"a", "b"}, {"c"}, {"d"}},
		},
		"trimmed": {
			func(f *fakeStreams) { f.shard("s1").trimmed = 3; f.generation++ },
			[][]string{{"a", "b"}, {"d"}},
		},
		"trimmed under a live iterator": {
			func(f *fakeStreams) { f.shard("s1").trimmed = 3 },
			[][]string{{"a", "b"}, {"d"}},
		},
		"transient errors": {
			func(f *fakeStreams) {
				f.errs = []error{&types.LimitExceededException{}, &types.InternalServerError{}, errors.New("connection refused")}
			},
			[][]string{{"a", "b"}, {"c", "d"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				streams := newFakeStreams("s1")
				streams.put("s1", "p", "a")
				streams.put("s1", "p", "b")
				f := begin(t, streams, &calls{}, nil, nil)
				synctest.Wait()
				streams.mu.Lock()
				streams.shard("s1").records = append(streams.shard("s1").records, streams.complete(keyed("p", "c")))
				tt.damage(streams)
				streams.mu.Unlock()
				signal(streams.wake)
				synctest.Wait()
				streams.put("s1", "p", "d")
				elapse(10 * time.Second)
				expect(t, "batches", f.all(), tt.batches)
				last := f.checkpoint(t, "s1").SequenceNumber
				f.stop()
				// Nothing is left over for another run.
				again := begin(t, streams, &calls{}, f.checkpoints, nil)
				elapse(10 * time.Second)
				expect(t, "batches of another run", again.all(), [][]string(nil))
				expect(t, "checkpoint of another run", again.checkpoint(t, "s1").SequenceNumber, last)
			})
		})
	}
}

// A shard that is gone has ended: its children come.
func TestMappingGoesOnAfterALostShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("root")
		streams.split("child", "root")
		streams.put("child", "p", "c")
		streams.gone = "root"
		f := begin(t, streams, &calls{}, nil, nil)
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"c"}})
	})
}

func TestMappingSurvivesALostStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "a")
		streams.down = true
		f := begin(t, streams, &calls{}, nil, nil)
		elapse(50 * time.Minute)
		expect(t, "batches", f.all(), [][]string(nil))
		if streams.describes > 100 {
			t.Errorf("%d descriptions in 50 minutes", streams.describes)
		}
		streams.mu.Lock()
		streams.down = false
		streams.mu.Unlock()
		elapse(2 * time.Minute)
		expect(t, "batches", f.all(), [][]string{{"a"}})
	})
}

// Run lets an invocation end, and keeps what it did.
func TestMappingStopsAfterTheRunningInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		last := streams.put("s1", "p", "a")
		c := &calls{answer: func(int, []string, events.DynamoDBEvent) (Result, error) {
			pause(time.Second)
			return Result{}, nil
		}}
		f := begin(t, streams, c, nil, nil)
		synctest.Wait()
		streams.put("s1", "p", "b")
		f.stop()
		expect(t, "batches", f.all(), [][]string{{"a"}})
		expect(t, "checkpoint", f.checkpoint(t, "s1"), Checkpoint{SequenceNumber: last})
	})
}

// An invocation that takes too long is abandoned: its records come again.
func TestMappingAbandonsAnInvocationThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "a")
		hang := invokerFunc(func(ctx context.Context) (Result, error) {
			<-ctx.Done()
			return Result{}, ctx.Err()
		})
		f := begin(t, streams, nil, nil, func(c *MappingConfig) { c.Invoker = hang })
		synctest.Wait()
		before := time.Now()
		f.stop()
		expect(t, "time to stop", time.Since(before), drainTimeout)
		expect(t, "checkpoint", f.checkpoint(t, "s1"), Checkpoint{})
	})
}

type invokerFunc func(ctx context.Context) (Result, error)

func (f invokerFunc) Invoke(ctx context.Context, _ string, _ []byte) (Result, error) { return f(ctx) }

// The same mapping may run again.
func TestMappingRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		c := &calls{}
		m, err := NewMapping(MappingConfig{
			Mapping:     topology.StreamMapping{Function: "f", BatchSize: 1, ParallelizationFactor: 1},
			StreamARN:   testARN,
			Streams:     streams,
			Invoker:     c,
			Checkpoints: NewMemoryCheckpoints(),
			Failures:    &Bucket{},
			Clock:       clockwork.NewRealClock(),
			Logger:      zerolog.Nop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, sk := range []string{"a", "b"} {
			streams.put("s1", "p", sk)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := m.Run(ctx); err != nil {
				t.Error(err)
			}
			cancel()
		}
		expect(t, "batches", c.all(), [][]string{{"a"}, {"b"}})
	})
}

func TestMappingWithoutCheckpointsToLoad(t *testing.T) {
	m, err := NewMapping(MappingConfig{
		Mapping:     topology.StreamMapping{Function: "f", BatchSize: 1, ParallelizationFactor: 1},
		StreamARN:   testARN,
		Streams:     newFakeStreams("s1"),
		Invoker:     &calls{},
		Checkpoints: brokenStore{},
		Failures:    &Bucket{},
		Clock:       clockwork.NewRealClock(),
		Logger:      zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

// A store that cannot save costs repeated deliveries, and nothing else.
func TestMappingWithoutWorkingCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "a")
		f := begin(t, streams, &calls{}, nil, func(c *MappingConfig) { c.Checkpoints = brokenStore{loads: true} })
		synctest.Wait()
		streams.put("s1", "p", "b")
		synctest.Wait()
		expect(t, "batches", f.all(), [][]string{{"a"}, {"b"}})
	})
}

var errBroken = errors.New("broken")

type brokenStore struct{ loads bool }

func (b brokenStore) Load(context.Context, string) (map[string]Checkpoint, error) {
	if b.loads {
		return map[string]Checkpoint{}, nil
	}
	return nil, errBroken
}
func (brokenStore) Save(context.Context, string, string, Checkpoint) error { return errBroken }
func (brokenStore) Forget(context.Context, string, string) error           { return errBroken }
