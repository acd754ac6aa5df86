package push

import (
	"sync"
	"time"
)

const (
	// StrainTime is how long a connection that did not take its frame counts as
	// strained: it gets one attempt of StrainTimeout meanwhile, so that it costs
	// the batches behind it, and everybody in them, little. One frame that it
	// takes clears it. What it misses it reads from the room's history.
	StrainTime = 10 * time.Second

	// StrainTimeout is how long an attempt to a strained connection may take.
	StrainTimeout = 200 * time.Millisecond

	// maxStrained bounds how many connections are remembered.
	maxStrained = 1_000
)

// strained remembers connections whose client reads too slowly or not at all.
type strained struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (s *strained) has(connectionID string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.until[connectionID])
}

func (s *strained) add(connectionID string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.until) >= maxStrained {
		clear(s.until) // so many at once are not slow clients, but a slow service
	}
	if s.until == nil {
		s.until = make(map[string]time.Time)
	}
	s.until[connectionID] = now.Add(StrainTime)
}

func (s *strained) remove(connectionID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, connectionID)
}
