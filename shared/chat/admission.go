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

	sendInterval = int64(1000 / SendRate)            // ms that one send takes up
	sendHorizon  = int64(SendBurst-1) * sendInterval // ms that the window may run ahead
)

// RateStep is one conditional move of a connection's rate window. The window
// is one number, the time at which it runs dry, in ms (GCRA's theoretical
// arrival time): each send moves it on by one interval.
//
// The table cannot compute max(window, now), so there are two moves, each under
// the condition that it is the right one; Running tells which.
type RateStep struct {
	Running bool  // false: the window has run dry by Now, set it to Now + Interval; true: it lies after Now and not after Limit, add Interval
	Now     int64 // ms
	Limit   int64 // ms
	// Interval is how far the window moves, in ms.
	Interval int64
	// TokenAfter: the connection's token must expire after this time, in ms.
	TokenAfter int64
}

// ConnectionState is what a connection's row says. A row that is not there is
// the zero value with Exists false.
type ConnectionState struct {
	Connection
	Exists     bool
	RateWindow int64
}

// AdmissionStore moves rate windows.
type AdmissionStore interface {
	// StepRate makes the move if its condition holds and the row exists, is not
	// expired at step.Now and has a token that lives. It returns the row after
	// the move, or, with ok false, the row as it is.
	StepRate(ctx context.Context, connectionID string, step RateStep) (state ConnectionState, ok bool, err error)
}

// stepAttempts bounds how often a move is tried when sends of one connection
// race for its window: a burst through a slow table has them take turns.
const stepAttempts = 8

// admission decides whether a connection may send. It remembers who is behind a
// connection, which never changes, and where its window was, which is a guess
// that saves a round trip.
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
	window := known.rateWindow
	for range stepAttempts {
		now := a.now().UnixMilli()
		state, ok, err := a.store.StepRate(ctx, connectionID, RateStep{
			Running:    window > now,
			Now:        now,
			Limit:      now + sendHorizon,
			Interval:   sendInterval,
			TokenAfter: now - TokenLeeway.Milliseconds(),
		})
		if err != nil {
			return "", fmt.Errorf("admit connection %s: %w", connectionID, err)
		}
		if state.Exists {
			a.known.put(connectionID, knownConnection{state.UserID, state.RateWindow})
		}
		if ok {
			return state.UserID, nil
		}
		if err := refusal(state, now); err != nil {
			return "", err
		}
		window = state.RateWindow // the other move, or a race: try again from what is there
	}
	return "", errRateLimited()
}

// refusal says why a row does not admit a send; nil if only the move was the
// wrong one.
func refusal(state ConnectionState, now int64) error {
	switch {
	case !state.Exists || state.ExpiresAt() <= now:
		return errReconnect()
	case state.TokenExpiresAt <= now-TokenLeeway.Milliseconds():
		return Errorf(CodeTokenExpired, "the token that opened this connection has expired; reconnect with a fresh one")
	case state.RateWindow > now+sendHorizon:
		return errRateLimited()
	}
	return nil
}

func errRateLimited() *Error {
	return Errorf(CodeRateLimited, "more than %d messages a second; wait a moment and send again", SendRate)
}

// memorySize bounds how many connections a warm function remembers, twice.
const memorySize = 10_000

// connectionMemory remembers the connections seen lately: when the young
// generation is full it becomes the old one, and the old one is forgotten.
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
