package dynamodb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func TestReturnValues(t *testing.T) {
	f := start(t, dynamodb.Options{})
	old := with(key("p", "s"), "a", num("1"), "m", &types.AttributeValueMemberM{Value: record{"x": num("1"), "y": num("2")}})
	update := func(mode types.ReturnValue, expression string) record {
		t.Helper()
		f.put(t, old)
		out, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
			TableName: aws.String("chat"), Key: key("p", "s"), UpdateExpression: aws.String(expression),
			ExpressionAttributeValues: record{":v": num("9")}, ReturnValues: mode,
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.Attributes
	}
	inner := func(n string) *types.AttributeValueMemberM {
		return &types.AttributeValueMemberM{Value: record{"x": num(n)}}
	}
	changed := with(key("p", "s"), "a", num("9"), "m", old["m"])
	equal(t, "NONE", update("", "SET a = :v"), record(nil))
	equal(t, "ALL_OLD", update(types.ReturnValueAllOld, "SET a = :v"), old)
	equal(t, "ALL_NEW", update(types.ReturnValueAllNew, "SET a = :v"), changed)
	equal(t, "UPDATED_OLD", update(types.ReturnValueUpdatedOld, "SET a = :v, m.x = :v, fresh = :v"), record{"a": num("1"), "m": inner("1")})
	equal(t, "UPDATED_NEW", update(types.ReturnValueUpdatedNew, "SET a = :v, m.x = :v REMOVE m.y"), record{"a": num("9"), "m": inner("9")})

	out, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: key("p", "s"), ReturnValues: types.ReturnValueAllOld})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "put ALL_OLD", out.Attributes, with(key("p", "s"), "a", num("9"), "m", &types.AttributeValueMemberM{Value: record{"x": num("9")}}))
	gone, err := f.DeleteItem(t.Context(), &ddb.DeleteItemInput{TableName: aws.String("chat"), Key: key("p", "s"), ReturnValues: types.ReturnValueAllOld})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "delete ALL_OLD", gone.Attributes, key("p", "s"))
	equal(t, "item after delete", f.get(t, "p", "s"), record(nil))
	_, err = f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: old, ReturnValues: types.ReturnValueAllNew})
	refused(t, err, "ValidationException", "Return values set to invalid value")
}

