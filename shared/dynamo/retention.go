package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// retainedAtOnce is how many members are written at a time: the partition of a room takes
// 1,000 writes a second.
const retainedAtOnce = 16

// RetainRoom gives a room the days for which its messages are kept. Its place, if it has
// one, stays what it is.
func (s *Store) RetainRoom(ctx context.Context, r chat.Room) (bool, error) {
	u := s.changeRoom(r)
	u.ExpressionAttributeNames["#retention"] = table.RetentionDays
	u.UpdateExpression = aws.String("SET #at = :at REMOVE #retention")
	if r.RetentionDays != 0 {
		u.UpdateExpression = aws.String("SET #at = :at, #retention = :retention")
		u.ExpressionAttributeValues[":retention"] = attribute.Number(int64(r.RetentionDays))
	}
	return s.updateIf(ctx, u) // transactions add and remove members
}

// RetainMembers gives all members of a room the days for which its messages are kept, as
// far as they have others.
func (s *Store) RetainMembers(ctx context.Context, roomID string, days int) error {
	after := ""
	for {
		members, more, err := s.Members(ctx, roomID, after, 1_000)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(retainedAtOnce)
		for _, m := range members {
			after = m.UserID
			if m.RetentionDays == days {
				continue
			}
			group.Go(func() error { return s.retainMember(ctx, roomID, m.UserID, days) })
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("write the members of %s: %w", roomID, err)
		}
		if !more {
			return nil
		}
	}
}

// retainMember does nothing for a user who has left.
func (s *Store) retainMember(ctx context.Context, roomID, userID string, days int) error {
	u := &types.Update{
		TableName: s.table, Key: attribute.Key(table.Member(roomID, userID)),
		ConditionExpression:      aws.String("attribute_exists(#pk)"),
		UpdateExpression:         aws.String("REMOVE #retention"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#retention": table.RetentionDays},
	}
	if days != 0 {
		u.UpdateExpression = aws.String("SET #retention = :retention")
		u.ExpressionAttributeValues = item{":retention": attribute.Number(int64(days))}
	}
	_, err := s.updateIf(ctx, u)
	return err
}
