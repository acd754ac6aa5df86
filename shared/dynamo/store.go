// Package dynamo stores the domain's entities in the DynamoDB table: it implements
// the ports of shared/chat and of the stream's readers on the AWS SDK. Keys and
// attribute names come from shared/table.
//
// Reads that a rule depends on are strongly consistent. Every read ignores items
// that have expired, which DynamoDB deletes within a few days (DynamoDB Developer
// Guide, "Using time to live (TTL) in DynamoDB"), and items with unknown keys: a
// stray item must not break a room.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Client is the part of the SDK's client that the store calls.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Store is the table.
type Store struct {
	db       Client
	table    *string
	now      func() time.Time
	interval time.Duration // see OrderedWithin
	silent   bool          // see WithoutPresence
}

// New returns the store in the table called name.
func New(db Client, name string, now func() time.Time) *Store {
	return &Store{db: db, table: aws.String(name), now: now, interval: chat.OrderInterval}
}

type item = attribute.Item

// seconds turns a time in ms into a value of the ttl attribute, never earlier.
func seconds(ms int64) int64 { return (ms + 999) / 1000 }

func (s *Store) expired(it item) bool { return attribute.Expired(it, s.now()) }

func (s *Store) isPast(ttl int64) bool { return table.Expired(ttl, s.now()) }

// get reads one item strongly; nil if it does not exist or has expired.
func (s *Store) get(ctx context.Context, k table.Key) (item, error) { return s.getItem(ctx, k, true) }

// getEventually is get at half the price, of what may be a moment old.
func (s *Store) getEventually(ctx context.Context, k table.Key) (item, error) {
	return s.getItem(ctx, k, false)
}

func (s *Store) getItem(ctx context.Context, k table.Key, consistent bool) (item, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: s.table, Key: attribute.Key(k), ConsistentRead: aws.Bool(consistent)})
	if err != nil {
		return nil, fmt.Errorf("get %s %s: %w", k.PK, k.SK, err)
	}
	if len(out.Item) == 0 || s.expired(out.Item) {
		return nil, nil
	}
	return out.Item, nil
}

// page is a Query on one partition of the table.
type page struct {
	pk       string
	from, to string // the sort keys' inclusive bounds
	backward bool
	eventual bool // half the price, and may be a moment old
	metered  bool // answer what the query cost
	limit    int
	project  []string // attributes to return; none is all
}

// query reads one page, and whether DynamoDB has more behind it.
func (s *Store) query(ctx context.Context, p page, start item) ([]item, item, error) {
	out, err := s.queryPage(ctx, p, start)
	if err != nil {
		return nil, nil, err
	}
	return out.Items, out.LastEvaluatedKey, nil
}

// queryPage is query, with the answer's other parts.
func (s *Store) queryPage(ctx context.Context, p page, start item) (*dynamodb.QueryOutput, error) {
	out, err := s.db.Query(ctx, s.queryInput(p, start))
	if err != nil {
		return nil, fmt.Errorf("query %s %s…: %w", p.pk, p.from, err)
	}
	return out, nil
}

func (s *Store) queryInput(p page, start item) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName:              s.table,
		ConsistentRead:         aws.Bool(!p.eventual),
		KeyConditionExpression: aws.String("#pk = :pk AND #sk BETWEEN :from AND :to"),
		ExpressionAttributeNames: map[string]string{
			"#pk": table.PK, "#sk": table.SK,
		},
		ExpressionAttributeValues: item{":pk": attribute.Text(p.pk), ":from": attribute.Text(p.from), ":to": attribute.Text(p.to)},
		ScanIndexForward:          aws.Bool(!p.backward),
		ExclusiveStartKey:         start,
	}
	if p.metered {
		in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	}
	if p.limit > 0 {
		in.Limit = aws.Int32(int32(p.limit)) //nolint:gosec // limits are at most a few thousand
	}
	if len(p.project) > 0 {
		in.ProjectionExpression = projection(p.project, in.ExpressionAttributeNames)
	}
	return in
}

// queryAll reads page after page until limit items (0: all) have come.
func (s *Store) queryAll(ctx context.Context, p page) (items []item, err error) {
	return readAll(ctx, p, s.query)
}

