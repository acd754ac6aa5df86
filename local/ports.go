package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// How long a client may take for a request's headers and for all of it, how long
// it may keep a connection without one, and how long a request may go on when
// the server stops.
const (
	headerTimeout  = 10 * time.Second
	requestTimeout = time.Minute
	idleTimeout    = 5 * time.Minute
	requestGrace   = 2 * time.Second
)

// Network is where a server listens, and is reached.
type Network interface {
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// ports are the two ports and the HTTP servers on them.
type ports struct {
	main    net.Listener // of everything but the table
	table   net.Listener // nil with another DynamoDB
	servers []*http.Server
	running sync.WaitGroup
}

// listen takes both ports.
func (p *ports) listen(ctx context.Context, c Config) (err error) {
	if p.main, err = c.listen(ctx, c.Addr, "--addr"); err != nil {
		return err
	}
	if c.DynamoDBEndpoint != "" {
		return nil
	}
	p.table, err = c.listen(ctx, c.DynamoDBAddr, "--dynamodb-addr")
	return err
}

func (c Config) listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	listen := new(net.ListenConfig).Listen
	if c.Network != nil {
		listen = c.Network.Listen
	}
	listener, err := listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program; stop it, or choose another address with %s", addr, flag)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s, see %s: %w", addr, flag, err)
	}
	return listener, nil
}

// serve serves a port until stop. failed takes the error of one that ends before.
func (p *ports) serve(listener net.Listener, handler http.Handler, failed chan<- error) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, IdleTimeout: idleTimeout,
	}
	p.servers = append(p.servers, server)
	p.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	})
}

// stop ends both servers, or closes the ports if nothing serves them yet.
func (p *ports) stop(ctx context.Context) error {
	var errs []error
	for _, server := range p.servers {
		if err := shutdown(ctx, server); err != nil {
			errs = append(errs, fmt.Errorf("end the server: %w", err))
		}
	}
	if p.servers == nil {
		for _, listener := range []net.Listener{p.main, p.table} {
			if listener == nil {
				continue
			}
			if err := listener.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close the listener: %w", err))
			}
		}
	}
	p.running.Wait()
	return errors.Join(errs...)
}

// shutdown lets a server's requests end within requestGrace, then closes the
// connections of clients that do not send or read.
func shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, requestGrace)
	defer cancel()
	if err := server.Shutdown(ctx); ctx.Err() == nil {
		return err
	}
	return server.Close()
}

// unhurried gives a client requestTimeout for each part of a body instead of for all of
// it: S3 ends no upload that goes on, over however slow a network.
func unhurried(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = unhurriedBody{r.Body, http.NewResponseController(w)}
		serve(w, r)
	}
}

type unhurriedBody struct {
	io.ReadCloser
	connection *http.ResponseController
}

// Read implements io.Reader.
func (b unhurriedBody) Read(p []byte) (int, error) {
	if err := b.connection.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
		return 0, fmt.Errorf("wait for more of the request: %w", err)
	}
	return b.ReadCloser.Read(p)
}

// dialable returns an address that a client on this machine can dial: a server
// that listens on every address is reached on loopback.
func dialable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}
