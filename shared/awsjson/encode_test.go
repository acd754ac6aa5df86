package awsjson

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/schemas"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type attributes = map[string]types.AttributeValue

// text is a random string of plain characters, and of some that JSON escapes or that are
// no UTF-8.
func text(random *rand.Rand) string {
	parts := []string{"a", "Z9", " ", `"`, `\`, "\n", "\x00", "\x1f", "\x7f", "<&>", "é", "日本", "😀", "\u2028", "\xff", "\xc3"}
	out := ""
	for range random.IntN(6) {
		out += parts[random.IntN(len(parts))]
	}
	return out
}

// value is a random attribute value.
func value(random *rand.Rand, depth int) types.AttributeValue {
	switch n := random.IntN(10); {
	case n == 0 && depth > 0:
		return &types.AttributeValueMemberM{Value: item(random, depth-1)}
	case n == 1 && depth > 0:
		list := []types.AttributeValue{}
		for range random.IntN(4) {
			list = append(list, value(random, depth-1))
		}
		return &types.AttributeValueMemberL{Value: list}
	case n == 2:
		return &types.AttributeValueMemberB{Value: []byte(text(random))}
	case n == 3:
		return &types.AttributeValueMemberBOOL{Value: random.IntN(2) == 0}
	case n == 4:
		return &types.AttributeValueMemberNULL{Value: true}
	case n == 5:
		return &types.AttributeValueMemberSS{Value: []string{text(random), text(random)}}
	case n == 6:
		return &types.AttributeValueMemberNS{Value: []string{"1", "-2.5"}}
	case n == 7:
		return &types.AttributeValueMemberBS{Value: [][]byte{{0, 255}, []byte(text(random))}}
	case n == 8:
		return &types.AttributeValueMemberN{Value: "12"}
	}
	return &types.AttributeValueMemberS{Value: text(random)}
}

func item(random *rand.Rand, depth int) attributes {
	out := attributes{}
	for i := range random.IntN(5) {
		out[strconv.Itoa(i)+text(random)] = value(random, depth) // bytes that are no UTF-8 become the same
	}
	return out
}

// requests are random ones of each kind of input that a store has.
func requests(random *rand.Rand) []smithy.Serializable {
	names := map[string]string{"#" + text(random): text(random)}
	put := &types.Put{TableName: aws.String(text(random)), Item: item(random, 3), ConditionExpression: aws.String(text(random)), ExpressionAttributeNames: names}
	return []smithy.Serializable{
		&dynamodb.GetItemInput{TableName: aws.String("t"), Key: item(random, 0), ConsistentRead: aws.Bool(true)},
		&dynamodb.PutItemInput{TableName: aws.String("t"), Item: item(random, 3), ReturnValues: types.ReturnValueAllOld},
		&dynamodb.UpdateItemInput{TableName: aws.String("t"), Key: item(random, 0), UpdateExpression: aws.String(text(random)), ExpressionAttributeNames: names, ExpressionAttributeValues: item(random, 2)},
		&dynamodb.DeleteItemInput{Key: item(random, 0)},
		&dynamodb.QueryInput{Limit: aws.Int32(-7), ScanIndexForward: aws.Bool(false), ExclusiveStartKey: item(random, 0), ProjectionExpression: aws.String(text(random))},
		&dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"t": {Keys: []attributes{item(random, 0), item(random, 0)}, ExpressionAttributeNames: names}}},
		&dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{text(random): {
			{PutRequest: &types.PutRequest{Item: item(random, 3)}}, {DeleteRequest: &types.DeleteRequest{Key: item(random, 0)}},
		}, "none": {}}},
		&dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("token"), TransactItems: []types.TransactWriteItem{
			{Put: put}, {Delete: &types.Delete{Key: item(random, 0)}}, {ConditionCheck: &types.ConditionCheck{Key: item(random, 0)}},
		}},
	}
}

// Requests say what the SDK's say, whatever is in them.
func TestEncode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	protocol := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1"}).Options().Protocol
	operation := smithy.NewOperationSchema(schemas.GetItem, schemas.GetItemInput, schemas.GetItemOutput)
	for range 500 {
		for _, in := range requests(random) {
			draft := smithyhttp.Request{Request: &http.Request{URL: &url.URL{}, Header: http.Header{}}}
			if err := protocol.SerializeRequest(t.Context(), operation, in, &draft); err != nil {
				t.Fatal(err)
			}
			want, err := io.ReadAll(draft.GetStream())
			if err != nil {
				t.Fatal(err)
			}
			got, err := encode(in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(decoded(t, want), decoded(t, got)) {
				t.Fatalf("%T: got %s, want %s", in, got, want)
			}
		}
	}
}

// TestEncode_AgainInOneBuffer encodes a short request after a long one, whose bytes are
// still the caller's.
func TestEncode_AgainInOneBuffer(t *testing.T) {
	first, err := encode(&dynamodb.GetItemInput{TableName: aws.String("a table")})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := encode(&dynamodb.GetItemInput{}); string(first) != `{"TableName":"a table"}` || string(second) != `{}` || err != nil {
		t.Errorf("got %s and %s, %v", first, second, err)
	}
}

func decoded(t *testing.T, text []byte) (out any) {
	t.Helper()
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}
