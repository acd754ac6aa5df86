package eventsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// PageLimit is the most records that GetRecords gives.
const PageLimit = 1000

// Opener opens shards; the SDK's client satisfies it.
type Opener interface {
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
}

// Iterator returns where to read a shard from: at the record with a sequence number or
// after it, as from says; without a number at the shard's oldest record.
func Iterator(ctx context.Context, client Opener, streamARN, shardID string, from types.ShardIteratorType, sequence string) (string, error) {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &streamARN, ShardId: &shardID, ShardIteratorType: from, SequenceNumber: &sequence}
	if sequence == "" {
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeTrimHorizon, nil
	}
	out, err := client.GetShardIterator(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ShardIterator), nil
}

// Describer lists a stream's shards; the SDK's client satisfies it.
type Describer interface {
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
}

// Shards lists all shards of a stream, parents before children.
func Shards(ctx context.Context, client Describer, streamARN string) ([]types.Shard, error) {
	var shards []types.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: aws.String(streamARN)}
	for {
		out, err := client.DescribeStream(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("describe stream: %w", err)
		}
		if out.StreamDescription == nil {
			return nil, errors.New("describe stream: the answer has no description")
		}
		shards = append(shards, out.StreamDescription.Shards...)
		in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId
		if in.ExclusiveStartShardId == nil {
			return parentsFirst(shards), nil
		}
	}
}

// parentsFirst orders shards by their ids, which begin with their time, and puts
// each behind its parent: changes of one item follow each other only if a parent
// is read before its children ("Change data capture for DynamoDB Streams").
func parentsFirst(shards []types.Shard) []types.Shard {
	slices.SortFunc(shards, func(a, b types.Shard) int { return cmp.Compare(aws.ToString(a.ShardId), aws.ToString(b.ShardId)) })
	byID := make(map[string]types.Shard, len(shards))
	for _, shard := range shards {
		byID[aws.ToString(shard.ShardId)] = shard
	}
	ordered := make([]types.Shard, 0, len(shards))
	var put func(id string)
	put = func(id string) {
		shard, ok := byID[id]
		if !ok {
			return // trimmed, or put before
		}
		delete(byID, id)
		put(aws.ToString(shard.ParentShardId))
		ordered = append(ordered, shard)
	}
	for _, shard := range shards {
		put(aws.ToString(shard.ShardId))
	}
	return ordered
}

// ReadyShards lists the ids of the shards that may be read side by side: those
// that are not finished, and whose parent is finished or gone from the stream.
func ReadyShards(shards []types.Shard, finished func(id string) bool) []string {
	var ids []string
	for _, s := range shards {
		id, parent := aws.ToString(s.ShardId), aws.ToString(s.ParentShardId)
		if waits := !finished(parent) && Listed(shards, parent); !waits && !finished(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Listed reports whether a stream has a shard.
func Listed(shards []types.Shard, id string) bool {
	return slices.ContainsFunc(shards, func(s types.Shard) bool { return aws.ToString(s.ShardId) == id })
}
