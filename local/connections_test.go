package local_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

func unthrottled(d local.Deployment) local.Deployment {
	d.Unthrottled = true
	return d
}

// pairs are rooms of two users each, who chat.
type pairs struct {
	s     *rig.Rig
	rooms []string
	users [][2]*rig.Socket
}

func newPairs(s *rig.Rig, n int) *pairs {
	s.T.Helper()
	p := &pairs{s: s}
	for i := range n {
		a, b := fmt.Sprint("a-", i), fmt.Sprint("b-", i)
		p.rooms = append(p.rooms, s.Room(a, b))
		p.users = append(p.users, [2]*rig.Socket{s.Connect(a), s.Connect(b)})
	}
	return p
}

// chat has each room's first user send a message n times, and returns how long
// the second one waited for them, in order. Each must come.
func (p *pairs) chat(n int) []time.Duration {
	p.s.T.Helper()
	var waited []time.Duration
	for i := range n {
		for j, room := range p.rooms {
			content := fmt.Sprint("message ", i)
			began := time.Now()
			p.users[j][0].Send(room, content, "")
			if got := p.users[j][1].ExpectIn(room, wire.TypeMessage); got.Content != content {
				p.s.T.Errorf("room %d got %q, want %q", j, got.Content, content)
			}
			waited = append(waited, time.Since(began))
		}
	}
	slices.Sort(waited)
	return waited
}

func p99(sorted []time.Duration) time.Duration {
	return sorted[len(sorted)*99/100].Round(100 * time.Microsecond)
}

// One user's connections that come and go fast change one presence item. None is
// refused for that, and other rooms get their messages.
func TestConnect_ManyAtOnceOfOneUser(t *testing.T) {
	const workers, rounds = 30, 10
	s := start(t, local.Config{LogLevel: "warn", Wrap: unthrottled})
	others := newPairs(s, 4)
	alone := others.chat(rounds)

	token := s.Token("mallory", 0)
	ctx, stop := context.WithCancel(t.Context())
	var connected, refused atomic.Int64
	var churning sync.WaitGroup
	for range workers {
		churning.Go(func() {
			for ctx.Err() == nil {
				conn, response, err := websocket.Dial(t.Context(), s.WebSocketURL(), &websocket.DialOptions{
					Subprotocols: []string{"streamroom", token},
				})
				if err != nil {
					refused.Add(1)
					t.Errorf("connect: %v (%v)", err, response)
					return
				}
				connected.Add(1)
				_ = conn.Close(websocket.StatusNormalClosure, "")
			}
		})
	}
	beside := others.chat(rounds)
	stop()
	churning.Wait()
	rig.Eventually(t, "no connection of the user is left", func() bool {
		rows, entries := s.CountConnections("mallory")
		return rows == 2*len(others.rooms) && entries == 0
	})
	t.Logf("%d connections came and went; p99 of others %v without them, %v beside them", connected.Load(), p99(alone), p99(beside))
	if connected.Load() < workers || refused.Load() > 0 {
		t.Errorf("%d connections came, %d were refused; want %d at least, and none", connected.Load(), refused.Load(), workers)
	}
}
