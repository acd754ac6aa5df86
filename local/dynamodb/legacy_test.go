package dynamodb_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func compare(operator types.ComparisonOperator, values ...types.AttributeValue) types.Condition {
	return types.Condition{ComparisonOperator: operator, AttributeValueList: values}
}

func sortKeys(items []record) string {
	out := make([]string, 0, len(items))
	for _, it := range items {
		out = append(out, it["SK"].(*types.AttributeValueMemberS).Value)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestLegacyConditions queries and scans with the parameters from before expressions.
func TestLegacyConditions(t *testing.T) {
	f := start(t, dynamodb.Options{})
	for i := range 5 {
		f.put(t, with(key("p", fmt.Sprintf("a%d", i)), "n", num(fmt.Sprint(i)), "odd", &types.AttributeValueMemberBOOL{Value: i%2 == 1}, "a.b", str("dot")))
	}
	f.put(t, key("p", "b"))
	p := compare("EQ", str("p"))
	for name, tc := range map[string]struct {
		in   ddb.QueryInput
		want string
	}{
		"partition":     {ddb.QueryInput{KeyConditions: map[string]types.Condition{"PK": p}}, "a0 a1 a2 a3 a4 b"},
		"begins with":   {ddb.QueryInput{KeyConditions: map[string]types.Condition{"PK": p, "SK": compare("BEGINS_WITH", str("a"))}}, "a0 a1 a2 a3 a4"},
		"between":       {ddb.QueryInput{KeyConditions: map[string]types.Condition{"PK": p, "SK": compare("BETWEEN", str("a1"), str("a3"))}}, "a1 a2 a3"},
		"less or equal": {ddb.QueryInput{KeyConditions: map[string]types.Condition{"PK": p, "SK": compare("LE", str("a1"))}}, "a0 a1"},
		"with a filter": {ddb.QueryInput{
			KeyConditions: map[string]types.Condition{"PK": p},
			QueryFilter:   map[string]types.Condition{"n": compare("GT", num("1")), "odd": compare("EQ", &types.AttributeValueMemberBOOL{Value: true})},
		}, "a3"},
		"with either filter": {ddb.QueryInput{
			KeyConditions: map[string]types.Condition{"PK": p}, ConditionalOperator: types.ConditionalOperatorOr,
			QueryFilter: map[string]types.Condition{"n": compare("IN", num("0"), num("2")), "odd": compare("NULL")},
		}, "a0 a2 b"},
		"with a filter expression": {ddb.QueryInput{
			KeyConditions: map[string]types.Condition{"PK": p}, FilterExpression: aws.String("n >= :n"),
			ExpressionAttributeValues: record{":n": num("4")},
		}, "a4"},
		"a dot in a name": {ddb.QueryInput{
			KeyConditions: map[string]types.Condition{"PK": p, "SK": compare("LT", str("a1"))}, QueryFilter: map[string]types.Condition{"a.b": compare("EQ", str("dot"))},
		}, "a0"},
	} {
		tc.in.TableName = aws.String("chat")
		out, err := f.Query(t.Context(), &tc.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		equal(t, name, sortKeys(out.Items), tc.want)
	}
	out, err := f.Scan(t.Context(), &ddb.ScanInput{
		TableName: aws.String("chat"), AttributesToGet: []string{"SK", "a.b"},
		ScanFilter: map[string]types.Condition{"n": compare("NOT_NULL"), "SK": compare("NE", str("a4")), "odd": compare("EQ", &types.AttributeValueMemberBOOL{})},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "scan", sortKeys(out.Items), "a0 a2")
	equal(t, "attributes of a scan", out.Items[0], record{"SK": out.Items[0]["SK"], "a.b": str("dot")})
	batch, err := f.BatchGetItem(t.Context(), &ddb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		"chat": {Keys: []map[string]types.AttributeValue{key("p", "a1")}, AttributesToGet: []string{"n", "none"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "batch", batch.Responses["chat"], []record{{"n": num("1")}})
}

func TestAttributeUpdates(t *testing.T) {
	f := start(t, dynamodb.Options{})
	f.put(t, with(key("p", "s"), "n", num("1"), "gone", str("x"), "set", &types.AttributeValueMemberSS{Value: []string{"a", "b"}}))
	out, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
		TableName: aws.String("chat"), Key: key("p", "s"), ReturnValues: types.ReturnValueUpdatedNew,
		AttributeUpdates: map[string]types.AttributeValueUpdate{
			"n": {Action: "ADD", Value: num("2")}, "gone": {Action: "DELETE"}, "set": {Action: "DELETE", Value: &types.AttributeValueMemberSS{Value: []string{"a"}}},
			"new": {Value: str("y")}, "list": {Action: "ADD", Value: &types.AttributeValueMemberL{Value: []types.AttributeValue{num("1")}}},
		},
		Expected: map[string]types.ExpectedAttributeValue{"n": {Value: num("1")}, "absent": {Exists: aws.Bool(false)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "updated", out.Attributes, record{
		"n": num("3"), "set": &types.AttributeValueMemberSS{Value: []string{"b"}}, "new": str("y"),
		"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{num("1")}},
	})
	_, err = f.DeleteItem(t.Context(), &ddb.DeleteItemInput{
		TableName: aws.String("chat"), Key: key("p", "s"), Expected: map[string]types.ExpectedAttributeValue{"n": {Value: num("1")}},
	})
	refused(t, err, "ConditionalCheckFailedException", "")
}

// TestLegacyRefusals sends bodies over HTTP, for the SDK writes no others.
func TestLegacyRefusals(t *testing.T) {
	f := start(t, dynamodb.Options{})
	server := httptest.NewServer(f.engine)
	t.Cleanup(server.Close)
	const put, update = `"Item":{"PK":{"S":"p"},"SK":{"S":"s"}},`, `"Key":{"PK":{"S":"p"},"SK":{"S":"s"}},`
	for _, tc := range []struct{ operation, body, want string }{
		{"PutItem", put + `"Expected":{"a":{"Exists":false}},"ConditionExpression":"b = c"`, "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"},
		{"PutItem", put + `"Expected":{"a":{"ComparisonOperator":"EQ"}}`, "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a"},
		{"PutItem", put + `"Expected":{"a":{}}`, "Value must be provided when Exists is null for Attribute: a"},
		{"PutItem", put + `"Expected":{"a":{"Exists":true}}`, "Value must be provided when Exists is true for Attribute: a"},
		{"PutItem", put + `"Expected":{"a":{"Exists":false,"Value":{"S":"a"}}}`, "Value cannot be used when Exists is false for Attribute: a"},
		{"PutItem", put + `"Expected":{"a":{"Exists":false,"ComparisonOperator":"EQ"}}`, "Exists and ComparisonOperator cannot be used together for Attribute: a"},
		{"PutItem", put + `"Expected":{"a":{"AttributeValueList":[{"S":"a"}]}}`, "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"},
		{"PutItem", put + `"Expected":{"a":{"ComparisonOperator":"IN","AttributeValueList":[{"S":"a"},{"N":"1"}]}}`, "AttributeValues inside AttributeValueList must be of same type"},
		{"PutItem", put + `"Expected":{"a":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"S":"b"},{"S":"a"}]}}`, "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"},
		{"PutItem", put + `"Expected":{"a":{"Exists":false}},"ConditionalOperator":"OR"`, "ConditionalOperator can only be used when Filter or Expected has two or more elements"},
		{"PutItem", put + `"ConditionalOperator":"OR"`, "ConditionalOperator cannot be used without Filter or Expected"},
		{"PutItem", put + `"Expected":{"a":{"ComparisonOperator":"X"}},"ReturnValues":"Y"`, "2 validation errors detected: Value 'Y' at 'returnValues'"},
		{"UpdateItem", update + `"AttributeUpdates":{"a":{"Action":"PUT"}}`, "Only DELETE action is allowed when no attribute value is specified"},
		{"UpdateItem", update + `"AttributeUpdates":{"a":{"Action":"ADD","Value":{"S":"1"}}}`, "ADD action is not supported for the type STRING"},
		{"UpdateItem", update + `"AttributeUpdates":{"SK":{"Value":{"S":"1"}}}`, "Cannot update attribute SK. This attribute is part of the key"},
		{"UpdateItem", update + `"AttributeUpdates":{"a":{"Action":"GROW"}}`, "Value 'GROW' at 'attributeUpdates.a.member.action' failed to satisfy constraint: Member must satisfy enum value set: [ADD, DELETE, PUT]"},
		{"Query", `"KeyConditions":{}`, "Conditions can be of length 1 or 2 only"},
		{"Query", `"KeyConditions":{"PK":{"ComparisonOperator":"GT","AttributeValueList":[{"S":"p"}]}}`, "Query key condition not supported"},
		{"Query", `"KeyConditions":{"PK":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"p"}]},"SK":{"ComparisonOperator":"NE","AttributeValueList":[{"S":"p"}]}}`, "Attempted conditional constraint is not an indexable operation"},
		{"Query", `"KeyConditions":{"PK":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"p"}]},"x":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"p"}]}}`, "Query condition missed key schema element: SK"},
		{"Query", `"KeyConditions":{"PK":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"p"}]}},"KeyConditionExpression":"PK = :p","ExpressionAttributeValues":{":p":{"S":"p"}}`, "Non-expression parameters: {KeyConditions} Expression parameters: {KeyConditionExpression}"},
		{"Query", `"KeyConditions":{"PK":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"p"}]}},"QueryFilter":{"SK":{"ComparisonOperator":"NULL"}}`, "QueryFilter can only contain non-primary key attributes: Primary key attribute: SK"},
		{"Scan", `"AttributesToGet":["a","a"]`, "Duplicate value in attribute name: a"},
		{"Scan", `"AttributesToGet":["a"],"Select":"COUNT"`, "Cannot specify the AttributesToGet when choosing to get only the Count"},
		{"Scan", `"ScanFilter":{"a":{"ComparisonOperator":"NULL","AttributeValueList":[{"S":"a"}]}}`, "Invalid number of argument(s) for the NULL ComparisonOperator"},
	} {
		status, body := send(t, server, "DynamoDB_20120810."+tc.operation, strings.NewReader(`{"TableName":"chat",`+tc.body+`}`))
		if status != 400 || !strings.Contains(body, "ValidationException") || !strings.Contains(body, tc.want) {
			t.Errorf("%s %s:\ngot  %d %s\nwant %s", tc.operation, tc.body, status, body, tc.want)
		}
	}
}

// TestRequestTexts are the texts for requests that are empty, too large or wrongly named.
func TestRequestTexts(t *testing.T) {
	f := start(t, dynamodb.Options{})
	server := httptest.NewServer(f.engine)
	t.Cleanup(server.Close)
	list := func(n int, element string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(element, "%", fmt.Sprint(i))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	const itemKey, other = `{"PK":{"S":"p"},"SK":{"S":"%"}}`, `{"PK":{"S":"p"}}`
	for _, tc := range []struct{ operation, body, want string }{
		{"GetItem", `{"Key":{}}`, "Value null at 'tableName' failed to satisfy constraint: Member must not be null"},
		{"GetItem", `{"TableName":""}`, "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"GetItem", `{"TableName":"a b","Key":{}}`, "Value 'a b' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
		{"PutItem", `{"TableName":"` + strings.Repeat("a", 256) + `","Item":{}}`, "Member must have length less than or equal to 255"},
		{"Query", `{"TableName":"chat","Limit":0,"KeyConditionExpression":"PK = SK"}`, "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"Scan", `{"TableName":"chat","Limit":0}`, "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"PutItem", `{"TableName":"chat","ReturnConsumedCapacity":"A","ReturnItemCollectionMetrics":"B","ReturnValues":"C"}`, "3 validation errors detected: Value 'A' at 'returnConsumedCapacity'"},
		{"BatchGetItem", `{"RequestItems":{}}`, "The requestItems parameter is required for BatchGetItem"},
		{"BatchGetItem", `{"RequestItems":{"chat":{"Keys":` + list(101, itemKey) + `}}}`, "Value at 'RequestItems.chat.member.Keys' failed to satisfy constraint: Member must have length less than or equal to 100"},
		{"BatchWriteItem", `{"RequestItems":{}}`, "The requestItems parameter is required for BatchWriteItem"},
		{"BatchWriteItem", `{"RequestItems":{"chat":` + list(26, `{"DeleteRequest":{"Key":`+itemKey+`}}`) + `}}`, "Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"},
		{"TransactGetItems", `{"TransactItems":[]}`, "Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"TransactGetItems", `{"TransactItems":` + list(101, `{"Get":{"TableName":"chat","Key":`+itemKey+`}}`) + `}`, "at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100"},
		{"TransactWriteItems", `{"TransactItems":` + list(101, `{"Put":{"TableName":"chat","Item":`+itemKey+`}}`) + `}`, "at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100"},
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"chat","Key":` + itemKey + `}},{"Get":{"TableName":"chat","Key":` + other + `}}]}`, `Transaction cancelled, please refer cancellation reasons for specific reasons [None, ValidationError]","CancellationReasons":[{"Code":"None"},{"Code":"ValidationError","Message":"The provided key element does not match the schema"}]`},
		{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"chat","Item":` + other + `}},{"Put":{"TableName":"chat","Item":` + itemKey + `}}]}`, `[ValidationError, None]","CancellationReasons":[{"Code":"ValidationError","Message":"One or more parameter values were invalid: Missing the key SK in the item"},{"Code":"None"}]`},
	} {
		status, body := send(t, server, "DynamoDB_20120810."+tc.operation, strings.NewReader(tc.body))
		if status != 400 || !strings.Contains(body, tc.want) {
			t.Errorf("%s %.300s:\ngot  %d %s\nwant %s", tc.operation, tc.body, status, body, tc.want)
		}
	}
}
