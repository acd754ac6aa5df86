package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/review"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// byLambda are the actions that Lambda itself needs of a function's role, to read
// the stream, or S3 asks for before it answers that an object does not exist: no local
// run can use them.
var byLambda = []string{
	"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
	"dynamodb:ListStreams", "s3:ListBucket",
}

// failedRecords are the objects that Lambda itself writes.
const failedRecords = "/" + topology.FailurePrefix + "*"

// permission is one action that a role's statement allows, on the keys of one
// pattern: of items where it has a condition, or of objects.
type permission struct {
	action string
	keys   string // "" for any
}

// guard stands between a function and AWS. It passes on what the function's role
// allows, and records the used permissions.
type guard struct {
	function   string
	statements []allowed

	mu      sync.Mutex
	used    map[permission]bool
	refused []string
}

type allowed struct {
	actions, resources, keys []string
}

// byAWS reports whether only AWS itself uses an action that is allowed.
func (a allowed) byAWS(action string) bool {
	return slices.Contains(byLambda, action) || slices.ContainsFunc(a.resources, func(r string) bool { return strings.HasSuffix(r, failedRecords) })
}

// objects returns the pattern of keys that a statement allows an action on, if it is one
// on objects.
func (a allowed) objects(action string) string {
	if !strings.HasPrefix(action, "s3:") || len(a.resources) != 1 {
		return ""
	}
	_, keys, _ := strings.Cut(a.resources[0], "/")
	return keys
}

// call is one action of a request, as IAM authorizes it.
type call struct {
	action, resource string
	keys             []string
}

// permissions returns all that the role allows, except what Lambda itself needs.
func (g *guard) permissions() []permission {
	var all []permission
	for _, s := range g.statements {
		for _, action := range s.actions {
			if s.byAWS(action) {
				continue
			}
			if len(s.keys) == 0 {
				all = append(all, permission{action, s.objects(action)})
			}
			for _, keys := range s.keys {
				all = append(all, permission{action, keys})
			}
		}
	}
	return all
}

// unused lists permissions that were never used.
func (g *guard) unused() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, p := range g.permissions() {
		if !g.used[p] {
			out = append(out, g.function+": "+strings.TrimSpace(p.action+" "+p.keys))
		}
	}
	return out
}

// allow reports whether the role allows a call, and records it.
func (g *guard) allow(c call) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.statements {
		if !slices.Contains(s.actions, c.action) || !slices.ContainsFunc(s.resources, func(p string) bool { return like(p, c.resource) }) {
			continue
		}
		if len(s.keys) == 0 {
			g.used[permission{c.action, s.objects(c.action)}] = true
			return true
		}
		matched := make([]permission, 0, len(c.keys))
		for _, key := range c.keys {
			if i := slices.IndexFunc(s.keys, func(p string) bool { return like(p, key) }); i >= 0 {
				matched = append(matched, permission{c.action, s.keys[i]})
			}
		}
		if len(matched) == len(c.keys) {
			for _, p := range matched {
				g.used[p] = true
			}
			return true
		}
	}
	g.refused = append(g.refused, fmt.Sprintf("%s: %s on %s, keys %q", g.function, c.action, c.resource, c.keys))
	return false
}

// patterns are the expressions of those that like has met: roles have few of them, and
// each call is held to all.
var patterns sync.Map // of *regexp.Regexp, by pattern

// like is IAM's StringLike.
func like(pattern, value string) bool {
	compiled, ok := patterns.Load(pattern)
	if !ok {
		expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		compiled, _ = patterns.LoadOrStore(pattern, regexp.MustCompile(`(?s)\A`+expression+`\z`))
	}
	return compiled.(*regexp.Regexp).MatchString(value)
}

// wrap guards a transport.
func (g *guard) wrap(next http.RoundTripper) http.RoundTripper { return guarded{g, next} }

