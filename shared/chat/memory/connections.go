package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// PutConnection implements chat.ConnectionStore. It never needs take.LastWindow.
func (s *Store) PutConnection(ctx context.Context, c chat.Connection, take chat.RateTake) (window int64, retryAfter time.Duration, err error) {
	unlock, err := s.begin(ctx, "PutConnection")
	if err != nil {
		return 0, 0, err
	}
	defer unlock()
	if take.Limit != (chat.RateLimit{}) {
		if window, retryAfter = s.takeRate(take); retryAfter > 0 {
			return window, retryAfter, nil
		}
	}
	s.connections[c.ID] = connection{Connection: c}
	s.signedIn[c.UserID] = true
	if s.presence[c.UserID] == nil {
		s.presence[c.UserID] = map[string]int64{}
	}
	s.presence[c.UserID][c.ID] = c.ConnectedAt
	for _, excess := range c.Excess(s.present(c.UserID)) {
		replaced := s.connections[excess.ID]
		replaced.ReplacedAt = s.now().UnixMilli()
		s.connections[replaced.ID] = replaced
		delete(s.presence[c.UserID], replaced.ID)
	}
	s.came(c.UserID)
	return window, 0, nil
}

// present returns a user's connections that have not expired, newest first.
func (s *Store) present(userID string) []chat.Connection {
	var connections []chat.Connection
	for id, at := range s.presence[userID] {
		if c := s.connections[id]; s.expired(c.ExpiresAt()) {
			delete(s.presence[userID], id)
		} else {
			connections = append(connections, chat.Connection{ID: id, UserID: userID, ConnectedAt: at})
		}
	}
	slices.SortFunc(connections, func(a, b chat.Connection) int {
		return cmp.Or(cmp.Compare(b.ConnectedAt, a.ConnectedAt), cmp.Compare(a.ID, b.ID))
	})
	return connections
}

// DeleteConnection implements chat.ConnectionStore.
func (s *Store) DeleteConnection(ctx context.Context, connectionID string, returning bool) error {
	unlock, err := s.begin(ctx, "DeleteConnection")
	if err != nil {
		return err
	}
	defer unlock()
	userID := s.connections[connectionID].UserID
	if _, there := s.presence[userID][connectionID]; there {
		delete(s.presence[userID], connectionID)
		s.left(userID, returning)
	}
	delete(s.connections, connectionID)
	return nil
}

// Connection implements chat.ConnectionStore.
func (s *Store) Connection(ctx context.Context, connectionID string) (chat.Connection, bool, error) {
	unlock, err := s.begin(ctx, "Connection")
	if err != nil {
		return chat.Connection{}, false, err
	}
	defer unlock()
	c, ok := s.connections[connectionID]
	if !ok || s.expired(c.ExpiresAt()) {
		return chat.Connection{}, false, nil
	}
	return c.Connection, true, nil
}

// Presence reads each user's newest connections: at most limit of them, newest
// first, without TokenExpiresAt. Users without connections are left out.
func (s *Store) Presence(ctx context.Context, userIDs []string, limit int) (map[string][]chat.Connection, error) {
	unlock, err := s.begin(ctx, "Presence")
	if err != nil {
		return nil, err
	}
	defer unlock()
	present := map[string][]chat.Connection{}
	for _, userID := range userIDs {
		if connections := s.present(userID); len(connections) > 0 {
			present[userID] = connections[:min(limit, len(connections))]
		}
	}
	return present, nil
}

// TakeRate implements chat.RateStore. It never needs take.LastWindow.
func (s *Store) TakeRate(ctx context.Context, take chat.RateTake) (window int64, retryAfter time.Duration, err error) {
	unlock, err := s.begin(ctx, "TakeRate")
	if err != nil {
		return 0, 0, err
	}
	defer unlock()
	window, retryAfter = s.takeRate(take)
	return window, retryAfter, nil
}

func (s *Store) takeRate(take chat.RateTake) (window int64, wait time.Duration) {
	key := [2]string{take.UserID, string(take.Action)}
	window, wait = s.take(s.rates[key], take.Limit, take.Count)
	s.rates[key] = window
	return window, wait
}

// take moves a window, unless it has no room.
func (s *Store) take(window int64, limit chat.RateLimit, n int) (moved int64, wait time.Duration) {
	now := s.now().UnixMilli()
	if wait := limit.Wait(window, now, n); wait > 0 {
		return window, wait
	}
	return max(window, now) + int64(n)*limit.Interval.Milliseconds(), 0
}

// TakeRefusal implements chat.ConnectionStore. It never needs the last window.
func (s *Store) TakeRefusal(ctx context.Context, connectionID string, limit chat.RateLimit, _ int64) (window int64, within bool, err error) {
	unlock, err := s.begin(ctx, "TakeRefusal")
	if err != nil {
		return 0, false, err
	}
	defer unlock()
	c, ok := s.connections[connectionID]
	if !ok {
		return 0, true, nil
	}
	if c.ReplacedAt != 0 {
		return c.refused, c.ReplacedAt > s.now().UnixMilli()-chat.CloseWithin.Milliseconds(), nil
	}
	window, wait := s.take(c.refused, limit, 1)
	c.refused = window
	s.connections[connectionID] = c
	return window, wait <= 0 && !s.expired(c.ExpiresAt()), nil
}

// Disconnect implements chat.ConnectionStore.
func (s *Store) Disconnect(ctx context.Context, userID string) (int, error) {
	unlock, err := s.begin(ctx, "Disconnect")
	if err != nil {
		return 0, err
	}
	defer unlock()
	return s.end(userID, func(c *connection) { c.Disconnected = true }), nil
}

// EndBanned implements chat.BanStore.
func (s *Store) EndBanned(ctx context.Context, userID string) error {
	unlock, err := s.begin(ctx, "EndBanned")
	if err != nil {
		return err
	}
	defer unlock()
	s.end(userID, func(c *connection) { c.Banned = true })
	return nil
}

// end marks a user's connections as replaced, for a reason, and returns how many there are.
func (s *Store) end(userID string, why func(*connection)) int {
	n := 0
	for id := range s.presence[userID] {
		c := s.connections[id]
		c.ReplacedAt = s.now().UnixMilli()
		why(&c)
		s.connections[id] = c
		n++
	}
	return n
}

// EndConnection implements chat.ConnectionStore.
func (s *Store) EndConnection(ctx context.Context, connectionID string) error {
	unlock, err := s.begin(ctx, "EndConnection")
	if err != nil {
		return err
	}
	defer unlock()
	now := s.now().UnixMilli()
	c, ok := s.connections[connectionID]
	switch {
	case !ok || c.ReplacedAt > now-chat.CloseWithin.Milliseconds():
		return nil
	case c.ReplacedAt == 0:
		c.Flooded = true
	}
	c.ReplacedAt = now
	s.connections[connectionID] = c
	return nil
}
