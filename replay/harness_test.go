package replay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/replay"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// world is a whole Streamroom, reached over the wire as an operator does. A test
// may plant a bug into a consumer.
type world struct {
	*local.Server
	t          testing.TB
	clients    replay.Clients
	deployment replay.Deployment

	mu    sync.Mutex
	bug   func(function string, records []events.DynamoDBEventRecord) ([]byte, error)
	heard map[string]int // by function and sort key, what came and was not refused
}

// begin starts a Streamroom whose mappings gather for a moment and do not retry.
func begin(t testing.TB, wrap func(http.RoundTripper) http.RoundTripper) *world {
	t.Helper()
	w := &world{t: t, heard: map[string]int{}}
	server, err := local.Start(t.Context(), local.Config{
		Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Unthrottled: true, Deploy: w.deploy,
	})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	w.Server = server
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	c := w.config(transport, wrap)
	w.clients = replay.NewClients(c)
	w.deployment = replay.Deployment{
		Table: local.TableName, Queue: w.TableURL() + "/0/failures",
		Functions: map[string]string{topology.LastMessage: topology.LastMessage, topology.Fanout: topology.Fanout},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return w
}

func (w *world) config(transport http.RoundTripper, wrap func(http.RoundTripper) http.RoundTripper) aws.Config {
	if wrap != nil {
		transport = wrap(transport)
	}
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(w.TableURL()), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
}

func (w *world) deploy(url string) (local.Deployment, error) {
	d := local.Topology(url, "error")
	for i, f := range d.Functions {
		construct := f.Construct
		d.Functions[i].Construct = func(env functions.Env) (awslambda.Handler, error) {
			inner, err := construct(env)
			return consumer{inner, w, f.Name}, err
		}
	}
	for i := range d.Mappings {
		m := &d.Mappings[i]
		m.BatchWindow, m.MaximumRetryAttempts, m.BisectOnError, m.BatchSize = 200*time.Millisecond, 0, false, min(m.BatchSize, 500)
	}
	return d, nil
}

// consumer is a function with a test in between.
type consumer struct {
	awslambda.Handler
	w    *world
	name string
}

func (c consumer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if c.name != topology.LastMessage && c.name != topology.Fanout {
		return c.Handler.Invoke(ctx, payload)
	}
	var event events.DynamoDBEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	c.w.mu.Lock()
	bug := c.w.bug
	c.w.mu.Unlock()
	if bug != nil {
		if answer, err := bug(c.name, event.Records); answer != nil || err != nil {
			return answer, err
		}
	}
	answer, err := c.Handler.Invoke(ctx, payload)
	if err != nil {
		return nil, err
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	for _, r := range event.Records {
		c.w.heard[c.name+" "+r.Change.Keys[table.SK].String()]++
	}
	return answer, nil
}

// plant makes consumers behave as bug says; an answer of nil without an error
// leaves it to the function itself.
func (w *world) plant(bug func(function string, records []events.DynamoDBEventRecord) ([]byte, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bug = bug
}

// refuse names all records of a batch as failed.
func refuse(records []events.DynamoDBEventRecord) ([]byte, error) {
	var answer events.DynamoDBEventResponse
	for _, r := range records {
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: r.Change.SequenceNumber})
	}
	return json.Marshal(answer)
}

// came counts the different records that a function took.
func (w *world) came(function string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for key := range w.heard {
		if strings.HasPrefix(key, function+" ") {
			n++
		}
	}
	return n
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.heard)
}

// env is where runs of this test work.
func (w *world) env(e replay.Events) replay.Env {
	return replay.Env{Clients: w.clients, Deployment: w.deployment, Where: map[string]string{"test": "yes"}, Now: time.Now, Events: e}
}

// plain is a run of a source as fast as it goes, with a checkpoint.
func (w *world) plain(source replay.Source) replay.Config {
	return replay.Config{
		Source: source, Target: topology.LastMessage, Apply: true, RunID: "run",
		Checkpoint: filepath.Join(w.t.TempDir(), "checkpoint.json"),
		RetryPause: time.Millisecond, StreamPause: time.Millisecond,
	}
}

// replay runs to the end.
func (w *world) replay(c replay.Config) (replay.Plan, replay.Summary) {
	w.t.Helper()
	var plan replay.Plan
	summary, err := replay.Run(w.t.Context(), w.env(replay.Events{Planned: func(p replay.Plan) { plan = p }}), c, nil)
	if err != nil {
		w.t.Fatalf("replay from %s: %v", c.Source, err)
	}
	if len(summary.Failed) > 0 || len(summary.Kept) > 0 {
		w.t.Fatalf("replay from %s: %+v", c.Source, summary)
	}
	return plan, summary
}

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

func keyed(k table.Key, attributes item) item {
	it := item{table.PK: text(k.PK), table.SK: text(k.SK)}
	maps.Copy(it, attributes)
	return it
}

func sk(it item) string { return it[table.SK].(*types.AttributeValueMemberS).Value }

