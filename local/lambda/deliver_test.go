package lambda

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// script is what a function answers to a batch.
type script func(n int, batch []string, e events.DynamoDBEvent) (Result, error)

func throttled(times int, then script) script {
	return func(n int, batch []string, e events.DynamoDBEvent) (Result, error) {
		if n <= times {
			return Result{}, fmt.Errorf("invoke f: %w", ErrThrottled)
		}
		return then(n, batch, e)
	}
}

// gaveUp is what a failure says, in short.
type gaveUp struct {
	Condition  string
	Start, End int // places in the stream, from 1
	Size       int
	Count      int
	Error      string // the functionError, "null", or "absent" without responseContext
}

func TestMappingFailures(t *testing.T) {
	tests := map[string]struct {
		records   []string
		configure func(*MappingConfig)
		answer    script
		batches   [][]string
		failures  []gaveUp
	}{
		// The recorded case: one bad record comes once in its batch and four
		// times at the head of the remainder.
		"partial answer, three retries": {
			records:   []string{"a", "b", "bad"},
			configure: func(c *MappingConfig) { c.Mapping.MaximumRetryAttempts = 3 },
			answer:    failAt("bad"),
			batches:   [][]string{{"a", "b", "bad"}, {"bad"}, {"bad"}, {"bad"}, {"bad"}},
			failures:  []gaveUp{{eventsource.RetryAttemptsExhausted, 3, 3, 1, 4, "null"}},
		},
		"partial answer, the rest comes again": {
			records:   []string{"a", "bad", "c"},
			configure: func(c *MappingConfig) { c.Mapping.MaximumRetryAttempts = 1 },
			answer:    failAt("bad"),
			batches:   [][]string{{"a", "bad", "c"}, {"bad", "c"}, {"bad", "c"}},
			failures:  []gaveUp{{eventsource.RetryAttemptsExhausted, 2, 3, 2, 2, "null"}},
		},
		"partial answer, no retries": {
			records:  []string{"a", "bad", "c"},
			answer:   failAt("a"),
			batches:  [][]string{{"a", "bad", "c"}},
			failures: []gaveUp{{eventsource.RetryAttemptsExhausted, 1, 3, 3, 1, "null"}},
		},
		"the lowest of several numbers counts": {
			records: []string{"a", "b", "c"},
			answer: func(n int, _ []string, e events.DynamoDBEvent) (Result, error) {
				if n > 1 {
					return Result{}, nil
				}
				return Result{Payload: fmt.Appendf(nil, `{"batchItemFailures":[{"itemIdentifier":%q},{"itemIdentifier":%q}]}`,
					e.Records[2].Change.SequenceNumber, e.Records[1].Change.SequenceNumber)}, nil
			},
			batches: [][]string{{"a", "b", "c"}, {"b", "c"}},
		},
		"progress resets the count": {
			records:   []string{"a", "b", "c"},
			configure: func(c *MappingConfig) { c.Mapping.MaximumRetryAttempts = 1 },
			answer: func(n int, batch []string, e events.DynamoDBEvent) (Result, error) {
				if n%2 == 1 { // every other attempt fails at its first record
					return failAt(batch[0])(n, batch, e)
				}
				if len(batch) == 1 {
					return Result{}, nil
				}
				return failAt(batch[1])(n, batch, e)
			},
			batches: [][]string{{"a", "b", "c"}, {"a", "b", "c"}, {"b", "c"}, {"b", "c"}, {"c"}, {"c"}},
		},
		"function error, the whole batch again": {
			records:   []string{"a", "bad", "c"},
			configure: func(c *MappingConfig) { c.Mapping.MaximumRetryAttempts = 2 },
			answer:    failWith("bad"),
			batches:   [][]string{{"a", "bad", "c"}, {"a", "bad", "c"}, {"a", "bad", "c"}},
			failures:  []gaveUp{{eventsource.RetryAttemptsExhausted, 1, 3, 3, 3, Unhandled}},
		},
		"named failures count only if they were asked for": {
			records:   []string{"a", "bad"},
			configure: func(c *MappingConfig) { c.Mapping.ReportItemFailures = false },
			answer:    failAt("bad"),
			batches:   [][]string{{"a", "bad"}},
		},
		"bisect does not consume retries": {
			records: []string{"a", "b", "c", "bad", "e"},
			configure: func(c *MappingConfig) {
				c.Mapping.BisectOnError = true
				c.Mapping.MaximumRetryAttempts = 1
			},
			answer: failWith("bad"),
			batches: [][]string{
				{"a", "b", "c", "bad", "e"},
				{"a", "b"},
				{"c", "bad", "e"},
				{"c"},
				{"bad", "e"},
				{"bad"},
				{"bad"},
				{"e"},
			},
			failures: []gaveUp{{eventsource.RetryAttemptsExhausted, 4, 4, 1, 2, Unhandled}},
		},
		"bisect by a partial answer splits where it says": {
			records: []string{"a", "bad", "c", "d"},
			configure: func(c *MappingConfig) {
				c.Mapping.BisectOnError = true
				c.Mapping.MaximumRetryAttempts = 1
			},
			answer:   failAt("bad"),
			batches:  [][]string{{"a", "bad", "c", "d"}, {"bad", "c", "d"}, {"bad", "c", "d"}},
			failures: []gaveUp{{eventsource.RetryAttemptsExhausted, 2, 4, 3, 2, "null"}},
		},
		"throttles are not counted": {
			records:  []string{"a", "bad"},
			answer:   throttled(5, failWith("bad")),
			batches:  [][]string{{"a", "bad"}, {"a", "bad"}, {"a", "bad"}, {"a", "bad"}, {"a", "bad"}, {"a", "bad"}},
			failures: []gaveUp{{eventsource.RetryAttemptsExhausted, 1, 2, 2, 1, Unhandled}},
		},
		"what is too old is not delivered": {
			records:   []string{"old", "old", "c"},
			configure: func(c *MappingConfig) { c.Mapping.MaximumRecordAge = time.Minute },
			batches:   [][]string{{"c"}},
			failures:  []gaveUp{{eventsource.RecordAgeExceeded, 1, 2, 2, 0, "absent"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				streams := newFakeStreams("s1")
				for _, sk := range tt.records {
					created := time.Now()
					if sk == "old" {
						created = created.Add(-61 * time.Second)
					}
					streams.putRecord("s1", types.Record{Dynamodb: &types.StreamRecord{
						Keys:                        map[string]types.AttributeValue{"SK": &types.AttributeValueMemberS{Value: sk}},
						ApproximateCreationDateTime: aws.Time(created),
					}})
				}
				f := begin(t, streams, &calls{answer: tt.answer}, nil, tt.configure)
				elapse(10 * time.Minute)
				expect(t, "batches", f.all(), tt.batches)
				expect(t, "failures", f.gaveUp(), tt.failures)
				expect(t, "checkpoint", f.checkpoint(t, "s1"), Checkpoint{SequenceNumber: fmt.Sprintf("%021d", len(tt.records))})
				// Whatever was given up, the shard goes on.
				streams.put("s1", "p", "next")
				synctest.Wait()
				expect(t, "batches afterwards", f.all()[len(tt.batches):], [][]string{{"next"}})
			})
		})
	}
}

