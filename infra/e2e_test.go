package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// TestWhatIsSynthesizedChats runs what the templates say: their routes, mappings,
// filters and variables, the programs in their assets, and each function with
// the permissions of its role. So a missing variable, permission or filter fails
// here and not in an account, and so does a permission that no function needs.
func TestWhatIsSynthesizedChats(t *testing.T) {
	c := synthWith(t, pushSettings(map[string]any{
		"env": "dev", "services": "bot", "events": true, "reviewFunction": reviewFunction,
		"sendRate": 1000, "sendBurst": 1000, // the test sends faster than people do
	}))
	guards := allowing(t)
	server := rig.Start(t, local.Config{
		LogLevel: "info", Events: io.Discard, Push: true, Pushes: ended{}, Reviews: reviewer{},
		Wrap: func(d local.Deployment) local.Deployment { return inRoles(t, c, d, guards) },
	})

	chat := &chatter{t: t, server: server, methods: c.apiMethods(), signer: guards[topology.API]}
	chat.everything()

	missing := func() (out []string) {
		for _, f := range topology.Programs() {
			out = append(out, guards[f.Name].unused()...)
		}
		return out
	}
	// lastmessage has windows of seconds, and deletions arrive by the stream.
	deadline := time.After(rig.Patience)
	for !chat.ordered() || len(missing()) > 0 {
		select {
		case <-deadline:
			t.Errorf("the last message has come to the room list: %t", chat.ordered())
			for _, permission := range missing() {
				t.Errorf("the role allows what is never used: %s", permission)
			}
		case <-time.After(250 * time.Millisecond): // slower than a user may read
			chat.note() // sends are taken out of the limit together, from a number on that is any instance's own
			continue
		}
		break
	}
}

// allowing returns guards to fill in, whose roles have to allow all that is needed.
func allowing(t *testing.T) map[string]*guard {
	t.Helper()
	guards := map[string]*guard{}
	// Cleanups run last in, first out: the server has stopped when this one runs.
	t.Cleanup(func() {
		for _, f := range topology.Programs() {
			for _, refused := range guards[f.Name].refused {
				t.Errorf("the role does not allow what is needed: %s", refused)
			}
		}
	})
	return guards
}

// inRoles returns what the templates deploy instead of d, with a guard for each function.
func inRoles(t *testing.T, c *cloud, d local.Deployment, guards map[string]*guard) local.Deployment {
	t.Helper()
	deployed := resolver{t, c, d.URL}.deployment(guards)
	key := publicKey(d)
	for _, f := range deployed.Functions {
		if f.Environment[config.PushKey] != "" {
			f.Environment[config.PushKey] = key // that of the local runtime's secret
		}
	}
	return deployed
}

// ended is a push service that no longer has any subscription.
type ended struct{}

func (ended) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusGone, Body: http.NoBody, Request: r}, nil
}

// reviewer is Lambda with a function that lets everything pass.
type reviewer struct{}

