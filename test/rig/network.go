package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Network is a network in memory: servers listen and clients dial as on a machine's
// loopback, without a socket. Everything that waits in it waits for a sync.Cond or a
// timer, so a whole Streamroom on one may run in a bubble of testing/synctest, whose
// time goes on when all wait. It is local.Config's Network.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	lastPort  uint16
}

// NewNetwork returns a network on which nothing listens.
func NewNetwork() *Network {
	return &Network{listeners: map[string]*listener{}, lastPort: 1024}
}

// port gives an address without a port one that was not given before. n.mu is held.
func (n *Network) port(address string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return at, fmt.Errorf("invalid address %q in a network in memory: want one such as 127.0.0.1:0: %w", address, err)
	}
	if at.Port() == 0 {
		n.lastPort++
		at = netip.AddrPortFrom(at.Addr(), n.lastPort)
	}
	return at, nil
}

// Listen is net.ListenConfig's.
func (n *Network) Listen(_ context.Context, _, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, err := n.port(address)
	if err != nil {
		return nil, err
	}
	if n.listeners[at.String()] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{network: n, at: at, accepted: make(chan net.Conn, backlog), closed: make(chan struct{})}
	n.listeners[at.String()] = l
	return l, nil
}

// backlog is how many connections may wait to be accepted.
const backlog = 128

// DialContext is net.Dialer's.
func (n *Network) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	from, err := n.port("127.0.0.1:0")
	n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, errRefused
	}
	near, far := newConns(net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(l.at))
	select {
	case l.accepted <- far:
		return near, nil
	case <-l.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

type listener struct {
	network  *Network
	at       netip.AddrPort
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, l.at.String())
		close(l.closed)
	})
	for { // those that no one will accept
		select {
		case c := <-l.accepted:
			_ = c.Close() // it never fails
		default:
			return nil
		}
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

// conn is one end of a connection.
type conn struct {
	local, remote net.Addr
	in, out       *stream
}

func newConns(client, server net.Addr) (near, far *conn) {
	up, down := newStream(), newStream()
	return &conn{client, server, down, up}, &conn{server, client, up, down}
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close implements net.Conn. What was written can still be read at the other end.
func (c *conn) Close() error {
	c.in.end(errReset, net.ErrClosed)
	c.out.end(net.ErrClosed, nil)
	return nil
}

// Reset ends the connection as a network does that breaks: what is under way is lost.
func (c *conn) Reset() {
	c.in.end(errReset, net.ErrClosed)
	c.out.end(net.ErrClosed, errReset)
}

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.limit(&c.in.reading, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.limit(&c.out.writing, t)
	return nil
}
