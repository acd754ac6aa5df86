package local_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// fragile is a function whose process breaks on frames that say so.
type fragile struct {
	lambda.Handler
	pass   func() // the function's time
	broken bool   // a global that a panic leaves behind
}

func (f *fragile) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	switch {
	case f.broken:
		panic("the process outlived what broke it")
	case strings.Contains(string(payload), "please panic"):
		f.broken = true
		panic("asked to")
	case strings.Contains(string(payload), "please hang"):
		f.broken = true
		f.pass()
		<-ctx.Done()
	}
	return f.Handler.Invoke(ctx, payload)
}

// A function is constructed again after a panic and after a time-out, as Lambda
// starts another process, and callers are answered as API Gateway does.
func TestFunctions_StartAgainAfterAPanicAndATimeout(t *testing.T) {
	const timeout = 5 * time.Second // less than those of others that may run at the time
	clock := clockwork.NewFakeClockAt(time.Now())
	var constructed atomic.Int32
	s := rig.Start(t, held(t, local.Config{Clock: clock, Wrap: local.EachFunction(func(f local.Function) local.Function {
		if f.Name != topology.SendMessage && f.Name != topology.API {
			return f
		}
		construct := f.Construct
		f.Construct = func(e functions.Env) (lambda.Handler, error) {
			constructed.Add(1)
			handler, err := construct(e)
			return &fragile{Handler: handler, pass: func() { clock.Advance(timeout) }}, err
		}
		f.Timeout = timeout
		return f
	})}))
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	alice.Deliver(room, "first", "")
	before := constructed.Load()
	for _, breaking := range []string{"please panic", "please hang"} {
		alice.Send(room, breaking, "")
		if frame := alice.Expect(""); frame.Message != "Internal server error" { // API Gateway's own has no type
			t.Errorf("%s: got %+v", breaking, frame)
		}
		alice.Deliver(room, "after", "")
		status := s.API("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: breaking, Type: "group"}, nil)
		if status != http.StatusInternalServerError {
			t.Errorf("%s by the HTTP API: status %d", breaking, status)
		}
		s.Room("alice", "bob")
	}
	if got := constructed.Load() - before; got != 4 {
		t.Errorf("4 processes ended, %d were started", got)
	}
}
