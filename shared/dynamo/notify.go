package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// ChangeNotify writes what a member is notified of to the member, which fanout reads with
// the room's members, and to their read cursor, which the list of their rooms reads, in one
// transaction: so neither reads more than it did. The cursor's record tells the user's
// devices. A user who has read nothing gets a cursor that says only this.
func (s *Store) ChangeNotify(ctx context.Context, roomID string, was, now chat.Member) (bool, error) {
	member, cursor := s.notifyUpdate(table.Member(roomID, was.UserID), now), s.notifyUpdate(table.Read(roomID, was.UserID), now)
	member.ExpressionAttributeNames["#pk"] = table.PK
	member.ConditionExpression = aws.String("attribute_exists(#pk) AND attribute_not_exists(#at)")
	if was.NotifyAt != 0 {
		member.ConditionExpression = aws.String("attribute_exists(#pk) AND #at = :was")
		member.ExpressionAttributeValues[":was"] = attribute.Number(was.NotifyAt)
	}
	reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{{Update: member}, {Update: cursor}})
	return err == nil && len(reasons) == 0, err
}

func (s *Store) notifyUpdate(key table.Key, m chat.Member) *types.Update {
	u := &types.Update{
		TableName: s.table, Key: attribute.Key(key),
		UpdateExpression:          aws.String("SET #at = :at REMOVE #notify"),
		ExpressionAttributeNames:  map[string]string{"#at": table.NotifyAt, "#notify": table.Notify},
		ExpressionAttributeValues: item{":at": attribute.Number(m.NotifyAt)},
	}
	if m.Notify != chat.NotifyAll {
		u.UpdateExpression = aws.String("SET #at = :at, #notify = :notify")
		u.ExpressionAttributeValues[":notify"] = attribute.Text(string(m.Notify))
	}
	return u
}

// NotifyAmong reads eventually what some members of a room are notified of; those who are
// notified of all are left out.
func (s *Store) NotifyAmong(ctx context.Context, roomID string, userIDs []string) (map[string]chat.Notify, error) {
	keys := keysOf(userIDs, func(id string) table.Key { return table.Member(roomID, id) })
	members, err := s.batchGet(ctx, keys, eventual)
	if err != nil {
		return nil, err
	}
	found := map[string]chat.Notify{}
	for i, key := range keys {
		if n := notifyOf(members[key]); n != chat.NotifyAll {
			found[userIDs[i]] = n
		}
	}
	return found, nil
}

// notifyOf reads what a member, or their read cursor, says.
func notifyOf(it item) chat.Notify { return chat.Notify(attribute.GetText(it, table.Notify)) }
