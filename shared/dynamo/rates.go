package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// TakeRate implements chat.RateStore. As for TakeSend there are two updates, for a
// window that is behind the clock and for one that is ahead; the item that comes
// back with a failed condition decides which is next. A refusal is one update, and
// no record in the stream.
func (s *Store) TakeRate(ctx context.Context, userID, kind string, limit chat.RateLimit) (retryAfter time.Duration, err error) {
	var window int64
	for range takeAttempts {
		now := s.now().UnixMilli()
		_, err := s.db.UpdateItem(ctx, s.rateUpdate(table.Rate(userID, kind), limit, window, now))
		if err == nil {
			return 0, nil
		}
		old, failed := conditionFailed(err)
		if !failed {
			return 0, fmt.Errorf("take the rate %s: %w", kind, err)
		}
		window = attribute.GetNumber(old, table.RateTAT)
		if wait := window - limit.Horizon().Milliseconds() - now; wait > 0 {
			return time.Duration(wait) * time.Millisecond, nil
		}
	}
	return limit.Interval, nil
}

// rateUpdate moves a window that was last seen at a time, 0 if it was not.
func (s *Store) rateUpdate(key table.Key, limit chat.RateLimit, window, now int64) *dynamodb.UpdateItemInput {
	in := &dynamodb.UpdateItemInput{
		TableName:                s.table,
		Key:                      attribute.Key(key),
		ConditionExpression:      aws.String("attribute_not_exists(#rate) OR #rate <= :now"),
		UpdateExpression:         aws.String("SET #rate = :next, #ttl = :ttl"),
		ExpressionAttributeNames: map[string]string{"#rate": table.RateTAT, "#ttl": table.TTL},
		ExpressionAttributeValues: item{
			":now": attribute.Number(now),
			":ttl": attribute.Number(seconds(now + int64(limit.Burst)*limit.Interval.Milliseconds())), // the window is behind by then
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if window <= now {
		in.ExpressionAttributeValues[":next"] = attribute.Number(now + limit.Interval.Milliseconds())
		return in
	}
	in.ConditionExpression = aws.String("#rate > :now AND #rate <= :horizon")
	in.UpdateExpression = aws.String("SET #rate = #rate + :interval, #ttl = :ttl")
	in.ExpressionAttributeValues[":horizon"] = attribute.Number(now + limit.Horizon().Milliseconds())
	in.ExpressionAttributeValues[":interval"] = attribute.Number(limit.Interval.Milliseconds())
	return in
}