func TestUpdateMakesItem(t *testing.T) {
	f := start(t, dynamodb.Options{})
	for _, expression := range []*string{nil, aws.String("REMOVE a"), aws.String("ADD hits :one")} {
		in := &ddb.UpdateItemInput{TableName: aws.String("chat"), Key: key("p", "s"), UpdateExpression: expression}
		if expression != nil && strings.Contains(*expression, ":one") {
			in.ExpressionAttributeValues = record{":one": num("1")}
		}
		if _, err := f.UpdateItem(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "item", f.get(t, "p", "s"), with(key("p", "s"), "hits", num("1")))
}

func TestConditionFailure(t *testing.T) {
	f := start(t, dynamodb.Options{})
	first := with(key("p", "s"), "a", num("1"))
	f.put(t, first)
	put := func(show types.ReturnValuesOnConditionCheckFailure) error {
		_, err := f.PutItem(t.Context(), &ddb.PutItemInput{
			TableName: aws.String("chat"), Item: with(key("p", "s"), "a", num("2")),
			ConditionExpression: aws.String("attribute_not_exists(PK)"), ReturnValuesOnConditionCheckFailure: show,
		})
		return err
	}
	for show, want := range map[types.ReturnValuesOnConditionCheckFailure]record{"": nil, types.ReturnValuesOnConditionCheckFailureAllOld: first} {
		err := put(show)
		refused(t, err, "ConditionalCheckFailedException", "The conditional request failed")
		failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		equal(t, "item shown", failed.Item, want)
	}
	equal(t, "item", f.get(t, "p", "s"), first)
	_, err := f.DeleteItem(t.Context(), &ddb.DeleteItemInput{
		TableName: aws.String("chat"), Key: key("p", "none"), ConditionExpression: aws.String("attribute_exists(PK)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	refused(t, err, "ConditionalCheckFailedException", "The conditional request failed")
}

// TestRefusals are requests that DynamoDB refuses, with its own words.
func TestRefusals(t *testing.T) {
	f := start(t, dynamodb.Options{})
	f.put(t, with(key("p", "s"), "a", num("1"), "text", str("x")))
	table := aws.String("chat")
	one := record{":v": num("1")}
	big := str(strings.Repeat("x", 400<<10))
	for name, tc := range map[string]struct {
		call func() error
		want string
	}{
		"unknown table": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("none"), Item: key("p", "s")})
			return err
		}, "Requested resource not found"},
		"no sort key": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: record{"PK": str("p")}})
			return err
		}, "One or more parameter values were invalid: Missing the key SK in the item"},
		"key of another type": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: record{"PK": str("p"), "SK": num("1")}})
			return err
		}, "One or more parameter values were invalid: Type mismatch for key SK expected: S actual: N"},
		"empty key": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: key("", "s")})
			return err
		}, "The AttributeValue for a key attribute cannot contain an empty string value. Key: PK"},
		"long partition key": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: key(strings.Repeat("x", 2049), "s")})
			return err
		}, "Size of hashkey has exceeded the maximum size limit"},
		"long sort key": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: key("p", strings.Repeat("x", 1025))})
			return err
		}, "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"},
		"get with too many attributes": {func() error {
			_, err := f.GetItem(t.Context(), &ddb.GetItemInput{TableName: table, Key: with(key("p", "s"), "x", str("y"))})
			return err
		}, "The provided key element does not match the schema"},
		"index key of another type": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: with(key("p", "s"), "GSI1PK", num("1"))})
			return err
		}, "Type mismatch for Index Key GSI1PK Expected: S Actual: N IndexName: GSI1"},
		"empty index key": {func() error {
			_, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
				TableName: table, Key: key("p", "s"), UpdateExpression: aws.String("SET GSI1PK = :e"), ExpressionAttributeValues: record{":e": str("")},
			})
			return err
		}, "IndexName: GSI1, IndexKey: GSI1PK"},
		"item too large": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: with(key("p", "s"), "big", big)})
			return err
		}, "Item size has exceeded the maximum allowed size"},
		"update makes item too large": {func() error {
			_, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
				TableName: table, Key: key("p", "s"), UpdateExpression: aws.String("SET big = :v"), ExpressionAttributeValues: record{":v": big},
			})
			return err
		}, "Item size to update has exceeded the maximum allowed size"},
		"update of a key": {func() error {
			_, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
				TableName: table, Key: key("p", "s"), UpdateExpression: aws.String("SET SK = :v"), ExpressionAttributeValues: one,
			})
			return err
		}, "Cannot update attribute SK. This attribute is part of the key"},
		"update of a wrong type": {func() error {
			_, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
				TableName: table, Key: key("p", "s"), UpdateExpression: aws.String("ADD #t :v"), ExpressionAttributeValues: one,
				ExpressionAttributeNames: map[string]string{"#t": "text"},
			})
			return err
		}, "An operand in the update expression has an incorrect data type"},
		"values without expression": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: key("p", "s"), ExpressionAttributeValues: one})
			return err
		}, "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"},
		"names without expression": {func() error {
			_, err := f.GetItem(t.Context(), &ddb.GetItemInput{TableName: table, Key: key("p", "s"), ExpressionAttributeNames: map[string]string{"#a": "a"}})
			return err
		}, "ExpressionAttributeNames can only be specified when using expressions"},
		"unused value": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{
				TableName: table, Item: key("p", "s"), ConditionExpression: aws.String("attribute_exists(PK)"), ExpressionAttributeValues: one,
			})
			return err
		}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"},
		"malformed placeholder": {func() error {
			_, err := f.GetItem(t.Context(), &ddb.GetItemInput{
				TableName: table, Key: key("p", "s"), ProjectionExpression: aws.String("a"), ExpressionAttributeNames: map[string]string{"a": "a"},
			})
			return err
		}, `ExpressionAttributeNames contains invalid key: Syntax error; key: "a"`},
		"invalid value": {func() error {
			_, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
				TableName: table, Key: key("p", "s"), UpdateExpression: aws.String("SET a = :v"), ExpressionAttributeValues: record{":v": num("x")},
			})
			return err
		}, "The parameter cannot be converted to a numeric value: x"},
		"unknown ReturnValues": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: table, Item: key("p", "s"), ReturnValues: "SOME"})
			return err
		}, "Value 'SOME' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set"},
		"query without partition key": {func() error {
			_, err := f.Query(t.Context(), &ddb.QueryInput{TableName: table, KeyConditionExpression: aws.String("SK = :v"), ExpressionAttributeValues: one})
			return err
		}, "Query condition missed key schema element: PK"},
		"query with a key of another type": {func() error {
			_, err := f.Query(t.Context(), &ddb.QueryInput{TableName: table, KeyConditionExpression: aws.String("PK = :v"), ExpressionAttributeValues: one})
			return err
		}, "Condition parameter type does not match schema type"},
		"query without condition": {func() error {
			_, err := f.Query(t.Context(), &ddb.QueryInput{TableName: table})
			return err
		}, "Either the KeyConditions or KeyConditionExpression parameter must be specified"},
		"query with a filter on a key": {func() error {
			_, err := f.Query(t.Context(), &ddb.QueryInput{
				TableName: table, KeyConditionExpression: aws.String("PK = :p"), FilterExpression: aws.String("SK > :p"), ExpressionAttributeValues: record{":p": str("p")},
			})
			return err
		}, "Filter Expression can only contain non-primary key attributes: Primary key attribute: SK"},
		"query of no index": {func() error {
			_, err := f.Query(t.Context(), &ddb.QueryInput{
				TableName: table, IndexName: aws.String("GSI9"), KeyConditionExpression: aws.String("PK = :p"), ExpressionAttributeValues: record{":p": str("p")},
			})
			return err
		}, "The table does not have the specified index: GSI9"},
		"strong read of an index": {func() error {
			_, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: table, IndexName: aws.String("GSI1"), ConsistentRead: aws.Bool(true)})
			return err
		}, "Consistent reads are not supported on global secondary indexes"},
		"limit of nothing": {func() error {
			_, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: table, Limit: aws.Int32(0)})
			return err
		}, "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"start outside the partition": {func() error {
			_, err := f.Query(t.Context(), &ddb.QueryInput{
				TableName: table, KeyConditionExpression: aws.String("PK = :p"), ExpressionAttributeValues: record{":p": str("p")}, ExclusiveStartKey: key("q", "s"),
			})
			return err
		}, "The provided starting key is outside query boundaries based on provided conditions"},
		"start that is not a key": {func() error {
			_, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: table, ExclusiveStartKey: record{"PK": str("p")}})
			return err
		}, "The provided starting key is invalid"},
		"segment without total": {func() error {
			_, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: table, Segment: aws.Int32(1)})
			return err
		}, "The TotalSegments parameter is required"},
		"segment out of range": {func() error {
			_, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: table, Segment: aws.Int32(2), TotalSegments: aws.Int32(2)})
			return err
		}, "Segment: 2 is not less than TotalSegments: 2"},
		"count with projection": {func() error {
			_, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: table, Select: types.SelectCount, ProjectionExpression: aws.String("a")})
			return err
		}, "Cannot specify the ProjectionExpression when choosing to get only the Count"},
		"batch with twins": {func() error {
			_, err := f.BatchGetItem(t.Context(), &ddb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"chat": {Keys: []record{key("p", "s"), key("p", "s")}}}})
			return err
		}, "Provided list of item keys contains duplicates"},
		"batch with too many writes": {func() error {
			var writes []types.WriteRequest
			for i := range 26 {
				writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key("p", fmt.Sprint(i))}})
			}
			_, err := f.BatchWriteItem(t.Context(), &ddb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"chat": writes}})
			return err
		}, "at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"},
		"an operation left out": {func() error {
			_, err := f.ExecuteStatement(t.Context(), &ddb.ExecuteStatementInput{Statement: aws.String("SELECT * FROM chat")})
			return err
		}, "The local table engine leaves out the operation ExecuteStatement"},
	} {
		t.Run(name, func(t *testing.T) {
			code := "ValidationException"
			switch name {
			case "unknown table":
				code = "ResourceNotFoundException"
			case "an operation left out":
				code = "UnknownOperationException"
			}
			refused(t, tc.call(), code, tc.want)
		})
	}
	equal(t, "item after all that", f.get(t, "p", "s"), with(key("p", "s"), "a", num("1"), "text", str("x")))
}

