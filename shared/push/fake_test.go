package push

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/streamroom/streamroom/shared/http1"
)

var testCredentials = credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "session")

// answer is what the fake service sends back.
type answer struct {
	status  int
	errType string // the X-Amzn-ErrorType header, none if empty
	body    string
}

// The answers as the service gives them.
var (
	ok        = answer{status: 200}
	gone      = answer{status: 410, errType: "GoneException"}
	throttled = answer{status: 429, errType: "LimitExceededException"}
	failed    = answer{status: 500}
)

// request is what the fake service got, as it was on the wire.
type request struct {
	method, uri, host string
	header            http.Header
	length            int64
	body              string
}

// fake is an @connections service of stage local. Its handler says what
// becomes of a post by connection id and by how many posts that connection had
// before.
type fake struct {
	answer func(r *http.Request, id string, before int) answer

	mu       sync.Mutex
	requests []request
	count    map[string]int
}

// hang blocks until the client gives up.
func hang(r *http.Request) answer {
	<-r.Context().Done()
	return ok
}

// script returns a handler that gives each connection its answers in turn, the
// last one from then on, and 200 to connections it has no answers for.
func script(answers map[string][]answer) func(*http.Request, string, int) answer {
	return func(_ *http.Request, id string, before int) answer {
		script := answers[id]
		if len(script) == 0 {
			return ok
		}
		return script[min(before, len(script)-1)]
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id := r.URL.Path[len("/local"+connectionsPath):]
	f.mu.Lock()
	if f.count == nil {
		f.count = map[string]int{}
	}
	before := f.count[id]
	f.count[id]++
	f.requests = append(f.requests, request{r.Method, r.RequestURI, r.Host, r.Header, r.ContentLength, string(body)})
	f.mu.Unlock()

	a := ok
	if f.answer != nil {
		a = f.answer(r, id, before)
	}
	if a.errType != "" {
		w.Header().Set("X-Amzn-ErrorType", a.errType)
	}
	w.Header().Set("X-Amzn-Requestid", "request-1")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// got returns the requests so far.
func (f *fake) got() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// overLoopback serves the fake over TCP and returns a Pusher to it.
func overLoopback(t *testing.T, f *fake) *Pusher {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return newPusher(t, Config{Endpoint: server.URL + "/local"})
}

// overPipes serves the fake over in-memory connections, which a synctest bubble
// can wait for, and returns a transport to it.
func overPipes(t *testing.T, f http.Handler) *http1.Transport {
	t.Helper()
	direct := http1.New(&url.URL{Scheme: "http", Host: "127.0.0.1:8080"}, PostTimeout)
	direct.Dial = servePipes(t, f)
	t.Cleanup(direct.CloseIdleConnections)
	return direct
}

// sdkOverPipes is overPipes by net/http's transport, which the SDK's client has.
func sdkOverPipes(t *testing.T, f http.Handler) *http.Transport {
	t.Helper()
	proxied := newProxied()
	proxied.DialContext = servePipes(t, f)
	t.Cleanup(proxied.CloseIdleConnections)
	return proxied
}

// servePipes returns how the fake is dialled.
func servePipes(t *testing.T, f http.Handler) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	listener := pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: PostTimeout,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return listener.dial
}

func newPusher(t *testing.T, c Config) *Pusher {
	t.Helper()
	if c.Endpoint == "" {
		c.Endpoint = "http://127.0.0.1:8080/local"
	}
	c.Region = "eu-central-1"
	c.Credentials = testCredentials
	if c.Random == nil {
		c.Random = func() float64 { return 1 } // the shortest pauses
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.CloseIdleConnections)
	return p
}

// pipeListener accepts the server's ends of net.Pipe.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }
