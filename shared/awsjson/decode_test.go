package awsjson

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/schemas"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var queries = smithy.NewOperationSchema(schemas.Query, schemas.QueryInput, schemas.QueryOutput)

func protocol() smithyhttp.ClientProtocol {
	return dynamodb.NewFromConfig(aws.Config{Region: "us-east-1"}).Options().Protocol
}

// bySDK is what the SDK's protocol reads.
func bySDK(t *testing.T, body string, out smithy.Deserializable) error {
	t.Helper()
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	return protocol().DeserializeResponse(t.Context(), queries, dynamodb.TypeRegistry, &smithyhttp.Response{Response: resp}, out)
}

// Answers say what the SDK reads in them, whatever is in them.
func TestDecode(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 1_000 {
		answer := &dynamodb.QueryOutput{Count: int32(random.IntN(9)), LastEvaluatedKey: item(random, 0)}
		for range random.IntN(4) {
			answer.Items = append(answer.Items, item(random, 4))
		}
		body, err := encode(answer)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			var spaced bytes.Buffer
			if err := json.Indent(&spaced, body, "\r", "\t "); err != nil {
				t.Fatal(err)
			}
			body = spaced.Bytes()
		}
		var got, want dynamodb.QueryOutput
		if err := bySDK(t, string(body), &want); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if err := decode(body, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %+v, %v, want %+v", body, got, err, want)
		}
	}
}

// odd are answers of forms that services have, or might.
var odd = []string{
	`{}`, ` { } `, `{"Count":3,"ScannedCount":4}`,
	`{"ConsumedCapacity":{"CapacityUnits":0.5,"TableName":"t","GlobalSecondaryIndexes":{"GSI2":{"CapacityUnits":1e2}},"New":[{"a":[1,{}]}]}}`,
	`{"Items":null,"LastEvaluatedKey":null,"Count":null,"New":null,"Newer":{"a":[],"b":"\"]}","c":-1.5e3,"d":true},"ScannedCount":7}`,
	`{"Items":[{"a":{"S":"x","New":1}},{"b":{"New":{"S":"y"},"N":"1"}},{}]}`,
	`{"Items":[{"a":{"NULL":true}},{"b":{"BOOL":false}},{"c":{"L":[{"S":"\u00e9\ud83d\ude00\/"},{"M":{"d":{"SS":[]}}}]}},{"e":{"B":""}}]}`,
}

func TestDecode_OddAnswers(t *testing.T) {
	for _, body := range odd {
		var got, want dynamodb.QueryOutput
		if err := bySDK(t, body, &want); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if err := decode([]byte(body), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", body, got, err, want)
		}
	}
}

// answer is a service with one answer.
type answer string

// Do implements aws.HTTPClient.
func (a answer) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// Of what is broken in an answer a caller learns what the SDK's protocol says.
func TestCall_BrokenAnswers(t *testing.T) {
	bodies := []string{
		"", "null", "[]", `{"Items":{}}`, `{"Items":[{"a":{"S":1}}]}`, `{"Items":[{"a":"x"}]}`, `{"Count":"x"}`, `{"Count":99999999999}`, `{"Count":tru}`,
		`{"Items":[{"a":{"BOOL":"x"}}]}`, `{"Items":[{"a":{"B":"*"}}]}`, `{"New":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
		`{"Items":[{"a":{"S":"\x"}}]}`, `{"Items" [}`, `{"Count":1 "ScannedCount":2}`, "<html>",
	}
	for _, body := range odd {
		for i := range body {
			bodies = append(bodies, body[:i])
		}
	}
	for _, body := range bodies {
		client, err := New(Config{ServiceID: "DynamoDB", Endpoint: "http://table.example", HTTPClient: answer(body), Protocol: protocol(), Types: dynamodb.TypeRegistry})
		if err != nil {
			t.Fatal(err)
		}
		var got, want dynamodb.QueryOutput
		wanted := bySDK(t, body, &want)
		err = client.Call(t.Context(), queries, &dynamodb.QueryInput{}, &got)
		if (err == nil) != (wanted == nil) || err != nil && !strings.HasSuffix(err.Error(), wanted.Error()) {
			t.Errorf("%s: got %v, want %v", body, err, wanted)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", body, got, want)
		}
	}
}

// FuzzDecode looks for answers that are not JSON, or that the two read in different ways.
func FuzzDecode(f *testing.F) {
	for _, body := range odd {
		f.Add(body)
	}
	for _, body := range []string{"{}{}", `{"New":tru}`, `{"New":01}`, `{"ConsumedCapacity":{"CapacityUnits":Inf}}`, "{\"Items\":[{\"a\":{\"S\":\"\t\"}}]}", "{\"New\":\"\xff\"}"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var got, want dynamodb.QueryOutput
		if decode([]byte(body), &got) != nil {
			return // the SDK's protocol has the say
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%q: got %+v, want an error", body, got)
		}
		if err := bySDK(t, body, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v, %v", body, got, want, err)
		}
	})
}

// BenchmarkDecode reads a page of messages.
func BenchmarkDecode(b *testing.B) {
	message := map[string]types.AttributeValue{}
	for name, text := range map[string]string{
		"PK": "CHATROOM#general", "SK": "MESSAGE#1796000000000#01KB8GJ7Z5Q0T3W4X5Y6Z7A8B9", "senderId": "alice",
		"content": "Shall we meet at the station at eight, or is that too early for you?", "clientMessageId": "0b6c2a4e-7d1f-4c55-9a53-2f1f6f0c8f11",
	} {
		message[name] = &types.AttributeValueMemberS{Value: text}
	}
	message["timestamp"] = &types.AttributeValueMemberN{Value: "1796000000000"}
	message["mentions"] = &types.AttributeValueMemberL{Value: []types.AttributeValue{message["senderId"]}}
	message["isDeleted"] = &types.AttributeValueMemberBOOL{}
	answer := &dynamodb.QueryOutput{Count: 25, ScannedCount: 25}
	for range 25 {
		answer.Items = append(answer.Items, message)
	}
	body, err := encode(answer)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var out dynamodb.QueryOutput
		if err := decode(body, &out); err != nil {
			b.Fatal(err)
		}
	}
}
