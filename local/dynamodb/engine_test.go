package dynamodb_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// values compares attribute values, whose types hold a marker without content.
var values = cmpopts.IgnoreUnexported(
	types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberB{}, types.AttributeValueMemberBOOL{},
	types.AttributeValueMemberNULL{}, types.AttributeValueMemberL{}, types.AttributeValueMemberM{}, types.AttributeValueMemberSS{},
	types.AttributeValueMemberNS{}, types.AttributeValueMemberBS{})

type record = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }

func key(pk, sk string) record { return record{"PK": str(pk), "SK": str(sk)} }

// with returns an item with the key and further attributes: name, value, name, value.
func with(it record, pairs ...any) record {
	for i := 0; i < len(pairs); i += 2 {
		it[pairs[i].(string)] = pairs[i+1].(types.AttributeValue)
	}
	return it
}

// fixture is an engine with the SDK's clients.
type fixture struct {
	*ddb.Client
	engine  *dynamodb.Engine
	streams *dynamodbstreams.Client
}

func open(t testing.TB, o dynamodb.Options) *dynamodb.Engine {
	t.Helper()
	e, err := dynamodb.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// plainBody hides WriteTo of the SDK's request bodies: once a body is closed its WriteTo
// fails, unlike its Read, and net/http, which looks for more behind the body, then drops
// the connection while a fast server's answer is still being read.
type plainBody struct{ *http.Transport }

func (p plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.RoundTrip(r)
}

// loopback returns an SDK configuration for the engine behind a server of its own.
func loopback(t testing.TB, e http.Handler, connections int) aws.Config {
	t.Helper()
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	t.Cleanup(transport.CloseIdleConnections)
	return config(server.URL, plainBody{transport})
}

func config(endpoint string, client aws.HTTPClient) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: client,
		Credentials:      credentials.NewStaticCredentialsProvider("local", "local", ""),
		RetryMaxAttempts: 1,
	}
}

func clients(e *dynamodb.Engine) fixture {
	cfg := config("http://dynamodb.local", e)
	return fixture{Client: ddb.NewFromConfig(cfg), engine: e, streams: dynamodbstreams.NewFromConfig(cfg)}
}

// start opens an engine with the table "chat", as the application's: keys PK and SK,
// index GSI1, stream and TTL.
func start(t testing.TB, o dynamodb.Options) fixture {
	t.Helper()
	f := clients(open(t, o))
	f.createChat(t)
	return f
}

func chatTable() *ddb.CreateTableInput {
	attribute := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
	}
	schema := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash}, {AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	return &ddb.CreateTableInput{
		TableName:            aws.String("chat"),
		AttributeDefinitions: []types.AttributeDefinition{attribute("PK"), attribute("SK"), attribute("GSI1PK"), attribute("GSI1SK")},
		KeySchema:            schema("PK", "SK"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("GSI1"), KeySchema: schema("GSI1PK", "GSI1SK"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
		BillingMode: types.BillingModePayPerRequest,
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}
}

func (f fixture) createChat(t testing.TB) {
	t.Helper()
	if _, err := f.CreateTable(t.Context(), chatTable()); err != nil {
		t.Fatal(err)
	}
	_, err := f.UpdateTimeToLive(t.Context(), &ddb.UpdateTimeToLiveInput{
		TableName:               aws.String("chat"),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f fixture) put(t testing.TB, it record) {
	t.Helper()
	if _, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: it}); err != nil {
		t.Fatal(err)
	}
}

func (f fixture) get(t testing.TB, pk, sk string) record {
	t.Helper()
	out, err := f.GetItem(t.Context(), &ddb.GetItemInput{TableName: aws.String("chat"), Key: key(pk, sk), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

// reporter is what a check needs of a test, of rapid's too.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

func equal(t reporter, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, values); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// refused fails the test unless err is an API error of the given code whose message
// contains text.
func refused(t testing.TB, err error, code, text string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Errorf("got error %v, want %s", err, code)
		return
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("got %s: %s\nwant %s: %s", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

func TestMain(m *testing.M) {
	if runWriterChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// TestTransports runs the same round trip in process, over HTTP, in memory and on a file.
func TestTransports(t *testing.T) {
	for _, tc := range []struct {
		name       string
		file, http bool
	}{{"memory in process", false, false}, {"memory over HTTP", false, true}, {"file in process", true, false}, {"file over HTTP", true, true}} {
		t.Run(tc.name, func(t *testing.T) {
			o := dynamodb.Options{}
			if tc.file {
				o.Path = filepath.Join(t.TempDir(), "data.db")
			}
			e := open(t, o)
			f := clients(e)
			if tc.http {
				f.Client = ddb.NewFromConfig(loopback(t, e, 1))
			}
			f.createChat(t)
			want := with(key("ROOM#1", "MESSAGE#1"), "content", str("héllo \"\n\x01 日本 😀"), "n", num("12.50"),
				"list", &types.AttributeValueMemberL{Value: []types.AttributeValue{str(""), &types.AttributeValueMemberNULL{Value: true}}},
				"map", &types.AttributeValueMemberM{Value: record{"b": &types.AttributeValueMemberB{Value: []byte{0, 255}}, "t": &types.AttributeValueMemberBOOL{Value: true}}},
				"set", &types.AttributeValueMemberSS{Value: []string{"a", "b"}})
			f.put(t, want)
			f.put(t, key("ROOM#1", "MESSAGE#2"))
			f.put(t, key("ROOM#2", "MESSAGE#1"))
			want["n"] = num("12.5")
			equal(t, "item", f.get(t, "ROOM#1", "MESSAGE#1"), want)
			out, err := f.Query(t.Context(), &ddb.QueryInput{
				TableName: aws.String("chat"), KeyConditionExpression: aws.String("PK = :p AND begins_with(SK, :s)"),
				ExpressionAttributeValues: record{":p": str("ROOM#1"), ":s": str("MESSAGE#")}, ScanIndexForward: aws.Bool(false),
			})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "query", out.Items, []record{key("ROOM#1", "MESSAGE#2"), want})
		})
	}
}

func TestContextEnds(t *testing.T) {
	f := start(t, dynamodb.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	cancel()
	_, err := f.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("chat"), Item: key("a", "b")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// removeValidation sends requests that the SDK would reject before sending.
func removeValidation(stack *middleware.Stack) error {
	_, err := stack.Initialize.Remove("OperationInputValidation")
	return err
}
