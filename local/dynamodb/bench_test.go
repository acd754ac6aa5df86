package dynamodb_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// cpu is how much processor time this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// parallel shares b.N calls among clients and reports how many a second they did, and how much processor time each took, which
// a busy machine changes less.
func parallel(b *testing.B, clients int, call func(n int64) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	for range clients {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if err := call(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// message is an item of about 300 bytes.
func message(n int64) record {
	return record{
		"PK": str("CHATROOM#" + strconv.FormatInt(n%100, 10)), "SK": str(fmt.Sprintf("MESSAGE#%013d#01HZZZZZZZZZZZZZZZZZZZZZZZ", n)),
		"senderId": str("alice"), "content": str(strings.Repeat("x", 180)), "clientMessageId": str("c-" + strconv.FormatInt(n, 10)),
	}
}

// BenchmarkEngine is what the package promises: each operation, for 1 and 8 clients, in process and over loopback, in memory and
// on a file.
func BenchmarkEngine(b *testing.B) {
	for _, place := range []string{"memory", "file"} {
		for _, transport := range []string{"process", "loopback"} {
			for _, n := range []int{1, 8} {
				b.Run(fmt.Sprintf("%s/%s/%d", place, transport, n), func(b *testing.B) { benchmarkOperations(b, place, transport, n) })
			}
		}
	}
}

func benchmarkOperations(b *testing.B, place, transport string, n int) {
	setup := func(b *testing.B) fixture {
		b.Helper()
		o := dynamodb.Options{}
		if place == "file" {
			o.Path = filepath.Join(b.TempDir(), "data.db")
		}
		f := start(b, o)
		if transport == "loopback" {
			server := httptest.NewServer(f.engine)
			b.Cleanup(server.Close)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
			b.Cleanup(client.CloseIdleConnections)
			f.Client = ddb.NewFromConfig(config(server.URL, client))
		}
		return f
	}
	b.Run("put", func(b *testing.B) {
		f := setup(b)
		parallel(b, n, func(i int64) error {
			_, err := f.PutItem(b.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: message(i)})
			return err
		})
	})
}

// nothing answers every request with an empty object: what is left is the cost of the SDK.
type nothing struct{}

func (nothing) Do(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// BenchmarkCeiling is the SDK in front of nothing.
func BenchmarkCeiling(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			client := ddb.NewFromConfig(config("http://nothing.local", nothing{}))
			parallel(b, n, func(i int64) error {
				_, err := client.PutItem(b.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: message(i)})
				return err
			})
		})
	}
}
