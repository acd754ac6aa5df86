package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// MaxContent is the longest content of a message, in bytes.
	MaxContent = 16_384

	// ackTimeout is longer than the function behind a send may take.
	ackTimeout = 15 * time.Second

	// quietAfter is how long an ack may take before the connection is checked.
	quietAfter = 5 * time.Second

	// The server closes a connection that causes more than 20 refused frames a minute,
	// after a burst of 50. Sends that were refused are tried again more seldom: first
	// tries are not held back, and most of the burst is for them.
	refusalBurst = 10
	refusalEvery = 4 * time.Second
)

var (
	errLost  = errors.New("the connection was lost before the answer")
	errNoAck = errors.New("no answer in time")
)

// Send stores a message in a room and returns the server's ack of it. The
// message comes as a [Message] event too, before or after Send returns; their
// MessageID is the same.
//
// Send waits its turn: one message a room is under way at a time, and those of
// one room are stored in the order of the calls. It waits for a connection, and
// tries again what is worth it (the codes' table tells what) until ctx ends, so
// give it a deadline: a user over the rate limit may have to wait for up to an
// hour. A message is stored once however often it was tried: all attempts carry
// the same clientMessageId.
//
// Errors: *Error for a refusal, also of content that is empty, not UTF-8 or too
// large, which is not sent at all; ErrClosed; and ctx's, where the message may
// have been stored if an attempt was under way.
func (c *Client) Send(ctx context.Context, roomID, content string, options ...SendOption) (Ack, error) {
	frame := wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: roomID, Content: content, ClientMessageID: rand.Text(), Echo: &noEcho,
	}
	for _, option := range options {
		option(&frame)
	}
	encoded, err := encodeSend(frame)
	if err != nil {
		return Ack{}, err
	}
	p, err := c.outbox.enter(ctx, frame)
	if err != nil {
		return Ack{}, err
	}
	defer c.outbox.leave(p)

	for attempt := 0; ; attempt++ {
		ack, err := c.attempt(ctx, p, encoded)
		if err == nil {
			return ack, nil
		}
		if ctx.Err() != nil || !worthRetrying(err) {
			c.gaveUp(p, err)
			return Ack{}, fmt.Errorf("send to room %s: %w", roomID, err)
		}
		c.log.Debug().Err(err).Str("room", roomID).Int("attempt", attempt).Msg("send again")
		if errors.Is(err, errLost) {
			continue // connecting has pauses of its own
		}
		pause := c.backoff(attempt) + retryAfter(err)
		if isCode(err, CodeRateLimited) {
			pause += c.outbox.pace(c.clock.Now())
		}
		select {
		case ack := <-p.acked:
			return ack, nil
		case <-c.clock.After(pause):
		case <-ctx.Done():
			c.gaveUp(p, err)
			return Ack{}, fmt.Errorf("send to room %s: %w, the last attempt: %w", roomID, ctx.Err(), err)
		}
	}
}

// SendOption changes what [Client.Send] and [Client.PostOnce] send.
type SendOption func(*wire.ClientFrame)

// WithAttachments gives a message files that [Client.Attach] has uploaded, at most
// [MaxAttachments]. Its content may be empty.
func WithAttachments(attachmentIDs ...string) SendOption {
	return func(f *wire.ClientFrame) {
		f.Attachments = append(f.Attachments, attachmentIDs...)
		if len(f.Attachments) > 0 {
			f.Echo = nil // only the server knows what the files are called
		}
	}
}

// InReplyTo makes a message the answer to another one of its room, whose beginning its
// readers get with it.
func InReplyTo(messageID string) SendOption {
	return func(f *wire.ClientFrame) {
		f.ReplyTo = messageID
		f.Echo = nil // only the server knows what that one says
	}
}

// MaxMentions is how many users a message may mention.
const MaxMentions = 20

// Mentioning has a message mention members of its room, at most [MaxMentions]. The server
// refuses it, with CodeNotFound, if one is not a member.
func Mentioning(userIDs ...string) SendOption {
	return func(f *wire.ClientFrame) {
		f.Mentions = append(f.Mentions, userIDs...)
		if len(f.Mentions) > 0 {
			f.Echo = nil // only the server knows the normal form of their ids
		}
	}
}

// gaveUp has the room synced if the message may be stored: no frame will tell.
func (c *Client) gaveUp(p *pending, err error) {
	var refusal *Error
	refused := errors.As(err, &refusal) && !refusal.Retryable()
	if p.tried && !refused {
		c.inbox.doubt(p.room)
	}
}

// noEcho asks for no frame of a message beside its ack.
var noEcho = false

// attempt sends a frame on the next connection there is and waits for the
// answer. A refusal that ends the connection becomes errLost.
func (c *Client) attempt(ctx context.Context, p *pending, frame []byte) (Ack, error) {
	s, err := c.connection(ctx)
	if err != nil {
		return Ack{}, err
	}
	select {
	case late := <-p.refused: // the answer to an earlier attempt
		c.log.Debug().Str("code", late.Code).Msg("a second refusal was ignored")
	default:
	}
	out := s.out
	var timeout, quiet <-chan time.Time
	for {
		select {
		case out <- frame:
			p.tried = true
			out, timeout, quiet = nil, c.clock.After(ackTimeout), c.clock.After(quietAfter)
		case ack := <-p.acked:
			return ack, nil
		case refusal := <-p.refused:
			if !refusal.endsConnection() {
				return Ack{}, refusal
			}
			out, timeout, quiet = nil, nil, nil // s is about to be done
		case <-s.done:
			return Ack{}, errLost
		case <-quiet:
			signal(s.probe)
		case <-timeout:
			return Ack{}, errNoAck
		case <-ctx.Done():
			return Ack{}, ctx.Err()
		}
	}
}

