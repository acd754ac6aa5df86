package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
)

const (
	backoffBase = 500 * time.Millisecond
	backoffCap  = 30 * time.Second

	defaultBacklog = 50

	// The gateway ends connections that are idle for ten minutes. A ping is sent
	// pingSpread earlier or later, so after 8.5 to 9 minutes without a frame.
	defaultPingEvery = 8*time.Minute + 45*time.Second
	minPingEvery     = 10 * time.Second
	maxPingEvery     = defaultPingEvery
	pingSpread       = 1.0 / 35
)

// Options configure a Client. WebSocketURL, APIURL and Token are required.
type Options struct {
	// WebSocketURL is the gateway's address with its stage, such as
	// wss://abc.execute-api.eu-central-1.amazonaws.com/prod. Without it there is no Run,
	// Send and Typing: that is for a service, which makes requests and has no connection.
	WebSocketURL string

	// APIURL is the HTTP API's address, such as http://127.0.0.1:8080/api.
	APIURL string

	// Token returns a JWT of the user, or of the service, which may do what a method is said to
	// be for owners alone, too. It is called for each connection, and for
	// an HTTP request when the last token has ended or was refused. Calls may
	// overlap. A failure is tried again like one to connect.
	Token func(ctx context.Context) (string, error)

	// Backlog is with how many of its newest messages a room begins, 1 to
	// MaxPage; 0 means 50.
	Backlog int

	// PingEvery is after how long without a frame a ping is sent, on average, 10 s to
	// 8.75 min; 0 means 8.75 min. A connection that died without a sign is noticed by the
	// next one; docs/operations.md has the price.
	PingEvery time.Duration

	// HTTPClient makes the requests and handshakes. The default is
	// http.DefaultClient.
	HTTPClient *http.Client

	// Clock is the device's clock, which may be wrong by any time, for tests. The default
	// is the system's.
	Clock clockwork.Clock

	// Logger takes what happens to the connection. It never gets tokens or
	// content. The default logs nothing.
	Logger zerolog.Logger
}

// Client is one user's connection to Streamroom. Its methods are safe for
// concurrent use.
type Client struct {
	url     string
	api     string
	backlog int
	http    *http.Client
	log     zerolog.Logger
	clock   clockwork.Clock
	random  func() float64 // from 0 to 1
	wall    func() time.Time

	pingEvery time.Duration

	tokens *tokens
	inbox  *inbox
	outbox *outbox

	woken    chan struct{} // Wake was called without a connection
	started  atomic.Bool
	quit     chan struct{} // closed by Close
	quitOnce sync.Once
	offline  chan struct{} // closed when Run won't connect any more

	mu      sync.Mutex
	current *session      // nil: none is open
	changed chan struct{} // closed when current changes

	typed     map[string]time.Time // by room: when the server was last told that the user types
	typingOff bool
}

// New returns a Client, which connects when Run is called. It fails if an
// option is missing or wrong.
func New(o Options) (*Client, error) {
	var ws string
	var err error
	if o.WebSocketURL != "" {
		if ws, err = address("WebSocketURL", o.WebSocketURL, "ws", "wss"); err != nil {
			return nil, err
		}
	}
	api, err := address("APIURL", o.APIURL, "http", "https")
	if err != nil {
		return nil, err
	}
	if o.Token == nil {
		return nil, errors.New("client: invalid Token: want a function that returns a JWT, got nil")
	}
	if o.Backlog < 0 || o.Backlog > MaxPage {
		return nil, fmt.Errorf("client: invalid Backlog: want 1 to %d, or 0 for %d, got %d", MaxPage, defaultBacklog, o.Backlog)
	}
	if o.Backlog == 0 {
		o.Backlog = defaultBacklog
	}
	if o.PingEvery == 0 {
		o.PingEvery = defaultPingEvery
	}
	if o.PingEvery < minPingEvery || o.PingEvery > maxPingEvery {
		return nil, fmt.Errorf("client: invalid PingEvery: want %v to %v, or 0 for %v, got %v", minPingEvery, maxPingEvery, defaultPingEvery, o.PingEvery)
	}
	if o.HTTPClient == nil {
		o.HTTPClient = http.DefaultClient
	}
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	clock := o.Clock
	c := &Client{
		url: ws, api: api, backlog: o.Backlog, http: o.HTTPClient, log: o.Logger, clock: clock,
		random: rand.Float64,
		// Without the monotonic reading, which stands still while some systems sleep.
		wall:      func() time.Time { return clock.Now().Round(0) },
		pingEvery: o.PingEvery,
		woken:     make(chan struct{}, 1),
		tokens:    &tokens{get: o.Token, clock: clock},
		outbox:    newOutbox(),
		quit:      make(chan struct{}),
		offline:   make(chan struct{}),
		changed:   make(chan struct{}),
		typed:     map[string]time.Time{},
	}
	c.inbox = newInbox(clock, c.jitter, o.Logger)
	return c, nil
}

