// Package failures keeps records of the table's stream in the bucket of failures, in the
// form in which Lambda keeps there what a mapping gave up, so that operators find both in
// one list and deliver both again by the same command.
package failures

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/s3client"
)

// shard stands for the shard in keys and entries: a function is not told of which one its
// records are. Entries have their records, so no one looks for them in it.
const shard = "unknown"

// Bucket is the bucket of failures. It is safe for concurrent use.
type Bucket struct {
	client    func() *s3.Client
	name      string
	condition string
	now       func() time.Time
}

// New returns the bucket called name, for records that are kept for a reason, which
// entries have as their condition. With an endpoint in the configuration, the bucket is
// the first segment of its paths. Nothing is made ready before the first Keep, which
// most functions never call.
func New(c aws.Config, name, condition string, now func() time.Time) *Bucket {
	client := sync.OnceValue(func() *s3.Client {
		return s3client.New(c, func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired })
	})
	return &Bucket{client: client, name: name, condition: condition, now: now}
}

// record is what an entry tells of a record.
type record struct {
	EventSourceARN string `json:"eventSourceARN"`
	Change         struct {
		SequenceNumber              string
		ApproximateCreationDateTime float64 // seconds
	} `json:"dynamodb"`
}

// Keep stores records, at least one, as one entry. ctx names the invocation that they
// came with.
func (b *Bucket) Keep(ctx context.Context, records []json.RawMessage) error {
	entry, err := b.entry(ctx, records)
	if err != nil {
		return fmt.Errorf("keep %d records: %w", len(records), err)
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("keep %d records: %w", len(records), err)
	}
	key := eventsource.FailureKey(b.condition, shard, b.now(), uuid.NewString())
	if _, err = b.client().PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(b.name), Key: aws.String(key), Body: bytes.NewReader(text), ContentType: aws.String("application/json"),
	}); err != nil {
		return fmt.Errorf("keep %d records: %w", len(records), err)
	}
	return nil
}

func (b *Bucket) entry(ctx context.Context, records []json.RawMessage) (eventsource.Failure, error) {
	if len(records) == 0 {
		return eventsource.Failure{}, errors.New("there is none")
	}
	payload, err := json.Marshal(struct{ Records []json.RawMessage }{records})
	if err != nil {
		return eventsource.Failure{}, err
	}
	var first, last record
	if err := errors.Join(json.Unmarshal(records[0], &first), json.Unmarshal(records[len(records)-1], &last)); err != nil {
		return eventsource.Failure{}, err
	}
	var request eventsource.RequestContext
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		request = eventsource.RequestContext{RequestID: lc.AwsRequestID, FunctionARN: lc.InvokedFunctionArn}
	}
	request.Condition, request.ApproximateInvokeCount = b.condition, 1
	return eventsource.Failure{
		Request: request,
		Version: "1.0", Timestamp: eventsource.FailureTime(b.now()),
		Batch: eventsource.BatchInfo{
			ShardID: shard, StreamARN: first.EventSourceARN, BatchSize: len(records),
			StartSequenceNumber: first.Change.SequenceNumber, EndSequenceNumber: last.Change.SequenceNumber,
			ApproximateArrivalOfFirstRecord: first.written(), ApproximateArrivalOfLastRecord: last.written(),
		},
		Payload: payload,
	}, nil
}

// written returns when a record was written, to the second.
func (r record) written() string {
	return eventsource.ArrivalTime(time.Unix(int64(math.Floor(r.Change.ApproximateCreationDateTime)), 0))
}
