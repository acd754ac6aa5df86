package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/table"
)

// streamed is a table with a stream, without consumers, on a clock.
type streamed struct {
	t      *testing.T
	clock  *clockwork.FakeClock
	engine *dynamodb.Engine
	db     *awsdynamodb.Client
	reader shardReader
	shard  string // the only one, at first
}

func newStreamed(t *testing.T) *streamed {
	t.Helper()
	clock := clockwork.NewFakeClockAt(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	engine, err := dynamodb.Open(t.Context(), dynamodb.Options{Clock: clock, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	c := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://table.test"), HTTPClient: engine,
		Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	}
	db := awsdynamodb.NewFromConfig(c)
	out, err := db.CreateTable(t.Context(), &awsdynamodb.CreateTableInput{
		TableName: aws.String("tab"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(table.PK), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(table.SK), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(table.PK), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(table.SK), KeyType: types.KeyTypeRange},
		},
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatal(err)
	}
	st := &streamed{t: t, clock: clock, engine: engine, db: db}
	st.reader = shardReader{client: dynamodbstreams.NewFromConfig(c), arn: *out.TableDescription.LatestStreamArn, pause: time.Microsecond}
	shards, err := eventsource.Shards(t.Context(), st.reader.client, st.reader.arn)
	if err != nil || len(shards) != 1 {
		t.Fatalf("%d shards, %v", len(shards), err)
	}
	st.shard = *shards[0].ShardId
	return st
}

func (st *streamed) put(room string) {
	st.t.Helper()
	k := table.Room(room)
	_, err := st.db.PutItem(st.t.Context(), &awsdynamodb.PutItemInput{
		TableName: aws.String("tab"), Item: map[string]types.AttributeValue{table.PK: s(k.PK), table.SK: s(k.SK), "n": s(fmt.Sprint(st.clock.Now()))},
	})
	if err != nil {
		st.t.Fatal(err)
	}
}

func (st *streamed) split(shardID string) []string {
	st.t.Helper()
	if err := st.engine.SplitShard(st.t.Context(), st.reader.arn, shardID); err != nil {
		st.t.Fatal(err)
	}
	shards, err := eventsource.Shards(st.t.Context(), st.reader.client, st.reader.arn)
	if err != nil {
		st.t.Fatal(err)
	}
	var children []string
	for _, shard := range shards {
		if aws.ToString(shard.ParentShardId) == shardID {
			children = append(children, *shard.ShardId)
		}
	}
	return children
}

func (st *streamed) source() *streamSource {
	return &streamSource{reader: st.reader, region: "us-east-1", scope: scope{to: st.clock.Now().Add(time.Hour)}}
}

// rooms reads a source to its end.
func rooms(ctx context.Context, from source, after Position) (ids []string, last Position, err error) {
	for r, err := range from.records(ctx, after) {
		if err != nil {
			return ids, last, err
		}
		ids, last = append(ids, r.Key.RoomID), r.Position
	}
	return ids, last, nil
}

func TestShardsAreReadParentsFirst(t *testing.T) {
	st := newStreamed(t)
	var want []string
	put := func(n int) {
		for i := range n {
			room := fmt.Sprintf("%d-%d", len(want), i)
			st.put(room)
			want = append(want, room)
		}
	}
	put(10)
	children := st.split(st.shard)
	put(10)
	st.split(children[0])
	put(10)
	got, last, err := rooms(t.Context(), st.source(), Position{})
	if err != nil {
		t.Fatal(err)
	}
	// The same item may be in a parent and a child; parents' records come first.
	if !slices.Equal(got[:10], want[:10]) || len(got) != len(want) {
		t.Errorf("read %v", got)
	}
	st.put("late")
	after, _, err := rooms(t.Context(), st.source(), last)
	if err != nil || len(after) > 1 {
		t.Errorf("behind the end: %v, %v", after, err)
	}
	// From each place on, the rest comes.
	i := 0
	for r, err := range st.source().records(t.Context(), Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if i++; i%7 != 0 {
			continue
		}
		rest, _, err := rooms(t.Context(), st.source(), r.Position)
		if err != nil || len(rest) != len(want)+1-i {
			t.Errorf("behind record %d come %d, %v", i, len(rest), err)
		}
	}
}

func TestAnExpiredIteratorIsRenewed(t *testing.T) {
	st := newStreamed(t)
	for i := range 1500 { // two pages
		st.put(fmt.Sprint(i))
	}
	n := 0
	for _, err := range st.reader.read(t.Context(), st.shard, start{}) {
		if err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		if n++; n == 700 || n == 1000 {
			st.clock.Advance(16 * time.Minute)
		}
	}
	if n != 1500 {
		t.Errorf("%d records came", n)
	}
}

func TestTrimmedRecordsAreAnError(t *testing.T) {
	st := newStreamed(t)
	st.put("old")
	_, last, err := rooms(t.Context(), st.source(), Position{})
	if err != nil {
		t.Fatal(err)
	}
	st.put("newer")
	st.clock.Advance(25 * time.Hour)
	st.put("new")
	// What a checkpoint stands at is gone, and so may be what followed it.
	if _, _, err := rooms(t.Context(), st.source(), last); !errors.Is(err, errTrimmed) {
		t.Errorf("behind a trimmed record: %v", err)
	}
	if _, _, err := rooms(t.Context(), st.source(), Position{Part: "shardId-gone", After: "1"}); !errors.Is(err, errTrimmed) {
		t.Errorf("in a shard that is gone: %v", err)
	}
	if got, _, err := rooms(t.Context(), st.source(), Position{}); err != nil || !slices.Equal(got, []string{"new"}) {
		t.Errorf("from the start: %v, %v", got, err)
	}
}
