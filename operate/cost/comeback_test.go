package cost_test

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
)

// attempt is a client's next request.
type attempt struct {
	at     time.Duration
	client int
}

type attempts []attempt

func (a attempts) Len() int           { return len(a) }
func (a attempts) Less(i, j int) bool { return a[i].at < a[j].at }
func (a attempts) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *attempts) Push(x any)        { *a = append(*a, x.(attempt)) }
func (a *attempts) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// bucket is how API Gateway throttles.
type bucket struct {
	rate, burst, tokens float64
	at                  time.Duration
}

func (b *bucket) take(now time.Duration) bool {
	b.tokens = min(b.burst, b.tokens+b.rate*(now-b.at).Seconds())
	if b.at = now; b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// client is where one of those who come back is: it connects, syncs, and lists rooms.
type client struct {
	step, failures int
}

// comeBack simulates clients whose connections all ended at once, and returns when the
// last of them is connected, when half of them, 99 % and all are in sync, and how many requests
// of the HTTP API were refused. A client tries after a time from 0 to base, twice as
// much after each failure, up to limit, as both of ours do.
func comeBack(clients int, apiRate, base, limit float64) (connected, half, most, synced time.Duration, refused int) {
	random := rand.New(rand.NewPCG(1, 2))
	handshakes := bucket{rate: 500, burst: 500, tokens: 500}
	api := bucket{rate: apiRate, burst: cost.APIBurst, tokens: cost.APIBurst}
	pause := func(failures int) time.Duration {
		return time.Duration(random.Float64() * min(limit, base*float64(int(1)<<min(failures, 16))) * float64(time.Second))
	}
	all := make([]client, clients)
	next := &attempts{}
	for i := range all {
		heap.Push(next, attempt{pause(0), i})
	}
	done := 0
	for next.Len() > 0 {
		a := heap.Pop(next).(attempt)
		c := &all[a.client]
		gate := &api
		if c.step == 0 {
			gate = &handshakes
		}
		if !gate.take(a.at) {
			if c.step > 0 {
				refused++
			}
			heap.Push(next, attempt{a.at + pause(c.failures), a.client})
			c.failures++
			continue
		}
		c.step, c.failures = c.step+1, 0
		switch c.step {
		case 1:
			connected = a.at
		case 3: // its sync and its list are read
			switch done++; done {
			case clients / 2:
				half = a.at
			case clients * 99 / 100:
				most = a.at
			}
			synced = a.at
			continue
		}
		heap.Push(next, attempt{a.at + 100*time.Millisecond, a.client})
	}
	return connected, half, most, synced, refused
}

// Clients that come back at once, after a region's bad minute, are all in sync soon:
// docs/operations.md, "Capacity by users", has the figures.
func TestComeBack(t *testing.T) {
	for _, pace := range []struct {
		name        string
		base, limit float64
	}{{"Go client", 0.5, 30}, {"browser", 2, 60}} {
		for _, rate := range []float64{cost.APIRate, 1000} {
			connected, half, most, synced, refused := comeBack(10_000, rate, pace.base, pace.limit)
			t.Logf("%s, %.0f requests a second: connected after %.0f s, in sync after %.0f s (half), %.0f s (99 %%), %.0f s (all), %.1f requests refused each",
				pace.name, rate, connected.Seconds(), half.Seconds(), most.Seconds(), synced.Seconds(), float64(refused)/10_000)
			if rate == cost.APIRate && (most > 2*time.Minute || synced > 4*time.Minute) {
				t.Errorf("%s: 99 %% in sync after %v, all after %v, want 2 and 4 minutes", pace.name, most, synced)
			}
		}
	}
}
