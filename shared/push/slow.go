package push

import (
	"sync"
	"time"
)

const (
	// SlowTime is how long a connection that did not take its frame counts as
	// slow: during that time it gets one attempt of SlowTimeout, so that it costs
	// the batches behind it, and the connections in them, little. One frame that
	// it takes clears it. What it misses it reads from the room's history.
	SlowTime = 10 * time.Second

	// SlowTimeout is how long an attempt to a slow connection may take.
	SlowTimeout = 200 * time.Millisecond

	// maxSlow bounds how many connections are remembered.
	maxSlow = 1_000
)

// slowConnections remembers connections whose client reads too slowly or not at
// all.
type slowConnections struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (s *slowConnections) has(connectionID string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.until[connectionID])
}

func (s *slowConnections) add(connectionID string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.until) >= maxSlow {
		clear(s.until) // that many at once are not slow clients, but a slow service
	}
	if s.until == nil {
		s.until = make(map[string]time.Time)
	}
	s.until[connectionID] = now.Add(SlowTime)
}

func (s *slowConnections) remove(connectionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, connectionID)
}
