package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/erase"
	"github.com/streamroom/streamroom/operate/export"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const messageID = "01B3F2133F0000000000000000"

// plant writes what alice has, and what others have of her.
func plant(w *rig.Operated) {
	text, number := attribute.Text, attribute.Number
	at := func(last string) table.Key { return table.Message("r", 1494000000000, messageID[:25]+last) }
	quoted := &types.AttributeValueMemberM{Value: rig.Item{table.MessageID: text(messageID), table.SenderID: text("alice"), table.Preview: text("hello")}}
	file := &types.AttributeValueMemberM{Value: rig.Item{table.Name: text("a.txt"), table.Size: number(5)}}
	w.Write(
		rig.Keyed(table.Profile("alice"), rig.Item{table.DisplayName: text("Alice <A>")}),
		rig.Keyed(table.Member("r", "alice"), rig.Item{table.Role: text("owner"), table.JoinedAt: number(7)}),
		rig.Keyed(table.Member("dm", "alice"), rig.Item{
			table.Role: text("member"), table.JoinedAt: number(7), table.Blocked: &types.AttributeValueMemberBOOL{Value: true},
		}),
		rig.Keyed(table.Ban("q", "alice"), rig.Item{table.By: text("secret moderator"), table.Reason: text("spam, they say"), table.At: number(7)}),
		rig.Keyed(table.Ban("q", "dora"), rig.Item{table.By: text("secret moderator"), table.At: number(7)}),
		rig.Keyed(table.Read("r", "alice"), rig.Item{table.UpTo: text(messageID)}),
		rig.Keyed(table.Room("r"), rig.Item{table.CreatedBy: text("bob"), table.Name: text("Room")}),
		rig.Keyed(table.LastMessage("r"), rig.Item{table.SenderID: text("alice"), table.Preview: text("hello")}),
		rig.Keyed(at("0"), rig.Item{
			table.SenderID: text("alice"), table.Content: text("hello"), table.Attachments: &types.AttributeValueMemberL{Value: []types.AttributeValue{file}},
		}),
		rig.Keyed(at("1"), rig.Item{table.SenderID: text("bob"), table.Content: text("secret of bob"), table.ReplyTo: quoted, table.Mentions: attribute.Texts([]string{"alice"})}),
		rig.Keyed(at("2"), rig.Item{table.SenderID: text("bob"), table.Content: text("secret of bob")}),
		// What has expired, and is not deleted yet.
		rig.Keyed(at("3"), rig.Item{table.SenderID: text("alice"), table.Content: text("gone"), table.TTL: number(9)}),
		rig.Keyed(at("4"), rig.Item{table.SenderID: text("alice"), table.Content: text("yes"), table.ReplyTo: &types.AttributeValueMemberM{Value: rig.Item{
			table.MessageID: text(messageID), table.SenderID: text("dora"), table.Preview: text("gone"), table.TTL: number(9),
		}}}),
		rig.Keyed(table.Report("r", messageID, "alice"), rig.Item{table.SenderID: text("bob"), table.Reason: text("rude")}),
		rig.Keyed(table.Report("r", messageID, "bob"), rig.Item{table.SenderID: text("alice"), table.Reason: text("a secret reason")}),
		rig.Keyed(table.Attachment("r", messageID), rig.Item{table.UploadedBy: text("alice"), table.Name: text("a.txt")}),
		rig.Keyed(table.Key{PK: "NEW#1", SK: "METADATA"}, rig.Item{"by": text("alice")}),
		rig.Keyed(table.Push("alice", "h"), rig.Item{
			table.Endpoint: text("https://push.example.com/x"), table.PushKey: text("a secret"), table.PushAuth: text("another secret"),
		}),
		rig.Keyed(table.Profile("bob"), rig.Item{table.DisplayName: text("Bob")}),
	)
}

// run exports, and returns the lines.
func run(t *testing.T, w *rig.Operated, user, room string) (lines []map[string]any, all string) {
	t.Helper()
	var out bytes.Buffer
	report, err := export.Run(t.Context(), export.Config{
		DB: w.Clients.Table, Table: local.TableName, UserID: user, RoomID: room, Out: &out, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	all = out.String()
	total := 0
	for _, n := range report.Kinds {
		total += n
	}
	for text := range strings.Lines(all) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		lines = append(lines, line)
	}
	if total != len(lines) {
		t.Errorf("the report counts %v, and there are %d lines", report.Kinds, len(lines))
	}
	return lines, all
}

func kinds(lines []map[string]any) (names []string) {
	for _, l := range lines {
		names = append(names, l["kind"].(string))
	}
	slices.Sort(names)
	return names
}

// TestExportOfAUser has all that is hers, and of others only where they name her.
func TestExportOfAUser(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	plant(w)
	lines, all := run(t, w, "alice", "")
	want := []string{"attachment", "ban", "member", "member", erase.Mention, "message", "message", "profile", "push", erase.Quote, "read", "report", "unknown"}
	if got := kinds(lines); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, part := range []string{`"displayName":"Alice <A>"`, `"content":"hello"`, `"name":"a.txt"`, `"size":5`, `"object":"rooms/r/` + messageID, `"reason":"spam, they say"`, `"timestamp":1494000000000`, `"endpoint":"https://push.example.com/x"`} {
		if !strings.Contains(all, part) {
			t.Errorf("%s is not in\n%s", part, all)
		}
	}
	if strings.Contains(all, "secret") || strings.Contains(all, "gone") || strings.Contains(all, "Bob") {
		t.Errorf("others' texts, or secrets, are in\n%s", all)
	}
	if strings.Contains(all, `"`+table.Blocked+`"`) {
		t.Errorf("that alice is blocked is in\n%s", all)
	}
	if lines, _ = run(t, w, "carol", ""); len(lines) > 0 {
		t.Errorf("of a user who has nothing: %v", lines)
	}
}

func TestExportOfARoom(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	plant(w)
	lines, _ := run(t, w, "", "r")
	want := []string{"attachment", "member", "message", "message", "message", "message", "read", "report", "report", "room"}
	if got := kinds(lines); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestExportThatCannotWrite(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	plant(w)
	_, err := export.Run(t.Context(), export.Config{DB: w.Clients.Table, Table: local.TableName, UserID: "alice", Out: full{}, Now: time.Now})
	if !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
	for _, c := range []export.Config{{}, {UserID: "a", RoomID: "r"}, {UserID: "a#b"}, {RoomID: "a b"}} {
		if _, err := export.Run(t.Context(), c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
