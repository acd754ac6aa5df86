package local_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
)

// crowds are the sizes of the rooms that are measured. A thousand connections
// take half a minute to open: -short leaves them out.
func crowds() []int {
	if testing.Short() {
		return []int{10, 100}
	}
	return []int{10, 100, 1000}
}

// crowd is a room full of sockets that only count what comes.
type crowd struct {
	s       *rig.Rig
	room    string
	sockets []*websocket.Conn
	arrived func(message int) // called for each delivery, from many goroutines
	acks    []chan struct{}   // by member
	readers sync.WaitGroup
}

// gather fills a room with members, one device each.
func gather(b *testing.B, c local.Config, members int) *crowd {
	b.Helper()
	c.LogLevel = "error"
	wrap := c.Wrap
	c.Wrap = func(d local.Deployment) local.Deployment {
		d.Unthrottled = true
		if wrap != nil {
			d = wrap(d)
		}
		return d
	}
	s := start(b, c)
	users := make([]string, members)
	for i := range users {
		users[i] = fmt.Sprintf("user-%04d", i)
	}
	first := min(members, chat.MaxInitialMember)
	g := &crowd{s: s, room: s.Room(users[:first]...)}
	for _, user := range users[first:] {
		_, err := s.Store().AddMember(b.Context(), chat.Room{ID: g.room}, chat.Member{UserID: user, Role: chat.PlainMember})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, user := range users {
		g.sockets = append(g.sockets, s.Dial(user))
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

// race is how long messages take to their last delivery.
type race struct {
	sent []time.Time
	took []time.Duration // 0 for those that did not reach everyone
	left []atomic.Int32  // deliveries that are to come
	seen atomic.Int64    // deliveries
	all  int64
}

// follow has the crowd's sockets read count messages.
func (g *crowd) follow(count int) *race {
	r := &race{
		sent: make([]time.Time, count), took: make([]time.Duration, count), left: make([]atomic.Int32, count),
		all: int64(count * len(g.sockets)),
	}
	for i := range r.left {
		r.left[i].Store(int32(len(g.sockets)))
	}
	g.arrived = func(n int) {
		if r.left[n].Add(-1) == 0 {
			r.took[n] = time.Since(r.sent[n])
		}
		r.seen.Add(1)
	}
	g.listen()
	return r
}

// wait returns when all has arrived, or nothing has for a while: a post that
// fails is not made again. It returns when the last one came.
func (r *race) wait() (last time.Time) {
	const patience = 5 * time.Second
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	last = time.Now()
	for seen := int64(0); seen < r.all && time.Since(last) < patience; {
		<-tick.C
		if now := r.seen.Load(); now != seen {
			seen, last = now, time.Now()
		}
	}
	return last
}

// report prints how long messages took, and what was lost.
func (r *race) report(b *testing.B) {
	b.Helper()
	took := slices.DeleteFunc(slices.Clone(r.took), func(d time.Duration) bool { return d == 0 })
	slices.Sort(took)
	if n := len(took); n > 0 {
		b.ReportMetric(float64(took[n/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[n*99/100].Microseconds())/1000, "p99-ms")
	}
	b.ReportMetric(100*(1-float64(r.seen.Load())/float64(r.all)), "lost-%")
}

// BenchmarkRoomAtAPace measures the time from a send to its last delivery, with
// the mappings woken at once and with AWS's polling. An operation is a second.
// Both ends are in this process.
func BenchmarkRoomAtAPace(b *testing.B) {
	for _, members := range crowds() {
		// A thousand connections take all of two cores at some 50 a second.
		perSecond := min(50, 20_000/members)
		for name, poll := range map[string]time.Duration{"woken": 0, "polled-250ms": 250 * time.Millisecond} {
			b.Run(fmt.Sprintf("%d-connections/%d-messages-a-second/%s", members, perSecond, name), func(b *testing.B) {
				g := gather(b, local.Config{PollInterval: poll}, members)
				count := b.N * perSecond
				r := g.follow(count)
				pace := time.NewTicker(time.Second / time.Duration(perSecond))
				defer pace.Stop()
				b.ResetTimer()
				for n := range count {
					<-pace.C
					r.sent[n] = time.Now()
					g.send(b, n)
				}
				r.wait()
				r.report(b)
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkRoomAsFastAsItGoes has many members send at once, each the next
// message upon the ack of the one before, as the clients do, and counts
// deliveries. The rate window would hold them back, so an operation is a burst
// from every sender, and the time until the windows have run dry is not counted.
func BenchmarkRoomAsFastAsItGoes(b *testing.B) {
	for _, members := range crowds() {
		b.Run(fmt.Sprintf("%d-connections", members), func(b *testing.B) {
			senders := min(members, 100)
			burst := min(chat.SendBurst-1, 200_000/members/senders)
			all := int64(burst * senders * members)
			g := gather(b, local.Config{}, members)
			r := &race{all: all}
			g.arrived = func(int) { r.seen.Add(1) }
			g.listen()
			var busy time.Duration
			var total int64
			b.ResetTimer()
			for range b.N {
				r.seen.Store(0)
				started := time.Now()
				for m := range senders {
					g.readers.Go(func() { g.burst(b, m, burst) })
				}
				busy += r.wait().Sub(started)
				total += r.seen.Load()
				<-time.After(2 * time.Second)
			}
			b.ReportMetric(float64(total)/busy.Seconds(), "deliveries/s")
			b.ReportMetric(100*(1-float64(total)/float64(all*int64(b.N))), "lost-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// burst has a member send n messages, each upon the ack of the one before.
func (g *crowd) burst(b *testing.B, member, n int) {
	b.Helper()
	for range n {
		g.send(b, member)
		select {
		case <-g.acks[member]:
		case <-b.Context().Done():
			return
		}
	}
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
