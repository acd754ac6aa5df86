package throttle

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/backoff"
)

const (
	// pageItems is how many items are read at once: a full page of 1 MB is 20 times
	// that as the SDK has it.
	pageItems = 1_000
	// tries bounds how often the table is asked for what it had no capacity for, or what met
	// another transaction.
	tries = 8
)

// pauses are those between.
var pauses = backoff.Policy{First: 50 * time.Millisecond, Max: 10 * time.Second, Jitter: 0.5}

// Scan gives the pages of a scan. The read units of each are waited for before the next.
func (t Throttle) Scan(ctx context.Context, db *dynamodb.Client, in *dynamodb.ScanInput) iter.Seq2[*dynamodb.ScanOutput, error] {
	in.Limit, in.ReturnConsumedCapacity = aws.Int32(pageItems), types.ReturnConsumedCapacityTotal
	what := "scan the table " + aws.ToString(in.TableName)
	return read(ctx, t, what, dynamodb.NewScanPaginator(db, in), func(page *dynamodb.ScanOutput) float64 { return Units(page.ConsumedCapacity) })
}

// Query is Scan of a query. Errors say what it reads, such as "read the room".
func (t Throttle) Query(ctx context.Context, db *dynamodb.Client, what string, in *dynamodb.QueryInput) iter.Seq2[*dynamodb.QueryOutput, error] {
	in.Limit, in.ReturnConsumedCapacity = aws.Int32(pageItems), types.ReturnConsumedCapacityTotal
	return read(ctx, t, what, dynamodb.NewQueryPaginator(db, in), func(page *dynamodb.QueryOutput) float64 { return Units(page.ConsumedCapacity) })
}

// paginator is one of the SDK's.
type paginator[P any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*dynamodb.Options)) (P, error)
}

func read[P any](ctx context.Context, t Throttle, what string, pages paginator[P], units func(P) float64) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err == nil {
				if !yield(page, nil) {
					return
				}
				err = t.Take(ctx, units(page))
			}
			if err != nil {
				yield(page, fmt.Errorf("%s: %w", what, err))
				return
			}
		}
	}
}

// Lookup gets up to 100 items of a table by their keys, those that there are, and returns
// the read units that this took. It waits for them.
func (t Throttle) Lookup(
	ctx context.Context, db *dynamodb.Client, table string, wanted types.KeysAndAttributes, each func(map[string]types.AttributeValue) error,
) (units float64, err error) {
	request := map[string]types.KeysAndAttributes{table: wanted}
	err = pauses.Finish(ctx, tries, func() (int, error) {
		out, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: request, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return 0, err
		}
		for _, it := range out.Responses[table] {
			if err := each(it); err != nil {
				return 0, err
			}
		}
		for i := range out.ConsumedCapacity {
			took := Units(&out.ConsumedCapacity[i])
			units += took
			if err := t.Take(ctx, took); err != nil {
				return 0, err
			}
		}
		request = out.UnprocessedKeys
		return len(request[table].Keys), nil
	})
	return units, err
}

// Transact does a transaction, of reads or writes, and again if it met another one or a lack
// of capacity, which the SDK does not. It returns the error of the last try, and at once that
// of a condition that failed.
func Transact(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if !attribute.CanceledForNow(err) || attribute.CanceledByCondition(err) || try == tries {
			return err
		}
		if err := pauses.Wait(ctx, try); err != nil {
			return err
		}
	}
}
