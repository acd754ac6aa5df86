package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/jonboulle/clockwork"
)

// The ways in which a gateway ends a connection.
var (
	goingAway      = closeStatus{1001, "Going away"}                 // idle, too old, or the gateway stops
	deletedByAPI   = closeStatus{1000, "Connection Closed Normally"} // DELETE on @connections
	protocolError  = closeStatus{1002, "Protocol error"}
	networkDropped = closeStatus{1006, ""} // never on the wire: what $disconnect is told
)

// noStatusReason is the reason in $disconnect after a close frame without a code.
const noStatusReason = "Client-side close frame status not set"

// closeGrace is how long a client may take to read what is queued for it and
// to answer a close frame, before the network is closed under it.
const closeGrace = 5 * time.Second

// frameOverhead is what a queued frame counts beside its bytes, so that empty
// frames fill a send buffer too.
const frameOverhead = 64

var (
	errGone       = errors.New("the connection is gone")
	errBufferFull = errors.New("the client's send buffer is full")
)

// connection is one client. Its reader goroutine, which starts with the 101 and
// runs $disconnect at the end, is all that an idle connection costs; a writer
// goroutine exists while there is something to write. So a client that reads
// slowly delays no other: its frames wait in its queue until that is full.
type connection struct {
	api         *WebSocketAPI
	id          string
	domain      string
	identity    identity
	connectedAt time.Time

	wire       *wire
	ws         *websocket.Conn
	lastActive atomic.Int64 // ns since 1970

	// mu is held while the 101 is written, so anyone who finds the connection
	// waits for that.
	mu      sync.Mutex
	timer   clockwork.Timer // looks at the idle and age limits, then at closeGrace
	queue   net.Buffers     // frames not written yet
	queued  int             // their size and that of those being written
	writing bool            // a writer goroutine exists
	closing bool            // the gateway closes: the queue is flushed, then the close frame sent
	ended   bool            // the client closed or the network failed: nothing is written any more
	status  closeStatus     // the first reason to end
	writer  sync.WaitGroup
}

// open answers 101 and starts the reader.
func (c *connection) open(w http.ResponseWriter, r *http.Request) {
	a := c.api
	c.mu.Lock()
	defer c.mu.Unlock()
	a.mu.Lock()
	a.connections[c.id] = c
	a.mu.Unlock()

	c.wire = &wire{}
	c.lastActive.Store(a.c.Clock.Now().UnixNano())
	c.timer = a.c.Clock.AfterFunc(idleTimeout, c.checkLimits)
	var err error
	c.ws, err = websocket.Accept(hijacker{w, c.wire}, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // of the Origin header: API Gateway takes any
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		// $connect has run, so $disconnect has to.
		c.ended, c.status = true, networkDropped
		a.functions.running.Go(c.finish)
		return
	}
	c.ws.SetReadLimit(-1) // the wire counts
	if a.functions.stopped() {
		c.closeLocked(goingAway)
	}
	a.functions.running.Go(c.read)
	a.c.Log.Debug().Str("connectionId", c.id).Msg("connection open")
}

// read takes messages until the connection ends, and sees to its end.
func (c *connection) read() {
	for {
		// A connection outlives the request that it came with.
		_, reader, err := c.ws.Reader(context.Background())
		var body []byte
		if err == nil {
			body, err = io.ReadAll(reader)
		}
		if err != nil {
			c.stopReading(err)
			c.finish()
			return
		}
		c.receive(string(body))
	}
}

// stopReading notes why nothing more can be read.
func (c *connection) stopReading(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var received websocket.CloseError
	switch {
	case c.closing: // on our own account; err says no more than that
	case c.wire.refused != nil:
		c.closeLocked(*c.wire.refused)
	case errors.As(err, &received):
		c.ended, c.status = true, closeStatus{int(received.Code), received.Reason}
		if received.Code == websocket.StatusNoStatusRcvd {
			c.status.reason = noStatusReason
		}
	case c.wire.failed || errors.Is(err, net.ErrClosed):
		c.ended, c.status = true, networkDropped
		c.drop() // a client may have closed its side only, with the writer waiting for it to read
	default:
		c.closeLocked(protocolError)
	}
}

