package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/shared/table"
)

// Failed is a record that a function kept refusing.
type Failed struct {
	Sequence string `json:"sequenceNumber"`
	PK       string `json:"pk"`
	SK       string `json:"sk"`
	Reason   string `json:"reason"`
}

// parcel is a record ready to be sent. A batch may have ten thousand, so it keeps
// no more of the record than is asked for.
type parcel struct {
	sequence, pk, sk string
	position         Position
	json             []byte
}

func (r *Record) parcel(runID string) (parcel, error) {
	text, err := r.encode(runID)
	k := r.Change.Change.Keys
	return parcel{r.sequence(), textOf(k, table.PK), textOf(k, table.SK), r.Position, text}, err
}

// deliverer sends records to a function as a stream mapping does: it goes on
// behind the lowest failure that the function names, splits a batch that failed
// as a whole, and gives up what keeps failing.
type deliverer struct {
	client   *lambda.Client
	function string // name or ARN
	attempts int
	pause    time.Duration // the longest first one before records are sent again
	giveUp   int           // an error once so many were given up

	failed      []Failed
	dropped     int // how often a record was given up, which may be one of failed again
	invocations int
}

// errGivingUp says that too much fails for it to be a few bad records.
var errGivingUp = errors.New("too many records fail; mend the function first")

// deliver sends a batch. It returns how many leading records it is done with,
// all of them unless there is an error. When ctx ends, the invocation that runs
// is waited for.
func (d *deliverer) deliver(ctx context.Context, batch []parcel) (done int, err error) {
	tries, unreached := 0, 0
	for len(batch) > 0 {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		named, whole, reason, err := d.invoke(ctx, batch)
		if err != nil {
			unreached++
			if !passing(err) || unreached >= d.attempts {
				return done, fmt.Errorf("invoke %s: %w", d.function, err)
			}
			if err := sleep(ctx, backoff(d.pause, unreached)); err != nil {
				return done, err
			}
			continue
		}
		unreached = 0
		tries++
		first := len(batch)
		if len(named) > 0 {
			first = slices.Min(named)
		}
		switch {
		case whole && len(batch) > 1:
			half := len(batch) / 2
			n, err := d.deliver(ctx, batch[:half])
			if err != nil {
				return done + n, err
			}
			m, err := d.deliver(ctx, batch[half:])
			return done + n + m, err
		case whole && tries >= d.attempts:
			return done + 1, d.drop(batch[0], reason)
		case whole:
		case first > 0: // progress
			done, batch, tries = done+first, batch[first:], 0
		case tries >= d.attempts:
			rest, err := d.dropNamed(batch, named, reason)
			if err != nil {
				return done, err
			}
			// What was not named may not have been tried.
			n, err := d.deliver(ctx, rest)
			if err != nil {
				return done, err
			}
			return done + len(batch) - len(rest) + n, nil
		}
		if len(batch) > 0 {
			if err := sleep(ctx, backoff(d.pause, tries)); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// dropNamed gives the named records of a batch up and returns the others.
func (d *deliverer) dropNamed(batch []parcel, named []int, reason string) ([]parcel, error) {
	var rest []parcel
	for i, p := range batch {
		if !slices.Contains(named, i) {
			rest = append(rest, p)
			continue
		}
		if err := d.drop(p, reason); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// drop gives a record up.
func (d *deliverer) drop(p parcel, reason string) error {
	d.dropped++
	f := Failed{p.sequence, p.pk, p.sk, reason}
	if !slices.Contains(d.failed, f) { // a run that was resumed may meet it again
		d.failed = append(d.failed, f)
	}
	if len(d.failed) >= d.giveUp {
		return fmt.Errorf("%w: %d, the last of them %s (%s)", errGivingUp, len(d.failed), p.sequence, reason)
	}
	return nil
}

// invokeTimeout is longer than any function may run.
const invokeTimeout = 16 * time.Minute

// invoke calls the function once. named are the indexes of the records that it
// refused; whole says that it failed altogether. An error means that it was not
// reached.
func (d *deliverer) invoke(ctx context.Context, batch []parcel) (named []int, whole bool, reason string, err error) {
	// The function runs on in any case, so its answer is worth the wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), invokeTimeout)
	defer cancel()
	out, err := d.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(d.function), Payload: encodeEvent(batch)})
	if err != nil {
		return nil, false, "", err
	}
	d.invocations++
	if out.FunctionError != nil {
		return nil, true, functionError(out.Payload), nil
	}
	named, err = refused(out.Payload, batch)
	if err != nil {
		return nil, true, err.Error(), nil
	}
	return named, false, "the function named it as failed; see its log", nil
}

func encodeEvent(batch []parcel) []byte {
	size := len(eventHead) + len(eventTail)
	for _, p := range batch {
		size += len(p.json) + 1
	}
	b := append(make([]byte, 0, size), eventHead...)
	for i, p := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, p.json...)
	}
	return append(b, eventTail...)
}

// functionError names a function's error by its type. Its message may have what
// the function was working on.
func functionError(payload []byte) string {
	var object struct {
		ErrorType string `json:"errorType"`
	}
	if err := json.Unmarshal(payload, &object); err != nil || object.ErrorType == "" {
		return "the function failed or ran out of time; see its log"
	}
	return "the function failed with " + object.ErrorType + "; see its log"
}

// refused reads a batchItemFailures answer: the indexes of the records that it
// names. An error means that, as for a mapping, the whole batch failed.
func refused(payload []byte, batch []parcel) ([]int, error) {
	if len(bytes.TrimSpace(payload)) == 0 {
		return nil, nil
	}
	var answer struct {
		Failures []struct {
			ID *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if payload[0] == '[' && json.Valid(payload) && string(payload) == "[]" {
		return nil, nil
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, errors.New("the function's answer is none that a stream mapping takes")
	}
	if len(answer.Failures) == 0 {
		return nil, nil
	}
	index := make(map[string]int, len(batch))
	for i, p := range slices.Backward(batch) { // the first, should a file have a number twice
		index[p.sequence] = i
	}
	named := make([]int, 0, len(answer.Failures))
	for _, f := range answer.Failures {
		i, ok := index[aws.ToString(f.ID)]
		if !ok {
			return nil, errors.New("the function's answer names a record that it was not given")
		}
		named = append(named, i)
	}
	return named, nil
}

// passing says whether an invocation that was refused may work later.
func passing(err error) bool {
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
