package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// SignedIn reads strongly which users have a presence: it stays when their
// connections have ended.
func (s *Store) SignedIn(ctx context.Context, userIDs []string) ([]string, error) {
	return s.among(ctx, userIDs, table.Presence)
}

// NoteUser gives a user a presence without connections, unless they have one.
func (s *Store) NoteUser(ctx context.Context, userID string, at int64) error {
	it := attribute.Key(table.Presence(userID))
	it[table.At] = attribute.Number(at)
	_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: s.table, Item: it,
		ConditionExpression:      aws.String("attribute_not_exists(#pk)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK},
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("put the presence: %w", err)
	}
	return nil
}
