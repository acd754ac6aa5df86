package dynamodb_test

import (
	"errors"
	"fmt"
	"slices"
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
		"legacy parameter": {func() error {
			_, err := f.PutItem(t.Context(), &ddb.PutItemInput{
				TableName: table, Item: key("p", "s"), Expected: map[string]types.ExpectedAttributeValue{"a": {Exists: aws.Bool(false)}},
			})
			return err
		}, "Expected is a legacy parameter"},
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
		"start that is no key": {func() error {
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
		}, "Cannot specify the ProjectionExpression when choosing to get COUNT"},
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
		}, "Too many items requested for the BatchWriteItem call"},
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

// pages runs a Query to its end and returns the values of an attribute, page by page.
func pages(t *testing.T, f fixture, in *ddb.QueryInput, attribute string) [][]string {
	t.Helper()
	var out [][]string
	for {
		answer, err := f.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		page := []string{}
		for _, it := range answer.Items {
			switch v := it[attribute].(type) {
			case *types.AttributeValueMemberS:
				page = append(page, v.Value)
			case *types.AttributeValueMemberN:
				page = append(page, v.Value)
			case *types.AttributeValueMemberB:
				page = append(page, fmt.Sprintf("%x", v.Value))
			}
		}
		out = append(out, page)
		if answer.LastEvaluatedKey == nil {
			return out
		}
		in.ExclusiveStartKey = answer.LastEvaluatedKey
	}
}

func TestQueryRanges(t *testing.T) {
	f := start(t, dynamodb.Options{})
	for _, sk := range []string{"a", "ab", "abc", "b", "b\x00", "b\x00c", "c"} {
		f.put(t, key("p", sk))
	}
	f.put(t, key("p2", "a"))
	f.put(t, key("o", "z"))
	for _, tc := range []struct {
		condition string
		backward  bool
		want      []string
	}{
		{"", false, []string{"a", "ab", "abc", "b", "b\x00", "b\x00c", "c"}},
		{"", true, []string{"c", "b\x00c", "b\x00", "b", "abc", "ab", "a"}},
		{"SK = :b", false, []string{"b"}},
		{"SK < :b", false, []string{"a", "ab", "abc"}},
		{"SK <= :b", true, []string{"b", "abc", "ab", "a"}},
		{"SK > :b", false, []string{"b\x00", "b\x00c", "c"}},
		{"SK >= :b", false, []string{"b", "b\x00", "b\x00c", "c"}},
		{"SK BETWEEN :ab AND :b", false, []string{"ab", "abc", "b"}},
		{"begins_with(SK, :ab)", true, []string{"abc", "ab"}},
		{"begins_with(SK, :b)", false, []string{"b", "b\x00", "b\x00c"}},
		{"SK > :z", false, []string{}},
	} {
		for limit := range int32(4) {
			in := &ddb.QueryInput{
				TableName: aws.String("chat"), KeyConditionExpression: aws.String("PK = :p"), ExpressionAttributeValues: record{":p": str("p")},
				ScanIndexForward: aws.Bool(!tc.backward), ConsistentRead: aws.Bool(true),
			}
			if tc.condition != "" {
				in.KeyConditionExpression = aws.String("PK = :p AND " + tc.condition)
				for _, v := range []string{"ab", "b", "z"} {
					if strings.Contains(tc.condition, ":"+v+" ") || strings.Contains(tc.condition+" ", ":"+v+" ") || strings.Contains(tc.condition, ":"+v+")") {
						in.ExpressionAttributeValues[":"+v] = str(v)
					}
				}
			}
			if limit > 0 {
				in.Limit = aws.Int32(limit)
			}
			got := pages(t, f, in, "SK")
			equal(t, fmt.Sprintf("%s, limit %d", tc.condition, limit), slices.Concat(got...), append([]string(nil), tc.want...))
			if want := len(tc.want)/max(int(limit), 1) + 1; limit > 0 && len(got) != want {
				t.Errorf("%s, limit %d: got %d pages, want %d", tc.condition, limit, len(got), want)
			}
		}
	}
}

