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
	about := s.room(r.ID).about
	if about == nil || about.RenamedAt >= r.RenamedAt || about.PlacedAt != r.PlacedAt {
		return false, nil
	}
	about.RetentionDays, about.RenamedAt = r.RetentionDays, r.RenamedAt
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
