package functions_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/eventbridge"
	"github.com/streamroom/streamroom/shared/config"
)

// countedBus counts the requests to a bus.
type countedBus struct {
	*eventbridge.Bus
	requests atomic.Int64
}

func (c *countedBus) Do(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return c.Bus.Client().Do(r)
}

// Events take one request for ten of them, and nothing of the table or of connections;
// without a bus there is no request.
func TestFanout_EventsTakeOneRequestForTen(t *testing.T) {
	for bus, want := range map[string]int{"": 0, "rooms": 2} {
		m := newMetered(t, 0, 10)
		m.must(m.store.DeleteConnection(t.Context(), connection(9), false)) // who is offline
		counted := &countedBus{Bus: eventbridge.New(nil, m.clock.now)}
		m.env.Events = aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""), HTTPClient: counted}
		getenv := m.env.Getenv
		m.env.Getenv = func(name string) string {
			if name == config.EventBus {
				return bus
			}
			return getenv(name)
		}
		got, posts, _ := m.broadcast(m.wired(functions.Fanout), 10)
		if got.Requests != 3 || posts != 9 {
			t.Errorf("bus %q: %d requests to the table, %d posts; want 3, 9", bus, got.Requests, posts)
		}
		if events := len(counted.Events()); int(counted.requests.Load()) != want || events != 10*want {
			t.Errorf("bus %q: %d requests with %d events, want %d with %d", bus, counted.requests.Load(), events, want, 10*want)
		}
	}
}
