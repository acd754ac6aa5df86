package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/geo"
)

// ShareRoom implements chat.RoomStore.
func (s *Store) ShareRoom(ctx context.Context, r chat.Room) (bool, error) {
	return s.changeRoom(ctx, "ShareRoom", r, func(stored *room) {
		if stored.about.Public = r.Public; !r.Public {
			stored.about.PlacedAt, stored.place = 0, nil
		}
	})
}

// PlaceRoom implements chat.RoomStore.
func (s *Store) PlaceRoom(ctx context.Context, r chat.Room, at chat.Location) (bool, error) {
	unlock, err := s.begin(ctx, "PlaceRoom")
	if err != nil {
		return false, err
	}
	defer unlock()
	stored := s.room(r.ID)
	if about := stored.about; about == nil || !about.Public || about.Name != r.Name || about.RenamedAt >= r.RenamedAt {
		return false, nil
	}
	stored.about.PlacedAt, stored.about.RenamedAt, stored.place = r.PlacedAt, r.RenamedAt, &at
	return true, nil
}

// UnplaceRoom implements chat.RoomStore.
func (s *Store) UnplaceRoom(ctx context.Context, r chat.Room) (bool, error) {
	return s.changeRoom(ctx, "UnplaceRoom", r, func(stored *room) { stored.about.PlacedAt, stored.place = 0, nil })
}

// RoomPlace implements chat.RoomStore.
func (s *Store) RoomPlace(ctx context.Context, roomID string) (chat.Location, bool, error) {
	unlock, err := s.begin(ctx, "RoomPlace")
	if err != nil {
		return chat.Location{}, false, err
	}
	defer unlock()
	if at := s.room(roomID).place; at != nil && !s.expired(at.EndsAt) {
		return *at, true, nil
	}
	return chat.Location{}, false, nil
}

// PlacesIn implements chat.PlaceIndex.
func (s *Store) PlacesIn(ctx context.Context, r chat.PlaceRange, limit int) (chat.PlacePage, error) {
	unlock, err := s.begin(ctx, "PlacesIn")
	if err != nil {
		return chat.PlacePage{}, err
	}
	defer unlock()
	type entry struct {
		leaf string
		room chat.Nearby
	}
	var entries []entry
	for id, stored := range s.rooms {
		if stored.place == nil || stored.about == nil {
			continue
		}
		parent, leaf := geo.Cell(stored.place.Point)
		if parent == r.Parent && r.From <= leaf && leaf <= r.To && (leaf != r.From || id > r.After) {
			entries = append(entries, entry{leaf, chat.Nearby{RoomID: id, Name: stored.about.Name, Location: *stored.place}})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		order := cmp.Or(cmp.Compare(a.leaf, b.leaf), cmp.Compare(a.room.RoomID, b.room.RoomID))
		if r.Backward {
			return -order
		}
		return order
	})
	page := chat.PlacePage{More: len(entries) > limit}
	for _, e := range entries[:min(limit, len(entries))] {
		page.Places, page.Leaf, page.After = append(page.Places, e.room), e.leaf, e.room.RoomID
	}
	page.Units = 0.5 + float64(len(page.Places)/20)/2
	return page, nil
}
