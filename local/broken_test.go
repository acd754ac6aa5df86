package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/faults"
)

// broken breaks a deployment where a test says so. A hook returns what a call
// goes through: next, if nothing is to happen to it, else what faults makes of
// it (see always).
type broken struct {
	once bool // functions try each request to the table and the bucket once

	mu      sync.Mutex
	post    func(connectionID, frame string, next http.RoundTripper) http.RoundTripper
	request func(function, body string, next http.RoundTripper) http.RoundTripper
	object  func(function string, next http.RoundTripper) http.RoundTripper
	invoke  func(function, payload string, next lambda.Handler) lambda.Handler
	skew    map[string]time.Duration // of the functions' clocks
	running int                      // invocations under way
	done    []invocation
}

// invocation is one that has ended.
type invocation struct {
	function string
	payload  string
	err      error

	// Of the stream's consumers.
	records []events.DynamoDBEventRecord
	again   []string // sequence numbers that were answered as failed
}

// set changes hooks while the deployment runs.
func (b *broken) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// always is a plan that is carried out at once, for each call that is given to
// it.
func always(t testing.TB, plan faults.Plan) *faults.Injector {
	t.Helper()
	in, err := faults.New(plan, clockwork.NewRealClock())
	if err != nil {
		t.Fatal(err)
	}
	in.Begin()
	return in
}

// Wrap is for local.Config.
func (b *broken) Wrap(d local.Deployment) local.Deployment { return local.EachFunction(b.function)(d) }

func (b *broken) function(f local.Function) local.Function {
	f.Transport = func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) { return b.guard(f.Name, r, next) })
	}
	construct := f.Construct
	f.Construct = func(env functions.Env) (lambda.Handler, error) {
		if b.once {
			env.AWS.RetryMaxAttempts, env.Objects.RetryMaxAttempts = 1, 1
		}
		now := env.Now
		env.Now = func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return now().Add(b.skew[f.Name])
		}
		handler, err := construct(env)
		if err != nil {
			return nil, err
		}
		return handle(func(ctx context.Context, payload []byte) ([]byte, error) { return b.run(ctx, f.Name, payload, handler) }), nil
	}
	return f
}

func (b *broken) guard(function string, r *http.Request, next http.RoundTripper) (*http.Response, error) {
	b.mu.Lock()
	post, request, object := b.post, b.request, b.object
	b.mu.Unlock()
	if r.Body == nil { // to copy an object
		return next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch path := r.URL.EscapedPath(); {
	case r.Header.Get("X-Amz-Target") != "":
		if request != nil {
			next = request(function, string(body), next)
		}
	case strings.Contains(path, "/"+local.AttachmentsBucket):
		if object != nil {
			next = object(function, next)
		}
	case post != nil:
		id, err := url.PathUnescape(path[strings.LastIndexByte(path, '/')+1:])
		if err != nil {
			return nil, err
		}
		next = post(id, string(body), next)
	}
	return next.RoundTrip(r)
}

func (b *broken) run(ctx context.Context, function string, payload []byte, next lambda.Handler) ([]byte, error) {
	b.mu.Lock()
	b.running++
	invoke := b.invoke
	b.mu.Unlock()
	if invoke != nil {
		next = invoke(function, string(payload), next)
	}
	out, err := next.Invoke(ctx, payload)
	out = bytes.Clone(out) // the handler uses its buffer again
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	done := invocation{function: function, payload: string(payload), err: err}
	if function == topology.Fanout || function == topology.LastMessage {
		if broken := done.read(payload, out); broken != nil {
			return nil, broken
		}
	}
	b.done = append(b.done, done)
	return out, err
}

// read reads what a consumer was given and, unless it failed, what it answered.
func (i *invocation) read(payload, out []byte) error {
	var in events.DynamoDBEvent
	if err := json.Unmarshal(payload, &in); err != nil {
		return err
	}
	i.records = in.Records
	var answer events.DynamoDBEventResponse
	if i.err == nil {
		if err := json.Unmarshal(out, &answer); err != nil {
			return err
		}
	}
	for _, failure := range answer.BatchItemFailures {
		i.again = append(i.again, failure.ItemIdentifier)
	}
	return nil
}

// pass lets time go by, unless a function is at work and would run out of it.
func (b *broken) pass(clock *clockwork.FakeClock, d time.Duration) (passed bool) {
	b.mu.Lock()
	idle := b.running == 0
	b.mu.Unlock()
	if idle {
		clock.Advance(d)
	}
	return idle
}

// leap lets time go by once no function is at work: one that ran out of it would be tried
// again at a time that doesn't come.
func (b *broken) leap(t testing.TB, clock *clockwork.FakeClock, d time.Duration) {
	t.Helper()
	rig.Eventually(t, "no function is at work", func() bool { return b.pass(clock, d) })
}

// about returns the invocations of a function that had a message with this
// content, failed ones included.
func (b *broken) about(function, content string) []invocation {
	return b.that(func(i invocation) bool {
		return i.function == function && slices.ContainsFunc(i.records, func(r events.DynamoDBEventRecord) bool { return says(r, content) })
	})
}

func (b *broken) that(is func(invocation) bool) (found []invocation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.done {
		if is(i) {
			found = append(found, i)
		}
	}
	return found
}

// served waits until a function has done with a message.
func (b *broken) served(t testing.TB, function, content string) {
	t.Helper()
	rig.Eventually(t, function+" has done with "+content, func() bool {
		return slices.ContainsFunc(b.about(function, content), func(i invocation) bool { return i.err == nil })
	})
}

// says reports whether a record is of a message with this content.
func says(r events.DynamoDBEventRecord, content string) bool {
	v, ok := r.Change.NewImage[table.Content]
	return ok && v.DataType() == events.DataTypeString && v.String() == content
}

// of reports whether a record is of a room's message.
func of(r events.DynamoDBEventRecord, room string) bool {
	return r.Change.Keys[table.PK].String() == table.RoomPrefix+room &&
		strings.HasPrefix(r.Change.Keys[table.SK].String(), table.MessagePrefix)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type handle func(context.Context, []byte) ([]byte, error)

func (f handle) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

// jumper is the real clock, and jumps. What waits for it waits in real time.
type jumper struct {
	clockwork.Clock
	ahead atomic.Int64
}

func newJumper() *jumper { return &jumper{Clock: clockwork.NewRealClock()} }

func (j *jumper) jump(d time.Duration) { j.ahead.Add(int64(d)) }

// Now implements clockwork.Clock.
func (j *jumper) Now() time.Time { return j.Clock.Now().Add(time.Duration(j.ahead.Load())) }

// Since implements clockwork.Clock.
func (j *jumper) Since(t time.Time) time.Duration { return j.Now().Sub(t) }

// Until implements clockwork.Clock.
func (j *jumper) Until(t time.Time) time.Duration { return t.Sub(j.Now()) }
