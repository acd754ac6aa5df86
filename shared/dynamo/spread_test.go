package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
)

// metered is a table that adds up what queries consume.
type metered struct {
	dynamo.Client
	mu      sync.Mutex
	queries int
	units   float64
}

func (m *metered) Query(ctx context.Context, in *dynamodb.QueryInput, options ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := m.Client.Query(ctx, in, options...)
	if err == nil && in.IndexName == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.queries++
		m.units += aws.ToFloat64(out.ConsumedCapacity.CapacityUnits)
	}
	return out, err
}

// bulk is a table that takes puts of new items together, as many as a batch may have:
// tests store thousands of messages, which PutMessage would put one by one.
type bulk struct {
	dynamo.Client
	puts []types.WriteRequest
}

func (b *bulk) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	b.puts = append(b.puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: in.Item}})
	if len(b.puts) < 25 {
		return &dynamodb.PutItemOutput{}, nil
	}
	return &dynamodb.PutItemOutput{}, b.flush(ctx)
}

func (b *bulk) flush(ctx context.Context) error {
	if len(b.puts) == 0 {
		return nil
	}
	out, err := b.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"table": b.puts}})
	if err == nil && len(out.UnprocessedItems) > 0 {
		err = errors.New("the table has no capacity")
	}
	b.puts = nil
	return err
}

