package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
)

// deliver invokes the function with records until each of them is processed or
// given up. tries is how many counted attempts these records have had without
// any progress. It reports whether it came to the end: ctx ended otherwise, and
// the rest will be delivered by the next Run.
func (l *lane) deliver(ctx, invoking context.Context, records []record, tries int) bool {
	failures := 0 // in a row, counted or not
	last := Result{}
	for {
		if records = l.dropExpired(invoking, records, last, tries); len(records) == 0 {
			return true
		}
		result, err := l.Invoker.Invoke(invoking, l.Function, encodeEvent(records))
		if invoking.Err() != nil {
			return false
		}
		if err != nil {
			failures++
			wait := backoff(failures)
			l.Logger.Warn().Err(err).Str("shard", l.id).Int("records", len(records)).Dur("retryIn", wait).Msg("function was not reached")
			if !sleep(ctx, l.Clock, wait) {
				return false
			}
			continue
		}
		last = result
		tries++
		done, whole := l.processed(result, records)
		l.finish(invoking, records[:done])
		records = records[done:]
		switch {
		case len(records) == 0:
			return true
		case done > 0: // progress
			tries, failures = 0, 0
		case whole && l.BisectOnError && len(records) > 1:
			half := len(records) / 2
			l.logAttempt(result, records, tries).Msg("function failed, splitting the batch")
			return ctx.Err() == nil &&
				l.deliver(ctx, invoking, records[:half], tries-1) &&
				l.deliver(ctx, invoking, records[half:], tries-1)
		case l.MaximumRetryAttempts >= 0 && tries > l.MaximumRetryAttempts:
			l.discard(invoking, records, last, tries, RetryAttemptsExhausted)
			return true
		}
		failures++
		wait := backoff(failures)
		l.logAttempt(result, records, tries).Dur("retryIn", wait).Msg("function did not process all records")
		if !sleep(ctx, l.Clock, wait) {
			return false
		}
	}
}

// dropExpired gives up the leading records that are older than the mapping
// allows, and returns the rest.
func (l *lane) dropExpired(ctx context.Context, records []record, last Result, tries int) []record {
	now := l.Clock.Now()
	n := slices.IndexFunc(records, func(r record) bool { return now.Sub(r.created) <= l.maxAge })
	if n < 0 {
		n = len(records)
	}
	if n > 0 {
		l.discard(ctx, records[:n], last, tries, RecordAgeExceeded)
	}
	return records[n:]
}

// discard gives records up: their metadata goes to the failure destination.
func (l *lane) discard(ctx context.Context, records []record, last Result, tries int, condition string) {
	f := newFailure(l.shard, records, last, tries, condition)
	event := l.Logger.Error()
	if err := l.Failures.Send(ctx, f); err != nil {
		event = event.AnErr("destinationError", err)
	}
	event.Str("shard", l.id).Str("condition", condition).Int("records", len(records)).Int("invocations", tries).
		Str("start", f.Batch.StartSequenceNumber).Str("end", f.Batch.EndSequenceNumber).Msg("gave records up")
	l.finish(ctx, records)
}

// processed says how many leading records an invocation has done with, and
// whether it failed as a whole rather than at a record that it named.
func (l *lane) processed(result Result, records []record) (done int, whole bool) {
	if result.FunctionError != "" {
		return 0, true
	}
	if !l.ReportItemFailures {
		return len(records), false
	}
	done, err := firstFailure(result.Payload, records)
	if err != nil {
		l.Logger.Warn().Err(err).Str("requestId", result.RequestID).Msg("the function's answer counts as a failure of the whole batch")
		return 0, true
	}
	return done, false
}

// firstFailure reads a batchItemFailures answer: the index of the first record
// that failed, or the number of records if none did. Names are matched exactly,
// as AWS does: an answer without batchItemFailures is a success. An error means
// that the whole batch failed.
func firstFailure(payload []byte, records []record) (int, error) {
	var answer any
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &answer); err != nil {
			return 0, errors.New("the answer is no JSON")
		}
	}
	var failures any
	switch a := answer.(type) {
	case nil:
	case map[string]any:
		failures = a["batchItemFailures"]
	case []any:
		if len(a) > 0 {
			return 0, errors.New("the answer is a list")
		}
	default:
		return 0, errors.New("the answer is no object")
	}
	if failures == nil {
		return len(records), nil
	}
	list, ok := failures.([]any)
	if !ok {
		return 0, errors.New("batchItemFailures is no list")
	}
	first := len(records)
	if len(list) == 0 {
		return first, nil
	}
	index := make(map[string]int, len(records))
	for i, r := range records {
		index[r.sequence] = i
	}
	for _, failure := range list {
		item, _ := failure.(map[string]any)
		id, _ := item["itemIdentifier"].(string)
		i, ok := index[id]
		if !ok {
			return 0, errors.New("an itemIdentifier is no sequence number of the batch")
		}
		first = min(first, i)
	}
	return first, nil
}
