package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// quiet is how long a test waits for what should not come.
const quiet = 150 * time.Millisecond

// logs keeps what a server logs.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

type server struct {
	*local.Server
	t    testing.TB
	logs *logs
}

// start runs a whole Streamroom on free ports, in memory unless c says else.
func start(t testing.TB, c local.Config) *server {
	t.Helper()
	s := &server{t: t, logs: &logs{}}
	c.Addr, c.DynamoDBAddr = "127.0.0.1:0", "127.0.0.1:0"
	if c.LogLevel == "" {
		c.LogLevel = "debug"
	}
	c.Log = s.logs
	running, err := local.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	s.Server = running
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("the server logged:\n%s", s.logs)
		}
	})
	return s
}

// token signs a user in; expiresIn in seconds, 0 for the default.
func (s *server) token(user string, expiresIn int) string {
	s.t.Helper()
	var out struct{ Token string }
	status := s.post("/token", "", map[string]any{"user": user, "expiresIn": expiresIn}, &out)
	if status != http.StatusOK || out.Token == "" {
		s.t.Fatalf("token of %s: status %d", user, status)
	}
	return out.Token
}

func (s *server) post(path, token string, body, into any) (status int) {
	s.t.Helper()
	return s.request(http.MethodPost, path, token, body, into)
}

// api makes a request of the HTTP API as a user.
func (s *server) api(user, method, path string, body, into any) (status int) {
	s.t.Helper()
	return s.request(method, "/api"+path, s.token(user, 0), body, into)
}

func (s *server) request(method, path, token string, body, into any) (status int) {
	s.t.Helper()
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL()+path, bytes.NewReader(sent))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if strings.HasPrefix(path, "/api/") {
		described().check(s.t, r, sent, response, data)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			s.t.Fatalf("%s %s answered %d, %s: %v", method, path, response.StatusCode, data, err)
		}
	}
	return response.StatusCode
}

// room makes a group; the first member owns it.
func (s *server) room(members ...string) string {
	s.t.Helper()
	var out wire.Room
	status := s.api(members[0], http.MethodPost, "/rooms", wire.RoomRequest{Name: "Test", Type: "group", Members: members[1:]}, &out)
	if status != http.StatusCreated {
		s.t.Fatalf("create a room: status %d", status)
	}
	return out.ChatRoomID
}

// history reads a room's newest messages, newest first.
func (s *server) history(user, room string) []wire.HistoryMessage {
	s.t.Helper()
	var out wire.History
	if status := s.api(user, http.MethodGet, "/rooms/"+room+"/messages?limit=100", nil, &out); status != http.StatusOK {
		s.t.Fatalf("history of %s: status %d", room, status)
	}
	return out.Messages
}

// items counts the table's items under a partition key's prefix.
func (s *server) items(pkPrefix string) int {
	s.t.Helper()
	db := dynamodb.NewFromConfig(s.AWS())
	count := 0
	pages := dynamodb.NewScanPaginator(db, &dynamodb.ScanInput{TableName: aws.String(local.TableName), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.t.Context())
		if err != nil {
			s.t.Fatalf("scan: %v", err)
		}
		for _, item := range page.Items {
			if pk, ok := item[table.PK].(*types.AttributeValueMemberS); ok && strings.HasPrefix(pk.Value, pkPrefix) {
				count++
			}
		}
	}
	return count
}

// connections counts what the table knows of a user's connections.
func (s *server) connections(user string) (rows, entries int) {
	s.t.Helper()
	present, err := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, time.Now).Presence(s.t.Context(), []string{user}, 100)
	if err != nil {
		s.t.Fatalf("read the presence: %v", err)
	}
	return s.items(table.ConnectionPrefix), len(present[user])
}

