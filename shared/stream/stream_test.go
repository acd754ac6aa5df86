package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

const room = "r"

var now = time.UnixMilli(1_709_136_000_000)

// memory is the table of one room. Every user has one device, called as they
// are.
type memory struct {
	members  []string
	messages []string                // ids, in order
	page     int                     // most messages read at once; 0 is all
	states   map[string]chat.Message // of those that changed, by id
	name     string
	asked    atomic.Int64 // how many members were asked for last
	stored   map[table.Key]chat.Slice
}

func (m *memory) MembersIn(_ context.Context, _ string, r chat.MemberRange, limit int) ([]chat.Member, bool, error) {
	m.asked.Store(int64(limit))
	var members []chat.Member
	for _, user := range slices.Sorted(slices.Values(m.members)) {
		if user >= r.From && (r.To == "" || user < r.To) {
			members = append(members, chat.Member{UserID: user})
		}
	}
	return members[:min(limit, len(members))], len(members) > limit, nil
}

func (m *memory) MemberBounds(ctx context.Context, room string, r chat.MemberRange, size, most int) ([]string, error) {
	members, _, err := m.MembersIn(ctx, room, r, size*most+1)
	var bounds []string
	for i := size; i < len(members); i += size {
		bounds = append(bounds, members[i].UserID)
	}
	return bounds, err
}

func (m *memory) IsMember(_ context.Context, _, userID string) (bool, error) {
	return slices.Contains(m.members, userID), nil
}

func (m *memory) Presence(_ context.Context, users []string, _ int) (map[string][]chat.Connection, error) {
	present := map[string][]chat.Connection{}
	for _, user := range users {
		present[user] = []chat.Connection{{ID: user, UserID: user}}
	}
	return present, nil
}

func (m *memory) MessagesByID(_ context.Context, _ string, ids []string) ([]chat.Message, error) {
	var messages []chat.Message
	for _, id := range ids {
		if state, ok := m.states[id]; ok {
			messages = append(messages, state)
		} else if slices.Contains(m.messages, id) {
			ms, err := chat.MessageTime(id)
			if err != nil {
				return nil, err
			}
			messages = append(messages, chat.Message{RoomID: room, ID: id, SenderID: "alice", Content: "hi", SentAt: ms})
		}
	}
	return messages, nil
}

func (m *memory) PutSlices(_ context.Context, runID string, parts []chat.Slice) error {
	for i, part := range parts {
		if m.stored == nil {
			m.stored = map[table.Key]chat.Slice{}
		}
		m.stored[table.Slice(runID, i)] = part
	}
	return nil
}

func (m *memory) MessagesUpTo(_ context.Context, _, messageID string, limit int) ([]chat.Message, error) {
	end, found := slices.BinarySearch(m.messages, messageID)
	if found {
		end++
	}
	if m.page > 0 {
		limit = min(limit, m.page)
	}
	var messages []chat.Message
	for _, id := range slices.Backward(m.messages[max(0, end-limit):end]) {
		state := m.states[id]
		messages = append(messages, chat.Message{ID: id, EditedAt: state.EditedAt, DeletedAt: state.DeletedAt})
	}
	return messages, nil
}

func (m *memory) Room(context.Context, string) (chat.Room, bool, error) {
	return chat.Room{ID: room, Name: m.name, CreatedAt: 1}, true, nil
}

func (m *memory) ForgetUserConnection(context.Context, string, string) error { return nil }
func (m *memory) DropConnection(context.Context, chat.Connection) error      { return nil }

// received keeps the frames that each connection was sent.
type received map[string][]wire.ServerFrame

func (r received) Push(_ context.Context, posts []push.Post) []push.Delivery {
	for _, post := range posts {
		r.take(post.ConnectionID, post.Data)
	}
	return make([]push.Delivery, len(posts))
}

func (r received) take(connectionID string, data []byte) {
	var frame wire.ServerFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		panic(err)
	}
	if frame.Type != wire.TypeBatch {
		r[connectionID] = append(r[connectionID], frame)
		return
	}
	for _, inner := range frame.Frames {
		r.take(connectionID, inner)
	}
}

// types are the types of what a connection was sent, with whom they are about.
func (r received) types(connectionID string) []string {
	var types []string
	for _, frame := range r[connectionID] {
		types = append(types, strings.TrimSuffix(frame.Type+" "+frame.UserID, " "))
	}
	return types
}

// broadcast hands records to a Fanout and returns what was sent.
func broadcast(t *testing.T, m *memory, records ...json.RawMessage) received {
	t.Helper()
	sent := received{}
	fanout := stream.NewFanout(m, sent, time.Minute, func() time.Time { return now }, zerolog.Nop())
	answer, err := fanout.Handle(t.Context(), changes.Event{Records: records})
	if err != nil || len(answer.BatchItemFailures) > 0 {
		t.Fatalf("answer %v, error %v; want no failure", answer, err)
	}
	return sent
}

type attributes = map[string]map[string]string

