package local

import (
	"context"
	"fmt"
	"net/http"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/topology"
)

// concurrency is how many invocations of one function run at a time: what an AWS
// account allows by default, there for all its functions together (Lambda
// Developer Guide, "Lambda quotas").
const concurrency = 1_000

// listsAtOnce is how many requests to the table the function that keeps lists of rooms in
// order has at a time. No one waits for them, and every few seconds it has some for each
// room: side by side they would fill the table's queue of writes, and sends would wait.
const listsAtOnce = 4

// registerFunctions makes the functions invocable, by the same constructors as
// on AWS.
func (s *Server) registerFunctions() error {
	s.invoker = lambda.NewInvoker(s.clock, s.log)
	for _, f := range s.deployed.Functions {
		if f.Construct == nil {
			return fmt.Errorf("the function %s has no code", f.Name)
		}
		table := f.aws(s.data.aws)
		if f.Name == topology.LastMessage && table.HTTPClient != nil {
			table.HTTPClient = bounded{table.HTTPClient, make(chan struct{}, listsAtOnce)}
		}
		env := functions.Env{
			Getenv:     s.deployed.getenv(f),
			AWS:        table,
			Objects:    f.aws(s.data.bucket(s.URL())),
			Events:     f.aws(s.events()),
			Failures:   f.aws(s.data.failed()),
			Parameters: f.aws(s.parameters()),
			Posts:      f.transport(posts{s}),
			Pushes:     s.c.Pushes,
			Keys:       s.keys,
			Now:        s.clock.Now,
			Log:        s.c.Log,
		}
		if s.c.Reviews != nil {
			env.Reviews, env.AWS.Credentials = f.transport(s.c.Reviews), keys // a function is asked by a signed request
		}
		if _, err := f.Construct(env); err != nil {
			return fmt.Errorf("wire the function %s: %w", f.Name, err)
		}
		err := s.invoker.Register(f.Function, concurrency, func() awslambda.Handler {
			handler, err := f.Construct(env)
			if err != nil {
				panic("local: " + err.Error()) // it was constructed above, from the same environment
			}
			return handler
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// bounded is a client that has as many requests at a time as there are slots.
type bounded struct {
	next  aws.HTTPClient
	slots chan struct{}
}

// Do implements aws.HTTPClient.
func (b bounded) Do(r *http.Request) (*http.Response, error) {
	select {
	case b.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	defer func() { <-b.slots }()
	return b.next.Do(r)
}

// events configures the way to the bus of events, without a network.
func (s *Server) events() aws.Config {
	if s.bus == nil {
		return aws.Config{Region: region}
	}
	return aws.Config{Region: region, Credentials: keys, BaseEndpoint: aws.String("http://eventbridge.local"), HTTPClient: s.bus.Client()}
}

// invoke runs a function for API Gateway, to which every failure is the same.
func (s *Server) invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	result, err := s.invoker.Invoke(ctx, function, payload)
	if err != nil {
		return nil, err
	}
	if result.FunctionError != "" {
		return nil, fmt.Errorf("%s: %s", result.FunctionError, result.Payload)
	}
	return result.Payload, nil
}

// posts reaches the @connections API without a network.
type posts struct{ s *Server }

// RoundTrip implements http.RoundTripper.
func (p posts) RoundTrip(r *http.Request) (*http.Response, error) { return p.s.websocket.Do(r) }

// RoundTripBy is RoundTrip for package push: the API waits for no one, so no deadline passes.
func (p posts) RoundTripBy(r *http.Request, _ time.Time) (*http.Response, error) {
	return p.s.websocket.Do(r)
}