func worthRetrying(err error) bool {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Retryable()
	}
	return errors.Is(err, errLost) || errors.Is(err, errNoAck)
}

// encodeSend encodes a frame, or refuses what the server would surely refuse.
func encodeSend(f wire.ClientFrame) ([]byte, error) {
	switch {
	case !roomID.MatchString(f.ChatRoomID):
		return nil, refuse(CodeInvalidRequest, "a room id has 1 to 128 of the characters A-Z a-z 0-9 _ . @ -")
	case f.Content == "" && len(f.Attachments) == 0:
		return nil, refuse(CodeInvalidRequest, "invalid content: want at least one character, got none")
	case len(f.Attachments) > MaxAttachments:
		return nil, refuse(CodeInvalidRequest, "invalid attachments: want at most %d, got %d", MaxAttachments, len(f.Attachments))
	case len(f.Mentions) > MaxMentions:
		return nil, refuse(CodeInvalidRequest, "invalid mentions: want at most %d, got %d", MaxMentions, len(f.Mentions))
	case len(f.Content) > MaxContent:
		return nil, refuse(CodeTooLarge, "invalid content: want at most %d bytes, got %d", MaxContent, len(f.Content))
	case !utf8.ValidString(f.Content) || strings.ContainsRune(f.Content, utf8.RuneError):
		return nil, refuse(CodeInvalidRequest, "invalid content: want valid UTF-8")
	}
	encoded, err := wire.Encode(f)
	if err != nil {
		return nil, err
	}
	if len(encoded) > wire.MaxFrame {
		return nil, refuse(CodeTooLarge, "the message has %d bytes once encoded; at most %d are allowed", len(encoded), wire.MaxFrame)
	}
	return encoded, nil
}

// outbox knows the sends that are under way.
type outbox struct {
	mu      sync.Mutex
	sends   map[string]*pending // those under way, by clientMessageId
	lanes   map[string]*lane    // rooms with sends under way or waiting
	open    int                 // sends under way or waiting
	closing bool
	idle    chan struct{} // closed when closing and none is open
	paced   time.Time     // moves on by refusalEvery with each refusal, see pace
}

// lane lets one send of a room through at a time, in order.
type lane struct {
	turn  chan struct{} // holds a token while the turn is free
	users int
}

// pending is a send under way.
type pending struct {
	id      string // clientMessageId
	room    string
	content string // "" of a message that comes as a frame
	tried   bool   // it was sent at least once; read and written by Send alone
	acked   chan Ack
	refused chan *Error
}

func newOutbox() *outbox {
	return &outbox{sends: map[string]*pending{}, lanes: map[string]*lane{}, idle: make(chan struct{})}
}

// enter waits for the room's turn.
func (o *outbox) enter(ctx context.Context, f wire.ClientFrame) (*pending, error) {
	room := f.ChatRoomID
	l, err := o.queue(room)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.turn:
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		o.unqueue(room)
		return nil, fmt.Errorf("send to room %s: wait for the message before: %w", room, ctx.Err())
	}
	p := &pending{
		id: f.ClientMessageID, room: room, content: f.Content, acked: make(chan Ack, 1), refused: make(chan *Error, 1),
	}
	if f.Echo == nil {
		p.content = ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sends[p.id] = p
	return p, nil
}

func (o *outbox) queue(room string) (*lane, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return nil, ErrClosed
	}
	o.open++
	l := o.lanes[room]
	if l == nil {
		l = &lane{turn: make(chan struct{}, 1)}
		l.turn <- struct{}{}
		o.lanes[room] = l
	}
	l.users++
	return l, nil
}

func (o *outbox) unqueue(room string) {
	l := o.lanes[room]
	if l.users--; l.users == 0 {
		delete(o.lanes, room)
	}
	if o.open--; o.open == 0 && o.closing {
		close(o.idle)
	}
}

// leave ends a send and lets the room's next one through.
func (o *outbox) leave(p *pending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.sends, p.id)
	o.lanes[p.room].turn <- struct{}{}
	o.unqueue(p.room)
}

// contentOf returns what a send under way sends, "" if none has the id.
func (o *outbox) contentOf(id string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.sends[id]; p != nil {
		return p.content
	}
	return ""
}

// acked settles a send.
func (o *outbox) acked(a Ack) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.sends[a.ClientMessageID]; p != nil {
		select {
		case p.acked <- a:
		default: // settled already
		}
	}
}

// refused answers a send. A refusal that doesn't tell which send it means is
// for all of them: to send again is harmless.
func (o *outbox) refused(id string, e *Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.sends {
		if id != "" && id != p.id {
			continue
		}
		select {
		case p.refused <- e:
		default:
		}
	}
}

// pace is how much longer than the server asks a send waits that was refused at now. It
// is more than 0 when sends of the client's rooms are refused more often than
// refusalEvery, after a burst.
func (o *outbox) pace(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if earliest := now.Add(-refusalBurst * refusalEvery); o.paced.Before(earliest) {
		o.paced = earliest
	}
	o.paced = o.paced.Add(refusalEvery)
	return max(0, o.paced.Sub(now))
}

// drain refuses new sends and waits for those under way.
func (o *outbox) drain(ctx context.Context) error {
	o.mu.Lock()
	if !o.closing {
		o.closing = true
		if o.open == 0 {
			close(o.idle)
		}
	}
	o.mu.Unlock()
	select {
	case <-o.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for messages under way: %w", ctx.Err())
	}
}
