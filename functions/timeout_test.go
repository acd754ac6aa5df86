package functions_test

import (
	"context"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/shared/chat"
)

// hanging is a way to the table on which the first connections get no answer.
type hanging struct {
	*world
	hangs atomic.Int32
}

func newHanging(t *testing.T) *hanging {
	t.Helper()
	table := httptest.NewServer(newEngine(t))
	t.Cleanup(table.Close)
	h := &hanging{world: newWorld(t, table.URL, "https://gateway.example/dev", nil, nil)}
	h.populate(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	h.must(err)
	var running sync.WaitGroup
	running.Go(func() { h.serve(t.Context(), listener, table.Listener.Addr().String(), &running) })
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	h.env.AWS.BaseEndpoint = aws.String("http://" + listener.Addr().String())
	return h
}

// serve leads connections to an address until the listener is closed.
func (h *hanging) serve(ctx context.Context, listener net.Listener, address string, running *sync.WaitGroup) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		context.AfterFunc(ctx, func() { _ = client.Close() })
		if h.hangs.Add(-1) >= 0 {
			continue // it gets no answer
		}
		server, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			_ = client.Close()
			continue
		}
		context.AfterFunc(ctx, func() { _ = server.Close() })
		for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
			running.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			})
		}
	}
}

// A connection to the table that hangs costs one attempt, and not the whole
// invocation. By the clock of the wall: the time limit is the HTTP client's.
func TestTable_AConnectionThatHangsCostsOneAttempt(t *testing.T) {
	h := newHanging(t)
	for name, test := range map[string]struct {
		construct functions.Constructor
		frame     object
		want      string
	}{
		"default":     {functions.Default, object{"action": "ping"}, `\"type\":\"pong\"`},
		"sendmessage": {functions.SendMessage, object{"action": "sendMessage", "chatRoomId": room, "content": "hello"}, `\"type\":\"ack\"`},
	} {
		t.Run(name, func(t *testing.T) {
			h.hangs.Store(1)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			answer, err := h.wired(test.construct).Invoke(ctx, h.frame(connection(0), test.frame))
			if err != nil || !strings.Contains(string(answer), test.want) {
				t.Errorf("%s, %v; want %s while there is time", answer, err, test.want)
			}
			if h.hangs.Load() >= 0 {
				t.Error("no second connection was made")
			}
		})
	}
}

// A table that does not answer at all leaves time to say so.
func TestTable_ABlackHoleIsAnsweredInTime(t *testing.T) {
	h := newHanging(t)
	h.hangs.Store(1000)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	answer, err := h.wired(functions.Default).Invoke(ctx, h.frame(connection(0), object{"action": "ping"}))
	if err != nil || !strings.Contains(string(answer), `\"code\":\"`+string(chat.CodeInternal)) || ctx.Err() != nil {
		t.Errorf("%s, %v, %v; want an error frame before the time is up", answer, err, ctx.Err())
	}
}
