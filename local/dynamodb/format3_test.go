package dynamodb_test

import (
	"cmp"
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// openFormat3 opens a copy of a file of format 3, whose items and images have their key
// attributes, five minutes after it was made.
func openFormat3(t *testing.T) (f fixture, clock *clockwork.FakeClock, again func() fixture) {
	t.Helper()
	path := copied(t, "testdata/format3.db")
	clock = clockwork.NewFakeClockAt(time.Date(2026, 11, 29, 16, 5, 0, 0, time.UTC))
	o := dynamodb.Options{Path: path, Clock: clock}
	e := open(t, o)
	return clients(e), clock, func() fixture {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		equal(t, "format", formatOf(t, path), "4")
		e = open(t, o)
		return clients(e)
	}
}

// formatOf returns what a program of before would refuse a file for.
func formatOf(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var format string
	if err := db.QueryRowContext(t.Context(), "SELECT v FROM meta WHERE k = 'format'").Scan(&format); err != nil {
		t.Fatal(err)
	}
	return format
}

// inFormat3 are the items of the table chat.
func inFormat3() []record {
	return []record{
		with(key("ROOM#1", "M#1"), "text", str("bye"), "GSI1PK", str("USER#1"), "GSI1SK", str("a")),
		with(key("ROOM#1", "M#3"), "ttl", num("1795968600")), // ten minutes after it was made
		with(key("ROOM\x00#2", "M#\x004\x00"), "n", num("7")),
	}
}

// ofFormat3 are the stream records of the table chat, as told shows them.
var ofFormat3 = []string{
	"INSERT ROOM#1/M#1 [] [PK SK text=hello]", "MODIFY ROOM#1/M#1 [PK SK text=hello] [GSI1PK GSI1SK PK SK text=bye]",
	"INSERT ROOM#1/M#2 [] [PK SK text=gone]", "REMOVE ROOM#1/M#2 [PK SK text=gone] []",
	"INSERT ROOM#1/M#3 [] [PK SK ttl]", "INSERT ROOM\x00#2/M#\x004\x00 [] [PK SK n]",
}

// told lists the records of the table chat, with the names that their images have.
func (f fixture) told(t *testing.T) []string {
	t.Helper()
	records := f.everything(t)
	slices.SortFunc(records, func(a, b streamtypes.Record) int {
		return cmp.Compare(*a.Dynamodb.SequenceNumber, *b.Dynamodb.SequenceNumber)
	})
	var out []string
	for _, r := range records {
		line := string(r.EventName) + " " + streamKey(r)
		for _, it := range []map[string]streamtypes.AttributeValue{r.Dynamodb.OldImage, r.Dynamodb.NewImage} {
			names := make([]string, 0, len(it))
			for name := range it {
				if name == "text" {
					name += "=" + image(it, name)
				}
				names = append(names, name)
			}
			slices.Sort(names)
			line += " [" + strings.Join(names, " ") + "]"
		}
		out = append(out, line)
	}
	return out
}

func (f fixture) scanned(t *testing.T, table string) []record {
	t.Helper()
	out, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}

func TestOpensFormat3(t *testing.T) {
	f, _, again := openFormat3(t)
	for range 2 {
		want := inFormat3()
		for _, it := range want {
			equal(t, "item", f.get(t, text(it["PK"]), text(it["SK"])), it)
		}
		equal(t, "items", f.scanned(t, "chat"), want)
		out, err := f.Query(t.Context(), &ddb.QueryInput{
			TableName: aws.String("chat"), IndexName: aws.String("GSI1"), KeyConditionExpression: aws.String("GSI1PK = :p"),
			ExpressionAttributeValues: record{":p": str("USER#1")},
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "items of the index", out.Items, want[:1])
		var measured []record
		for _, n := range []string{"-1.5", "0", "1700000000000"} {
			measured = append(measured, record{"where": &types.AttributeValueMemberB{Value: []byte{0, 1, 0, 255}}, "at": num(n), "unit": str("m")})
		}
		equal(t, "items with a number and bytes in their key", f.scanned(t, "measured"), measured)
		equal(t, "records", f.told(t), ofFormat3)
		f = again()
	}
}

// A write that leaves an item as it was leaves no record and costs its index nothing, although
// it would store the item in another form.
func TestFormat3_WritesThatChangeNothing(t *testing.T) {
	f, _, _ := openFormat3(t)
	for _, it := range inFormat3() {
		out, err := f.PutItem(t.Context(), &ddb.PutItemInput{
			TableName: aws.String("chat"), Item: it, ReturnValues: types.ReturnValueAllOld, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "old item", out.Attributes, it)
		equal(t, "units of the index", out.ConsumedCapacity.GlobalSecondaryIndexes == nil, true)
	}
	same := inFormat3()[0]
	if _, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
		TableName: aws.String("chat"), Key: key("ROOM#1", "M#1"), UpdateExpression: aws.String("SET #t = :t"),
		ExpressionAttributeNames: map[string]string{"#t": "text"}, ExpressionAttributeValues: record{":t": str("bye")},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.transact(t, "", putAction(same, "attribute_exists(PK)")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.BatchWriteItem(t.Context(), &ddb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{"chat": {{PutRequest: &types.PutRequest{Item: same}}}},
	}); err != nil {
		t.Fatal(err)
	}
	equal(t, "records", f.told(t), ofFormat3)
	f.put(t, with(same, "text", str("eyb"))) // as many bytes
	equal(t, "records of a change", f.told(t)[len(ofFormat3):], []string{"MODIFY ROOM#1/M#1 [GSI1PK GSI1SK PK SK text=bye] [GSI1PK GSI1SK PK SK text=eyb]"})
}

func TestFormat3_GoesOn(t *testing.T) {
	f, clock, again := openFormat3(t)
	f.update(t, func(in *ddb.UpdateTableInput) {
		in.AttributeDefinitions = stringAttributes("text")
		in.GlobalSecondaryIndexUpdates = []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String("ByText"), KeySchema: keySchema("text"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}}
	})
	out, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: aws.String("chat"), IndexName: aws.String("ByText")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "items of an index added", out.Items, []record{with(key("ROOM#1", "M#1"), "text", str("bye"))})
	for _, h := range f.shards(t, f.arn(t)) {
		if err := f.engine.SplitShard(t.Context(), f.arn(t), *h.ShardId); err != nil {
			t.Fatal(err)
		}
	}
	f.put(t, with(key("ROOM#1", "M#1"), "text", str("again")))
	if _, err := f.DeleteItem(t.Context(), &ddb.DeleteItemInput{TableName: aws.String("chat"), Key: key("ROOM\x00#2", "M#\x004\x00")}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(6 * time.Minute)
	waitFor(t, func() bool {
		clock.Advance(time.Second) // the sweeper may not have been waiting for the last one
		return f.get(t, "ROOM#1", "M#3") == nil
	})
	want := append(slices.Clone(ofFormat3),
		"MODIFY ROOM#1/M#1 [GSI1PK GSI1SK PK SK text=bye] [PK SK text=again]", "REMOVE ROOM\x00#2/M#\x004\x00 [PK SK n] []", "REMOVE ROOM#1/M#3 [PK SK ttl] []")
	for range 2 {
		equal(t, "items", f.scanned(t, "chat"), []record{with(key("ROOM#1", "M#1"), "text", str("again"))})
		equal(t, "records", f.told(t), want)
		f = again()
	}
}