// TestKeyTypes has number and binary keys in tables and indexes, with and without sort key.
func TestKeyTypes(t *testing.T) {
	f := clients(open(t, dynamodb.Options{}))
	_, err := f.CreateTable(t.Context(), &ddb.CreateTableInput{
		TableName: aws.String("typed"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("b"), AttributeType: types.ScalarAttributeTypeB}, {AttributeName: aws.String("n"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("b"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("n"), KeyType: types.KeyTypeRange}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			{
				IndexName: aws.String("byNumber"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
				KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("n"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("b"), KeyType: types.KeyTypeRange}},
			},
			{
				IndexName: aws.String("single"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"kept"}},
				KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("n"), KeyType: types.KeyTypeHash}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	numbers := []string{"-1000", "-10.5", "-10", "-0.001", "0", "0.0001", "0.5", "2", "10", "10.25", "1000"}
	for i := range numbers {
		n := numbers[(i*7)%len(numbers)]
		_, err := f.PutItem(t.Context(), &ddb.PutItemInput{
			TableName: aws.String("typed"), Item: record{"b": &types.AttributeValueMemberB{Value: []byte{1, 0}}, "n": num(n), "kept": str("k"), "other": str("o")},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	binary := &types.AttributeValueMemberB{Value: []byte{1, 0}}
	got := pages(t, f, &ddb.QueryInput{
		TableName: aws.String("typed"), KeyConditionExpression: aws.String("b = :b AND n > :n"), Limit: aws.Int32(4),
		ExpressionAttributeValues: record{":b": binary, ":n": num("-10.250")},
	}, "n")
	equal(t, "numbers in order", slices.Concat(got...), numbers[2:])
	for index, want := range map[string]record{
		"byNumber": {"b": binary, "n": num("10")}, "single": {"b": binary, "n": num("10"), "kept": str("k")},
	} {
		out, err := f.Query(t.Context(), &ddb.QueryInput{
			TableName: aws.String("typed"), IndexName: aws.String(index), KeyConditionExpression: aws.String("n = :n"), ExpressionAttributeValues: record{":n": num("1e1")},
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, index, out.Items, []record{want})
	}
	_, err = f.Query(t.Context(), &ddb.QueryInput{
		TableName: aws.String("typed"), IndexName: aws.String("single"), Select: types.SelectAllAttributes,
		KeyConditionExpression: aws.String("n = :n"), ExpressionAttributeValues: record{":n": num("10")},
	})
	refused(t, err, "ValidationException", "Select type ALL_ATTRIBUTES is not supported for global secondary index single because its projection type is not ALL")
}

func TestIndexPaging(t *testing.T) {
	f := start(t, dynamodb.Options{})
	var want []string
	for i := range 7 { // several items share an index key
		f.put(t, with(key(fmt.Sprintf("ROOM#%d", i), "M"), "GSI1PK", str("USER#1"), "GSI1SK", str(fmt.Sprint(i/3)), "n", num(fmt.Sprint(i))))
		want = append(want, fmt.Sprint(i/3))
	}
	f.put(t, with(key("ROOM#9", "M"), "GSI1PK", str("USER#1"))) // no sort key: not in the index
	f.put(t, with(key("ROOM#8", "M"), "GSI1PK", str("USER#1"), "GSI1SK", str("9")))
	f.put(t, with(key("ROOM#8", "M"), "GSI1PK", str("USER#2"), "GSI1SK", str("0"))) // and moved away
	for _, backward := range []bool{false, true} {
		got := pages(t, f, &ddb.QueryInput{
			TableName: aws.String("chat"), IndexName: aws.String("GSI1"), KeyConditionExpression: aws.String("GSI1PK = :p"),
			ExpressionAttributeValues: record{":p": str("USER#1")}, Limit: aws.Int32(2), ScanIndexForward: aws.Bool(!backward),
		}, "GSI1SK")
		sorted := slices.Clone(want)
		if backward {
			slices.Reverse(sorted)
		}
		equal(t, "index", slices.Concat(got...), sorted)
	}
}

func TestFilterAndPages(t *testing.T) {
	f := start(t, dynamodb.Options{})
	for i := range 5 {
		f.put(t, with(key("p", fmt.Sprint(i)), "body", str(strings.Repeat("x", 300<<10)), "odd", &types.AttributeValueMemberBOOL{Value: i%2 == 1}))
	}
	in := &ddb.QueryInput{
		TableName: aws.String("chat"), KeyConditionExpression: aws.String("PK = :p"), FilterExpression: aws.String("odd = :t"), ProjectionExpression: aws.String("SK"),
		ExpressionAttributeValues: record{":p": str("p"), ":t": &types.AttributeValueMemberBOOL{Value: true}}, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	out, err := f.Query(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first page", out.Items, []record{{"SK": str("1")}, {"SK": str("3")}})
	equal(t, "its end", out.LastEvaluatedKey, key("p", "3"))
	if out.Count != 2 || out.ScannedCount != 4 {
		t.Errorf("got %d of %d, want 2 of 4", out.Count, out.ScannedCount)
	}
	if got := *out.ConsumedCapacity.CapacityUnits; got != 150.5 { // 4 × 300 KB and a little, at half a unit for 4 KB
		t.Errorf("got %v units, want 150.5", got)
	}
	in.ExclusiveStartKey, in.Select, in.ProjectionExpression = out.LastEvaluatedKey, types.SelectCount, nil
	out, err = f.Query(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.Count != 0 || out.ScannedCount != 1 || out.Items != nil || out.LastEvaluatedKey != nil {
		t.Errorf("second page: got %+v", out)
	}
}

func TestScan(t *testing.T) {
	f := start(t, dynamodb.Options{})
	want := make(map[string]bool)
	for i := range 200 {
		pk := fmt.Sprintf("USER#%d", i)
		f.put(t, with(key(pk, "s"), "even", &types.AttributeValueMemberBOOL{Value: i%2 == 0}))
		want[pk] = true
	}
	for _, segments := range []int32{1, 3} {
		got := make(map[string]int)
		for segment := range segments {
			in := &ddb.ScanInput{TableName: aws.String("chat"), Segment: aws.Int32(segment), TotalSegments: aws.Int32(segments), Limit: aws.Int32(17)}
			share := 0
			for {
				out, err := f.Scan(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				for _, it := range out.Items {
					got[it["PK"].(*types.AttributeValueMemberS).Value]++
					share++
				}
				if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
					break
				}
			}
			if share < 200/int(segments)/2 {
				t.Errorf("segment %d of %d has %d items of 200", segment, segments, share)
			}
		}
		for pk := range want {
			if got[pk] != 1 {
				t.Errorf("%d segments: saw %s %d times", segments, pk, got[pk])
			}
		}
	}
	out, err := f.Scan(t.Context(), &ddb.ScanInput{
		TableName: aws.String("chat"), FilterExpression: aws.String("even = :t AND begins_with(PK, :u)"), Select: types.SelectCount,
		ExpressionAttributeValues: record{":t": &types.AttributeValueMemberBOOL{Value: true}, ":u": str("USER#")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.Count != 100 || out.ScannedCount != 200 {
		t.Errorf("got %d of %d, want 100 of 200", out.Count, out.ScannedCount)
	}
}

func TestBatches(t *testing.T) {
	f := start(t, dynamodb.Options{})
	body := str(strings.Repeat("x", 350<<10))
	var keys []record
	for i := range 50 {
		it := with(key("p", fmt.Sprint(i)), "body", body)
		out, err := f.BatchWriteItem(t.Context(), &ddb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{"chat": {
				{PutRequest: &types.PutRequest{Item: it}}, {DeleteRequest: &types.DeleteRequest{Key: key("gone", fmt.Sprint(i))}},
			}},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.UnprocessedItems) != 0 || *out.ConsumedCapacity[0].CapacityUnits != 352 { // 351 KB begun, and one for the delete
			t.Fatalf("got %v, %v", out.UnprocessedItems, *out.ConsumedCapacity[0].CapacityUnits)
		}
		keys = append(keys, key("p", fmt.Sprint(i)))
	}
	keys = append(keys, key("none", "s"))
	ask := map[string]types.KeysAndAttributes{"chat": {
		Keys: keys, ProjectionExpression: aws.String("#s"), ExpressionAttributeNames: map[string]string{"#s": "SK"}, ConsistentRead: aws.Bool(true),
	}}
	seen := make(map[string]bool)
	rounds := 0
	for ; len(ask) > 0; rounds++ {
		out, err := f.BatchGetItem(t.Context(), &ddb.BatchGetItemInput{RequestItems: ask})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range out.Responses["chat"] {
			seen[it["SK"].(*types.AttributeValueMemberS).Value] = true
		}
		ask = out.UnprocessedKeys
	}
	if len(seen) != 50 || rounds != 2 {
		t.Errorf("got %d items in %d rounds, want 50 in 2: an answer holds 16 MB", len(seen), rounds)
	}
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
	equal(t, "item of a table made anew", f.get(t, "p", "s"), record(nil))

	for want, change := range map[string]func(*ddb.CreateTableInput){
		"Some AttributeDefinitions are not used":                 func(in *ddb.CreateTableInput) { in.GlobalSecondaryIndexes = nil },
		"not defined in AttributeDefinitions":                    func(in *ddb.CreateTableInput) { in.AttributeDefinitions = in.AttributeDefinitions[1:] },
		"Unknown ProjectionType: null":                           func(in *ddb.CreateTableInput) { in.GlobalSecondaryIndexes[0].Projection.ProjectionType = "" },
		"must both be specified when BillingMode is PROVISIONED": func(in *ddb.CreateTableInput) { in.BillingMode = types.BillingModeProvisioned },
		"Member must have length greater than or equal to 3":     func(in *ddb.CreateTableInput) { in.TableName = aws.String("x") },
		"LocalSecondaryIndexes are left out": func(in *ddb.CreateTableInput) {
			in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{{IndexName: aws.String("LSI"), KeySchema: in.KeySchema, Projection: &types.Projection{}}}
		},
		"StreamViewType is required": func(in *ddb.CreateTableInput) { in.StreamSpecification.StreamViewType = "" },
	} {
		in := chatTable()
		in.TableName = aws.String("other")
		change(in)
		_, err := f.CreateTable(t.Context(), in)
		refused(t, err, "ValidationException", strings.ReplaceAll(want, "Unknown ProjectionType: null", "Unknown ProjectionType: "))
	}
}
