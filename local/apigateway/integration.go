package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// Invoke calls one function with a JSON event and returns its JSON response.
// An error means that the function failed, timed out or was throttled.
type Invoke func(ctx context.Context, function string, payload []byte) (response []byte, err error)

// maxInvocations bounds the functions that one API runs at a time. It is
// Lambda's default concurrency quota; beyond it, clients wait.
const maxInvocations = 1000

var errIntegrationTimeout = errors.New("the integration timed out")

// integration runs functions for an API. A function that outlives the
// integration timeout runs on, as Lambda does, and its answer is dropped.
type integration struct {
	invoke  Invoke
	clock   clockwork.Clock
	timeout time.Duration
	slots   chan struct{}

	// ctx belongs to the API, not to a request: a function goes on when its
	// client leaves. It ends when a shutdown runs out of patience.
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	stopping bool
	running  sync.WaitGroup
}

func newIntegration(invoke Invoke, clock clockwork.Clock, timeout time.Duration) *integration {
	ctx, cancel := context.WithCancel(context.Background())
	return &integration{
		invoke: invoke, clock: clock, timeout: timeout, ctx: ctx, cancel: cancel,
		slots: make(chan struct{}, maxInvocations),
	}
}

// enter registers work that shutdown waits for, and reports false when the API
// is stopping. The work must end with running.Done.
func (i *integration) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopping {
		return false
	}
	i.running.Add(1)
	return true
}

// start runs work on a goroutine of its own once there is a slot for it. The
// caller must itself be inside registered work.
func (i *integration) start(work func()) {
	i.slots <- struct{}{}
	i.running.Go(func() {
		defer func() { <-i.slots }()
		work()
	})
}

// call invokes a function and hands its response, or errIntegrationTimeout, to
// answer exactly once. It returns when the function does.
func (i *integration) call(function string, payload []byte, answer func(response []byte, err error)) {
	timer := i.clock.AfterFunc(i.timeout, func() { answer(nil, errIntegrationTimeout) })
	response, err := i.invoke(i.ctx, function, payload)
	if timer.Stop() {
		answer(response, err)
	}
}

// wait invokes a function and returns its response, or errIntegrationTimeout
// while the function runs on.
func (i *integration) wait(function string, payload []byte) ([]byte, error) {
	type outcome struct {
		response []byte
		err      error
	}
	done := make(chan outcome, 1)
	i.start(func() {
		i.call(function, payload, func(response []byte, err error) { done <- outcome{response, err} })
	})
	o := <-done
	return o.response, o.err
}

// stop refuses new work.
func (i *integration) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopping = true
}

func (i *integration) stopped() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stopping
}

// drain waits for all work. When ctx ends first it cancels the functions'
// context and returns ctx's error.
func (i *integration) drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		i.running.Wait()
		close(done)
	}()
	defer i.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running invocations: %w", ctx.Err())
	}
}

// proxyResponse is what a function answers to either API.
type proxyResponse struct {
	StatusCode        *int                `json:"statusCode"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// parseProxyResponse reads a Lambda proxy response, whose statusCode must be
// one that HTTP can send as a final status.
func parseProxyResponse(response []byte) (proxyResponse, error) {
	var r proxyResponse
	if err := json.Unmarshal(response, &r); err != nil {
		return r, fmt.Errorf("malformed proxy response: %w", err)
	}
	if r.StatusCode == nil {
		return r, errors.New("malformed proxy response: it has no statusCode")
	}
	if *r.StatusCode < 200 || *r.StatusCode > 599 {
		return r, fmt.Errorf("malformed proxy response: invalid statusCode: want 200 to 599, got %d", *r.StatusCode)
	}
	return r, nil
}

// header returns a header of the response, whatever the case of its name.
func (r proxyResponse) header(name string) string {
	for key, values := range r.MultiValueHeaders {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[len(values)-1]
		}
	}
	for key, value := range r.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
