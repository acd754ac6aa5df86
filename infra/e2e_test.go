package main

import (
	"bytes"
	"context"
	"encoding/json"
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

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
)

// patience bounds the wait for frames that arrive at once, or with the next
// window of a mapping.
const patience = 20 * time.Second

// TestWhatIsSynthesizedChats runs what the templates say: their routes, mappings,
// filters and variables, the programs in their assets, and each function with
// the permissions of its role. So a missing variable, permission or filter fails
// here and not in an account, and so does a permission that no function needs.
func TestWhatIsSynthesizedChats(t *testing.T) {
	c := synth(t, "dev")
	guards := map[string]*guard{}
	var logs lockedBuffer
	server, err := local.Start(t.Context(), local.Config{
		Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "info", Log: &logs,
		Wrap: func(d local.Deployment) local.Deployment { return resolver{t, c, d.URL}.deployment(guards) },
	})
	if err != nil {
		t.Fatalf("start what was synthesized: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		for _, f := range topology.Functions() {
			for _, refused := range guards[f.Name].refused {
				t.Errorf("the role does not allow what is needed: %s", refused)
			}
		}
		if t.Failed() {
			t.Logf("the server logged:\n%s", logs.String())
		}
	})

	chat := &chatter{t: t, server: server, methods: c.apiMethods()}
	chat.everything()

	missing := func() (out []string) {
		for _, f := range topology.Functions() {
			out = append(out, guards[f.Name].unused()...)
		}
		return out
	}
	// lastmessage has windows of seconds, and deletions arrive by the stream.
	deadline := time.After(patience)
	for !chat.ordered() || len(missing()) > 0 {
		select {
		case <-deadline:
			t.Errorf("the last message has come to the room list: %t", chat.ordered())
			for _, permission := range missing() {
				t.Errorf("the role allows what is never used: %s", permission)
			}
		case <-time.After(50 * time.Millisecond):
			continue
		}
		break
	}
}

