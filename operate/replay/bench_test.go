package replay_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// BenchmarkReplay replays 5,000 messages in 100 rooms of 10 members, or 500 in 10
// with -short, from each source to each target over the wire, plan included. No
// one is online.
func BenchmarkReplay(b *testing.B) {
	const members, messages = 10, 50
	rooms := 100
	if testing.Short() {
		rooms = 10
	}
	w := rig.StartOperated(b, rig.OperatedOptions{Fanout: true})
	records := w.Seed(rooms, members, messages)
	rig.Eventually(b, "the projections", func() bool {
		return w.Consumers.Handled(topology.LastMessage) == records && w.Consumers.Handled(topology.Fanout) == records
	})
	saved := filepath.Join(b.TempDir(), "saved.jsonl")
	run(b, w, replay.Config{Source: replay.FromTable, Target: replay.ToNone, Save: saved, RunID: "save"})
	for _, source := range []replay.Source{replay.FromTable, replay.FromStream, replay.FromFile} {
		for _, target := range []string{replay.ToNone, topology.LastMessage, topology.Fanout} {
			b.Run(fmt.Sprintf("%s-%s", source, target), func(b *testing.B) {
				sent := 0
				for b.Loop() {
					c := plain(b, source)
					c.Target, c.Deliver = target, true
					if source == replay.FromFile {
						c.File = saved
					}
					plan, _ := run(b, w, c)
					sent += plan.Records
				}
				b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// BenchmarkRedrive has 2,000 records of 100 rooms given up, and redrives them.
func BenchmarkRedrive(b *testing.B) {
	sent, entries := 0, 0
	for b.Loop() {
		b.StopTimer()
		w := rig.StartOperated(b, rig.OperatedOptions{})
		w.Consumers.Plant(func(_ string, records []events.DynamoDBEventRecord) ([]byte, error) { return rig.Refuse(records) })
		records := w.Seed(100, 10, 10)
		queue, err := replay.NewFailures(w.Clients, w.Deployment, time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		rig.Eventually(b, "all records given up", func() bool {
			listed, err := queue.List(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			given := 0
			for _, e := range listed {
				given += e.Records
			}
			return given >= records
		})
		w.Consumers.Plant(nil)
		b.StartTimer()
		_, summary := run(b, w, plain(b, replay.FromFailures))
		sent += summary.Records
		entries += summary.Entries
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkLiveBeside measures the time from a send to its last delivery in a
// room of 20 at 50 messages a second, alone and beside each tool at the rates
// that it has by default, on a table of 200 rooms, or of 20 with -short. An
// operation is a second.
func BenchmarkLiveBeside(b *testing.B) {
	forever := func(do func(ctx context.Context, w *rig.Operated) error) func(context.Context, *rig.Operated) error {
		return func(ctx context.Context, w *rig.Operated) error {
			for ctx.Err() == nil {
				if err := do(ctx, w); err != nil && ctx.Err() == nil {
					return err
				}
			}
			return nil
		}
	}
	from := func(source replay.Source, target string) func(context.Context, *rig.Operated) error {
		return forever(func(ctx context.Context, w *rig.Operated) error {
			_, err := replay.Run(ctx, env(w, replay.Events{}), replay.Config{
				Source: source, Target: target, Apply: true, Deliver: true, Rate: 1_000, ReadRate: 1_000, RunID: "beside",
			}, nil)
			return err
		})
	}
	for _, beside := range []struct {
		name string
		tool func(context.Context, *rig.Operated) error
	}{
		{"nothing", func(context.Context, *rig.Operated) error { return nil }},
		{"table-lastmessage", from(replay.FromTable, topology.LastMessage)},
		{"table-fanout", from(replay.FromTable, topology.Fanout)},
		{"stream-lastmessage", from(replay.FromStream, topology.LastMessage)},
		{"verify", forever(func(ctx context.Context, w *rig.Operated) error {
			_, err := verify.Run(ctx, verify.Config{
				DB: w.Clients.Table, Table: w.Deployment.Table, Now: time.Now, ReadRate: 1_000, Settle: time.Second, Leftover: time.Hour,
			})
			return err
		})},
	} {
		b.Run(beside.name, func(b *testing.B) { liveBeside(b, beside.tool) })
	}
}

func liveBeside(b *testing.B, tool func(context.Context, *rig.Operated) error) {
	b.Helper()
	const members, perSecond = 20, 50
	rooms := 200
	if testing.Short() {
		rooms = 20
	}
	w := rig.StartOperated(b, rig.OperatedOptions{Fanout: true})
	records := w.Seed(rooms, 10, 20)
	w.Write(rig.RoomItems("live", members, 0)...)
	rig.Eventually(b, "the seed's records", func() bool { return w.Consumers.Handled(topology.Fanout) >= records+members })

	var mu sync.Mutex
	sent, left, took := map[int]time.Time{}, map[int]int{}, []time.Duration(nil)
	arrived := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if left[n]--; left[n] == 0 {
			took = append(took, time.Since(sent[n]))
		}
	}
	var sockets []*websocket.Conn
	var reading sync.WaitGroup
	for i := range members {
		socket, _, err := websocket.Dial(b.Context(), w.WebSocketURL(), &websocket.DialOptions{
			Subprotocols: []string{"streamroom", w.Token(fmt.Sprintf("live-%d", i), 0)},
		})
		if err != nil {
			b.Fatal(err)
		}
		socket.SetReadLimit(1 << 20)
		sockets = append(sockets, socket)
		reading.Go(func() { count(socket, arrived) })
	}
	defer func() {
		for _, socket := range sockets {
			_ = socket.CloseNow()
		}
		reading.Wait()
	}()
	ctx, stop := context.WithCancel(b.Context())
	var working sync.WaitGroup
	working.Go(func() {
		if err := tool(ctx, w); err != nil {
			b.Error(err)
		}
	})
	defer working.Wait()
	defer stop()

	b.ResetTimer()
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	total := b.N * perSecond
	for n := range total {
		<-tick.C
		mu.Lock()
		sent[n], left[n] = time.Now(), members
		mu.Unlock()
		frame := fmt.Sprintf(`{"action":"sendMessage","chatRoomId":"live","content":"m%d"}`, n)
		if err := sockets[n%members].Write(b.Context(), websocket.MessageText, []byte(frame)); err != nil {
			b.Fatal(err)
		}
	}
	rig.Eventually(b, "the last delivery", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(took) == total
	})
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// count calls arrived for each message "m<number>" that reaches a socket.
func count(socket *websocket.Conn, arrived func(int)) {
	marker := []byte(`"content":"m`)
	for {
		_, data, err := socket.Read(context.Background())
		if err != nil {
			return
		}
		for {
			_, rest, found := bytes.Cut(data, marker)
			if !found {
				break
			}
			end := bytes.IndexByte(rest, '"')
			if n, err := strconv.Atoi(string(rest[:end])); err == nil {
				arrived(n)
			}
			data = rest[end:]
		}
	}
}
