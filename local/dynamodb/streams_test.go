package dynamodb_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func (f fixture) arn(t testing.TB) string {
	t.Helper()
	out, err := f.DescribeTable(t.Context(), &ddb.DescribeTableInput{TableName: aws.String("chat")})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Table.LatestStreamArn)
}

// shards lists the stream's shards, a few at a time.
func (f fixture) shards(t testing.TB, arn string) []streamtypes.Shard {
	t.Helper()
	var out []streamtypes.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: aws.String(arn), Limit: aws.Int32(3)}
	for {
		page, err := f.streams.DescribeStream(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, page.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = page.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return out
		}
	}
}

func (f fixture) iterator(t testing.TB, in *dynamodbstreams.GetShardIteratorInput) *string {
	t.Helper()
	out, err := f.streams.GetShardIterator(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.ShardIterator
}

// drain reads a shard from an iterator on until it gives nothing more, and returns the
// records and whether the shard ended.
func (f fixture) drain(t testing.TB, iterator *string, limit int32) (records []streamtypes.Record, ended bool) {
	t.Helper()
	for {
		out, err := f.streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(limit)})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, out.Records...)
		if iterator = out.NextShardIterator; iterator == nil {
			return records, true
		}
		if len(out.Records) == 0 {
			return records, false
		}
	}
}

// everything reads all shards, parents first.
func (f fixture) everything(t testing.TB) []streamtypes.Record {
	t.Helper()
	arn := f.arn(t)
	var out []streamtypes.Record
	for _, h := range f.shards(t, arn) {
		records, _ := f.drain(t, f.iterator(t, &dynamodbstreams.GetShardIteratorInput{
			StreamArn: aws.String(arn), ShardId: h.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
		}), 1000)
		out = append(out, records...)
	}
	return out
}

func streamKey(r streamtypes.Record) string {
	return r.Dynamodb.Keys["PK"].(*streamtypes.AttributeValueMemberS).Value + "/" + r.Dynamodb.Keys["SK"].(*streamtypes.AttributeValueMemberS).Value
}

func image(it map[string]streamtypes.AttributeValue, attribute string) string {
	switch v := it[attribute].(type) {
	case *streamtypes.AttributeValueMemberN:
		return v.Value
	case *streamtypes.AttributeValueMemberS:
		return v.Value
	}
	return ""
}

func TestStream(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Unix(1709136000, 999_000_000))
	f := start(t, dynamodb.Options{Clock: clock})
	f.put(t, with(key("p", "s"), "n", num("1")))
	f.put(t, with(key("p", "s"), "n", num("1.0"))) // changes nothing: no record
	f.put(t, with(key("p", "s"), "n", num("22")))
	if _, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{TableName: aws.String("chat"), Key: key("p", "s"), UpdateExpression: aws.String("REMOVE gone")}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := f.DeleteItem(t.Context(), &ddb.DeleteItemInput{TableName: aws.String("chat"), Key: key("p", "s")}); err != nil {
			t.Fatal(err)
		}
	}
	records := f.everything(t)
	if len(records) != 3 {
		t.Fatalf("got %d records, want 3", len(records))
	}
	keySize := int64(len("PK") + len("SK") + 2)
	small, large := keySize+3, keySize+3 // n of one or two digits takes as much
	for i, want := range []struct {
		name     streamtypes.OperationType
		old, new string
		size     int64
	}{
		{streamtypes.OperationTypeInsert, "", "1", keySize + small},
		{streamtypes.OperationTypeModify, "1", "22", keySize + small + large},
		{streamtypes.OperationTypeRemove, "22", "", keySize + large},
	} {
		r := records[i]
		if r.EventName != want.name || image(r.Dynamodb.OldImage, "n") != want.old || image(r.Dynamodb.NewImage, "n") != want.new || *r.Dynamodb.SizeBytes != want.size {
			t.Errorf("record %d: got %s %v → %v, %d bytes; want %+v", i, r.EventName, r.Dynamodb.OldImage, r.Dynamodb.NewImage, *r.Dynamodb.SizeBytes, want)
		}
		if id, err := hex.DecodeString(*r.EventID); err != nil || len(id) != 16 {
			t.Errorf("event id %q is not of 32 hexadecimal digits", *r.EventID)
		}
		if *r.EventVersion != "1.1" || *r.EventSource != "aws:dynamodb" || *r.AwsRegion != "us-east-1" || r.UserIdentity != nil ||
			r.Dynamodb.StreamViewType != streamtypes.StreamViewTypeNewAndOldImages || !r.Dynamodb.ApproximateCreationDateTime.Equal(time.Unix(1709136000, 0)) {
			t.Errorf("record %d: got %+v, %+v", i, r, r.Dynamodb)
		}
		if i > 0 && (*r.Dynamodb.SequenceNumber <= *records[i-1].Dynamodb.SequenceNumber || len(*r.Dynamodb.SequenceNumber) != len(*records[i-1].Dynamodb.SequenceNumber) || *r.EventID == *records[i-1].EventID) {
			t.Errorf("record %d: number %s and id %s after %s and %s", i, *r.Dynamodb.SequenceNumber, *r.EventID, *records[i-1].Dynamodb.SequenceNumber, *records[i-1].EventID)
		}
	}
	again := f.everything(t)
	equal(t, "ids read again", *again[1].EventID, *records[1].EventID)
}

