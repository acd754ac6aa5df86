package faults

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
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

	Connections map[string]UsedFor // by id
}

// UsedFor is what was counted of a connection.
type UsedFor struct {
	Replaces    string // the id of the connection that it was opened to replace; "": none
	Posts       int    // to it
	Invocations int    // by its frames, its beginning and its end
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
		m.used = Used{Invocations: map[string]int{}, Reads: map[string]float64{}, Writes: map[string]float64{}, Connections: map[string]UsedFor{}}
	}
	f(&m.used)
}

// of counts for a connection.
func (u *Used) of(connectionID string, f func(*UsedFor)) {
	if connectionID == "" {
		return
	}
	c := u.Connections[connectionID]
	f(&c)
	u.Connections[connectionID] = c
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
				m.count(func(u *Used) {
					u.Posts++
					u.of(connectionID(r), func(c *UsedFor) { c.Posts++ })
				})
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
			routed := slices.ContainsFunc(topology.Routes(), func(r topology.Route) bool { return r.Function == f.Name })
			return metered{m, f.Name, routed, handler}, nil
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
	routed   bool // it handles frames, or the beginnings and ends of connections
	next     lambda.Handler
}

// Invoke implements lambda.Handler.
func (h metered) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event struct {
		RequestContext        struct{ ConnectionID string } `json:"requestContext"`
		QueryStringParameters struct{ Replaces string }     `json:"queryStringParameters"`
	}
	if h.routed {
		_ = json.Unmarshal(payload, &event) // else it is of no connection
	}
	id := event.RequestContext.ConnectionID
	h.meter.count(func(u *Used) {
		u.Invocations[h.function]++
		u.of(id, func(c *UsedFor) {
			c.Invocations++
			c.Replaces = cmp.Or(c.Replaces, event.QueryStringParameters.Replaces)
		})
	})
	return h.next.Invoke(ctx, payload)
}
