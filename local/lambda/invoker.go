package lambda

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/uuid"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/stack"
	"github.com/streamroom/streamroom/shared/topology"
)

// Limits of a synchronous invocation's payloads, in bytes. The answer's limit
// is Lambda's too: 6 MB and a little.
const (
	MaxRequestBytes  = 6 << 20
	MaxResponseBytes = MaxRequestBytes + 100
)

// LatestVersion is the version that every invocation here executes.
const LatestVersion = "$LATEST"

// Unhandled is the FunctionError of every invocation whose function failed.
const Unhandled = "Unhandled"

// Errors of an invocation that never reached the function.
var (
	// ErrThrottled says that all of the function's concurrency is in use.
	ErrThrottled = errors.New("function is throttled: its concurrency is in use")
	// ErrUnknownFunction says that no function of that name was registered.
	ErrUnknownFunction = errors.New("no such function")
	// ErrRequestTooLarge says that the payload is over MaxRequestBytes.
	ErrRequestTooLarge = errors.New("request payload is over 6 MB")
	// ErrClosed says that Shutdown was called.
	ErrClosed = errors.New("invoker is shut down")
)

// FunctionARN is the ARN under which a local function is invoked.
func FunctionARN(name string) string {
	return "arn:aws:lambda:us-east-1:000000000000:function:" + name
}

// Result is the outcome of an invocation that reached its function.
type Result struct {
	Payload         []byte // the function's JSON, or Lambda's error object; the caller may keep it
	FunctionError   string // "" or Unhandled
	RequestID       string // a UUID
	ExecutedVersion string // LatestVersion
}

// Invoker runs Lambda functions in this process. Its methods may be used by
// several goroutines at once.
type Invoker struct {
	clock  clockwork.Clock
	logger zerolog.Logger

	// base is the parent of every handler's context: as on Lambda, a caller
	// that goes away does not stop the function.
	base   context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	functions map[string]*function
	closed    bool
	running   int
	idle      chan struct{} // closed when closed and nothing runs
}

// function is a registered function and its execution environments.
type function struct {
	topology.Function
	newHandler func() lambda.Handler
	free       []*environment // those that wait for work
	spare      int            // how many more environments there may be
}

// environment runs one invocation at a time.
type environment struct {
	handler lambda.Handler // nil before the first invocation, and after a panic
}

// NewInvoker returns an Invoker without functions. Timeouts run on clock. The
// logger gets panics and handlers that outlive their timeout, never payloads.
func NewInvoker(clock clockwork.Clock, logger zerolog.Logger) *Invoker {
	base, cancel := context.WithCancel(context.Background())
	return &Invoker{
		clock:     clock,
		logger:    logger,
		base:      base,
		cancel:    cancel,
		functions: make(map[string]*function),
		idle:      make(chan struct{}),
	}
}