func TestStreamViews(t *testing.T) {
	f := clients(open(t, dynamodb.Options{}))
	for _, view := range types.StreamViewTypeNewImage.Values() {
		in := chatTable()
		in.StreamSpecification.StreamViewType = view
		if _, err := f.CreateTable(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		f.put(t, with(key("p", "s"), "n", num("1")))
		f.put(t, with(key("p", "s"), "n", num("2")))
		r := f.everything(t)[1]
		wantOld := view == types.StreamViewTypeOldImage || view == types.StreamViewTypeNewAndOldImages
		wantNew := view == types.StreamViewTypeNewImage || view == types.StreamViewTypeNewAndOldImages
		if (r.Dynamodb.OldImage != nil) != wantOld || (r.Dynamodb.NewImage != nil) != wantNew || streamKey(r) != "p/s" || string(r.Dynamodb.StreamViewType) != string(view) {
			t.Errorf("%s: got %+v", view, r.Dynamodb)
		}
		if _, err := f.DeleteTable(t.Context(), &ddb.DeleteTableInput{TableName: aws.String("chat")}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := f.streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{TableName: aws.String("chat"), Limit: aws.Int32(3)})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := f.streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{ExclusiveStartStreamArn: out.LastEvaluatedStreamArn})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Streams) != 3 || len(rest.Streams) != 1 {
		t.Errorf("got %d and %d streams of deleted tables, want 3 and 1", len(out.Streams), len(rest.Streams))
	}
	d, err := f.streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: rest.Streams[0].StreamArn})
	if err != nil {
		t.Fatal(err)
	}
	if d.StreamDescription.StreamStatus != streamtypes.StreamStatusDisabled {
		t.Errorf("the stream of a deleted table is %s", d.StreamDescription.StreamStatus)
	}
}

