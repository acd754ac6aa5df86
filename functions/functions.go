// Package functions wires each Lambda function from its environment: variables
// in, a handler out. The programs below this folder start these handlers on
// AWS, and the local runtime runs the same ones in its process, so both are
// wired by the same lines.
package functions

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/eventbus"
	"github.com/streamroom/streamroom/shared/failures"
	"github.com/streamroom/streamroom/shared/http1"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/parameter"
	"github.com/streamroom/streamroom/shared/review"
	"github.com/streamroom/streamroom/shared/topology"
)

// Env is a function's environment.
type Env struct {
	// Getenv returns a variable, "" where it is not set.
	Getenv func(string) string
	// LogStream is where this instance logs, which no two share; "" in the local runtime.
	LogStream string
	// AWS configures the way to the table: region, credentials, and for the local
	// runtime the endpoint and the client.
	AWS aws.Config
	// Objects configures the way to the bucket of attachments, as AWS does for the table.
	Objects aws.Config
	// Events configures the way to the bus of events, as AWS does for the table.
	Events aws.Config
	// Failures configures the way to the bucket of failures, as AWS does for the table.
	Failures aws.Config
	// Parameters configures the way to secrets, as AWS does for the table.
	Parameters aws.Config
	// Pushes reaches push services; nil is a client that dials addresses on the internet only.
	Pushes http.RoundTripper
	// Reviews reaches whom to ask about messages; nil is a client of its own.
	Reviews http.RoundTripper
	// Posts sends frames to the @connections API; nil is a client of its own.
	Posts http.RoundTripper
	// Keys fetches the keys of the tokens' issuer; nil is a client of its own.
	Keys *http.Client
	// Now is the clock.
	Now func() time.Time
	// Log takes one JSON object a line.
	Log io.Writer
}

// Constructor wires one function. It does not use the network: a function must
// be ready to start within milliseconds.
type Constructor func(Env) (lambda.Handler, error)

// Start runs a function on AWS. It does not return.
func Start(construct Constructor) {
	handler, err := construct(lambdaEnv())
	if err != nil {
		fmt.Fprintln(os.Stderr, "streamroom:", err)
		os.Exit(1)
	}
	tuneGC()
	lambda.Start(handler)
}

// tuneGC trades memory for time. A function pays for its memory and shares it with
// no one, so the collector runs at five times the live heap, or when memory gets
// short.
func tuneGC() {
	megabytes, err := strconv.ParseInt(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 64)
	if err != nil {
		return // not on Lambda
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(megabytes << 20 * 3 / 4)
}

// lambdaEnv is the environment that Lambda sets up. Region and credentials are
// always in its variables there; the SDK's loader would look for them in many
// more places, and costs a megabyte and milliseconds.
func lambdaEnv() Env {
	config := aws.Config{
		Region: os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"),
		),
	}
	return Env{Getenv: os.Getenv, LogStream: os.Getenv("AWS_LAMBDA_LOG_STREAM_NAME"), AWS: config, Objects: config, Events: config, Failures: config, Parameters: config, Now: time.Now, Log: os.Stdout}
}

// wiring collects what a constructor needs.
type wiring struct {
	Env
	vars *config.Reader
	log  zerolog.Logger
}

func (e Env) wire(function string) wiring {
	vars := config.NewReader(e.Getenv)
	log := zerolog.New(e.Log).Level(vars.LogLevel()).With().Timestamp().Str("function", function).Logger()
	return wiring{Env: e, vars: vars, log: log}
}

// tableConnections is how many idle connections to the table a function keeps.
// The SDK's client keeps ten, so that a broadcast, which reads many members side
// by side, would open nearly all of its connections again each time.
const tableConnections = 100

// attemptTimeout is how long one request to the table may take, from dialling to
// the last byte. The SDK's client has no such limit: a connection that hangs, of
// which a new one would work, would take all of the function's time. With the SDK's
// three attempts a table that does not answer at all is an error after five seconds.
const attemptTimeout = 1500 * time.Millisecond

func (w wiring) store() *dynamo.Store {
	if w.AWS.HTTPClient == nil {
		w.AWS.HTTPClient = &tableClient{}
	}
	return dynamo.New(dynamo.NewClient(w.AWS), w.vars.Table(), w.Now)
}

// tableClient reaches the table. All that the store asks goes to one endpoint, whose
// connections need no goroutines then, nor most of what net/http's take.
type tableClient struct {
	once   sync.Once
	host   string
	direct *http1.Transport // nil: there is a proxy
	sdk    aws.HTTPClient
}

