package client

import (
	"context"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// A connection that works is succeeded by another one before it, or its token, ends.
// Both bring frames for a while, so that nothing is missed between them: what is
// broadcast reaches every connection that was there when its audience was read, and a
// connection is there once its handshake is over.
const (
	// lingerFor is longer than a broadcast may take, 20 s, once its audience is read.
	lingerFor = 30 * time.Second

	// succeedAgain is after how long a failure to open a successor is tried again, on
	// average.
	succeedAgain = 20 * time.Second
)

// succeed opens a session beside one that works, and gives it, or nil if there is none.
// The session it gives is the receiver's to end.
func (c *Client) succeed(ctx context.Context, of *session, loops *sync.WaitGroup) <-chan *session {
	successor := make(chan *session)
	loops.Go(func() {
		next, err := c.dial(ctx, of)
		if err != nil {
			c.log.Warn().Err(err).Msg("the connection could not be replaced")
		} else {
			loops.Go(func() { next.broken <- c.read(ctx, next) })
		}
		select {
		case successor <- next:
		case <-ctx.Done():
			if next != nil {
				_ = next.ws.CloseNow()
			}
		}
	})
	return successor
}

// linger takes what still comes on a session that was succeeded: broadcasts that began
// before, answers to what was sent, and what is about to be sent. Then it ends it.
func (c *Client) linger(ctx context.Context, s *session) {
	defer close(s.done)
	end := c.clock.After(lingerFor)
	for {
		select {
		case frame := <-s.out:
			if c.write(ctx, s, frame) == nil {
				continue
			}
		case <-s.probe:
			continue
		case <-s.broken: //nolint:errcheck // how it ended is no concern any more
		case <-ctx.Done():
		case <-end:
		}
		_ = s.ws.Close(websocket.StatusNormalClosure, "") // best effort
		return
	}
}
