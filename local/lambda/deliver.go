package lambda

import (
	"context"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// deliver invokes the function with records until each of them is processed or
// given up. It returns false if ctx ended first: the rest will be delivered by
// the next Run. Invocations live as long as invoking.
func (l *lane) deliver(ctx, invoking context.Context, records []record) bool {
	var last Result
	mapping := l.config.Mapping
	delivery := eventsource.Delivery[origin]{
		Rules: eventsource.Rules{
			MaximumRetryAttempts: mapping.MaximumRetryAttempts,
			BisectOnError:        mapping.BisectOnError,
			ReportItemFailures:   mapping.ReportItemFailures,
			Backoff:              eventsource.MappingBackoff,
		},
		Invoke: func(event []byte) (eventsource.Answer, error) {
			result, err := l.config.Invoker.Invoke(invoking, mapping.Function, event)
			if invoking.Err() != nil {
				return eventsource.Answer{}, invoking.Err()
			}
			if err != nil {
				return eventsource.Answer{}, err
			}
			last = result
			return eventsource.Answer{Payload: result.Payload, FunctionError: result.FunctionError}, nil
		},
		Sleep: func(ctx context.Context, d time.Duration) error { return sleep(ctx, l.config.Clock, d) },
		Fresh: func(records []record, tries int) []record {
			return l.discardExpired(invoking, records, last, tries)
		},
		Processed: func(records []record) { l.shard.finish(invoking, records) },
		Unreached: func(a attempt, _ int) error {
			if invoking.Err() != nil {
				return invoking.Err()
			}
			l.config.Logger.Warn().Err(a.Err).Str("shard", l.shard.id).Int("records", len(a.Records)).Dur("retryIn", a.Pause).
				Msg("function was not reached")
			return nil
		},
		Retrying: func(a attempt) { l.logRetry(a, last.RequestID) },
		Exhausted: func(a attempt) ([]record, error) {
			l.discard(invoking, a.Records, last, a.Tries, eventsource.RetryAttemptsExhausted)
			return nil, nil
		},
	}
	_, err := delivery.Deliver(ctx, records)
	return err == nil
}

// discardExpired gives up leading records that are too old and returns the
// others.
func (l *lane) discardExpired(ctx context.Context, records []record, last Result, tries int) []record {
	now := l.config.Clock.Now()
	n := slices.IndexFunc(records, func(r record) bool { return now.Sub(r.Data.created) <= l.shard.mapping.maxAge })
	if n < 0 {
		n = len(records)
	}
	if n > 0 {
		l.discard(ctx, records[:n], last, tries, eventsource.RecordAgeExceeded)
	}
	return records[n:]
}

// logRetry logs an attempt that left records to do, never their content.
func (l *lane) logRetry(a attempt, requestID string) {
	next := "retrying"
	if a.Split {
		next = "splitting the batch"
	}
	l.config.Logger.Warn().AnErr("reason", a.Err).Str("shard", l.shard.id).Str("requestId", requestID).
		Str("functionError", a.Answer.FunctionError).Str("errorType", eventsource.ErrorType(a.Answer.Payload)).
		Int("records", len(a.Records)).Str("start", a.Records[0].SequenceNumber).Int("attempt", a.Tries).Dur("retryIn", a.Pause).
		Msg("function did not process all records, " + next)
}
