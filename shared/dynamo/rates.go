package dynamo

import (
	"context"
	"fmt"
	"maps"
	"strings"
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
	// The window is behind by then, whatever the clocks.
	ends := s.now().Add(time.Duration(take.Limit.Burst)*take.Limit.Interval + time.Hour)
	m, err := s.move(ctx, window{
		limit: take.Limit, count: take.Count, at: take.LastWindow,
		update: func() *dynamodb.UpdateItemInput {
			return &dynamodb.UpdateItemInput{
				Key:                       attribute.Key(table.Rate(take.UserID, string(take.Action))),
				UpdateExpression:          aws.String("SET #ttl = :ttl"),
				ExpressionAttributeNames:  map[string]string{"#ttl": table.TTL},
				ExpressionAttributeValues: item{":ttl": attribute.Number(seconds(ends.UnixMilli()))},
				ReturnValues:              types.ReturnValueUpdatedNew,
			}
		},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("take the rate %s: %w", take.Action, err)
	}
	return m.at, m.wait, nil
}

// TakeRefusal implements chat.ConnectionStore. The window is in the connection's row, which
// has no room once the connection has expired.
func (s *Store) TakeRefusal(ctx context.Context, connectionID string, limit chat.RateLimit, lastWindow int64) (at int64, within bool, err error) {
	m, err := s.move(ctx, window{
		limit: limit, count: 1, at: lastWindow,
		update: func() *dynamodb.UpdateItemInput {
			return &dynamodb.UpdateItemInput{
				Key: attribute.Key(table.Connection(connectionID)),
				// A row that is marked is not changed: each change has fanout close the socket.
				ConditionExpression:      aws.String("attribute_exists(#user) AND attribute_not_exists(#replaced)"),
				ExpressionAttributeNames: map[string]string{"#user": table.UserID, "#replaced": table.ReplacedAt},
				ReturnValues:             types.ReturnValueAllNew, // says whether the connection has expired
			}
		},
		over: func(row item) (wait time.Duration, over bool) {
			marked := attribute.GetNumber(row, table.ReplacedAt)
			if marked != 0 && marked <= s.now().UnixMilli()-chat.CloseWithin.Milliseconds() {
				wait = limit.Interval
			}
			return wait, len(row) == 0 || marked != 0
		},
	})
	if err != nil {
		return 0, false, fmt.Errorf("take a refusal of connection %s: %w", connectionID, err)
	}
	marked := attribute.GetNumber(m.item, table.ReplacedAt) != 0
	return m.at, m.wait <= 0 && (marked || !s.isPast(EntryTTL(m.item))), nil
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

// window is a rate window to move, by the time at which it was last seen. Without a limit
// its update is made as it is.
type window struct {
	limit chat.RateLimit
	count int
	at    int64 // ms, 0 if it was not seen

	// update makes an update of the item that the window is in, which its move is added to.
	// Its expression begins with SET, if there is one.
	update func() *dynamodb.UpdateItemInput
	// over, if there is one, says that an item whose condition failed ends it, whatever its
	// window, and after what time it may be tried again.
	over func(old item) (wait time.Duration, over bool)
}

// moved is where a window is, in ms, after what time it has room if it was not moved, and
// what the update returned of its item, or the item that ended it.
type moved struct {
	at   int64
	wait time.Duration
	item item
}

// move moves a window. An update expression cannot compute max(window, now), so there
// are two updates, each under the condition that it is the right one: for a window that
// is behind the clock, and for one that is ahead. Where it was last seen decides which
// one goes first; the item that comes back with a failed condition decides the next.
func (s *Store) move(ctx context.Context, w window) (moved, error) {
	for range takeAttempts {
		now := s.now().UnixMilli()
		in := w.update()
		in.TableName = s.table
		if w.limit != (chat.RateLimit{}) {
			w.addMove(in, now)
		}
		out, err := s.db.UpdateItem(ctx, in)
		if err == nil {
			return moved{at: attribute.GetNumber(out.Attributes, table.RateTAT), item: out.Attributes}, nil
		}
		old, failed := conditionFailed(err)
		if !failed {
			return moved{}, err
		}
		w.at = attribute.GetNumber(old, table.RateTAT)
		if w.over != nil {
			if wait, over := w.over(old); over {
				return moved{w.at, wait, old}, nil
			}
		}
		if wait := w.limit.Wait(w.at, now, w.count); wait > 0 {
			return moved{at: w.at, wait: wait}, nil
		}
	}
	return moved{at: w.at, wait: w.limit.Interval}, nil
}

// addMove adds the move of the window to an update of its item, and its condition to those
// that there are.
func (w window) addMove(in *dynamodb.UpdateItemInput, now int64) {
	by := int64(w.count) * w.limit.Interval.Milliseconds()
	condition, set := "(attribute_not_exists(#rate) OR #rate <= :now)", "SET #rate = :next"
	values := item{":now": attribute.Number(now)}
	if w.at <= now {
		values[":next"] = attribute.Number(now + by)
	} else {
		condition, set = "#rate > :now AND #rate <= :horizon", "SET #rate = #rate + :by"
		values[":horizon"] = attribute.Number(now + w.limit.Horizon(w.count).Milliseconds())
		values[":by"] = attribute.Number(by)
	}
	if in.ConditionExpression != nil {
		condition += " AND " + *in.ConditionExpression
	}
	if in.UpdateExpression != nil {
		set += ", " + strings.TrimPrefix(*in.UpdateExpression, "SET ")
	}
	in.ConditionExpression, in.UpdateExpression = &condition, &set
	in.ExpressionAttributeNames["#rate"] = table.RateTAT
	maps.Copy(values, in.ExpressionAttributeValues)
	in.ExpressionAttributeValues = values
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
}
