package local_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// BenchmarkRecovery holds fanout back until as many messages wait as come in a
// minute at 50 a second, and measures the time from its return until each of 100
// connections has them all. After an outage a mapping waits before it tries
// again, here as on AWS up to as long as the outage took: that comes on top.
func BenchmarkRecovery(b *testing.B) {
	const members, waiting = 100, 60 * 50
	var took time.Duration
	var lost int64
	for range b.N {
		b.StopTimer()
		var outage sync.RWMutex
		g := gather(b, local.Config{Wrap: local.EachFunction(func(f local.Function) local.Function {
			if f.Name == topology.Fanout {
				f.Construct = heldBack(f.Construct, &outage)
			}
			return f
		})}, members)
		r := g.follow(waiting)
		outage.Lock()
		err := g.pile(b, waiting)
		b.StartTimer()
		back := time.Now()
		outage.Unlock()
		if err != nil {
			b.Fatal(err)
		}
		took += r.wait().Sub(back)
		lost += r.all - r.seen.Load()
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "recovery-s")
	all := float64(b.N * waiting * members)
	b.ReportMetric((all-float64(lost))/took.Seconds(), "deliveries/s")
	b.ReportMetric(100*float64(lost)/all, "lost-%")
	b.ReportMetric(0, "ns/op")
}

// pile stores messages, without a client.
func (g *crowd) pile(b *testing.B, count int) error {
	b.Helper()
	ids, store := chat.NewIDs(time.Now, rand.Reader), g.s.Store()
	const sender = "user-0000"
	for n := range count {
		id, ms, err := ids.Message()
		if err != nil {
			return err
		}
		m := chat.Message{RoomID: g.room, ID: id, SenderID: sender, SentAt: ms, Content: fmt.Sprint("m", n)}
		if err := store.PutMessage(b.Context(), m); err != nil {
			return err
		}
	}
	return nil
}

// heldBack is a function whose invocations wait while there is an outage.
func heldBack(construct functions.Constructor, outage *sync.RWMutex) functions.Constructor {
	return func(env functions.Env) (awslambda.Handler, error) {
		handler, err := construct(env)
		return patient{handler, outage}, err
	}
}

type patient struct {
	awslambda.Handler
	outage *sync.RWMutex
}

// Invoke implements awslambda.Handler.
func (p patient) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	p.outage.RLock()
	p.outage.RUnlock() //nolint:staticcheck // what is to be had of the lock is that it is free
	return p.Handler.Invoke(ctx, payload)
}

// BenchmarkSteadiness prints the goroutines and the heap at the beginning, in
// the middle and at the end of a run: a room of 100 connections at 50 messages a
// second. An operation is a second, and a run four at least. The table is in
// memory, and keeps all.
func BenchmarkSteadiness(b *testing.B) {
	const members, perSecond = 100, 50
	g := gather(b, local.Config{}, members)
	count := max(4, b.N) * perSecond
	r := g.follow(count)
	pace := time.NewTicker(time.Second / perSecond)
	defer pace.Stop()
	for n := range count {
		switch n {
		case perSecond: // all that there is at a time has been made
			weigh(b, "begin")
		case count / 2:
			weigh(b, "middle")
		}
		<-pace.C
		g.send(b, n)
	}
	r.wait()
	weigh(b, "end")
	b.ReportMetric(0, "ns/op")
}

// weigh reports what the process holds.
func weigh(b *testing.B, when string) {
	b.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapInuse+m.StackInuse)/(1<<20), "heap-MB-"+when)
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines-"+when)
}
