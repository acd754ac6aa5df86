package client

import (
	"context"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

const (
	checkTimeout = 5 * time.Second // for any frame, after a sign that the connection may be dead
	watchEvery   = 5 * time.Second // compares the clocks
	clockJump    = 3 * time.Second // more than a timer is late on a busy machine

	// sleepJump is longer than what keeps an application's timers waiting that lies in the
	// background, and runs: a minute.
	sleepJump = 75 * time.Second
)

// tending is what one loop knows of the session that it serves. On a channel that is nil
// nothing comes.
type tending struct {
	c *Client
	s *session

	ping            <-chan time.Time
	idle            time.Duration    // without a frame, before the next ping; 0: whatever came
	overdue, silent <-chan time.Time // a pong, any frame
	before          int64            // frames, when it was probed

	ends      time.Time // it is to be succeeded by then
	planned   <-chan time.Time
	successor <-chan *session // is being opened
	next      *session        // is open, while it is asked if this one still works
	unasked   int             // pongs that answer pings from before that
}

func (c *Client) newTending(s *session) *tending {
	t := &tending{
		c: c, s: s,
		ends: c.clock.Now().Add(s.lifetime), planned: c.clock.After(s.lifetime),
	}
	if s.succeeds {
		t.idle = c.untilPing() // its predecessor is asked
	}
	t.ping = c.clock.After(t.idle)
	return t
}

// tend writes what there is to write, and pings. It returns the session that succeeds
// this one, if there is one, and why this one must end; nil if it works.
func (c *Client) tend(ctx context.Context, stop <-chan struct{}, s *session, loops *sync.WaitGroup) (*session, error) {
	t := c.newTending(s)
	defer c.watchClocks(s)()
	for {
		var frame []byte
		select {
		case err := <-s.broken:
			return t.next, err
		case <-stop:
			return t.next, errStopped
		case <-t.overdue:
			return t.next, errNoPong
		case <-t.silent:
			if s.frames.Load() == t.before {
				return t.next, errNoPong
			}
			t.silent = nil
		case <-s.pong:
			if t.answered() {
				return t.next, nil
			}
		case <-t.planned:
			t.begin(ctx, loops)
		case next := <-t.successor:
			frame = t.opened(next)
		case <-s.probe:
			t.probe()
		case <-t.ping:
			frame = t.due(ctx, loops)
		case frame = <-s.out:
		}
		if frame == nil {
			continue
		}
		if err := c.write(ctx, s, frame); err != nil {
			return t.next, err
		}
	}
}

// answered takes a pong. It reports whether that shows that the session worked when its
// successor was open.
func (t *tending) answered() bool {
	t.overdue = nil
	t.unasked--
	return t.next != nil && t.unasked < 0
}

// begin has a successor opened, once.
func (t *tending) begin(ctx context.Context, loops *sync.WaitGroup) {
	if t.successor == nil && t.next == nil {
		t.successor = t.c.succeed(ctx, t.s, loops)
	}
}

// opened takes a successor, and returns a ping to this session: if it is answered nothing
// was missed between the two. Where there is no successor this one goes on.
func (t *tending) opened(next *session) []byte {
	t.successor, t.next = nil, next
	if next == nil {
		t.planned = t.c.clock.After(t.c.jitter(succeedAgain))
	}
	t.unasked = 0
	if t.overdue != nil {
		t.unasked = 1
	}
	t.overdue = t.c.clock.After(pongTimeout)
	return pingFrame
}

// watchClocks has a session probed after the device slept, or its clock was set, until it
// is stopped. It compares the clocks beside the loop that tends the session, which has much
// to wait for: most often there is nothing to wake it for.
func (c *Client) watchClocks(s *session) (stop func()) {
	var mu sync.Mutex
	mu.Lock() // until timer is set
	defer mu.Unlock()
	var timer clockwork.Timer
	stopped, watched := false, c.wall()
	timer = c.clock.AfterFunc(watchEvery, func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		now := c.wall()
		jump := now.Sub(watched) - watchEvery
		if jump > sleepJump {
			c.inbox.slept() // before it is asked for a pong
		}
		if jump.Abs() > clockJump {
			signal(s.probe)
		}
		watched = now
		timer.Reset(watchEvery)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// probe has a ping sent at once, and any frame come soon. One of some seconds ago serves for
// this time, too, unless its pong may have come and the client has found since that it slept.
func (t *tending) probe() {
	if t.silent != nil && (t.s.frames.Load() == t.before || !t.c.inbox.hasSlept()) {
		return
	}
	t.before, t.silent, t.ping = t.s.frames.Load(), t.c.clock.After(checkTimeout), t.c.clock.After(0)
	t.idle = 0
}

// due returns a ping, or nil while frames came; one ping there must be, to name the
// connection when it is replaced. If no later one were due before the end,
// it has a successor opened, of which a ping is part.
func (t *tending) due(ctx context.Context, loops *sync.WaitGroup) []byte {
	c := t.c
	if quiet := time.Duration(c.clock.Now().UnixNano() - t.s.heard.Load()); quiet < t.idle && t.s.named() {
		t.ping = c.clock.After(t.idle - max(quiet, 0))
		return nil
	}
	t.idle = c.untilPing()
	t.ping = c.clock.After(t.idle)
	if c.clock.Until(t.ends) <= min(t.idle, t.s.lifetime/4) && t.silent == nil {
		t.begin(ctx, loops)
		return nil
	}
	if t.overdue == nil {
		t.overdue = c.clock.After(pongTimeout)
	}
	return pingFrame
}

// untilPing is how long to wait without a frame before the next ping.
func (c *Client) untilPing() time.Duration {
	return time.Duration(float64(c.pingEvery) * (1 + pingSpread*(2*c.random()-1)))
}
