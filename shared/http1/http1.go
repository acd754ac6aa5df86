// Package http1 makes requests over HTTP/1.1 without goroutines and with few allocations,
// for functions that make many small ones to one host.
package http1

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// Transport makes requests to one host, over kept connections of HTTP/1.1. net/http's has
// two goroutines for each connection, which a request wakes one after the other; here a
// request is written, and its answer read, by the goroutine that waits for it. So nothing
// watches a kept connection: that it has ended shows at the next request, which goes out
// once more. It knows no proxy, and follows no redirect.
//
// Its fields are set before the first request.
type Transport struct {
	TLS     *tls.Config // nil: none
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	MaxIdle int           // connections that are kept
	Idle    time.Duration // for how long

	// Timeout is how long a request may take, from dialling to the answer's last byte.
	// 0: until its context ends.
	Timeout time.Duration

	address string // host:port

	mu   sync.Mutex
	idle []*conn // the one used last is the last
}

// conn is a connection, with one request under way at most.
type conn struct {
	net.Conn
	in    *bufio.Reader
	out   []byte
	since time.Time // when it was kept
}

// New returns a Transport to the host of a URL. Dialling takes as long as is said at most.
func New(to *url.URL, dialling time.Duration) *Transport {
	t := &Transport{address: to.Host, Dial: (&net.Dialer{Timeout: dialling}).DialContext, MaxIdle: 10, Idle: time.Minute}
	if to.Port() == "" {
		t.address = net.JoinHostPort(to.Hostname(), to.Scheme)
	}
	if to.Scheme == "https" {
		t.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: to.Hostname(), NextProtos: []string{"http/1.1"}}
	}
	return t
}

// RoundTrip implements http.RoundTripper, for requests that may be sent twice.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var deadline time.Time
	if t.Timeout > 0 {
		deadline = time.Now().Add(t.Timeout)
	}
	return t.RoundTripBy(req, deadline)
}

// RoundTripBy is RoundTrip with a deadline in place of Timeout, from dialling to the
// answer's last byte; the zero time is none. It costs less than a context with one.
func (t *Transport) RoundTripBy(req *http.Request, deadline time.Time) (*http.Response, error) {
	defer req.Body.Close()
	for c := t.kept(); ; c = nil {
		again := c != nil
		if c == nil {
			var err error
			if c, err = t.open(req.Context(), deadline); err != nil {
				return nil, err
			}
		}
		resp, silent, err := t.exchange(c, req, deadline)
		if err == nil || !again || !silent || req.Context().Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return resp, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// kept returns a kept connection, nil if there is none.
func (t *Transport) kept() *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) == 0 {
		return nil
	}
	last := len(t.idle) - 1
	c := t.idle[last]
	if time.Since(c.since) > t.Idle {
		t.closeIdle() // the others are older
		return nil
	}
	t.idle = t.idle[:last]
	return c
}

func (t *Transport) keep(c *conn) {
	c.since = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle) == t.MaxIdle {
		_ = c.Close() // it has done its work
		return
	}
	t.idle = append(t.idle, c)
}

// CloseIdleConnections closes the kept connections.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeIdle()
}

func (t *Transport) closeIdle() {
	for i, c := range t.idle {
		_ = c.Close() // it has done its work
		t.idle[i] = nil
	}
	t.idle = t.idle[:0]
}

func (t *Transport) open(ctx context.Context, deadline time.Time) (*conn, error) {
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	network, err := t.Dial(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	if t.TLS != nil {
		secure := tls.Client(network, t.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, network.Close())
		}
		network = secure
	}
	return &conn{Conn: network, in: bufio.NewReader(network)}, nil
}

// exchange writes a request and reads the answer's head. silent means that nothing of an
// answer came. The connection is kept when the answer has been read, or closed.
func (t *Transport) exchange(c *conn, req *http.Request, deadline time.Time) (resp *http.Response, silent bool, err error) {
	_ = c.SetDeadline(deadline) // a connection that is closed needs none
	stop := context.AfterFunc(req.Context(), func() {
		_ = c.SetDeadline(time.Unix(1, 0)) // a connection that is closed needs none
	})
	if c.out, err = appendRequest(c.out[:0], req); err != nil {
		t.end(c, stop, false) // nothing was sent
		return nil, false, fmt.Errorf("read the request's body: %w", err)
	}
	_, err = c.Write(c.out)
	// After a failed write there may be an answer, to what had arrived by then.
	_, reading := c.in.Peek(1)
	if reading != nil {
		t.end(c, stop, false)
		return nil, true, errors.Join(err, reading)
	}
	for resp == nil || resp.StatusCode < http.StatusOK {
		if resp, reading = http.ReadResponse(c.in, req); reading != nil {
			t.end(c, stop, false)
			return nil, false, fmt.Errorf("read the answer: %w", reading)
		}
	}
	closing := resp.Close || err != nil
	if resp.Body == http.NoBody {
		t.end(c, stop, !closing)
		return resp, false, nil
	}
	resp.Body = &exchanged{t: t, c: c, body: resp.Body, close: closing, stop: stop}
	return resp, false, nil
}

// appendRequest appends a request with its body, whose length is known, so that it takes
// one write.
func appendRequest(dst []byte, req *http.Request) ([]byte, error) {
	dst = append(dst, req.Method...)
	dst = append(dst, ' ')
	if path := req.URL.RawPath; path != "" && req.URL.RawQuery == "" {
		dst = append(dst, path...) // as it is
	} else {
		dst = append(dst, req.URL.RequestURI()...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, cmp.Or(req.Host, req.URL.Host)...)
	dst = append(dst, "\r\n"...)
	if req.Method == http.MethodPost {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, req.ContentLength, 10)
		dst = append(dst, "\r\n"...)
	}
	for name, values := range req.Header {
		if name == "Content-Length" || name == "Host" {
			continue
		}
		for _, value := range values {
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, value...)
			dst = append(dst, "\r\n"...)
		}
	}
	dst = append(dst, "\r\n"...)
	head, length := len(dst), int(req.ContentLength)
	dst = append(dst, make([]byte, length)...)
	_, err := io.ReadFull(req.Body, dst[head:])
	return dst, err
}

// exchanged is the body of an answer.
type exchanged struct {
	t     *Transport
	c     *conn // nil when this has ended
	body  io.ReadCloser
	close bool // the connection is not to be kept
	stop  func() bool
}

// Read implements io.Reader.
func (a *exchanged) Read(p []byte) (int, error) {
	if a.c == nil {
		return 0, io.EOF
	}
	n, err := a.body.Read(p)
	if err != nil {
		a.end(errors.Is(err, io.EOF) && !a.close)
	}
	return n, err
}

// Close implements io.Closer. It ends the connection unless the answer was read to its
// end.
func (a *exchanged) Close() error {
	if a.c != nil {
		a.end(false)
	}
	return nil
}

func (a *exchanged) end(keep bool) {
	a.t.end(a.c, a.stop, keep)
	a.c = nil
}

// end ends an exchange, whose context nothing watches from then on.
func (t *Transport) end(c *conn, stop func() bool, keep bool) {
	if stop() && keep && c.in.Buffered() == 0 { // what is behind an answer is of no request
		t.keep(c)
		return
	}
	_ = c.Close() // what it says of the network changes nothing
}
