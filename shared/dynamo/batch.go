package dynamo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/table"
)

// A batch answers with the part for which the table had no capacity
// (UnprocessedKeys, UnprocessedItems). It is asked batchAttempts times.
const (
	batchSize     = 100 // keys in one BatchGetItem (DynamoDB API Reference)
	batchAttempts = 6
)

var batchBackoff = backoff.Policy{First: 40 * time.Millisecond, Max: 640 * time.Millisecond, Jitter: 1}

// consistency of a read.
type consistency bool

const (
	strong   consistency = true
	eventual consistency = false // half the price, and may be a moment old
)

// batchGet reads items by key; those that are absent or expired are left out.
func (s *Store) batchGet(ctx context.Context, keys []table.Key, fresh consistency) (map[table.Key]item, error) {
	found := make(map[table.Key]item, len(keys))
	for chunk := range slices.Chunk(keys, batchSize) {
		wanted := make([]item, len(chunk))
		for i, k := range chunk {
			wanted[i] = attribute.Key(k)
		}
		err := batchBackoff.Finish(ctx, batchAttempts, func() (left int, err error) {
			out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{
					*s.table: {Keys: wanted, ConsistentRead: aws.Bool(bool(fresh))},
				},
			})
			if err != nil {
				return len(wanted), err
			}
			for _, it := range out.Responses[*s.table] {
				if !s.expired(it) {
					found[attribute.KeyOf(it)] = it
				}
			}
			wanted = out.UnprocessedKeys[*s.table].Keys
			return len(wanted), nil
		})
		if err != nil {
			return nil, fmt.Errorf("batch get: %w", err)
		}
	}
	return found, nil
}

// among reads strongly which of some ids have an item, in the order given.
func (s *Store) among(ctx context.Context, ids []string, key func(id string) table.Key) ([]string, error) {
	items, err := s.batchGet(ctx, keysOf(ids, key), strong)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return items[key(id)] == nil }), nil
}

// keysOf returns the key of each.
func keysOf[T any](of []T, key func(T) table.Key) []table.Key {
	keys := make([]table.Key, len(of))
	for i, one := range of {
		keys[i] = key(one)
	}
	return keys
}

// batchWrite makes writes that don't depend on each other.
func (s *Store) batchWrite(ctx context.Context, writes []types.WriteRequest) error {
	for chunk := range slices.Chunk(writes, writeSize) {
		left := map[string][]types.WriteRequest{*s.table: chunk}
		err := batchBackoff.Finish(ctx, batchAttempts, func() (int, error) {
			out, err := s.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: left})
			if err != nil {
				return len(chunk), err
			}
			left = out.UnprocessedItems
			return len(left[*s.table]), nil
		})
		if err != nil {
			return fmt.Errorf("batch write: %w", err)
		}
	}
	return nil
}
