package chat

import (
	"context"
	"fmt"
	"time"
)

// RateLimit is a limit of what a user may do, by the generic cell rate algorithm
// (GCRA): Burst at once, and one more every Interval. The zero value is no limit.
type RateLimit struct {
	Interval time.Duration
	Burst    int
}

// A user may open ConnectRate connections a minute, in bursts of ConnectBurst,
// unless the deployment sets others.
const (
	ConnectRate  = 30
	ConnectBurst = 20
)

// PerMinute returns the limit of a number a minute; a rate of 0 is no limit.
func PerMinute(rate, burst int) RateLimit {
	if rate <= 0 {
		return RateLimit{}
	}
	return RateLimit{Interval: time.Minute / time.Duration(rate), Burst: max(burst, 1)}
}

// Horizon is by how much a user's window may lie ahead of the clock.
func (l RateLimit) Horizon() time.Duration { return time.Duration(l.Burst-1) * l.Interval }

// The kinds of rate limits.
const limitConnect = "connect"

// RateStore keeps how much of their limits users have used up.
type RateStore interface {
	// TakeRate moves a user's window of one kind to max(window, now) +
	// limit.Interval, if it is at most limit.Horizon() ahead of now. Otherwise it
	// returns after what time, more than 0, it would be. What is refused does not
	// move the window. Calls that race may leave one of them refused although there
	// was room for it.
	TakeRate(ctx context.Context, userID, kind string, limit RateLimit) (retryAfter time.Duration, err error)
}

// takeConnect takes one connection out of its user's limit.
func takeConnect(ctx context.Context, store RateStore, userID string, limit RateLimit) error {
	if limit == (RateLimit{}) {
		return nil
	}
	wait, err := store.TakeRate(ctx, userID, limitConnect, limit)
	if err != nil {
		return fmt.Errorf("take a connection of the user's limit: %w", err)
	}
	if wait > 0 {
		return Errorf(CodeRateLimited, "the user opened more than %d connections at once, or one every %s; connect again in %s",
			limit.Burst, limit.Interval, wait.Round(time.Millisecond))
	}
	return nil
}
