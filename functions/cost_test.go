package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/topology"
)

// deployed is a Streamroom in this process: its functions run one after the
// other, the readers of the stream once for all that an action wrote.
type deployed struct {
	*world
	metered   metered
	handlers  map[string]awslambda.Handler
	log       *bytes.Buffer
	lines     map[string]struct{ Lines, Bytes float64 } // of the last invocation of each function
	metrics   map[string]bool                           // "function name", each a metric of CloudWatch
	streams   *dynamodbstreams.Client
	arn       string
	iterators []*string // of the shards, behind what was read

	asked int // requests to the table of all invocations
}

func newDeployed(t testing.TB, members int) *deployed {
	t.Helper()
	m := newMetered(t, 0, members)
	d := &deployed{
		world: m.world, metered: m, handlers: map[string]awslambda.Handler{},
		log: &bytes.Buffer{}, lines: map[string]struct{ Lines, Bytes float64 }{},
		metrics: map[string]bool{},
	}
	d.env.Log = d.log
	before := lambdacontext.FunctionName
	lambdacontext.FunctionName = "Streamroom-prod-Streams-lastmessage3D1D5A2B-AbCdEfGhIjKl" // as on Lambda, where lines are longer
	t.Cleanup(func() { lambdacontext.FunctionName = before })
	for name, construct := range functions.All() {
		d.handlers[name] = d.wired(construct)
	}
	direct := d.env.AWS
	direct.HTTPClient = d.metered.table.table // what is read here is not the functions'
	described, err := ddb.NewFromConfig(direct).DescribeTable(t.Context(), &ddb.DescribeTableInput{TableName: aws.String(tableName)})
	d.must(err)
	d.arn, d.streams = *described.Table.LatestStreamArn, dynamodbstreams.NewFromConfig(direct)
	return d
}

// records reads what was written since it was called last.
func (d *deployed) records() []types.Record {
	d.t.Helper()
	if d.iterators == nil {
		shards, err := eventsource.Shards(d.t.Context(), d.streams, d.arn)
		d.must(err)
		for _, shard := range shards {
			out, err := d.streams.GetShardIterator(d.t.Context(), &dynamodbstreams.GetShardIteratorInput{
				StreamArn: &d.arn, ShardId: shard.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
			})
			d.must(err)
			d.iterators = append(d.iterators, out.ShardIterator)
		}
	}
	var all []types.Record
	for i := range d.iterators {
		for {
			out, err := d.streams.GetRecords(d.t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: d.iterators[i]})
			d.must(err)
			if d.iterators[i] = out.NextShardIterator; d.iterators[i] == nil {
				d.t.Fatal("a shard has ended, which takes hours")
			}
			if len(out.Records) == 0 {
				break
			}
			all = append(all, out.Records...)
		}
	}
	return all
}

// invocation runs a function and adds what it asked of AWS to a.
func (d *deployed) invocation(function string, event []byte, a *cost.Action) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "79b4f56e-95b1-4643-9700-2807f4e68189"})
	d.log.Reset()
	d.metered.table.take()
	answer, err := d.handlers[function].Invoke(ctx, event)
	d.must(err)
	var got struct {
		StatusCode        int
		Body              string
		BatchItemFailures []any
	}
	d.must(json.Unmarshal(answer, &got))
	if got.StatusCode >= http.StatusBadRequest || len(got.BatchItemFailures) > 0 {
		d.t.Fatalf("%s answers %s", function, answer)
	}
	used := d.metered.table.take()
	a.Reads += used.Read
	a.Writes += used.Write + float64(used.Refused) // a failed condition is a unit
	a.Invocations[function]++
	d.asked += used.Requests
	posts, _ := d.metered.posts.take()
	a.Frames += float64(posts)
	a.Out += float64(d.metered.posts.bytes) + float64(len(got.Body))
	d.metered.posts.bytes = 0
	d.lines[function] = struct{ Lines, Bytes float64 }{float64(bytes.Count(d.log.Bytes(), []byte("\n"))), float64(d.log.Len())}
	for line := range bytes.Lines(d.log.Bytes()) {
		d.noteMetrics(function, line)
	}
}

// noteMetrics notes which metrics a line of a log has.
func (d *deployed) noteMetrics(function string, line []byte) {
	d.t.Helper()
	var text struct {
		AWS struct {
			CloudWatchMetrics []struct{ Metrics []struct{ Name string } }
		} `json:"_aws"`
	}
	d.must(json.Unmarshal(line, &text))
	for _, directive := range text.AWS.CloudWatchMetrics {
		for _, metric := range directive.Metrics {
			d.metrics[function+" "+metric.Name] = true
		}
	}
}

