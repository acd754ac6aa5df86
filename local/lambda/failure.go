package lambda

import (
	"context"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// discard gives records up: they go to the failure destination.
func (l *lane) discard(ctx context.Context, records []record, last Result, tries int, condition string) {
	f := l.failure(records, last, tries, condition)
	event := l.config.Logger.Error()
	if err := l.config.Failures.Send(ctx, f); err != nil {
		event = event.AnErr("destinationError", err)
	}
	event.Str("shard", l.shard.id).Str("condition", condition).Int("records", len(records)).Int("invocations", tries).
		Str("start", f.Batch.StartSequenceNumber).Str("end", f.Batch.EndSequenceNumber).Msg("gave records up")
	l.shard.finish(ctx, records)
}

// failure is the on-failure record of records that are given up.
func (l *lane) failure(records []record, last Result, invocations int, condition string) eventsource.Failure {
	first, end := records[0], records[len(records)-1]
	f := eventsource.Failure{
		Request: eventsource.RequestContext{
			RequestID:              last.RequestID,
			FunctionARN:            FunctionARN(l.config.Mapping.Function),
			Condition:              condition,
			ApproximateInvokeCount: invocations,
		},
		Version:   "1.0",
		Timestamp: eventsource.FailureTime(l.config.Clock.Now()),
		Batch: eventsource.BatchInfo{
			ShardID:                         l.shard.id,
			StartSequenceNumber:             first.SequenceNumber,
			EndSequenceNumber:               end.SequenceNumber,
			ApproximateArrivalOfFirstRecord: eventsource.ArrivalTime(first.Data.created),
			ApproximateArrivalOfLastRecord:  eventsource.ArrivalTime(end.Data.created),
			BatchSize:                       len(records),
			StreamARN:                       l.config.StreamARN,
		},
		Payload: eventsource.EncodeEvent(records),
	}
	if condition != eventsource.RecordAgeExceeded {
		f.Response = &eventsource.ResponseContext{StatusCode: 200, ExecutedVersion: last.ExecutedVersion}
		if last.FunctionError != "" {
			f.Response.FunctionError = &last.FunctionError
		}
	}
	return f
}
