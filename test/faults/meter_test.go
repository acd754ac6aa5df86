package faults_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

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
