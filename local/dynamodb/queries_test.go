package dynamodb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local/dynamodb"
)

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

// TestKeyTypes has number and binary keys in tables and indexes, with and without sort
// key.
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
