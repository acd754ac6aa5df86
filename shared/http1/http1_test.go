package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/shared/http1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// to returns a Transport to a server that answers by a handler.
func to(t *testing.T, handle http.HandlerFunc) (*http1.Transport, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := http1.New(u, time.Minute)
	t.Cleanup(transport.CloseIdleConnections)
	return transport, server
}

func do(t *testing.T, transport *http1.Transport, method, target, body string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Test", "one")
	r.Header.Set("Content-Length", "7") // what net/http leaves out, too
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func TestTransport_CarriesRequests(t *testing.T) {
	var addresses []string
	transport, server := to(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		addresses = append(addresses, r.RemoteAddr)
		_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.RequestURI, r.Host, r.Header.Get("X-Test"), string(body)}, " "))
	})
	host := strings.TrimPrefix(server.URL, "http://")
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "/a%2Fb?c=d%20e", strings.Repeat("x", 9_000), "POST /a%2Fb?c=d%20e " + host + " one " + strings.Repeat("x", 9_000)},
		{"POST", "", "{}", "POST / " + host + " one {}"},
		{"POST", "/", "", "POST / " + host + " one "},
		{"GET", "/a%2Fb", "", "GET /a%2Fb " + host + " one "},
	} {
		if got, err := do(t, transport, test.method, server.URL+test.path, test.body); got != test.want || err != nil {
			t.Errorf("%s %s: got %q, %v", test.method, test.path, got, err)
		}
	}
	for _, address := range addresses {
		if address != addresses[0] {
			t.Errorf("requests came over %v, want one connection", addresses)
		}
	}
}

// A request that takes too long fails, and is not sent again: the server may be at work on
// it. One on a connection that the server has ended is sent over another.
func TestTransport_Timeout(t *testing.T) {
	var requests atomic.Int64
	hanging, release := atomic.Bool{}, make(chan struct{})
	transport, server := to(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests.Add(1)
		if hanging.Load() {
			<-release
		}
	})
	transport.Timeout = time.Minute
	if _, err := do(t, transport, "POST", server.URL, "{}"); err != nil {
		t.Fatal(err)
	}
	hanging.Store(true)
	transport.Timeout = 50 * time.Millisecond
	_, err := do(t, transport, "POST", server.URL, "{}") // over the connection that was kept
	if !errors.Is(err, os.ErrDeadlineExceeded) || requests.Load() > 2 {
		t.Errorf("got %v after %d requests, want a timeout of the second", err, requests.Load())
	}
	close(release)
	hanging.Store(false)
	transport.Timeout = time.Minute
	for range 2 { // over a new connection, and over another when that one has ended
		if _, err := do(t, transport, "POST", server.URL, "{}"); err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
	}
}

// A deadline ends one request, and not the next over the same connection.
func TestTransport_RoundTripBy(t *testing.T) {
	addresses := map[string]bool{}
	transport, server := to(t, func(_ http.ResponseWriter, r *http.Request) { addresses[r.RemoteAddr] = true })
	request := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	soon := time.Now().Add(time.Minute)
	for _, deadline := range []time.Time{soon, {}, soon} {
		resp, err := transport.RoundTripBy(request(), deadline)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body != http.NoBody {
			t.Errorf("an empty answer has the body %v", resp.Body)
		}
	}
	if len(addresses) != 1 {
		t.Errorf("%d connections, want 1", len(addresses))
	}
	resp, err := transport.RoundTripBy(request(), time.Now().Add(-time.Second))
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
}

// A request whose body ends early is not sent, and waits for no answer.
func TestTransport_ShortBody(t *testing.T) {
	transport, server := to(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, io.MultiReader(strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 3
	if _, err := transport.RoundTrip(r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// Answers of all forms are read, and what is behind them is not.
func TestTransport_Answers(t *testing.T) {
	big := strings.Repeat("y", 5_000)
	for _, test := range []struct {
		raw, body string
		status    int
		broken    bool
		kept      bool // the connection
	}{
		{raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-amzn-requestid:  a b \r\n\r\n{}", body: "{}", status: 200, kept: true},
		{raw: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200, kept: true},
		{raw: "HTTP/1.1 404 Not Found\r\nContent-Length: 5000\r\nConnection: keep-alive\r\n\r\n" + big, body: big, status: 404, kept: true},
		{raw: "HTTP/1.1 410 Gone\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", body: "{}", status: 410},
		{raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", body: "{}", status: 200, kept: true},
		{raw: "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", body: "{}", status: 200, kept: true},
		{raw: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, kept: true},
		{raw: "HTTP/1.1 200 OK\r\n\r\nto the end", body: "to the end", status: 200},
		{raw: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", body: "{}", status: 200},
		{raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore", body: "{}", status: 200},
		{raw: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", broken: true},
		{raw: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", broken: true},
		{raw: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", broken: true},
		{raw: "HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\n{}", broken: true},
		{raw: "SSH-2.0\r\n\r\n", broken: true},
	} {
		transport := http1.New(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, time.Minute)
		dialled := 0
		transport.Dial = func(context.Context, string, string) (net.Conn, error) {
			dialled++
			near, far := net.Pipe()
			go answerAll(far, test.raw)
			return near, nil
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:1/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r.Body, _ = r.GetBody()
			resp, err := transport.RoundTrip(r)
			var body []byte
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if test.broken {
				if err == nil {
					t.Errorf("%q is read: %q", test.raw, body)
				}
				continue
			}
			if err != nil || string(body) != test.body || resp.StatusCode != test.status {
				t.Errorf("%q: got %+v with %q, %v", test.raw, resp, body, err)
			} else if id := resp.Header.Get("X-Amzn-Requestid"); strings.Contains(test.raw, "requestid") && id != "a b" {
				t.Errorf("%q: got the header %q", test.raw, id)
			}
		}
		if want := map[bool]int{true: 1, false: 2}[test.kept]; dialled != want {
			t.Errorf("%q: %d connections, want %d", test.raw, dialled, want)
		}
		transport.CloseIdleConnections()
	}
}

// answerAll gives one answer to each request of a connection. It ends the connection where
// the answer says so, or has no other end.
func answerAll(c net.Conn, raw string) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if _, err := io.WriteString(c, raw); err != nil {
			return
		}
		if strings.Contains(raw, "to the end") || strings.Contains(raw, ": 9") || strings.Contains(raw, "close") {
			return
		}
	}
}
