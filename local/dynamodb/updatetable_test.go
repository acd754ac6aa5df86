package dynamodb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func (f fixture) update(t *testing.T, change func(*ddb.UpdateTableInput)) *types.TableDescription {
	t.Helper()
	in := &ddb.UpdateTableInput{TableName: aws.String("chat")}
	change(in)
	out, err := f.UpdateTable(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.TableDescription.TableStatus != types.TableStatusUpdating {
		t.Errorf("got status %s, want UPDATING", out.TableDescription.TableStatus)
	}
	return f.describe(t)
}

func (f fixture) describe(t *testing.T) *types.TableDescription {
	t.Helper()
	out, err := f.DescribeTable(t.Context(), &ddb.DescribeTableInput{TableName: aws.String("chat")})
	if err != nil {
		t.Fatal(err)
	}
	return out.Table
}

// byName adds the index ByName, with the key name.
func byName(in *ddb.UpdateTableInput) {
	in.AttributeDefinitions = stringAttributes("name")
	in.GlobalSecondaryIndexUpdates = []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
		IndexName: aws.String("ByName"), KeySchema: keySchema("name", "SK"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
	}}}
}

func (f fixture) named(t *testing.T, name string) int {
	t.Helper()
	out, err := f.Query(t.Context(), &ddb.QueryInput{
		TableName: aws.String("chat"), IndexName: aws.String("ByName"), KeyConditionExpression: aws.String("#n = :n"),
		ExpressionAttributeNames: map[string]string{"#n": "name"}, ExpressionAttributeValues: record{":n": str(name)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

// TestAddIndex fills a new index with the items that there are, while others are written.
func TestAddIndex(t *testing.T) {
	for name, path := range map[string]string{"memory": "", "file": filepath.Join(t.TempDir(), "data.db")} {
		t.Run(name, func(t *testing.T) {
			f := start(t, dynamodb.Options{Path: path})
			const before, during = 600, 100
			for i := range before {
				f.put(t, with(key("p", fmt.Sprint(i)), "name", str("ada")))
			}
			f.put(t, with(key("p", "number"), "name", num("1"))) // of another type: stays out
			f.put(t, with(key("p", "empty"), "name", str("")))
			var writing sync.WaitGroup
			for i := range during {
				writing.Go(func() { f.put(t, with(key("p", fmt.Sprint(before+i)), "name", str("ada"))) })
			}
			d := f.update(t, byName)
			writing.Wait()
			if len(d.GlobalSecondaryIndexes) != 2 || d.GlobalSecondaryIndexes[1].IndexStatus != types.IndexStatusActive || len(d.AttributeDefinitions) != 5 {
				t.Errorf("got %+v", d.GlobalSecondaryIndexes)
			}
			equal(t, "items in the index", f.named(t, "ada"), before+during)
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: with(key("p", "x"), "name", num("1"))})
			refused(t, err, "ValidationException", "Type mismatch for Index Key name Expected: S Actual: N IndexName: ByName")
			for _, sort := range []string{"number", "0"} {
				if _, err := f.DeleteItem(t.Context(), &ddb.DeleteItemInput{TableName: aws.String("chat"), Key: key("p", sort)}); err != nil {
					t.Fatal(err)
				}
			}
			equal(t, "items after a delete", f.named(t, "ada"), before+during-1)
		})
	}
}

// TestRemoveIndex removes the first of two indexes and adds another; all of it is there after a
// restart.
func TestRemoveIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	func() {
		e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = e.Close() }()
		f := clients(e)
		f.createChat(t)
		f.put(t, with(key("p", "s"), "name", str("ada"), "GSI1PK", str("g"), "GSI1SK", str("1")))
		f.update(t, byName)
		f.update(t, func(in *ddb.UpdateTableInput) {
			in.GlobalSecondaryIndexUpdates = []types.GlobalSecondaryIndexUpdate{{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("GSI1")}}}
		})
		_, err = f.Scan(t.Context(), &ddb.ScanInput{TableName: aws.String("chat"), IndexName: aws.String("GSI1")})
		refused(t, err, "ValidationException", "The table does not have the specified index: GSI1")
		f.update(t, func(in *ddb.UpdateTableInput) {
			byName(in)
			in.AttributeDefinitions = stringAttributes("GSI1PK")
			in.GlobalSecondaryIndexUpdates[0].Create.IndexName = aws.String("GSI1")
			in.GlobalSecondaryIndexUpdates[0].Create.KeySchema = keySchema("GSI1PK")
		})
	}()
	f := clients(open(t, dynamodb.Options{Path: path}))
	equal(t, "items of the index that stayed", f.named(t, "ada"), 1)
	f.put(t, with(key("p", "s2"), "name", str("ada"), "GSI1PK", str("g")))
	equal(t, "items of the index that stayed", f.named(t, "ada"), 2)
	out, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: aws.String("chat"), IndexName: aws.String("GSI1")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "items of the new index", len(out.Items), 2)
}

