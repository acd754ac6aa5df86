package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// network is what one device reaches the server by. It breaks in the two ways
// in which networks break: a connection is reset, or says nothing any more.
type network struct {
	transport *http.Transport

	mu    sync.Mutex
	links map[*link]struct{}
}

func newNetwork() *network {
	n := &network{links: map[*link]struct{}{}}
	n.transport = &http.Transport{DialContext: n.dial}
	return n
}

func (n *network) dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, kind, addr)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: conn, network: n, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[l] = struct{}{}
	return l, nil
}

func (n *network) open() []*link {
	n.mu.Lock()
	defer n.mu.Unlock()
	links := make([]*link, 0, len(n.links))
	for l := range n.links {
		links = append(links, l)
	}
	return links
}

// cut resets all connections.
func (n *network) cut() {
	for _, l := range n.open() {
		l.reset()
	}
}

// partition makes all connections that are open say nothing any more, without
// either side noticing. heal ends them.
func (n *network) partition() {
	for _, l := range n.open() {
		l.silent.Store(true)
	}
}

// heal resets the connections that were silenced, as a network does that has
// come back and forgot them.
func (n *network) heal() {
	for _, l := range n.open() {
		if l.silent.Load() {
			l.reset()
		}
	}
}

// link is one connection.
type link struct {
	net.Conn
	network *network
	silent  atomic.Bool
	once    sync.Once
	closed  chan struct{}
}

// Read gives what comes, and nothing from a silent connection.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.silent.Load() {
		<-l.closed
		return 0, net.ErrClosed
	}
	return n, err
}

// Write loses what is written to a silent connection.
func (l *link) Write(p []byte) (int, error) {
	if l.silent.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

// Close ends the connection.
func (l *link) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.links, l)
	})
	return l.Conn.Close()
}

// reset ends it without saying goodbye.
func (l *link) reset() {
	if tcp, ok := l.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails on a closed connection
	}
	_ = l.Close()
}
