package chat

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// What follows from an action is counted in posts to connections, after the fact: a send does
// not know how many members of its room are connected, and the stream's readers do.
const (
	// ReachWeight is for how many posts an action weighs as much as another one in the
	// limit over time. As many go with each, or with what each weighs.
	ReachWeight = 64

	// MoveWeight is as how many posts it counts to move a room in the list of one member:
	// that is three write units.
	MoveWeight = 2

	// ReadsPerPost is how many members cost as much to read, with their connections, as a
	// post does.
	ReadsPerPost = 8

	// MemberWeight is as how many actions it counts to change who is a member of a room, and
	// as what: up to 100 members are told.
	MemberWeight = 2

	// DebtFor is for how long a user waits at most for what was charged to them.
	DebtFor = time.Hour
)

// Charges takes what followed from users' actions out of their limit over time, which it may
// overdraw by DebtFor: whatever has happened counts. It keeps the posts of each user until
// they weigh SustainedPerTake, so that those of ordinary rooms are written once in thousands
// of messages. Services are not charged.
type Charges struct {
	store   RateStore
	limit   RateLimit
	now     func() time.Time
	from    int
	mu      sync.Mutex            // of owed, as it is read and written together
	owed    recent[string, int]   // posts, by user
	windows recent[string, int64] // see Limiter
}

// roomWeight is as how many changes it counts over time beside the first that a room has
// another name, visibility or place: its members are read, and those who are connected are
// notified, so most often it is too many.
func roomWeight(members int) int { return (members + members/ReadsPerPost) / ReachWeight }

// Weighing has changes of a room, of which all members are notified, count in the limit over
// time by how many they are. Call it before all else.
func (s *Rooms) Weighing(limits *Limiter) *Rooms {
	s.limits = limits
	return s
}

// errPaused refuses what a member does who has spent their limit.
func errPaused(wait time.Duration) *Error {
	err := Errorf(CodeRateLimited, "what the user has done counts as much as they may do over time; try again in %s", wait)
	err.RetryAfter = wait
	return err
}

// NewCharges returns Charges on a store and a clock, for a limit over time. Without a limit
// they do nothing, as do nil ones.
func NewCharges(store RateStore, limit RateLimit, now func() time.Time) *Charges {
	if limit == (RateLimit{}) {
		return nil
	}
	return &Charges{store: store, limit: limit, now: now}
}

// CountingFrom says where counting begins, as [Limiter.CountingFrom] does. Call it before the
// first Add.
func (c *Charges) CountingFrom(n int) *Charges {
	if c != nil {
		c.from = n
	}
	return c
}

// Add charges posts to a user, and returns for how long they have spent their limit then, as
// far as this is known, 0 if they have not.
func (c *Charges) Add(ctx context.Context, userID string, posts int) (spent time.Duration, err error) {
	if c == nil || posts <= 0 || !isCharged(userID) {
		return 0, nil
	}
	due := c.add(userID, posts)
	if due == 0 {
		return c.Spent(userID), nil
	}
	overdraft := c.limit
	overdraft.Burst += int(DebtFor / c.limit.Interval)
	window, _ := c.windows.get(userID)
	window, _, err = c.store.TakeRate(ctx, RateTake{
		UserID: userID, Action: Sustaining, Limit: overdraft, Count: min(due/ReachWeight, overdraft.Burst), LastWindow: window,
	})
	if err != nil {
		c.giveBack(userID, due) // to be tried with the next ones
		return 0, fmt.Errorf("charge a user: %w", err)
	}
	c.windows.put(userID, window)
	return c.Spent(userID), nil
}

// postsPerCharge is how many posts are charged at once.
const postsPerCharge = ReachWeight * SustainedPerTake

// add adds posts to those of a user, and takes off those that are to be charged, which it
// returns: so no two calls charge the same.
func (c *Charges) add(userID string, posts int) (due int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	owed, known := c.owed.get(userID)
	if !known {
		owed = c.from % postsPerCharge
	}
	owed += posts
	due = owed - owed%postsPerCharge
	c.owed.put(userID, owed-due)
	return due
}

// giveBack returns posts that could not be charged.
func (c *Charges) giveBack(userID string, posts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	owed, _ := c.owed.get(userID)
	c.owed.put(userID, owed+posts)
}

// isCharged reports whether a user is charged: no service, and no one who was erased.
func isCharged(userID string) bool { return !IsService(userID) && ValidateUserID(userID) == nil }

// Spent returns after what time a user's limit has room again, as far as this is known; 0 if
// it has.
func (c *Charges) Spent(userID string) time.Duration {
	if c == nil {
		return 0
	}
	window, _ := c.windows.get(userID)
	return max(0, c.limit.Wait(window, c.now().UnixMilli(), 1))
}
