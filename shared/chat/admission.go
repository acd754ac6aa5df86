package chat

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// AdmissionStore keeps what decides whether a connection may send.
type AdmissionStore interface {
	RateStore
	// Connection reads a connection; false if it does not exist or has expired. What it
	// finds may be a moment old, which is as if the frame had come that much earlier: a
	// row is marked or removed behind its client's back. That there is none is sure.
	Connection(ctx context.Context, connectionID string) (Connection, bool, error)
}

// admission decides whether a connection may send. It remembers the users of
// connections, who never change.
type admission struct {
	store   AdmissionStore
	now     func() time.Time
	sends   pace     // of users, on this instance
	limiter *Limiter // of all instances
	users   recent[string, string]
}

// admit takes one send, of some weight over time, out of the limits of a connection's user.
// Beside that it runs check, if it is not nil, for that user. A user who is remembered
// takes one round trip, another one two.
func (a *admission) admit(ctx context.Context, connectionID string, weight int, check func(userID string) error) error {
	userID, warm := a.users.get(connectionID)
	if !warm {
		var err error
		if userID, err = a.user(ctx, connectionID); err != nil {
			return err
		}
	}
	var state, checked func() error
	if warm {
		state = func() error {
			_, err := a.user(ctx, connectionID)
			return err
		}
	}
	if check != nil {
		checked = func() error { return check(userID) }
	}
	return a.take(ctx, userID, weight, state, checked)
}

// admitUser takes one send out of a user's limits, and runs check beside that.
func (a *admission) admitUser(ctx context.Context, userID string, weight int, check func() error) error {
	return a.take(ctx, userID, weight, nil, check)
}

// take takes one send out of a user's limits. Beside that it runs what is not nil: state,
// about the connection, whose error comes before one of the room, and check.
func (a *admission) take(ctx context.Context, userID string, weight int, state, check func() error) error {
	// Not WithContext: none of them cancels a take that may be written.
	var group errgroup.Group
	var stateErr, checkErr error
	beside := func(run func() error, failed *error) {
		if run == nil {
			return
		}
		group.Go(func() error {
			*failed = run()
			return nil
		})
	}
	beside(state, &stateErr)
	beside(check, &checkErr)
	rateErr := a.takeSend(ctx, userID, weight)
	_ = group.Wait()
	return cmp.Or(stateErr, rateErr, checkErr)
}

// takeSend takes one send out of a user's limits.
func (a *admission) takeSend(ctx context.Context, userID string, weight int) error {
	if err := a.sends.take(userID, a.now(), Sending); err != nil {
		return err
	}
	if err := a.limiter.takeBatched(ctx, userID, Sending, 1, SendsPerTake); err != nil {
		return err
	}
	err := a.limiter.takeBatched(ctx, userID, Sustaining, weight, SustainedPerTake)
	if err != nil { // which holds for long: what it refuses uses up nothing
		a.limiter.count(userID, Sending, -1)
	}
	return err
}

// user returns the user of a connection that may send.
func (a *admission) user(ctx context.Context, connectionID string) (string, error) {
	c, ok, err := a.store.Connection(ctx, connectionID)
	if err != nil {
		return "", fmt.Errorf("admit connection %s: %w", connectionID, err)
	}
	now := a.now()
	switch {
	case !ok || c.ExpiresAt() <= now.UnixMilli():
		return "", errReconnect()
	case c.ReplacedAt != 0:
		return "", c.ended()
	case c.TokenExpiresAt <= now.Add(-TokenLeeway).UnixMilli():
		return "", Errorf(CodeTokenExpired, "the token that opened this connection has expired; reconnect with a fresh one")
	}
	a.users.put(connectionID, c.UserID)
	return c.UserID, nil
}
