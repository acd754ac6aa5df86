package memory

import (
	"context"

	"github.com/streamroom/streamroom/shared/chat"
)

// ChangeMember implements chat.RoomStore.
func (s *Store) ChangeMember(ctx context.Context, roomID string, was, now chat.Member, keeps string) (bool, error) {
	unlock, err := s.begin(ctx, "ChangeMember")
	if err != nil {
		return false, err
	}
	defer unlock()
	r := s.room(roomID)
	stored, ok := r.members[was.UserID]
	if !ok || stored.Role != was.Role || stored.ChangedAt != was.ChangedAt {
		return false, nil
	}
	if keeps != "" && r.members[keeps].Role != chat.Owner {
		return false, nil
	}
	stored.Role, stored.MutedUntil, stored.ChangedAt = now.Role, now.MutedUntil, now.ChangedAt
	r.members[was.UserID] = stored
	return true, nil
}
