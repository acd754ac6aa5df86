package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/streamroom/streamroom/shared/eventsource"
)

const (
	// listHold is how long entries stay hidden from others while they are listed,
	// and workHold while they are worked on.
	listHold = 2 * time.Minute
	workHold = 15 * time.Minute
	// maxEntries is how many entries are read, which bounds memory.
	maxEntries = 10_000
	// queueBatch is the most that SQS gives and takes at once.
	queueBatch = 10
)

// Entry is an entry of the on-failure queue: a batch that a mapping gave up.
type Entry struct {
	ID        string    `json:"id"`
	Function  string    `json:"function"` // by its name in shared/topology, else as the entry says
	Condition string    `json:"condition"`
	Attempts  int       `json:"attempts"` // of the mapping
	At        time.Time `json:"at"`       // when it was given up
	Records   int       `json:"records"`
	First     time.Time `json:"first"` // when the first record was written
	Last      time.Time `json:"last"`
	ShardID   string    `json:"shardId"`
	Start     string    `json:"start"` // the first sequence number
	End       string    `json:"end"`   // the last
	StreamARN string    `json:"streamArn"`

	receipt string
}

// String names an entry in messages.
func (e Entry) String() string {
	return fmt.Sprintf("entry %s (%s, %d records from %s)", e.ID, e.Function, e.Records, stamp(e.First))
}

// Failures is the on-failure queue.
type Failures struct {
	clients    Clients
	deployment Deployment
	pause      time.Duration // between two reads of the stream
}

// NewFailures returns the on-failure queue of a deployment. pause is the time
// between two reads of the stream.
func NewFailures(clients Clients, deployment Deployment, pause time.Duration) (*Failures, error) {
	if deployment.Queue == "" {
		return nil, errors.New("unknown on-failure queue: use --env, or --queue with its URL")
	}
	return &Failures{clients, deployment, pause}, nil
}

// List returns all entries, oldest first, and leaves them in the queue.
func (f *Failures) List(ctx context.Context) ([]Entry, error) {
	entries, err := f.receive(ctx, listHold)
	return entries, errors.Join(err, f.release(ctx, entries))
}

// Drop removes entries by their ids; none is removed if one is missing.
func (f *Failures) Drop(ctx context.Context, ids []string) error {
	entries, err := f.receive(ctx, listHold)
	if err == nil {
		var chosen []Entry
		if chosen, err = choose(entries, ids); err == nil {
			for i := range chosen {
				if err = f.remove(ctx, &chosen[i]); err != nil {
					break
				}
			}
		}
	}
	return errors.Join(err, f.release(ctx, slices.DeleteFunc(entries, func(e Entry) bool { return err == nil && slices.Contains(ids, e.ID) })))
}

// choose returns the entries with ids; all of them if there are none.
func choose(entries []Entry, ids []string) ([]Entry, error) {
	if len(ids) == 0 {
		return entries, nil
	}
	var chosen []Entry
	for _, id := range ids {
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("no entry %s in the queue: streamroom failures list shows them", id)
		}
		chosen = append(chosen, entries[i])
	}
	return chosen, nil
}

// Show returns the records of one entry, without their content.
func (f *Failures) Show(ctx context.Context, id string) (Entry, []Shown, error) {
	entries, err := f.List(ctx)
	if err != nil {
		return Entry{}, nil, err
	}
	chosen, err := choose(entries, []string{id})
	if err != nil {
		return Entry{}, nil, err
	}
	var shown []Shown
	for r, err := range f.records(ctx, chosen[0]) {
		if err != nil && !errors.Is(err, errUnreadable) {
			return chosen[0], shown, err
		}
		shown = append(shown, r.shown(err))
	}
	return chosen[0], shown, nil
}

// receive takes all entries and hides them from others. It polls long, since a
// short poll asks only some of a queue's servers.
func (f *Failures) receive(ctx context.Context, hold time.Duration) ([]Entry, error) {
	var entries []Entry
	for len(entries) < maxEntries {
		out, err := f.clients.Queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(f.deployment.Queue), MaxNumberOfMessages: queueBatch, WaitTimeSeconds: 1,
			VisibilityTimeout:           int32(hold.Seconds()),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
		})
		if err != nil {
			return entries, fmt.Errorf("read the on-failure queue: %w", err)
		}
		if len(out.Messages) == 0 {
			break
		}
		for _, m := range out.Messages {
			e := f.entryOf(m)
			// A queue may give an entry twice; the last receipt counts.
			if i := slices.IndexFunc(entries, func(other Entry) bool { return other.ID == e.ID }); i >= 0 {
				entries[i] = e
			} else {
				entries = append(entries, e)
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return entries, nil
}

// release lets others see entries at once. What fails shows up by itself.
func (f *Failures) release(ctx context.Context, entries []Entry) error {
	for chunk := range slices.Chunk(entries, queueBatch) {
		batch := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(chunk))
		for i, e := range chunk {
			batch[i] = types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(e.receipt)}
		}
		_, err := f.clients.Queue.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{
			QueueUrl: aws.String(f.deployment.Queue), Entries: batch,
		})
		if err != nil {
			return fmt.Errorf("release entries of the on-failure queue: %w", err)
		}
	}
	return nil
}

