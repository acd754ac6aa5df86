package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// frameDescription is what asyncapi.json says of the frames. Every frame of a test's
// server is held to it.
type frameDescription struct {
	*description
	actions map[string]string   // the name of a client's frame, by its action
	types   map[string]string   // and of the server's, by its type; the gateway's own is ""
	answers map[string][]string // what a client's frame may be answered, by name
}

var describedFrames = sync.OnceValue(func() *frameDescription {
	d := &frameDescription{
		description: newDescription("file:///asyncapi.json", httpapi.Frames, jsonschema.Draft7),
		actions:     map[string]string{}, types: map[string]string{}, answers: map[string][]string{},
	}
	operations, _ := d.doc["operations"].(map[string]any)
	for name := range operations {
		operation, _ := d.at("operations", name)
		sent := messagesOf(operation)
		if operation["action"] == "receive" {
			reply, _ := operation["reply"].(map[string]any)
			for _, frame := range sent {
				d.actions[d.constant(frame, "action")] = frame
				d.answers[frame] = messagesOf(reply)
			}
			sent = messagesOf(reply)
		}
		for _, frame := range sent {
			d.types[d.constant(frame, "type")] = frame
		}
	}
	return d
})

// messagesOf lists the names of an operation's messages, or of its reply's.
func messagesOf(node map[string]any) (names []string) {
	references, _ := node["messages"].([]any)
	for _, r := range references {
		reference, _ := r.(map[string]any)["$ref"].(string)
		names = append(names, strings.TrimPrefix(reference, "#/channels/socket/messages/"))
	}
	return names
}

// constant is the value that a field of a frame always has; "" if it has none.
func (d *frameDescription) constant(frame, field string) string {
	property, _ := d.at("components", "messages", frame, "payload", "properties", field)
	value, _ := property["const"].(string)
	return value
}

func (d *frameDescription) validateFrame(name string, frame []byte) error {
	d.mu.Lock()
	d.answered[name] = true
	d.mu.Unlock()
	return d.validate("/components/messages/"+name+"/payload", frame)
}

const howToDescribe = "describe it in shared/httpapi/asyncapi.json: a message in components.messages, its name in " +
	"channels.socket.messages and in an operation (notify: what the server sends), and have TestTheFramesAreAsDescribed cause it"

// checkReceived holds a frame of a client's that was served to the description, and
// that it was answered as that says.
func (d *frameDescription) checkReceived(t testing.TB, frame, answer string) {
	t.Helper()
	var in struct{ Action string }
	var out struct{ Type string }
	if answer != "" {
		if err := json.Unmarshal([]byte(answer), &out); err != nil {
			t.Errorf("a frame is answered with %s: %v", answer, err)
		}
	}
	if out.Type == wire.TypeError || json.Unmarshal([]byte(frame), &in) != nil {
		return // it may be anything
	}
	if answer == "" && strings.HasPrefix(in.Action, "$") {
		return // the gateway's own routes, which do nothing for a client
	}
	name, ok := d.actions[in.Action]
	if !ok {
		t.Errorf("a frame with the action %q is served and has no schema; %s\n%.500s", in.Action, howToDescribe, frame)
		return
	}
	if err := d.validateFrame(name, []byte(frame)); err != nil {
		t.Errorf("a frame with the action %q is served and is not as described: %v\n%.500s", in.Action, err, frame)
	}
	if answer != "" && !slices.Contains(d.answers[name], d.types[out.Type]) {
		t.Errorf("the action %q is answered with %s, described are %v", in.Action, answer, d.answers[name])
	}
}

// checkSent holds a frame of the server's to the description, and what is in a batch.
func (d *frameDescription) checkSent(t testing.TB, frame []byte) {
	t.Helper()
	var out struct {
		Type   string
		Frames []json.RawMessage
	}
	if err := json.Unmarshal(frame, &out); err != nil {
		t.Errorf("the server sends %.500s: %v", frame, err)
		return
	}
	name, ok := d.types[out.Type]
	if !ok {
		t.Errorf("the server sends a frame of type %q, which has no schema; %s\n%.500s", out.Type, howToDescribe, frame)
		return
	}
	if err := d.validateFrame(name, frame); err != nil {
		t.Errorf("the server sends a frame that is not as described in shared/httpapi/asyncapi.json: %v\n%.500s", err, frame)
	}
	for _, part := range out.Frames {
		d.checkSent(t, part)
	}
}

