package chat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ConnectionStore keeps connections.
type ConnectionStore interface {
	AdmissionStore
	// PutConnection stores a connection's entry in the user's presence, and its
	// row. It takes out of a limit of the user as RateStore.TakeRate does, in the same
	// write as the entry: what is refused, with a retryAfter, stores nothing. If it fails,
	// there may be an entry without a row, never a row without an entry. Of more than
	// MaxConnections, those that Connection.Excess tells lose their entries, and their rows
	// get a ReplacedAt. One that is itself replaced in the meantime is refused with
	// ErrReplaced.
	PutConnection(ctx context.Context, c Connection, take RateTake) (window int64, retryAfter time.Duration, err error)
	// DeleteConnection removes the row and the entry. Removing a connection that
	// does not exist succeeds. No one is notified if it is returning within
	// ReturnWithin.
	DeleteConnection(ctx context.Context, connectionID string, returning bool) error
	// ChangedAt returns the newest time at which a room stands in a user's list, in ms;
	// 0 if there is none. It may be a moment old.
	ChangedAt(ctx context.Context, userID string) (int64, error)
	// TakeRefusal moves the window of a connection's refused frames as
	// RateStore.TakeRate does those of users, and returns where it is. It is false if the
	// window has no room, if the connection has expired, or if it was marked as ended
	// CloseWithin ago. A connection without a row has room, and so has one that was
	// marked later: it is being closed.
	TakeRefusal(ctx context.Context, connectionID string, limit RateLimit, lastWindow int64) (window int64, within bool, err error)
	// Disconnect marks the rows of a user's connections as Disconnected, from which their
	// sockets are closed, and returns how many there are. Those that were marked before
	// are marked again.
	Disconnect(ctx context.Context, userID string) (int, error)
	// EndConnection marks a connection's row as Flooded, from which its socket is closed.
	// One that is marked is marked again CloseWithin after that, for the same reason: its
	// socket could not be closed. It does nothing without a row.
	EndConnection(ctx context.Context, connectionID string) error
}

// Sessions opens, closes and checks connections.
type Sessions struct {
	store    ConnectionStore
	connects *Limiter
	limits   Limits
	now      func() time.Time
	pings    pace
	refusals recent[string, int64] // windows of connections, in ms
}

// NewSessions returns Sessions on a store and a clock. Of the limits, Connecting,
// Refusing and Pinging count here.
func NewSessions(store ConnectionStore, limits Limits, now func() time.Time) *Sessions {
	return &Sessions{store: store, connects: NewLimiter(store, limits, now), limits: limits, now: now, pings: pace{limit: limits[Pinging]}}
}

// Open stores a connection whose token has been verified. A user who opens more
// than the limit is refused, and nothing of the connection is written: each one
// costs writes, records of the stream and the clean-up at its end.
func (s *Sessions) Open(ctx context.Context, c Connection) error {
	take, err := s.connects.prepare(c.UserID, Connecting, 1)
	if err != nil {
		return err
	}
	window, wait, err := s.store.PutConnection(ctx, c, take)
	if err != nil {
		return fmt.Errorf("open connection %s: %w", c.ID, err)
	}
	return s.connects.finish(take, window, wait)
}

// Close removes a connection, by the status with which the client closed it. It may be
// called twice, or never: connections that are not closed expire.
func (s *Sessions) Close(ctx context.Context, connectionID string, status int) error {
	if err := s.store.DeleteConnection(ctx, connectionID, status == Returning); err != nil {
		return fmt.Errorf("close connection %s: %w", connectionID, err)
	}
	return nil
}

// Ping returns the connection, or an error because nothing would be delivered to
// it: CodeReconnect if it is not stored or has expired, CodeReplaced if newer ones
// have replaced it. One that pings more often than Pinging allows, as far as this
// Sessions knows, is refused with CodeRateLimited.
func (s *Sessions) Ping(ctx context.Context, connectionID string) (Connection, error) {
	if err := s.pings.take(connectionID, s.now(), Pinging); err != nil {
		return Connection{}, err
	}
	c, ok, err := s.store.Connection(ctx, connectionID)
	if err != nil {
		return Connection{}, fmt.Errorf("ping connection %s: %w", connectionID, err)
	}
	switch {
	case !ok || c.ExpiresAt() <= s.now().UnixMilli():
		return Connection{}, errReconnect()
	case c.ReplacedAt != 0:
		return Connection{}, c.ended()
	}
	return c, nil
}

