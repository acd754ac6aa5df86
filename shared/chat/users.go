package chat

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// UserStore keeps who has signed in.
type UserStore interface {
	// SignedIn returns which of up to 100 users have opened a connection or were
	// noted, strongly, in the order given.
	SignedIn(ctx context.Context, userIDs []string) ([]string, error)
	// NoteUser notes that a user has signed in.
	NoteUser(ctx context.Context, userID string, at int64) error
}

// Users notes users who have signed in without opening a connection, which notes
// them by itself.
type Users struct {
	store UserStore
	now   func() time.Time

	mu    sync.Mutex
	noted map[string]bool // users who need not be looked up again
}

// maxNoted bounds the memory of Users: some megabytes.
const maxNoted = 10_000

// NewUsers returns Users on a store and a clock.
func NewUsers(store UserStore, now func() time.Time) *Users {
	return &Users{store: store, now: now, noted: map[string]bool{}}
}

// Note notes that a user has signed in. It reads once for each user, and writes only
// if no one has noted them.
func (u *Users) Note(ctx context.Context, userID string) error {
	u.mu.Lock()
	known := u.noted[userID]
	u.mu.Unlock()
	if known {
		return nil
	}
	signedIn, err := u.store.SignedIn(ctx, []string{userID})
	if err == nil && len(signedIn) == 0 {
		err = u.store.NoteUser(ctx, userID, u.now().UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("note that a user has signed in: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.noted) >= maxNoted {
		clear(u.noted)
	}
	u.noted[userID] = true
	return nil
}
