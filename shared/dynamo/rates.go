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

// takeAttempts bounds how often a window is tried that others move in a race.
const takeAttempts = 8

// TakeRate implements chat.RateStore. A refusal is one update, and no record in the
// stream.
func (s *Store) TakeRate(ctx context.Context, take chat.RateTake) (at int64, retryAfter time.Duration, err error) {
	w := window{key: table.Rate(take.UserID, string(take.Action)), limit: take.Limit, count: take.Count, at: take.LastWindow}
	at, retryAfter, err = s.move(ctx, w)
	if err != nil {
		return 0, 0, fmt.Errorf("take the rate %s: %w", take.Action, err)
	}
	return at, retryAfter, nil
}

// TakeRefusal implements chat.ConnectionStore. The window is in the connection's row, which
// has no room once the connection has expired.
func (s *Store) TakeRefusal(ctx context.Context, connectionID string, limit chat.RateLimit, lastWindow int64) (at int64, within bool, err error) {
	at, wait, err := s.move(ctx, window{key: table.Connection(connectionID), limit: limit, count: 1, at: lastWindow, inRow: true})
	if err != nil {
		return 0, false, fmt.Errorf("take a refusal of connection %s: %w", connectionID, err)
	}
	return at, wait <= 0, nil
}

// PauseMember implements fanout.Store.
func (s *Store) PauseMember(ctx context.Context, roomID, userID string, until int64) error {
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Member(roomID, userID)),
		ConditionExpression:       aws.String("attribute_exists(#pk) AND (attribute_not_exists(#paused) OR #paused < :until)"),
		UpdateExpression:          aws.String("SET #paused = :until"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#paused": table.PausedUntil},
		ExpressionAttributeValues: item{":until": attribute.Number(until)},
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("pause a member: %w", err)
	}
	return nil
}

// window is a rate window to move, by the time at which it was last seen.
type window struct {
	key   table.Key
	limit chat.RateLimit
	count int
	at    int64 // ms, 0 if it was not seen
	inRow bool  // of an item that has to exist, and ends by itself
}

// move moves a window. An update expression cannot compute max(window, now), so there
// are two updates, each under the condition that it is the right one: for a window that
// is behind the clock, and for one that is ahead. Where it was last seen decides which
// one goes first; the item that comes back with a failed condition decides the next.
func (s *Store) move(ctx context.Context, w window) (at int64, wait time.Duration, err error) {
	for range takeAttempts {
		now := s.now().UnixMilli()
		out, err := s.db.UpdateItem(ctx, s.windowUpdate(w, now))
		if err == nil {
			at = attribute.GetNumber(out.Attributes, table.RateTAT)
			if w.inRow && s.isPast(EntryTTL(out.Attributes)) {
				wait = w.limit.Interval
			}
			return at, wait, nil
		}
		old, failed := conditionFailed(err)
		switch {
		case !failed:
			return 0, 0, err
		case w.inRow && len(old) == 0:
			return 0, 0, nil
		}
		w.at = attribute.GetNumber(old, table.RateTAT)
		if marked := attribute.GetNumber(old, table.ReplacedAt); w.inRow && marked != 0 {
			if marked > now-chat.CloseWithin.Milliseconds() {
				return w.at, 0, nil
			}
			return w.at, w.limit.Interval, nil
		}
		if wait := w.limit.Wait(w.at, now, w.count); wait > 0 {
			return w.at, wait, nil
		}
	}
	return w.at, w.limit.Interval, nil
}

func (s *Store) windowUpdate(w window, now int64) *dynamodb.UpdateItemInput {
	by := int64(w.count) * w.limit.Interval.Milliseconds()
	in := &dynamodb.UpdateItemInput{
		TableName:                           s.table,
		Key:                                 attribute.Key(w.key),
		ConditionExpression:                 aws.String("(attribute_not_exists(#rate) OR #rate <= :now)"),
		UpdateExpression:                    aws.String("SET #rate = :next"),
		ExpressionAttributeNames:            map[string]string{"#rate": table.RateTAT},
		ExpressionAttributeValues:           item{":now": attribute.Number(now)},
		ReturnValues:                        types.ReturnValueUpdatedNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if w.at <= now {
		in.ExpressionAttributeValues[":next"] = attribute.Number(now + by)
	} else {
		in.ConditionExpression = aws.String("#rate > :now AND #rate <= :horizon")
		in.UpdateExpression = aws.String("SET #rate = #rate + :by")
		in.ExpressionAttributeValues[":horizon"] = attribute.Number(now + w.limit.Horizon(w.count).Milliseconds())
		in.ExpressionAttributeValues[":by"] = attribute.Number(by)
	}
	if w.inRow {
		// A row that is marked is not changed: each change has fanout close the socket.
		in.ConditionExpression = aws.String(*in.ConditionExpression + " AND attribute_exists(#user) AND attribute_not_exists(#replaced)")
		in.ExpressionAttributeNames["#user"], in.ExpressionAttributeNames["#replaced"] = table.UserID, table.ReplacedAt
		in.ReturnValues = types.ReturnValueAllNew // says whether the connection has expired
		return in
	}
	in.UpdateExpression = aws.String(*in.UpdateExpression + ", #ttl = :ttl")
	in.ExpressionAttributeNames["#ttl"] = table.TTL
	// The window is behind by then, whatever the clocks.
	end := now + int64(w.limit.Burst)*w.limit.Interval.Milliseconds() + time.Hour.Milliseconds()
	in.ExpressionAttributeValues[":ttl"] = attribute.Number(seconds(end))
	return in
}
