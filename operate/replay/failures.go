package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/topology"
)

// maxEntries is how many entries are read, which bounds memory, and entriesInFlight how
// many at a time.
const (
	maxEntries      = 10_000
	entriesInFlight = 16
)

// Entry is an object of the bucket of failures: a batch that a mapping gave up.
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

	key     string
	payload bool // its records are in the object
}

// String names an entry in messages.
func (e Entry) String() string {
	return fmt.Sprintf("entry %s (%s, %d records from %s)", e.ID, e.Function, e.Records, stamp(e.First))
}

// Failures is the bucket of on-failure records.
type Failures struct {
	clients    Clients
	deployment Deployment
	pause      time.Duration // between two reads of the stream
}

// NewFailures returns the failures of a deployment. pause is the time between two reads
// of the stream, which has the records of entries that do not hold them.
func NewFailures(clients Clients, deployment Deployment, pause time.Duration) (*Failures, error) {
	if deployment.Bucket == "" {
		return nil, errors.New("unknown bucket of failures: use --env, or --bucket with its name")
	}
	return &Failures{clients, deployment, pause}, nil
}

// List returns all entries, oldest first.
func (f *Failures) List(ctx context.Context) ([]Entry, error) {
	keys, err := f.keys(ctx)
	if err != nil {
		return nil, err
	}
	entries, errs := make([]Entry, len(keys)), make([]error, len(keys))
	parallel.Each(len(keys), entriesInFlight, func(i int) { entries[i], _, errs[i] = f.read(ctx, keys[i]) })
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.key == "" }) // removed in the meantime
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return entries, nil
}

// keys lists the objects of the bucket.
func (f *Failures) keys(ctx context.Context) ([]string, error) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(f.clients.Bucket, &s3.ListObjectsV2Input{
		Bucket: aws.String(f.deployment.Bucket), Prefix: aws.String(topology.FailurePrefix),
	})
	for pages.HasMorePages() && len(keys) < maxEntries {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the bucket of failures: %w", err)
		}
		for _, object := range page.Contents {
			keys = append(keys, aws.ToString(object.Key))
		}
	}
	return keys, nil
}

// read reads an entry with its records; one without a key does not exist.
func (f *Failures) read(ctx context.Context, key string) (Entry, []json.RawMessage, error) {
	out, err := f.clients.Bucket.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(f.deployment.Bucket), Key: aws.String(key)})
	var gone *types.NoSuchKey
	if errors.As(err, &gone) {
		return Entry{}, nil, nil
	}
	if err != nil {
		return Entry{}, nil, fmt.Errorf("read %s of the bucket of failures: %w", key, err)
	}
	text, err := io.ReadAll(out.Body)
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return Entry{}, nil, fmt.Errorf("read %s of the bucket of failures: %w", key, err)
	}
	e, records := f.entryOf(key, text)
	if e.At.IsZero() {
		e.At = aws.ToTime(out.LastModified)
	}
	return e, records, nil
}

// Drop removes entries by their ids; none is removed if one is missing.
func (f *Failures) Drop(ctx context.Context, ids []string) error {
	entries, err := f.List(ctx)
	if err != nil {
		return err
	}
	chosen, err := choose(entries, ids)
	if err != nil {
		return err
	}
	for i := range chosen {
		if err := f.remove(ctx, &chosen[i]); err != nil {
			return err
		}
	}
	return nil
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
			return nil, fmt.Errorf("no entry %s in the bucket: streamroom failures list shows them", id)
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

func (f *Failures) remove(ctx context.Context, e *Entry) error {
	_, err := f.clients.Bucket.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(f.deployment.Bucket), Key: aws.String(e.key)})
	if err != nil {
		return fmt.Errorf("remove %s of the bucket of failures: %w", e.key, err)
	}
	return nil
}

// entryOf reads an object. One that is not an on-failure record has no shard.
func (f *Failures) entryOf(key string, text []byte) (Entry, []json.RawMessage) {
	e := Entry{ID: eventsource.FailureID(key), key: key}
	var failure eventsource.Failure
	err := json.Unmarshal(text, &failure)
	request, batch := failure.Request, failure.Batch
	at, atErr := time.Parse(time.RFC3339, failure.Timestamp)
	first, firstErr := time.Parse(time.RFC3339, batch.ApproximateArrivalOfFirstRecord)
	last, lastErr := time.Parse(time.RFC3339, batch.ApproximateArrivalOfLastRecord)
	records, recordsErr := failure.Payload.Records()
	if errors.Join(err, atErr, firstErr, lastErr, recordsErr) != nil || batch.ShardID == "" {
		e.Condition = "not an on-failure record"
		return e, nil
	}
	e.Function, e.Condition, e.Attempts, e.At = f.functionOf(request.FunctionARN), request.Condition, request.ApproximateInvokeCount, at
	e.Records, e.First, e.Last = batch.BatchSize, first, last
	e.ShardID, e.Start, e.End = batch.ShardID, batch.StartSequenceNumber, batch.EndSequenceNumber
	e.StreamARN = batch.StreamARN
	if len(records) > 0 {
		e.Records, e.payload = len(records), true
	}
	return e, records
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

// records reads the records of an entry: from its object, or from the stream if it has
// none.
func (f *Failures) records(ctx context.Context, e Entry) iter.Seq2[Record, error] {
	if !e.payload {
		return f.streamed(ctx, e)
	}
	return func(yield func(Record, error) bool) {
		_, records, err := f.read(ctx, e.key)
		if err == nil && len(records) == 0 {
			err = fmt.Errorf("%s was removed in the meantime", e)
		}
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, text := range records {
			r, err := fromJSON(text)
			if err != nil && !errors.Is(err, errUnreadable) {
				yield(Record{}, fmt.Errorf("%s: %w", e, err))
				return
			}
			r.Position = Position{Part: e.ShardID, After: r.sequence()}
			if !yield(r, err) {
				return
			}
		}
	}
}

// streamed reads the records of an entry from the stream, which has them for a day.
// Between the first and the last there may be some that were processed, by another lane
// of the mapping.
func (f *Failures) streamed(ctx context.Context, e Entry) iter.Seq2[Record, error] {
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
