package httpapi_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/httpapi"
)

// asyncAPI is what asyncapi.json says of the frames, as far as tests ask.
type asyncAPI struct {
	Channels struct {
		Socket struct{ Messages map[string]any }
	}
	Operations map[string]struct {
		Messages []reference
		Reply    struct{ Messages []reference }
	}
	Components struct {
		Messages map[string]struct {
			Payload struct {
				Properties map[string]struct{ Const string }
			}
		}
		Schemas map[string]any
	}
}

type reference struct {
	Ref string `json:"$ref"`
}

func readFrames(t *testing.T) (d asyncAPI) {
	t.Helper()
	if err := json.Unmarshal(httpapi.Frames, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Each type and action of package wire has a frame in the description, and no other has.
func TestFrames_AreThoseOfWire(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../wire/frame.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want, actions []string
	ast.Inspect(file, func(n ast.Node) bool {
		constant, ok := n.(*ast.ValueSpec)
		if !ok || len(constant.Values) != 1 || !strings.HasPrefix(constant.Names[0].Name, "Type") && !strings.HasPrefix(constant.Names[0].Name, "Action") {
			return true
		}
		if literal, ok := constant.Values[0].(*ast.BasicLit); ok {
			value, _ := strconv.Unquote(literal.Value)
			if strings.HasPrefix(constant.Names[0].Name, "Action") {
				actions = append(actions, value)
			} else {
				want = append(want, value)
			}
		}
		return true
	})
	const gateways = "gatewayError" // API Gateway's own, without a type
	for _, action := range actions {
		if slices.Contains(want, action) { // a client's frame that has the name of one of the server's
			action += "Action"
		}
		want = append(want, action)
	}
	want = append(want, gateways)
	slices.Sort(want)
	d := readFrames(t)
	if got := slices.Sorted(maps.Keys(d.Components.Messages)); !slices.Equal(want, got) {
		t.Errorf("asyncapi.json has the frames %q, wire.Type… and wire.Action… are %q: each frame needs a schema in components.messages, of its own name", got, want)
	}
	for name, message := range d.Components.Messages {
		properties := message.Payload.Properties
		if name != gateways && properties["type"].Const != name && properties["action"].Const != strings.TrimSuffix(name, "Action") {
			t.Errorf("the frame %s has neither that type nor that action as a const", name)
		}
	}
}

// Each frame is one of the channel and of an operation.
func TestFrames_BelongToAnOperation(t *testing.T) {
	d := readFrames(t)
	frames := slices.Sorted(maps.Keys(d.Components.Messages))
	if got := slices.Sorted(maps.Keys(d.Channels.Socket.Messages)); !slices.Equal(got, frames) {
		t.Errorf("channels.socket.messages has %q, want %q", got, frames)
	}
	used := map[string]bool{}
	for name, operation := range d.Operations {
		for _, r := range slices.Concat(operation.Messages, operation.Reply.Messages) {
			frame, ok := strings.CutPrefix(r.Ref, "#/channels/socket/messages/")
			if !ok {
				t.Errorf("the operation %s has %s, want a message of the channel", name, r.Ref)
			}
			used[frame] = true
		}
	}
	if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, frames) {
		t.Errorf("operations have the frames %q, want %q: what the server sends unasked is in notify", got, frames)
	}
}

// What both descriptions name is the same in both.
func TestFrames_ShareTheSchemasOfTheAPI(t *testing.T) {
	var api struct {
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(httpapi.Description, &api); err != nil {
		t.Fatal(err)
	}
	for name, schema := range readFrames(t).Components.Schemas {
		if other, ok := api.Components.Schemas[name]; ok && !reflect.DeepEqual(schema, other) {
			t.Errorf("the schema %s of asyncapi.json is not that of openapi.json", name)
		}
	}
}
