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

// Block stores a block, and then marks it in the members of the direct message, which a
// send reads anyway. In this order: who creates that room looks for blocks after it.
func (s *Store) Block(ctx context.Context, userID, blocked string, at int64) error {
	it := attribute.Key(table.Block(userID, blocked))
	it[table.At] = attribute.Number(at)
	_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: s.table, Item: it,
		ConditionExpression: aws.String("attribute_not_exists(#pk)"), ExpressionAttributeNames: map[string]string{"#pk": table.PK},
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("put the block: %w", err)
	}
	return s.MarkBlock(ctx, userID, blocked)
}

// MarkBlock marks a block, if it has not ended.
func (s *Store) MarkBlock(ctx context.Context, userID, blocked string) error {
	return s.markBlock(ctx, userID, blocked, "SET #mark = :true", types.TransactWriteItem{Update: &types.Update{
		TableName: s.table, Key: attribute.Key(table.Block(userID, blocked)),
		UpdateExpression:         aws.String("SET #at = #at"), // which changes nothing
		ConditionExpression:      aws.String("attribute_exists(#pk)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#at": table.At},
	}})
}

// Unblock removes a block and its marks.
func (s *Store) Unblock(ctx context.Context, userID, blocked string) error {
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: s.table, Key: attribute.Key(table.Block(userID, blocked))})
	if err != nil {
		return fmt.Errorf("delete the block: %w", err)
	}
	return s.markBlock(ctx, userID, blocked, "REMOVE #mark", types.TransactWriteItem{Delete: &types.Delete{
		TableName: s.table, Key: attribute.Key(table.Block(userID, blocked)),
		ConditionExpression: aws.String("attribute_not_exists(#pk)"), ExpressionAttributeNames: map[string]string{"#pk": table.PK},
	}})
}

// markBlock changes the marks of a block in a direct message, if that exists: its members
// never leave. It does nothing unless still holds: another device may have blocked the user
// in the meantime, or ended it.
func (s *Store) markBlock(ctx context.Context, userID, blocked, update string, still types.TransactWriteItem) error {
	roomID := chat.DirectRoomID(userID, blocked)
	mark := func(member, name string) types.TransactWriteItem {
		u := &types.Update{
			TableName: s.table, Key: attribute.Key(table.Member(roomID, member)),
			UpdateExpression:         aws.String(update),
			ConditionExpression:      aws.String("attribute_exists(#pk)"),
			ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#mark": name},
		}
		if update != "REMOVE #mark" {
			u.ExpressionAttributeValues = item{":true": &types.AttributeValueMemberBOOL{Value: true}}
		}
		return types.TransactWriteItem{Update: u}
	}
	_, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{still, mark(userID, table.Blocks), mark(blocked, table.Blocked)})
	return err
}

// Blocks reads one page of whom a user blocks strongly.
func (s *Store) Blocks(ctx context.Context, userID, after string, limit int) (blocks []chat.Block, next string, err error) {
	items, err := s.queryAll(ctx, usersAfter(table.UserPrefix+userID, table.BlockPrefix, after, limit))
	if err != nil {
		return nil, "", err
	}
	for _, it := range items {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
			blocks = append(blocks, chat.Block{UserID: id.Blocked, At: attribute.GetNumber(it, table.At)})
		}
	}
	if len(blocks) > limit {
		blocks, next = blocks[:limit], blocks[limit-1].UserID
	}
	return blocks, next, nil
}

// BlockedBy reads strongly which of some users block a user.
func (s *Store) BlockedBy(ctx context.Context, userID string, users []string) ([]string, error) {
	return s.among(ctx, users, func(user string) table.Key { return table.Block(user, userID) })
}