func record(operation string, key table.Key, image attributes) json.RawMessage {
	change := map[string]any{
		"ApproximateCreationDateTime": now.Unix(),
		"SequenceNumber":              "1",
		"Keys":                        attributes{table.PK: {"S": key.PK}, table.SK: {"S": key.SK}},
	}
	change[map[string]string{"INSERT": "NewImage", "REMOVE": "OldImage"}[operation]] = image
	text, err := json.Marshal(map[string]any{"eventName": operation, "dynamodb": change})
	if err != nil {
		panic(err)
	}
	return text
}

func joins(user string) json.RawMessage {
	return record("INSERT", table.Member(room, user), attributes{table.JoinedAt: {"N": "2"}})
}

func leaves(user string) json.RawMessage {
	return record("REMOVE", table.Member(room, user), nil)
}

func says(id string) json.RawMessage {
	ms, err := chat.MessageTime(id)
	if err != nil {
		panic(err)
	}
	return record("INSERT", table.Message(room, ms, id), attributes{table.SenderID: {"S": "alice"}, table.Content: {"S": "hi"}})
}

// messageIDs mints n ids, oldest first.
func messageIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ms := uint64(now.UnixMilli()) + uint64(i)
		ids[i] = ulid.MustNew(ms, zeros{}).String()
	}
	return ids
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestWhoIsBackHasNotLeft(t *testing.T) {
	for _, test := range []struct {
		name    string
		members []string
		records []json.RawMessage
		alice   []string
		bob     []string
	}{
		{
			"left",
			[]string{"alice"},
			[]json.RawMessage{leaves("bob")},
			[]string{"memberLeft bob"},
			[]string{"memberLeft bob"},
		},
		{
			"left and came back in one batch",
			[]string{"alice", "bob"},
			[]json.RawMessage{leaves("bob"), joins("bob")},
			[]string{"memberJoined bob"},
			[]string{"memberJoined bob"},
		},
		{
			"left, and is back by now",
			[]string{"alice", "bob"},
			[]json.RawMessage{leaves("bob")},
			nil, nil,
		},
		{
			"came and left in one batch",
			[]string{"alice"},
			[]json.RawMessage{joins("bob"), leaves("bob")},
			[]string{"memberLeft bob"},
			[]string{"memberJoined bob", "memberLeft bob"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := broadcast(t, &memory{members: test.members}, test.records...)
			for user, want := range map[string][]string{"alice": test.alice, "bob": test.bob} {
				if got := sent.types(user); !slices.Equal(got, want) {
					t.Errorf("%s was told %q, want %q", user, got, want)
				}
			}
		})
	}
}

// asked keeps whose devices were asked for.
type asked struct {
	*memory
	users []string
}

func (a *asked) Presence(ctx context.Context, users []string, limit int) (map[string][]chat.Connection, error) {
	a.users = append(a.users, users...)
	return a.memory.Presence(ctx, users, limit)
}

func TestNobodyElsesDevicesAreReadForAMemberWhoJoinsALargerRoom(t *testing.T) {
	m := &asked{memory: &memory{members: []string{"bob"}}}
	for i := range 100 {
		m.members = append(m.members, user(i))
	}
	sent := received{}
	fanout := stream.NewFanout(m, sent, time.Minute, func() time.Time { return now }, zerolog.Nop())
	if _, err := fanout.Handle(t.Context(), changes.Event{Records: []json.RawMessage{joins("bob")}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.users, []string{"bob"}) {
		t.Errorf("the devices of %d users were read, want those of bob", len(m.users))
	}
	if got := sent.types("bob"); !slices.Equal(got, []string{"memberJoined bob"}) {
		t.Errorf("bob was told %q", got)
	}
}

// A predecessor that is not given means that there is none.
func TestOnlyTheFirstMessageHasNoPredecessor(t *testing.T) {
	for _, page := range []int{0, 60} { // 60 long messages fill a page of 1 MB
		t.Run(fmt.Sprint("pages of ", page), func(t *testing.T) {
			ids := messageIDs(300)
			var records []json.RawMessage
			for _, id := range ids[100:200] {
				records = append(records, says(id))
			}
			sent := broadcast(t, &memory{members: []string{"alice"}, messages: ids, page: page}, records...)
			if len(sent["alice"]) != 100 {
				t.Fatalf("%d messages, want 100", len(sent["alice"]))
			}
			for i, frame := range sent["alice"] {
				if frame.PreviousMessageID == nil || *frame.PreviousMessageID != ids[99+i] {
					t.Errorf("message %d follows %v, want %s", i, frame.PreviousMessageID, ids[99+i])
				}
			}
		})
	}
	ids := messageIDs(2)
	sent := broadcast(t, &memory{members: []string{"alice"}, messages: ids}, says(ids[0]), says(ids[1]))
	if first := sent["alice"][0].PreviousMessageID; first != nil {
		t.Errorf("the room's first message follows %s", *first)
	}
}

func user(i int) string { return fmt.Sprintf("user-%05d", i) }
