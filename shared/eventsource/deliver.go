package eventsource

import (
	"context"
	"errors"
	"time"

	"github.com/streamroom/streamroom/shared/backoff"
)

// Rules are a mapping's rules for batches that fail.
type Rules struct {
	MaximumRetryAttempts int  // further attempts after the first; -1 is no limit
	BisectOnError        bool // split a batch that failed as a whole
	ReportItemFailures   bool // the function answers with batchItemFailures
	Backoff              backoff.Policy
}

// Answer is what came of an invocation that reached its function.
type Answer struct {
	Payload       []byte
	FunctionError string // "" if the function returned
}

// Attempt is an invocation that did not process all of its records.
type Attempt[T any] struct {
	Records []Record[T] // those that are left, at least one
	Tries   int         // counted attempts for these records since the last progress
	Pause   time.Duration
	Split   bool // the halves of the records come next, without a pause

	// Err says that the function was not reached, or why the whole batch failed:
	// ErrFunction, or an answer that cannot be read. Nil if it named records.
	Err error
	// Failed are the records that the function named, by index, ascending.
	Failed []int
	Answer Answer
}

// ErrFunction says that a function returned an error, panicked or timed out.
var ErrFunction = errors.New("the function failed")

// Delivery delivers batches to one function, one at a time; see the package's
// doc for the rules. What is particular to a caller is in its functions: where
// records come from, how far it has come, and what becomes of those given up.
type Delivery[T any] struct {
	Rules Rules

	// Invoke calls the function. An error means that it was not reached.
	Invoke func(event []byte) (Answer, error)
	// Sleep waits, or returns ctx's error; nil is backoff.Sleep.
	Sleep func(ctx context.Context, d time.Duration) error
	// Fresh returns the records without leading ones that are too old to be
	// delivered; nil keeps all.
	Fresh func(records []Record[T], tries int) []Record[T]
	// Processed gets records that the function has processed. May be nil.
	Processed func(records []Record[T])
	// Unreached gets an attempt that did not reach the function, and how many
	// there were in a row. Its error ends the delivery; nil retries.
	Unreached func(a Attempt[T], times int) error
	// Retrying gets an attempt that is followed by another. May be nil.
	Retrying func(a Attempt[T])
	// Exhausted gives up records of the last attempt that the rules allow. Those
	// that it returns are delivered again, as a new batch.
	Exhausted func(a Attempt[T]) (rest []Record[T], err error)
}

// Deliver delivers records until each is processed or given up, or ctx ends, or
// one of the caller's functions returns an error. It returns how many leading
// records are done with: all of them unless there is an error. It does not start
// an invocation after ctx has ended.
func (d *Delivery[T]) Deliver(ctx context.Context, records []Record[T]) (done int, err error) {
	return d.deliver(ctx, records, 0)
}

// deliver delivers records that have had some tries without progress.
func (d *Delivery[T]) deliver(ctx context.Context, records []Record[T], tries int) (done int, err error) {
	total := len(records)
	for failures := 0; ; {
		var answer Answer
		if records, answer, err = d.reach(ctx, records, tries, &failures); err != nil || len(records) == 0 {
			return total - len(records), err
		}
		tries++
		failures++
		a := d.read(answer, records)
		processed := len(records) - len(a.Records)
		if d.Processed != nil && processed > 0 {
			d.Processed(records[:processed])
		}
		records, a.Tries = a.Records, tries
		switch {
		case len(records) == 0:
			return total, nil
		case processed > 0: // progress
			tries, failures = 0, 1
		case a.Err != nil && d.Rules.BisectOnError && len(records) > 1:
			n, err := d.bisect(ctx, a)
			return total - len(records) + n, err
		case d.Rules.MaximumRetryAttempts >= 0 && tries > d.Rules.MaximumRetryAttempts:
			if err := d.exhaust(ctx, a); err != nil {
				return total - len(records), err
			}
			return total, nil
		}
		a.Pause = d.Rules.Backoff.Pause(failures)
		if d.Retrying != nil {
			d.Retrying(a)
		}
		if err := d.sleep(ctx, a.Pause); err != nil {
			return total - len(records), err
		}
	}
}

// reach invokes the function until it is reached, which counts as no try. It
// returns the records that were in the invocation: none if all became too old.
func (d *Delivery[T]) reach(ctx context.Context, records []Record[T], tries int, failures *int) ([]Record[T], Answer, error) {
	for unreached := 1; ; unreached++ {
		if d.Fresh != nil {
			records = d.Fresh(records, tries)
		}
		if len(records) == 0 {
			return nil, Answer{}, nil
		}
		if err := ctx.Err(); err != nil {
			return records, Answer{}, err
		}
		answer, err := d.Invoke(EncodeEvent(records))
		if err == nil {
			return records, answer, nil
		}
		*failures++
		a := Attempt[T]{Records: records, Tries: tries, Pause: d.Rules.Backoff.Pause(*failures), Err: err}
		if err := d.Unreached(a, unreached); err != nil {
			return records, Answer{}, err
		}
		if err := d.sleep(ctx, a.Pause); err != nil {
			return records, Answer{}, err
		}
	}
}

// read finds the records that an answer leaves.
func (d *Delivery[T]) read(answer Answer, records []Record[T]) Attempt[T] {
	a := Attempt[T]{Records: records, Answer: answer}
	switch {
	case answer.FunctionError != "":
		a.Err = ErrFunction
	case !d.Rules.ReportItemFailures:
		a.Records = nil
	default:
		var failed []int
		if failed, a.Err = failedItems(answer.Payload, records); a.Err != nil {
			return a
		}
		if len(failed) == 0 {
			a.Records = nil
			return a
		}
		// The lowest and all behind it are delivered again.
		lowest := failed[0]
		a.Records = records[lowest:]
		for _, i := range failed {
			a.Failed = append(a.Failed, i-lowest)
		}
	}
	return a
}

// bisect delivers the halves of a batch that failed as a whole. The failure does
// not count as a try of theirs.
func (d *Delivery[T]) bisect(ctx context.Context, a Attempt[T]) (done int, err error) {
	a.Split = true
	if d.Retrying != nil {
		d.Retrying(a)
	}
	half := len(a.Records) / 2
	if done, err = d.deliver(ctx, a.Records[:half], a.Tries-1); err != nil {
		return done, err
	}
	n, err := d.deliver(ctx, a.Records[half:], a.Tries-1)
	return done + n, err
}

// exhaust has records given up, and delivers those that the caller returns.
func (d *Delivery[T]) exhaust(ctx context.Context, a Attempt[T]) error {
	rest, err := d.Exhausted(a)
	if err == nil && len(rest) > 0 {
		_, err = d.deliver(ctx, rest, 0)
	}
	return err
}

func (d *Delivery[T]) sleep(ctx context.Context, pause time.Duration) error {
	if d.Sleep != nil {
		return d.Sleep(ctx, pause)
	}
	return backoff.Sleep(ctx, pause)
}
