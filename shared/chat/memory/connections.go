package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// PutConnection implements chat.ConnectionStore.
func (s *Store) PutConnection(ctx context.Context, c chat.Connection) error {
	unlock, err := s.begin(ctx, "PutConnection")
	if err != nil {
		return err
	}
	defer unlock()
	s.connections[c.ID] = connection{Connection: c}
	s.signedIn[c.UserID] = true
	if s.presence[c.UserID] == nil {
		s.presence[c.UserID] = map[string]int64{}
	}
	s.presence[c.UserID][c.ID] = c.ConnectedAt
	present := s.present(c.UserID)
	for i := len(present) - 1; i >= 0 && len(s.presence[c.UserID]) > chat.MaxConnections; i-- {
		oldest := s.connections[present[i].ID]
		if oldest.ID == c.ID {
			continue
		}
		oldest.ReplacedAt = s.now().UnixMilli()
		s.connections[oldest.ID] = oldest
		delete(s.presence[c.UserID], oldest.ID)
	}
	return nil
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
func (s *Store) DeleteConnection(ctx context.Context, connectionID string) error {
	unlock, err := s.begin(ctx, "DeleteConnection")
	if err != nil {
		return err
	}
	defer unlock()
	delete(s.presence[s.connections[connectionID].UserID], connectionID)
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

// TakeSend implements chat.AdmissionStore. It never needs limit.LastWindow.
func (s *Store) TakeSend(ctx context.Context, connectionID string, limit chat.SendLimit) (chat.ConnectionState, bool, error) {
	unlock, err := s.begin(ctx, "TakeSend")
	if err != nil {
		return chat.ConnectionState{}, false, err
	}
	defer unlock()
	c, ok := s.connections[connectionID]
	if !ok || s.expired(c.ExpiresAt()) {
		return chat.ConnectionState{}, false, nil
	}
	now := s.now().UnixMilli()
	taken := c.ReplacedAt == 0 && c.TokenExpiresAt > now-limit.TokenLeeway.Milliseconds() &&
		c.rateWindow <= now+limit.Horizon.Milliseconds()
	if taken {
		c.rateWindow = max(c.rateWindow, now) + limit.Interval.Milliseconds()
		s.connections[connectionID] = c
	}
	return chat.ConnectionState{Connection: c.Connection, Exists: true, RateWindow: c.rateWindow}, taken, nil
}

// TakeRate implements chat.RateStore.
func (s *Store) TakeRate(ctx context.Context, userID, kind string, limit chat.RateLimit) (time.Duration, error) {
	unlock, err := s.begin(ctx, "TakeRate")
	if err != nil {
		return 0, err
	}
	defer unlock()
	now, key := s.now().UnixMilli(), [2]string{userID, kind}
	if wait := s.rates[key] - limit.Horizon().Milliseconds() - now; wait > 0 {
		return time.Duration(wait) * time.Millisecond, nil
	}
	s.rates[key] = max(s.rates[key], now) + limit.Interval.Milliseconds()
	return 0, nil
}
