package dynamo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/dynamo"
)

// answer is what the scripted table says to one request.
type answer struct {
	status int
	body   string
	err    error         // instead
	crc    string        // "" is the right checksum
	ahead  time.Duration // of the table's clock
}

// answering gives its answers in turn, and keeps the requests.
type answering struct {
	t        *testing.T
	answers  []answer
	requests []string
}

var testKeys = credentials.NewStaticCredentialsProvider("AKID", "secret", "session")

// Do implements aws.HTTPClient.
func (s *answering) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.checkSignature(r, body)
	shown := []string{r.Method, r.URL.String()}
	for _, name := range []string{"Accept-Encoding", "Content-Type", "X-Amz-Target", "X-Amz-Security-Token"} {
		shown = append(shown, r.Header.Get(name))
	}
	s.requests = append(s.requests, strings.Join(append(shown, string(body)), " | "))
	a := s.answers[min(len(s.requests), len(s.answers))-1]
	if a.err != nil {
		return nil, a.err
	}
	if a.crc == "" {
		a.crc = strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(a.body))), 10)
	}
	header := http.Header{"X-Amz-Crc32": {a.crc}, "X-Amzn-Requestid": {"request-1"}, "Date": {time.Now().Add(a.ahead).UTC().Format(http.TimeFormat)}}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// checkSignature expects the one of the SDK's signer for the headers that it names.
func (s *answering) checkSignature(r *http.Request, body []byte) {
	s.t.Helper()
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	again, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for name := range strings.SplitSeq(names, ";") {
		if value := r.Header.Get(name); value != "" {
			again.Header.Set(name, value)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := testKeys.Retrieve(r.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), keys, again, hex.EncodeToString(sum[:]), "dynamodb", "eu-central-1", at); err != nil {
		s.t.Fatal(err)
	}
	if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want || !strings.Contains(names, "x-amz-target") {
		s.t.Errorf("signed\n%s, want\n%s, and x-amz-target in it", got, want)
	}
}

func config(client aws.HTTPClient) aws.Config {
	return aws.Config{Region: "eu-central-1", Credentials: testKeys, HTTPClient: client}
}

// calls are one of each operation.
var calls = map[string]func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error){
	"GetItem": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("t"), Key: attributes()}, options...)
	},
	"PutItem": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("t"), Item: attributes()}, options...)
	},
	"UpdateItem": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String("t"), Key: attributes()}, options...)
	},
	"DeleteItem": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String("t"), Key: attributes()}, options...)
	},
	"Query": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.Query(ctx, &dynamodb.QueryInput{TableName: aws.String("t"), ExpressionAttributeValues: attributes(), Limit: aws.Int32(3)}, options...)
	},
	"BatchGetItem": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{"t": {Keys: []map[string]types.AttributeValue{attributes()}}},
		}, options...)
	},
	"BatchWriteItem": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{"t": {{DeleteRequest: &types.DeleteRequest{Key: attributes()}}}},
		}, options...)
	},
	"TransactWriteItems": func(ctx context.Context, c dynamo.Client, options ...func(*dynamodb.Options)) (any, error) {
		return c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			ClientRequestToken: aws.String("token"),
			TransactItems:      []types.TransactWriteItem{{Delete: &types.Delete{TableName: aws.String("t"), Key: attributes()}}},
		}, options...)
	},
}

func attributes() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"k": &types.AttributeValueMemberS{Value: "こんにちは \"\n\x01"}}
}

// What failed for now is asked again, in as many requests and with as much patience as by
// the SDK's client, and errors are the same.
func TestNewClient_AsTheSDKsClient(t *testing.T) {
	t.Parallel()
	refused := func(code, more string) answer {
		return answer{status: 400, body: `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"no","Message":"no"` + more + `}`}
	}
	ok := answer{status: 200, body: `{"Item":{"k":{"S":"v"}},"Items":[{"k":{"N":"1.50"}}],"Count":1}`}
	for name, answers := range map[string][]answer{
		"ok":                 {ok},
		"an empty answer":    {{status: 200, body: "{}"}},
		"a condition":        {refused("ConditionalCheckFailedException", `,"Item":{"k":{"S":"old"}}`)},
		"a transaction":      {refused("TransactionCanceledException", `,"CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"k":{"S":"x"}}}]`)},
		"invalid":            {refused("ValidationException", "")},
		"unknown":            {refused("NewException", "")},
		"denied":             {refused("AccessDeniedException", "")},
		"throttled once":     {refused("ProvisionedThroughputExceededException", ""), ok},
		"in progress":        {refused("TransactionInProgressException", ""), refused("TransactionInProgressException", ""), ok},
		"conflict":           {refused("TransactionConflictException", "")},
		"failed once":        {{status: 500, body: `{"__type":"InternalServerError"}`}, ok},
		"failing":            {{status: 503, body: "<html>"}},
		"no connection once": {{err: errors.New("connection refused")}, ok},
		"no connection":      {{err: errors.New("connection refused")}},
		"no JSON":            {{status: 200, body: "<html>"}, {status: 200, body: "<html>"}, ok},
		"an hour ahead":      {{status: 400, body: `{"__type":"InvalidSignatureException","message":"expired"}`, ahead: time.Hour}, ok},
		"a wrong key":        {{status: 400, body: `{"__type":"InvalidSignatureException","message":"wrong"}`}},
	} {
		for operation, call := range calls {
			for _, attempts := range []int{0, 1} {
				synctest.Test(t, func(t *testing.T) {
					option := func(o *dynamodb.Options) { o.RetryMaxAttempts = attempts }
					if name == "an hour ahead" && attempts == 1 {
						return // the SDK's client fails once, and corrects its clock for the next call
					}
					theirs, ours := &answering{t: t, answers: answers}, &answering{t: t, answers: answers}
					want, wantErr := call(t.Context(), dynamodb.NewFromConfig(config(theirs)), option)
					synctest.Wait()
					got, err := call(t.Context(), dynamo.NewClient(config(ours)), option)
					about := fmt.Sprintf("%s, %s, %d attempts: ", operation, name, attempts)
					if got, want := shown(t, got), shown(t, want); got != want {
						t.Errorf("%sanswer %s, want %s", about, got, want)
					}
					compare(t, about, theirs, ours, wantErr, err)
				})
			}
		}
	}
}

// The SDK's client reads the checksum of an answer, and takes one that has another.
func TestNewClient_AsksAgainForABrokenAnswer(t *testing.T) {
	t.Parallel()
	for operation, call := range calls {
		synctest.Test(t, func(t *testing.T) {
			table := &answering{t: t, answers: []answer{{status: 200, body: "{}", crc: "1"}, {status: 200, body: "{}"}}}
			if _, err := call(t.Context(), dynamo.NewClient(config(table))); err != nil || len(table.requests) != 2 {
				t.Errorf("%s: %d requests, error %v", operation, len(table.requests), err)
			}
		})
	}
}

// shown is an answer's text.
func shown(t *testing.T, answer any) string {
	t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func compare(t *testing.T, about string, theirs, ours *answering, wantErr, err error) {
	t.Helper()
	if len(ours.requests) != len(theirs.requests) {
		t.Errorf("%s%d requests, want %d", about, len(ours.requests), len(theirs.requests))
	}
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Errorf("%serror\n%v, want\n%v", about, err, wantErr)
	}
	if ours.requests[0] != theirs.requests[0] {
		t.Errorf("%ssent\n%s, want\n%s", about, ours.requests[0], theirs.requests[0])
	}
}