// unseen lists frames that are described and that no test's server has had.
func (d *frameDescription) unseen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	messages, _ := d.at("components", "messages")
	return slices.DeleteFunc(slices.Sorted(maps.Keys(messages)), func(name string) bool { return d.answered[name] })
}

// TestTheFramesAreAsDescribed causes every frame that is described; the harness holds
// each to the description.
func TestTheFramesAreAsDescribed(t *testing.T) {
	b := &broken{}
	s := start(t, local.Config{Wrap: b.Wrap, LogLevel: "warn"})
	room := s.Room("alice", "bob", "carol")
	path := "/rooms/" + room
	alice, bob := s.Connect("alice"), s.Connect("bob")
	sendFile(s, alice, room, "a.png", "image/png", []byte("png"))
	ack, question := alice.Deliver(room, "who?", "c-1")
	bob.ExpectIn(room, wire.TypeMessage)
	reply(t, bob, room, "me", question.MessageID)
	alice.ExpectIn(room, wire.TypeMessage)
	bob.Write(`{"action":"sendMessage","chatRoomId":"` + room + `","content":"quiet","clientMessageId":"c-2","echo":false}`)
	bob.Expect(wire.TypeAck)
	bob.TypesTo(room, alice)
	bob.Send(room, "", "c-3")
	bob.Expect(wire.TypeError)
	for _, c := range []struct {
		method, path string
		body         any
		want         string // the frame that tells alice of it
	}{
		{"PATCH", path + "/messages/" + ack.MessageID, wire.EditRequest{Content: "Who?"}, wire.TypeMessageEdited},
		{"PUT", path + "/messages/" + ack.MessageID + "/reactions", wire.ReactionRequest{Reaction: "👍"}, wire.TypeReactions},
		{"DELETE", path + "/messages/" + ack.MessageID, nil, wire.TypeMessageDeleted},
		{"PATCH", path, wire.NameRequest{Name: "Tea"}, wire.TypeRoomChanged},
		{"POST", path + "/read", wire.ReadRequest{UpTo: ack.MessageID}, wire.TypeRead},
		{"POST", path + "/members", wire.MemberRequest{UserID: "dora"}, wire.TypeMemberJoined},
		{"PATCH", path + "/members?userId=dora", wire.MemberChange{Role: ptr("moderator")}, wire.TypeMemberChanged},
		{"DELETE", path + "/members?userId=dora", nil, wire.TypeMemberLeft},
		{"PUT", path + "/notify", wire.NotifyRequest{Notify: "none"}, wire.TypeNotifyChanged},
	} {
		if status := s.API("alice", c.method, c.path, c.body, nil); status >= http.StatusMultipleChoices {
			t.Errorf("%s %s is answered with %d", c.method, c.path, status)
		}
		alice.ExpectIn(room, c.want)
	}
	b.causeGatewayError(alice, room)
	b.causeGap(alice, room)
	causeBatch(alice, room)
	if missing := describedFrames().unseen(); len(missing) > 0 {
		t.Errorf("described in shared/httpapi/asyncapi.json, but neither sent nor received: %q; have this test cause each, or take it out", missing)
	}
}

// causeGatewayError has API Gateway answer a send whose function fails.
func (b *broken) causeGatewayError(d *rig.Socket, room string) {
	d.Rig.T.Helper()
	b.set(func() {
		b.invoke = func(function, _ string, next lambda.Handler) lambda.Handler {
			if function != topology.SendMessage {
				return next
			}
			return handle(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("it fails") })
		}
	})
	d.Send(room, "lost", "lost")
	d.Expect("") // API Gateway's own has no type
	b.set(func() { b.invoke = nil })
}

// causeGap has the fan-out find a message when it is old.
func (b *broken) causeGap(d *rig.Socket, room string) {
	d.Rig.T.Helper()
	b.set(func() { b.skew = map[string]time.Duration{topology.Fanout: 10 * time.Minute} })
	d.Send(room, "late", "late")
	d.ExpectIn(room, wire.TypeGap)
	b.set(func() { b.skew = nil })
}

// causeBatch sends messages in a row until the fan-out finds several at once.
func causeBatch(d *rig.Socket, room string) {
	d.Rig.T.Helper()
	rig.Eventually(d.Rig.T, "several messages come in one frame", func() bool {
		for range 3 {
			d.Send(room, "message", "")
		}
		return !slices.Contains(describedFrames().unseen(), wire.TypeBatch)
	})
}
