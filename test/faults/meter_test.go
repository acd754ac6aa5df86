package faults_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/faults"
)

// answering is a table and a gateway that answer one text.
type answering struct{ text, asked string }

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		a.asked = string(body)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.text)), Request: r}, nil
}

func TestMeter_Units(t *testing.T) {
	for name, tt := range map[string]struct {
		target, answer string
		reads, writes  float64
		posts          int
	}{
		"a query": {"DynamoDB_20120810.Query", `{"ConsumedCapacity":{"CapacityUnits":1.5,"TableName":"t"},"Items":[]}`, 1.5, 0, 0},
		"a transaction": {
			"DynamoDB_20120810.TransactWriteItems", `{"ConsumedCapacity":[{"TableName":"t","CapacityUnits":4},{"TableName":"u","CapacityUnits":2.0}]}`, 0, 6, 0,
		},
		"a text that looks like it": {
			"DynamoDB_20120810.GetItem", `{"Item":{"content":{"S":"\"CapacityUnits\":99,"}},"ConsumedCapacity":{"CapacityUnits":0.5}}`, 0.5, 0, 0,
		},
		"a refusal":        {"DynamoDB_20120810.PutItem", `{"__type":"ConditionalCheckFailedException"}`, 0, 0, 0},
		"a page of stream": {"DynamoDBStreams_20120810.GetRecords", `{"Records":[]}`, 0, 0, 0},
		"a post":           {"", ``, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			meter, next := &faults.Meter{}, &answering{text: tt.answer}
			f := local.Function{}
			f.Name = topology.Fanout
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://aws.example/", strings.NewReader(`{"TableName":"t"}`))
			if err != nil {
				t.Fatal(err)
			}
			if tt.target != "" {
				r.Header.Set("X-Amz-Target", tt.target)
			}
			response, err := meter.Wrap(f).Transport(next).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != tt.answer {
				t.Errorf("the answer is %s (%v), want %s", body, err, tt.answer)
			}
			used := meter.Take()
			if used.Reads[f.Name] != tt.reads || used.Writes[f.Name] != tt.writes || used.Posts != tt.posts {
				t.Errorf("got %+v, want %v reads, %v writes, %d posts", used, tt.reads, tt.writes, tt.posts)
			}
			if asks := strings.Contains(next.asked, `"ReturnConsumedCapacity":"TOTAL"`); asks != strings.HasPrefix(tt.target, "DynamoDB_") || !strings.Contains(next.asked, `"TableName":"t"`) {
				t.Errorf("asked was %s", next.asked)
			}
		})
	}
}

type handlerFunc func(context.Context, []byte) ([]byte, error)

func (f handlerFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}

// Frames of a connection, its beginning and its end are counted as its own, and what is posted
// to it.
func TestMeter_Connections(t *testing.T) {
	t.Parallel()
	meter := &faults.Meter{}
	var f local.Function
	f.Name = topology.Connect
	f.Construct = func(functions.Env) (lambda.Handler, error) {
		return handlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }), nil
	}
	handler, err := meter.Wrap(f).Construct(functions.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{
		`{"requestContext":{"connectionId":"b"},"queryStringParameters":{"replaces":"a"}}`, `{"requestContext":{"connectionId":"b"}}`, `{}`,
	} {
		if _, err := handler.Invoke(t.Context(), []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://aws.example/local/@connections/c%3D", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := meter.Wrap(f).Transport(&answering{}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // a text
	want := map[string]faults.UsedFor{"b": {Replaces: "a", Invocations: 2}, "c=": {Posts: 1}}
	if used := meter.Take(); !maps.Equal(used.Connections, want) || used.Invocations[f.Name] != 3 {
		t.Errorf("got %+v, want %+v", used, want)
	}
}
