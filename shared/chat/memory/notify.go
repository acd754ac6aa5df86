package memory

import (
	"context"

	"github.com/streamroom/streamroom/shared/chat"
)

// ChangeNotify implements chat.RoomStore.
func (s *Store) ChangeNotify(ctx context.Context, roomID string, was, now chat.Member) (bool, error) {
	unlock, err := s.begin(ctx, "ChangeNotify")
	if err != nil {
		return false, err
	}
	defer unlock()
	r := s.room(roomID)
	stored, ok := r.members[was.UserID]
	if !ok || stored.NotifyAt != was.NotifyAt {
		return false, nil
	}
	stored.Notify, stored.NotifyAt = now.Notify, now.NotifyAt
	r.members[was.UserID] = stored
	return true, nil
}

// PauseMember implements fanout.Store.
func (s *Store) PauseMember(ctx context.Context, roomID, userID string, until int64) error {
	unlock, err := s.begin(ctx, "PauseMember")
	if err != nil {
		return err
	}
	defer unlock()
	r := s.room(roomID)
	if m, ok := r.members[userID]; ok {
		m.PausedUntil = max(m.PausedUntil, until)
		r.members[userID] = m
	}
	return nil
}

// NotifyAmong implements fanout.Store.
func (s *Store) NotifyAmong(ctx context.Context, roomID string, userIDs []string) (map[string]chat.Notify, error) {
	unlock, err := s.begin(ctx, "NotifyAmong")
	if err != nil {
		return nil, err
	}
	defer unlock()
	found := map[string]chat.Notify{}
	for _, user := range userIDs {
		if m := s.room(roomID).members[user]; m.Notify != chat.NotifyAll {
			found[user] = m.Notify
		}
	}
	return found, nil
}
