package main

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a server whose handshakes last until they are let go.
type slow struct {
	open atomic.Int64 // handshakes that are under way
	done chan struct{}
}

func (*slow) prepare(context.Context, Plan, func(string)) error { return nil }

func (s *slow) connect(context.Context, int) (session, error) {
	s.open.Add(1)
	defer s.open.Add(-1)
	<-s.done
	return silence{}, nil
}

// silence is a session in which nothing happens.
type silence struct{}

func (silence) send(context.Context, int, int, string) error { return nil }

func (silence) receive(ctx context.Context) ([]event, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silence) close() {}

// TestHandshakesAreBounded: connections that are to be opened at once wait for each other.
func TestHandshakesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{done: make(chan struct{})}
		plan := Plan{Users: 3 * handshakes, Rooms: 1, Members: 1, ConnectRate: 1e5, Late: time.Second}
		l := newLoad(plan, &ledger{run: newRun(), members: 1}, server, func(string) {})
		ended := make(chan error, 1)
		go func() { ended <- l.run(t.Context(), func() {}) }()
		<-time.After(time.Minute) // by then all were to be opened
		if got := server.open.Load(); got != handshakes {
			t.Errorf("%d connections are being opened, want %d", got, handshakes)
		}
		close(server.done)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
