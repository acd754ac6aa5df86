package memory

import (
	"context"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// PutSubscription implements chat.PushStore.
func (s *Store) PutSubscription(ctx context.Context, userID string, subscription chat.Subscription, most int) error {
	unlock, err := s.begin(ctx, "PutSubscription")
	if err != nil {
		return err
	}
	defer unlock()
	all := append(s.others(userID, subscription.Endpoint), subscription)
	slices.SortFunc(all, chat.OldestFirst)
	surplus := chat.Surplus(all, subscription.Endpoint, most)
	s.pushes[userID] = slices.DeleteFunc(all, func(s chat.Subscription) bool { return slices.Contains(surplus, s) })
	return nil
}

// RemoveSubscription implements chat.PushStore.
func (s *Store) RemoveSubscription(ctx context.Context, userID, endpoint string) error {
	unlock, err := s.begin(ctx, "RemoveSubscription")
	if err != nil {
		return err
	}
	defer unlock()
	s.pushes[userID] = s.others(userID, endpoint)
	return nil
}

// others are a user's subscriptions without that of an endpoint.
func (s *Store) others(userID, endpoint string) []chat.Subscription {
	return slices.DeleteFunc(slices.Clone(s.pushes[userID]), func(other chat.Subscription) bool { return other.Endpoint == endpoint })
}

// Subscriptions implements chat.PushStore.
func (s *Store) Subscriptions(ctx context.Context, userID string) ([]chat.Subscription, error) {
	unlock, err := s.begin(ctx, "Subscriptions")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.Clone(s.pushes[userID]), nil
}