type guarded struct {
	*guard
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	calls, err := callsOf(r, body)
	if err != nil {
		return nil, fmt.Errorf("guard of %s: %w", g.function, err)
	}
	for _, c := range calls {
		if !g.allow(c) {
			return &http.Response{
				StatusCode: http.StatusBadRequest,
				Header:     http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Errortype": {"AccessDeniedException"}},
				Body:       io.NopCloser(strings.NewReader(`{"__type":"AccessDeniedException","message":"not authorized to perform ` + c.action + `"}`)),
				Request:    r,
			}, nil
		}
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	return g.next.RoundTrip(again)
}

// callsOf returns the calls of a request. IAM authorizes the parts of a transaction
// ("Using IAM with DynamoDB transactions", DynamoDB Developer Guide), but which keys
// it then sees is not documented. The guard takes the strictest reading: each action
// of a transaction, with all keys of it. What that allows, the others allow: each
// action with its own keys, and no keys at all.
func callsOf(r *http.Request, body []byte) ([]call, error) {
	target := r.Header.Get("X-Amz-Target")
	service, operation, _ := strings.Cut(target, ".")
	switch {
	case strings.HasPrefix(service, "DynamoDBStreams_"):
		return []call{{action: "dynamodb:" + operation, resource: streamARN}}, nil
	case strings.HasPrefix(service, "DynamoDB_"):
		return tableCalls(operation, body)
	case service == "AWSEvents":
		return []call{{action: "events:" + operation, resource: busARN}}, nil
	case service == "AmazonSSM":
		var in struct{ Name string }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		return []call{{action: "ssm:" + operation, resource: "arn:aws:ssm:" + region + ":" + account + ":parameter" + in.Name}}, nil
	case strings.HasPrefix(r.URL.Path, functionsPath):
		arn, found := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, functionsPath), "/invocations")
		if !found || r.Method != http.MethodPost {
			return nil, fmt.Errorf("the guard does not know %s %s of Lambda", r.Method, r.URL)
		}
		return []call{{action: "lambda:InvokeFunction", resource: arn}}, nil
	case strings.HasPrefix(r.URL.Path, bucketPath):
		return objectCalls(r, body)
	case strings.Contains(r.URL.Path, "/@connections/"):
		stage, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return []call{{
			action:   "execute-api:ManageConnections",
			resource: "arn:aws:execute-api:" + region + ":" + account + ":" + apiID + "/" + stage + "/" + r.Method + "/" + id,
		}}, nil
	}
	return nil, fmt.Errorf("unknown call %s %s %q", r.Method, r.URL, target)
}

// functionsPath is where Lambda has functions, by their ARNs.
const functionsPath = "/2015-03-31/functions/"

// bucketPath is where the local runtime has the bucket of attachments.
const bucketPath = "/objects/" + attachmentsBucket

// objectCalls returns the calls of a request to the bucket of attachments.
func objectCalls(r *http.Request, body []byte) ([]call, error) {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, bucketPath), "/")
	on := func(action, key string) call {
		return call{action: action, resource: bucketARN(attachmentsBucket + "/" + key)}
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Query().Has("delete"):
		var in struct {
			Object []struct{ Key string }
		}
		if err := xml.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		var calls []call
		for _, o := range in.Object {
			calls = append(calls, on(deleteObject, o.Key))
		}
		return calls, nil
	case key == "":
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return []call{on(getObject, key)}, nil
	case r.Method == http.MethodDelete:
		return []call{on(deleteObject, key)}, nil
	case r.Method == http.MethodPut:
		calls := []call{on(putObject, key)}
		if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
			bucket, from, _ := strings.Cut(strings.TrimPrefix(source, "/"), "/")
			calls = append(calls, call{action: getObject, resource: bucketARN(bucket + "/" + from)})
		}
		return calls, nil
	}
	return nil, fmt.Errorf("the guard does not know %s %s of the bucket", r.Method, r.URL)
}

// textValue is a string attribute as JSON has it.
type textValue struct{ S string }

// tableRequest has the fields of all of DynamoDB's requests that name keys.
type tableRequest struct {
	TableName, IndexName, KeyConditionExpression string
	Item, Key                                    map[string]json.RawMessage
	ExpressionAttributeValues                    map[string]json.RawMessage
	RequestItems                                 map[string]json.RawMessage
	TransactItems                                []map[string]struct {
		TableName string
		Item, Key map[string]json.RawMessage
	}
}

