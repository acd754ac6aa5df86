package functions_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/topology"
)

// BenchmarkProjectionAtAPace prints what lastmessage writes for a message, by
// the pace at which a room's messages come: through the mapping as it is
// deployed, on a table of four shards, by a clock that doesn't wait. An
// operation is half a minute. The embedded table deals the items of a partition
// out to all shards; DynamoDB does so once a partition is so hot that it was
// split, and before that a room's messages are on one shard.
func BenchmarkProjectionAtAPace(b *testing.B) {
	for _, members := range sizes(10, 1000) {
		for _, perSecond := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("%d-members/%d-messages-a-second", members, perSecond), func(b *testing.B) {
				const seconds = 30
				m := newMetered(b, 0, members)
				consumer := m.consume(b, topology.LastMessage, functions.LastMessage)
				consumer.pass(3*topology.StreamMappings()[1].BatchWindow, func() {}) // the members
				m.table.take()
				consumer.invocations.Store(0)

				var used total
				sent := 0
				for b.Loop() {
					due := 0
					consumer.pass(seconds*time.Second, func() {
						used.add(m.table.take())
						for due += perSecond; due >= pollsPerSecond; due -= pollsPerSecond {
							m.message(300)
							sent++
						}
						m.table.take()
					})
					used.add(m.table.take())
				}
				n := float64(sent)
				b.ReportMetric((used.Write+float64(used.Refused))/n, "write-units/message") // a failed condition is one
				b.ReportMetric(float64(used.Writes)/n, "writes/message")
				b.ReportMetric(float64(used.Refused)/n, "failed-conditions/message")
				b.ReportMetric(used.Read/n, "read-units/message")
				b.ReportMetric(float64(consumer.invocations.Load())/float64(b.N*seconds), "invocations/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

const pollsPerSecond = int(time.Second / lambda.BasePollInterval)

// consumer is a function that is invoked by its stream mapping, on a clock that
// is moved by hand.
type consumer struct {
	*dynamodbstreams.Client
	handler     awslambda.Handler
	time        *clockwork.FakeClock
	polls       atomic.Int64
	running     atomic.Int64
	invocations atomic.Int64
}

// consume runs a function's mapping until b ends.
func (m metered) consume(b *testing.B, name string, construct functions.Constructor) *consumer {
	b.Helper()
	direct := m.env.AWS
	direct.HTTPClient = m.table.table // what the mapping reads is not the function's
	described, err := ddb.NewFromConfig(direct).DescribeTable(b.Context(), &ddb.DescribeTableInput{TableName: aws.String(tableName)})
	m.must(err)
	failures, err := lambda.OpenBucket("")
	m.must(err)
	c := &consumer{
		Client: dynamodbstreams.NewFromConfig(direct), handler: m.wired(construct), time: clockwork.NewFakeClockAt(m.clock.now()),
	}
	config := lambda.MappingConfig{
		StreamARN: *described.Table.LatestStreamArn, Streams: c, Invoker: c,
		Checkpoints: lambda.NewMemoryCheckpoints(), Failures: failures, Clock: c.time, Logger: zerolog.Nop(),
	}
	for _, mapping := range topology.StreamMappings() {
		if mapping.Function == name {
			config.Mapping = mapping
		}
	}
	mapping, err := lambda.NewMapping(config)
	m.must(err)
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := mapping.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(func() {
		stop()
		running.Wait()
		if lost := failures.List(); len(lost) > 0 {
			b.Errorf("the mapping gave up %v", lost)
		}
	})
	return c
}

// pass lets time pass, from poll to poll, and calls do before each while nothing
// runs. A shard that took the time as it moved on is polled the next time only:
// patience is how long to wait for what may not come.
func (c *consumer) pass(span time.Duration, do func()) {
	const shards, patience = 4, 5 * time.Millisecond
	ticker := time.NewTicker(patience / 50)
	defer ticker.Stop()
	for ; span > 0; span -= lambda.BasePollInterval {
		do()
		polls, began := c.polls.Load(), time.Now()
		c.time.Advance(lambda.BasePollInterval)
		for c.running.Load() > 0 || c.polls.Load() < polls+shards && time.Since(began) < patience {
			<-ticker.C
		}
	}
}

// GetRecords implements lambda.Streams.
func (c *consumer) GetRecords(
	ctx context.Context, in *dynamodbstreams.GetRecordsInput, options ...func(*dynamodbstreams.Options),
) (*dynamodbstreams.GetRecordsOutput, error) {
	out, err := c.Client.GetRecords(ctx, in, options...)
	c.polls.Add(1)
	return out, err
}

// Invoke implements lambda.FunctionInvoker.
func (c *consumer) Invoke(ctx context.Context, _ string, payload []byte) (lambda.Result, error) {
	c.running.Add(1)
	defer c.running.Add(-1)
	c.invocations.Add(1)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	answer, err := c.handler.Invoke(ctx, payload)
	return lambda.Result{Payload: answer}, err
}