// readAll reads page after page until p's limit of what they have (0: all) has come.
func readAll[T any](ctx context.Context, p page, read func(ctx context.Context, p page, start item) ([]T, item, error)) (all []T, err error) {
	var start item
	for {
		got, next, err := read(ctx, p, start)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
		if len(next) == 0 || (p.limit > 0 && len(all) >= p.limit) {
			return all, nil
		}
		start = next
	}
}

// projection names attributes through placeholders, because some of them are
// reserved words of DynamoDB.
func projection(attributes []string, names map[string]string) *string {
	placeholders := make([]string, len(attributes))
	for i, attribute := range attributes {
		placeholders[i] = "#p" + strconv.Itoa(i)
		names[placeholders[i]] = attribute
	}
	return aws.String(strings.Join(placeholders, ", "))
}

// prefixed returns the bounds of the sort keys that start with prefix. The upper
// bound, the next text of the same length, is not a key of the table.
func prefixed(prefix string) (from, to string) {
	return prefix, prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
}

// usersAfter is a page of rows that are named by users, which begin behind one of them; ""
// is the beginning. One more than asked for tells that there are more.
func usersAfter(pk, prefix, after string, limit int) page {
	p := page{pk: pk, limit: limit + 1}
	p.from, p.to = prefixed(prefix)
	if after != "" {
		p.from = prefix + after + "\x00" // the next possible id: ids have no control characters
	}
	return p
}

// updateIf makes an update that transactions may be in the way of, and reports whether its
// condition held.
func (s *Store) updateIf(ctx context.Context, u *types.Update) (bool, error) {
	err := s.retryConflicts(ctx, func() error {
		_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: s.table, Key: u.Key,
			ConditionExpression: u.ConditionExpression, UpdateExpression: u.UpdateExpression,
			ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
		})
		return err
	})
	if _, failed := conditionFailed(err); failed {
		return false, nil
	}
	return err == nil, err
}

// conditionFailed returns the item that failed a condition, where the request
// asked for it, and whether err is a failed condition at all.
func conditionFailed(err error) (old item, failed bool) {
	var failure *types.ConditionalCheckFailedException
	if !errors.As(err, &failure) {
		return nil, false
	}
	return failure.Item, true
}

// Retry policy for transactions that were cancelled by a conflict or a lack of
// capacity. The SDK does not retry these. Users who join a room all change its
// member count, so a crowd takes turns: for 8 s at most, 4 s on average.
const transactAttempts = 24

var transactBackoff = backoff.Policy{First: 20 * time.Millisecond, Max: 400 * time.Millisecond, Jitter: 1}

// transact writes all or nothing. It retries a transaction that was cancelled for
// a temporary reason, with growing, jittered pauses, until ctx is done. If a
// condition failed, it returns the reasons, one for each write.
func (s *Store) transact(ctx context.Context, token string, writes []types.TransactWriteItem) ([]types.CancellationReason, error) {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: writes, ClientRequestToken: aws.String(token)}
	for attempt := 0; ; attempt++ {
		_, err := s.db.TransactWriteItems(ctx, in)
		if err == nil {
			return nil, nil
		}
		var canceled *types.TransactionCanceledException
		if errors.As(err, &canceled) && attribute.CanceledByCondition(err) {
			return canceled.CancellationReasons, nil
		}
		if !attribute.CanceledForNow(err) || attempt+1 == transactAttempts {
			return nil, fmt.Errorf("transaction of %d writes: %w", len(writes), err)
		}
		if err := transactBackoff.Wait(ctx, attempt+1); err != nil {
			return nil, fmt.Errorf("transaction of %d writes: %w", len(writes), err)
		}
	}
}

// retryConflicts repeats a single write while it fails with TransactionConflict.
func (s *Store) retryConflicts(ctx context.Context, write func() error) error {
	for attempt := 0; ; attempt++ {
		err := write()
		var conflict *types.TransactionConflictException
		if !errors.As(err, &conflict) || attempt+1 == transactAttempts {
			return err
		}
		if err := transactBackoff.Wait(ctx, attempt+1); err != nil {
			return err
		}
	}
}

// failedAt reports whether the condition of the i-th write failed.
func failedAt(reasons []types.CancellationReason, i int) bool {
	return i < len(reasons) && failed(reasons[i])
}

func failed(r types.CancellationReason) bool { return aws.ToString(r.Code) == "ConditionalCheckFailed" }
