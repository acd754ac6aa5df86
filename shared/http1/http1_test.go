package http1_test

import (
	"errors"
	"io"
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
