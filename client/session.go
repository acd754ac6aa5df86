package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/shared/wire"
)

const (
	subprotocol = "streamroom"

	dialTimeout  = 30 * time.Second
	writeTimeout = 10 * time.Second
	pongTimeout  = 15 * time.Second // longer than the function behind a ping may take
	maxLifetime  = 2 * time.Hour    // at which the gateway ends every connection
	minLifetime  = 10 * time.Second // bounds the reconnects with tokens that end at once
	stableAfter  = time.Minute      // a connection that lived this long was a good one

	// readLimit is the gateway's for a message; our own server stays below
	// wire.MaxFrame.
	readLimit = 128 << 10
)

var (
	errStopped = errors.New("the client is stopping")
	errNoPong  = errors.New("no answer to a ping")
)

// session is one connection, from handshake to close.
type session struct {
	ws       *websocket.Conn
	lifetime time.Duration
	succeeds bool          // another one, which works
	id       string        // the server's name of it, once it is ready
	out      chan []byte   // frames to write
	probe    chan struct{} // the connection may be dead: asks for a ping
	frames   atomic.Int64  // received
	heard    atomic.Int64  // when the last one was, ns since 1970
	pong     chan struct{} // a pong came
	ready    chan struct{} // closed at the first pong
	broken   chan error    // the reader has ended
	done     chan struct{} // closed when the session is over
}

// stayConnected keeps one session after the other open until ctx ends, or newer
// connections of the user have replaced one, or it was ended by a service or an operator:
// then it returns that refusal.
func (c *Client) stayConnected(ctx context.Context) error {
	for attempt := 0; ctx.Err() == nil; {
		began := c.clock.Now()
		err := c.connect(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // a session that ctx ended has not failed
		}
		if refusal := (*Error)(nil); errors.As(err, &refusal) && refusal.endsClient() {
			c.inbox.events.pushState(Disconnected{Err: err})
			return err
		}
		if c.clock.Since(began) >= stableAfter {
			attempt = 0
		}
		pause := c.backoff(attempt)
		attempt++
		c.log.Info().Err(err).Dur("retryIn", pause).Msg("disconnected")
		c.inbox.events.pushState(Disconnected{Err: err, RetryIn: pause})
		select {
		case <-c.clock.After(pause):
		case <-c.woken:
		case <-ctx.Done():
		}
	}
	return nil
}

// connect opens a session and serves it, and those that succeed one another while they
// work, to the end of the last. It returns why that came.
func (c *Client) connect(ctx context.Context) error {
	first, err := c.dial(ctx, nil)
	if err != nil {
		return err
	}
	// Frames are read until the close handshake is through, also when ctx ends.
	sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	c.inbox.reconnected()
	var loops sync.WaitGroup
	loops.Go(func() { first.broken <- c.read(sctx, first) })
	loops.Go(func() {
		select {
		case <-first.ready:
			c.catchUp(sctx)
		case <-sctx.Done():
		}
	})
	loops.Go(func() { c.discover(sctx) })
	s := first
	for {
		c.setConnection(s)
		next, ended := c.tend(sctx, ctx.Done(), s, &loops)
		if next == nil || errors.Is(ended, errStopped) {
			if next != nil {
				_ = next.ws.CloseNow()
			}
			err = ended
			break
		}
		if ended != nil { // before the next one was there, for all that is known
			c.log.Info().Err(ended).Msg("the connection was replaced when it had ended")
			c.inbox.reconnected()
			_ = s.ws.CloseNow()
			close(s.done)
		} else {
			before := s
			loops.Go(func() { c.linger(sctx, before) })
		}
		s = next
	}
	c.setConnection(nil)
	var refusal *Error
	if errors.Is(err, errStopped) || errors.As(err, &refusal) {
		_ = s.ws.Close(websocket.StatusNormalClosure, "") // best effort
	} else {
		_ = s.ws.CloseNow()
	}
	cancel()
	loops.Wait()
	close(s.done)
	return err
}

