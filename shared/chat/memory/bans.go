package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// Ban implements chat.BanStore.
func (s *Store) Ban(ctx context.Context, roomID string, b chat.Ban) (bool, error) {
	unlock, err := s.begin(ctx, "Ban")
	if err != nil {
		return false, err
	}
	defer unlock()
	r := s.room(roomID)
	if r.about == nil {
		return false, nil
	}
	r.about.BannedAt = b.At
	r.bans[b.UserID] = b
	return true, nil
}

// Unban implements chat.BanStore.
func (s *Store) Unban(ctx context.Context, roomID, userID string) error {
	unlock, err := s.begin(ctx, "Unban")
	if err != nil {
		return err
	}
	defer unlock()
	delete(s.room(roomID).bans, userID)
	return nil
}

// Bans implements chat.BanStore.
func (s *Store) Bans(ctx context.Context, roomID, after string, limit int) (bans []chat.Ban, next string, err error) {
	unlock, err := s.begin(ctx, "Bans")
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	for userID, b := range s.room(roomID).bans {
		if userID > after {
			bans = append(bans, b)
		}
	}
	slices.SortFunc(bans, func(a, b chat.Ban) int { return cmp.Compare(a.UserID, b.UserID) })
	if len(bans) > limit {
		bans, next = bans[:limit], bans[limit-1].UserID
	}
	now := s.now().UnixMilli()
	return slices.DeleteFunc(bans, func(b chat.Ban) bool { return b.HasEnded(now) }), next, nil
}

// keepsOut refuses a user who is banned from a room.
func (s *Store) keepsOut(r *room, userID string) error {
	if b, ok := r.bans[userID]; ok && !b.HasEnded(s.now().UnixMilli()) {
		return chat.ErrBanned(b.Until)
	}
	return nil
}
