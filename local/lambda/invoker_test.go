package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/topology"
)

// newTestInvoker returns an invoker whose clock stands still, so that no function
// takes too long on a busy machine.
func newTestInvoker(t *testing.T) *Invoker {
	t.Helper()
	return NewInvoker(clockwork.NewFakeClock(), zerolog.New(zerolog.NewTestWriter(t)))
}

// newBubbleInvoker returns an invoker on the clock of the test's bubble.
func newBubbleInvoker(t *testing.T) *Invoker {
	t.Helper()
	return NewInvoker(clockwork.NewRealClock(), zerolog.New(zerolog.NewTestWriter(t)))
}

// register registers f with a timeout of 3 s.
func register(t *testing.T, i *Invoker, concurrency int, fn any) {
	t.Helper()
	err := i.Register(topology.Function{Name: "f", Timeout: 3 * time.Second}, concurrency, func() lambda.Handler { return lambda.NewHandler(fn) })
	if err != nil {
		t.Fatal(err)
	}
}

type customError struct{}

func (*customError) Error() string { return "custom" }

func TestInvokerAnswers(t *testing.T) {
	tests := map[string]struct {
		fn            any
		payload       string
		want          string // the payload, but for a stack trace
		functionError string
		frames        bool
	}{
		"value": {
			fn: func(_ context.Context, in map[string]int) (map[string]int, error) {
				return map[string]int{"b": in["a"] + 1}, nil
			},
			payload: `{"a":1}`,
			want:    `{"b":2}`,
		},
		"markup is not escaped": {
			fn:   func() (string, error) { return "<&>", nil },
			want: `"<&>"`,
		},
		"nothing": {
			fn:   func() error { return nil },
			want: `null`,
		},
		"error": {
			fn:            func() error { return errors.New("no") },
			want:          `{"errorMessage":"no","errorType":"errorString"}`,
			functionError: Unhandled,
		},
		"error of an own type": {
			fn:            func() error { return &customError{} },
			want:          `{"errorMessage":"custom","errorType":"customError"}`,
			functionError: Unhandled,
		},
		"error that spells its object": {
			fn:            func() error { return messages.InvokeResponse_Error{Message: "m", Type: "T"} },
			want:          `{"errorMessage":"m","errorType":"T"}`,
			functionError: Unhandled,
		},
		"event of another shape": {
			fn:            func(map[string]int) error { return nil },
			payload:       `[1]`,
			want:          `{"errorMessage":"json: cannot unmarshal array into Go value of type map[string]int","errorType":"UnmarshalTypeError"}`,
			functionError: Unhandled,
		},
		"panic": {
			fn:            func() error { panic("oh") },
			want:          `{"errorMessage":"oh","errorType":"string"}`,
			functionError: Unhandled,
			frames:        true,
		},
		"panic of the runtime": {
			fn:            func(in map[string]int) error { return errors.New([]string{"x"}[len(in)]) },
			payload:       `{"a":1}`,
			want:          `{"errorMessage":"runtime error: index out of range [1] with length 1","errorType":"boundsError"}`,
			functionError: Unhandled,
			frames:        true,
		},
		"answer too large": {
			fn: func() (string, error) { return strings.Repeat("x", MaxResponseBytes), nil },
			want: `{"errorMessage":"Response payload size (6291558 bytes) exceeded maximum allowed payload size (6291556 bytes).",` +
				`"errorType":"Function.ResponseSizeTooLarge"}`,
			functionError: Unhandled,
		},
		"largest answer": {
			fn:   func() (string, error) { return strings.Repeat("x", MaxResponseBytes-2), nil },
			want: `"` + strings.Repeat("x", MaxResponseBytes-2) + `"`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i := newTestInvoker(t)
			register(t, i, 1, tt.fn)
			payload := tt.payload
			if payload == "" {
				payload = "{}"
			}
			// Twice: the environment survives whatever happened.
			for range 2 {
				got, err := i.Invoke(t.Context(), "f", []byte(payload))
				if err != nil {
					t.Fatal(err)
				}
				text := string(got.Payload)
				if tt.frames {
					text = withoutTrace(t, got.Payload)
				}
				if text != tt.want {
					t.Errorf("payload %.300s, want %.300s", text, tt.want)
				}
				expect(t, "function error", got.FunctionError, tt.functionError)
				expect(t, "version", got.ExecutedVersion, "$LATEST")
			}
		})
	}
}