// address checks a URL and drops its trailing slashes.
func address(option, raw string, schemes ...string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != schemes[0] && u.Scheme != schemes[1]) {
		return "", fmt.Errorf("client: invalid %s: want a %s:// or %s:// URL, got %q", option, schemes[0], schemes[1], raw)
	}
	return strings.TrimRight(raw, "/"), nil
}

// Run connects, stays connected, and calls handle for each event, one after the
// other, on the goroutine that called Run. It returns nil after Close and ctx's
// error when ctx ends first. Of what happens to the connection one thing ends it:
// an Error with CodeReplaced, when the user has opened more connections than the
// server keeps; to reconnect unasked would replace another of them. So does one with
// CodeDisconnected, when a service or an operator has ended the user's connections. A
// client runs once.
//
// When ctx ends, Run closes the connection and returns; what waits to be
// handled or sent is given up. To wait for it, use Close.
//
// handle may call any method of the client. While it is busy up to 1,024 events
// wait. Messages beyond these are left where they are, in the room's history,
// and are fetched when half of the queue is handled: a slow handler gets
// messages later, never fewer. Changes of membership, readers, names of rooms and
// CatchUpFailed are then left out, and of several changes of the connection only the last one comes.
func (c *Client) Run(ctx context.Context, handle func(context.Context, Event)) error {
	if c.url == "" {
		return errors.New("client: invalid WebSocketURL: want one for Run, got none")
	}
	if !c.started.CompareAndSwap(false, true) {
		return errors.New("client: Run was called twice")
	}
	rctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() {
		select {
		case <-c.quit:
			cancel()
		case <-rctx.Done():
		}
	})
	var final error // why there will be no further connection; set before events end
	background.Go(func() {
		defer c.inbox.events.close()
		defer close(c.offline)
		final = c.stayConnected(rctx)
	})
	for {
		e, ok := c.inbox.events.pop(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !ok {
			return final
		}
		handle(ctx, e)
	}
}

// Close ends Run: it refuses new sends, waits for those under way, and closes
// the connection. Events that wait are still handled, then Run returns nil. If
// ctx ends first, the messages under way are given up and an error says so.
func (c *Client) Close(ctx context.Context) error {
	err := c.outbox.drain(ctx)
	c.quitOnce.Do(func() { close(c.quit) })
	if !c.started.Load() {
		return err
	}
	select {
	case <-c.offline:
	case <-ctx.Done():
	}
	return err
}

// Follow makes the client keep up with a room from its newest messages on: the
// backlog comes first, then what is new, and nothing is left out. A room that
// the client learns of by itself, because someone writes there or adds the
// user, is followed too; Follow is for those that are quiet, and for those that
// are shown: their newest messages, as many as the backlog, are read again after
// a reconnect and after what the server left out, for changes that were missed; at
// once, if that was before the first Follow.
// If the user is not a member, MemberLeft with the user's own id says so.
// CatchUpFailed says that the history can't be had for now.
func (c *Client) Follow(room string) error {
	if !roomID.MatchString(room) {
		return refuse(CodeInvalidRequest, "a room id has 1 to 128 of the characters A-Z a-z 0-9 _ . @ -")
	}
	c.inbox.open(room)
	return nil
}

// connection waits for a session.
func (c *Client) connection(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, changed := c.current, c.changed
		c.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-changed:
		case <-c.quit:
			return nil, ErrClosed
		case <-c.offline:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a connection: %w", ctx.Err())
		}
	}
}

func (c *Client) setConnection(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = s
	close(c.changed)
	c.changed = make(chan struct{})
}

// backoff is the pause after a failed attempt, counted from 0: full jitter, so
// that clients which failed together don't come back together.
func (c *Client) backoff(attempt int) time.Duration {
	limit := min(backoffCap, backoffBase<<min(attempt, 16))
	return time.Duration(float64(limit) * c.random())
}

// jitter is a time around d, up to a quarter off.
func (c *Client) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + 0.5*c.random()))
}

// sleep waits for d. It reports false if ctx ends first.
func (c *Client) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-c.clock.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) timeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return clockwork.WithTimeout(ctx, c.clock, d)
}
