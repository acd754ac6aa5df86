package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// PutSubscription stores a push subscription, and then removes those that are surplus.
// Those who subscribe at once each remove the same ones.
func (s *Store) PutSubscription(ctx context.Context, userID string, subscription chat.Subscription, most int) error {
	it := attribute.Key(table.Push(userID, chat.SubscriptionID(subscription.Endpoint)))
	it[table.Endpoint], it[table.PushKey] = attribute.Text(subscription.Endpoint), attribute.Text(subscription.Key)
	it[table.PushAuth], it[table.At] = attribute.Text(subscription.Auth), attribute.Number(subscription.At)
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: s.table, Item: it}); err != nil {
		return fmt.Errorf("put the subscription: %w", err)
	}
	all, err := s.subscriptions(ctx, userID, strong)
	if err != nil {
		return err
	}
	for _, old := range chat.Surplus(all, subscription.Endpoint, most) {
		if err := s.RemoveSubscription(ctx, userID, old.Endpoint); err != nil {
			return err
		}
	}
	return nil
}

// RemoveSubscription removes a push subscription.
func (s *Store) RemoveSubscription(ctx context.Context, userID, endpoint string) error {
	k := table.Push(userID, chat.SubscriptionID(endpoint))
	if _, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: s.table, Key: attribute.Key(k)}); err != nil {
		return fmt.Errorf("delete the subscription: %w", err)
	}
	return nil
}

// Subscriptions reads a user's push subscriptions eventually.
func (s *Store) Subscriptions(ctx context.Context, userID string) ([]chat.Subscription, error) {
	return s.subscriptions(ctx, userID, eventual)
}

func (s *Store) subscriptions(ctx context.Context, userID string, fresh consistency) ([]chat.Subscription, error) {
	p := page{pk: table.UserPrefix + userID, eventual: fresh == eventual}
	p.from, p.to = prefixed(table.PushPrefix)
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, err
	}
	all := make([]chat.Subscription, len(items))
	for i, it := range items {
		all[i] = chat.Subscription{
			Endpoint: attribute.GetText(it, table.Endpoint), Key: attribute.GetText(it, table.PushKey),
			Auth: attribute.GetText(it, table.PushAuth), At: attribute.GetNumber(it, table.At),
		}
	}
	slices.SortFunc(all, chat.OldestFirst)
	return all, nil
}