// finish waits for the writer, forgets the connection and runs $disconnect.
func (c *connection) finish() {
	c.writer.Wait()
	c.timer.Stop()
	if c.ws != nil {
		_ = c.ws.CloseNow() // what it returns is why it is closed already
	}
	a := c.api
	a.mu.Lock()
	delete(a.connections, c.id)
	a.mu.Unlock()
	a.c.Log.Debug().Str("connectionId", c.id).Int("code", c.status.code).Msg("connection closed")

	route, ok := a.routes[disconnectRoute]
	if !ok || a.c.DropDisconnect != nil && a.c.DropDisconnect(c.id) {
		return
	}
	a.functions.start(func() {
		event := c.disconnectEvent(c.status)
		payload, err := json.Marshal(event)
		if err != nil {
			a.logFailure(route, event.RequestContext, err)
			return
		}
		a.functions.call(route.Function, payload, func(_ []byte, err error) {
			if err != nil {
				a.logFailure(route, event.RequestContext, err)
			}
		})
	})
}

// alive reports whether the connection can be used.
func (c *connection) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closing && !c.ended
}

// checkLimits closes a connection that is too old or idle, and cuts one off
// whose client doesn't let it close.
func (c *connection) checkLimits() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if c.closing {
		c.drop()
		return
	}
	now := c.api.c.Clock.Now()
	left := min(
		c.connectedAt.Add(lifetime).Sub(now),
		time.Unix(0, c.lastActive.Load()).Add(idleTimeout).Sub(now),
	)
	if left <= 0 {
		c.closeLocked(goingAway)
		return
	}
	c.timer.Reset(left)
}

// close ends the connection from the gateway's side: what is queued goes out,
// then a close frame. Further calls change nothing.
func (c *connection) close(status closeStatus) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.ended {
		return errGone
	}
	c.closeLocked(status)
	return nil
}

func (c *connection) closeLocked(status closeStatus) {
	if c.closing || c.ended {
		return
	}
	c.closing, c.status = true, status
	c.timer.Reset(closeGrace)
	c.startWriter()
}

// abort is drop for callers that do not know whether the 101 was written.
func (c *connection) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		c.drop()
	}
}

// drop closes the network; the reader notices.
func (c *connection) drop() {
	_ = c.wire.Close() // whatever it says, nothing is left to do
}

// send queues an encoded frame. It never waits for the client: the error is
// errBufferFull when too much waits already, errGone when the connection ends.
func (c *connection) send(frame []byte) error {
	if see := c.api.c.Sent; see != nil {
		see(payloadOf(frame))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.ended {
		return errGone
	}
	size := len(frame) + frameOverhead
	if c.queued > 0 && c.queued+size > c.api.c.SendBuffer {
		return errBufferFull
	}
	c.queue = append(c.queue, frame)
	c.queued += size
	c.lastActive.Store(c.api.c.Clock.Now().UnixNano())
	c.startWriter()
	return nil
}

// startWriter sees to it that there is a writer. c.mu is held.
func (c *connection) startWriter() {
	if !c.writing {
		c.writing = true
		c.writer.Go(c.write)
	}
}

// write sends what is queued, and the close frame if that is due, and ends.
func (c *connection) write() {
	var written int
	for {
		c.mu.Lock()
		c.queued -= written
		frames := c.queue
		c.queue = nil
		if len(frames) == 0 || c.ended {
			c.writing = false
			closing, status := c.closing, c.status
			c.mu.Unlock()
			if closing {
				// An error means that the network went first.
				_ = c.ws.Close(websocket.StatusCode(status.code), status.reason)
			}
			return
		}
		c.mu.Unlock()
		written = 0
		for _, frame := range frames {
			written += len(frame) + frameOverhead
		}
		if err := c.wire.writeFrames(frames); err != nil {
			c.drop()
		}
	}
}
