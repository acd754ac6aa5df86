package changes_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

const room = "r"

type attributes = changestest.Attributes

func decode(records ...json.RawMessage) ([]changes.Record, int) {
	log := zerolog.Nop()
	return changes.Decode(changes.Event{Records: records}, &log)
}

// slice is the record of a stored slice; more are attributes beside those that
// every slice has.
func slice(more map[string]any) json.RawMessage {
	item := map[string]any{
		table.RoomID: map[string]string{"S": room}, table.TTL: map[string]string{"N": "7"},
		table.MessageIDs: map[string]any{"L": []any{}},
	}
	maps.Copy(item, more)
	key := table.Slice("run", 3)
	text, err := json.Marshal(map[string]any{"eventName": "INSERT", "dynamodb": map[string]any{
		"ApproximateCreationDateTime": changestest.Now.Unix(), "SequenceNumber": "1",
		"Keys": attributes{table.PK: {"S": key.PK}, table.SK: {"S": key.SK}}, "NewImage": item,
	}})
	if err != nil {
		panic(err)
	}
	return text
}

func TestDecode(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	sent, edited := changestest.Version(room, id, 0, false), changestest.Version(room, id, 5, false)
	deletion := changestest.Version(room, id, 6, true)
	deleted := deletion // of which only who sent it and when is read
	deleted.ClientMessageID = ""
	connection := table.Connection("c")
	for name, test := range map[string]struct {
		record json.RawMessage
		want   changes.Change
	}{
		"a message":                      {changestest.SendVersion(sent), changes.MessageSent{Message: sent}},
		"an edited message, replayed":    {changestest.SendVersion(edited), changes.MessageSent{Message: edited}},
		"a deleted message, replayed":    {changestest.SendVersion(deletion), changes.MessageSent{Message: deleted}},
		"an edit":                        {changestest.Change(sent, edited), changes.MessageEdited{Message: edited}},
		"a deletion":                     {changestest.Change(edited, deletion), changes.MessageDeleted{Message: deleted}},
		"a message that was read":        {changestest.Change(sent, sent), nil},
		"an edited message that is read": {changestest.Change(edited, edited), nil},
		"a message that expired":         {changestest.Remove(table.Message(room, sent.SentAt, id), nil), nil},
		"a member":                       {changestest.Join(room, "bob"), changes.MemberJoined{RoomID: room, Member: chat.Member{UserID: "bob", JoinedAt: 2}}},
		"a member who left":              {changestest.Remove(table.Member(room, "bob"), nil), changes.MemberLeft{RoomID: room, UserID: "bob"}},
		"a member who changed":           {changestest.Modify(table.Member(room, "bob"), nil, nil), nil},
		"a first read": {
			changestest.Insert(table.Read(room, "bob"), attributes{table.UpTo: {"S": id}}),
			changes.ReadMoved{RoomID: room, UserID: "bob", UpTo: id},
		},
		"a further read": {
			changestest.Modify(table.Read(room, "bob"), nil, attributes{table.UpTo: {"S": id}}),
			changes.ReadMoved{RoomID: room, UserID: "bob", UpTo: id},
		},
		"a cursor of a member who joins": {
			changestest.Insert(table.Read(room, "bob"), attributes{table.UpTo: {"S": id}, table.From: {"S": id}}), nil,
		},
		"the first read of a member who joined": {
			changestest.Modify(table.Read(room, "bob"), nil, attributes{table.UpTo: {"S": id}, table.From: {"S": "01"}}),
			changes.ReadMoved{RoomID: room, UserID: "bob", From: "01", UpTo: id},
		},
		"a read of a message that is less than a minute old": {
			changestest.Insert(table.Read(room, "bob"), attributes{table.UpTo: {"S": id}, table.Since: {"S": "02"}, table.Known: {"S": "ABCDEF"}}),
			changes.ReadMoved{RoomID: room, UserID: "bob", UpTo: id, Since: "02", Known: "ABCDEF"},
		},
		"a member who chose what they are notified of": {
			changestest.Insert(table.Read(room, "bob"), attributes{table.Notify: {"S": "none"}, table.NotifyAt: {"N": "5"}}),
			changes.NotifyChanged{RoomID: room, UserID: "bob", Notify: chat.NotifyNone, At: 5},
		},
		"a reader who is notified of all again": {
			changestest.Modify(table.Read(room, "bob"), attributes{table.UpTo: {"S": id}, table.Notify: {"S": "none"}, table.NotifyAt: {"N": "5"}},
				attributes{table.UpTo: {"S": id}, table.NotifyAt: {"N": "6"}}),
			changes.NotifyChanged{RoomID: room, UserID: "bob", At: 6},
		},
		"a read of a member who has chosen": {
			changestest.Modify(table.Read(room, "bob"), attributes{table.Notify: {"S": "none"}, table.NotifyAt: {"N": "5"}},
				attributes{table.UpTo: {"S": id}, table.Notify: {"S": "none"}, table.NotifyAt: {"N": "5"}}),
			changes.ReadMoved{RoomID: room, UserID: "bob", UpTo: id},
		},
		"a cursor of a member who has chosen, replayed": {
			changestest.Insert(table.Read(room, "bob"), attributes{table.UpTo: {"S": id}, table.Notify: {"S": "none"}, table.NotifyAt: {"N": "5"}}),
			changes.ReadMoved{RoomID: room, UserID: "bob", UpTo: id},
		},
		"a report": {
			changestest.Insert(table.Report(room, id, "bob"), attributes{table.SenderID: {"S": "alice"}, table.At: {"N": "5"}}),
			changes.MessageReported{RoomID: room, MessageID: id, SenderID: "alice", UserID: "bob", At: 5},
		},
		"a report with another reason": {
			changestest.Modify(table.Report(room, id, "bob"), nil, attributes{table.SenderID: {"S": "alice"}, table.Reason: {"S": "spam"}, table.At: {"N": "6"}}),
			changes.MessageReported{RoomID: room, MessageID: id, SenderID: "alice", UserID: "bob", Reason: "spam", At: 6},
		},
		"a report that was dismissed": {changestest.Remove(table.Report(room, id, "bob"), attributes{table.At: {"N": "6"}}), nil},
		"a user who types": {
			changestest.Insert(table.Typing(room, "bob"), attributes{table.At: {"N": "5"}}), changes.TypingNoted{RoomID: room, UserID: "bob", At: 5},
		},
		"a user who goes on typing": {
			changestest.Modify(table.Typing(room, "bob"), nil, attributes{table.At: {"N": "6"}}), changes.TypingNoted{RoomID: room, UserID: "bob", At: 6},
		},
		"a note of typing that expired": {changestest.Remove(table.Typing(room, "bob"), attributes{table.At: {"N": "6"}}), nil},
		"a first reaction": {
			changestest.React(room, id, "bob", nil, []string{"👍"}),
			changes.Reacted{RoomID: room, MessageID: id, UserID: "bob", Added: []string{"👍"}},
		},
		"another reaction for one": {
			changestest.React(room, id, "bob", []string{"👍", "a"}, []string{"a", "b"}),
			changes.Reacted{RoomID: room, MessageID: id, UserID: "bob", Added: []string{"b"}, Removed: []string{"👍"}},
		},
		"a last reaction that was taken back": {
			changestest.React(room, id, "bob", []string{"👍"}, nil),
			changes.Reacted{RoomID: room, MessageID: id, UserID: "bob", Removed: []string{"👍"}},
		},
		"a reaction that ended with its message": {
			bytes.Replace(changestest.React(room, id, "bob", []string{"👍"}, nil), []byte(`"OldImage":{`), []byte(`"OldImage":{"ttl":{"N":"1"},`), 1), nil,
		},
		"a file that ended with its message": {
			changestest.Remove(table.Attachment(room, id), attributes{table.MessageID: {"S": id}, table.TTL: {"N": "1"}}),
			changes.AttachmentExpired{RoomID: room, AttachmentID: id},
		},
		"a file that was removed before its message ends": {
			changestest.Remove(table.Attachment(room, id), attributes{table.MessageID: {"S": id}, table.TTL: {"N": "9000000000"}}), nil,
		},
		"the same reactions": {changestest.React(room, id, "bob", []string{"👍"}, []string{"👍"}), nil},
		"a user who comes":   {changestest.Insert(table.Seen("bob"), nil), changes.PresenceTold{UserID: "bob"}},
		"a user who goes":    {changestest.Modify(table.Seen("bob"), nil, nil), changes.PresenceTold{UserID: "bob"}},
		"a presence":         {changestest.Modify(table.Presence("bob"), nil, nil), nil},
		"a member who was muted": {
			changestest.Modify(table.Member(room, "bob"), attributes{}, attributes{table.EditedAt: {"N": "5"}, table.Role: {"S": "moderator"}, table.MutedUntil: {"N": "9"}}),
			changes.MemberChanged{RoomID: room, UserID: "bob", Role: chat.Moderator, MutedUntil: 9, At: 5},
		},
		"a member whose connections the room has": {
			changestest.Modify(table.Member(room, "bob"), attributes{table.EditedAt: {"N": "5"}}, attributes{table.EditedAt: {"N": "5"}}), nil,
		},
		"a message that a moderator deleted": {
			changestest.Modify(table.Message(room, sent.SentAt, id), attributes{}, attributes{table.SenderID: {"S": "alice"}, table.EditedAt: {"N": "5"}, table.DeletedAt: {"N": "5"}, table.DeletedBy: {"S": "bob"}}),
			changes.MessageDeleted{Message: chat.Message{RoomID: room, ID: id, SenderID: "alice", SentAt: changestest.Now.UnixMilli(), DeletedAt: 5, DeletedBy: "bob"}},
		},
		"a new name": {
			changestest.Modify(table.Room(room), attributes{}, attributes{table.EditedAt: {"N": "5"}}),
			changes.RoomRenamed{RoomID: room, RenamedAt: 5},
		},
		"a room's members counted": {
			changestest.Modify(table.Room(room), attributes{table.EditedAt: {"N": "5"}}, attributes{table.EditedAt: {"N": "5"}}), nil,
		},
		"a new room": {changestest.Insert(table.Room(room), nil), nil},
		"a replaced connection": {
			changestest.Modify(connection, attributes{}, attributes{table.UserID: {"S": "bob"}, table.ReplacedAt: {"N": "5"}}),
			changes.ConnectionReplaced{ConnectionID: "c", UserID: "bob"},
		},
		"a connection whose user was banned": {
			changestest.Modify(connection, attributes{}, attributes{table.UserID: {"S": "bob"}, table.ReplacedAt: {"N": "5"}, table.Banned: {"N": "1"}}),
			changes.ConnectionReplaced{ConnectionID: "c", UserID: "bob", Banned: true},
		},
		"a connection of which too many frames were refused": {
			changestest.Modify(connection, attributes{}, attributes{
				table.UserID: {"S": "bob"}, table.ReplacedAt: {"N": "65000"}, table.Flooded: {"N": "1"}, table.TokenExpiresAt: {"N": "5001"},
			}),
			changes.ConnectionReplaced{ConnectionID: "c", UserID: "bob", Flooded: true},
		},
		"a connection of which a frame was refused after its end": {
			changestest.Modify(connection, attributes{}, attributes{
				table.UserID: {"S": "bob"}, table.ReplacedAt: {"N": "65000"}, table.Flooded: {"N": "1"}, table.TokenExpiresAt: {"N": "5000"},
			}),
			changes.ConnectionReplaced{ConnectionID: "c", UserID: "bob", Expired: true},
		},
		"a connection that sends": {changestest.Modify(connection, attributes{}, attributes{table.UserID: {"S": "bob"}}), nil},
		"an ended connection":     {changestest.Remove(connection, attributes{table.UserID: {"S": "bob"}}), nil},
		"a new connection":        {changestest.Insert(connection, nil), nil},
		"a slice":                 {slice(nil), changes.SliceStored{RunID: "run", RoomID: room, ExpiresAt: 7_000}},
		"a slice between bounds": {
			slice(map[string]any{
				table.FromMember: map[string]string{"S": "b"}, table.ToMember: map[string]string{"S": "d"},
				table.Gap: map[string]bool{"BOOL": true}, table.Renamed: map[string]bool{"BOOL": true},
				table.Replayed:   map[string]bool{"BOOL": true},
				table.MessageIDs: map[string]any{"L": []map[string]string{{"S": id}}},
			}),
			changes.SliceStored{
				RunID: "run", RoomID: room, FromMember: "b", ToMember: "d", MessageIDs: []string{id},
				Gap: true, Renamed: true, Replayed: true, ExpiresAt: 7_000,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, malformed := decode(changestest.Numbered(test.record, 42))
			if malformed != 0 {
				t.Fatal("the record counts as malformed")
			}
			var want []changes.Record
			if test.want != nil {
				want = []changes.Record{{Sequence: "42", At: changestest.Now, Change: test.want}}
			}
			if diff := cmp.Diff(want, slices.Concat(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecode_NamesTheReplay(t *testing.T) {
	record := changestest.Join(room, "bob")
	for _, test := range []struct{ source, arn, want string }{
		{"aws:dynamodb", "arn:aws:dynamodb:table", ""},
		{changes.ReplaySource, changes.ReplaySource + ":one", changes.ReplaySource + ":one"},
		{changes.ReplaySource, "", changes.ReplaySource},
	} {
		got, _ := decode(changestest.From(record, test.source, test.arn))
		if len(got) != 1 || got[0].Replay != test.want {
			t.Errorf("%s: %+v, want the replay %q", test.source, got, test.want)
		}
	}
}

func TestDecode_SkipsMalformedRecords(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	sent := changestest.Version(room, id, 0, false)
	key := table.Message(room, sent.SentAt, id)
	without := func(name string) attributes {
		item := changestest.Item(sent)
		delete(item, name)
		return item
	}
	for name, record := range map[string]json.RawMessage{
		"not an object":                []byte(`[]`),
		"no keys":                      []byte(`{"eventName":"INSERT"}`),
		"a key that is a number":       []byte(`{"eventName":"INSERT","dynamodb":{"Keys":{"PK":{"N":"1"},"SK":{"S":"METADATA"}}}}`),
		"an unknown key":               changestest.Insert(table.Key{PK: "X#1", SK: "Y"}, nil),
		"another time than its id's":   changestest.Insert(table.Message(room, 1, id), changestest.Item(sent)),
		"an id that is none":           changestest.Insert(table.Message(room, 1, "id"), changestest.Item(sent)),
		"no sender":                    changestest.Insert(key, without(table.SenderID)),
		"no content":                   changestest.Insert(key, without(table.Content)),
		"no image":                     changestest.Insert(key, nil),
		"an edit at no number":         changestest.Modify(key, changestest.Item(sent), attributes{table.SenderID: {"S": "alice"}, table.EditedAt: {"S": "secret"}}),
		"an edit after no number":      changestest.Modify(key, attributes{table.EditedAt: {"S": "secret"}}, changestest.Item(changestest.Version(room, id, 1, false))),
		"an origin of bytes":           changestest.Insert(key, attributes{table.SenderID: {"S": "a"}, table.Content: {"S": "secret"}, table.Origin: {"N": "1"}}),
		"a previous id of bytes":       changestest.Insert(key, attributes{table.SenderID: {"S": "a"}, table.Content: {"S": "secret"}, table.Previous: {"N": "1"}}),
		"a client message id of bytes": changestest.Insert(key, attributes{table.SenderID: {"S": "a"}, table.Content: {"S": "secret"}, table.ClientMessageID: {"N": "1"}}),
		"a quote that is a text":       changestest.Insert(key, attributes{table.SenderID: {"S": "a"}, table.Content: {"S": "secret"}, table.ReplyTo: {"S": "secret"}}),
		"a mention of a number":        changestest.Insert(key, attributes{table.SenderID: {"S": "a"}, table.Content: {"S": "secret"}, table.Mentions: {"N": "1"}}),
		"a reaction to no message":     changestest.React(room, "m", "bob", nil, []string{"secret"}),
		"a reaction that is a text":    changestest.Insert(table.Reacted(room, id, "bob"), attributes{table.Reactions: {"S": "secret"}}),
		"a read up to nothing":         changestest.Modify(table.Read(room, "bob"), nil, nil),
		"a read from a number":         changestest.Modify(table.Read(room, "bob"), nil, attributes{table.UpTo: {"S": id}, table.From: {"N": "1"}}),
		"a member without a time":      changestest.Insert(table.Member(room, "bob"), nil),
		"a member at half a time":      changestest.Insert(table.Member(room, "bob"), attributes{table.JoinedAt: {"N": "1.5"}}),
		"a member without a role":      changestest.Modify(table.Member(room, "bob"), nil, attributes{table.EditedAt: {"N": "5"}}),
		"a room renamed at no number":  changestest.Modify(table.Room(room), nil, attributes{table.EditedAt: {"S": "secret"}}),
		"a connection of no user":      changestest.Modify(table.Connection("c"), nil, attributes{table.ReplacedAt: {"N": "1"}}),
		"a slice without messages":     changestest.Insert(table.Slice("run", 0), attributes{table.RoomID: {"S": room}}),
		"a slice without a room":       changestest.Insert(table.Slice("run", 0), nil),
		"a slice of numbers":           slice(map[string]any{table.MessageIDs: map[string]any{"L": []map[string]string{{"N": "1"}}}}),
		"a slice of other ids":         slice(map[string]any{table.MessageIDs: map[string]any{"L": []map[string]string{{"S": "id"}}}}),
		"a slice from a number":        slice(map[string]any{table.FromMember: map[string]string{"N": "1"}}),
		"a slice that ends at a text":  slice(map[string]any{table.TTL: map[string]string{"S": "secret"}}),
	} {
		t.Run(name, func(t *testing.T) {
			var lines bytes.Buffer
			log := zerolog.New(&lines)
			got, malformed := changes.Decode(changes.Event{Records: []json.RawMessage{record, changestest.Join(room, "bob")}}, &log)
			if malformed != 1 || len(got) != 1 {
				t.Errorf("%d records are malformed and %d read, want one each", malformed, len(got))
			}
			if n := strings.Count(lines.String(), "malformed_record_skipped"); n != 1 {
				t.Errorf("%d lines are logged, want 1", n)
			}
			if strings.Contains(lines.String(), "secret") || strings.Contains(lines.String(), "version 0") {
				t.Errorf("the log has content: %s", lines.String())
			}
		})
	}
}

func TestFailed(t *testing.T) {
	if got := changes.Failed(nil); len(got.BatchItemFailures) != 0 {
		t.Errorf("%v fail, want none", got)
	}
	got := changes.Failed([]string{"2", "1"})
	if len(got.BatchItemFailures) != 2 || got.BatchItemFailures[0].ItemIdentifier != "2" || got.BatchItemFailures[1].ItemIdentifier != "1" {
		t.Errorf("%v fail, want both", got)
	}
}

// FuzzDecode holds Decode to its promise: whatever a record is, it is either
// read or counted, or says nothing, and the record behind it is read.
func FuzzDecode(f *testing.F) {
	id := changestest.MessageIDs(1)[0]
	sent := changestest.Version(room, id, 0, false)
	for _, seed := range []json.RawMessage{
		changestest.SendVersion(sent), changestest.Change(sent, changestest.Version(room, id, 1, true)), changestest.Join(room, "bob"),
		changestest.Remove(table.Connection("c"), attributes{table.UserID: {"S": "bob"}}), slice(nil),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		got, malformed := decode(record, changestest.Join(room, "carol"))
		if malformed+len(got) < 1 || malformed+len(got) > 2 || len(got) == 0 {
			t.Fatalf("%d malformed, %d read", malformed, len(got))
		}
		if last, ok := got[len(got)-1].Change.(changes.MemberJoined); !ok || last.Member.UserID != "carol" {
			t.Fatalf("the record behind it is read as %+v", got[len(got)-1].Change)
		}
	})
}