// withoutTrace checks that an error object's stack trace begins in this file,
// without the machine's folders, and removes it.
func withoutTrace(t *testing.T, payload []byte) string {
	t.Helper()
	var object messages.InvokeResponse_Error
	if err := json.Unmarshal(payload, &object); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, frame := range object.StackTrace {
		paths = append(paths, frame.Path)
		if strings.HasPrefix(frame.Path, "/") {
			t.Errorf("frame with an absolute path: %s", frame.Path)
		}
	}
	if !strings.Contains(strings.Join(paths, " "), "streamroom/local/lambda.TestInvokerAnswers") &&
		!strings.Contains(strings.Join(paths, " "), "local/invoker_test.go") {
		t.Errorf("no frame of this file in %q", paths)
	}
	object.StackTrace = nil
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestInvokerHandlerThatExitsItsGoroutine(t *testing.T) {
	i := newTestInvoker(t)
	register(t, i, 1, func() error { runtime.Goexit(); return nil })
	got, err := i.Invoke(t.Context(), "f", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "function error", got.FunctionError, Unhandled)
	expect(t, "payload", string(got.Payload), `{"errorMessage":"RequestId: `+got.RequestID+` Error: Runtime exited","errorType":"Runtime.ExitError"}`)
}

// An environment that could not be made is made again.
func TestInvokerHandlerThatCannotBeMade(t *testing.T) {
	i := newTestInvoker(t)
	made := 0
	err := i.Register(topology.Function{Name: "f", Timeout: time.Second}, 1, func() lambda.Handler {
		if made++; made == 1 {
			panic("no")
		}
		return lambda.NewHandler(func() error { return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{Unhandled, "", ""} {
		got, err := i.Invoke(t.Context(), "f", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "function error", got.FunctionError, want)
	}
	expect(t, "handlers made", made, 2)
}

func TestInvokerRefuses(t *testing.T) {
	i := newTestInvoker(t)
	register(t, i, 1, func() error { return nil })
	_, err := i.Invoke(t.Context(), "g", []byte("{}"))
	if !errors.Is(err, ErrUnknownFunction) {
		t.Errorf("unknown function: %v", err)
	}
	_, err = i.Invoke(t.Context(), "f", make([]byte, MaxRequestBytes+1))
	if !errors.Is(err, ErrRequestTooLarge) {
		t.Errorf("large request: %v", err)
	}
	if err := i.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = i.Invoke(t.Context(), "f", []byte("{}"))
	if !errors.Is(err, ErrClosed) {
		t.Errorf("after Shutdown: %v", err)
	}
	if err := i.Shutdown(t.Context()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	i := newTestInvoker(t)
	handler := func() lambda.Handler { return lambda.NewHandler(func() {}) }
	for name, register := range map[string]func() error{
		"name":        func() error { return i.Register(topology.Function{Timeout: time.Second}, 1, handler) },
		"timeout":     func() error { return i.Register(topology.Function{Name: "f"}, 1, handler) },
		"concurrency": func() error { return i.Register(topology.Function{Name: "f", Timeout: time.Second}, 0, handler) },
		"handler":     func() error { return i.Register(topology.Function{Name: "f", Timeout: time.Second}, 1, nil) },
	} {
		if err := register(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInvokerContext(t *testing.T) {
	type seen struct {
		RequestID, ARN string
		Left           time.Duration
		Foreign        bool
	}
	type foreign struct{}
	synctest.Test(t, func(t *testing.T) {
		i := newBubbleInvoker(t)
		register(t, i, 1, func(ctx context.Context) (seen, error) {
			lc, _ := lambdacontext.FromContext(ctx)
			deadline, _ := ctx.Deadline()
			return seen{lc.AwsRequestID, lc.InvokedFunctionArn, time.Until(deadline), ctx.Value(foreign{}) != nil}, nil
		})
		got, err := i.Invoke(context.WithValue(t.Context(), foreign{}, 1), "f", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		var s seen
		if err := json.Unmarshal(got.Payload, &s); err != nil {
			t.Fatal(err)
		}
		expect(t, "context", s, seen{got.RequestID, "arn:aws:lambda:us-east-1:000000000000:function:f", 3 * time.Second, false})
	})
}

func TestInvokerThrottlesAtItsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newBubbleInvoker(t)
		release := make(chan struct{})
		register(t, i, 2, func() error { <-release; return nil })
		var work sync.WaitGroup
		for range 2 {
			work.Go(func() {
				if _, err := i.Invoke(t.Context(), "f", []byte("{}")); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, err := i.Invoke(t.Context(), "f", []byte("{}")); !errors.Is(err, ErrThrottled) {
			t.Errorf("third invocation: %v", err)
		}
		close(release)
		work.Wait()
		// Its slot is free by the time that an invocation has answered.
		if _, err := i.Invoke(t.Context(), "f", []byte("{}")); err != nil {
			t.Error(err)
		}
	})
}

// The contexts of a handler end by the process's time: on a clock that is behind it, they
// must not end at once.
func TestInvokerContext_ByAClockThatIsBehind(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now().Add(-time.Hour))
	i := NewInvoker(clock, zerolog.Nop())
	register(t, i, 1, func(ctx context.Context) (float64, error) {
		clock.Advance(time.Second) // of the function's three
		deadline, _ := ctx.Deadline()
		return time.Until(deadline).Round(time.Second).Seconds(), nil
	})
	got, err := i.Invoke(t.Context(), "f", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "seconds left", string(got.Payload), "2")
}

// Who has an answer may invoke again, even with a concurrency of one.
func TestInvokerFreesItsEnvironmentBeforeItAnswers(t *testing.T) {
	i := newTestInvoker(t)
	register(t, i, 1, func() error { return nil })
	for range 2000 {
		if _, err := i.Invoke(t.Context(), "f", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
}

// Handlers of aws-lambda-go reuse the buffer of their answer; no invocation may
// see another's.
func TestInvokerKeepsAnswersApart(t *testing.T) {
	i := newTestInvoker(t)
	register(t, i, 8, func(in string) (string, error) { return in, nil })
	var work sync.WaitGroup
	for n := range 8 {
		work.Go(func() {
			want := fmt.Appendf(nil, `"%s"`, strings.Repeat(strconv.Itoa(n), 1000))
			var kept [][]byte
			for range 200 {
				got, err := i.Invoke(t.Context(), "f", want)
				if err != nil {
					t.Error(err)
					return
				}
				kept = append(kept, got.Payload)
			}
			for _, payload := range kept {
				if !bytes.Equal(payload, want) {
					t.Errorf("invocation %d got %.20s…", n, payload)
					return
				}
			}
		})
	}
	work.Wait()
}

func TestInvokerCallerThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newBubbleInvoker(t)
		ended := make(chan error, 1)
		register(t, i, 1, func(ctx context.Context) error {
			pause(time.Second)
			ended <- ctx.Err()
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := i.Invoke(ctx, "f", []byte("{}")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// The function runs to its end, and Shutdown waits for it.
		if err := i.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case err := <-ended:
			expect(t, "the handler's context", err, nil)
		default:
			t.Error("Shutdown did not wait")
		}
	})
}

func TestInvokerShutdownThatCannotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newBubbleInvoker(t)
		register(t, i, 1, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		answer := make(chan error, 1)
		go func() {
			_, err := i.Invoke(t.Context(), "f", []byte("{}"))
			answer <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := i.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		// The handler was told, so it ends now and not at its timeout.
		before := time.Now()
		err := <-answer
		expect(t, "time", time.Since(before), time.Duration(0))
		if err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Invoke: %v", err)
		}
	})
}

func BenchmarkInvoke(b *testing.B) {
	i := NewInvoker(clockwork.NewRealClock(), zerolog.Nop())
	err := i.Register(topology.Function{Name: "f", Timeout: 3 * time.Second}, 1, func() lambda.Handler {
		return lambda.NewHandler(func(_ context.Context, in map[string]string) (map[string]string, error) { return in, nil })
	})
	if err != nil {
		b.Fatal(err)
	}
	payload := []byte(`{"action":"ping"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Invoke(b.Context(), "f", payload); err != nil {
			b.Fatal(err)
		}
	}
}