// dial gets a token and opens a connection with it, which may succeed another one.
func (c *Client) dial(ctx context.Context, of *session) (*session, error) {
	address, err := url.Parse(c.url)
	if err != nil {
		return nil, err // which New would have refused
	}
	if of != nil && of.named() {
		query := address.Query()
		query.Set("replaces", of.id)
		address.RawQuery = query.Encode()
	}
	ctx, cancel := c.timeout(ctx, dialTimeout)
	defer cancel()
	token, err := c.tokens.fresh(ctx)
	if err != nil {
		return nil, err
	}
	ws, resp, err := websocket.Dial(ctx, address.String(), &websocket.DialOptions{ //nolint:bodyclose // Dial says there's no need to
		HTTPClient:   c.http,
		Subprotocols: []string{subprotocol, token.raw},
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, handshakeError(resp.StatusCode)
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	if got := ws.Subprotocol(); got != subprotocol {
		_ = ws.CloseNow()
		return nil, fmt.Errorf("connect: the gateway selected the subprotocol %q: want %q; browsers close such a connection too", got, subprotocol)
	}
	c.tokens.answered(resp.Header)
	ws.SetReadLimit(readLimit)
	return &session{
		ws:       ws,
		lifetime: c.lifetime(token),
		succeeds: of != nil,
		out:      make(chan []byte),
		probe:    make(chan struct{}, 1),
		pong:     make(chan struct{}, 1),
		ready:    make(chan struct{}),
		broken:   make(chan error, 1),
		done:     make(chan struct{}),
	}, nil
}

// named reports whether the server has told the connection's id.
func (s *session) named() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// handshakeError is the answer to a handshake that is no WebSocket's. Where no
// gateway listens, a web server may answer that all is well.
func handshakeError(status int) *Error {
	message := "the server refused the connection: " + http.StatusText(status)
	if status < http.StatusMultipleChoices || status == http.StatusNotFound {
		message = fmt.Sprintf("answered %d, no WebSocket here: does WebSocketURL end in the stage?", status)
	}
	return &Error{Code: statusCode(status), Message: message, Status: status}
}

// lifetime is how long to keep a connection that was accepted: most of what it or
// its token has, and not the same for all clients. A token that seems to have ended
// was accepted all the same, so it is the client's time that is wrong.
func (c *Client) lifetime(of accessToken) time.Duration {
	life := maxLifetime
	if left, known := c.tokens.remaining(of); known && left > 0 {
		life = min(life, left)
	}
	return max(minLifetime, time.Duration(float64(life)*(0.80+0.15*c.random())))
}

// Wake tells the client that the device or its user gave a sign of a connection that
// may be dead, or is wanted: the network changed, the device woke up, the application
// came to the foreground. An open connection is pinged and replaced if no frame comes
// within 5 s; a pause before the next attempt ends. The client notices by itself when
// the device slept, as far as its clock tells, and when a send gets no answer.
func (c *Client) Wake() {
	c.mu.Lock()
	s := c.current
	c.mu.Unlock()
	if s != nil {
		signal(s.probe)
	} else {
		signal(c.woken)
	}
}

var pingFrame = []byte(`{"action":"` + wire.ActionPing + `"}`)

func (c *Client) write(ctx context.Context, s *session, frame []byte) error {
	ctx, cancel := c.timeout(ctx, writeTimeout)
	defer cancel()
	if err := s.ws.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// read takes frames until the connection ends, or an *Error says that it should.
func (c *Client) read(ctx context.Context, s *session) error {
	for {
		kind, data, err := s.ws.Read(ctx)
		s.frames.Add(1)
		s.heard.Store(c.clock.Now().UnixNano())
		if closed := (websocket.CloseError{}); errors.As(err, &closed) {
			return fmt.Errorf("the server closed the connection (%d %s)", closed.Code, closed.Reason)
		}
		if err != nil {
			return fmt.Errorf("the connection was lost: %w", err)
		}
		if kind != websocket.MessageText {
			c.log.Warn().Msg("a binary frame was dropped")
			continue
		}
		var f wire.ServerFrame
		if err := json.Unmarshal(data, &f); err != nil {
			c.log.Warn().Msg("a frame that is no JSON object was dropped")
			continue
		}
		if err := c.receive(s, f); err != nil {
			return err
		}
	}
}

// receive takes one frame.
func (c *Client) receive(s *session, f wire.ServerFrame) error {
	if f.Type != wire.TypeTyping { // it tells of no message
		c.inbox.came(f)
	}
	switch f.Type {
	case wire.TypeBatch:
		return c.receiveBatch(s, f.Frames)
	case wire.TypeMessage:
		c.inbox.message(f)
		c.outbox.acked(ackOf(f)) // as good as an ack, should that get lost
	case wire.TypeAck:
		c.inbox.acked(f, c.outbox.contentOf(f.ClientMessageID))
		c.outbox.acked(ackOf(f))
	case wire.TypePong:
		c.receivePong(s, f)
	case wire.TypeGap:
		c.inbox.gap(f.ChatRoomID)
	case wire.TypeMemberJoined:
		c.inbox.joined(f.ChatRoomID, f.UserID)
	case wire.TypeMemberLeft:
		c.inbox.left(f.ChatRoomID, f.UserID)
	case wire.TypeMemberChanged:
		changed := MemberChanged{ChatRoomID: f.ChatRoomID, UserID: f.UserID, Role: f.Role, MutedUntil: f.MutedUntil, At: f.At}
		c.inbox.note(changed, f.ChatRoomID)
	case wire.TypeNotifyChanged:
		c.inbox.note(NotifyChanged{ChatRoomID: f.ChatRoomID, Notify: f.Notify, At: f.At}, f.ChatRoomID)
	case wire.TypeMessageEdited, wire.TypeMessageDeleted:
		c.inbox.change(f)
	case wire.TypeRead:
		read := Read{ChatRoomID: f.ChatRoomID, UserID: f.UserID, From: f.From, UpTo: f.UpTo, Since: f.Since, Known: f.Known}
		c.inbox.note(read, f.ChatRoomID)
	case wire.TypeReactions:
		c.inbox.reacted(Reacted{ChatRoomID: f.ChatRoomID, MessageID: f.MessageID, Version: f.Version, Counts: f.Counts, Changed: f.Changed})
	case wire.TypeTyping:
		c.inbox.hint(Typing{ChatRoomID: f.ChatRoomID, UserID: f.UserID, At: f.At})
	case wire.TypePresence:
		c.inbox.hint(Presence{UserID: f.UserID, Online: f.Online, At: f.At, LastSeenAt: f.LastSeenAt})
	case wire.TypeRoomChanged:
		c.inbox.note(RoomChanged{ChatRoomID: f.ChatRoomID, Name: f.Name}, f.ChatRoomID)
	case wire.TypeError:
		if f.Action == wire.ActionTyping {
			c.log.Info().Str("code", f.Code).Str("room", f.ChatRoomID).Msg("the server did not take that the user types")
			return nil
		}
		return c.receiveError(f.ClientMessageID, &Error{Code: f.Code, Message: f.Message, RetryAfter: milliseconds(f.RetryAfter), Until: f.Until})
	case "": // the gateway's own
		return c.receiveError("", &Error{Code: CodeInternal, Message: f.Message})
	default:
		c.log.Debug().Str("type", f.Type).Msg("a frame of an unknown type was dropped")
	}
	return nil
}

func (c *Client) receiveBatch(s *session, frames []json.RawMessage) error {
	for _, raw := range frames {
		var f wire.ServerFrame
		if err := json.Unmarshal(raw, &f); err != nil || f.Type == wire.TypeBatch {
			c.log.Warn().Msg("an entry of a batch that is not a frame was dropped")
			continue
		}
		if err := c.receive(s, f); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) receivePong(s *session, f wire.ServerFrame) {
	defer signal(s.pong)
	c.receiveOff(f.Off)
	first := false
	select {
	case <-s.ready:
	default:
		first = true
		s.id = f.ConnectionID
		c.log.Info().Str("connection", f.ConnectionID).Dur("lifetime", s.lifetime).Msg("connected")
		defer close(s.ready)
	}
	if first && !s.succeeds {
		c.inbox.online(Connected{ConnectionID: f.ConnectionID, UserID: f.UserID}, f.ChangedAt)
	} else {
		c.inbox.changed(f.ChangedAt)
	}
}

// receiveError takes a refusal. One that doesn't tell which frame it answers is
// taken as the answer to all of them if they might pass at another time, else
// it isn't about them.
func (c *Client) receiveError(clientMessageID string, e *Error) error {
	if clientMessageID != "" || e.Retryable() {
		c.outbox.refused(clientMessageID, e)
	}
	if e.endsConnection() {
		return e
	}
	if clientMessageID == "" {
		c.log.Warn().Str("code", e.Code).Msg("the server refused a frame")
	}
	return nil
}

func ackOf(f wire.ServerFrame) Ack {
	var replaced *string
	if f.Type == wire.TypeAck && f.Content != "" {
		replaced = &f.Content
	}
	return Ack{
		Type: wire.TypeAck, ChatRoomID: f.ChatRoomID, MessageID: f.MessageID, Timestamp: f.Timestamp,
		ClientMessageID: f.ClientMessageID, Duplicate: f.Duplicate, PreviousMessageID: f.PreviousMessageID,
		Content: replaced, ReplyTo: f.ReplyTo, ExpiresAt: f.ExpiresAt,
	}
}
