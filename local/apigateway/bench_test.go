package apigateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/time/rate"

	"github.com/streamroom/streamroom/local/apigateway"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/cputime"
)

// room is a WebSocket API with clients that count what they are sent.
type room struct {
	api      *apigateway.WebSocketAPI
	server   *httptest.Server
	ids      []string
	conns    []net.Conn
	received atomic.Int64 // bytes
	readers  sync.WaitGroup
}

// close ends a room; it may be called twice.
func (r *room) close(b *testing.B) {
	b.Helper()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	if err := r.api.Shutdown(context.Background()); err != nil {
		b.Error(err)
	}
	r.server.Close()
	r.readers.Wait()
}

func newRoom(b *testing.B, size int, read bool) *room {
	b.Helper()
	ids := make(chan string, 1)
	r := &room{api: apigateway.NewWebSocket(apigateway.WebSocketConfig{
		Stage:  "local",
		Routes: []topology.Route{{Key: "$connect", Function: "connect"}},
		Invoke: func(_ context.Context, _ string, payload []byte) ([]byte, error) {
			_, id, _ := bytes.Cut(payload, []byte(`"connectionId":"`))
			ids <- string(id[:16])
			return []byte(ok), nil
		},
		HandshakeRate: rate.Inf,
		RequestRate:   rate.Inf,
	})}
	r.server = httptest.NewServer(r.api)
	b.Cleanup(func() { r.close(b) })
	for range size {
		conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", r.server.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		r.conns = append(r.conns, conn)
		if _, err := conn.Write([]byte(rawHandshake)); err != nil {
			b.Fatal(err)
		}
		r.ids = append(r.ids, <-ids)
		in := bufio.NewReaderSize(conn, 256)
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			b.Fatal(err)
		}
		if read {
			r.readers.Go(func() { r.count(conn) })
		}
	}
	return r
}

// count reads without looking: parsing frames would be the client's cost.
func (r *room) count(conn net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		r.received.Add(int64(n))
		if err != nil {
			return
		}
	}
}

type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// BenchmarkPost posts to 100 clients that read, from a few workers, as fan-out
// does. CPU is that of the whole process, clients included.
func BenchmarkPost(b *testing.B) {
	for _, size := range []int{300, 30_000} {
		for _, way := range []string{"loopback", "process"} {
			for _, workers := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/%dB/%dworkers", way, size, workers), func(b *testing.B) {
					r := newRoom(b, 100, true)
					transport := &http.Transport{MaxIdleConnsPerHost: workers}
					defer transport.CloseIdleConnections()
					var client doer = &http.Client{Transport: transport}
					if way == "process" {
						client = r.api
					}
					r.post(b, client, workers, strings.Repeat("x", size))
				})
			}
		}
	}
}

func (r *room) post(b *testing.B, client doer, workers int, body string) {
	b.Helper()
	urls := make([]*url.URL, len(r.ids))
	for i, id := range r.ids {
		urls[i], _ = url.Parse(r.server.URL + "/local/@connections/" + url.PathEscape(id))
	}
	var next, full atomic.Int64
	before, bytesBefore := cputime.Used(b), r.received.Load()
	b.ReportAllocs()
	b.ResetTimer()
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				for {
					request := &http.Request{
						Method: http.MethodPost, URL: urls[i%int64(len(urls))], Header: http.Header{},
						Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
					}
					response, err := client.Do(request)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					if response.StatusCode == http.StatusOK {
						break
					}
					full.Add(1) // the benchmark is faster than its clients
					runtime.Gosched()
				}
			}
		})
	}
	group.Wait()
	want := bytesBefore + int64(b.N)*int64(len(body)+frameHeader(len(body)))
	for r.received.Load() < want {
		runtime.Gosched()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	b.ReportMetric(float64((cputime.Used(b)-before).Microseconds())/float64(b.N), "cpu-µs/post")
	b.ReportMetric(float64(full.Load())/float64(b.N), "429s/post")
}

// BenchmarkPlainPost is what HTTP alone costs over loopback, to compare with.
func BenchmarkPlainPost(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	body := strings.Repeat("x", 300)
	before := cputime.Used(b)
	b.ReportAllocs()
	for b.Loop() {
		response, err := client.Post(server.URL, "application/octet-stream", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		_ = response.Body.Close()
	}
	b.ReportMetric(float64((cputime.Used(b)-before).Microseconds())/float64(b.N), "cpu-µs/post")
}

func frameHeader(length int) int {
	if length < 126 {
		return 2
	}
	return 4
}

// BenchmarkIdle measures what a connection holds while nothing happens, without
// the client's side of it.
func BenchmarkIdle(b *testing.B) {
	const connections = 2000
	settle := func() (memory uint64, goroutines int) {
		for range 3 {
			runtime.GC()
		}
		debug.FreeOSMemory()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapInuse + stats.StackInuse, runtime.NumGoroutine()
	}
	for b.Loop() {
		memory, goroutines := settle()
		r := newRoom(b, connections, false)
		memoryAfter, goroutinesAfter := settle()
		b.ReportMetric(float64(memoryAfter-memory)/connections, "B/conn")
		b.ReportMetric(float64(goroutinesAfter-goroutines)/connections, "goroutines/conn")
		r.close(b)
	}
}