// do runs a route's function or the API's on events, and what follows from that.
// begin is what the client asked of API Gateway.
func (d *deployed) do(begin cost.Action, function string, events ...[]byte) cost.Action {
	d.t.Helper()
	a := begin
	a.Invocations = map[string]float64{}
	d.records()
	for _, event := range events {
		d.clock.advance(time.Millisecond) // ids of one are in random order
		d.invocation(function, event, &a)
	}
	written := d.records()
	for _, mapping := range topology.StreamMappings() {
		filters, err := eventsource.ParseFilters(mapping.Filters)
		d.must(err)
		var batch []eventsource.Record[struct{}]
		for _, r := range written {
			if filters.Match(&r) {
				r.Dynamodb.ApproximateCreationDateTime = aws.Time(d.clock.now()) // which the table has from the machine
				text, err := eventsource.AppendRecord(nil, &r, eventsource.Origin{Source: eventsource.DynamoDB, ARN: d.arn, Region: "us-east-1"})
				d.must(err)
				batch = append(batch, eventsource.Record[struct{}]{SequenceNumber: *r.Dynamodb.SequenceNumber, JSON: text})
			}
		}
		if len(batch) > 0 {
			d.invocation(mapping.Function, eventsource.EncodeEvent(batch), &a)
		}
	}
	return a
}

// send is a message of n bytes with a clientMessageId, a second after the one before.
func (d *deployed) send(n int) []byte {
	d.clock.advance(time.Second)
	return d.frame(connection(0), object{
		"action": "sendMessage", "chatRoomId": room, "content": text(n), "clientMessageId": fmt.Sprint("cost-", d.clock.now().UnixMilli()), "echo": false,
	})
}

// sent is a send that only counts in its user's limits: they are taken together, see
// TestSendMessage_LimitsKeepToTheirBudget. Those that are measured here are no twentieth.
func sent(n int) cost.Action {
	a := cost.Send(n)
	a.Writes = math.Round(a.Writes - cost.LimitWrites)
	return a
}

// A charged action is one that operate/cost has, and the invocation with which it
// begins.
type charged struct {
	name   string
	want   cost.Action
	client cost.Action // what the client and API Gateway do themselves
	of     string
	event  func() []byte
}

// charges are the actions of operate/cost, in a room all of whose members are
// connected.
func (d *deployed) charges(members int) []charged {
	answered, request := cost.Action{Frames: 2}, cost.Action{Requests: 1} // API Gateway sends the answer
	message := func(n int, moves bool) cost.Action {
		return sent(n).Plus(cost.Broadcast(members, float64(members-1), 1, n)).Plus(cost.Project(members, moves))
	}
	return []charged{
		{"list", cost.List(20), request, topology.API, func() []byte { return d.request("GET", "/rooms", "limit=20", "") }},
		{"send 300 bytes", message(300, true), answered, topology.SendMessage, func() []byte { return d.send(300) }},
		{"send 300 bytes soon after", message(300, false), answered, topology.SendMessage, func() []byte { return d.send(300) }},
		{"send 1,500 bytes", message(1500, true), answered, topology.SendMessage, func() []byte { return d.send(1500) }},
		{"connect", cost.Connect(0).Plus(cost.Told(0, 2, 0)), cost.Action{}, topology.Connect, func() []byte { return d.connectEvent(1) }},
		{"disconnect", cost.Disconnect(0).Plus(cost.Told(0, 2, 0)), cost.Action{}, topology.Disconnect, func() []byte {
			return d.route("disconnect", connection(1001), func(object) {})
		}},
		{"ping", cost.Ping(), answered, topology.Default, func() []byte { return d.frame(connection(0), object{"action": "ping"}) }},
		{"typing", cost.Typing(members, float64(members-1)), cost.Action{Frames: 1}, topology.Default, func() []byte {
			return d.frame(connection(0), object{"action": "typing", "chatRoomId": room})
		}},
		{"read", cost.Read(members, float64(members)), request, topology.API, func() []byte {
			d.clock.advance(chat.StoreWithin) // the room's only message of the last minute
			return d.readEvent(d.otherMessage(room))
		}},
		{"sync", cost.Sync(20), request, topology.API, func() []byte { return d.syncEventOf(20) }},
		{"history", cost.History(), request, topology.API, func() []byte {
			for range 50 {
				d.otherMessage(room)
			}
			return d.request("GET", "/rooms/"+room+"/messages", "limit=50", "")
		}},
	}
}

