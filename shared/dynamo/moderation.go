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

// ChangeMember gives a member another role or muting, as of now.ChangedAt. It sets
// editedAt, by which the filters of the stream's readers recognise the change. With
// keeps, it is a transaction: two owners who step down at once must not both succeed.
func (s *Store) ChangeMember(ctx context.Context, roomID string, was, now chat.Member, keeps string) (bool, error) {
	update := memberChange(roomID, was, now)
	update.TableName = s.table
	if keeps != "" {
		reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{{Update: update}, {Update: s.keepOwner(roomID, keeps)}})
		return err == nil && len(reasons) == 0, err
	}
	return s.updateIf(ctx, update) // transactions make successors
}

// keepOwner fails a transaction if a member is not an owner. It changes nothing, and leaves no
// record.
func (s *Store) keepOwner(roomID, userID string) *types.Update {
	return &types.Update{
		TableName: s.table, Key: attribute.Key(table.Member(roomID, userID)),
		UpdateExpression:          aws.String("SET #role = :owner"),
		ConditionExpression:       aws.String("#role = :owner"),
		ExpressionAttributeNames:  map[string]string{"#role": table.Role},
		ExpressionAttributeValues: item{":owner": attribute.Text(string(chat.Owner))},
	}
}

func memberChange(roomID string, was, now chat.Member) *types.Update {
	u := &types.Update{
		Key:                      attribute.Key(table.Member(roomID, was.UserID)),
		UpdateExpression:         aws.String("SET #role = :role, #at = :at REMOVE #muted"),
		ConditionExpression:      aws.String("#role = :was AND attribute_not_exists(#at)"),
		ExpressionAttributeNames: map[string]string{"#role": table.Role, "#at": table.EditedAt, "#muted": table.MutedUntil},
		ExpressionAttributeValues: item{
			":role": attribute.Text(string(now.Role)), ":at": attribute.Number(now.ChangedAt), ":was": attribute.Text(string(was.Role)),
		},
	}
	if now.MutedUntil != 0 {
		u.UpdateExpression = aws.String("SET #role = :role, #at = :at, #muted = :muted")
		u.ExpressionAttributeValues[":muted"] = attribute.Number(now.MutedUntil)
	}
	if was.ChangedAt != 0 {
		u.ConditionExpression = aws.String("#role = :was AND #at = :wasAt")
		u.ExpressionAttributeValues[":wasAt"] = attribute.Number(was.ChangedAt)
	}
	return u
}