func tableCalls(operation string, body []byte) ([]call, error) {
	var in tableRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	switch operation {
	case "GetItem", "PutItem", "UpdateItem", "DeleteItem":
		return []call{itemCall(operation, in.TableName, in.Key, in.Item)}, nil
	case "Query":
		return in.query()
	case "BatchGetItem":
		return in.batchGet()
	case "BatchWriteItem":
		return in.batchWrite()
	case "TransactWriteItems":
		return in.transaction(), nil
	}
	return nil, fmt.Errorf("the guard does not know %s", operation)
}

func itemCall(operation, name string, key, item map[string]json.RawMessage) call {
	if key == nil {
		key = item
	}
	return call{"dynamodb:" + operation, tableARN(name), []string{textOf(key[table.PK])}}
}

func (in tableRequest) transaction() []call {
	actions := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
	var calls []call
	var keys []string
	for _, item := range in.TransactItems {
		for kind, w := range item {
			part := itemCall(actions[kind], w.TableName, w.Key, w.Item)
			calls, keys = append(calls, part), append(keys, part.keys...)
		}
	}
	for i := range calls {
		calls[i].keys = keys
	}
	return calls
}

// query reads the partition key of a query: all of this module begin with #pk = :pk.
func (in tableRequest) query() ([]call, error) {
	_, rest, ok := strings.Cut(in.KeyConditionExpression, " = ")
	if !ok {
		return nil, fmt.Errorf("no partition key in %q", in.KeyConditionExpression)
	}
	placeholder, _, _ := strings.Cut(rest, " ")
	resource := tableARN(in.TableName)
	if in.IndexName != "" {
		resource += "/index/" + in.IndexName
	}
	return []call{{"dynamodb:Query", resource, []string{textOf(in.ExpressionAttributeValues[placeholder])}}}, nil
}

func (in tableRequest) batchGet() ([]call, error) {
	var calls []call
	for name, request := range in.RequestItems {
		var items struct{ Keys []map[string]textValue }
		if err := json.Unmarshal(request, &items); err != nil {
			return nil, err
		}
		c := call{action: "dynamodb:BatchGetItem", resource: tableARN(name)}
		for _, key := range items.Keys {
			c.keys = append(c.keys, key[table.PK].S)
		}
		calls = append(calls, c)
	}
	return calls, nil
}

func (in tableRequest) batchWrite() ([]call, error) {
	var calls []call
	for name, request := range in.RequestItems {
		var writes []struct {
			PutRequest    struct{ Item map[string]json.RawMessage }
			DeleteRequest struct{ Key map[string]json.RawMessage }
		}
		if err := json.Unmarshal(request, &writes); err != nil {
			return nil, err
		}
		c := call{action: "dynamodb:BatchWriteItem", resource: tableARN(name)}
		for _, w := range writes {
			key := w.PutRequest.Item
			if key == nil {
				key = w.DeleteRequest.Key
			}
			c.keys = append(c.keys, textOf(key[table.PK]))
		}
		calls = append(calls, c)
	}
	return calls, nil
}

func textOf(value json.RawMessage) string {
	var a textValue
	if err := json.Unmarshal(value, &a); err != nil {
		return ""
	}
	return a.S
}