func TestConsumedCapacity(t *testing.T) {
	f := start(t, dynamodb.Options{})
	indexed := func(kilobytes int, sort string) record {
		return with(key("p", "s"), "GSI1PK", str("g"), "GSI1SK", str(sort), "body", str(strings.Repeat("x", kilobytes<<10-100)))
	}
	put := func(it record) *types.ConsumedCapacity {
		t.Helper()
		out, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: it, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes})
		if err != nil {
			t.Fatal(err)
		}
		return out.ConsumedCapacity
	}
	for _, tc := range []struct {
		name         string
		it           record
		table, index float64
	}{
		{"a small item", key("q", "s"), 1, 0},
		{"a new item of 3 KB", indexed(3, "1"), 3, 3},
		{"the same again", indexed(3, "1"), 3, 0},
		{"larger", indexed(5, "1"), 5, 5},
		{"smaller: the larger counts", indexed(2, "1"), 5, 5},
		{"its index key moves", indexed(2, "2"), 2, 4},
		{"it leaves the index", with(key("p", "s"), "body", str("x")), 2, 2},
	} {
		got := put(tc.it)
		index := 0.0
		if c, ok := got.GlobalSecondaryIndexes["GSI1"]; ok {
			index = *c.CapacityUnits
		}
		if *got.Table.CapacityUnits != tc.table || index != tc.index || *got.CapacityUnits != tc.table+tc.index {
			t.Errorf("%s: got %v on the table and %v on the index, %v in all; want %v and %v", tc.name, *got.Table.CapacityUnits, index, *got.CapacityUnits, tc.table, tc.index)
		}
	}
	put(indexed(9, "1"))
	for consistent, want := range map[bool]float64{true: 3, false: 1.5} {
		out, err := f.GetItem(t.Context(), &ddb.GetItemInput{
			TableName: aws.String("chat"), Key: key("p", "s"), ConsistentRead: aws.Bool(consistent), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.ConsumedCapacity.CapacityUnits; got != want || out.ConsumedCapacity.Table != nil {
			t.Errorf("get of 9 KB, consistent %t: got %v units, want %v", consistent, got, want)
		}
	}
	out, err := f.Query(t.Context(), &ddb.QueryInput{
		TableName: aws.String("chat"), IndexName: aws.String("GSI1"), KeyConditionExpression: aws.String("GSI1PK = :p"),
		ExpressionAttributeValues: record{":p": str("g")}, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.ConsumedCapacity; *got.CapacityUnits != 1.5 || *got.GlobalSecondaryIndexes["GSI1"].CapacityUnits != 1.5 || *got.Table.CapacityUnits != 0 {
		t.Errorf("query of an index: got %+v", got)
	}
	none, err := f.DeleteItem(t.Context(), &ddb.DeleteItemInput{TableName: aws.String("chat"), Key: key("no", "s"), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
	if err != nil {
		t.Fatal(err)
	}
	if got := *none.ConsumedCapacity.CapacityUnits; got != 1 {
		t.Errorf("delete of nothing: got %v units, want 1", got)
	}
}

func TestTables(t *testing.T) {
	f := start(t, dynamodb.Options{})
	_, err := f.CreateTable(t.Context(), chatTable())
	refused(t, err, "ResourceInUseException", "Table already exists: chat")
	out, err := f.DescribeTable(t.Context(), &ddb.DescribeTableInput{TableName: aws.String("chat")})
	if err != nil {
		t.Fatal(err)
	}
	if d := out.Table; d.TableStatus != types.TableStatusActive || *d.StreamSpecification.StreamEnabled != true || *d.LatestStreamArn == "" ||
		len(d.AttributeDefinitions) != 4 || *d.GlobalSecondaryIndexes[0].IndexName != "GSI1" || d.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		t.Errorf("got %+v", d)
	}
	ttl, err := f.DescribeTimeToLive(t.Context(), &ddb.DescribeTimeToLiveInput{TableName: aws.String("chat")})
	if err != nil {
		t.Fatal(err)
	}
	if d := ttl.TimeToLiveDescription; d.TimeToLiveStatus != types.TimeToLiveStatusEnabled || *d.AttributeName != "ttl" {
		t.Errorf("got %+v", d)
	}
	second := chatTable()
	second.TableName = aws.String("archive")
	second.StreamSpecification = nil
	if _, err := f.CreateTable(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	first, err := f.ListTables(t.Context(), &ddb.ListTablesInput{Limit: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := f.ListTables(t.Context(), &ddb.ListTablesInput{ExclusiveStartTableName: first.LastEvaluatedTableName})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "tables", append(first.TableNames, rest.TableNames...), []string{"archive", "chat"})

	f.put(t, key("p", "s"))
	if _, err := f.DeleteTable(t.Context(), &ddb.DeleteTableInput{TableName: aws.String("chat")}); err != nil {
		t.Fatal(err)
	}
	_, err = f.GetItem(t.Context(), &ddb.GetItemInput{TableName: aws.String("chat"), Key: key("p", "s")})
	refused(t, err, "ResourceNotFoundException", "Requested resource not found")
	_, err = f.DescribeTable(t.Context(), &ddb.DescribeTableInput{TableName: aws.String("chat")})
	refused(t, err, "ResourceNotFoundException", "Requested resource not found: Table: chat not found")
	f.createChat(t)
	equal(t, "item of a table created again", f.get(t, "p", "s"), record(nil))

	for want, change := range map[string]func(*ddb.CreateTableInput){
		"Number of attributes in KeySchema does not exactly match": func(in *ddb.CreateTableInput) { in.GlobalSecondaryIndexes = nil },
		"Some AttributeDefinitions are not used": func(in *ddb.CreateTableInput) {
			in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String("x"), AttributeType: types.ScalarAttributeTypeN})
		},
		"not defined in AttributeDefinitions":                             func(in *ddb.CreateTableInput) { in.AttributeDefinitions = in.AttributeDefinitions[1:] },
		"Unknown ProjectionType: null":                                    func(in *ddb.CreateTableInput) { in.GlobalSecondaryIndexes[0].Projection.ProjectionType = "" },
		"must both be specified when BillingMode is PROVISIONED":          func(in *ddb.CreateTableInput) { in.BillingMode = types.BillingModeProvisioned },
		"Member must have length greater than or equal to 3":              func(in *ddb.CreateTableInput) { in.TableName = aws.String("x") },
		"Stream ViewType must not be null or empty when enabling streams": func(in *ddb.CreateTableInput) { in.StreamSpecification.StreamViewType = "" },
	} {
		in := chatTable()
		in.TableName = aws.String("other")
		change(in)
		_, err := f.CreateTable(t.Context(), in)
		refused(t, err, "ValidationException", strings.ReplaceAll(want, "Unknown ProjectionType: null", "Unknown ProjectionType: "))
	}
}
