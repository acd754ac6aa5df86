package local_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/test/rig"
)

// Neighbours are rooms that chat at a steady pace beside whatever is going on.
const (
	neighbourRooms = 8
	neighbourPause = 50 * time.Millisecond // between two messages of a room
	neighbourTime  = time.Second           // that they chat in a row
)

// talk has each room chat for neighbourTime, and returns how long each message
// took, from when it was due, to the other user.
func (p *pairs) talk(b *testing.B) []time.Duration {
	b.Helper()
	took := make([][]time.Duration, len(p.rooms))
	var rooms sync.WaitGroup
	for i := range p.rooms {
		begin := time.Now().Add(time.Duration(i) * neighbourPause / neighbourRooms)
		rooms.Go(func() {
			for n := range int(neighbourTime / neighbourPause) {
				due := begin.Add(time.Duration(n) * neighbourPause)
				<-time.After(time.Until(due))
				if err := p.say(b.Context(), i, n); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(due))
			}
		})
	}
	rooms.Wait()
	return slices.Concat(took...)
}

// say sends the n-th message of a room, from its users in turns, and waits until
// it has reached the other one.
func (p *pairs) say(ctx context.Context, room, n int) error {
	from, to := p.users[room][n%2], p.users[room][1-n%2]
	content := fmt.Sprint("message ", n)
	frame := fmt.Sprintf(`{"action":"sendMessage","chatRoomId":%q,"content":%q}`, p.rooms[room], content)
	if err := from.Conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		return fmt.Errorf("%s sends: %w", from.User, err)
	}
	for {
		got, err := to.Next()
		if err != nil {
			return fmt.Errorf("%s waits for %q: %w", to.User, content, err)
		}
		if got.Content == content {
			return nil
		}
	}
}

// reportBeside prints how long messages took without and with something beside.
func reportBeside(b *testing.B, without, with []time.Duration) {
	b.Helper()
	percentile := func(took []time.Duration, percent int) float64 {
		slices.Sort(took)
		return float64(took[len(took)*percent/100].Microseconds()) / 1000
	}
	b.ReportMetric(percentile(without, 50), "without-p50-ms")
	b.ReportMetric(percentile(with, 50), "with-p50-ms")
	b.ReportMetric(percentile(without, 99), "without-p99-ms")
	b.ReportMetric(percentile(with, 99), "with-p99-ms")
	b.ReportMetric(percentile(with, 99)/percentile(without, 99), "p99-ratio")
	b.ReportMetric(0, "ns/op") // it is the time that they chat
}

// churn is connections of some users that come and go.
type churn struct {
	stop          context.CancelFunc
	workers       sync.WaitGroup
	came, refused atomic.Int64
}

// startChurn has 30 workers try to open 70 connections a second, each of which they
// close at once.
func startChurn(b *testing.B, s *rig.Rig, users int) *churn {
	b.Helper()
	const workers, rate = 30, 70
	ctx, stop := context.WithCancel(b.Context())
	c := &churn{stop: stop}
	for i := range workers {
		token := s.Token(fmt.Sprint("churner-", i%users), 0)
		c.workers.Go(func() {
			pace := time.NewTicker(workers * time.Second / rate)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
				conn, response, err := websocket.Dial(ctx, s.WebSocketURL(), &websocket.DialOptions{Subprotocols: []string{"streamroom", token}})
				switch {
				case ctx.Err() != nil:
				case response != nil && (response.StatusCode == http.StatusConflict || response.StatusCode == http.StatusTooManyRequests):
					c.refused.Add(1)
				case err != nil:
					b.Errorf("connect: %v", err)
					return
				default:
					c.came.Add(1)
					_ = conn.Close(websocket.StatusNormalClosure, "")
				}
			}
		})
	}
	return c
}

func (c *churn) end() {
	c.stop()
	c.workers.Wait()
}

// BenchmarkChurn prints how long messages of eight rooms take without and beside 70
// connections a second that come and go, in turns: of one user, of one whom no limit
// refuses, and of 30.
func BenchmarkChurn(b *testing.B) {
	for _, bench := range []struct {
		name  string
		users int
		wrap  func(local.Deployment) local.Deployment
	}{{"one-user", 1, nil}, {"one-user-unlimited", 1, unthrottled}, {"30-users-unlimited", 30, unthrottled}} {
		b.Run(bench.name, func(b *testing.B) {
			s := start(b, local.Config{LogLevel: "error", Wrap: bench.wrap})
			p := newPairs(s, neighbourRooms)
			p.talk(b) // warm
			var without, with []time.Duration
			var came, refused int64
			for range b.N {
				without = append(without, p.talk(b)...)
				c := startChurn(b, s, bench.users)
				with = append(with, p.talk(b)...)
				c.end()
				came, refused = came+c.came.Load(), refused+c.refused.Load()
			}
			b.ReportMetric(float64(came)/float64(b.N), "connections/op")
			b.ReportMetric(float64(refused)/float64(b.N), "refused/op")
			reportBeside(b, without, with)
		})
	}
}

// reader opens a socket whose frames are read and dropped.
func reader(b *testing.B, s *rig.Rig, user string) {
	b.Helper()
	conn := s.Dial(user)
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			if _, _, err := conn.Read(context.Background()); err != nil {
				return
			}
		}
	})
	b.Cleanup(func() {
		_ = conn.CloseNow()
		reading.Wait()
	})
}

// post has a room's senders send a large message every pause, in turns, until ctx
// ends or enough says so.
func (c *broadcasters) post(ctx context.Context, pause time.Duration, enough func() bool) error {
	pace := time.NewTicker(pause)
	defer pace.Stop()
	frame := fmt.Sprintf(`{"action":"sendMessage","chatRoomId":%q,"content":%q}`, c.room, strings.Repeat("x", chat.MaxContent))
	for n := 0; !enough(); n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
		if err := c.senders[n%2].Conn.Write(context.WithoutCancel(ctx), websocket.MessageText, []byte(frame)); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkNonReaders prints how long messages of eight rooms take beside a room of
// 30 clients that read its large messages, and beside one whose 30 clients do not
// read, in turns. Each instance of fanout finds out by one batch, of up to 0.7 s,
// that clients do not read, and tries their posts once from then on: that is over
// before the measurement.
func BenchmarkNonReaders(b *testing.B) {
	const clients, pause = 30, 200 * time.Millisecond
	s := start(b, local.Config{LogLevel: "warn"})
	p := newPairs(s, neighbourRooms)
	readers := newBroadcasters(s, "reader", clients, func(user string) { reader(b, s, user) })
	silent := newBroadcasters(s, "silent", clients, func(user string) { nonReader(s, user) })
	full := func() bool { return strings.Contains(s.Logs.String(), fmt.Sprintf(`"given_up":%d,`, clients)) }
	if err := silent.post(b.Context(), pause, full); err != nil {
		b.Fatal(err)
	}
	beside := func(c *broadcasters) []time.Duration {
		ctx, stop := context.WithCancel(b.Context())
		var posting sync.WaitGroup
		posting.Go(func() {
			if err := c.post(ctx, pause, func() bool { return false }); err != nil {
				b.Error(err)
			}
		})
		took := p.talk(b)
		stop()
		posting.Wait()
		return took
	}
	for range 4 {
		beside(&silent)
	}
	beside(&readers)
	var without, with []time.Duration
	for range b.N {
		without = append(without, beside(&readers)...)
		with = append(with, beside(&silent)...)
	}
	reportBeside(b, without, with)
}
