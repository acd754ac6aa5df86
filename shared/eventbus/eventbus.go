// Package eventbus puts events to a bus of EventBridge, each as a CloudEvent
// (CloudEvents 1.0, JSON format) in the detail. It knows nothing of what they say.
package eventbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/shared/awsjson"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/parallel"
)

// Source is the source of all events, in the CloudEvent and in EventBridge's own fields.
const Source = "streamroom"

// The limits of one PutEvents ("PutEvents", Amazon EventBridge API Reference, and
// "Calculating Amazon EventBridge PutEvents event entry size"): entries, and their bytes,
// of which a tenth is left for what is not the detail.
const (
	MaxEntries = 10
	maxBytes   = 230_000
)

const (
	attempts = 3 // at a request, or at entries that EventBridge refused one by one
	inFlight = 4 // requests at a time
)

// pauses are between attempts.
var pauses = backoff.Policy{First: 100 * time.Millisecond, Max: 200 * time.Millisecond, Jitter: 0.5}

// Event is a CloudEvent. Put fills in what all events share.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"` // the same each time that it is put
	Source          string    `json:"source"`
	Type            string    `json:"type"` // the detail-type, too
	Subject         string    `json:"subject,omitempty"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            any       `json:"data"`
}

// Bus is one bus. It is safe for concurrent use.
type Bus struct {
	client *awsjson.Client
	name   string
}

// entry is an entry of PutEvents.
type entry struct {
	EventBusName, Source, DetailType, Detail string
	Time                                     float64 // seconds
}

// answer is what PutEvents answers, an entry for each in order.
type answer struct {
	Entries []struct{ ErrorCode, ErrorMessage string }
}

// New returns the bus of that name. c configures the way to EventBridge: its region,
// credentials, HTTP client, and perhaps its endpoint.
func New(c aws.Config, name string) (*Bus, error) {
	client, err := awsjson.NewPoster(c, "EventBridge", "events")
	if err != nil {
		return nil, fmt.Errorf("the bus %s: %w", name, err)
	}
	return &Bus{client, name}, nil
}

// Put puts events, MaxEntries a request unless they are long, and returns an error for
// each event, nil if the bus has it. An event may be put although there is an error.
func (b *Bus) Put(ctx context.Context, events []Event) []error {
	errs, entries := make([]error, len(events)), make([]entry, len(events))
	var batches [][]int
	size := 0
	for i, e := range events {
		e.SpecVersion, e.Source, e.DataContentType = "1.0", Source, "application/json"
		detail, err := json.Marshal(e)
		if err != nil {
			errs[i] = fmt.Errorf("encode the event %s: %w", e.ID, err)
			continue
		}
		entries[i] = entry{b.name, Source, e.Type, string(detail), float64(e.Time.UnixMilli()) / 1000}
		last := len(batches) - 1
		if last < 0 || len(batches[last]) == MaxEntries || size+len(detail) > maxBytes {
			batches, size, last = append(batches, nil), 0, last+1
		}
		batches[last] = append(batches[last], i)
		size += len(detail)
	}
	parallel.Each(len(batches), inFlight, func(n int) { b.put(ctx, entries, batches[n], errs) })
	return errs
}

// put puts the entries of one request, and those that were refused once more, after a
// pause.
func (b *Bus) put(ctx context.Context, entries []entry, batch []int, errs []error) {
	for try := range attempts {
		if try > 0 && pauses.Wait(ctx, try) != nil {
			return
		}
		if batch = b.try(ctx, entries, batch, errs); len(batch) == 0 {
			return
		}
	}
}

// try makes one request, and returns the entries that no bus has.
func (b *Bus) try(ctx context.Context, entries []entry, batch []int, errs []error) (refused []int) {
	in := struct{ Entries []entry }{make([]entry, len(batch))}
	for i, n := range batch {
		in.Entries[i] = entries[n]
	}
	var out answer
	err := b.client.Post(ctx, "AWSEvents.PutEvents", in, &out)
	if err == nil && len(out.Entries) != len(batch) {
		err = fmt.Errorf("PutEvents answers for %d entries, want %d", len(out.Entries), len(batch))
	}
	for i, n := range batch {
		if errs[n] = err; err == nil && out.Entries[i].ErrorCode != "" {
			errs[n] = errors.New(out.Entries[i].ErrorCode + ": " + out.Entries[i].ErrorMessage)
		}
		if errs[n] != nil {
			refused = append(refused, n)
		}
	}
	return refused
}
