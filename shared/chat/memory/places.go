package memory

import (
	"context"

	"github.com/streamroom/streamroom/shared/chat"
)

// ShareRoom implements chat.RoomStore.
func (s *Store) ShareRoom(ctx context.Context, r chat.Room) (bool, error) {
	unlock, err := s.begin(ctx, "ShareRoom")
	if err != nil {
		return false, err
	}
	defer unlock()
	stored := s.room(r.ID)
	if about := stored.about; about == nil || about.RenamedAt >= r.RenamedAt || about.PlacedAt != r.PlacedAt {
		return false, nil
	}
	stored.about.Public, stored.about.RenamedAt = r.Public, r.RenamedAt
	if !r.Public {
		stored.about.PlacedAt, stored.place = 0, nil
	}
	return true, nil
}

// PlaceRoom implements chat.RoomStore.
func (s *Store) PlaceRoom(ctx context.Context, r chat.Room, at chat.Location) (bool, error) {
	unlock, err := s.begin(ctx, "PlaceRoom")
	if err != nil {
		return false, err
	}
	defer unlock()
	stored := s.room(r.ID)
	if about := stored.about; about == nil || !about.Public || about.Name != r.Name {
		return false, nil
	}
	stored.about.PlacedAt, stored.place = r.PlacedAt, &at
	return true, nil
}

// UnplaceRoom implements chat.RoomStore.
func (s *Store) UnplaceRoom(ctx context.Context, roomID string) error {
	unlock, err := s.begin(ctx, "UnplaceRoom")
	if err != nil {
		return err
	}
	defer unlock()
	stored := s.room(roomID)
	stored.place = nil
	if stored.about != nil {
		stored.about.PlacedAt = 0
	}
	return nil
}

// RoomPlace implements chat.RoomStore.
func (s *Store) RoomPlace(ctx context.Context, roomID string) (chat.Location, bool, error) {
	unlock, err := s.begin(ctx, "RoomPlace")
	if err != nil {
		return chat.Location{}, false, err
	}
	defer unlock()
	if at := s.room(roomID).place; at != nil && (at.EndsAt == 0 || !s.expired(at.EndsAt)) {
		return *at, true, nil
	}
	return chat.Location{}, false, nil
}