func TestUpdateStream(t *testing.T) {
	f := start(t, dynamodb.Options{Shards: 1})
	first := *f.describe(t).LatestStreamArn
	f.put(t, key("p", "1"))
	d := f.update(t, func(in *ddb.UpdateTableInput) {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(false)}
	})
	if d.StreamSpecification != nil || *d.LatestStreamArn != first {
		t.Errorf("got stream %+v, %v", d.StreamSpecification, d.LatestStreamArn)
	}
	f.put(t, key("p", "2"))
	d = f.update(t, func(in *ddb.UpdateTableInput) {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly}
	})
	second := *d.LatestStreamArn
	if second == first {
		t.Errorf("the second stream has the ARN of the first: %s", second)
	}
	f.put(t, key("p", "3"))
	for arn, want := range map[string]string{first: "1", second: "3"} {
		stream, err := f.streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
		if err != nil {
			t.Fatal(err)
		}
		iterator, err := f.streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: &arn, ShardId: stream.StreamDescription.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON",
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator.ShardIterator})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Records) != 1 {
			t.Fatalf("%s: got %d records, want 1", arn, len(out.Records))
		}
		if got := out.Records[0].Dynamodb.Keys["SK"].(*streamtypes.AttributeValueMemberS).Value; got != want {
			t.Errorf("%s: got a record of item %s, want %s", arn, got, want)
		}
	}
	for want, spec := range map[string]*types.StreamSpecification{
		"Table already has an enabled stream": {StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly},
		"Stream ViewType must not be null":    {StreamEnabled: aws.Bool(true)},
	} {
		_, err := f.UpdateTable(t.Context(), &ddb.UpdateTableInput{TableName: aws.String("chat"), StreamSpecification: spec})
		refused(t, err, "ValidationException", want)
	}
}

func TestUpdateTableSettings(t *testing.T) {
	f := start(t, dynamodb.Options{})
	units := &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: aws.Int64(6)}
	d := f.update(t, func(in *ddb.UpdateTableInput) {
		in.DeletionProtectionEnabled = aws.Bool(true)
		in.TableClass = types.TableClassStandardInfrequentAccess
		in.SSESpecification = &types.SSESpecification{Enabled: aws.Bool(true)}
	})
	if !*d.DeletionProtectionEnabled || d.TableClassSummary.TableClass != types.TableClassStandardInfrequentAccess ||
		d.SSEDescription.Status != types.SSEStatusEnabled || d.SSEDescription.SSEType != types.SSETypeKms {
		t.Errorf("got %+v", d)
	}
	_, err := f.DeleteTable(t.Context(), &ddb.DeleteTableInput{TableName: aws.String("chat")})
	refused(t, err, "ValidationException", "Resource cannot be deleted as it is currently protected against deletion")

	for want, in := range map[string]*ddb.UpdateTableInput{
		"At least one of ProvisionedThroughput, BillingMode":     {},
		"Neither ReadCapacityUnits nor WriteCapacityUnits":       {ProvisionedThroughput: units},
		"must both be specified when BillingMode is PROVISIONED": {BillingMode: types.BillingModeProvisioned},
		"ProvisionedThroughput must be specified for index: GSI1": {
			BillingMode: types.BillingModeProvisioned, ProvisionedThroughput: units,
		},
		"2 validation errors detected: Value 'X' at 'billingMode'": {BillingMode: "X", TableClass: "Y"},
		"Some index key attributes are not defined in AttributeDefinitions": {GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{
			Create: &types.CreateGlobalSecondaryIndexAction{
				IndexName: aws.String("new"), KeySchema: keySchema("nameless"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
			},
		}}},
	} {
		in.TableName = aws.String("chat")
		_, err := f.UpdateTable(t.Context(), in)
		refused(t, err, "ValidationException", want)
	}
	_, err = f.UpdateTable(t.Context(), &ddb.UpdateTableInput{TableName: aws.String("nothere"), BillingMode: types.BillingModePayPerRequest})
	refused(t, err, "ResourceNotFoundException", "Requested resource not found: Table: nothere not found")
	_, err = f.UpdateTable(t.Context(), &ddb.UpdateTableInput{
		TableName: aws.String("chat"),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{
			{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("GSI1")}},
			{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("GSI1")}},
		},
	})
	refused(t, err, "LimitExceededException", "Only 1 online index can be created or deleted simultaneously per table")

	d = f.update(t, func(in *ddb.UpdateTableInput) {
		in.BillingMode, in.ProvisionedThroughput = types.BillingModeProvisioned, units
		in.GlobalSecondaryIndexUpdates = []types.GlobalSecondaryIndexUpdate{{
			Update: &types.UpdateGlobalSecondaryIndexAction{IndexName: aws.String("GSI1"), ProvisionedThroughput: units},
		}}
	})
	if *d.ProvisionedThroughput.WriteCapacityUnits != 6 || *d.GlobalSecondaryIndexes[0].ProvisionedThroughput.ReadCapacityUnits != 5 {
		t.Errorf("got %+v", d.ProvisionedThroughput)
	}
	_, err = f.UpdateTable(t.Context(), &ddb.UpdateTableInput{TableName: aws.String("chat"), ProvisionedThroughput: units})
	refused(t, err, "ValidationException", "The provisioned throughput for the table will not change")
	d = f.update(t, func(in *ddb.UpdateTableInput) { in.BillingMode = types.BillingModePayPerRequest })
	if d.BillingModeSummary.BillingMode != types.BillingModePayPerRequest || d.BillingModeSummary.LastUpdateToPayPerRequestDateTime == nil {
		t.Errorf("got %+v", d.BillingModeSummary)
	}
}