func (f *fixture) gaveUp() []gaveUp {
	var all []gaveUp
	for _, entry := range f.queue.List() {
		failure := entry.Failure
		g := gaveUp{
			Condition: failure.Request.Condition,
			Size:      failure.Batch.BatchSize,
			Count:     failure.Request.ApproximateInvokeCount,
			Error:     "absent",
		}
		_, _ = fmt.Sscan(failure.Batch.StartSequenceNumber, &g.Start)
		_, _ = fmt.Sscan(failure.Batch.EndSequenceNumber, &g.End)
		if failure.Response != nil {
			g.Error = "null"
			if failure.Response.FunctionError != nil {
				g.Error = *failure.Response.FunctionError
			}
		}
		all = append(all, g)
	}
	return all
}

// Without a limit of attempts, and while the function cannot be reached at all,
// only age ends the retries.
func TestMappingRetriesUntilRecordsAreTooOld(t *testing.T) {
	tests := map[string]struct {
		answer script
		count  bool // attempts count
	}{
		"function error": {failWith("bad"), true},
		"throttled":      {throttled(1<<30, nil), false},
		"other error":    {func(int, []string, events.DynamoDBEvent) (Result, error) { return Result{}, errors.New("no") }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				streams := newFakeStreams("s1")
				streams.put("s1", "p", "bad")
				f := begin(t, streams, &calls{answer: tt.answer}, nil, func(c *MappingConfig) {
					c.Mapping.MaximumRetryAttempts = -1
					c.Mapping.MaximumRecordAge = 0
				})
				elapse(23 * time.Hour)
				expect(t, "failures before a day has passed", f.gaveUp(), []gaveUp(nil))
				attempts := len(f.all())
				if attempts < 100 {
					t.Errorf("only %d attempts", attempts)
				}
				elapse(2 * time.Hour)
				want := gaveUp{eventsource.RecordAgeExceeded, 1, 1, 1, 0, "absent"}
				if tt.count {
					want.Count = len(f.all())
				}
				expect(t, "failures", f.gaveUp(), []gaveUp{want})
			})
		})
	}
}

