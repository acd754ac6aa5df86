package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/table"
)

// Failed is a record that a function kept refusing.
type Failed struct {
	Sequence string `json:"sequenceNumber"`
	PK       string `json:"pk"`
	SK       string `json:"sk"`
	Reason   string `json:"reason"`
}

// place is what is kept of a record besides its encoding: a batch may have ten
// thousand.
type place struct {
	key      table.Key
	position Position
}

// encodedRecord is a record ready to be sent.
type encodedRecord = eventsource.Record[place]

func (r *Record) encoded(runID string) (encodedRecord, error) {
	text, err := r.encode(runID)
	return encodedRecord{SequenceNumber: r.sequence(), JSON: text, Data: place{r.key(), r.Position}}, err
}

// deliverer sends records to a function by the rules of a stream mapping
// (shared/eventsource), but gives up single records, not all that are left.
type deliverer struct {
	client   *lambda.Client
	function string // name or ARN
	attempts int
	backoff  backoff.Policy
	giveUp   int // an error once this many were given up

	failed      []Failed
	dropped     int // how often a record was given up, which may be one of failed again
	invocations int
}

// maxPause is the longest pause between two attempts.
const maxPause = 20 * time.Second

// errGivingUp says that too much fails for it to be a few bad records.
var errGivingUp = errors.New("too many records fail; fix the function first")

// deliver sends a batch. It returns how many leading records it is done with,
// all of them unless there is an error. When ctx ends, the running invocation is
// waited for.
func (d *deliverer) deliver(ctx context.Context, batch []encodedRecord) (done int, err error) {
	delivery := eventsource.Delivery[place]{
		Rules: eventsource.Rules{
			MaximumRetryAttempts: d.attempts - 1, BisectOnError: true, ReportItemFailures: true, Backoff: d.backoff,
		},
		Invoke: func(event []byte) (eventsource.Answer, error) { return d.invoke(ctx, event) },
		Unreached: func(a eventsource.Attempt[place], times int) error {
			if !isTransient(a.Err) || times >= d.attempts {
				return fmt.Errorf("invoke %s: %w", d.function, a.Err)
			}
			return nil
		},
		Exhausted: d.exhausted,
	}
	return delivery.Deliver(ctx, batch)
}

// invokeTimeout is longer than any function may run.
const invokeTimeout = 16 * time.Minute

// invoke calls the function once. An error means that it was not reached.
func (d *deliverer) invoke(ctx context.Context, event []byte) (eventsource.Answer, error) {
	// The function runs on in any case, so its answer is worth the wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), invokeTimeout)
	defer cancel()
	out, err := d.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(d.function), Payload: event})
	if err != nil {
		return eventsource.Answer{}, err
	}
	d.invocations++
	return eventsource.Answer{Payload: out.Payload, FunctionError: aws.ToString(out.FunctionError)}, nil
}

// exhausted gives up the records that the function named, or the one that is
// left. It returns the others: those that were not named may not have been
// tried.
func (d *deliverer) exhausted(a eventsource.Attempt[place]) (rest []encodedRecord, err error) {
	for i, r := range a.Records {
		if a.Err == nil && !slices.Contains(a.Failed, i) {
			rest = append(rest, r)
			continue
		}
		if err := d.drop(r, reason(a)); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// reason says why records were given up. A function's error is named by its
// type: its message may have what the function was working on.
func reason(a eventsource.Attempt[place]) string {
	switch {
	case a.Err == nil:
		return "the function named it as failed; see its log"
	case !errors.Is(a.Err, eventsource.ErrFunction):
		return a.Err.Error()
	}
	if kind := eventsource.ErrorType(a.Answer.Payload); kind != "" {
		return "the function failed with " + kind + "; see its log"
	}
	return "the function failed or ran out of time; see its log"
}

// drop gives a record up.
func (d *deliverer) drop(r encodedRecord, reason string) error {
	d.dropped++
	f := Failed{r.SequenceNumber, r.Data.key.PK, r.Data.key.SK, reason}
	if !slices.Contains(d.failed, f) { // a run that was resumed may meet it again
		d.failed = append(d.failed, f)
	}
	if len(d.failed) >= d.giveUp {
		return fmt.Errorf("%w: %d, the last of them %s (%s)", errGivingUp, len(d.failed), r.SequenceNumber, reason)
	}
	return nil
}

// isTransient says whether an invocation that was refused may work later.
func isTransient(err error) bool {
	var missing *types.ResourceNotFoundException
	var api smithy.APIError
	switch {
	case errors.As(err, &missing):
		return false
	case throttled(err):
		return true
	case errors.As(err, &api):
		return api.ErrorFault() == smithy.FaultServer
	}
	return true // the network
}
