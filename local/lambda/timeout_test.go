package lambda

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/topology"
)

func TestInvokerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newBubbleInvoker(t)
		cause := make(chan error, 1)
		release := make(chan struct{})
		register(t, i, 1, func(ctx context.Context) error {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			<-release
			return nil
		})
		began := time.Now()
		got, err := i.Invoke(t.Context(), "f", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "time", time.Since(began), 3*time.Second)
		expect(t, "function error", got.FunctionError, Unhandled)
		expect(t, "payload", string(got.Payload), `{"errorMessage":"2000-01-01T00:00:03.000Z `+got.RequestID+` Task timed out after 3.00 seconds"}`)
		if err := <-cause; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the handler's context ended by %v", err)
		}
		// Lambda has ended the process, so its place is free, whatever the handler does.
		if got, err := i.Invoke(t.Context(), "f", []byte("{}")); err != nil || got.FunctionError != Unhandled {
			t.Errorf("while the first handler runs: %v, %v", got.FunctionError, err)
		}
		<-cause
		close(release)
		// What was given up runs on, and Shutdown waits for it.
		if err := i.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What a handler answers once its time is over is too late, as with Lambda's own
// runtime interface emulator.
func TestInvokerTimeout_DropsALateAnswer(t *testing.T) {
	for _, clock := range []string{"real", "fake"} {
		t.Run(clock, func(t *testing.T) {
			fake := clockwork.NewFakeClock()
			i := NewInvoker(fake, zerolog.Nop())
			register(t, i, 1, func(ctx context.Context) (string, error) {
				fake.Advance(3 * time.Second)
				if clock == "real" {
					<-ctx.Done()
				}
				return "late", nil
			})
			for range 100 {
				got, err := i.Invoke(t.Context(), "f", []byte("{}"))
				if err != nil || got.FunctionError != Unhandled || !strings.Contains(string(got.Payload), "timed out") {
					t.Fatalf("got %s, %q, %v", got.Payload, got.FunctionError, err)
				}
			}
			if err := i.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// After a panic, an exit or a time-out Lambda starts another process ("Understanding
// the Lambda execution environment lifecycle"); after an error it keeps the one it has.
func TestInvoker_StartsAgainAfterWhatEndsAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newBubbleInvoker(t)
		made := 0
		err := i.Register(topology.Function{Name: "f", Timeout: time.Second}, 1, func() lambda.Handler {
			made++
			count := 0 // a global of the function's
			return lambda.NewHandler(func(ctx context.Context, do string) (int, error) {
				count++
				switch do {
				case "panic":
					panic("oh")
				case "exit":
					runtime.Goexit()
				case "hang":
					<-ctx.Done()
				case "fail":
					return 0, errors.New("no")
				}
				return count, nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for n, step := range []struct {
			do, want string
			made     int
		}{
			{"count", "1", 1},
			{"count", "2", 1},
			{"fail", "", 1},
			{"count", "4", 1},
			{"panic", "", 1},
			{"count", "1", 2},
			{"exit", "", 2},
			{"count", "1", 3},
			{"hang", "", 3},
			{"count", "1", 4},
			{"count", "2", 4},
		} {
			got, err := i.Invoke(t.Context(), "f", fmt.Appendf(nil, "%q", step.do))
			if err != nil || (got.FunctionError == "") != (step.want != "") || step.want != "" && string(got.Payload) != step.want || made != step.made {
				t.Errorf("step %d, %s: got %s of process %d, %v; want %q of process %d", n, step.do, got.Payload, made, err, step.want, step.made)
			}
		}
	})
}

// Other environments of the function keep what they have.
func TestInvoker_APanicLeavesOtherEnvironments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newBubbleInvoker(t)
		var made atomic.Int32
		release := make(chan struct{})
		err := i.Register(topology.Function{Name: "f", Timeout: time.Minute}, 2, func() lambda.Handler {
			id := made.Add(1)
			return lambda.NewHandler(func(do string) (int32, error) {
				switch do {
				case "panic":
					panic("oh")
				case "wait":
					<-release
				}
				return id, nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan Result, 1)
		go func() {
			got, err := i.Invoke(t.Context(), "f", []byte(`"wait"`))
			if err != nil {
				t.Error(err)
			}
			answer <- got
		}()
		synctest.Wait()
		if got, err := i.Invoke(t.Context(), "f", []byte(`"panic"`)); err != nil || got.FunctionError != Unhandled {
			t.Errorf("panic: %v, %v", got, err)
		}
		close(release)
		expect(t, "the other's answer", string((<-answer).Payload), "1")
		synctest.Wait()
		got, err := i.Invoke(t.Context(), "f", []byte(`"next"`))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "the other's next", string(got.Payload), "1")
	})
}

// A clock that only the test moves decides, too.
func TestInvokerTimeoutOnFakeClock(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Date(2024, 2, 28, 0, 0, 0, 0, time.UTC))
	i := NewInvoker(clock, zerolog.Nop())
	register(t, i, 1, func(ctx context.Context) error {
		if ctx.Err() != nil {
			t.Error("the context has ended before its time")
		}
		clock.Advance(3 * time.Second)
		<-ctx.Done()
		return nil
	})
	got, err := i.Invoke(t.Context(), "f", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	// The handler may answer in the very instant of the timeout.
	if got.FunctionError != "" && !strings.Contains(string(got.Payload), "2024-02-28T00:00:03.000Z") {
		t.Errorf("payload %s", got.Payload)
	}
	if err := i.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