// apiMethods returns the methods that the HTTP API has routes for.
func (c *cloud) apiMethods() []string {
	var methods []string
	for _, r := range c.all("AWS::ApiGatewayV2::Route") {
		if method, ok := strings.CutSuffix(fmt.Sprint(r.at("RouteKey")), " /{proxy+}"); ok {
			methods = append(methods, method)
		}
	}
	return methods
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// chatter uses every feature of Streamroom.
type chatter struct {
	t       *testing.T
	server  *local.Server
	methods []string
	talked  string // a room with messages
}

func (c *chatter) everything() {
	c.t.Helper()
	var room, quiet wire.Room
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Tea", Type: "group", Members: []string{"bob"}}, http.StatusCreated, &room)
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Quiet", Type: "group"}, http.StatusCreated, &quiet)
	dm := wire.RoomRequest{Type: "dm", Members: []string{"bob"}}
	c.api("alice", http.MethodPost, "/rooms", dm, http.StatusCreated, nil)
	c.api("alice", http.MethodPost, "/rooms", dm, http.StatusOK, nil)
	c.talked = room.ChatRoomID
	c.ghost("alice")

	alice, bob := c.open("alice"), c.open("bob")
	alice.say(wire.ClientFrame{Action: wire.ActionSendMessage, ChatRoomID: room.ChatRoomID, Content: "hello", ClientMessageID: "c-1"})
	ack := alice.expect(wire.TypeAck)
	if got := bob.expect(wire.TypeMessage); got.MessageID != ack.MessageID || got.Content != "hello" {
		c.t.Errorf("bob got %+v, alice's ack was %+v", got, ack)
	}
	bob.say(wire.ClientFrame{Action: wire.ActionSendMessage, ChatRoomID: room.ChatRoomID, Content: "hi"})
	bob.expect(wire.TypeAck)
	alice.say(wire.ClientFrame{Action: wire.ActionSendMessage, ChatRoomID: "nowhere", Content: "x"})
	if refused := alice.expect(wire.TypeError); refused.Code != "not_a_member" {
		c.t.Errorf("a message to no room was answered with %+v", refused)
	}

	path := "/rooms/" + room.ChatRoomID
	c.api("alice", http.MethodPost, path+"/members", wire.MemberRequest{UserID: "carol"}, http.StatusCreated, nil)
	bob.expect(wire.TypeMemberJoined)
	var description wire.Room
	c.api("carol", http.MethodGet, path, nil, http.StatusOK, &description)
	if description.MemberCount != 3 {
		c.t.Errorf("the room has %d members, not 3", description.MemberCount)
	}
	var history wire.History
	c.api("carol", http.MethodGet, path+"/messages", nil, http.StatusOK, &history)
	if len(history.Messages) != 2 {
		c.t.Errorf("the history has %d messages, not 2", len(history.Messages))
	}
	var sync wire.SyncResponse
	c.api("bob", http.MethodPost, "/sync", wire.SyncRequest{Rooms: map[string]string{room.ChatRoomID: ack.MessageID}}, http.StatusOK, &sync)
	if len(sync.Rooms[room.ChatRoomID].Messages) != 1 {
		c.t.Errorf("the sync answered %+v", sync)
	}
	c.changes(bob, path, ack.MessageID)
	c.api("alice", http.MethodDelete, path+"/members/carol", nil, http.StatusNoContent, nil)
	bob.expect(wire.TypeMemberLeft)
	c.api("carol", http.MethodGet, path, nil, http.StatusForbidden, nil)
	// When the last owner leaves, a room passes to another member, or is deleted.
	c.api("alice", http.MethodDelete, path+"/members?userId=alice", nil, http.StatusNoContent, nil)
	bob.expect(wire.TypeMemberLeft)
	c.api("alice", http.MethodDelete, "/rooms/"+quiet.ChatRoomID+"/members/alice", nil, http.StatusNoContent, nil)
	bob.close()

	// A room that fanout cuts into slices.
	var large wire.Room
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Large", Type: "group"}, http.StatusCreated, &large)
	c.crowd(large.ChatRoomID, stream.SliceAbove)
	alice.say(wire.ClientFrame{Action: wire.ActionSendMessage, ChatRoomID: large.ChatRoomID, Content: "hello all"})
	ack = alice.expect(wire.TypeAck)
	for alice.expect(wire.TypeMessage).MessageID != ack.MessageID {
	}
}

// changes makes every change that others in a room see.
func (c *chatter) changes(bob *seat, path, messageID string) {
	c.t.Helper()
	name := "Alice"
	c.api("alice", http.MethodPut, "/me", wire.NameChange{DisplayName: &name}, http.StatusOK, nil)
	var profiles wire.Profiles
	c.api("bob", http.MethodPost, "/profiles", wire.ProfilesRequest{Users: []string{"alice", "bob"}}, http.StatusOK, &profiles)
	if len(profiles.Profiles) != 1 || profiles.Profiles["alice"].DisplayName != name {
		c.t.Errorf("the profiles are %+v", profiles)
	}
	c.api("alice", http.MethodPatch, path, wire.NameRequest{Name: "Coffee"}, http.StatusOK, nil)
	if changed := bob.expect(wire.TypeRoomChanged); changed.Name != "Coffee" {
		c.t.Errorf("bob got %+v", changed)
	}
	c.api("carol", http.MethodPost, path+"/read", wire.ReadRequest{UpTo: messageID}, http.StatusNoContent, nil)
	bob.expect(wire.TypeRead)
	message := path + "/messages/" + messageID
	c.api("alice", http.MethodPatch, message, wire.EditRequest{Content: "Hello"}, http.StatusOK, nil)
	if edited := bob.expect(wire.TypeMessageEdited); edited.Content != "Hello" {
		c.t.Errorf("bob got %+v", edited)
	}
	c.api("alice", http.MethodDelete, message, nil, http.StatusNoContent, nil)
	bob.expect(wire.TypeMessageDeleted)
	var described any
	c.api("bob", http.MethodGet, "/openapi.json", nil, http.StatusOK, &described)
}

// crowd makes n members of a room.
func (c *chatter) crowd(roomID string, n int) {
	c.t.Helper()
	db := dynamodb.NewFromConfig(c.server.AWS())
	var writes []types.WriteRequest
	for i := range n {
		k := table.Member(roomID, fmt.Sprintf("user-%06d", i))
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: map[string]types.AttributeValue{
			table.PK: &types.AttributeValueMemberS{Value: k.PK}, table.SK: &types.AttributeValueMemberS{Value: k.SK},
			table.JoinedAt: &types.AttributeValueMemberN{Value: "1"},
		}}})
	}
	for batch := range slices.Chunk(writes, 25) {
		_, err := db.BatchWriteItem(c.t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tableName: batch}})
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// ordered reports whether lastmessage has updated the room list.
func (c *chatter) ordered() bool {
	c.t.Helper()
	var rooms wire.RoomList
	c.api("bob", http.MethodGet, "/rooms", nil, http.StatusOK, &rooms)
	return slices.ContainsFunc(rooms.Rooms, func(r wire.RoomSummary) bool {
		return r.ChatRoomID == c.talked && r.LastMessage != nil && r.LastMessage.Preview == "hi"
	})
}

