package chat

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A connection may send SendRate messages a second, in bursts of SendBurst.
const (
	SendRate  = 10
	SendBurst = 20
)

// SendLimit is the limit of one send, as AdmissionStore enforces it: a rate
// limit by the generic cell rate algorithm (GCRA), and the token's end.
type SendLimit struct {
	Interval    time.Duration // by how much one send moves the window
	Horizon     time.Duration // by how much the window may lie ahead of the clock
	TokenLeeway time.Duration // how long after its token's end a connection may send

	// LastWindow is where the window was when it was last seen, in ms, 0 if that
	// is unknown. It changes nothing but the number of round trips.
	LastWindow int64
}

func sendLimit(lastWindow int64) SendLimit {
	return SendLimit{
		Interval:    time.Second / SendRate,
		Horizon:     (SendBurst - 1) * time.Second / SendRate,
		TokenLeeway: TokenLeeway,
		LastWindow:  lastWindow,
	}
}

// ConnectionState is a connection's row. Exists is false, and everything else
// zero, if there is none or it has expired, as for ConnectionStore.Connection.
type ConnectionState struct {
	Connection
	Exists bool

	// RateWindow is the time, in ms, at which the connection has used up none of
	// its burst (GCRA's theoretical arrival time).
	RateWindow int64
}

// AdmissionStore keeps the rate windows of connections.
type AdmissionStore interface {
	// TakeSend moves a connection's window to max(window, now) + Interval, if the
	// connection exists, has neither expired nor been replaced, its token ended less than
	// TokenLeeway ago, and its window is at most Horizon ahead of now. It returns
	// the row after the move or, with taken false, the row as it is. Calls that
	// race may leave one of them untaken although there was room for it.
	TakeSend(ctx context.Context, connectionID string, limit SendLimit) (state ConnectionState, taken bool, err error)
}

// admission decides whether a connection may send. It remembers the user of a
// connection, who never changes, and its last window.
type admission struct {
	store AdmissionStore
	now   func() time.Time
	known connectionMemory
}

type knownConnection struct {
	userID     string
	rateWindow int64
}

// admit takes one send out of the connection's window and returns its user.
func (a *admission) admit(ctx context.Context, connectionID string) (userID string, err error) {
	known, _ := a.known.get(connectionID)
	state, taken, err := a.store.TakeSend(ctx, connectionID, sendLimit(known.rateWindow))
	if err != nil {
		return "", fmt.Errorf("admit connection %s: %w", connectionID, err)
	}
	if state.Exists {
		a.known.put(connectionID, knownConnection{state.UserID, state.RateWindow})
	}
	if !taken {
		return "", refusal(state, a.now())
	}
	return state.UserID, nil
}

// refusal returns the reason why a connection may not send.
func refusal(state ConnectionState, now time.Time) error {
	switch {
	case !state.Exists || state.ExpiresAt() <= now.UnixMilli():
		return errReconnect()
	case state.ReplacedAt != 0:
		return ErrReplaced()
	case state.TokenExpiresAt <= now.Add(-TokenLeeway).UnixMilli():
		return Errorf(CodeTokenExpired, "the token that opened this connection has expired; reconnect with a fresh one")
	}
	return Errorf(CodeRateLimited, "sent more than %d messages a second; wait a second and send again", SendRate)
}

// memorySize bounds how many connections a warm function remembers, twice.
const memorySize = 10_000

// connectionMemory remembers the connections that were seen last: when the
// young generation is full it becomes the old one, and the old one is forgotten.
type connectionMemory struct {
	mu         sync.Mutex
	young, old map[string]knownConnection
}

func (m *connectionMemory) get(id string) (knownConnection, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.young[id]; ok {
		return c, true
	}
	c, ok := m.old[id]
	return c, ok
}

func (m *connectionMemory) put(id string, c knownConnection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || len(m.young) >= memorySize {
		m.young, m.old = make(map[string]knownConnection), m.young
	}
	m.young[id] = c
}
