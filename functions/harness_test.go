package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

func TestMain(m *testing.M) {
	if os.Getenv(backendEnv) != "" {
		serveBackend()
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	tableName = "streamroom"
	issuer    = "http://issuer.example"
	// room is the only room.
	room = "room-01jtestroom0000000000000000"
)

// clock stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time           { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(by time.Duration) { c.ms.Add(by.Milliseconds()) }

// world is the environment of one function, with a room in the table. It is not
// a whole Streamroom (test/rig starts that): tests and benchmarks here invoke a
// function directly, and count its AWS calls, its CPU and its allocations.
type world struct {
	t     testing.TB
	clock *clock
	pool  *identity.Pool
	env   functions.Env
	store *dynamo.Store
	ids   chat.IDs
}

// newWorld makes the table at an endpoint. Without client and posts, functions
// use those that they have on AWS.
func newWorld(t testing.TB, endpoint, callback string, client aws.HTTPClient, posts http.RoundTripper) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}}
	w.clock.ms.Store(time.Now().UnixMilli())
	variables := map[string]string{
		config.TableName: tableName, config.CallbackURL: callback, config.Issuer: issuer,
		config.Audience: identity.ClientID, config.TokenUse: "access", config.Services: "bot=" + identity.ServiceClientID("bot"),
		config.PushKey: "key", config.PushSecret: "/push", config.PushContact: "mailto:ops@example.com",
	}
	w.env = functions.Env{
		Getenv: func(name string) string { return variables[name] },
		AWS: aws.Config{
			Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: client,
			Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		},
		Posts: posts,
		Keys:  &http.Client{Transport: keys{w}},
		Now:   w.clock.now,
		Log:   io.Discard,
	}
	db := ddb.NewFromConfig(w.env.AWS)
	_, err := local.CreateTable(t.Context(), db, tableName)
	w.must(err)
	w.store = dynamo.New(db, tableName, w.clock.now)
	w.ids = chat.NewIDs(w.clock.now, ones{})
	return w
}

// ones is an entropy: the ids of a clock that moves differ all the same. They end with Z,
// so no message puts members into an index.
type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xff
	}
	return len(p), nil
}

// keys publishes the issuer's description and keys.
type keys struct{ w *world }

// RoundTrip implements http.RoundTripper.
func (k keys) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if r.URL.Path == identity.DescriptionPath {
		k.w.pool.ServeDescription(recorder, r)
	} else {
		k.w.pool.ServeJWKS(recorder, r)
	}
	return recorder.Result(), nil
}

