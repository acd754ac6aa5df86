package memory

import (
	"context"

	"github.com/streamroom/streamroom/shared/chat"
)

// RetainRoom implements chat.RetentionStore.
func (s *Store) RetainRoom(ctx context.Context, r chat.Room) (bool, error) {
	unlock, err := s.begin(ctx, "RetainRoom")
	if err != nil {
		return false, err
	}
	defer unlock()
	stored := s.room(r.ID)
	if !stored.takes(r) {
		return false, nil
	}
	stored.about.RetentionDays, stored.about.RenamedAt = r.RetentionDays, r.RenamedAt
	return true, nil
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