// ChangedAt returns the newest time at which one of a user's rooms stands in their list, in
// ms; 0 for none. A room stands at its creation, or at a message that moved it up, which a
// message does at most once an interval and not in the largest rooms: one that the user has
// joined since may be older. A client that knows of nothing so new has missed something.
func (s *Sessions) ChangedAt(ctx context.Context, userID string) (int64, error) {
	at, err := s.store.ChangedAt(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("look up the newest room: %w", err)
	}
	return at, nil
}

// Disconnect ends the connections of a user, on behalf of a service or an operator, and
// returns how many there were. Their sockets are closed within a second; until then frames
// on them are refused with CodeDisconnected. A token that has not ended opens new ones.
//
// Errors: CodeInvalidRequest.
func (s *Sessions) Disconnect(ctx context.Context, userID string) (int, error) {
	if err := ValidateUserID(userID); err != nil {
		return 0, err
	}
	n, err := s.store.Disconnect(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("disconnect a user: %w", err)
	}
	return n, nil
}

// Refused counts a frame of a connection that was answered with an error, and ends the
// connection when there are more than Refusing allows: each costs an invocation and an
// answer, and no limit of what is served bounds them. Failures of the server do not
// count. The first frame of a connection that has expired ends it: it does not count among
// its user's connections, of which there could be hundreds. One on a connection that should
// have been closed by now has that tried again; before that, it writes nothing if the
// connection was read.
func (s *Sessions) Refused(ctx context.Context, connectionID string, reason error) error {
	limit := s.limits[Refusing]
	if limit == (RateLimit{}) || Reason(reason).Code == CodeInternal {
		return nil
	}
	var ended *endedError
	if errors.As(reason, &ended) {
		if ended.isClosing(s.now()) {
			return nil
		}
	} else {
		last, _ := s.refusals.get(connectionID)
		window, within, err := s.store.TakeRefusal(ctx, connectionID, limit, last)
		if err != nil {
			return fmt.Errorf("count a refused frame: %w", err)
		}
		s.refusals.put(connectionID, window)
		if within {
			return nil
		}
	}
	if err := s.store.EndConnection(ctx, connectionID); err != nil {
		return fmt.Errorf("end a connection after too many refused frames: %w", err)
	}
	return nil
}

func errReconnect() *Error {
	return Errorf(CodeReconnect, "this connection is unknown or has expired; open a new one")
}

// ErrReplaced is the reason why a connection that was replaced is closed, or
// refused.
func ErrReplaced() *Error {
	return Errorf(CodeReplaced, "you have opened more than %d connections; the newest ones have replaced this one", MaxConnections)
}

var errFlooded = Errorf(CodeRateLimited, "too many frames of this connection were refused; it is closed")

// ErrFlooded is the reason why a connection is closed of which too many frames were
// refused.
func ErrFlooded() *Error { return errFlooded }

// endedError is why a connection is closed that was read, and found marked as ended.
type endedError struct {
	reason *Error
	at     int64 // ms
}

func (e *endedError) Error() string { return e.reason.Error() }
func (e *endedError) Unwrap() error { return e.reason }

// isClosing says whether the connection may not be closed yet.
func (e *endedError) isClosing(now time.Time) bool {
	return e.at > now.UnixMilli()-CloseWithin.Milliseconds()
}

// ended returns why a connection with a ReplacedAt is closed.
func (c Connection) ended() error {
	reason := ErrReplaced()
	switch {
	case c.Disconnected:
		reason = ErrDisconnected()
	case c.Banned:
		reason = ErrEnded()
	case c.Flooded:
		reason = ErrFlooded()
	}
	return &endedError{reason, c.ReplacedAt}
}

// ErrEnded is the reason why a connection is closed whose user was banned from a room, or
// that has expired.
func ErrEnded() *Error {
	return Errorf(CodeReconnect, "the server has ended this connection; open a new one")
}

// ErrDisconnected is the reason why a connection is closed that a service or an operator
// ended.
func ErrDisconnected() *Error {
	return Errorf(CodeDisconnected, "your connections were ended; sign in again to open another one")
}
