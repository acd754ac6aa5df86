package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// network is what one device reaches the server by. It breaks in the two ways in
// which networks break: a connection is reset, or says nothing any more. A client of
// this process dials by it; one of another process by the relay in front of it.
type network struct {
	transport *http.Transport
	dialer    dialer
	away      atomic.Bool // it reaches nothing
	tab       *tab        // of the device's application, which reads nothing while it is frozen; nil: it never is

	mu    sync.Mutex
	links map[*link]struct{}

	relay   net.Listener // nil: there is none
	relayed sync.WaitGroup
}

// errAway is the error of a network that reaches nothing.
var errAway = errors.New("the network is down")

// dialer is a *net.Dialer, or a network in memory.
type dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

func newNetwork(by dialer) *network {
	n := &network{dialer: by, links: map[*link]struct{}{}}
	n.transport = &http.Transport{DialContext: n.dial}
	return n
}

func (n *network) dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	if n.away.Load() {
		return nil, errAway
	}
	conn, err := n.dialer.DialContext(ctx, kind, addr)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: conn, network: n, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[l] = struct{}{}
	return l, nil
}

// listen starts a relay to an address, and says where it listens.
func (n *network) listen(ctx context.Context, server string) (addr string, err error) {
	var config net.ListenConfig
	if n.relay, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("listen for a browser: %w", err)
	}
	always := context.WithoutCancel(ctx)
	n.relayed.Go(func() {
		for {
			conn, err := n.relay.Accept()
			if err != nil {
				return // it was closed
			}
			n.relayed.Go(func() { n.pass(always, conn, server) })
		}
	})
	return n.relay.Addr().String(), nil
}

// pass relays one connection. It ends when either side does, in the same way.
func (n *network) pass(ctx context.Context, near net.Conn, server string) {
	defer near.Close()
	far, err := n.dial(ctx, "tcp", server)
	if err != nil {
		reset(near)
		return
	}
	both := sync.WaitGroup{}
	for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
		both.Go(func() {
			if _, err := io.Copy(to, from); err != nil {
				reset(near)
			}
			_ = near.Close() // closed already, after the other direction's end
			_ = far.Close()
		})
	}
	both.Wait()
}

// close ends the relay.
func (n *network) close() {
	if n.relay != nil {
		_ = n.relay.Close() // best effort
		n.cut()
		n.relayed.Wait()
	}
}

// leave has the network reach nothing until it is back.
func (n *network) leave() {
	n.away.Store(true)
	n.cut()
}

// back ends that, and reports whether the network was away.
func (n *network) back() bool { return n.away.Swap(false) }

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

// deafen has nothing come by the connections that are open; what is written arrives.
func (n *network) deafen() {
	for _, l := range n.open() {
		l.deaf.Store(true)
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
	deaf    atomic.Bool
	once    sync.Once
	closed  chan struct{}
}

// Read gives what comes, and nothing from a silent connection.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.network.tab.awaitThawed()
	if l.silent.Load() || l.deaf.Load() {
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
	reset(l.Conn)
	_ = l.Close()
}

func reset(conn net.Conn) {
	if memory, ok := conn.(interface{ Reset() }); ok {
		memory.Reset()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails on a closed connection
	}
	_ = conn.Close()
}