// About eight tries in the first minute, as recorded; then one a minute.
func TestMappingBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "bad")
		f := begin(t, streams, &calls{answer: failWith("bad")}, nil, func(c *MappingConfig) { c.Mapping.MaximumRetryAttempts = -1 })
		elapse(time.Minute)
		if n := len(f.all()); n < 6 || n > 9 {
			t.Errorf("%d tries in the first minute", n)
		}
		elapse(29 * time.Minute)
		if n := len(f.all()); n < 28 || n > 50 {
			t.Errorf("%d tries in half an hour", n)
		}
	})
}

func TestMappingSurvivesItsFailureDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "bad")
		streams.put("s1", "p", "good")
		full := &Bucket{entries: make([]StoredFailure, MaxStored)}
		f := begin(t, streams, &calls{answer: failWith("bad")}, nil, func(c *MappingConfig) {
			c.Mapping.BatchSize = 1
			c.Failures = full
		})
		elapse(time.Minute)
		expect(t, "batches", f.all(), [][]string{{"bad"}, {"good"}})
	})
}

// A batch that keeps failing holds up its own lane only.
func TestMappingPoisonDoesNotHoldUpOtherItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1", "s2")
		streams.put("s1", "p", "bad")
		for n := range 8 {
			streams.put("s1", "p", strconv.Itoa(n))
		}
		streams.put("s2", "p", "other shard")
		f := begin(t, streams, &calls{answer: failWith("bad")}, nil, func(c *MappingConfig) {
			c.Mapping.MaximumRetryAttempts = -1
			c.Mapping.BatchSize = 1
			c.Mapping.ParallelizationFactor = 10
		})
		elapse(100 * time.Millisecond)
		delivered := make(map[string]int)
		for _, batch := range f.all() {
			delivered[batch[0]]++
		}
		expect(t, "deliveries of the bad record", delivered["bad"], 1)
		expect(t, "deliveries in the other shard", delivered["other shard"], 1)
		if len(delivered) < 6 {
			t.Errorf("delivered only %v", delivered)
		}
	})
}

// The times of a failure are the clock's and the records'.
func TestMappingFailureTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := newFakeStreams("s1")
		streams.put("s1", "p", "bad")
		elapse(1500 * time.Millisecond)
		streams.put("s1", "p", "b")
		f := begin(t, streams, &calls{answer: failWith("bad")}, nil, nil)
		synctest.Wait()
		failure := f.queue.List()[0].Failure
		expect(t, "timestamp", failure.Timestamp, "2000-01-01T00:00:01.500Z")
		expect(t, "batch", failure.Batch, eventsource.BatchInfo{
			ShardID: "s1", StartSequenceNumber: fmt.Sprintf("%021d", 1), EndSequenceNumber: fmt.Sprintf("%021d", 2),
			ApproximateArrivalOfFirstRecord: "2000-01-01T00:00:00Z", ApproximateArrivalOfLastRecord: "2000-01-01T00:00:01Z",
			BatchSize: 2, StreamARN: testARN,
		})
	})
}
