package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Ban stores a ban, and notes in the room that there has been one, in one transaction: so
// joins look for bans only where there are any, and miss none.
func (s *Store) Ban(ctx context.Context, roomID string, b chat.Ban) (bool, error) {
	it := attribute.Key(table.Ban(roomID, b.UserID))
	it[table.By], it[table.At] = attribute.Text(b.By), attribute.Number(b.At)
	if b.Reason != "" {
		it[table.Reason] = attribute.Text(b.Reason)
	}
	if b.Until != 0 {
		it[table.Until], it[table.TTL] = attribute.Number(b.Until), attribute.Number(seconds(b.Until))
	}
	reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{
		{Put: &types.Put{TableName: s.table, Item: it}},
		{Update: &types.Update{
			TableName: s.table, Key: attribute.Key(table.Room(roomID)),
			UpdateExpression:          aws.String("SET #banned = :at"),
			ConditionExpression:       aws.String("attribute_exists(#pk)"),
			ExpressionAttributeNames:  map[string]string{"#banned": table.BannedAt, "#pk": table.PK},
			ExpressionAttributeValues: item{":at": attribute.Number(b.At)},
		}},
	})
	return err == nil && len(reasons) == 0, err
}

// Unban removes a ban.
func (s *Store) Unban(ctx context.Context, roomID, userID string) error {
	err := s.retryConflicts(ctx, func() error { // a join, which looks for the ban
		_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: s.table, Key: attribute.Key(table.Ban(roomID, userID))})
		return err
	})
	if err != nil {
		return fmt.Errorf("delete the ban: %w", err)
	}
	return nil
}

// Bans reads one page of a room's bans strongly.
func (s *Store) Bans(ctx context.Context, roomID, after string, limit int) (bans []chat.Ban, next string, err error) {
	items, err := s.queryAll(ctx, usersAfter(table.RoomPrefix+roomID, table.BanPrefix, after, limit))
	if err != nil {
		return nil, "", err
	}
	if len(items) > limit {
		items = items[:limit]
		last, err := table.Parse(attribute.KeyOf(items[limit-1]))
		if err != nil {
			return nil, "", err
		}
		next = last.UserID
	}
	now := s.now().UnixMilli()
	for _, it := range items {
		id, err := table.Parse(attribute.KeyOf(it))
		if b := banOf(id.UserID, it); err == nil && !b.HasEnded(now) {
			bans = append(bans, b)
		}
	}
	return bans, next, nil
}

func banOf(userID string, it item) chat.Ban {
	return chat.Ban{
		UserID: userID, By: attribute.GetText(it, table.By), At: attribute.GetNumber(it, table.At),
		Until: attribute.GetNumber(it, table.Until), Reason: attribute.GetText(it, table.Reason),
	}
}

// unbanned fails a transaction that lets a user into a room who is banned. It removes a
// ban that has ended: a condition alone would need a permission more.
func (s *Store) unbanned(roomID, userID string) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: s.table, Key: attribute.Key(table.Ban(roomID, userID)),
		ConditionExpression:       aws.String("attribute_not_exists(#pk) OR #until <= :now"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#until": table.Until},
		ExpressionAttributeValues: item{":now": attribute.Number(s.now().UnixMilli())},

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}
