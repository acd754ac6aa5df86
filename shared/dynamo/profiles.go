package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// DisplayNames reads users' names; the read is eventually consistent.
func (s *Store) DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error) {
	keys := keysOf(userIDs, table.Profile)
	items, err := s.batchGet(ctx, keys, eventual)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(items))
	for i, userID := range userIDs {
		if name := attribute.GetText(items[keys[i]], table.DisplayName); name != "" {
			names[userID] = name
		}
	}
	return names, nil
}

// SetDisplayName stores a user's name, or removes it if it is "".
func (s *Store) SetDisplayName(ctx context.Context, userID, name string, at int64) error {
	k := attribute.Key(table.Profile(userID))
	if name == "" {
		if _, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: s.table, Key: k}); err != nil {
			return fmt.Errorf("delete the profile: %w", err)
		}
		return nil
	}
	k[table.DisplayName], k[table.At] = attribute.Text(name), attribute.Number(at)
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: s.table, Item: k}); err != nil {
		return fmt.Errorf("put the profile: %w", err)
	}
	return nil
}