// crowded is a store in which alice is in a number of rooms, with messages of bob
// in each that she has not read.
func crowded(t *testing.T, rooms, messages, size int) (*dynamo.Store, *metered) {
	t.Helper()
	client := &metered{Client: openTable(t)}
	store := dynamo.New(client, "table", time.Now)
	together := &bulk{Client: client.Client}
	puts := dynamo.New(together, "table", time.Now)
	for i := range rooms {
		room := chat.Room{ID: fmt.Sprintf("room-%03d", i), Name: "Room", Type: chat.Group, CreatedBy: "bob", CreatedAt: 1}
		if _, err := store.CreateRoom(t.Context(), room, []chat.Member{{UserID: "alice", JoinedAt: 1}, {UserID: "bob", JoinedAt: 1}}); err != nil {
			t.Fatal(err)
		}
		for n := range messages {
			m := chat.Message{
				RoomID: room.ID, ID: ulid.MustNew(uint64(1_709_136_000_000+n), zeros{}).String(), SenderID: "bob",
				SentAt: int64(1_709_136_000_000 + n), Content: strings.Repeat("x", size),
			}
			if err := puts.PutMessage(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if n == messages-1 {
				if _, err := store.AdvanceLastMessage(t.Context(), room.ID, m.Preview()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := together.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store, client
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Beside the rooms and the counts, a list costs a query of the index, and two items a
// room.
func TestUserRooms_UnitsOfCounting(t *testing.T) {
	for _, test := range []struct {
		name                  string
		rooms, messages, size int
		units                 float64
		queries               int
		sum                   int // of the unread counts
		more                  int // rooms with more
	}{
		{"quiet rooms", 100, 0, 0, 50, 100, 0, 0},
		{"20 rooms with a few", 20, 3, 300, 10, 20, 60, 0},
		{"100 rooms with a few", 100, 3, 300, 100, 200, 300, 0},
		{"a room with as many as are counted", 1, 120, 300, 5, 2, 100, 1},
		{"5 rooms with 100", 5, 100, 300, 27.5, 15, 500, 0},
		{"100 rooms with long ones", 100, 4, chat.MaxContent, 200, 80, 100, 100},
		{"10 rooms with long ones", 10, 20, chat.MaxContent, 198.5, 21, 94, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, client := crowded(t, test.rooms, test.messages, test.size)
			rooms, _, err := store.UserRooms(t.Context(), "alice", "", 100)
			if err != nil {
				t.Fatal(err)
			}
			sum, more := 0, 0
			for _, room := range rooms {
				sum += room.Unread
				if room.UnreadMore {
					more++
				}
				if room.UnreadMore && room.Unread == 0 {
					t.Errorf("%s may have unread messages, and counts none", room.Room.ID)
				}
			}
			if client.units != test.units || client.queries != test.queries || sum != test.sum || more != test.more {
				t.Errorf("%v units, %d queries, %d unread, %d rooms with more; want %v, %d, %d, %d",
					client.units, client.queries, sum, more, test.units, test.queries, test.sum, test.more)
			}
		})
	}
}

// Beside the messages, a sync costs an item a room.
func TestMessagesAfter_Units(t *testing.T) {
	for _, test := range []struct {
		name                  string
		rooms, messages, size int
		units                 float64
		queries               int
		received              int
		more                  int // rooms with more
	}{
		{"quiet rooms", 100, 0, 0, 100, 100, 0, 0},
		{"20 rooms with a few", 20, 3, 300, 20, 20, 60, 0},
		{"20 rooms with 30", 20, 30, 300, 80, 60, 600, 0},
		{"100 rooms with a few", 100, 3, 300, 200, 200, 300, 0},
		{"100 rooms with long ones", 100, 4, chat.MaxContent, 500, 100, 100, 100},
		{"10 rooms with long ones", 10, 20, chat.MaxContent, 496, 20, 119, 10},
		{"a room with more than are given", 1, 120, 300, 11, 2, 100, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, client := crowded(t, test.rooms, test.messages, test.size)
			var asked []chat.Position
			for i := range test.rooms {
				asked = append(asked, chat.Position{RoomID: fmt.Sprintf("room-%03d", i), MessageID: strings.Repeat("0", 26)})
			}
			missed, err := store.MessagesAfter(t.Context(), asked, chat.MaxSyncMessages)
			if err != nil {
				t.Fatal(err)
			}
			received, more := 0, 0
			for _, room := range missed {
				received += len(room.Messages)
				if room.More {
					more++
				}
			}
			if client.units != test.units || client.queries != test.queries || received != test.received || more != test.more {
				t.Errorf("%v units, %d queries, %d messages, %d rooms with more; want %v, %d, %d, %d",
					client.units, client.queries, received, more, test.units, test.queries, test.received, test.more)
			}
		})
	}
}

// What a cursor knows costs a list the messages that it passes, and no query more
// where they are few.
func TestUserRooms_UnitsOfWhatCursorsKnow(t *testing.T) {
	for _, test := range []struct {
		name                   string
		rooms, messages, known int
		units                  float64
		queries                int
		unread                 int // in each room
	}{
		{"100 rooms, all of 3 read", 100, 3, 3, 50, 100, 0},
		{"100 rooms, 3 of 6 read", 100, 6, 3, 100, 200, 3},
		{"20 rooms, all of 3 read", 20, 3, 3, 10, 20, 0},
		{"5 rooms, all of 100 read", 5, chat.MaxKnown, chat.MaxKnown, 27.5, 15, 0},
		{"100 rooms, all of 100 read", 100, chat.MaxKnown, chat.MaxKnown, 198, 286, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, client := crowded(t, test.rooms, test.messages, 300)
			for i := range test.rooms {
				readFirst(t, store, fmt.Sprintf("room-%03d", i), test.known)
			}
			client.units, client.queries = 0, 0
			rooms, _, err := store.UserRooms(t.Context(), "alice", "", 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, room := range rooms {
				if room.Unread != test.unread || room.UnreadMore {
					t.Errorf("%s: %d unread, more %t; want %d", room.Room.ID, room.Unread, room.UnreadMore, test.unread)
				}
			}
			if client.units != test.units || client.queries != test.queries {
				t.Errorf("%v units, %d queries; want %v, %d", client.units, client.queries, test.units, test.queries)
			}
		})
	}
}

// readFirst moves alice's cursor to the n-th message of a room, and lets it know all
// until there.
func readFirst(t *testing.T, store *dynamo.Store, roomID string, n int) {
	t.Helper()
	id := func(n int) string { return ulid.MustNew(uint64(1_709_136_000_000+n), zeros{}).String() }
	cursor := chat.ReadCursor{UpTo: id(n - 1), Since: id(-1), Known: strings.Repeat("000000", n)}
	if _, err := store.AdvanceReadCursor(t.Context(), roomID, "alice", cursor, 1); err != nil {
		t.Fatal(err)
	}
}

// What a read costs beside the four items that it looks up, and its write.
func TestStoredBetween_Units(t *testing.T) {
	for _, test := range []struct {
		name           string
		messages, size int
		units          float64
		queries        int
		read           int
		all            bool
	}{
		{"a few", 3, 300, 1, 1, 3, true},
		{"some", 19, 300, 2, 1, 19, true},
		{"as many as are known", 100, 300, 11, 6, 100, false},
		{"long ones", 30, chat.MaxContent, 99, 3, 24, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, client := crowded(t, 1, test.messages, test.size)
			client.units, client.queries = 0, 0
			first, last := strings.Repeat("0", 26), "7"+strings.Repeat("Z", 25)
			ids, all, err := store.StoredBetween(t.Context(), "room-000", first, last)
			if err != nil {
				t.Fatal(err)
			}
			if client.units != test.units || client.queries != test.queries || len(ids) != test.read || all != test.all {
				t.Errorf("%v units, %d queries, %d read, all %t; want %v, %d, %d, %t",
					client.units, client.queries, len(ids), all, test.units, test.queries, test.read, test.all)
			}
		})
	}
}