// What `streamroom cost` multiplies is what the functions ask of the table and of
// API Gateway. A change of it here is a change of operate/cost/units.go, and of
// the tables of docs/operations.md: go test ./cmd/streamroom -run TestCostPages -update.
func TestCost_UnitsAreWhatTheFunctionsUse(t *testing.T) {
	for _, members := range []int{2, 10, 50} {
		t.Run(fmt.Sprintf("%d-members", members), func(t *testing.T) {
			d := newDeployed(t, members)
			d.furnish()
			for _, test := range d.charges(members) {
				if test.of == topology.SendMessage {
					for range 12 { // the room's newest, which fanout reads, have one size
						d.do(cost.Action{}, test.of, test.event())
					}
					if !strings.HasSuffix(test.name, "soon after") {
						d.clock.advance(chat.OrderInterval)
					}
				}
				d.expect(test.name, test.want, d.do(test.client, test.of, test.event()))
			}
			d.expectMetrics()
			for name, want := range cost.LogLines {
				if name == topology.Push {
					continue // see TestCost_Push
				}
				if got := d.lines[name]; got.Lines != want.Lines || !within(got.Bytes, want.Bytes) {
					t.Errorf("%s logs %v lines of %v bytes, operate/cost has %v of %v", name, got.Lines, got.Bytes, want.Lines, want.Bytes)
				}
			}
		})
	}
}

// What the end of a user's only connection costs is what operate/cost has, in a room all
// of whose members are connected, and in a larger one.
func TestCost_ComingAndGoing(t *testing.T) {
	for members, told := range map[int]cost.Action{
		2: cost.Told(1, 2, 1), 10: cost.Told(1, 10, 9), chat.PresenceRoom: cost.Told(1, chat.PresenceRoom, chat.PresenceRoom-1),
		chat.PresenceRoom + 1: cost.Told(0, 0, 0).Plus(cost.Action{Reads: 1}), // which is found too large
	} {
		d := newDeployed(t, members)
		leave := d.route("disconnect", connection(1), func(object) {})
		d.expect(fmt.Sprintf("in a room of %d", members), cost.Disconnect(0).Plus(told), d.do(cost.Action{}, topology.Disconnect, leave))
	}
}

// expectMetrics checks that operate/cost has as many metrics as the readers of the
// stream may log, and that they logged no others, but for failures of routes, which
// are rare.
func (d *deployed) expectMetrics() {
	d.t.Helper()
	known := map[string]bool{}
	for function, names := range map[string][]string{topology.Fanout: metrics.OfFanout, topology.LastMessage: metrics.OfLastMessage} {
		for _, name := range names {
			known[function+" "+name] = true
		}
	}
	if len(known) != cost.CustomMetrics {
		d.t.Errorf("the functions have %d metrics, operate/cost has %d", len(known), cost.CustomMetrics)
	}
	for name := range d.metrics {
		if !known[name] {
			d.t.Errorf("a line has the metric %q, which operate/cost does not count", name)
		}
	}
	if len(d.metrics) < 2 {
		d.t.Errorf("the lines have the metrics %v: want those of deliveries", d.metrics)
	}
}

// expect compares an action with that of operate/cost, whose time is assumed.
func (d *deployed) expect(name string, want, got cost.Action) {
	d.t.Helper()
	want.GBSeconds = 0
	roughly := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Out" }, cmp.Comparer(within))
	if diff := cmp.Diff(want, got, roughly); diff != "" {
		d.t.Errorf("%s (-operate/cost +the functions):\n%s", name, diff)
	}
}

// within says whether a number of bytes, which names and times vary, is another
// one to a tenth or to the length of a name.
func within(got, want float64) bool { return math.Abs(got-want) <= max(0.1*max(got, want), 25) }

// syncEventOf asks n rooms, of which the newest message is known, for more.
func (d *deployed) syncEventOf(n int) []byte {
	after := object{}
	for _, id := range d.rooms(n) {
		after[id] = d.otherMessage(id).ID
	}
	return d.request("POST", "/sync", "", string(d.encode(object{"rooms": after})))
}

// Ten messages of a room in a window share what lastmessage writes, and those of
// one batch what fanout reads and posts.
func TestCost_MessagesTogetherShareWhatFollows(t *testing.T) {
	const members, messages = 10, 10
	d := newDeployed(t, members)
	for range 40 { // what fanout reads of the past
		d.do(cost.Action{}, topology.SendMessage, d.send(300))
	}
	d.clock.advance(chat.OrderInterval)
	var events [][]byte
	for i := range messages {
		d.clock.advance(100 * time.Millisecond)
		events = append(events, d.sendEvent(fmt.Sprint("together-", i)))
	}
	got := d.do(cost.Action{Frames: 2 * messages}, topology.SendMessage, events...)
	want := sent(300).Times(messages).Plus(cost.Broadcast(members, members-1, messages, 300)).Plus(cost.Project(members, true))
	d.expect("ten messages", want, got)
}
