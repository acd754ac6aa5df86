package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
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
	Invocations   map[string]int     // by function
	Posts         int                // to connections
	Reads, Writes map[string]float64 // units of the table, by function; those of failed conditions are not known
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
		m.used = Used{Invocations: map[string]int{}, Reads: map[string]float64{}, Writes: map[string]float64{}}
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
			service, operation, toTable := strings.Cut(r.Header.Get(targetHeader), ".")
			switch {
			case !toTable && r.Method == http.MethodPost:
				m.count(func(u *Used) { u.Posts++ })
			case toTable && !streams(service):
				return m.units(f.Name, operation, next, r)
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

// units makes a request to the table, and counts what it takes.
func (m *Meter) units(function, operation string, next http.RoundTripper, r *http.Request) (*http.Response, error) {
	defer discard(r)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read a request: %w", err)
	}
	asking := r.Clone(r.Context())
	body = append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), body[1:]...)
	asking.Body, asking.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response, err := next.RoundTrip(asking)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))
	taken := capacity(answer)
	m.count(func(u *Used) {
		switch operation {
		case "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan":
			u.Reads[function] += taken
		default:
			u.Writes[function] += taken
		}
	})
	return response, nil
}

// capacity is the sum of the units that an answer tells of. In a text of an item the quotes
// around such a name would be escaped.
func capacity(answer []byte) (units float64) {
	name := []byte(`"CapacityUnits":`)
	for {
		_, rest, found := bytes.Cut(answer, name)
		if !found {
			return units
		}
		end := bytes.IndexAny(rest, ",}")
		if end < 0 {
			return units
		}
		if n, err := strconv.ParseFloat(string(bytes.TrimSpace(rest[:end])), 64); err == nil {
			units += n
		}
		answer = rest[end:]
	}
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
