package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/roomlist"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// projections notes what the consumer lastmessage reads out of records.
type projections struct {
	roomlist.Store
	rooms map[string]chat.LastMessage
}

func (p *projections) AdvanceLastMessage(_ context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error) {
	p.rooms[roomID] = m
	return chat.LastMessage{}, nil
}

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

// FuzzRebuiltRecordsAreRead holds rebuilt records against the consumers' own
// decoder, and against reading them back from a saved file. A message was edited
// at a time unless that is 0, and deleted then if so.
func FuzzRebuiltRecordsAreRead(f *testing.F) {
	f.Add("room", "alice", "hello", int64(1_709_136_000_123), int64(0), false)
	f.Add("room", "alice", "hello again", int64(1_709_136_000_123), int64(1_709_136_999_999), false)
	f.Add("room", "alice", "gone", int64(1_709_136_000_123), int64(1_709_136_999_999), true)
	f.Add("dm-x", "ボブ", "line\nbreak \"quoted\" \u2028 \x00 </script>", int64(1), int64(1), false)
	f.Fuzz(func(t *testing.T, room, sender, content string, ms, changed int64, deleted bool) {
		if room == "" || ms < 0 || ms > 1e13-1 || !utf8.ValidString(room) || !utf8.ValidString(sender) || !utf8.ValidString(content) {
			t.Skip("the table has no such message")
		}
		id, err := ulid.New(uint64(ms), ulid.DefaultEntropy())
		if err != nil {
			t.Skip(err)
		}
		m := chat.Message{RoomID: room, ID: id.String(), SenderID: sender, Content: content, SentAt: ms}
		k := table.Message(room, ms, m.ID)
		it := map[string]types.AttributeValue{
			table.PK: s(k.PK), table.SK: s(k.SK), table.SenderID: s(sender), table.Content: s(content),
			table.ReadBy: &types.AttributeValueMemberSS{Value: []string{"x" + sender}},
			"any": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
				"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{
					&types.AttributeValueMemberN{Value: "1.5"}, &types.AttributeValueMemberNULL{Value: true},
					&types.AttributeValueMemberB{Value: []byte(content)}, &types.AttributeValueMemberBOOL{Value: true},
				}},
				"numbers": &types.AttributeValueMemberNS{Value: []string{"1", "2"}},
				"bytes":   &types.AttributeValueMemberBS{Value: [][]byte{[]byte(sender + "x")}},
			}},
		}
		if changed != 0 { // as the store does it
			at := &types.AttributeValueMemberN{Value: strconv.FormatInt(changed, 10)}
			it[table.EditedAt], m.EditedAt = at, changed
			if deleted {
				it[table.DeletedAt], m.DeletedAt, m.EditedAt, m.Content = at, changed, 0, ""
				delete(it, table.Content)
				delete(it, table.ReadBy)
			}
		}
		r, err := fromItem(it, 7, "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.encode("run-1")
		if err != nil {
			t.Fatal(err)
		}

		store := &projections{rooms: map[string]chat.LastMessage{}}
		consumer := roomlist.NewProjector(store, 0, time.Minute, time.Now, zerolog.Nop())
		answer, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{text}})
		if err != nil || len(answer.BatchItemFailures) > 0 {
			t.Fatalf("the consumer answers %v, %v to %s", answer, err, text)
		}
		if diff := cmp.Diff(map[string]chat.LastMessage{room: m.Preview()}, store.rooms); diff != "" {
			t.Errorf("the consumer read (-want +got):\n%s", diff)
		}

		for _, target := range []string{topology.LastMessage, topology.Fanout} {
			filters, err := eventsource.ParseFilters(mappingOf(target).Filters)
			if err != nil {
				t.Fatal(err)
			}
			if !filters.Match(&r.Change) {
				t.Errorf("the filters of %s hold it back", target)
			}
		}

		back, err := fromJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.encode("run-1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, text), decoded(t, again)); diff != "" { // attributes have no order
			t.Errorf("read back and encoded again (-want +got):\n%s", diff)
		}
		if back.Key != r.Key || back.sequence() != "900000000000000000007" {
			t.Errorf("read back as %+v, %s", back.Key, back.sequence())
		}
	})
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// FuzzSavedRecords: whatever a file has, it is read or refused.
func FuzzSavedRecords(f *testing.F) {
	f.Add(`{"eventName":"INSERT","dynamodb":{"SequenceNumber":"1","Keys":{"PK":{"S":"CHATROOM#r"},"SK":{"S":"METADATA"}},"NewImage":{"a":{"L":[{"M":{}}]}}}}`)
	f.Add(`{"eventName":"INSERT","dynamodb":{"SequenceNumber":"1","Keys":{"PK":null,"SK":{}}}}`)
	f.Add(`{"eventName":"INSERT","dynamodb":{"SequenceNumber":"1","ApproximateCreationDateTime":1e300}}`)
	f.Fuzz(func(t *testing.T, line string) {
		r, err := fromJSON([]byte(line))
		if err != nil {
			return
		}
		if _, err := r.encode("run"); err != nil {
			t.Errorf("read, but not encoded: %v", err)
		}
		_ = sizeOf(r.body().NewImage)
		_ = fmt.Sprint(r.shown(nil))
	})
}

func TestUnknownItems(t *testing.T) {
	id := ulid.MustNew(5, nil).String()
	for name, it := range map[string]map[string]types.AttributeValue{
		"no key":                 {},
		"another key":            {table.PK: s("ELSE#1"), table.SK: s("x")},
		"a message's other time": {table.PK: s("CHATROOM#r"), table.SK: s(table.Message("r", 6, id).SK)},
		"a member's lost time":   {table.PK: s("CHATROOM#r"), table.SK: s("MEMBER#bob")},
	} {
		if r, err := fromItem(it, 1, ""); err == nil {
			t.Errorf("%s: it became %+v", name, r)
		}
	}
}