func TestShards(t *testing.T) {
	f := start(t, dynamodb.Options{})
	arn := f.arn(t)
	first := f.shards(t, arn)
	if len(first) != 4 {
		t.Fatalf("got %d shards, want 4", len(first))
	}
	write := func(round int) {
		for i := range 100 {
			f.put(t, with(key(fmt.Sprintf("ROOM#%d", i%30), fmt.Sprintf("M#%d", i)), "round", num(fmt.Sprint(round))))
		}
	}
	write(1)
	for range 2 {
		for _, h := range f.shards(t, arn) {
			if h.SequenceNumberRange.EndingSequenceNumber != nil {
				continue
			}
			if err := f.engine.SplitShard(t.Context(), arn, *h.ShardId); err != nil {
				t.Fatal(err)
			}
			break
		}
		write(2)
	}
	write(3)
	all := f.shards(t, arn)
	if len(all) != 8 {
		t.Fatalf("got %d shards after two splits, want 8", len(all))
	}
	if err := f.engine.SplitShard(t.Context(), arn, *first[0].ShardId); err == nil {
		t.Error("a closed shard was split")
	}
	if err := f.engine.SplitShard(t.Context(), arn, "shardId-none"); err == nil {
		t.Error("a shard that there is not was split")
	}
	seen, last := make(map[string]string), make(map[string]string) // rounds and newest number by item
	used := 0
	for _, h := range all {
		records, ended := f.drain(t, f.iterator(t, &dynamodbstreams.GetShardIteratorInput{
			StreamArn: aws.String(arn), ShardId: h.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
		}), 7)
		if ended != (h.SequenceNumberRange.EndingSequenceNumber != nil) {
			t.Errorf("shard %s: ended %t, but its range is %+v", *h.ShardId, ended, h.SequenceNumberRange)
		}
		if len(records) > 0 {
			used++
		}
		for _, r := range records {
			seq := *r.Dynamodb.SequenceNumber
			if seq < *h.SequenceNumberRange.StartingSequenceNumber || (ended && seq > *h.SequenceNumberRange.EndingSequenceNumber) || seq <= last[streamKey(r)] {
				t.Errorf("shard %s has %s, after %s of the same item", *h.ShardId, seq, last[streamKey(r)])
			}
			last[streamKey(r)] = seq
			seen[streamKey(r)] += image(r.Dynamodb.NewImage, "round")
		}
	}
	if used < 7 {
		t.Errorf("only %d of 8 shards have records", used)
	}
	for i := range 100 {
		if name := fmt.Sprintf("ROOM#%d/M#%d", i%30, i); seen[name] != "123" {
			t.Errorf("%s: saw rounds %q, parents first, want 123", name, seen[name])
		}
	}
	children, err := f.streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{
		StreamArn: aws.String(arn), ShardFilter: &streamtypes.ShardFilter{Type: streamtypes.ShardFilterTypeChildShards, ShardId: first[0].ShardId},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := children.StreamDescription.Shards; len(got) != 2 || *got[0].ParentShardId != *first[0].ShardId {
		t.Errorf("children of the first shard: got %+v", got)
	}
}

// TestShardsOfPartitions puts items of one partition key, whose records DynamoDB has on one
// shard. A file in which they were dealt out before goes on so: each item stays on its shard.
func TestShardsOfPartitions(t *testing.T) {
	used := func(f fixture) (n int) {
		arn := f.arn(t)
		if err := f.engine.SplitShard(t.Context(), arn, *f.shards(t, arn)[0].ShardId); err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			f.put(t, key("ROOM#2", fmt.Sprintf("M#%d", i)))
		}
		for _, h := range f.shards(t, arn) {
			records, _ := f.drain(t, f.iterator(t, &dynamodbstreams.GetShardIteratorInput{
				StreamArn: aws.String(arn), ShardId: h.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
			}), 1000)
			if slices.ContainsFunc(records, func(r streamtypes.Record) bool { return strings.HasPrefix(streamKey(r), "ROOM#2/") }) {
				n++
			}
		}
		return n
	}
	if n := used(start(t, dynamodb.Options{})); n != 1 {
		t.Errorf("the records of a partition key are on %d shards, want 1", n)
	}
	if n := used(clients(open(t, dynamodb.Options{Path: copied(t, "testdata/format2.db")}))); n != 2 {
		t.Errorf("the records of a file of before are on %d shards, want 2", n)
	}
}

