package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/table"
)

// projections notes what the consumer lastmessage reads out of records.
type projections struct {
	stream.ProjectionStore
	rooms map[string]chat.LastMessage
}

func (p *projections) AdvanceLastMessage(_ context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error) {
	p.rooms[roomID] = m
	return chat.LastMessage{}, nil
}

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

// FuzzRebuiltRecordsAreRead holds rebuilt records against the consumers' own
// decoder, and against reading them back from a saved file.
func FuzzRebuiltRecordsAreRead(f *testing.F) {
	f.Add("room", "alice", "hello", int64(1_709_136_000_123))
	f.Add("dm-x", "ボブ", "line\nbreak \"quoted\" \u2028 \x00 </script>", int64(1))
	f.Fuzz(func(t *testing.T, room, sender, content string, ms int64) {
		if room == "" || ms < 0 || ms > 1e13-1 || !utf8.ValidString(room) || !utf8.ValidString(sender) || !utf8.ValidString(content) {
			t.Skip("the table has no such message")
		}
		id, err := ulid.New(uint64(ms), ulid.DefaultEntropy())
		if err != nil {
			t.Skip(err)
		}
		m := chat.Message{RoomID: room, ID: id.String(), SenderID: sender, Content: content, SentAt: ms}
		k := table.Message(room, ms, m.ID)
		r, err := fromItem(map[string]types.AttributeValue{
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
		}, 7, "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.encode("run-1")
		if err != nil {
			t.Fatal(err)
		}

		store := &projections{rooms: map[string]chat.LastMessage{}}
		consumer := stream.NewLastMessage(store, time.Minute, time.Now, zerolog.Nop())
		answer, err := consumer.Handle(t.Context(), stream.Event{Records: []json.RawMessage{text}})
		if err != nil || len(answer.BatchItemFailures) > 0 {
			t.Fatalf("the consumer answers %v, %v to %s", answer, err, text)
		}
		if diff := cmp.Diff(map[string]chat.LastMessage{room: m.Preview()}, store.rooms); diff != "" {
			t.Errorf("the consumer read (-want +got):\n%s", diff)
		}

		back, err := fromJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.encode("run-1")
		if err != nil || string(again) != string(text) {
			t.Errorf("read back and encoded again, %v:\n%s\n%s", err, again, text)
		}
		if back.Key != r.Key || back.sequence() != "900000000000000000007" {
			t.Errorf("read back as %+v, %s", back.Key, back.sequence())
		}
	})
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
		_ = sizeOf(r.Change.Change.NewImage)
		_ = fmt.Sprint(r.shown(nil))
	})
}

func TestItemsThatAreNoneOfOurs(t *testing.T) {
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