// token signs a user in.
func (w *world) token(userID string) string {
	w.t.Helper()
	if w.pool == nil { // making its key takes a while
		var err error
		if w.pool, err = identity.Open("", issuer, w.clock.now); err != nil {
			w.t.Fatal(err)
		}
	}
	token, err := w.pool.Token(userID, 24*time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func user(i int) string { return fmt.Sprintf("user-%03d", i) }

// connection is the id of the device of user i, of API Gateway's length.
func connection(i int) string { return fmt.Sprintf("R1kmxc2VN%05d=", i) }

// populate makes the room with n members, each with a device.
func (w *world) populate(n int) {
	w.t.Helper()
	members := make([]chat.Member, n)
	for i := range members {
		members[i] = chat.Member{UserID: user(i), Role: chat.PlainMember, JoinedAt: w.clock.now().UnixMilli()}
	}
	members[0].Role = chat.Owner
	first := min(n, chat.MaxInitialMember)
	description := chat.Room{ID: room, Name: "Room", Type: chat.Group, CreatedBy: user(0), CreatedAt: w.clock.now().UnixMilli()}
	_, err := w.store.CreateRoom(w.t.Context(), description, members[:first])
	w.must(err)
	for _, m := range members[first:] {
		_, err := w.store.AddMember(w.t.Context(), description, m)
		w.must(err)
	}
	for i := range members {
		w.connect(i)
	}
}

// connect stores the device of a user.
func (w *world) connect(i int) {
	w.t.Helper()
	_, _, err := w.store.PutConnection(w.t.Context(), chat.Connection{
		ID: connection(i), UserID: user(i), ConnectedAt: w.clock.now().UnixMilli(),
		TokenExpiresAt: w.clock.now().Add(24 * time.Hour).UnixMilli(),
	}, chat.RateTake{})
	w.must(err)
}

// message stores a message of size bytes, a little later than the last one.
func (w *world) message(size int) chat.Message {
	w.t.Helper()
	return w.messageOf(user(0), room, size)
}

// otherMessage stores a message of user 1, of a chat's usual size.
func (w *world) otherMessage(roomID string) chat.Message {
	w.t.Helper()
	return w.otherMessageOf(roomID, 300)
}

// otherMessageOf stores a message of user 1 of size bytes, a little later than the
// last one.
func (w *world) otherMessageOf(roomID string, size int) chat.Message {
	w.t.Helper()
	return w.messageOf(user(1), roomID, size)
}

func (w *world) messageOf(sender, roomID string, size int) chat.Message {
	w.t.Helper()
	w.clock.advance(10 * time.Millisecond)
	id, ms, err := w.ids.Message()
	w.must(err)
	m := chat.Message{RoomID: roomID, ID: id, SenderID: sender, SentAt: ms, Content: text(size)}
	w.must(w.store.PutMessage(w.t.Context(), m))
	return m
}

// rooms are the ids of n rooms beside the populated one.
func (w *world) rooms(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("room-bench-%02d", i)
	}
	return ids
}

// batch stores messages of a chat's usual size.
func (w *world) batch(messages int) []chat.Message {
	w.t.Helper()
	batch := make([]chat.Message, messages)
	for i := range batch {
		batch[i] = w.message(300)
	}
	return batch
}

func text(size int) string { return strings.Repeat("x", size) }

// wired makes a function.
func (w *world) wired(construct functions.Constructor) awslambda.Handler {
	w.t.Helper()
	handler, err := construct(w.env)
	w.must(err)
	return handler
}

// invoke runs a function as Lambda does, with a deadline. The answer must have
// the status, 0 for functions that answer with none, and no failed records.
func (w *world) invoke(handler awslambda.Handler, event []byte, status int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	answer, err := handler.Invoke(ctx, event)
	w.must(err)
	var got struct {
		StatusCode        int   `json:"statusCode"`
		BatchItemFailures []any `json:"batchItemFailures"`
	}
	w.must(json.Unmarshal(answer, &got))
	if got.StatusCode != status || len(got.BatchItemFailures) > 0 {
		w.t.Fatalf("the function answers %s", answer)
	}
}

// object is a JSON object.
type object = map[string]any

// recorded reads an event that is kept as a file.
func (w *world) recorded(path string) object {
	w.t.Helper()
	data, err := os.ReadFile(path)
	w.must(err)
	var event object
	w.must(json.Unmarshal(data, &event))
	return event
}

func (w *world) encode(event object) []byte {
	w.t.Helper()
	data, err := json.Marshal(event)
	w.must(err)
	return data
}

// route is the event of a WebSocket route: connect, message or disconnect.
func (w *world) route(name, connectionID string, change func(event object)) []byte {
	w.t.Helper()
	event := w.recorded("../local/apigateway/testdata/" + name + ".json")
	about, _ := event["requestContext"].(object)
	about["connectionId"] = connectionID
	about["connectedAt"] = w.clock.now().UnixMilli()
	change(event)
	return w.encode(event)
}

// handshake is the event of a new device that offers a token.
func (w *world) handshake(connectionID, token string) []byte {
	return w.route("connect", connectionID, func(event object) {
		event["queryStringParameters"], event["multiValueQueryStringParameters"] = nil, nil
		offered := "streamroom, " + token
		for name, value := range map[string]any{"headers": offered, "multiValueHeaders": []string{offered}} {
			headers, _ := event[name].(object)
			headers["Sec-WebSocket-Protocol"] = value
		}
	})
}

// frame is the event of a client's frame.
func (w *world) frame(connectionID string, frame object) []byte {
	w.t.Helper()
	body := string(w.encode(frame))
	return w.route("message", connectionID, func(event object) { event["body"] = body })
}

// request is the event of a request of the HTTP API.
func (w *world) request(method, path, query, body string) []byte {
	w.t.Helper()
	return w.requestOf(user(0), method, path, query, body)
}

// requestOf is request of any user.
func (w *world) requestOf(userID, method, path, query, body string) []byte {
	w.t.Helper()
	event := w.recorded("../local/apigateway/testdata/http-get.json")
	event["rawPath"], event["rawQueryString"], event["body"] = path, query, body
	about, _ := event["requestContext"].(object)
	headers, _ := event["headers"].(object)
	headers["content-type"] = "application/json"
	about["http"] = object{"method": method, "path": path, "protocol": "HTTP/1.1"}
	about["authorizer"] = object{"jwt": object{"claims": object{
		"iss": issuer, "client_id": identity.ClientID, "token_use": "access", "username": userID,
		"exp": strconv.FormatInt(w.clock.now().Add(time.Hour).Unix(), 10),
	}}}
	return w.encode(event)
}

// serviceRequest makes a request that of a service.
func (w *world) serviceRequest(request []byte) []byte {
	w.t.Helper()
	var event object
	w.must(json.Unmarshal(request, &event))
	about, _ := event["requestContext"].(object)
	about["authorizer"] = object{"jwt": object{"claims": object{
		"iss": issuer, "client_id": identity.ServiceClientID("bot"), "token_use": "access", "scope": chat.ServiceScope,
		"exp": strconv.FormatInt(w.clock.now().Add(time.Hour).Unix(), 10),
	}}}
	return w.encode(event)
}

// inserted is the stream event of messages that were stored.
func (w *world) inserted(messages ...chat.Message) []byte {
	w.t.Helper()
	records := make([]object, len(messages))
	for i, m := range messages {
		records[i] = w.recorded("testdata/message-insert.json")
		key := table.Message(m.RoomID, m.SentAt, m.ID)
		keys := object{table.PK: object{"S": key.PK}, table.SK: object{"S": key.SK}}
		change, _ := records[i]["dynamodb"].(object)
		change["ApproximateCreationDateTime"] = m.SentAt / 1000
		change["SequenceNumber"] = strconv.Itoa(100_000_000 + i)
		change["Keys"] = keys
		image, _ := change["NewImage"].(object)
		image[table.PK], image[table.SK] = keys[table.PK], keys[table.SK]
		image[table.SenderID], image[table.Content] = object{"S": m.SenderID}, object{"S": m.Content}
	}
	return w.encode(object{"Records": records})
}
