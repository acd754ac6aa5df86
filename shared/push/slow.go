package push

import (
	"sync"
	"time"
)

const (
	// SlowTime is how long after its last refused frame a connection counts as
	// slow, if it has taken another since. One that has taken none stays slow: it
	// gets one attempt of SlowTimeout a post, so that it costs the batches behind
	// it, and the connections in them, little. What it misses it reads from the
	// room's history.
	SlowTime = 10 * time.Second

	// SlowTimeout is how long an attempt to a slow connection may take.
	SlowTimeout = 200 * time.Millisecond

	// FirstPause is how long a slow connection that did not answer within
	// SlowTimeout is sent nothing. Each further pause is twice as long, up to
	// MostPause: 32 of them take each batch SlowTimeout otherwise.
	FirstPause = time.Second

	// MostPause is the longest time for which a connection is sent nothing.
	MostPause = time.Minute

	// maxSlow bounds how many connections are remembered.
	maxSlow = 4_000
)

// clientState is what is known of a connection's client.
type clientState int

const (
	reads   clientState = iota // nothing else is known
	suspect                    // it refused all attempts, but perhaps because of the account
	slow                       // it reads too slowly, or not at all
	hangs                      // slow, and to be sent nothing for now
)

// clients remembers the connections that did not take their frames.
type clients struct {
	mu    sync.Mutex
	known map[string]client
}

// client is what is known of a connection that did not take a frame.
type client struct {
	slow   bool      // otherwise it is a suspect
	took   bool      // a frame since
	missed time.Time // its last frame
	pause  time.Duration
}

func (c *clients) state(id string, now time.Time) clientState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) == 0 {
		return reads
	}
	known, ok := c.known[id]
	switch recent := now.Before(known.missed.Add(SlowTime)); {
	case !ok || !recent && (known.took || !known.slow):
		return reads
	case !known.slow:
		return suspect
	case now.Before(known.missed.Add(known.pause)):
		return hangs
	}
	return slow
}

// refused notes that a connection refused a frame to the last attempt. own means
// that it is the connection's doing, not the account's.
func (c *clients) refused(id string, now time.Time, own bool) {
	c.update(id, now, func(known *client) { known.slow = known.slow || own })
}

// hung notes that a connection did not answer.
func (c *clients) hung(id string, now time.Time) {
	c.update(id, now, func(known *client) {
		switch {
		case !known.slow:
			known.slow = true
		case known.pause == 0:
			known.pause = FirstPause
		default:
			known.pause = min(2*known.pause, MostPause)
		}
	})
}

func (c *clients) update(id string, now time.Time, change func(*client)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]client)
	}
	known, ok := c.known[id]
	if !ok && len(c.known) >= maxSlow {
		clear(c.known) // most have ended, or else it is the service that is slow
	}
	change(&known)
	known.took, known.missed = false, now
	c.known[id] = known
}

// took notes that a connection took a frame.
func (c *clients) took(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.known[id]; ok {
		known.took, known.pause = true, 0
		c.known[id] = known
	}
}

// forget forgets a connection that has ended.
func (c *clients) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}
