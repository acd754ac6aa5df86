package lambda

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// engineFixture is a table with a stream, behind the SDK's own clients.
type engineFixture struct {
	*dynamodb.Engine
	tables  *ddb.Client
	streams *dynamodbstreams.Client
	arn     string
}

const engineTable = "streamroom-test"

func openEngine(tb testing.TB) *engineFixture {
	tb.Helper()
	engine, err := dynamodb.Open(tb.Context(), dynamodb.Options{Sweep: 20 * time.Millisecond})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := engine.Close(); err != nil {
			tb.Error(err)
		}
	})
	config := aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://dynamodb.invalid"),
		HTTPClient:   engine,
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
	f := &engineFixture{Engine: engine, tables: ddb.NewFromConfig(config), streams: dynamodbstreams.NewFromConfig(config)}
	out, err := f.tables.CreateTable(tb.Context(), &ddb.CreateTableInput{
		TableName:   aws.String(engineTable),
		BillingMode: ddbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []ddbtypes.AttributeDefinition{
			{AttributeName: aws.String(table.PK), AttributeType: ddbtypes.ScalarAttributeTypeS},
			{AttributeName: aws.String(table.SK), AttributeType: ddbtypes.ScalarAttributeTypeS},
		},
		KeySchema: []ddbtypes.KeySchemaElement{
			{AttributeName: aws.String(table.PK), KeyType: ddbtypes.KeyTypeHash},
			{AttributeName: aws.String(table.SK), KeyType: ddbtypes.KeyTypeRange},
		},
		StreamSpecification: &ddbtypes.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: ddbtypes.StreamViewTypeNewAndOldImages,
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	f.arn = aws.ToString(out.TableDescription.LatestStreamArn)
	_, err = f.tables.UpdateTimeToLive(tb.Context(), &ddb.UpdateTimeToLiveInput{
		TableName:               aws.String(engineTable),
		TimeToLiveSpecification: &ddbtypes.TimeToLiveSpecification{AttributeName: aws.String(table.TTL), Enabled: aws.Bool(true)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func (f *engineFixture) put(tb testing.TB, k table.Key, attributes map[string]ddbtypes.AttributeValue) {
	tb.Helper()
	item := map[string]ddbtypes.AttributeValue{
		table.PK: &ddbtypes.AttributeValueMemberS{Value: k.PK},
		table.SK: &ddbtypes.AttributeValueMemberS{Value: k.SK},
	}
	for name, value := range attributes {
		item[name] = value
	}
	if _, err := f.tables.PutItem(tb.Context(), &ddb.PutItemInput{TableName: aws.String(engineTable), Item: item}); err != nil {
		tb.Fatal(err)
	}
}

// fanout runs the topology's fanout mapping with a handler that passes records
// on, until the returned function is called.
func (f *engineFixture) fanout(tb testing.TB, checkpoints *Checkpoints, configure func(*MappingConfig)) (<-chan events.DynamoDBEventRecord, func()) {
	tb.Helper()
	records := make(chan events.DynamoDBEventRecord, 10_000)
	invoker := NewInvoker(clockwork.NewRealClock(), zerolog.Nop())
	err := invoker.Register(topology.Function{Name: topology.Fanout, Timeout: time.Minute}, 10, func() lambda.Handler {
		return lambda.NewHandler(func(e events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
			for _, r := range e.Records {
				records <- r
			}
			return events.DynamoDBEventResponse{}, nil
		})
	})
	if err != nil {
		tb.Fatal(err)
	}
	wake, unsubscribe := f.Subscribe()
	config := MappingConfig{
		Mapping:     topology.StreamMappings()[0],
		StreamARN:   f.arn,
		Streams:     f.streams,
		Invoker:     invoker,
		Checkpoints: checkpoints,
		Failures:    &Bucket{},
		Wake:        wake,
		Version:     f.Version,
		Clock:       clockwork.NewRealClock(),
		Logger:      zerolog.New(zerolog.NewTestWriter(tb)),
	}
	if configure != nil {
		configure(&config)
	}
	m, err := NewMapping(config)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	return records, func() {
		tb.Helper()
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
		unsubscribe()
		if err := invoker.Shutdown(tb.Context()); err != nil {
			tb.Error(err)
		}
	}
}

func receive(tb testing.TB, records <-chan events.DynamoDBEventRecord) events.DynamoDBEventRecord {
	tb.Helper()
	select {
	case r := <-records:
		return r
	case <-time.After(time.Minute):
		tb.Fatal("no record came")
		return events.DynamoDBEventRecord{}
	}
}

// The local table's stream, through the SDK's clients, to a handler.
func TestMappingOnTheLocalTable(t *testing.T) {
	f := openEngine(t)
	store, err := OpenCheckpoints(filepath.Join(t.TempDir(), "checkpoints.json"), clockwork.NewRealClock())
	if err != nil {
		t.Fatal(err)
	}
	records, stop := f.fanout(t, store, nil)

	f.put(t, table.Participation("alice", "r1"), nil) // filtered out
	message := table.Message("r1", 1709136000000, "m1")
	f.put(t, message, map[string]ddbtypes.AttributeValue{"content": &ddbtypes.AttributeValueMemberS{Value: "こんにちは"}})
	r := receive(t, records)
	expect(t, "event", r.EventName, "INSERT")
	expect(t, "source", r.EventSource, "aws:dynamodb")
	expect(t, "stream", r.EventSourceArn, f.arn)
	expect(t, "region", r.AWSRegion, "us-east-1")
	expect(t, "key", r.Change.Keys[table.SK].String(), message.SK)
	expect(t, "content", r.Change.NewImage["content"].String(), "こんにちは")
	if r.UserIdentity != nil || len(r.EventID) != 32 || r.Change.SizeBytes == 0 || time.Since(r.Change.ApproximateCreationDateTime.Time) > time.Minute {
		t.Errorf("record %+v", r)
	}

	// Removal by TTL carries its user identity. Members have none in fact.
	f.put(t, table.Member("r1", "alice"), map[string]ddbtypes.AttributeValue{table.TTL: &ddbtypes.AttributeValueMemberN{Value: "1700000000"}})
	expect(t, "event", receive(t, records).EventName, "INSERT")
	r = receive(t, records)
	expect(t, "event", r.EventName, "REMOVE")
	expect(t, "key", r.Change.Keys[table.SK].String(), "MEMBER#alice")
	expect(t, "identity", r.UserIdentity, &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"})

	// Shards split under way, and nothing is lost.
	const rooms, messages = 8, 40
	for n := range messages {
		if n == messages/2 {
			f.splitAll(t)
		}
		for room := range rooms {
			f.put(t, table.Message(fmt.Sprintf("room%d", room), int64(n), "m"), nil)
		}
	}
	got := make(map[string][]string)
	for range rooms * messages {
		r := receive(t, records)
		pk := r.Change.Keys[table.PK].String()
		got[pk] = append(got[pk], r.Change.Keys[table.SK].String())
	}
	expect(t, "rooms", len(got), rooms)
	for pk, sks := range got {
		slices.Sort(sks) // order holds per item only
		if len(slices.Compact(sks)) != messages {
			t.Errorf("%s: %d messages", pk, len(sks))
		}
	}
	stop()

	// Another run goes on where this one ended.
	records, stop = f.fanout(t, store, nil)
	f.put(t, table.Message("r1", 1709136000001, "m2"), nil)
	expect(t, "first key of another run", receive(t, records).Change.Keys[table.SK].String(), table.Message("r1", 1709136000001, "m2").SK)
	stop()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// splitAll splits every open shard of the stream.
func (f *engineFixture) splitAll(tb testing.TB) {
	tb.Helper()
	out, err := f.streams.DescribeStream(tb.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: aws.String(f.arn)})
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range out.StreamDescription.Shards {
		if s.SequenceNumberRange.EndingSequenceNumber != nil {
			continue
		}
		if err := f.SplitShard(tb.Context(), f.arn, aws.ToString(s.ShardId)); err != nil {
			tb.Fatal(err)
		}
	}
}

// From PutItem's answer to the handler, through the SDK's clients, when woken
// and when polling as AWS does.
func BenchmarkPutToHandler(b *testing.B) {
	for name, configure := range map[string]func(*MappingConfig){
		"woken":   nil,
		"polling": func(c *MappingConfig) { c.Wake = nil },
	} {
		b.Run(name, func(b *testing.B) {
			f := openEngine(b)
			records, stop := f.fanout(b, NewMemoryCheckpoints(), configure)
			var times []time.Duration
			n := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				f.put(b, table.Message("r1", n, "m"), nil)
				put := time.Now()
				receive(b, records)
				times = append(times, time.Since(put))
			}
			stop()
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
		})
	}
}
