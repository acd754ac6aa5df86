package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// person is whether a user is online, beside their connections.
type person struct {
	hidden       bool
	seenAt, away int64 // ms
	told         chat.Seen
}

func (s *Store) person(userID string) *person {
	if s.people[userID] == nil {
		s.people[userID] = &person{}
	}
	return s.people[userID]
}

// tell notes what others are to be told about a user.
func (s *Store) tell(userID string, online, hiding bool) {
	p := s.person(userID)
	p.told = chat.Seen{Online: online, At: max(s.now().UnixMilli(), p.told.At+1)}
	if !online && !hiding {
		p.told.LastSeenAt = p.told.At
	}
}

func (s *Store) came(userID string) {
	p := s.person(userID)
	if away := s.now().UnixMilli() - p.away; len(s.present(userID)) == 1 && !p.hidden && away >= chat.ReturnWithin.Milliseconds() {
		s.tell(userID, true, false)
	}
}

func (s *Store) left(userID string, returning bool) {
	p, now := s.person(userID), s.now().UnixMilli()
	p.seenAt, p.away = now, 0
	switch {
	case returning:
		p.away = now
	case len(s.present(userID)) == 0 && !p.hidden:
		s.tell(userID, false, false)
	}
}

// Seen returns what others were last told about users; those of whom there is nothing are left
// out.
func (s *Store) Seen(ctx context.Context, userIDs []string) (map[string]chat.Seen, error) {
	unlock, err := s.begin(ctx, "Seen")
	if err != nil {
		return nil, err
	}
	defer unlock()
	seen := map[string]chat.Seen{}
	for _, userID := range userIDs {
		if told := s.person(userID).told; told.At != 0 {
			seen[userID] = told
		}
	}
	return seen, nil
}

// Sightings implements chat.PresenceStore.
func (s *Store) Sightings(ctx context.Context, userIDs []string) (map[string]chat.Sighting, error) {
	unlock, err := s.begin(ctx, "Sightings")
	if err != nil {
		return nil, err
	}
	defer unlock()
	seen := map[string]chat.Sighting{}
	for _, userID := range userIDs {
		p, last := s.person(userID), int64(0)
		for _, at := range s.presence[userID] {
			last = max(last, at)
		}
		switch {
		case p.hidden:
		case len(s.present(userID)) > 0:
			seen[userID] = chat.Sighting{Online: true}
		case max(p.seenAt, last) > 0:
			seen[userID] = chat.Sighting{LastSeenAt: max(p.seenAt, last)}
		}
	}
	return seen, nil
}

// HidesPresence implements chat.PresenceStore.
func (s *Store) HidesPresence(ctx context.Context, userID string) (bool, error) {
	unlock, err := s.begin(ctx, "HidesPresence")
	if err != nil {
		return false, err
	}
	defer unlock()
	return s.person(userID).hidden, nil
}

// HidePresence implements chat.PresenceStore.
func (s *Store) HidePresence(ctx context.Context, userID string, hidden bool, at int64) error {
	unlock, err := s.begin(ctx, "HidePresence")
	if err != nil {
		return err
	}
	defer unlock()
	p := s.person(userID)
	if p.hidden = hidden; !hidden {
		p.seenAt = at
	}
	if len(s.present(userID)) > 0 {
		s.tell(userID, !hidden, hidden)
	}
	return nil
}

// NewestRooms returns the ids of a user's newest rooms.
func (s *Store) NewestRooms(ctx context.Context, userID string, limit int) ([]string, error) {
	unlock, err := s.begin(ctx, "NewestRooms")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var rooms []string
	for id, r := range s.rooms {
		if _, listed := r.order[userID]; listed {
			rooms = append(rooms, id)
		}
	}
	slices.SortFunc(rooms, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.rooms[b].order[userID], s.rooms[a].order[userID]), cmp.Compare(b, a))
	})
	return rooms[:min(limit, len(rooms))], nil
}
