package faults

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
)

// Wrap injects the plan's faults into a deployment: into what each function sends
// to the table and to connections, into its invocations and its clock, and into
// $disconnects. It is for local.Config.
func (in *Injector) Wrap(d local.Deployment) local.Deployment {
	d.DropDisconnect = in.DropDisconnect
	return local.EachFunction(in.function)(d)
}

func (in *Injector) function(f local.Function) local.Function {
	wrapped := f.Transport
	f.Transport = func(next http.RoundTripper) http.RoundTripper {
		if wrapped != nil {
			next = wrapped(next)
		}
		// One transport leads to the table and to @connections.
		table, posts := in.Table(f.Name, next), in.Posts(f.Name, next)
		return transport(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get(targetHeader) != "" {
				return table.RoundTrip(r)
			}
			return posts.RoundTrip(r)
		})
	}
	if f.Construct != nil {
		f.Construct = in.construct(f)
	}
	return f
}

func (in *Injector) construct(f local.Function) functions.Constructor {
	construct := f.Construct
	return func(env functions.Env) (lambda.Handler, error) {
		if in.plan.Skew > 0 {
			now, skew := env.Now, in.skew(f.Name)
			env.Now = func() time.Time { return now().Add(skew) }
		}
		handler, err := construct(env)
		if err != nil {
			return nil, err
		}
		if f.Name == topology.Connect {
			handler = successions{in, handler}
		}
		return in.Handler(f.Name, handler), nil
	}
}

// transport is a function as an http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// errReset is what a client sees of a connection that breaks.
var errReset = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

// discard ends a request that is not carried out.
func discard(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// carriedOut drops the answer to a request, if one came.
func carriedOut(response *http.Response, err error) {
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// Handler wraps a function's handler in the plan's faults of invocations.
func (in *Injector) Handler(function string, next lambda.Handler) lambda.Handler {
	return handler{in, function, next}
}

type handler struct {
	in       *Injector
	function string
	next     lambda.Handler
}

// successions notes which connections replace which.
type successions struct {
	in   *Injector
	next lambda.Handler
}

// Invoke implements lambda.Handler.
func (s successions) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := s.next.Invoke(ctx, payload)
	var event events.APIGatewayWebsocketProxyRequest
	var response events.APIGatewayProxyResponse
	if err != nil || json.Unmarshal(payload, &event) != nil || json.Unmarshal(answer, &response) != nil {
		return answer, err
	}
	if response.StatusCode == http.StatusOK {
		s.in.succeed(event.QueryStringParameters["replaces"], event.RequestContext.ConnectionID)
	}
	return answer, nil
}

// handlerPart is which part of the plan's delay a handler gets that is to be cut
// off in the middle: the functions take a few ms here.
const handlerPart = 40

// Errors of invocations that the plan fails.
var (
	errRefused  = errors.New("injected: the function failed before it began")
	errCrashed  = errors.New("injected: the function crashed when its work was done")
	errTimedOut = errors.New("injected: the function's time ran out")
)

// Invoke implements lambda.Handler.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	rates := h.in.plan.Invocations
	decided := h.in.decide(call{SeamInvocations, h.function, ""}, []chance{
		{refused, rates.Refused}, {crashed, rates.Crashed}, {timedOut, rates.TimedOut}, {twice, rates.Twice}, {slow, rates.Slow},
	})
	switch decided.fault {
	case refused, outage:
		return nil, errRefused
	case crashed:
		if _, err := h.next.Invoke(ctx, payload); err != nil {
			return nil, err
		}
		return nil, errCrashed
	case timedOut:
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		timer := h.in.clock.AfterFunc(h.in.part(decided.random)/handlerPart, cancel)
		defer timer.Stop()
		if _, err := h.next.Invoke(ctx, payload); err != nil {
			return nil, err
		}
		return nil, errTimedOut
	case twice:
		if _, err := h.next.Invoke(ctx, payload); err != nil {
			return nil, err
		}
	case slow:
		if err := h.in.delay(ctx, decided.random); err != nil {
			return nil, err
		}
	}
	return h.next.Invoke(ctx, payload)
}