func TestIterators(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f := start(t, dynamodb.Options{Shards: 1, Clock: clock})
	arn := f.arn(t)
	id := f.shards(t, arn)[0].ShardId
	ask := func(kind streamtypes.ShardIteratorType, seq *string) *string {
		t.Helper()
		return f.iterator(t, &dynamodbstreams.GetShardIteratorInput{StreamArn: aws.String(arn), ShardId: id, ShardIteratorType: kind, SequenceNumber: seq})
	}
	for i := range 3 {
		f.put(t, key("p", fmt.Sprint(i)))
	}
	records, _ := f.drain(t, ask(streamtypes.ShardIteratorTypeTrimHorizon, nil), 2)
	latest := ask(streamtypes.ShardIteratorTypeLatest, nil)
	f.put(t, key("p", "3"))
	middle := records[1].Dynamodb.SequenceNumber
	for name, tc := range map[string]struct {
		iterator *string
		want     int
	}{
		"TRIM_HORIZON": {ask(streamtypes.ShardIteratorTypeTrimHorizon, nil), 4}, "LATEST": {latest, 1},
		"AT_SEQUENCE_NUMBER": {ask(streamtypes.ShardIteratorTypeAtSequenceNumber, middle), 3}, "AFTER_SEQUENCE_NUMBER": {ask(streamtypes.ShardIteratorTypeAfterSequenceNumber, middle), 2},
	} {
		if got, _ := f.drain(t, tc.iterator, 1000); len(got) != tc.want {
			t.Errorf("%s: got %d records, want %d", name, len(got), tc.want)
		}
	}
	_, err := f.streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: aws.String(arn), ShardId: id, ShardIteratorType: streamtypes.ShardIteratorTypeAtSequenceNumber, SequenceNumber: aws.String("5"),
	})
	refused(t, err, "ValidationException", "Invalid SequenceNumber")
	_, err = f.streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: aws.String(arn), ShardId: aws.String("shardId-00000000000000000000-none"), ShardIteratorType: streamtypes.ShardIteratorTypeLatest,
	})
	refused(t, err, "ResourceNotFoundException", "Shard does not exist")
	for _, text := range []string{"", "x", arn + "|1|", arn + "|1|AAAA", arn + "|1|*", "none|1|AAAA"} {
		if _, err := f.streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: aws.String(text)}); err == nil {
			t.Errorf("the iterator %q was accepted", text)
		}
	}
	clock.Advance(15*time.Minute + time.Second)
	_, err = f.streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: latest})
	refused(t, err, "ExpiredIteratorException", "Iterator expired")
	if _, ok := errors.AsType[*streamtypes.ExpiredIteratorException](err); !ok {
		t.Errorf("got %T", err)
	}
}

// TestRetention lets a day pass: records are trimmed, numbers continue, closed shards are
// removed, also after a restart.
func TestRetention(t *testing.T) {
	clock := clockwork.NewFakeClock()
	o := dynamodb.Options{Shards: 1, Clock: clock, Path: filepath.Join(t.TempDir(), "data.db")}
	e, err := dynamodb.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f := clients(e)
	f.createChat(t)
	for i := range 600 {
		f.put(t, key("p", fmt.Sprint(i)))
	}
	arn := f.arn(t)
	before := f.everything(t)
	parent := *f.shards(t, arn)[0].ShardId
	if err := e.SplitShard(t.Context(), arn, parent); err != nil {
		t.Fatal(err)
	}
	clock.Advance(24*time.Hour + 2*time.Second)
	for _, h := range f.shards(t, arn) {
		got, err := f.firstPage(t, arn, *h.ShardId)
		if *h.ShardId == parent && isSwept(err) {
			continue // the sweeper wakes as the clock moves, and may be faster
		}
		if err != nil || len(got) != 0 {
			t.Errorf("shard %s: %v, and %d records are a day old and still shown", *h.ShardId, err, len(got))
		}
	}
	waitFor(t, func() bool {
		clock.Advance(time.Minute) // the sweeper may not have been waiting for the last one
		return len(f.shards(t, arn)) == 2
	})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	f = clients(open(t, o))
	f.put(t, key("p", "new"))
	after := f.everything(t)
	if len(after) != 1 || *after[0].Dynamodb.SequenceNumber <= *before[len(before)-1].Dynamodb.SequenceNumber {
		t.Errorf("got %d records, want one with a number above %s", len(after), *before[len(before)-1].Dynamodb.SequenceNumber)
	}
	if _, err := f.DeleteTable(t.Context(), &ddb.DeleteTableInput{TableName: aws.String("chat")}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(25 * time.Hour)
	waitFor(t, func() bool {
		clock.Advance(time.Minute)
		out, err := f.streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{})
		return err == nil && len(out.Streams) == 0
	})
}

