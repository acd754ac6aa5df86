package local_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
)

// members is the size of the room that is measured.
const members = 100

// crowd is a room full of sockets that only count what comes.
type crowd struct {
	s       *server
	room    string
	sockets []*websocket.Conn
	arrived func(message int) // called for each delivery, from many goroutines
	acks    []chan struct{}   // by member
	readers sync.WaitGroup
}

// gather fills a room with members, one device each.
func gather(b *testing.B, c local.Config) *crowd {
	b.Helper()
	c.LogLevel, c.Unthrottled = "error", true
	s := start(b, c)
	users := make([]string, members)
	for i := range users {
		users[i] = fmt.Sprintf("user-%03d", i)
	}
	g := &crowd{s: s, room: s.room(users[:40]...)}
	for _, user := range users[40:] {
		s.api(users[0], http.MethodPost, "/rooms/"+g.room+"/members", wire.MemberRequest{UserID: user}, nil)
	}
	for _, user := range users {
		g.sockets = append(g.sockets, s.dial(user))
		g.acks = append(g.acks, make(chan struct{}, 100))
	}
	b.Cleanup(func() {
		for _, socket := range g.sockets {
			_ = socket.CloseNow()
		}
		g.readers.Wait()
	})
	return g
}

// dial opens a socket that nobody reads yet.
func (s *server) dial(user string) *websocket.Conn {
	s.t.Helper()
	socket, _, err := websocket.Dial(s.t.Context(), s.WebSocketURL(), &websocket.DialOptions{
		Subprotocols: []string{"streamroom", s.token(user, 0)},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	socket.SetReadLimit(1 << 20)
	return socket
}

// listen counts the messages "m<number>" that reach each socket.
func (g *crowd) listen() {
	marker := []byte(`"content":"m`)
	for i, socket := range g.sockets {
		g.readers.Go(func() {
			for {
				_, data, err := socket.Read(context.Background())
				if err != nil {
					return
				}
				if bytes.HasPrefix(data, []byte(`{"type":"ack"`)) {
					g.acks[i] <- struct{}{}
				}
				for {
					_, rest, found := bytes.Cut(data, marker)
					if !found {
						break
					}
					end := bytes.IndexByte(rest, '"')
					if n, err := strconv.Atoi(string(rest[:end])); err == nil {
						g.arrived(n)
					}
					data = rest[end:]
				}
			}
		})
	}
}

func (g *crowd) send(b *testing.B, n int) {
	b.Helper()
	socket := g.sockets[n%len(g.sockets)]
	frame := fmt.Sprintf(`{"action":"sendMessage","chatRoomId":%q,"content":"m%d"}`, g.room, n)
	if err := socket.Write(b.Context(), websocket.MessageText, []byte(frame)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRoomOf100At50MessagesASecond measures the time from a send to its
// last delivery, with the mappings woken at once and with AWS's polling. An
// operation is a second. Both ends are in this process.
func BenchmarkRoomOf100At50MessagesASecond(b *testing.B) {
	for name, poll := range map[string]time.Duration{"woken": 0, "polled-250ms": 250 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			g := gather(b, local.Config{PollInterval: poll})
			const perSecond = 50
			count := b.N * perSecond
			sent := make([]time.Time, count)
			left := make([]atomic.Int32, count)
			took := make([]time.Duration, count)
			var done sync.WaitGroup
			done.Add(count)
			for i := range left {
				left[i].Store(members)
			}
			g.arrived = func(n int) {
				if left[n].Add(-1) == 0 {
					took[n] = time.Since(sent[n])
					done.Done()
				}
			}
			g.listen()
			pace := time.NewTicker(time.Second / perSecond)
			defer pace.Stop()
			b.ResetTimer()
			for n := range count {
				<-pace.C
				sent[n] = time.Now()
				g.send(b, n)
			}
			done.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[count/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[count*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRoomOf100AsFastAsItGoes has all members send at once, each the next
// message upon the ack of the one before, as the clients do, and counts
// deliveries. The rate window would hold them back, so an operation is a burst
// from every member, and the time until the windows have run dry is not counted.
func BenchmarkRoomOf100AsFastAsItGoes(b *testing.B) {
	const burst = 19
	const all = burst * members * members
	g := gather(b, local.Config{})
	var delivered atomic.Int64
	g.arrived = func(int) { delivered.Add(1) }
	g.listen()
	var busy time.Duration
	var total int64
	b.ResetTimer()
	for range b.N {
		delivered.Store(0)
		started := time.Now()
		last := started
		for m := range members {
			g.readers.Go(func() {
				for range burst {
					g.send(b, m)
					select {
					case <-g.acks[m]:
					case <-b.Context().Done():
						return
					}
				}
			})
		}
		tick := time.NewTicker(time.Millisecond)
		for seen := int64(0); seen < all && time.Since(last) < 3*time.Second; {
			<-tick.C
			if now := delivered.Load(); now != seen {
				seen, last = now, time.Now()
			}
		}
		tick.Stop()
		busy += last.Sub(started)
		total += delivered.Load()
		<-time.After(2 * time.Second)
	}
	b.ReportMetric(float64(total)/busy.Seconds(), "deliveries/s")
	b.ReportMetric(100*(1-float64(total)/float64(all*b.N)), "lost-%")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStart measures how long an empty Streamroom in memory takes to serve,
// and what it weighs then.
func BenchmarkStart(b *testing.B) {
	for range b.N {
		s, err := local.Start(b.Context(), local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0"})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapInuse+m.StackInuse)/(1<<20), "heap-MB")
		if err := s.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
