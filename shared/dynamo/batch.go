package dynamo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/table"
)

// How often, and with what longest first pause, a batch is asked again for what
// the table had no capacity for.
const (
	batchSize     = 100 // DynamoDB's limit
	batchAttempts = 6
	batchPause    = 20 * time.Millisecond
)

// consistency is how fresh a read is.
type consistency bool

const (
	strong   consistency = true
	eventual consistency = false // half the price, where a moment ago is as good
)

// batchGet reads items by key; those that are absent or expired are left out.
func (s *Store) batchGet(ctx context.Context, keys []table.Key, fresh consistency) (map[table.Key]item, error) {
	found := make(map[table.Key]item, len(keys))
	for chunk := range slices.Chunk(keys, batchSize) {
		wanted := make([]item, len(chunk))
		for i, k := range chunk {
			wanted[i] = key(k)
		}
		err := untilDone(ctx, func() (left int, err error) {
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
					found[keyOf(it)] = it
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

// untilDone asks again, with growing pauses, as long as a batch leaves something
// that the table had no capacity for.
func untilDone(ctx context.Context, ask func() (left int, err error)) error {
	for attempt := 0; ; attempt++ {
		left, err := ask()
		switch {
		case err != nil || left == 0:
			return err
		case attempt+1 == batchAttempts:
			return fmt.Errorf("%d left undone after %d attempts", left, batchAttempts)
		}
		if err := pause(ctx, batchPause<<(attempt+1)); err != nil {
			return err
		}
	}
}
