package chat

import (
	"context"
	"fmt"
	"time"
)

// ConnectionStore keeps connections.
type ConnectionStore interface {
	RateStore
	// PutConnection stores a connection's entry in the user's presence, and its
	// row. If it fails, there may be an entry without a row, never a row without an
	// entry. Of more than MaxConnections, the oldest others lose their entries, and
	// their rows get a ReplacedAt. One that is itself replaced in the meantime is
	// refused with ErrReplaced.
	PutConnection(ctx context.Context, c Connection) error
	// DeleteConnection removes the row and the entry. Removing a connection that
	// does not exist succeeds.
	DeleteConnection(ctx context.Context, connectionID string) error
	// Connection reads a connection strongly; false if it does not exist or has
	// expired.
	Connection(ctx context.Context, connectionID string) (Connection, bool, error)
}

// Sessions opens, closes and checks connections.
type Sessions struct {
	store    ConnectionStore
	connects RateLimit
	now      func() time.Time
}

// NewSessions returns Sessions on a store and a clock. connects is how fast a user
// may open connections.
func NewSessions(store ConnectionStore, connects RateLimit, now func() time.Time) *Sessions {
	return &Sessions{store: store, connects: connects, now: now}
}

// Open stores a connection whose token has been verified. A user who opens more
// than the limit is refused before anything of the connection is written: each one
// costs writes, records of the stream and the clean-up at its end.
func (s *Sessions) Open(ctx context.Context, c Connection) error {
	if err := takeConnect(ctx, s.store, c.UserID, s.connects); err != nil {
		return err
	}
	if err := s.store.PutConnection(ctx, c); err != nil {
		return fmt.Errorf("open connection %s: %w", c.ID, err)
	}
	return nil
}

// Close removes a connection. It may be called twice, or never: connections that
// are not closed expire.
func (s *Sessions) Close(ctx context.Context, connectionID string) error {
	if err := s.store.DeleteConnection(ctx, connectionID); err != nil {
		return fmt.Errorf("close connection %s: %w", connectionID, err)
	}
	return nil
}

// Ping returns the connection, or an error because nothing would be delivered to
// it: CodeReconnect if it is not stored or has expired, CodeReplaced if newer ones
// have replaced it.
func (s *Sessions) Ping(ctx context.Context, connectionID string) (Connection, error) {
	c, ok, err := s.store.Connection(ctx, connectionID)
	if err != nil {
		return Connection{}, fmt.Errorf("ping connection %s: %w", connectionID, err)
	}
	switch {
	case !ok || c.ExpiresAt() <= s.now().UnixMilli():
		return Connection{}, errReconnect()
	case c.ReplacedAt != 0:
		return Connection{}, ErrReplaced()
	}
	return c, nil
}

func errReconnect() *Error {
	return Errorf(CodeReconnect, "this connection is unknown or has expired; open a new one")
}

// ErrReplaced is the reason why a connection that was replaced is closed, or
// refused.
func ErrReplaced() *Error {
	return Errorf(CodeReplaced, "you have opened more than %d connections; the newest ones have replaced this one", MaxConnections)
}
