// Package push posts frames to WebSocket connections through the management
// API of API Gateway: POST {endpoint}/@connections/{id}.
//
// A batch is posted by a bounded number of workers and ends with its context's
// deadline at the latest. Every post has a timeout of its own, so that one
// hanging connection never holds the rest, and throttled or failed posts go
// back to the queue instead of stalling a worker. The package logs nothing, and
// its errors never hold a frame's content.
//
// # What of the SDK is used
//
// A fan-out's cost is CPU per post, and the SDK's client builds and walks a stack of some
// thirty middlewares for every call. BenchmarkCPUPerPost counts the user and system time
// of the posting process (one core, 32 posts at a time over kept-alive connections of
// loopback, each way in a process of its own), as ratios to a plain request of net/http
// that aws/signer/v4 signs, for frames of 300 and of 8,000 bytes over HTTP, and of 300
// over TLS:
//
//	plain request, unsigned                          0.6   0.5   0.8    55 allocations
//	plain request, signed                            1.0   1.0   1.0   106
//	SDK client                                       2.4   2.3   2.6   345
//	SDK client, all dispensable middlewares removed  2.1   1.8   2.0   295
//	this package, over net/http's transport          0.7   0.7   0.8    56
//	this package                                     0.5   0.4   0.5    31
//
// So a post is written by hand: its URL, its headers, its signature (package sigv4) and
// the exchange with the gateway (transport.go). What an error answer means the SDK says:
// its protocol, error types and type registry read it. What the SDK's client sends
// besides is left out: its invocation id, its retry header and X-Ray's trace id. The
// contract tests hold both to the same bytes on the wire and to the same reading of
// answers.
package push

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/sigv4"
)

const (
	// Workers is the number of posts of one batch in flight at a time. At 10 ms
	// a post it serves 3,200 connections a second, and a cold function opens no
	// more TLS connections than this.
	Workers = 32

	// PostTimeout is how long one attempt waits for its answer. Posts usually
	// take milliseconds, but some have been seen to hang forever.
	PostTimeout = 2 * time.Second

	// Attempts is how often a post is tried at most when it is refused, when the
	// service fails, or when the connection to it breaks.
	Attempts = 4

	// ThrottledAttempts is how often while it is the account that is throttled,
	// by its requests a second, and not a connection that reads too slowly.
	ThrottledAttempts = 8

	// FirstBackoff is the longest pause before the first retry, and half of it
	// the shortest. Each further one is twice as long, up to MostBackoff: 0.7 s
	// for all of them at most, and 3.9 s while the account is throttled, of a
	// deadline of seconds.
	FirstBackoff = 100 * time.Millisecond

	// MostBackoff is the longest pause before any retry.
	MostBackoff = 800 * time.Millisecond
)

// Config holds the endpoint and the credentials of a Pusher.
type Config struct {
	// Endpoint is the management API's URL with the stage:
	// https://{domain}/{stage}, https://{custom domain}/{mapping key}, or
	// http://127.0.0.1:8080/local.
	Endpoint string

	// Region is the AWS region that requests are signed for.
	Region string

	// Credentials sign the requests. They are retrieved once per batch; a
	// provider that asks the network should cache, as aws.Config's does.
	// aws.AnonymousCredentials leave signatures out, for a gateway in this process.
	Credentials aws.CredentialsProvider

	// Transport sends the requests. Nil means HTTP/1.1 with as many kept-alive
	// connections as a few concurrent batches use, through the environment's proxy if
	// it names one.
	Transport http.RoundTripper

	// Now is the clock that requests are signed by. Nil means time.Now. If it is
	// wrong by minutes, the service's refusal shows it: the post is made again, and
	// later ones are signed, by the service's clock.
	Now func() time.Time

	// Random spreads retries, as a backoff.Policy's does. It is called from several
	// goroutines.
	Random func() float64
}

// ErrEmpty is the error of a post without connection id or without data, which
// is never sent.
var ErrEmpty = errors.New("a post needs a connection id and data")

// timed is a transport that takes a deadline without a context of its own for each request,
// and any body. An http1.Transport is one.
type timed interface {
	RoundTripBy(req *http.Request, deadline time.Time) (*http.Response, error)
}

// Pusher posts frames to one endpoint. It is safe for concurrent use.
type Pusher struct {
	endpoint    endpoint
	credentials aws.CredentialsProvider
	transport   http.RoundTripper
	direct      timed         // the transport, if it is one
	signer      *sigv4.Signer // nil: posts are not signed
	now         func() time.Time
	pauses      backoff.Policy
	clients     clients // what is known of them, from batch to batch
	account     account
	skew        skew
}

// New returns a Pusher, or an error if the configuration is invalid. It sends
// nothing.
func New(c Config) (*Pusher, error) {
	at, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		return nil, errors.New("push: a region is needed to sign requests, for example us-east-1")
	}
	if c.Credentials == nil {
		return nil, errors.New("push: credentials are needed to sign requests")
	}
	p := &Pusher{
		endpoint:    newEndpoint(at),
		credentials: c.Credentials,
		transport:   c.Transport,
		now:         c.Now,
		pauses:      backoff.Policy{First: FirstBackoff, Max: MostBackoff, Jitter: 0.5, Random: c.Random},
	}
	if !sigv4.IsAnonymous(c.Credentials) {
		p.signer = sigv4.New(signingName, c.Region)
	}
	if p.transport == nil {
		p.transport = defaultTransport(at)
	}
	p.direct, _ = p.transport.(timed)
	if p.now == nil {
		p.now = time.Now
	}
	return p, nil
}

// Push posts every post and returns when the last one has its result, at ctx's
// end at the latest; result i belongs to post i. No goroutine of it outlives
// the call. Posts to one connection may arrive in any order.
//
// After an answer, a delivery's Err holds what the SDK's client would return:
// errors.As finds *types.GoneException, *types.ForbiddenException,
// *types.PayloadTooLargeException, *types.LimitExceededException or another
// smithy.APIError, and *awshttp.ResponseError with the status and the request's
// id. If time ran out it holds the context's error.
func (p *Pusher) Push(ctx context.Context, posts []Post) []Delivery {
	results := make([]Delivery, len(posts))
	if len(posts) == 0 {
		return results
	}
	var credentials aws.Credentials
	var err error
	if p.signer != nil {
		credentials, err = p.credentials.Retrieve(ctx)
	}
	if err != nil {
		err = fmt.Errorf("retrieve credentials: %w", err)
		for i := range results {
			results[i].Err = err
		}
		return results
	}
	b := &batch{Pusher: p, credentials: credentials, posts: posts, results: results, began: p.now()}
	var others sync.WaitGroup
	for range min(Workers, len(posts)) - 1 {
		others.Go(func() { b.work(ctx) })
	}
	b.work(ctx)
	others.Wait()
	return results
}

// CloseIdleConnections closes the connections that are kept alive for the next
// batch.
func (p *Pusher) CloseIdleConnections() {
	if t, ok := p.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
