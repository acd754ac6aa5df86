package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// RoomOf implements chat.TypingStore. It reads at half the price first: only who has just
// become a member is missed by that.
func (s *Store) RoomOf(ctx context.Context, roomID, userID string) (members int, self chat.Member, ok bool, err error) {
	room, who := table.Room(roomID), table.Member(roomID, userID)
	for _, fresh := range []consistency{eventual, strong} {
		items, err := s.batchGet(ctx, []table.Key{room, who}, fresh)
		if err != nil {
			return 0, chat.Member{}, false, err
		}
		if items[room] != nil && items[who] != nil {
			return roomOf(roomID, items[room]).MemberCount, memberOf(userID, items[who]), true, nil
		}
	}
	return 0, chat.Member{}, false, nil
}

// PutTyping implements chat.TypingStore.
func (s *Store) PutTyping(ctx context.Context, roomID, userID string, at int64) (noted bool, err error) {
	it := attribute.Key(table.Typing(roomID, userID))
	it[table.At] = attribute.Number(at)
	it[table.TTL] = attribute.Number(seconds(at + chat.TypingMemory.Milliseconds()))
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: s.table, Item: it,
		ConditionExpression:       aws.String("attribute_not_exists(#at) OR #at <= :before"),
		ExpressionAttributeNames:  map[string]string{"#at": table.At},
		ExpressionAttributeValues: item{":before": attribute.Number(at - chat.TypingEvery.Milliseconds())},
	})
	if _, failed := conditionFailed(err); failed {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("put the note of typing: %w", err)
	}
	return true, nil
}