// hold sets how long an entry stays hidden from now on.
func (f *Failures) hold(ctx context.Context, e *Entry, hold time.Duration) error {
	_, err := f.clients.Queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: aws.String(f.deployment.Queue), ReceiptHandle: aws.String(e.receipt), VisibilityTimeout: int32(hold.Seconds()),
	})
	var shown *types.MessageNotInflight
	if err != nil && !errors.As(err, &shown) {
		return fmt.Errorf("hide an entry of the on-failure queue: %w", err)
	}
	return nil
}

func (f *Failures) remove(ctx context.Context, e *Entry) error {
	_, err := f.clients.Queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{
		QueueUrl: aws.String(f.deployment.Queue), ReceiptHandle: aws.String(e.receipt),
	})
	if err != nil {
		return fmt.Errorf("remove an entry of the on-failure queue: %w", err)
	}
	return nil
}

// entryOf reads a message. One that is not an on-failure record has no shard.
func (f *Failures) entryOf(m types.Message) Entry {
	e := Entry{ID: aws.ToString(m.MessageId), receipt: aws.ToString(m.ReceiptHandle)}
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		e.At = time.UnixMilli(ms).UTC()
	}
	var failure eventsource.Failure
	err := json.Unmarshal([]byte(aws.ToString(m.Body)), &failure)
	request, batch := failure.Request, failure.Batch
	at, atErr := time.Parse(time.RFC3339, failure.Timestamp)
	first, firstErr := time.Parse(time.RFC3339, batch.ApproximateArrivalOfFirstRecord)
	last, lastErr := time.Parse(time.RFC3339, batch.ApproximateArrivalOfLastRecord)
	if errors.Join(err, atErr, firstErr, lastErr) != nil || batch.ShardID == "" {
		e.Condition = "not an on-failure record"
		return e
	}
	e.Function, e.Condition, e.Attempts, e.At = f.functionOf(request.FunctionARN), request.Condition, request.ApproximateInvokeCount, at
	e.Records, e.First, e.Last = batch.BatchSize, first, last
	e.ShardID, e.Start, e.End = batch.ShardID, batch.StartSequenceNumber, batch.EndSequenceNumber
	e.StreamARN = batch.StreamARN
	return e
}

// functionOf is the name in shared/topology of a deployed function.
func (f *Failures) functionOf(arn string) string {
	for name, deployed := range f.deployment.Functions {
		if deployed != "" && (arn == deployed || strings.HasSuffix(arn, ":function:"+deployed) || strings.Contains(arn, ":function:"+deployed+":")) {
			return name
		}
	}
	return arn
}

// records reads the records of an entry from the stream. Between its first and
// its last there may be some that were processed, by another lane of the mapping.
func (f *Failures) records(ctx context.Context, e Entry) iter.Seq2[Record, error] {
	reader := shardReader{client: f.clients.Streams, arn: e.StreamARN, pause: f.pause, limit: e.Records}
	region := f.clients.Streams.Options().Region
	return func(yield func(Record, error) bool) {
		if e.ShardID == "" {
			yield(Record{}, fmt.Errorf("entry %s is not an on-failure record: inspect it with the AWS CLI, or drop it", e.ID))
			return
		}
		for r, err := range reader.read(ctx, e.ShardID, start{sequence: e.Start}) {
			if errors.Is(err, errTrimmed) {
				err = fmt.Errorf("%w (%s to %s)", err, stamp(e.First), stamp(e.Last))
			}
			if err != nil {
				yield(Record{}, fmt.Errorf("%s: %w", e, err))
				return
			}
			record, err := fromStream(r, region, e.ShardID)
			if before(e.End, record.sequence()) {
				break
			}
			if !yield(record, err) || record.sequence() == e.End {
				return
			}
		}
		yield(Record{}, fmt.Errorf("%s: %w: the last, %s, is missing", e, errTrimmed, e.End))
	}
}