// ghost writes the rows of a connection that was lost an hour ago, without
// $disconnect.
func (c *chatter) ghost(user string) {
	c.t.Helper()
	const id = "R1kmxc2VNjMCFIA="
	db := dynamodb.NewFromConfig(c.server.AWS())
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(n int64) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(n)} }
	now := time.Now()
	connectedAt, ttl := number(now.Add(-time.Hour).UnixMilli()), number(now.Add(time.Hour).Unix())
	row := map[string]types.AttributeValue{table.UserID: text(user), table.ConnectedAt: connectedAt, table.TTL: ttl}
	presence := map[string]types.AttributeValue{
		table.PresenceEntry(id): &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{table.ConnectedAt: connectedAt, table.TTL: ttl}},
		table.TTL:               ttl,
	}
	for k, it := range map[table.Key]map[string]types.AttributeValue{table.Connection(id): row, table.Presence(user): presence} {
		it[table.PK], it[table.SK] = text(k.PK), text(k.SK)
		if _, err := db.PutItem(c.t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: it}); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *chatter) token(user string) string {
	c.t.Helper()
	var out struct{ Token string }
	c.request(http.MethodPost, c.server.URL()+"/token", "", map[string]string{"user": user}, http.StatusOK, &out)
	return out.Token
}

func (c *chatter) api(user, method, path string, body any, status int, into any) {
	c.t.Helper()
	if !slices.Contains(c.methods, method) {
		c.t.Errorf("the HTTP API has no route for %s %s", method, path)
	}
	c.request(method, c.server.URL()+"/api"+path, c.token(user), body, status, into)
}

func (c *chatter) request(method, url, token string, body any, status int, into any) {
	c.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, url, bytes.NewReader(data))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode != status {
		c.t.Fatalf("%s %s answered %d, want %d: %s", method, url, response.StatusCode, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			c.t.Fatal(err)
		}
	}
}

// seat is one client's socket.
type seat struct {
	t      *testing.T
	user   string
	socket *websocket.Conn
	queue  []wire.ServerFrame
}

// open connects and waits for the first pong.
func (c *chatter) open(user string) *seat {
	c.t.Helper()
	socket, response, err := websocket.Dial(c.t.Context(), c.server.WebSocketURL(), &websocket.DialOptions{
		Subprotocols: []string{"streamroom", c.token(user)},
	})
	if err != nil {
		c.t.Fatalf("connect: %v (%v)", err, response)
	}
	s := &seat{t: c.t, user: user, socket: socket}
	c.t.Cleanup(func() { _ = socket.CloseNow() })
	s.say(wire.ClientFrame{Action: "ping"})
	if pong := s.expect(wire.TypePong); pong.UserID != user {
		c.t.Errorf("%s is %q to the server", user, pong.UserID)
	}
	return s
}

func (s *seat) say(frame wire.ClientFrame) {
	s.t.Helper()
	data, err := wire.Encode(frame)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.socket.Write(s.t.Context(), websocket.MessageText, data); err != nil {
		s.t.Fatal(err)
	}
}

// expect returns the next frame of a type and keeps the others.
func (s *seat) expect(kind string) wire.ServerFrame {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		for i, frame := range s.queue {
			if frame.Type == kind {
				s.queue = slices.Delete(s.queue, i, i+1)
				return frame
			}
		}
		_, data, err := s.socket.Read(ctx)
		if err != nil {
			s.t.Fatalf("%s waits for %s: %v; got %+v", s.user, kind, err, s.queue)
		}
		var frame wire.ServerFrame
		if err := json.Unmarshal(data, &frame); err != nil {
			s.t.Fatal(err)
		}
		if frame.Type != wire.TypeBatch {
			s.queue = append(s.queue, frame)
			continue
		}
		for _, part := range frame.Frames {
			var inner wire.ServerFrame
			if err := json.Unmarshal(part, &inner); err != nil {
				s.t.Fatal(err)
			}
			s.queue = append(s.queue, inner)
		}
	}
}

func (s *seat) close() {
	s.t.Helper()
	if err := s.socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		s.t.Errorf("close: %v", err)
	}
}