func TestTags(t *testing.T) {
	f := start(t, dynamodb.Options{})
	arn := f.describe(t).TableArn
	if _, err := f.TagResource(t.Context(), &ddb.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{
		{Key: aws.String("team"), Value: aws.String("chat")}, {Key: aws.String("env"), Value: aws.String("test")},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.TagResource(t.Context(), &ddb.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("live")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.UntagResource(t.Context(), &ddb.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"team", "none"}}); err != nil {
		t.Fatal(err)
	}
	out, err := f.ListTagsOfResource(t.Context(), &ddb.ListTagsOfResourceInput{ResourceArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Tags) != 1 || *out.Tags[0].Key != "env" || *out.Tags[0].Value != "live" {
		t.Errorf("got tags %v", out.Tags)
	}
	_, err = f.ListTagsOfResource(t.Context(), &ddb.ListTagsOfResourceInput{ResourceArn: aws.String("chat")})
	refused(t, err, "ValidationException", "Invalid TableArn")
	_, err = f.ListTagsOfResource(t.Context(), &ddb.ListTagsOfResourceInput{ResourceArn: aws.String(*arn + "x")})
	refused(t, err, "ResourceNotFoundException", "")
}

func TestAccount(t *testing.T) {
	f := start(t, dynamodb.Options{})
	limits, err := f.DescribeLimits(t.Context(), &ddb.DescribeLimitsInput{})
	if err != nil || *limits.TableMaxReadCapacityUnits != 40000 {
		t.Errorf("got %+v, %v", limits, err)
	}
	endpoints, err := f.DescribeEndpoints(t.Context(), &ddb.DescribeEndpointsInput{})
	if err != nil || len(endpoints.Endpoints) != 1 {
		t.Errorf("got %+v, %v", endpoints, err)
	}
	backups, err := f.DescribeContinuousBackups(t.Context(), &ddb.DescribeContinuousBackupsInput{TableName: aws.String("chat")})
	if err != nil || backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusDisabled {
		t.Errorf("got %+v, %v", backups, err)
	}
	_, err = f.DescribeContinuousBackups(t.Context(), &ddb.DescribeContinuousBackupsInput{TableName: aws.String("nothere")})
	refused(t, err, "TableNotFoundException", "Table not found: nothere")
}

// copied returns a copy of a data file.
func copied(t *testing.T, from string) (path string) {
	t.Helper()
	stored, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, stored, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOpensFormat1 opens a file of the version before local indexes, and goes on with it.
func TestOpensFormat1(t *testing.T) {
	path := copied(t, "testdata/format1.db")
	for _, want := range []int{1, 2} {
		e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		f := clients(e)
		if want == 1 {
			f.update(t, byName)
		} else {
			f.put(t, with(key("ROOM#1", "M#3"), "name", str("ada"), "GSI1PK", str("USER#1"), "GSI1SK", str("c")))
			equal(t, "items of the index added", f.named(t, "ada"), 1)
		}
		equal(t, "item", f.get(t, "ROOM#1", "M#1")["n"], num("1.5"))
		out, err := f.Query(t.Context(), &ddb.QueryInput{
			TableName: aws.String("chat"), IndexName: aws.String("GSI1"), KeyConditionExpression: aws.String("GSI1PK = :p"),
			ExpressionAttributeValues: record{":p": str("USER#1")},
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "items of the old index", len(out.Items), want)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpensFormat2 reads stream records that have their keys twice, beside a new one.
func TestOpensFormat2(t *testing.T) {
	path := copied(t, "testdata/format2.db")
	clock := clockwork.NewFakeClockAt(time.Date(2026, 11, 29, 16, 0, 0, 0, time.UTC)) // of the day on which it was made
	f := clients(open(t, dynamodb.Options{Path: path, Clock: clock}))
	f.put(t, with(key("ROOM#1", "M#1"), "text", str("again")))
	var got []string
	for _, r := range f.everything(t) {
		got = append(got, string(r.EventName)+" "+streamKey(r)+" "+image(r.Dynamodb.OldImage, "text")+" "+image(r.Dynamodb.NewImage, "text"))
	}
	equal(t, "records", got, []string{"INSERT ROOM#1/M#1  hello", "MODIFY ROOM#1/M#1 hello bye", "REMOVE ROOM#1/M#1 bye ", "INSERT ROOM#1/M#1  again"})
}
