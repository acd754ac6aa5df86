package lambda

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/eventsource/eventsourcetest"
	"github.com/streamroom/streamroom/shared/topology"
)

// TestMappingConformance holds the mapping to the rules of event sources.
func TestMappingConformance(t *testing.T) {
	eventsourcetest.Run(t, func(t *testing.T, mapping topology.StreamMapping, records []types.Record, f eventsourcetest.Function) (givenUp []string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			streams := newFakeStreams("s1")
			for _, r := range records {
				streams.putRecord("s1", r)
			}
			c := &calls{}
			c.answer = func(int, []string, events.DynamoDBEvent) (Result, error) {
				answer, err := f(c.event)
				if errors.Is(err, eventsourcetest.ErrThrottled) {
					err = ErrThrottled
				}
				return Result{Payload: answer.Payload, FunctionError: answer.FunctionError}, err
			}
			fixture := begin(t, streams, c, nil, func(c *MappingConfig) { c.Mapping = mapping })
			elapse(10 * time.Minute)
			fixture.stop()
			for _, entry := range fixture.queue.List() {
				batch := entry.Failure.Batch
				expect(t, "condition", entry.Failure.Request.Condition, eventsource.RetryAttemptsExhausted)
				for n := range records {
					if s := eventsourcetest.Sequence(n + 1); s >= batch.StartSequenceNumber && s <= batch.EndSequenceNumber {
						givenUp = append(givenUp, s)
					}
				}
			}
			slices.Sort(givenUp)
		})
		return givenUp
	})
}
