package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/eventsource"
)

// emptyPages is how many pages without records in a row are taken for the end
// of a shard that is still written to. Nothing in an answer says that it is.
const emptyPages = 5

// shardReader reads a stream's shards, slowly: their two readers come first.
type shardReader struct {
	client *dynamodbstreams.Client
	arn    string
	pause  time.Duration // between two reads
	limit  int           // records a read, if so few are enough; 0 is as many as come
}

func (s shardReader) pageLimit() int32 {
	if s.limit > 0 && s.limit < eventsource.PageLimit {
		return int32(s.limit)
	}
	return eventsource.PageLimit
}

// start is where to begin in a shard: at the record with a sequence number, or
// behind it; without one at its oldest record.
type start struct {
	sequence string
	behind   bool
}

// read gives the records of a shard from a start on, to its end or what is its
// end for now. It is an error if the record that it starts with is not there
// any more: what followed it may be gone, too.
func (s shardReader) read(ctx context.Context, shardID string, from start) iter.Seq2[types.Record, error] {
	return func(yield func(types.Record, error) bool) {
		iterator, empty, expiries := "", 0, 0
		found := from.sequence == ""
		for {
			out, err := s.page(ctx, shardID, from, iterator)
			var expired *types.ExpiredIteratorException
			if errors.As(err, &expired) && expiries == 0 { // it was used after more than 15 minutes
				iterator, found = "", from.sequence == ""
				expiries++
				continue
			}
			if err != nil {
				yield(types.Record{}, unreadable(err, shardID))
				return
			}
			expiries = 0
			for _, r := range out.Records {
				sequence := ""
				if r.Dynamodb != nil {
					sequence = aws.ToString(r.Dynamodb.SequenceNumber)
				}
				if !found {
					if sequence != from.sequence {
						yield(types.Record{}, lost(shardID, from))
						return
					}
					if found = true; from.behind {
						continue
					}
				}
				if !yield(r, nil) {
					return
				}
				from = start{sequence, true}
			}
			if empty++; len(out.Records) > 0 {
				empty = 0
			}
			if iterator = aws.ToString(out.NextShardIterator); iterator == "" || empty == emptyPages {
				if !found {
					yield(types.Record{}, lost(shardID, from))
				}
				return
			}
			if err := backoff.Sleep(ctx, s.pause); err != nil {
				yield(types.Record{}, err)
				return
			}
		}
	}
}

// page reads the next records at an iterator; at a start if that is "".
func (s shardReader) page(ctx context.Context, shardID string, from start, iterator string) (*dynamodbstreams.GetRecordsOutput, error) {
	if iterator == "" {
		var err error
		if iterator, err = eventsource.Iterator(ctx, s.client, s.arn, shardID, types.ShardIteratorTypeAtSequenceNumber, from.sequence); err != nil {
			return nil, err
		}
	}
	return s.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: aws.String(iterator), Limit: aws.Int32(s.pageLimit())})
}

func lost(shardID string, from start) error {
	return fmt.Errorf("%w; rebuild them with --source table: record %s of shard %s", errTrimmed, from.sequence, shardID)
}

// errTrimmed says that the stream no longer has what was asked for.
var errTrimmed = errors.New("the stream no longer has these records, it keeps 24 hours")

// unreadable says why a shard can't be read, and what to do.
func unreadable(err error, shardID string) error {
	var trimmed *types.TrimmedDataAccessException
	var gone *types.ResourceNotFoundException
	switch {
	case throttled(err):
		return fmt.Errorf("the stream has no capacity for a third reader: continue later, or use --pause-mapping: read shard %s: %w", shardID, err)
	case errors.As(err, &trimmed), errors.As(err, &gone):
		return fmt.Errorf("%w; rebuild them with --source table: read shard %s: %w", errTrimmed, shardID, err)
	}
	return fmt.Errorf("read shard %s: %w", shardID, err)
}

// before orders sequence numbers, which may have different lengths.
func before(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return strings.Compare(a, b) < 0
}

// streamSource gives all that the stream has, shard by shard.
type streamSource struct {
	reader shardReader
	scope  scope
	region string
}

func (s *streamSource) survey(ctx context.Context, after Position, to *survey) error {
	return to.read(s.records(ctx, after))
}

func (s *streamSource) records(ctx context.Context, after Position) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		shards, err := eventsource.Shards(ctx, s.reader.client, s.reader.arn)
		if err != nil {
			yield(Record{}, err)
			return
		}
		if after.Part != "" {
			// What stands before it was done.
			i := slices.IndexFunc(shards, func(shard types.Shard) bool { return aws.ToString(shard.ShardId) == after.Part })
			if i < 0 {
				yield(Record{}, fmt.Errorf("%w: shard %s, at which the checkpoint stands, is gone; rebuild with --source table", errTrimmed, after.Part))
				return
			}
			shards = shards[i:]
		}
		for _, shard := range shards {
			id := aws.ToString(shard.ShardId)
			var from start
			if id == after.Part {
				from = start{after.After, true}
			}
			for r, err := range s.reader.read(ctx, id, from) {
				if err != nil {
					yield(Record{}, err)
					return
				}
				record, err := fromStream(r, s.region, id)
				if err == nil && !record.at().Before(s.scope.to) {
					break // the rest of an open shard is new
				}
				if !yield(record, err) {
					return
				}
			}
		}
	}
}
