package push

import (
	"sync"
	"time"
)

const (
	// moment is the time within which posts are compared.
	moment = time.Second

	// throttledConnections is how many connections must have refused a post
	// before the account can count as throttled.
	throttledConnections = 20
)

// account tells whether it is the account's requests that the gateway refuses, by
// their number a second, or single connections' frames, as their clients' buffers
// are full. The answer is the same, "LimitExceededException" (reference of
// API Gateway's management API); but a throttled account has all connections
// refused alike, and retries taken as often as first attempts, while a client that
// does not read refuses every attempt, and others none.
type account struct {
	mu               sync.Mutex
	began            time.Time // of the current tally
	current, earlier tally     // of this moment and the one before
	lastTook         time.Time
}

// tally counts what became of posts.
type tally struct {
	served    int                 // that were taken at the first attempt
	recovered int                 // that were taken at another attempt
	refusing  map[string]struct{} // connections, not known as slow, that refused one
}

// at returns the current tally. a.mu is held.
func (a *account) at(now time.Time) *tally {
	switch age := now.Sub(a.began); {
	case age >= 2*moment:
		a.began, a.current, a.earlier = now, tally{}, tally{}
	case age >= moment:
		a.began, a.current, a.earlier = now, tally{}, a.current
	}
	return &a.current
}

// took notes a post that was taken, at the first attempt or again.
func (a *account) took(now time.Time, again bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.at(now)
	if again {
		t.recovered++
	} else {
		t.served++
	}
	a.lastTook = now
}

// refused notes a connection that refused a post.
func (a *account) refused(id string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.at(now)
	if t.refusing == nil {
		t.refusing = make(map[string]struct{})
	}
	t.refusing[id] = struct{}{}
	delete(a.earlier.refusing, id) // it counts once
}

// served reports whether any post was taken since began, or in the moment before.
func (a *account) served(began, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.lastTook.IsZero() && !a.lastTook.Before(began.Add(-moment)) && !a.lastTook.After(now)
}

// throttled reports whether nearly all posts of the moment were refused, or many
// were and retries get through.
func (a *account) throttled(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	current := a.at(now)
	served := current.served + a.earlier.served
	refusing := len(current.refusing) + len(a.earlier.refusing)
	recovered := current.recovered + a.earlier.recovered
	switch {
	case refusing <= throttledConnections:
		return false
	case served <= refusing/20: // 95 % are refused
		return true
	}
	return refusing >= served/3 && recovered >= refusing/10
}
