package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// chatPatience is how long a test waits for what should come soon.
const chatPatience = time.Minute

// startLocal runs a Streamroom in memory on free ports.
func startLocal(t *testing.T) *local.Server {
	t.Helper()
	t.Cleanup(func() { // after the server has stopped
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t)
	})
	return rig.Start(t, local.Config{LogLevel: "error"}).Server
}

// person is a user who chats in a terminal.
type person struct {
	t      *testing.T
	typed  *io.PipeWriter
	shown  *screen // stdout
	status *screen // stderr
	stop   context.CancelFunc
	done   chan error
}

func sitDown(t *testing.T, args ...string) *person {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	keyboard, typed := io.Pipe()
	p := &person{t: t, typed: typed, shown: newScreen(), status: newScreen(), stop: cancel, done: make(chan error, 1)}
	go func() {
		_, err := execute(ctx, append([]string{"chat"}, args...), keyboard, p.shown, p.status)
		p.done <- err
	}()
	t.Cleanup(func() {
		cancel()
		_ = typed.Close()
	})
	return p
}

func (p *person) types(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.typed, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) sees(s *screen, want string) {
	p.t.Helper()
	if err := s.await(want); err != nil {
		p.t.Fatal(err)
	}
}

// leaves waits for the end.
func (p *person) leaves() error {
	p.t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(chatPatience):
		p.t.Fatal("the chat doesn't end")
		return nil
	}
}

// screen keeps what was written and lets a test wait for some of it.
type screen struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	written chan struct{} // closed at the next write
}

func newScreen() *screen { return &screen{written: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.written)
	s.written = make(chan struct{})
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func (s *screen) await(want string) error {
	deadline := time.After(chatPatience)
	for {
		s.mu.Lock()
		text, written := s.buf.String(), s.written
		s.mu.Unlock()
		if strings.Contains(text, want) {
			return nil
		}
		select {
		case <-written:
		case <-deadline:
			return fmt.Errorf("%q was not shown; this was:\n%s", want, text)
		}
	}
}

// api is a client of a user for what a terminal doesn't offer.
func api(t *testing.T, s *local.Server, user string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{
		WebSocketURL: s.WebSocketURL(), APIURL: s.URL() + "/api",
		Token: func(ctx context.Context) (string, error) { return localToken(ctx, s.URL(), user, time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
