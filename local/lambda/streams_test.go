package lambda

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

const testARN = "arn:aws:dynamodb:eu-west-1:000000000000:table/t/stream/2024-02-28T00:00:00.000"

// fakeStreams is a stream in memory. An iterator is a shard id, a position in
// the shard and the generation that it was made in.
type fakeStreams struct {
	mu         sync.Mutex
	shards     []*fakeShard
	sequence   int
	generation int           // iterators of older ones have expired
	pageSize   int           // 0 is the request's limit
	errs       []error       // what the next GetRecords fail with
	polls      int           // calls of GetRecords
	describes  int           // calls of DescribeStream
	asked      []string      // shards whose iterator was asked for
	gone       string        // a shard that is described and cannot be read
	down       bool          // no stream can be described
	wake       chan struct{} // signalled when a record is put
}

// version is a MappingConfig's.
func (f *fakeStreams) version(shardID string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	version := uint64(len(f.shards)) << 32
	for _, s := range f.shards {
		if s.id == shardID {
			version += uint64(len(s.records))
		}
	}
	return version
}

type fakeShard struct {
	id, parent string
	closed     bool
	trimmed    int // how many records are gone
	records    []types.Record
}

func newFakeStreams(shards ...string) *fakeStreams {
	f := &fakeStreams{wake: make(chan struct{}, 1)}
	for _, id := range shards {
		f.split(id, "")
	}
	return f
}

// split adds a shard, and closes its parent.
func (f *fakeStreams) split(id, parent string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if parent != "" {
		f.shard(parent).closed = true
	}
	f.shards = append(f.shards, &fakeShard{id: id, parent: parent})
}

func (f *fakeStreams) shard(id string) *fakeShard {
	i := slices.IndexFunc(f.shards, func(s *fakeShard) bool { return s.id == id })
	if i < 0 {
		return nil
	}
	return f.shards[i]
}

// put appends an INSERT of the item pk, sk to a shard and returns its sequence
// number.
func (f *fakeStreams) put(shardID, pk, sk string) string {
	return f.putRecord(shardID, keyed(pk, sk))
}

func keyed(pk, sk string) types.Record {
	return types.Record{Dynamodb: &types.StreamRecord{Keys: map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: pk},
		"SK": &types.AttributeValueMemberS{Value: sk},
	}}}
}

func (f *fakeStreams) putRecord(shardID string, r types.Record) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shard(shardID)
	s.records = append(s.records, f.complete(r))
	signal(f.wake)
	return *r.Dynamodb.SequenceNumber
}

// complete fills in what a test has not set of a record.
func (f *fakeStreams) complete(r types.Record) types.Record {
	f.sequence++
	sequence := fmt.Sprintf("%021d", f.sequence)
	if r.EventName == "" {
		r.EventName = types.OperationTypeInsert
	}
	r.EventID = aws.String("event-" + sequence)
	r.Dynamodb.SequenceNumber = aws.String(sequence)
	if r.Dynamodb.ApproximateCreationDateTime == nil {
		r.Dynamodb.ApproximateCreationDateTime = aws.Time(time.Now().Truncate(time.Second))
	}
	r.Dynamodb.StreamViewType = types.StreamViewTypeNewAndOldImages
	return r
}

func (f *fakeStreams) DescribeStream(_ context.Context, in *dynamodbstreams.DescribeStreamInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.describes++
	if f.down {
		return nil, &types.ResourceNotFoundException{}
	}
	// One shard a page.
	i := 0
	if in.ExclusiveStartShardId != nil {
		i = 1 + slices.IndexFunc(f.shards, func(s *fakeShard) bool { return s.id == *in.ExclusiveStartShardId })
	}
	out := &types.StreamDescription{StreamArn: in.StreamArn}
	if i < len(f.shards) {
		s := f.shards[i]
		shard := types.Shard{ShardId: aws.String(s.id)}
		if s.parent != "" {
			shard.ParentShardId = aws.String(s.parent)
		}
		out.Shards = []types.Shard{shard}
		if i < len(f.shards)-1 {
			out.LastEvaluatedShardId = shard.ShardId
		}
	}
	return &dynamodbstreams.DescribeStreamOutput{StreamDescription: out}, nil
}

func (f *fakeStreams) GetShardIterator(_ context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, *in.ShardId)
	s := f.shard(*in.ShardId)
	if s == nil || s.id == f.gone {
		return nil, &types.ResourceNotFoundException{}
	}
	position := s.trimmed
	if in.ShardIteratorType == types.ShardIteratorTypeAfterSequenceNumber {
		position = 1 + slices.IndexFunc(s.records, func(r types.Record) bool {
			return *r.Dynamodb.SequenceNumber == *in.SequenceNumber
		})
		if position < s.trimmed {
			return nil, &types.TrimmedDataAccessException{}
		}
	}
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: f.iterator(s, position)}, nil
}

func (f *fakeStreams) iterator(s *fakeShard, position int) *string {
	return aws.String(fmt.Sprintf("%s|%d|%d", s.id, position, f.generation))
}

func (f *fakeStreams) GetRecords(_ context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polls++
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	parts := strings.Split(*in.ShardIterator, "|")
	s := f.shard(parts[0])
	position, _ := strconv.Atoi(parts[1])
	generation, _ := strconv.Atoi(parts[2])
	switch {
	case s == nil:
		return nil, &types.ResourceNotFoundException{}
	case generation < f.generation:
		return nil, &types.ExpiredIteratorException{}
	case position < s.trimmed:
		return nil, &types.TrimmedDataAccessException{}
	}
	limit := int(*in.Limit)
	if f.pageSize > 0 {
		limit = f.pageSize
	}
	page := s.records[position:min(position+limit, len(s.records))]
	out := &dynamodbstreams.GetRecordsOutput{Records: slices.Clone(page)}
	if position += len(page); !s.closed || position < len(s.records) {
		out.NextShardIterator = f.iterator(s, position)
	}
	return out, nil
}
