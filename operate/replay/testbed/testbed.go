// Package testbed is a whole Streamroom for the tests of operators' tools: one
// that is reached over the wire as they reach it, whose consumers can be broken.
package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// World is a whole Streamroom, reached over the wire as an operator does. A test
// may plant a bug into a consumer.
type World struct {
	*local.Server
	Clients    replay.Clients
	Deployment replay.Deployment

	t       testing.TB
	options Options

	mu    sync.Mutex
	bug   func(function string, records []events.DynamoDBEventRecord) ([]byte, error)
	heard map[string]int // by function and sort key, what came and was not refused
	took  map[string]int // by function and the sort key's prefix, what of that came from the mapping
}

// Options say what a World is like.
type Options struct {
	Fanout bool                                      // run fanout, which tests without clients do without
	Wrap   func(http.RoundTripper) http.RoundTripper // stands between the tools and the Streamroom
}

// Begin starts a Streamroom whose mappings gather for a moment and do not retry.
// It ends with the test.
func Begin(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{t: t, options: o, heard: map[string]int{}, took: map[string]int{}}
	server, err := local.Start(t.Context(), local.Config{
		Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Wrap: w.wrap,
	})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	w.Server = server
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	w.Clients = replay.NewClients(w.config(transport))
	w.Deployment = replay.Deployment{
		Table: local.TableName, Queue: w.TableURL() + "/0/failures",
		Functions: map[string]string{topology.LastMessage: topology.LastMessage, topology.Fanout: topology.Fanout},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return w
}

func (w *World) config(transport http.RoundTripper) aws.Config {
	if w.options.Wrap != nil {
		transport = w.options.Wrap(transport)
	}
	return replay.Local(w.TableURL(), transport)
}

func (w *World) wrap(d local.Deployment) local.Deployment {
	d.Unthrottled = true
	for i, f := range d.Functions {
		construct := f.Construct
		d.Functions[i].Construct = func(env functions.Env) (awslambda.Handler, error) {
			inner, err := construct(env)
			return consumer{inner, w, f.Name}, err
		}
	}
	for i := range d.Mappings {
		m := &d.Mappings[i]
		m.MaximumRetryAttempts, m.BisectOnError, m.BatchSize = 0, false, min(m.BatchSize, 500)
		m.BatchWindow = min(m.BatchWindow, 200*time.Millisecond)
	}
	return d
}

// consumer is a function with a test in between.
type consumer struct {
	awslambda.Handler
	w    *World
	name string
}

func (c consumer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	switch {
	case c.name == topology.Fanout && !c.w.options.Fanout:
		return nil, nil
	case c.name != topology.LastMessage && c.name != topology.Fanout:
		return c.Handler.Invoke(ctx, payload)
	}
	var event events.DynamoDBEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	c.w.mu.Lock()
	bug := c.w.bug
	c.w.mu.Unlock()
	if bug != nil {
		if answer, err := bug(c.name, event.Records); answer != nil || err != nil {
			return answer, err
		}
	}
	answer, err := c.Handler.Invoke(ctx, payload)
	if err != nil {
		return nil, err
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	for _, r := range event.Records {
		sk := r.Change.Keys[table.SK].String()
		c.w.heard[c.name+" "+sk]++
		if prefix, _, ok := strings.Cut(sk, "#"); ok && r.EventSource != changes.ReplaySource {
			c.w.took[c.name+" "+prefix+"#"]++
		}
	}
	return answer, nil
}

// Plant makes consumers behave as bug says; an answer of nil without an error
// leaves it to the function itself.
func (w *World) Plant(bug func(function string, records []events.DynamoDBEventRecord) ([]byte, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bug = bug
}

// Refuse names all records of a batch as failed.
func Refuse(records []events.DynamoDBEventRecord) ([]byte, error) {
	var answer events.DynamoDBEventResponse
	for _, r := range records {
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: r.Change.SequenceNumber})
	}
	return json.Marshal(answer)
}

// Came counts the different records that a function took.
func (w *World) Came(function string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for key := range w.heard {
		if strings.HasPrefix(key, function+" ") {
			n++
		}
	}
	return n
}

// Forget lets Came count anew.
func (w *World) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.heard)
}

// Eventually waits until check holds.
func Eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !check() {
		select {
		case <-deadline:
			t.Fatalf("%s did not come about within %s", what, patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Same compares two dumps.
func Same(t testing.TB, what string, got, want map[table.Key]string) {
	t.Helper()
	shown := 0
	for k, v := range want {
		if got[k] != v && shown < 5 {
			t.Errorf("%s: %v\n got %q\nwant %q", what, k, got[k], v)
			shown++
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok && shown < 5 {
			t.Errorf("%s: %v is there", what, k)
			shown++
		}
	}
}

// Token signs a user in.
func (w *World) Token(user string) string {
	w.t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"user":%q}`, user))
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL()+"/token", body)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	var out struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil || out.Token == "" {
		w.t.Fatalf("token of %s: %s, %v", user, response.Status, err)
	}
	return out.Token
}
