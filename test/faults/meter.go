package faults

import (
	"context"
	"net/http"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
)

// Meter counts what functions are asked for and ask for. It is safe for concurrent use.
type Meter struct {
	mu   sync.Mutex
	used Used
}

// Used is what was counted.
type Used struct {
	Invocations map[string]int // by function
	Posts       int            // to connections
}

// Take gives what was counted since the last time.
func (m *Meter) Take() Used {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := m.used
	m.used = Used{}
	return used
}

func (m *Meter) count(f func(*Used)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used.Invocations == nil {
		m.used.Invocations = map[string]int{}
	}
	f(&m.used)
}

// Wrap has a function counted, with what faults inside of it have it try again. It is for
// local.EachFunction.
func (m *Meter) Wrap(f local.Function) local.Function {
	wrapped := f.Transport
	f.Transport = func(next http.RoundTripper) http.RoundTripper {
		if wrapped != nil {
			next = wrapped(next)
		}
		return transport(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get(targetHeader) == "" && r.Method == http.MethodPost { // none to the table
				m.count(func(u *Used) { u.Posts++ })
			}
			return next.RoundTrip(r)
		})
	}
	if construct := f.Construct; construct != nil {
		f.Construct = func(env functions.Env) (lambda.Handler, error) {
			handler, err := construct(env)
			if err != nil {
				return nil, err
			}
			return metered{m, f.Name, handler}, nil
		}
	}
	return f
}

type metered struct {
	meter    *Meter
	function string
	next     lambda.Handler
}

// Invoke implements lambda.Handler.
func (h metered) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	h.meter.count(func(u *Used) { u.Invocations[h.function]++ })
	return h.next.Invoke(ctx, payload)
}
