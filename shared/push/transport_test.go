package push

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamroom/streamroom/shared/http1"
)

func TestPush_OverTLS(t *testing.T) {
	t.Parallel()
	f := &fake{}
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = countNew(&opened)
	server.StartTLS()
	t.Cleanup(server.Close)
	p := newPusher(t, Config{Endpoint: server.URL + "/local"})
	direct, ok := p.transport.(*http1.Transport)
	if !ok {
		t.Skip("the environment names a proxy")
	}
	post := func() Delivery { return p.Push(t.Context(), postsTo("a"))[0] }
	direct.TLS.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs //nolint:forcetypeassert // it is one
	for range 2 {
		if got := summary(post()); got != "delivered after 1" {
			t.Error(got)
		}
	}
	if opened.Load() != 1 {
		t.Errorf("%d connections, want 1", opened.Load())
	}
	p.CloseIdleConnections()
	direct.TLS.ServerName = "elsewhere.example"
	if r := post(); r.Outcome != Undelivered {
		t.Errorf("another host's certificate was taken: %+v", r)
	}
}

func TestPush_PassesOverInformation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPusher(t, Config{Transport: overPipes(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusGone)
		}))})
		if got := summary(p.Push(t.Context(), postsTo("a"))[0]); got != "gone after 1" {
			t.Error(got)
		}
	})
}

func TestConnectionsAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		direct, opened := overPipes(t, &fake{}), 0
		dial := direct.Dial
		direct.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			opened++
			return dial(ctx, network, address)
		}
		p := newPusher(t, Config{Transport: direct})
		for _, test := range []struct {
			pause  time.Duration
			opened int
		}{{0, 1}, {idleTime, 1}, {idleTime + time.Second, 2}} {
			<-time.After(test.pause) // of the bubble's time
			if got := summary(p.Push(t.Context(), postsTo("a"))[0]); got != "delivered after 1" || opened != test.opened {
				t.Errorf("after %v: %s, %d connections opened, want %d", test.pause, got, opened, test.opened)
			}
		}
	})
}