// eventually waits until check holds.
func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !check() {
		select {
		case <-deadline:
			t.Fatalf("%s did not come about within %s", what, patience)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// device is one client's socket.
type device struct {
	t      testing.TB
	user   string
	id     string // of the connection
	socket *websocket.Conn
	frames chan wire.ServerFrame // batches taken apart
	ended  chan error            // why reading ended
}

// connect opens a socket and waits for its first pong.
func (s *server) connect(user string) *device {
	s.t.Helper()
	return s.connectWith(user, s.token(user, 0))
}

func (s *server) connectWith(user, token string) *device {
	s.t.Helper()
	socket, response, err := websocket.Dial(s.t.Context(), s.WebSocketURL(), &websocket.DialOptions{
		Subprotocols: []string{"streamroom", token},
	})
	if err != nil {
		s.t.Fatalf("connect %s: %v (%v)", user, err, response)
	}
	if socket.Subprotocol() != "streamroom" {
		s.t.Fatalf("the answer selects the subprotocol %q", socket.Subprotocol())
	}
	socket.SetReadLimit(1 << 20)
	d := &device{t: s.t, user: user, socket: socket, frames: make(chan wire.ServerFrame, 10_000), ended: make(chan error, 1)}
	var reading sync.WaitGroup
	reading.Go(d.read)
	s.t.Cleanup(func() {
		_ = socket.CloseNow()
		reading.Wait()
	})
	d.say(`{"action":"ping"}`)
	pong := d.expect(wire.TypePong)
	if pong.UserID != user {
		s.t.Fatalf("%s is %q to the server", user, pong.UserID)
	}
	d.id = pong.ConnectionID
	return d
}

func (d *device) read() {
	for {
		_, data, err := d.socket.Read(context.Background())
		if err != nil {
			d.ended <- err
			close(d.frames)
			return
		}
		d.take(data)
	}
}

func (d *device) take(data []byte) {
	var frame wire.ServerFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		d.t.Errorf("%s got a frame that is no JSON: %s", d.user, data)
		return
	}
	if frame.Type == wire.TypeBatch {
		for _, part := range frame.Frames {
			d.take(part)
		}
		return
	}
	d.frames <- frame
}

func (d *device) say(frame string) {
	d.t.Helper()
	if err := d.socket.Write(d.t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		d.t.Fatalf("%s sends: %v", d.user, err)
	}
}

// send sends a message and does not wait for the ack.
func (d *device) send(room, content, clientMessageID string) {
	d.t.Helper()
	frame, err := wire.Encode(wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: room, Content: content, ClientMessageID: clientMessageID,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.say(string(frame))
}

// next returns the next frame, whatever it is.
func (d *device) next() (wire.ServerFrame, error) {
	select {
	case frame, ok := <-d.frames:
		if !ok {
			return wire.ServerFrame{}, errors.New("the socket ended")
		}
		return frame, nil
	case <-time.After(patience):
		return wire.ServerFrame{}, fmt.Errorf("nothing came for %s", patience)
	}
}

// expect returns the next frame of one of the types and passes over others.
func (d *device) expect(kinds ...string) wire.ServerFrame {
	d.t.Helper()
	for {
		frame, err := d.next()
		if err != nil {
			d.t.Fatalf("%s waits for %v: %v", d.user, kinds, err)
		}
		if slices.Contains(kinds, frame.Type) {
			return frame
		}
	}
}

// expectOf is expect for the frames of one room.
func (d *device) expectOf(room string, kinds ...string) wire.ServerFrame {
	d.t.Helper()
	for {
		if frame := d.expect(kinds...); frame.ChatRoomID == room {
			return frame
		}
	}
}

// deliver sends a message and returns its ack and its own frame, which come in
// either order.
func (d *device) deliver(room, content, clientMessageID string) (ack, message wire.ServerFrame) {
	d.t.Helper()
	d.send(room, content, clientMessageID)
	for ack.Type == "" || message.Type == "" {
		switch frame := d.expect(wire.TypeAck, wire.TypeMessage, wire.TypeError); frame.Type {
		case wire.TypeAck:
			ack = frame
		case wire.TypeMessage:
			message = frame
		case wire.TypeError:
			d.t.Fatalf("%s is refused: %s, %s", d.user, frame.Code, frame.Message)
		}
	}
	return ack, message
}

// none checks that no frame of a type comes.
func (d *device) none(kind string) {
	d.t.Helper()
	d.noneOf("", kind)
}

// noneOf is none for the frames of one room; "" is any.
func (d *device) noneOf(room, kind string) {
	d.t.Helper()
	timeout := time.After(quiet)
	for {
		select {
		case frame, ok := <-d.frames:
			if !ok {
				return
			}
			if frame.Type == kind && (room == "" || frame.ChatRoomID == room) {
				d.t.Errorf("%s got another frame: %+v", d.user, frame)
			}
		case <-timeout:
			return
		}
	}
}
