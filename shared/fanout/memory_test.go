package fanout_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

const room = "r"

// memory is the table of one room. Every user has one device, called as they
// are.
type memory struct {
	members  []string
	messages []string                // ids, in order
	page     int                     // most messages read at once; 0 is all
	states   map[string]chat.Message // of those that changed, by id
	name     string
	asked    atomic.Int64 // how many members were asked for last
	stored   map[table.Key]fanout.Slice
	indexed  map[string]int64 // members, with their IndexedUntil
	seen     chat.Seen        // what others are told about everyone
	rooms    []string         // of everyone
	notify   map[string]chat.Notify

	mu     sync.Mutex
	users  []string         // whose presence was read
	tried  []string         // members who were to be put into the index
	paused map[string]int64 // members, until when
	lease  time.Duration    // of those
}

func (m *memory) MembersIn(_ context.Context, _ string, r fanout.MemberRange, limit int) ([]chat.Member, bool, error) {
	m.asked.Store(int64(limit))
	var members []chat.Member
	for _, user := range slices.Sorted(slices.Values(m.members)) {
		if user >= r.From && (r.To == "" || user < r.To) {
			members = append(members, chat.Member{UserID: user, IndexedUntil: m.indexed[user], Notify: m.notify[user]})
		}
	}
	return members[:min(limit, len(members))], len(members) > limit, nil
}

func (m *memory) MemberBounds(ctx context.Context, room string, r fanout.MemberRange, size, most int) ([]string, error) {
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

func (m *memory) NotifyAmong(_ context.Context, _ string, users []string) (map[string]chat.Notify, error) {
	found := map[string]chat.Notify{}
	for _, user := range users {
		if n := m.notify[user]; n != chat.NotifyAll {
			found[user] = n
		}
	}
	return found, nil
}

func (m *memory) Presence(_ context.Context, users []string, _ int) (map[string][]chat.Connection, error) {
	m.mu.Lock()
	m.users = append(m.users, users...)
	m.mu.Unlock()
	present := map[string][]chat.Connection{}
	for _, user := range users {
		present[user] = []chat.Connection{{ID: user, UserID: user}}
	}
	return present, nil
}

func (m *memory) PauseMember(_ context.Context, _, userID string, until int64) error {
	if m.paused == nil {
		m.paused = map[string]int64{}
	}
	m.paused[userID] = until
	return nil
}

// Online is that of members who are in the index: none, unless a test puts them there.
func (m *memory) Online(_ context.Context, _ string, r fanout.MemberRange, _ int) (map[string][]chat.Connection, error) {
	online := map[string][]chat.Connection{}
	for user := range m.indexed {
		if user >= r.From && (r.To == "" || user < r.To) {
			online[user] = []chat.Connection{{ID: user, UserID: user}}
		}
	}
	return online, nil
}

func (m *memory) IndexMember(_ context.Context, _, userID string, lease time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried, m.lease = append(m.tried, userID), lease
	return nil
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

func (m *memory) PutSlices(_ context.Context, runID string, parts []fanout.Slice) error {
	for i, part := range parts {
		if m.stored == nil {
			m.stored = map[table.Key]fanout.Slice{}
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

func (m *memory) Seen(_ context.Context, users []string) (map[string]chat.Seen, error) {
	seen := map[string]chat.Seen{}
	for _, user := range users {
		if m.seen.At != 0 {
			seen[user] = m.seen
		}
	}
	return seen, nil
}

func (m *memory) NewestRooms(_ context.Context, _ string, limit int) ([]string, error) {
	return m.rooms[:min(limit, len(m.rooms))], nil
}

func (m *memory) DropConnection(context.Context, chat.Connection) error { return nil }

// received keeps the frames that each connection was sent.
type received map[string][]wire.ServerFrame

func (r received) Push(_ context.Context, posts []push.Post) []push.Delivery {
	for _, post := range posts {
		r.take(post.ConnectionID, post.Data)
	}
	return slices.Repeat([]push.Delivery{{Outcome: push.Delivered}}, len(posts))
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
	consumer := fanout.New(m, sent, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop())
	answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
	if err != nil || len(answer.BatchItemFailures) > 0 {
		t.Fatalf("answer %v, error %v; want no failure", answer, err)
	}
	return sent
}

func leaves(user string) json.RawMessage {
	return changestest.Remove(table.Member(room, user), nil)
}

// versions are the types of what a connection was sent, each with its version.
func (r received) versions(connectionID string) []string {
	var versions []string
	for _, frame := range r[connectionID] {
		versions = append(versions, fmt.Sprintf("%s %d", frame.Type, max(frame.EditedAt, frame.DeletedAt)))
	}
	return versions
}

// crowd is a room of n members with some messages.
func crowd(n, messages int) *memory {
	m := &memory{messages: changestest.MessageIDs(messages)}
	for i := range n {
		m.members = append(m.members, fmt.Sprintf("user-%06d", i))
	}
	return m
}

// records takes the slices that were stored, as the records that follow.
func (m *memory) records(age time.Duration) []json.RawMessage {
	var records []json.RawMessage
	for i, key := range m.storedKeys() {
		records = append(records, sliceRecord(key, m.stored[key], i, age))
	}
	m.stored = nil
	return records
}

// storedKeys are the keys of the slices that were stored, in order.
func (m *memory) storedKeys() []table.Key {
	return slices.SortedFunc(maps.Keys(m.stored), func(a, b table.Key) int { return strings.Compare(a.PK, b.PK) })
}

func sliceRecord(key table.Key, part fanout.Slice, sequence int, age time.Duration) json.RawMessage {
	ids := make([]map[string]string, len(part.MessageIDs))
	for i, id := range part.MessageIDs {
		ids[i] = map[string]string{"S": id}
	}
	image := map[string]any{
		table.RoomID: map[string]any{"S": part.RoomID}, table.Gap: map[string]any{"BOOL": part.Gap},
		table.Renamed: map[string]any{"BOOL": part.Renamed}, table.TTL: map[string]any{"N": strconv.FormatInt((part.ExpiresAt+999)/1000, 10)},
		table.MessageIDs: map[string]any{"L": ids},
	}
	if part.Replayed {
		image[table.Replayed] = map[string]any{"BOOL": true}
	}
	if part.Members.From != "" {
		image[table.FromMember] = map[string]any{"S": part.Members.From}
	}
	if part.Members.To != "" {
		image[table.ToMember] = map[string]any{"S": part.Members.To}
	}
	text, err := json.Marshal(map[string]any{"eventName": "INSERT", "dynamodb": map[string]any{
		"ApproximateCreationDateTime": changestest.Now.Add(-age).Unix(), "SequenceNumber": strconv.Itoa(sequence),
		"Keys": changestest.Attributes{table.PK: {"S": key.PK}, table.SK: {"S": key.SK}}, "NewImage": image,
	}})
	if err != nil {
		panic(err)
	}
	return text
}

// spread broadcasts records and whatever slices follow from them, to the end.
func spread(t *testing.T, m *memory, records ...json.RawMessage) received {
	t.Helper()
	all := received{}
	for rounds := 0; len(records) > 0; rounds++ {
		if rounds > 20 {
			t.Fatal("slices are cut without end")
		}
		for user, frames := range broadcast(t, m, records...) {
			all[user] = append(all[user], frames...)
		}
		records = m.records(0)
	}
	return all
}
