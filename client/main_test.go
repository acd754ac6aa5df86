package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a client and its server in a synctest bubble: time is the bubble's, and
// stands still unless everyone waits.
type rig struct {
	*fake
	t      *testing.T
	client *client.Client
	cancel context.CancelFunc
	ran    chan error // Run's result

	// handle is called with every event, after it was recorded.
	handle func(context.Context, client.Event)

	mu     sync.Mutex
	events []client.Event
	calls  int // of the token callback
}

// bubble runs a test on a client that isn't running yet.
func bubble(t *testing.T, f func(*rig)) {
	t.Helper()
	bubbleWith(t, client.Options{}, f)
}

func bubbleWith(t *testing.T, o client.Options, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{fake: newFake(), t: t, ran: make(chan error, 1)}
		pipe := newPipe()
		server := &http.Server{Handler: r.handler(), ReadHeaderTimeout: time.Minute}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(pipe) })
		transport := &http.Transport{DialContext: pipe.dial}

		o.WebSocketURL, o.APIURL = "ws://fake/ws", "http://fake/api/"
		o.HTTPClient = &http.Client{Transport: transport}
		if o.Token == nil {
			o.Token = func(context.Context) (string, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.calls++
				return token(time.Time{}, strconv.Itoa(r.calls)), nil
			}
		}
		c, err := client.New(o)
		if err != nil {
			t.Fatal(err)
		}
		r.client = c
		defer func() {
			if r.cancel != nil {
				r.cancel()
				<-r.ran
			}
			r.cut()
			transport.CloseIdleConnections()
			_ = server.Close()
			serving.Wait()
		}()
		f(r)
	})
}

// run starts the client and waits until it's connected and calm.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel = cancel
	go func() {
		r.ran <- r.client.Run(ctx, func(ctx context.Context, e client.Event) {
			r.mu.Lock()
			r.events = append(r.events, e)
			r.mu.Unlock()
			if r.handle != nil {
				r.handle(ctx, e)
			}
		})
	}()
	r.pass(0)
}

// pass lets time go by, the bubble's, and then everyone finish what they do.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// follow makes the client follow a room, which exists.
func (r *rig) follow(room string) {
	r.t.Helper()
	r.fake.mu.Lock()
	if r.rooms[room] == nil {
		r.rooms[room] = nil
	}
	r.fake.mu.Unlock()
	if err := r.client.Follow(room); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func (r *rig) messages(room string) []client.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []client.Message
	for _, e := range r.events {
		if m, ok := e.(client.Message); ok && m.ChatRoomID == room {
			got = append(got, m)
		}
	}
	return got
}

// contents are what a room's messages say, in the order they came.
func (r *rig) contents(room string) string {
	return said(r.messages(room), func(m client.Message) string { return m.Content })
}

// said joins the contents of messages.
func said[M any](all []M, content func(M) string) string {
	var b strings.Builder
	for _, m := range all {
		b.WriteString(content(m) + " ")
	}
	return b.String()
}

func (r *rig) wantContents(room, want string) {
	r.t.Helper()
	if got := r.contents(room); got != want {
		r.t.Errorf("the messages of %s are %q, want %q", room, got, want)
	}
}

// states are the events about the connection.
func (r *rig) states() (connected []client.Connected, disconnected []client.Disconnected) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		switch e := e.(type) {
		case client.Connected:
			connected = append(connected, e)
		case client.Disconnected:
			disconnected = append(disconnected, e)
		}
	}
	return connected, disconnected
}

// sends counts the frames that clients sent with an action.
func (r *rig) sends(action string) int {
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	n := 0
	for _, f := range r.frames {
		if f.Action == action {
			n++
		}
	}
	return n
}

// code is the code of an error, or the error itself.
func code(err error) string {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// pipe is a listener whose connections are in memory, so that a bubble knows
// when no goroutine has anything to do.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "fake", Net: "pipe"} }
