package dynamodb_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/test/cputime"
)

// parallel shares b.N calls among clients and reports how many a second they did, and how
// much processor time each took, which a busy machine changes less.
func parallel(b *testing.B, clients int, call func(n int64) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := cputime.Used(b)
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
	b.ReportMetric(float64((cputime.Used(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// content is what a message says.
var content = strings.Repeat("x", 180)

// message is an item of about 300 bytes.
func message(n int64) record {
	return record{
		"PK": str("CHATROOM#" + strconv.FormatInt(n%100, 10)), "SK": str(fmt.Sprintf("MESSAGE#%013d#01HZZZZZZZZZZZZZZZZZZZZZZZ", n)),
		"senderId": str("alice"), "content": str(content), "clientMessageId": str("c-" + strconv.FormatInt(n, 10)),
	}
}

// BenchmarkEngine is what the package promises: each operation, for 1 and 8 clients, in
// process and over loopback, in memory and on a file.
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
	b.Helper()
	setup := func(b *testing.B) fixture {
		b.Helper()
		o := dynamodb.Options{}
		if place == "file" {
			o.Path = filepath.Join(b.TempDir(), "data.db")
		}
		f := start(b, o)
		if transport == "loopback" {
			cfg := loopback(b, f.engine, n)
			f.Client, f.streams = ddb.NewFromConfig(cfg), dynamodbstreams.NewFromConfig(cfg)
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
	b.Run("update-if", func(b *testing.B) {
		f := setup(b)
		parallel(b, n, func(i int64) error {
			_, err := f.UpdateItem(b.Context(), &ddb.UpdateItemInput{
				TableName: aws.String("chat"), Key: key("CONNECTION#"+strconv.FormatInt(i%1000, 10), "METADATA"),
				UpdateExpression:          aws.String("SET body = :body ADD hits :one"),
				ConditionExpression:       aws.String("attribute_not_exists(hits) OR hits < :many"),
				ExpressionAttributeValues: record{":one": num("1"), ":many": num("1000000000"), ":body": str(strings.Repeat("x", 250))},
			})
			return err
		})
	})
	b.Run("transact-3", func(b *testing.B) {
		f := setup(b)
		parallel(b, n, func(i int64) error {
			_, err := f.TransactWriteItems(b.Context(), &ddb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				putAction(message(3*i), "attribute_not_exists(PK)"), putAction(message(3*i+1), ""), putAction(message(3*i+2), ""),
			}})
			return err
		})
	})
	b.Run("query-20", func(b *testing.B) {
		f := setup(b)
		for i := range int64(1000) {
			f.put(b, with(message(i), "GSI1PK", str("USERROOMS#"+strconv.FormatInt(i%10, 10)), "GSI1SK", str(fmt.Sprintf("%013d", i))))
		}
		parallel(b, n, func(i int64) error {
			out, err := f.Query(b.Context(), &ddb.QueryInput{
				TableName: aws.String("chat"), IndexName: aws.String("GSI1"), KeyConditionExpression: aws.String("GSI1PK = :p"), Limit: aws.Int32(20),
				ExpressionAttributeValues: record{":p": str("USERROOMS#" + strconv.FormatInt(i%10, 10))}, ScanIndexForward: aws.Bool(false),
			})
			if err == nil && len(out.Items) != 20 {
				err = fmt.Errorf("got %d items", len(out.Items))
			}
			return err
		})
	})
	b.Run("get-records-100", func(b *testing.B) {
		f := setup(b)
		for i := range int64(1000) {
			f.put(b, message(i))
		}
		arn := f.arn(b)
		var iterators []*string
		for _, h := range f.shards(b, arn) {
			iterators = append(iterators, f.iterator(b, &dynamodbstreams.GetShardIteratorInput{
				StreamArn: aws.String(arn), ShardId: h.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
			}))
		}
		parallel(b, n, func(i int64) error {
			out, err := f.streams.GetRecords(b.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterators[i%int64(len(iterators))], Limit: aws.Int32(100)})
			if err == nil && len(out.Records) != 100 {
				err = fmt.Errorf("got %d records", len(out.Records))
			}
			return err
		})
	})
}

// nothing answers every request with an empty object: what is left is the cost of the
// SDK.
type nothing struct{}

func (nothing) Do(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// BenchmarkCeiling is the SDK in front of nothing, and over loopback in front of a server that
// answers at once: the part of BenchmarkPutsAt that is not the engine's.
func BenchmarkCeiling(b *testing.B) {
	b.Run("loopback/8", func(b *testing.B) {
		client := ddb.NewFromConfig(loopback(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "{}")
		}), 8))
		parallel(b, 8, func(i int64) error {
			_, err := client.PutItem(b.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: message(i)})
			return err
		})
	})
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

// BenchmarkGrowth puts 10,000 items an operation and reports the rate of each quarter:
// they should be alike. A million takes minutes: -benchtime=100x.
func BenchmarkGrowth(b *testing.B) {
	const perOperation = 10_000
	for _, place := range []string{"memory", "file"} {
		b.Run(place, func(b *testing.B) {
			o := dynamodb.Options{}
			if place == "file" {
				o.Path = filepath.Join(b.TempDir(), "data.db")
			}
			f := start(b, o)
			quarter := int64(b.N) * perOperation / 4
			for q := range int64(4) {
				var wg sync.WaitGroup
				before, begun := cputime.Used(b), time.Now()
				for w := range int64(8) {
					wg.Go(func() {
						for i := q*quarter + w; i < (q+1)*quarter; i += 8 {
							if _, err := f.PutItem(b.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: message(i)}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(quarter)/time.Since(begun).Seconds(), fmt.Sprintf("puts/s-quarter-%d", q+1))
				b.ReportMetric(float64((cputime.Used(b)-before).Microseconds())/float64(quarter), fmt.Sprintf("cpu-µs-quarter-%d", q+1))
			}
		})
	}
}

// BenchmarkOpen is the time from nothing, or from a file, to an engine with a table, and
// the memory that one takes when idle.
func BenchmarkOpen(b *testing.B) {
	for _, place := range []string{"memory", "file"} {
		b.Run(place, func(b *testing.B) {
			o := dynamodb.Options{}
			if place == "file" {
				o.Path = filepath.Join(b.TempDir(), "data.db")
			}
			for range b.N {
				before := resident(b)
				e, err := dynamodb.Open(b.Context(), o)
				if err != nil {
					b.Fatal(err)
				}
				f := clients(e)
				if _, err := f.CreateTable(b.Context(), chatTable()); err != nil && place == "memory" {
					b.Fatal(err)
				}
				b.StopTimer()
				debug.FreeOSMemory()
				b.ReportMetric(float64(resident(b))/(1<<20), "MB-resident-whole-process")
				b.ReportMetric(float64(resident(b)-before)/(1<<20), "MB-more-than-before")
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// fill puts the messages of from ≤ n < to, 25 a request.
func (f fixture) fill(b testing.TB, from, to int64) {
	b.Helper()
	for n := from; n < to; n += 25 {
		var puts []types.WriteRequest
		for i := n; i < min(n+25, to); i++ {
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: message(i)}})
		}
		if _, err := f.BatchWriteItem(b.Context(), &ddb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"chat": puts}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory is how much memory an engine takes for each item of about 300 bytes, and
// the item's stream record, which has it once more. An operation is an item:
// -benchtime=500000x.
func BenchmarkMemory(b *testing.B) {
	debug.FreeOSMemory()
	before := resident(b)
	f := start(b, dynamodb.Options{})
	f.fill(b, 0, int64(b.N))
	debug.FreeOSMemory()
	b.ReportMetric(float64(resident(b)-before)/(1<<20), "MB-resident")
	b.ReportMetric(float64(resident(b)-before)/float64(b.N), "B-resident/op")
}

// BenchmarkPutsAt is how many items 8 clients put in a second over loopback, in memory, and
// what one takes, beside 10,000 items and beside a million.
func BenchmarkPutsAt(b *testing.B) {
	for _, size := range []int64{10_000, 1_000_000} {
		b.Run(strconv.FormatInt(size, 10), func(b *testing.B) {
			if testing.Short() && size > 10_000 {
				b.Skip("a million items take a minute")
			}
			f := start(b, dynamodb.Options{})
			f.fill(b, 0, size)
			debug.FreeOSMemory()
			client := ddb.NewFromConfig(loopback(b, f.engine, 8))
			parallel(b, 8, func(i int64) error {
				_, err := client.PutItem(b.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: message(size + i)})
				return err
			})
		})
	}
}

// BenchmarkPutRequest is what the engine itself takes of a put: of 8 requests at a time, without
// a client and without HTTP. Allocations are exact.
func BenchmarkPutRequest(b *testing.B) {
	f, put := start(b, dynamodb.Options{}), operation("PutItem")
	parallel(b, 8, func(i int64) error {
		return f.serve(put, fmt.Sprintf(`{"TableName":"chat","Item":{"PK":{"S":"CHATROOM#%d"},"SK":{"S":"MESSAGE#%013d#01HZZZZZZZZZZZZZZZZZZZZZZZ"},`+
			`"senderId":{"S":"alice"},"content":{"S":"%s"},"clientMessageId":{"S":"c-%d"}}}`, i%100, i, content, i))
	})
}

// BenchmarkReadRequest is what the engine itself takes of reads, as BenchmarkPutRequest is of
// puts.
func BenchmarkReadRequest(b *testing.B) {
	f, get, query := start(b, dynamodb.Options{}), operation("GetItem"), operation("Query")
	f.fill(b, 0, 10_000)
	b.Run("get", func(b *testing.B) {
		parallel(b, 8, func(i int64) error {
			return f.serve(get, fmt.Sprintf(`{"TableName":"chat","Key":{"PK":{"S":"CHATROOM#%d"},"SK":{"S":"MESSAGE#%013d#01HZZZZZZZZZZZZZZZZZZZZZZZ"}}}`, i%100, i%10_000))
		})
	})
	b.Run("query-50", func(b *testing.B) {
		parallel(b, 8, func(i int64) error {
			return f.serve(query, fmt.Sprintf(`{"TableName":"chat","KeyConditionExpression":"PK = :p","ExpressionAttributeValues":{":p":{"S":"CHATROOM#%d"}},"Limit":50}`, i%100))
		})
	})
}

// operation is the header of a request.
func operation(name string) http.Header {
	return http.Header{"X-Amz-Target": {"DynamoDB_20120810." + name}}
}

// serve has the engine answer a request, and drops the body of the answer.
func (f fixture) serve(operation http.Header, body string) error {
	w := answer{header: make(http.Header, 4)}
	f.engine.ServeHTTP(&w, &http.Request{Method: http.MethodPost, Header: operation, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))})
	if w.status != http.StatusOK {
		return fmt.Errorf("status %d", w.status)
	}
	return nil
}

// answer is the status of an answer, whose body is dropped.
type answer struct {
	header http.Header
	status int
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkStart is the time until an engine with many stream records in its file has
// opened, and until the oldest of each shard can be read: of a million, or with -short of
// 10,000.
func BenchmarkStart(b *testing.B) {
	records := int64(1_000_000)
	if testing.Short() {
		records = 10_000
	}
	o := dynamodb.Options{Path: filepath.Join(b.TempDir(), "data.db")}
	e, err := dynamodb.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	f := clients(e)
	f.createChat(b)
	f.fill(b, 0, records)
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	var opening, reading time.Duration
	b.ResetTimer()
	for range b.N {
		begun := time.Now()
		if e, err = dynamodb.Open(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		opening += time.Since(begun)
		f = clients(e)
		arn := f.arn(b)
		for _, h := range f.shards(b, arn) {
			out, err := f.streams.GetRecords(b.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: f.iterator(b, &dynamodbstreams.GetShardIteratorInput{
				StreamArn: aws.String(arn), ShardId: h.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
			})})
			if err != nil || len(out.Records) == 0 {
				b.Fatal(len(out.Records), err)
			}
		}
		reading += time.Since(begun)
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(opening.Milliseconds())/float64(b.N), "ms-to-open")
	b.ReportMetric(float64(reading.Milliseconds())/float64(b.N), "ms-to-first-records")
}

// resident is how many bytes of memory this process holds.
func resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