func (reviewer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"action":"allow"}`)), Request: r}, nil
}

func publicKey(d local.Deployment) string {
	for _, f := range d.Functions {
		if f.Name == topology.Push {
			return f.Environment[config.PushKey]
		}
	}
	return ""
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

// chatter uses every feature of Streamroom.
type chatter struct {
	t       *testing.T
	server  *rig.Rig
	methods []string
	signer  *guard // of the function that signs forms and links
	talked  string // a room with messages

	notes string // a room of its writer alone
	alice *rig.Socket
}

func (c *chatter) everything() {
	c.t.Helper()
	var room, quiet, direct wire.Room
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Tea", Type: "group", Members: []string{"bob"}}, http.StatusCreated, &room)
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Quiet", Type: "group"}, http.StatusCreated, &quiet)
	dm := wire.RoomRequest{Type: "dm", Members: []string{"bob"}}
	c.api("alice", http.MethodPost, "/rooms", dm, http.StatusCreated, nil)
	c.api("alice", http.MethodPost, "/rooms", dm, http.StatusOK, &direct)
	c.api("alice", http.MethodDelete, "/rooms/"+direct.ChatRoomID+"/members?userId=alice", nil, http.StatusNoContent, nil)
	c.talked = room.ChatRoomID
	c.ghost("alice")

	alice, bob := c.server.Connect("alice"), c.server.Connect("bob")
	alice.Send(room.ChatRoomID, "hello", "c-1")
	ack := alice.Expect(wire.TypeAck)
	if got := bob.Expect(wire.TypeMessage); got.MessageID != ack.MessageID || got.Content != "hello" {
		c.t.Errorf("bob got %+v, alice's ack was %+v", got, ack)
	}
	if got := bob.TypesTo(room.ChatRoomID, alice); got.UserID != "bob" {
		c.t.Errorf("alice got %+v", got)
	}
	bob.Write(`{"action":"sendMessage","chatRoomId":"` + room.ChatRoomID + `","content":"hi","clientMessageId":"c-2","echo":false}`)
	bob.Expect(wire.TypeAck)
	alice.Send("nowhere", "x", "")
	if refused := alice.Expect(wire.TypeError); refused.Code != "not_a_member" {
		c.t.Errorf("a message to no room was answered with %+v", refused)
	}

	alice.Write(`{"action":"fly"}`) // which counts, as the one above
	if refused := alice.Expect(wire.TypeError); refused.Code != "unknown_action" {
		c.t.Errorf("an unknown action was answered with %+v", refused)
	}

	path := "/rooms/" + room.ChatRoomID
	c.api("alice", http.MethodPost, path+"/members", wire.MemberRequest{UserID: "carol"}, http.StatusCreated, nil)
	bob.Expect(wire.TypeMemberJoined)
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
	var present wire.RoomPresence
	c.api("carol", http.MethodGet, path+"/presence", nil, http.StatusOK, &present)
	if present.Online != 2 {
		c.t.Errorf("online are %+v, want alice and bob", present)
	}
	hidden := wire.PresenceHidden
	c.api("bob", http.MethodPut, "/me", wire.NameChange{Presence: &hidden}, http.StatusOK, nil)
	for gone := alice.Expect(wire.TypePresence); gone.Online || gone.UserID != "bob"; gone = alice.Expect(wire.TypePresence) {
	}
	c.attach(alice, bob, room.ChatRoomID)
	alice.Send(room.ChatRoomID, "hi", "c-3") // the room's last message at the end: that with the file is deleted
	alice.Expect(wire.TypeAck)
	c.changes(bob, path, ack.MessageID)
	c.api("alice", http.MethodDelete, path+"/members/carol", nil, http.StatusNoContent, nil)
	bob.Expect(wire.TypeMemberLeft)
	c.api("carol", http.MethodGet, path, nil, http.StatusForbidden, nil)
	// When the last owner leaves, a room passes to another member, or is deleted.
	c.api("alice", http.MethodDelete, path+"/members?userId=alice", nil, http.StatusNoContent, nil)
	bob.Expect(wire.TypeMemberLeft)
	c.api("alice", http.MethodDelete, "/rooms/"+quiet.ChatRoomID+"/members/alice", nil, http.StatusNoContent, nil)
	if err := bob.Conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		c.t.Errorf("close: %v", err)
	}

	c.places()
	c.serve(alice)

	// A room that fanout cuts into slices.
	var large wire.Room
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Large", Type: "group"}, http.StatusCreated, &large)
	c.server.Crowd(large.ChatRoomID, fanout.SliceAbove)
	ack, message := alice.Deliver(large.ChatRoomID, "hello all", "")
	for message.MessageID != ack.MessageID {
		message = alice.Expect(wire.TypeMessage)
	}
	c.index(alice, large.ChatRoomID)

	var notes wire.Room
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Notes", Type: "group"}, http.StatusCreated, &notes)
	c.notes, c.alice = notes.ChatRoomID, alice
}

// note sends one more message.
func (c *chatter) note() {
	c.t.Helper()
	c.alice.Send(c.notes, "note", "")
	c.alice.Expect(wire.TypeAck)
}

// index has a large room keep alice's connections, and one of them come and go.
func (c *chatter) index(alice *rig.Socket, room string) {
	c.t.Helper()
	for tries := 0; !c.indexed(room); tries++ {
		if tries == 200 {
			c.t.Fatal("no message has put alice into the room's index")
		}
		ack, message := alice.Deliver(room, "hello again", "")
		for message.MessageID != ack.MessageID {
			message = alice.Expect(wire.TypeMessage)
		}
	}
	phone := c.server.Connect("alice")
	ack, message := alice.Deliver(room, "hello, phone", "")
	for message.MessageID != ack.MessageID {
		message = alice.Expect(wire.TypeMessage)
	}
	for phone.Expect(wire.TypeMessage).MessageID != ack.MessageID {
	}
	if err := phone.Conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		c.t.Errorf("close: %v", err)
	}
}

// indexed says whether a room's index has alice.
func (c *chatter) indexed(room string) bool {
	c.t.Helper()
	member, _, err := c.server.Store().Member(c.t.Context(), room, "alice")
	if err != nil {
		c.t.Fatal(err)
	}
	return member.IndexedUntil > 0
}

// serve has a service send a message and end a user's connections, and a user send a file
// by a request.
func (c *chatter) serve(alice *rig.Socket) {
	c.t.Helper()
	var room wire.Room
	c.api("service:bot", http.MethodPost, "/rooms", wire.RoomRequest{Name: "News", Type: "group", Members: []string{"alice", "zoe"}}, http.StatusCreated, &room)
	path := "/rooms/" + room.ChatRoomID
	c.api("service:bot", http.MethodPost, path+"/messages", wire.SendRequest{Content: "news", ClientMessageID: "n-1"}, http.StatusCreated, nil)
	if got := alice.ExpectIn(room.ChatRoomID, wire.TypeMessage); got.SenderID != "service:bot" {
		c.t.Errorf("alice got %+v", got)
	}
	var announced wire.AnnouncedAttachment
	c.api("alice", http.MethodPost, path+"/attachments", wire.AttachmentRequest{Name: "a.png", ContentType: "image/png", Size: 3}, http.StatusCreated, &announced)
	c.upload(announced.Upload, "png")
	file := wire.SendRequest{Attachments: []string{announced.AttachmentID}}
	c.api("alice", http.MethodPost, path+"/messages", file, http.StatusCreated, nil)
	c.api("zoe", http.MethodPut, "/me/push", subscription, http.StatusNoContent, nil)
	c.api("service:bot", http.MethodPost, path+"/messages", wire.SendRequest{Content: "news"}, http.StatusCreated, nil)
	rig.Eventually(c.t, "the push service's answer ends zoe's subscription", func() bool {
		left, err := c.server.Store().Subscriptions(c.t.Context(), "zoe")
		return err == nil && len(left) == 0
	})
	zoe := c.server.Connect("zoe")
	c.api("service:bot", http.MethodPost, "/users/zoe/disconnect", nil, http.StatusOK, nil)
	if got := zoe.Expect(wire.TypeError); got.Code != "disconnected" {
		c.t.Errorf("zoe got %+v", got)
	}
}

// places gives a public room a place, finds it and joins it.
func (c *chatter) places() {
	c.t.Helper()
	var room wire.Room
	c.api("alice", http.MethodPost, "/rooms", wire.RoomRequest{Name: "Open", Type: "group", Visibility: wire.Public}, http.StatusCreated, &room)
	path := "/rooms/" + room.ChatRoomID
	c.api("alice", http.MethodPut, path+"/place", wire.Place{Lat: 52.52, Lon: 13.4}, http.StatusOK, nil)
	var found wire.NearbyList
	c.api("bob", http.MethodGet, "/nearby?lat=52.5&lon=13.4", nil, http.StatusOK, &found)
	if len(found.Rooms) != 1 || found.Rooms[0].ChatRoomID != room.ChatRoomID {
		c.t.Errorf("near are %+v", found)
	}
	var said wire.Sent
	c.api("alice", http.MethodPost, path+"/messages", wire.SendRequest{Content: "buy"}, http.StatusCreated, &said)
	c.api("service:bot", http.MethodPost, path+"/messages/"+said.MessageID+"/report", wire.ReportRequest{Reason: "spam"}, http.StatusNoContent, nil)
	var reports wire.ReportList
	c.api("alice", http.MethodGet, path+"/reports", nil, http.StatusOK, &reports)
	if len(reports.Reports) != 1 || reports.Reports[0].MessageID != said.MessageID {
		c.t.Errorf("reported are %+v", reports)
	}
	c.api("alice", http.MethodDelete, path+"/reports/"+said.MessageID, nil, http.StatusNoContent, nil)
	c.api("service:bot", http.MethodPatch, path, wire.RoomChange{RetentionDays: new(int)}, http.StatusOK, nil)
	c.api("alice", http.MethodPut, "/me/blocks/bob", nil, http.StatusNoContent, nil)
	c.api("alice", http.MethodGet, "/me/blocks", nil, http.StatusOK, nil)
	c.api("bob", http.MethodPost, "/rooms", wire.RoomRequest{Type: "group", Name: "Trap", Members: []string{"alice"}}, http.StatusForbidden, nil)
	c.api("alice", http.MethodDelete, "/me/blocks/bob", nil, http.StatusNoContent, nil)
	c.api("alice", http.MethodPut, path+"/bans?userId=bob", wire.BanRequest{}, http.StatusOK, nil)
	c.api("bob", http.MethodPost, path+"/join", nil, http.StatusForbidden, nil)
	c.api("alice", http.MethodGet, path+"/bans", nil, http.StatusOK, nil)
	c.api("alice", http.MethodDelete, path+"/bans?userId=bob", nil, http.StatusNoContent, nil)
	c.api("bob", http.MethodPost, path+"/join", nil, http.StatusCreated, nil)
	c.api("alice", http.MethodDelete, path+"/place", nil, http.StatusNoContent, nil)
}

// changes makes every change that others in a room see.
func (c *chatter) changes(bob *rig.Socket, path, messageID string) {
	c.t.Helper()
	name := "Alice"
	c.api("alice", http.MethodPut, "/me", wire.NameChange{DisplayName: &name}, http.StatusOK, nil)
	var profiles wire.Profiles
	c.api("bob", http.MethodPost, "/profiles", wire.ProfilesRequest{Users: []string{"alice", "bob"}}, http.StatusOK, &profiles)
	if len(profiles.Profiles) != 1 || profiles.Profiles["alice"].DisplayName != name {
		c.t.Errorf("the profiles are %+v", profiles)
	}
	c.api("alice", http.MethodPatch, path, wire.NameRequest{Name: "Coffee"}, http.StatusOK, nil)
	if changed := bob.Expect(wire.TypeRoomChanged); changed.Name != "Coffee" {
		c.t.Errorf("bob got %+v", changed)
	}
	// A newcomer, such as carol, has read up to the newest message already.
	c.api("bob", http.MethodPost, path+"/read", wire.ReadRequest{UpTo: messageID}, http.StatusNoContent, nil)
	bob.Expect(wire.TypeRead)
	message := path + "/messages/" + messageID
	c.api("alice", http.MethodPatch, message, wire.EditRequest{Content: "Hello"}, http.StatusOK, nil)
	if edited := bob.Expect(wire.TypeMessageEdited); edited.Content != "Hello" {
		c.t.Errorf("bob got %+v", edited)
	}
	for n, request := range []struct{ user, method, query string }{
		{"alice", http.MethodPut, ""}, {"bob", http.MethodPut, ""}, {"bob", http.MethodDelete, "?reaction=a"},
	} {
		var body any
		if request.query == "" {
			body = wire.ReactionRequest{Reaction: "a"}
		}
		c.api(request.user, request.method, message+"/reactions"+request.query, body, http.StatusOK, nil)
		if reacted := bob.Expect(wire.TypeReactions); reacted.Version != int64(n+1) {
			c.t.Errorf("bob got %+v", reacted)
		}
	}
	moderator := "moderator"
	c.api("alice", http.MethodPatch, path+"/members?userId=bob", wire.MemberChange{Role: &moderator}, http.StatusOK, nil)
	if changed := bob.Expect(wire.TypeMemberChanged); changed.Role != moderator {
		c.t.Errorf("bob got %+v", changed)
	}
	c.api("bob", http.MethodDelete, message, nil, http.StatusNoContent, nil)
	if deleted := bob.Expect(wire.TypeMessageDeleted); deleted.DeletedBy != "bob" {
		c.t.Errorf("bob got %+v", deleted)
	}
	var described any
	c.api("bob", http.MethodGet, "/openapi.json", nil, http.StatusOK, &described)
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

// ghost leaves rows of a connection that ended an hour ago without a $disconnect.
func (c *chatter) ghost(user string) {
	c.t.Helper()
	const id = "R1kmxc2VNjMCFIA="
	now := time.Now()
	connectedAt, ttl := attribute.Number(now.Add(-time.Hour).UnixMilli()), attribute.Number(now.Add(time.Hour).Unix())
	entry := &types.AttributeValueMemberM{Value: rig.Item{table.ConnectedAt: connectedAt, table.TTL: ttl}}
	c.server.Write(
		rig.Keyed(table.Connection(id), rig.Item{table.UserID: attribute.Text(user), table.ConnectedAt: connectedAt, table.TTL: ttl}),
		rig.Keyed(table.Presence(user), rig.Item{table.PresenceEntry(id): entry, table.TTL: ttl}),
	)
}

// api makes a request that the deployed HTTP API has a route for.
func (c *chatter) api(user, method, path string, body any, status int, into any) {
	c.t.Helper()
	if !slices.Contains(c.methods, method) {
		c.t.Errorf("the HTTP API has no route for %s %s", method, path)
	}
	if got := c.server.API(user, method, path, body, into); got != status {
		c.t.Fatalf("%s %s answered %d, want %d", method, path, got, status)
	}
}