// isSwept reports whether an error says that a shard is gone: before or after the
// reader got its iterator.
func isSwept(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{"ResourceNotFoundException", "TrimmedDataAccessException"}, api.ErrorCode())
}

// firstPage reads what is oldest in a shard.
func (f fixture) firstPage(t testing.TB, arn, shard string) ([]streamtypes.Record, error) {
	t.Helper()
	at, err := f.streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: aws.String(arn), ShardId: aws.String(shard), ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		return nil, err
	}
	page, err := f.streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: at.ShardIterator})
	if err != nil {
		return nil, err
	}
	return page.Records, nil
}

func TestSubscribe(t *testing.T) {
	f := start(t, dynamodb.Options{})
	wake, stop := f.engine.Subscribe()
	f.put(t, key("p", "1"))
	f.put(t, key("p", "2"))
	<-wake // one token for both, and none is lost
	select {
	case <-wake:
		f.put(t, key("p", "2")) // the second put may have come after the first token was taken
	default:
		f.put(t, key("p", "2")) // changes nothing
	}
	select {
	case <-wake:
		t.Error("woken without a record")
	default:
	}
	f.put(t, key("p", "3"))
	<-wake
	stop()
	f.put(t, key("p", "4"))
	select {
	case <-wake:
		t.Error("woken after the subscription's end")
	default:
	}
}

func TestVersion(t *testing.T) {
	f := start(t, dynamodb.Options{Shards: 2})
	shards := f.shards(t, f.arn(t))
	versions := func() (all []uint64) {
		for _, s := range shards {
			all = append(all, f.engine.Version(aws.ToString(s.ShardId)))
		}
		return append(all, f.engine.Version(""))
	}
	changed := func(before []uint64) (n int) {
		for i, v := range versions() {
			if v != before[i] {
				n++
			}
		}
		return n
	}
	before := versions()
	f.put(t, key("p", "1"))
	if n := changed(before); n != 1 {
		t.Errorf("a record changes %d versions", n)
	}
	before = versions()
	f.put(t, key("p", "1")) // changes nothing
	if n := changed(before); n != 0 {
		t.Errorf("a write without a record changes %d versions", n)
	}
	if err := f.engine.SplitShard(t.Context(), f.arn(t), aws.ToString(shards[0].ShardId)); err != nil {
		t.Fatal(err)
	}
	if n := changed(before); n != len(before) {
		t.Errorf("a split changes %d versions of %d", n, len(before))
	}
}

func TestShardLife(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f := start(t, dynamodb.Options{Clock: clock, Shards: 2, ShardLife: 4 * time.Hour, Sweep: time.Minute})
	arn := f.arn(t)
	for n := range 3 {
		f.put(t, key("p", fmt.Sprint(n)))
		if got := len(f.shards(t, arn)); got != 2+2*n {
			t.Fatalf("%d shards, want %d", got, 2+2*n)
		}
		clock.Advance(3 * time.Hour)
		f.put(t, key("p", fmt.Sprint(n, " later")))
		clock.Advance(time.Hour + time.Minute)
		waitFor(t, func() bool { return len(f.shards(t, arn)) == 4+2*n })
	}
	open, parents := 0, map[string]bool{}
	for _, h := range f.shards(t, arn) {
		if h.SequenceNumberRange.EndingSequenceNumber == nil {
			open++
		}
		parents[aws.ToString(h.ParentShardId)] = true
	}
	if open != 2 || len(parents) != 7 {
		t.Errorf("%d shards are open, and %d have children: want 2 and 6", open, len(parents)-1)
	}
	equal(t, "records", len(f.everything(t)), 6)
}
