package dynamodb_test

import (
	"bytes"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// send posts a body as a client would and returns the status and the answer, whose
// checksum it checks.
func send(t testing.TB, server *httptest.Server, target string, body io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=any/20240228/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=unchecked")
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := answer.Header.Get("X-Amz-Crc32"), strconv.FormatUint(uint64(crc32.ChecksumIEEE(b)), 10); got != want {
		t.Errorf("%s: checksum %s, want %s", target, got, want)
	}
	if answer.Header.Get("X-Amzn-RequestId") == "" || answer.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
		t.Errorf("%s: headers %v", target, answer.Header)
	}
	return answer.StatusCode, string(b)
}

func TestWire(t *testing.T) {
	f := start(t, dynamodb.Options{})
	server := httptest.NewServer(f.engine)
	t.Cleanup(server.Close)
	recorded, err := os.ReadFile("testdata/wire.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, calls, _ := strings.Cut(string(recorded), "\n\n")
	for call := range strings.SplitSeq(strings.TrimSpace(calls), "\n\n") {
		lines := strings.Split(call, "\n")
		status, body := send(t, server, lines[0], strings.NewReader(lines[1]))
		if got := strconv.Itoa(status) + " " + body; got != lines[2] && (strings.HasSuffix(lines[2], "}") || !strings.HasPrefix(got, lines[2])) {
			t.Errorf("%s %s:\ngot  %s\nwant %s", lines[0], lines[1], got, lines[2])
		}
	}
}

func TestWireLimits(t *testing.T) {
	f := start(t, dynamodb.Options{})
	server := httptest.NewServer(f.engine)
	t.Cleanup(server.Close)
	const target = "DynamoDB_20120810.PutItem"
	for name, tc := range map[string]struct {
		target string
		body   io.Reader
		status int
		want   string
	}{
		"deep nesting":        {target, strings.NewReader(strings.Repeat(`{"a":`, 1<<20)), 400, "SerializationException"},
		"deep nesting, admin": {"DynamoDB_20120810.CreateTable", strings.NewReader(strings.Repeat(`[`, 1<<20)), 400, "SerializationException"},
		"deep value":          {target, strings.NewReader(`{"TableName":"chat","Item":{"PK":{"S":"p"},"SK":{"S":"s"},"v":` + strings.Repeat(`{"L":[`, 40) + `{"S":""}` + strings.Repeat(`]}`, 40) + `}}`), 400, "Nesting Levels have exceeded supported limits"},
		"huge body":           {target, bytes.NewReader(make([]byte, 33<<20)), 413, "RequestEntityTooLargeException"},
		"huge body, chunked":  {target, io.LimitReader(zeros{}, 33<<20), 413, "RequestEntityTooLargeException"},
		"no target":           {"", strings.NewReader(`{}`), 400, "UnknownOperationException"},
		"empty body":          {target, strings.NewReader(``), 400, "SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := send(t, server, tc.target, tc.body)
			if status != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("got %d %.200s, want %d %s", status, body, tc.status, tc.want)
			}
		})
	}
	health, err := server.Client().Get(server.URL) // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = health.Body.Close() }()
	if health.StatusCode != http.StatusOK {
		t.Errorf("GET: got %d", health.StatusCode)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// FuzzRequest checks that no body makes an operation panic or fail for the engine's own
// fault.
func FuzzRequest(f *testing.F) {
	engine := start(f, dynamodb.Options{}).engine
	targets := []string{
		"DynamoDB_20120810.PutItem", "DynamoDB_20120810.GetItem", "DynamoDB_20120810.UpdateItem", "DynamoDB_20120810.DeleteItem", "DynamoDB_20120810.Query",
		"DynamoDB_20120810.Scan", "DynamoDB_20120810.BatchGetItem", "DynamoDB_20120810.BatchWriteItem", "DynamoDB_20120810.TransactWriteItems",
		"DynamoDB_20120810.TransactGetItems", "DynamoDB_20120810.DescribeTable", "DynamoDBStreams_20120810.DescribeStream",
		"DynamoDBStreams_20120810.GetShardIterator", "DynamoDBStreams_20120810.GetRecords", "DynamoDBStreams_20120810.ListStreams",
		"DynamoDB_20120810.UpdateTable", "DynamoDB_20120810.CreateTable", "DynamoDB_20120810.TagResource", "DynamoDB_20120810.UntagResource",
	}
	recorded, err := os.ReadFile("testdata/wire.txt")
	if err != nil {
		f.Fatal(err)
	}
	for call := range strings.SplitSeq(string(recorded), "\n\n") {
		if lines := strings.Split(call, "\n"); len(lines) > 2 {
			for i, target := range targets {
				if target == lines[0] {
					f.Add(uint8(i), lines[1])
				}
			}
		}
	}
	for target, body := range map[uint8]string{
		0:  `{"TableName":"chat","Item":{"PK":{"S":"p"},"SK":{"S":"s"}},"Expected":{"a":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"S":"a"},{"S":"b"}]},"b":{"Exists":false}},"ConditionalOperator":"OR"}`,
		2:  `{"TableName":"chat","Key":{"PK":{"S":"p"},"SK":{"S":"s"}},"AttributeUpdates":{"a":{"Action":"ADD","Value":{"L":[{"S":"x"}]}},"b":{"Action":"DELETE"}},"ReturnValues":"UPDATED_NEW"}`,
		4:  `{"TableName":"chat","KeyConditions":{"PK":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"p"}]}},"QueryFilter":{"a":{"ComparisonOperator":"NOT_CONTAINS","AttributeValueList":[{"N":"1"}]}},"AttributesToGet":["a"]}`,
		15: `{"TableName":"chat","AttributeDefinitions":[{"AttributeName":"a","AttributeType":"N"}],"GlobalSecondaryIndexUpdates":[{"Create":{"IndexName":"new","KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}],"StreamSpecification":{"StreamEnabled":false}}`,
		16: `{"TableName":"new","AttributeDefinitions":[{"AttributeName":"a","AttributeType":"N"},{"AttributeName":"b","AttributeType":"B"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"b","KeyType":"RANGE"}],"LocalSecondaryIndexes":[{"IndexName":"lsi","KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"b","KeyType":"RANGE"}],"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["x"]}}],"BillingMode":"PAY_PER_REQUEST"}`,
	} {
		f.Add(target, body)
	}
	f.Fuzz(func(t *testing.T, target uint8, body string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://dynamodb.local/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", targets[int(target)%len(targets)])
		answer, err := engine.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode >= http.StatusInternalServerError {
			t.Fatalf("%s %q: got %s", r.Header.Get("X-Amz-Target"), body, answer.Status)
		}
	})
}
