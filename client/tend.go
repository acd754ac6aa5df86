package client

import (
	"context"
	"sync"
	"time"
)

const (
	checkTimeout = 5 * time.Second // for any frame, after a sign that the connection may be dead
	watchEvery   = 5 * time.Second // compares the clocks
	clockJump    = 3 * time.Second // more than a timer is late on a busy machine
)

// tending is what one loop knows of the session that it serves. A channel that is nil
// is waited for in vain.
type tending struct {
	c *Client
	s *session

	ping            <-chan time.Time
	idle            time.Duration    // without a frame, before the next ping; 0: whatever came
	overdue, silent <-chan time.Time // a pong, any frame
	before          int64            // frames, when it was probed
	watch           <-chan time.Time
	watched         time.Time

	ends      time.Time // it is to be succeeded by then
	planned   <-chan time.Time
	successor <-chan *session
}

func (c *Client) newTending(s *session) *tending {
	t := &tending{
		c: c, s: s, watch: c.clock.After(watchEvery), watched: c.wall(),
		ends: c.clock.Now().Add(s.lifetime), planned: c.clock.After(s.lifetime),
	}
	if s.succeeds {
		t.idle = c.untilPing() // its predecessor has just answered one
	}
	t.ping = c.clock.After(t.idle)
	return t
}

// tend writes what there is to write, and pings. It returns the session that is to
// succeed this one, which works, or why this one must end.
func (c *Client) tend(ctx context.Context, stop <-chan struct{}, s *session, loops *sync.WaitGroup) (*session, error) {
	t := c.newTending(s)
	for {
		var frame []byte
		select {
		case err := <-s.broken:
			return nil, err
		case <-stop:
			return nil, errStopped
		case <-t.overdue:
			return nil, errNoPong
		case <-t.silent:
			if s.frames.Load() == t.before {
				return nil, errNoPong
			}
			t.silent = nil
		case <-s.pong:
			if t.answered() {
				t.successor = c.succeed(ctx, s, loops)
			}
		case <-t.planned: // once it is known to work
			t.probe()
		case next := <-t.successor:
			if next != nil {
				return next, nil
			}
			t.successor, t.planned = nil, c.clock.After(c.jitter(succeedAgain))
		case <-t.watch:
			t.compareClocks()
		case <-s.probe:
			t.probe()
		case <-t.ping:
			frame = t.due()
		case frame = <-s.out:
		}
		if frame == nil {
			continue
		}
		if err := c.write(ctx, s, frame); err != nil {
			return nil, err
		}
	}
}

// answered takes a pong. It reports whether the session, which works, is to be
// succeeded now: no later ping is due before its end.
func (t *tending) answered() bool {
	t.overdue = nil
	return t.successor == nil && t.c.clock.Until(t.ends) <= min(t.c.untilPing(), t.s.lifetime/4)
}

// compareClocks probes after the device slept, or its clock was set.
func (t *tending) compareClocks() {
	if jump := t.c.wall().Sub(t.watched) - watchEvery; jump.Abs() > clockJump {
		signal(t.s.probe)
	}
	t.watch, t.watched = t.c.clock.After(watchEvery), t.c.wall()
}

// probe has a ping sent at once, and any frame come soon.
func (t *tending) probe() {
	if t.silent != nil {
		return
	}
	t.before, t.silent, t.ping = t.s.frames.Load(), t.c.clock.After(checkTimeout), t.c.clock.After(0)
	t.idle = 0
}

// due returns a ping, or nil while frames came.
func (t *tending) due() []byte {
	c := t.c
	if quiet := time.Duration(c.clock.Now().UnixNano() - t.s.heard.Load()); quiet < t.idle {
		t.ping = c.clock.After(t.idle - max(quiet, 0))
		return nil
	}
	t.idle = c.untilPing()
	t.ping = c.clock.After(t.idle)
	if t.overdue == nil {
		t.overdue = c.clock.After(pongTimeout)
	}
	return pingFrame
}

// untilPing is how long to wait without a frame before the next ping.
func (c *Client) untilPing() time.Duration {
	return time.Duration(float64(c.pingEvery) * (1 + pingSpread*(2*c.random()-1)))
}