// Register adds a function under f.Name, with at most concurrency
// invocations at a time. newHandler is called once per execution environment,
// at first use, and usually returns lambda.NewHandler(fn): a handler of
// aws-lambda-go answers from a pool of buffers that it reuses at once, so that
// two invocations of one handler could read each other's answers. As on Lambda,
// an environment runs one invocation at a time, a panic in newHandler fails the
// invocation, and after a panic or a timeout another environment takes the place of
// the one it was in ("Understanding the Lambda execution environment lifecycle").
// Registering a name again replaces the function.
func (i *Invoker) Register(f topology.Function, concurrency int, newHandler func() lambda.Handler) error {
	switch {
	case f.Name == "":
		return errors.New("register function: invalid name: want some text, got none")
	case f.Timeout <= 0:
		return fmt.Errorf("register function %s: invalid timeout: want more than 0, got %v", f.Name, f.Timeout)
	case concurrency < 1:
		return fmt.Errorf("register function %s: invalid concurrency: want at least 1, got %d", f.Name, concurrency)
	case newHandler == nil:
		return fmt.Errorf("register function %s: invalid handler: want a function, got nil", f.Name)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.functions[f.Name] = &function{Function: f, newHandler: newHandler, spare: concurrency}
	return nil
}

// Invoke runs the function name on a JSON payload and waits for its answer, at
// most for the function's timeout. A function that fails, panics or times out
// is a Result with a FunctionError. An error means that the function was not
// reached (ErrThrottled and the other errors of this package), or that ctx
// ended, in which case the function runs on. The payload must not be changed
// afterwards: a handler may outlive its timeout. What it answers then is dropped.
//
//nolint:contextcheck // a handler does not end with its caller, so its context is another
func (i *Invoker) Invoke(ctx context.Context, name string, payload []byte) (Result, error) {
	if len(payload) > MaxRequestBytes {
		return Result{}, fmt.Errorf("invoke %s: %w", name, ErrRequestTooLarge)
	}
	f, env, err := i.acquire(name)
	if err != nil {
		return Result{}, fmt.Errorf("invoke %s: %w", name, err)
	}
	result := Result{RequestID: uuid.NewString(), ExecutedVersion: LatestVersion}
	running, expire := i.environmentContext(f, result.RequestID)
	timer := i.clock.AfterFunc(f.Timeout, func() {
		i.free(f, &environment{})
		expire(context.DeadlineExceeded)
	})

	answers := make(chan answer, 1)
	go func() {
		stack.Invocation(0)
		var a answer
		// Deferred, because a handler may end its goroutine.
		defer func() {
			defer i.done()
			if !timer.Stop() {
				i.logger.Warn().Str("function", name).Str("requestId", result.RequestID).
					Msg("a handler ended after its function's timeout; Lambda would have killed it")
				return
			}
			i.free(f, env) // before the answer: the caller may invoke again at once
			answers <- a
			expire(nil)
		}()
		i.run(running, f, env, payload, &a)
	}()

	select {
	case a := <-answers:
		result.Payload, result.FunctionError = a.payload, a.functionError
	case <-running.Done():
		// The handler's context also ends right after its answer.
		select {
		case a := <-answers:
			result.Payload, result.FunctionError = a.payload, a.functionError
		default:
			if !errors.Is(context.Cause(running), context.DeadlineExceeded) {
				return Result{}, fmt.Errorf("invoke %s: %w", name, ErrClosed)
			}
			result.Payload, result.FunctionError = timeoutError(i.clock.Now(), result.RequestID, f.Timeout), Unhandled
		}
	case <-ctx.Done():
		return Result{}, fmt.Errorf("invoke %s: %w", name, ctx.Err())
	}
	return result, nil
}

// Shutdown refuses further invocations and waits until the running ones have
// ended. If ctx ends first, it cancels their contexts and returns an error.
func (i *Invoker) Shutdown(ctx context.Context) error {
	i.mu.Lock()
	if !i.closed {
		i.closed = true
		i.closeIdle()
	}
	running := i.running
	i.mu.Unlock()
	defer i.cancel()
	select {
	case <-i.idle:
		return nil
	case <-ctx.Done():
		if running == 0 {
			return nil
		}
		return fmt.Errorf("shut down with up to %d invocations running: %w", running, ctx.Err())
	}
}

// acquire takes an execution environment of the function.
func (i *Invoker) acquire(name string) (*function, *environment, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f, ok := i.functions[name]
	var env *environment
	switch {
	case i.closed:
		return nil, nil, ErrClosed
	case !ok:
		return nil, nil, ErrUnknownFunction
	case len(f.free) > 0:
		last := len(f.free) - 1
		env, f.free = f.free[last], f.free[:last]
	case f.spare > 0:
		f.spare--
		env = &environment{}
	default:
		return nil, nil, ErrThrottled
	}
	i.running++
	return f, env, nil
}

// free lets an environment be used again.
func (i *Invoker) free(f *function, env *environment) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f.free = append(f.free, env)
}

// done notes that a handler has ended.
func (i *Invoker) done() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.running--
	i.closeIdle()
}

func (i *Invoker) closeIdle() {
	if i.closed && i.running == 0 {
		close(i.idle)
	}
}

// environmentContext is the context that the handler sees. Its deadline is on
// the invoker's clock.
func (i *Invoker) environmentContext(f *function, requestID string) (context.Context, context.CancelCauseFunc) {
	ctx, expire := context.WithCancelCause(i.base)
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID:       requestID,
		InvokedFunctionArn: FunctionARN(f.Name),
	})
	return deadlineContext{ctx, i.clock, i.clock.Now().Add(f.Timeout)}, expire
}

// deadlineContext reports a deadline that its creator enforces on a clock.
type deadlineContext struct {
	context.Context
	clock    clockwork.Clock
	deadline time.Time
}

// Deadline implements context.Context: as far from the process's time, by which the
// contexts end that handlers derive from this one, as the deadline is on the clock. A clock
// that a test moves by hand falls behind, by more than a function's timeout on a busy
// machine, and each of its deadlines would be over.
func (c deadlineContext) Deadline() (time.Time, bool) {
	return time.Now().Add(c.clock.Until(c.deadline)), true
}

// knows reports whether a function of that name was registered.
func (i *Invoker) knows(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.functions[name] != nil
}