func TestGuard_KnowsTheFunctionThatIsInvoked(t *testing.T) {
	g := &guard{function: "f", used: map[permission]bool{}, statements: []allowed{{
		actions: []string{"lambda:InvokeFunction"}, resources: []string{reviewFunction},
	}}}
	for arn, want := range map[string]bool{reviewFunction: true, reviewFunction + "er": false} {
		client, err := review.New(review.Config{Target: arn, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), Transport: g.wrap(reviewer{})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Review(t.Context(), chat.Message{Content: "hello"}, false); (err == nil) != want {
			t.Errorf("%s is invoked with %v", arn, err)
		}
	}
}

func TestGuard_AllowsWhatIAMAllows(t *testing.T) {
	request := func(operation, body string) (*http.Request, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://table.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
		return r, []byte(strings.ReplaceAll(body, "TABLE", `"TableName":"`+tableName+`"`))
	}
	tests := map[string]struct {
		operation, body string
		want            bool
	}{
		"an allowed key":                    {"GetItem", `{TABLE,"Key":{"PK":{"S":"ROOM#1"},"SK":{"S":"x"}}}`, true},
		"another key":                       {"GetItem", `{TABLE,"Key":{"PK":{"S":"USER#1"},"SK":{"S":"x"}}}`, false},
		"another action":                    {"DeleteItem", `{TABLE,"Key":{"PK":{"S":"ROOM#1"},"SK":{"S":"x"}}}`, false},
		"another table":                     {"GetItem", `{"TableName":"other","Key":{"PK":{"S":"ROOM#1"},"SK":{"S":"x"}}}`, false},
		"a query":                           {"Query", `{TABLE,"KeyConditionExpression":"#pk = :pk AND #sk > :x","ExpressionAttributeValues":{":pk":{"S":"ROOM#1"}}}`, true},
		"a query of an index":               {"Query", `{TABLE,"IndexName":"GSI1","KeyConditionExpression":"#pk = :pk","ExpressionAttributeValues":{":pk":{"S":"ROOM#1"}}}`, false},
		"a batch":                           {"BatchGetItem", `{"RequestItems":{"` + tableName + `":{"Keys":[{"PK":{"S":"ROOM#1"}},{"PK":{"S":"ROOM#2"}}]}}}`, true},
		"a batch with another key":          {"BatchGetItem", `{"RequestItems":{"` + tableName + `":{"Keys":[{"PK":{"S":"ROOM#1"}},{"PK":{"S":"USER#2"}}]}}}`, false},
		"a batch of writes":                 {"BatchWriteItem", `{"RequestItems":{"` + tableName + `":[{"PutRequest":{"Item":{"PK":{"S":"ROOM#1"}}}}]}}`, true},
		"writes of another key":             {"BatchWriteItem", `{"RequestItems":{"` + tableName + `":[{"PutRequest":{"Item":{"PK":{"S":"ROOM#1"}}}},{"PutRequest":{"Item":{"PK":{"S":"USER#1"}}}}]}}`, false},
		"a transaction":                     {"TransactWriteItems", `{"TransactItems":[{"Put":{TABLE,"Item":{"PK":{"S":"ROOM#1"}}}}]}`, true},
		"a transaction's other part":        {"TransactWriteItems", `{"TransactItems":[{"Put":{TABLE,"Item":{"PK":{"S":"ROOM#1"}}}},{"Put":{TABLE,"Item":{"PK":{"S":"USER#1"}}}}]}`, false},
		"keys of one of two actions":        {"TransactWriteItems", `{"TransactItems":[{"Put":{TABLE,"Item":{"PK":{"S":"ROOM#1"}}}},{"Update":{TABLE,"Key":{"PK":{"S":"ROOM#1"}}}},{"Update":{TABLE,"Key":{"PK":{"S":"MORE#1"}}}}]}`, false},
		"a transaction with another action": {"TransactWriteItems", `{"TransactItems":[{"Put":{TABLE,"Item":{"PK":{"S":"ROOM#1"}}}},{"Delete":{TABLE,"Key":{"PK":{"S":"ROOM#1"}}}}]}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := &guard{function: "f", used: map[permission]bool{}, statements: []allowed{{
				actions:   []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem"},
				resources: []string{tableARN(tableName)}, keys: []string{"ROOM#*"},
			}, {
				actions: []string{"dynamodb:UpdateItem"}, resources: []string{tableARN(tableName)}, keys: []string{"ROOM#*", "MORE#*"},
			}}}
			calls, err := callsOf(request(test.operation, test.body))
			if err != nil || len(calls) == 0 {
				t.Fatalf("%d calls, %v", len(calls), err)
			}
			got := true
			for _, c := range calls {
				got = g.allow(c) && got
			}
			if got != test.want || (len(g.refused) > 0) == test.want {
				t.Errorf("allowed is %t, refused are %q; want %t", got, g.refused, test.want)
			}
		})
	}
}