// Do implements aws.HTTPClient.
func (c *tableClient) Do(r *http.Request) (*http.Response, error) {
	c.once.Do(func() {
		c.host = r.URL.Host
		if proxy, err := http.ProxyFromEnvironment(r); proxy == nil && err == nil {
			c.direct = http1.New(r.URL, attemptTimeout)
			c.direct.Timeout, c.direct.MaxIdle = attemptTimeout, tableConnections
		}
		c.sdk = awshttp.NewBuildableClient().WithTimeout(attemptTimeout).WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = tableConnections, tableConnections
		})
	})
	if c.direct != nil && r.URL.Host == c.host {
		return c.direct.RoundTrip(r)
	}
	return c.sdk.Do(r)
}

// objectTimeout is how long one request to the bucket may take. The longest copies a file
// of the largest size, within the bucket.
const objectTimeout = 4 * time.Second

// bucket returns the bucket of attachments, nil if the deployment has none.
func (w wiring) bucket() *objects.Bucket {
	name := w.vars.Bucket()
	if name == "" {
		return nil
	}
	if w.Objects.HTTPClient == nil {
		w.Objects.HTTPClient = awshttp.NewBuildableClient().WithTimeout(objectTimeout)
	}
	return objects.New(w.Objects, name)
}

// eventBus returns the bus of that name.
func (w wiring) eventBus(name string) (*eventbus.Bus, error) {
	if w.Events.HTTPClient == nil {
		w.Events.HTTPClient = awshttp.NewBuildableClient().WithTimeout(attemptTimeout)
	}
	return eventbus.New(w.Events, name)
}

// unannounced is the condition of records in the bucket of failures whose events no bus has
// taken.
const unannounced = "EventsNotPut"

// failures returns the bucket of failures of that name.
func (w wiring) failures(name string) *failures.Bucket {
	if w.Failures.HTTPClient == nil {
		w.Failures.HTTPClient = awshttp.NewBuildableClient().WithTimeout(attemptTimeout)
	}
	return failures.New(w.Failures, name, unannounced, w.Now)
}

// parameter returns the parameter of that name.
func (w wiring) parameter(name string) (*parameter.Parameter, error) {
	if w.Parameters.HTTPClient == nil {
		w.Parameters.HTTPClient = awshttp.NewBuildableClient().WithTimeout(attemptTimeout)
	}
	return parameter.New(w.Parameters, name)
}

// reviewing returns whom to ask about messages.
func (w wiring) reviewing() (chat.Reviewing, error) {
	target, lax := w.vars.Review()
	if target == "" {
		return chat.Reviewing{}, nil
	}
	if w.Reviews == nil {
		w.Reviews = &http.Transport{MaxIdleConnsPerHost: 1} // an instance serves one send at a time
	}
	client, err := review.New(review.Config{Target: target, Credentials: w.AWS.Credentials, Transport: w.Reviews, Log: w.log})
	return chat.Reviewing{By: client, Lax: lax}, err
}

// entropy has the ids that a process mints in one millisecond rise, by random steps: who
// sends after an ack is behind that message. A process on AWS is one instance of one
// function, and a send after an ack is a millisecond later there.
var entropy = &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(rand.Reader, 0)}

func (w wiring) ids() chat.IDs { return chat.NewIDs(w.Now, entropy) }

// handler finishes the wiring: an error names everything that the environment
// lacks.
func (w wiring) handler(handle any) (lambda.Handler, error) {
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	if handler, ok := handle.(lambda.Handler); ok {
		return punctual{handler}, nil
	}
	return punctual{lambda.NewHandler(handle)}, nil
}

// answerTime is what is left of an invocation's time when its work has to end: for
// the log line and the answer. Lambda kills a function that is late, and its caller
// learns nothing ("Configure Lambda function timeout", AWS Lambda Developer Guide).
const answerTime = 500 * time.Millisecond

// punctual ends the work of an invocation before its time is up.
type punctual struct{ lambda.Handler }

// Invoke implements lambda.Handler.
func (p punctual) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
		defer cancel()
	}
	return p.Handler.Invoke(ctx, payload)
}

// All returns every function's constructor by its name in shared/topology.
func All() map[string]Constructor {
	return map[string]Constructor{
		topology.Connect:     Connect,
		topology.Disconnect:  Disconnect,
		topology.SendMessage: SendMessage,
		topology.Default:     Default,
		topology.Fanout:      Fanout,
		topology.LastMessage: LastMessage,
		topology.API:         API,
		topology.Push:        Push,
	}
}
