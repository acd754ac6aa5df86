package memory

import (
	"context"

	"github.com/streamroom/streamroom/shared/chat"
)

// RetainRoom implements chat.RetentionStore.
func (s *Store) RetainRoom(ctx context.Context, r chat.Room) (bool, error) {
	return s.changeRoom(ctx, "RetainRoom", r, func(stored *room) { stored.about.RetentionDays = r.RetentionDays })
}

// RetainMembers implements chat.RetentionStore.
func (s *Store) RetainMembers(ctx context.Context, roomID string, days int) error {
	unlock, err := s.begin(ctx, "RetainMembers")
	if err != nil {
		return err
	}
	defer unlock()
	members := s.room(roomID).members
	for user, m := range members {
		m.RetentionDays = days
		members[user] = m
	}
	return nil
}