func pk(it item) string { return it[table.PK].(*types.AttributeValueMemberS).Value }

// engine is the table without a socket between.
func (w *world) engine() *dynamodb.Client { return dynamodb.NewFromConfig(w.AWS()) }

// write puts items, and removes those that are only keys.
func (w *world) write(items ...item) {
	w.t.Helper()
	db := w.engine()
	for chunk := range slices.Chunk(items, 25) {
		var writes []types.WriteRequest
		for _, it := range chunk {
			if len(it) == 2 {
				writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: it}})
			} else {
				writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
			}
		}
		out, err := db.BatchWriteItem(w.t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{local.TableName: writes}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			w.t.Fatalf("write: %v, %v", out, err)
		}
	}
}

// epoch is when the rooms of tests begin.
var epoch = time.Now().Add(-3 * time.Hour).Truncate(time.Second)

// roomItems are a room's with its members and messages, one a second.
func roomItems(room string, members, messages int) []item {
	created := epoch.UnixMilli()
	items := []item{keyed(table.Room(room), item{
		table.Name: text("Room " + room), table.Type: text("group"), table.CreatedBy: text(room + "-0"),
		table.CreatedAt: number(created), table.MemberCount: number(int64(members)),
	})}
	for i := range members {
		user := fmt.Sprintf("%s-%d", room, i)
		items = append(items,
			keyed(table.Member(room, user), item{table.Role: text("member"), table.JoinedAt: number(created)}),
			keyed(table.Participation(user, room), item{
				table.JoinedAt: number(created), table.GSI1PK: text(table.UserRooms(user)), table.GSI1SK: text(table.Millis(created)),
			}))
	}
	for i := range messages {
		at := epoch.Add(time.Duration(i+1) * time.Second)
		items = append(items, messageItem(room, at, room+"-0", fmt.Sprintf("message %d", i)))
	}
	return items
}

func messageItem(room string, at time.Time, sender, content string) item {
	id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
	return keyed(table.Message(room, at.UnixMilli(), id), item{
		table.SenderID: text(sender), table.Content: text(content), table.ReadBy: &types.AttributeValueMemberSS{Value: []string{sender}},
	})
}

// seed writes rooms, and returns how many records that makes for lastmessage.
func (w *world) seed(rooms, members, messages int) int {
	w.t.Helper()
	var items []item
	for i := range rooms {
		items = append(items, roomItems(fmt.Sprintf("room-%04d", i), members, messages)...)
	}
	w.write(items...)
	return rooms * (members + messages)
}

// dump reads the whole table.
func (w *world) dump() map[table.Key]string {
	w.t.Helper()
	all := map[table.Key]string{}
	for it := range w.scan() {
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(it)) {
			fields = append(fields, name+"="+render(it[name]))
		}
		all[table.Key{PK: pk(it), SK: sk(it)}] = strings.Join(fields, " ")
	}
	return all
}

func render(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberSS:
		return fmt.Sprint(v.Value)
	}
	return fmt.Sprintf("%T", v)
}

func (w *world) scan() func(func(item) bool) {
	return func(yield func(item) bool) {
		pages := dynamodb.NewScanPaginator(w.engine(), &dynamodb.ScanInput{TableName: aws.String(local.TableName)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.t.Context())
			if err != nil {
				w.t.Fatalf("scan: %v", err)
			}
			for _, it := range page.Items {
				if !yield(it) {
					return
				}
			}
		}
	}
}

// spoil sets back or removes what lastmessage keeps: for every second room its
// last message is removed, else an old one is put; all lists are set back.
func (w *world) spoil() {
	w.t.Helper()
	var items []item
	for it := range w.scan() {
		id, err := table.Parse(table.Key{PK: pk(it), SK: sk(it)})
		switch {
		case err != nil:
		case id.Kind == table.KindLastMessage && strings.HasSuffix(id.RoomID, "0"):
			items = append(items, keyed(table.LastMessage(id.RoomID), nil))
		case id.Kind == table.KindLastMessage:
			items = append(items, keyed(table.LastMessage(id.RoomID), item{
				table.MessageID: text("00000000000000000000000000"), table.SenderID: text("nobody"), table.Preview: text("old"), table.MS: number(0),
			}))
		case id.Kind == table.KindParticipation:
			it[table.GSI1SK] = text(table.Millis(1))
			items = append(items, it)
		}
	}
	w.write(items...)
}

// eventually waits until check holds.
func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !check() {
		select {
		case <-deadline:
			t.Fatalf("%s did not come about within %s", what, patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// same compares two dumps.
func same(t testing.TB, what string, got, want map[table.Key]string) {
	t.Helper()
	shown := 0
	for k, v := range want {
		if got[k] != v && shown < 5 {
			t.Errorf("%s: %v\n got %q\nwant %q", what, k, got[k], v)
			shown++
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok && shown < 5 {
			t.Errorf("%s: %v is there", what, k)
			shown++
		}
	}
}

