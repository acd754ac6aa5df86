package functions_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/shared/chat"
)

// meter is a client of the table that asks what each request consumed. It lies
// `away` from the table, so that requests made side by side overlap.
type meter struct {
	table aws.HTTPClient
	away  time.Duration

	mu    sync.Mutex
	calls []call
}

// call is one request to the table. Its units are those of the answer; DynamoDB
// charges failed conditions too, but does not say how much.
type call struct {
	operation   string
	start, end  time.Time
	read, write float64
	refused     bool // a failed condition
}

// Do implements aws.HTTPClient.
func (m *meter) Do(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	c := call{operation: operation, start: time.Now()}
	if err := askForCapacity(r); err != nil {
		return nil, err
	}
	response, err := m.table.Do(r)
	if err != nil {
		return nil, err
	}
	if err := c.readConsumedCapacity(response); err != nil {
		return nil, err
	}
	if m.away > 0 {
		select {
		case <-time.After(m.away):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	c.end = time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, c)
	return response, nil
}

// askForCapacity adds ReturnConsumedCapacity to a request.
func askForCapacity(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	body = append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), body[1:]...)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// readConsumedCapacity reads the units that the request consumed and leaves the
// answer unread.
func (c *call) readConsumedCapacity(response *http.Response) error {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if response.StatusCode != http.StatusOK {
		c.refused = true
		return nil
	}
	var answer struct{ ConsumedCapacity json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	type consumed struct{ CapacityUnits float64 }
	var tables []consumed
	switch {
	case len(answer.ConsumedCapacity) == 0: // no operation on items
	case answer.ConsumedCapacity[0] == '[':
		err = json.Unmarshal(answer.ConsumedCapacity, &tables)
	default:
		tables = make([]consumed, 1)
		err = json.Unmarshal(answer.ConsumedCapacity, &tables[0])
	}
	if err != nil {
		return fmt.Errorf("read the consumed capacity: %w", err)
	}
	units := &c.write
	if c.reads() {
		units = &c.read
	}
	for _, table := range tables {
		*units += table.CapacityUnits
	}
	return nil
}

func (c call) reads() bool {
	return c.operation == "GetItem" || c.operation == "BatchGetItem" || c.operation == "Query"
}

// usage is what some requests cost.
type usage struct {
	Requests    int
	Writes      int // requests that write
	RoundTrips  int // the longest chain of requests, each begun after the one before had ended
	InFlight    int // requests at a time, at most
	Read, Write float64
	Refused     int // failed conditions, whose units are not in Write
}

// take returns what was used since it was called last.
func (m *meter) take() usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	u := usage{Requests: len(calls), RoundTrips: chain(calls), InFlight: overlap(calls)}
	for _, c := range calls {
		u.Read += c.read
		u.Write += c.write
		if !c.reads() {
			u.Writes++
		}
		if c.refused {
			u.Refused++
		}
	}
	return u
}

func chain(calls []call) (length int) {
	slices.SortFunc(calls, func(a, b call) int { return a.end.Compare(b.end) })
	var end time.Time
	for _, c := range calls {
		if !c.start.Before(end) {
			length, end = length+1, c.end
		}
	}
	return length
}

func overlap(calls []call) (most int) {
	type step struct {
		at    time.Time
		delta int
	}
	var steps []step
	for _, c := range calls {
		steps = append(steps, step{c.start, 1}, step{c.end, -1})
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), a.delta-b.delta) })
	now := 0
	for _, s := range steps {
		now += s.delta
		most = max(most, now)
	}
	return most
}

// gateway is an @connections API that takes every post, without a network.
type gateway struct {
	mu    sync.Mutex
	posts map[string]int // by path
	bytes int64
}

// RoundTrip implements http.RoundTripper.
func (g *gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	size, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes += size
	if g.posts == nil {
		g.posts = map[string]int{}
	}
	g.posts[r.URL.EscapedPath()]++
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// take returns how many posts came since it was called last, and how many
// connections they went to.
func (g *gateway) take() (posts, connections int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.posts {
		posts += n
	}
	connections = len(g.posts)
	g.posts = nil
	return posts, connections
}

// metered is a world in this process whose table says what is consumed.
type metered struct {
	*world
	away  time.Duration // how far the table is, for what is counted
	table *meter
	posts *gateway
}

func newMetered(t testing.TB, away time.Duration, members int) metered {
	t.Helper()
	m := metered{away: away, table: &meter{table: newEngine(t)}, posts: &gateway{}}
	m.world = newWorld(t, "http://table.example", "http://gateway.example/local", m.table, m.posts)
	m.populate(members)
	return m
}

// count is invoke, and returns what it asked of the table.
func (m metered) count(handler awslambda.Handler, event []byte, status int) usage {
	m.t.Helper()
	m.table.take()
	m.table.away = m.away
	m.invoke(handler, event, status)
	m.table.away = 0
	return m.table.take()
}

// broadcast runs fanout on messages that have just been stored.
func (m metered) broadcast(fanout awslambda.Handler, messages int) (used usage, posts, connections int) {
	m.t.Helper()
	used = m.count(fanout, m.inserted(m.batch(messages)...), 0)
	posts, connections = m.posts.take()
	return used, posts, connections
}

// project runs lastmessage on messages that have just been stored.
func (m metered) project(lastMessage awslambda.Handler, messages int) usage {
	m.t.Helper()
	return m.count(lastMessage, m.inserted(m.batch(messages)...), 0)
}

// way is how a message is sent.
type way struct {
	cold     bool // by a function that has just started
	burst    bool // while the connection's rate window is running
	clientID bool // with a clientMessageId
}

// sender returns a function that sends one message of size bytes.
func (m metered) sender(by way, size int) (send func() usage) {
	handler := m.wired(functions.SendMessage)
	count := 0
	say := func() usage {
		m.t.Helper()
		frame := object{"action": "sendMessage", "chatRoomId": room, "content": text(size)}
		if count++; by.clientID {
			frame["clientMessageId"], frame["echo"] = fmt.Sprintf("c-%d", count), false
		}
		m.clock.advance(time.Millisecond)
		return m.count(handler, m.frame(connection(0), frame), http.StatusOK)
	}
	const pause = 3 * time.Second / chat.SendRate // two sends' windows have run dry
	return func() usage {
		m.t.Helper()
		m.clock.advance(pause)
		if by.burst || !by.cold {
			say()
		}
		if !by.burst {
			m.clock.advance(pause)
		}
		if by.cold {
			handler = m.wired(functions.SendMessage)
		}
		return say()
	}
}

// newEngine returns an empty embedded table, which is closed with the test.
func newEngine(t testing.TB) *dynamodb.Engine {
	t.Helper()
	engine, err := dynamodb.Open(t.Context(), dynamodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}
