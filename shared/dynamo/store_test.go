package dynamo_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// scripted is a table that answers as a test says. Queries find nothing, and other
// requests panic, where it does not say.
type scripted struct {
	dynamo.Client
	transact func(*dynamodb.TransactWriteItemsInput) error
	query    func(*dynamodb.QueryInput) (*dynamodb.QueryOutput, error)
	batchGet func(*dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error)
	delete   func(*dynamodb.DeleteItemInput) error
	update   func(*dynamodb.UpdateItemInput) error
}

func (s scripted) DeleteItem(_ context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return &dynamodb.DeleteItemOutput{}, s.delete(in)
}

func (s scripted) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return &dynamodb.UpdateItemOutput{}, s.update(in)
}

func (s scripted) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return &dynamodb.TransactWriteItemsOutput{}, s.transact(in)
}

func (s scripted) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if s.query == nil {
		return &dynamodb.QueryOutput{}, nil // an empty room
	}
	return s.query(in)
}

func (s scripted) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return s.batchGet(in)
}

func canceled(codes ...string) error {
	reasons := make([]types.CancellationReason, len(codes))
	for i, code := range codes {
		reasons[i].Code = aws.String(code)
	}
	return &types.TransactionCanceledException{CancellationReasons: reasons}
}

func TestATransactionIsTriedAgainWhileTheCauseMayPass(t *testing.T) {
	for _, test := range []struct {
		name  string
		cause error
		again bool
	}{
		{"another transaction", canceled("None", "None", "TransactionConflict"), true},
		{"a table without capacity", canceled("ThrottlingError", "None", "None"), true},
		{"a partition without capacity", canceled("None", "ProvisionedThroughputExceeded", "None"), true},
		{"an item that is too large", canceled("None", "ValidationError", "None"), false},
		{"another error", errors.New("no network"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tokens []string
				store := dynamo.New(scripted{transact: func(in *dynamodb.TransactWriteItemsInput) error {
					tokens = append(tokens, *in.ClientRequestToken)
					if len(tokens) < 8 {
						return test.cause
					}
					return nil
				}}, "table", time.Now)
				added, err := store.AddMember(t.Context(), chat.Room{ID: "r"}, chat.Member{UserID: "bob"})
				if added != test.again || (err == nil) != test.again {
					t.Errorf("added %t, error %v; want success %t", added, err, test.again)
				}
				for _, token := range tokens {
					if token != tokens[0] {
						t.Error("a try used another idempotency token than the first")
					}
				}
			})
		})
	}
}

func TestATransactionGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		store := dynamo.New(scripted{transact: func(*dynamodb.TransactWriteItemsInput) error {
			return canceled("TransactionConflict", "None", "None")
		}}, "table", time.Now)
		if _, err := store.AddMember(t.Context(), chat.Room{ID: "r"}, chat.Member{UserID: "bob"}); err == nil {
			t.Fatal("want an error")
		}
		// A function has 10 s.
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// userItem is what of a user and their connection an update is about.
func userItem(in *dynamodb.UpdateItemInput) string {
	switch sk, _ := in.Key[table.SK].(*types.AttributeValueMemberS); sk.Value {
	case table.PresenceKey:
		return "entry"
	case table.SeenKey:
		return "note" // of what others are told
	}
	return "row"
}

// A connection that can't be reached must not be left with a row: its client
// would be told, ping for ping, that all is well.
func TestAConnectionIsDroppedRowFirst(t *testing.T) {
	noNetwork := errors.New("no network")
	for _, test := range []struct {
		name   string
		delete error
		want   string
	}{
		{"both", nil, "row, entry, note"},
		{"the row is gone or another's", &types.ConditionalCheckFailedException{}, "row, entry, note"},
		{"the row can't be deleted", noNetwork, "row"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var touched []string
			store := dynamo.New(scripted{
				delete: func(*dynamodb.DeleteItemInput) error {
					touched = append(touched, "row")
					return test.delete
				},
				update: func(in *dynamodb.UpdateItemInput) error {
					touched = append(touched, userItem(in))
					return nil
				},
			}, "table", time.Now)
			err := store.DropConnection(t.Context(), chat.Connection{ID: "c", UserID: "bob", ConnectedAt: 1})
			if got := strings.Join(touched, ", "); got != test.want || errors.Is(err, noNetwork) != errors.Is(test.delete, noNetwork) {
				t.Errorf("touched %s, error %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestForeignRoomCursorsAreRefused(t *testing.T) {
	store := dynamo.New(scripted{}, "table", time.Now)
	encode := func(parts ...string) string {
		text, err := json.Marshal(parts)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	tag := func(user string) string {
		sum := sha256.Sum256([]byte(user))
		return hex.EncodeToString(sum[:4])
	}
	mine := tag("alice")
	for name, cursor := range map[string]string{
		"no base 64":    "%",
		"no JSON":       "abcd",
		"no text":       base64.RawURLEncoding.EncodeToString([]byte("[1,2,3]")),
		"another time":  encode("1", "CHATROOM#r", mine),
		"no time":       encode("170913600000x", "CHATROOM#r", mine),
		"another key":   encode("1709136000000", "CONNECTION#c", mine),
		"no room":       encode("1709136000000", "CHATROOM#", mine),
		"no key at all": encode("1709136000000", "CHATROOM#"+strings.Repeat("x", 2000), mine),
		"another user":  encode("1709136000000", "CHATROOM#r", tag("bob")),
		"no user":       encode("1709136000000", "CHATROOM#r"),
		"more":          encode("1709136000000", "CHATROOM#r", mine, ""),
		"no position":   encode("", "", "", "", mine),
		"half of one":   encode("1709136000000", "", "", "", mine),
		"two, one bad":  encode("1709136000000", "CHATROOM#r", "x", "CHATROOM#r", mine),
		"too much":      encode("", "", "", "", "", mine),
	} {
		_, _, err := store.UserRooms(t.Context(), "alice", cursor, 10)
		if chat.Reason(err).Code != chat.CodeInvalidRequest {
			t.Errorf("%s: %v, want %s", name, err, chat.CodeInvalidRequest)
		}
	}
	asked := dynamo.New(scripted{query: func(*dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
		return nil, errors.New("the table is asked")
	}}, "table", time.Now)
	for _, cursor := range []string{
		encode("1709136000000", "CHATROOM#r", mine), // as they were before lists had the order of last messages
		encode("1709136000000", "CHATROOM#r", "", "", mine),
	} {
		if _, _, err := asked.UserRooms(t.Context(), "alice", cursor, 10); chat.Reason(err).Code != chat.CodeInternal {
			t.Errorf("alice's own cursor: %v, want that the table is asked", err)
		}
	}
}

// crowdedList gives alice n rooms that stand in the index one ms after the other, and
// whose last messages are up to a minute later, in another order.
func crowdedList(t *testing.T, n int) *dynamo.Store {
	t.Helper()
	store := dynamo.New(openTable(t), "table", time.Now)
	const epoch = 1_709_136_000_000
	for i := range n {
		room := chat.Room{ID: fmt.Sprintf("room-%03d", i), Name: "Room", Type: chat.Group, CreatedBy: "alice", CreatedAt: epoch + int64(i)}
		if _, err := store.CreateRoom(t.Context(), room, []chat.Member{{UserID: "alice", JoinedAt: 1}}); err != nil {
			t.Fatal(err)
		}
		ms := room.CreatedAt + int64(i*7919%50_000)
		last := chat.LastMessage{MessageID: ulid.MustNew(uint64(ms), zeros{}).String(), SentAt: ms}
		if _, err := store.AdvanceLastMessage(t.Context(), room.ID, last); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// walk lists all pages from a cursor on, and how often each room is on them.
func walk(t *testing.T, store *dynamo.Store, cursor string, limit int) map[string]int {
	t.Helper()
	times := map[string]int{}
	for pages := 0; pages == 0 || cursor != ""; pages++ {
		rooms, next, err := store.UserRooms(t.Context(), "alice", cursor, limit)
		if err != nil || len(rooms) > limit || pages > 600 {
			t.Fatalf("page %d: %d rooms, error %v", pages, len(rooms), err)
		}
		for _, room := range rooms {
			times[room.Room.ID]++
		}
		cursor = next
	}
	return times
}

// A page of many rooms that all have messages of one minute costs a bounded number of
// reads. Then the list has the order of the index, and still all rooms, once.
func TestUserRooms_MoreRoomsInAMinuteThanAPageReads(t *testing.T) {
	const rooms = 330
	store := crowdedList(t, rooms)
	for _, limit := range []int{1, 10, 100} {
		times := walk(t, store, "", limit)
		if len(times) != rooms {
			t.Errorf("pages of %d have %d rooms, want %d", limit, len(times), rooms)
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("pages of %d have %s %d times", limit, id, n)
			}
		}
	}
}

// A cursor that an earlier version gave goes on where it did: in the order of the index.
func TestUserRooms_ReadsOldCursors(t *testing.T) {
	store := crowdedList(t, 10)
	sum := sha256.Sum256([]byte("alice"))
	text, err := json.Marshal([]string{"1709136000006", "CHATROOM#room-006", hex.EncodeToString(sum[:4])})
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 4, 100} {
		times := walk(t, store, base64.RawURLEncoding.EncodeToString(text), limit)
		for i := range 10 {
			id, want := fmt.Sprintf("room-%03d", i), 0
			if i < 6 {
				want = 1
			}
			if times[id] != want {
				t.Errorf("pages of %d have %s %d times, want %d", limit, id, times[id], want)
			}
		}
	}
}

func TestStrayItemsDoNotTakeARoomListDown(t *testing.T) {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	entry := func(sk, order string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"PK": text("USER#alice"), "SK": text(sk), "GSI1SK": text(order)}
	}
	store := dynamo.New(scripted{
		query: func(in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
			if in.IndexName == nil {
				room := map[string]types.AttributeValue{"PK": in.ExpressionAttributeValues[":pk"], "SK": text("METADATA")}
				return &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{room}}, nil
			}
			return &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{
				entry("CHATROOM#a", "1709136000000"),
				entry("CHATROOM#b", "yesterday"),
				entry("SOMETHING", "1709136000000"),
			}}, nil
		},
		batchGet: func(*dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
			return &dynamodb.BatchGetItemOutput{}, nil
		},
	}, "table", time.Now)
	rooms, _, err := store.UserRooms(t.Context(), "alice", "", 10)
	if err != nil || len(rooms) != 1 || rooms[0].Room.ID != "a" {
		t.Errorf("rooms %v, error %v; want the room a alone", rooms, err)
	}
}

// counting counts the updates that a table gets.
type counting struct {
	dynamo.Client
	updates int
}

func (c *counting) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	c.updates++
	return c.Client.UpdateItem(ctx, in, options...)
}

// A window that is where it was last seen takes one update, and so does a refusal.
func TestTakeRate_OneUpdate(t *testing.T) {
	now := time.Now()
	counted := &counting{Client: openTable(t)}
	store := dynamo.New(counted, "table", func() time.Time { return now })
	take := chat.RateTake{UserID: "alice", Action: chat.Sending, Limit: chat.PerSecond(10, 20), Count: 1}
	for i := range 21 {
		window, wait, err := store.TakeRate(t.Context(), take)
		if err != nil || (wait == 0) != (i < 20) || counted.updates != i+1 {
			t.Errorf("take %d: wait %v after %d updates, error %v; want one update each", i+1, wait, counted.updates, err)
		}
		take.LastWindow = window
	}
}

// A connection's entry and its user's window are one update, two if the window is not where
// it was last seen. A refusal is one that changes nothing of the presence.
func TestPutConnection_TheEntryMovesTheWindow(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	db := openTable(t)
	counted := &counting{Client: db}
	store := dynamo.New(counted, "table", func() time.Time { return now })
	items := func() []map[string]types.AttributeValue {
		t.Helper()
		all, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("table")})
		if err != nil {
			t.Fatal(err)
		}
		return all.Items
	}
	limit := chat.PerMinute(60, 4)
	last := int64(0)
	for i, step := range []struct {
		forget  bool // where the window was
		updates int
		window  int64 // ms from now on
		refused bool
	}{
		{false, 3, 1000, false}, // the entry, the row, and what others are told
		{false, 2, 2000, false},
		{true, 3, 3000, false},
		{false, 2, 4000, false},
		{false, 1, 4000, true},
		{true, 1, 4000, true},
	} {
		counted.updates = 0
		if step.forget {
			last = 0
		}
		before := items()
		c := chat.Connection{ID: fmt.Sprint("c-", i), UserID: "bob", ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli()}
		window, wait, err := store.PutConnection(t.Context(), c, chat.RateTake{UserID: "bob", Action: chat.Connecting, Limit: limit, Count: 1, LastWindow: last})
		if counted.updates != step.updates || window-now.UnixMilli() != step.window || (wait > 0) != step.refused || err != nil {
			t.Errorf("connection %d: %d updates, window %d, wait %v, error %v; want %+v", i+1, counted.updates, window-now.UnixMilli(), wait, err, step)
		}
		if diff := cmp.Diff(before, items(), cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{}, types.AttributeValueMemberM{}, types.AttributeValueMemberBOOL{})); (diff == "") != step.refused {
			t.Errorf("connection %d: the table changed by\n%s", i+1, diff)
		}
		last = window
	}
	for _, it := range items() {
		if key := attribute.KeyOf(it); key == table.Rate("bob", string(chat.Connecting)) {
			t.Errorf("there is an item %v", key)
		}
		if window := attribute.GetNumber(it, table.RateTAT); (window != 0) != (attribute.KeyOf(it) == table.Presence("bob")) {
			t.Errorf("%v has the window %d", attribute.KeyOf(it), window)
		}
	}
}

// stuttering makes each update twice, as a client does that missed the first answer.
type stuttering struct{ dynamo.Client }

func (s stuttering) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	_, _ = s.Client.UpdateItem(ctx, in, options...)
	return s.Client.UpdateItem(ctx, in, options...)
}

// A connection whose entry is stored is not refused for its own sake.
func TestPutConnection_CountsOnceWhenAnAnswerIsLost(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	store := dynamo.New(stuttering{openTable(t)}, "table", func() time.Time { return now })
	limit := chat.PerMinute(60, 2)
	for i := range 3 {
		c := chat.Connection{ID: fmt.Sprint("c-", i), UserID: "bob", ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli()}
		window, wait, err := store.PutConnection(t.Context(), c, chat.RateTake{UserID: "bob", Action: chat.Connecting, Limit: limit, Count: 1})
		if want := now.UnixMilli() + 1000*min(int64(i)+1, 2); window != want || (wait > 0) != (i == 2) || err != nil {
			t.Errorf("connection %d: window %d, wait %v, error %v; want %d", i+1, window, wait, err, want)
		}
		if _, stored, err := store.Connection(t.Context(), c.ID); stored != (i < 2) || err != nil {
			t.Errorf("connection %d: stored %t, error %v", i+1, stored, err)
		}
	}
}

// A row without an entry would let its client believe that it can be reached.
// An entry stays where no $disconnect removed it, and is skipped from its end on. A
// user's later connections remove those that have ended, eight at a time.
func TestPutConnection_RemovesEntriesThatHaveEnded(t *testing.T) {
	const stayed = 8
	now := time.UnixMilli(1_700_000_000_000)
	db := openTable(t)
	store := dynamo.New(db, "table", func() time.Time { return now })
	entries := func() (n int) {
		out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("table"), Key: attribute.Key(table.Presence("bob"))})
		if err != nil {
			t.Fatal(err)
		}
		for name := range out.Item {
			if _, ok := table.PresenceConnection(name); ok {
				n++
			}
		}
		return n
	}
	open := func(id string) {
		t.Helper()
		c := chat.Connection{ID: id, UserID: "bob", ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli()}
		if _, _, err := store.PutConnection(t.Context(), c, chat.RateTake{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range stayed {
		if open(fmt.Sprint("old-", i)); i == stayed-2 {
			now = now.Add(2 * time.Hour)
			if open("probe"); entries() != stayed {
				t.Fatalf("%d entries, want %d: fewer than eight have ended", entries(), stayed)
			}
		}
	}
	now = now.Add(2 * time.Hour)
	if open("new"); entries() != 1 {
		t.Errorf("%d entries stay, want the new one", entries())
	}
	present, err := store.Presence(t.Context(), []string{"bob"}, 20)
	if err != nil || len(present["bob"]) != 1 {
		t.Errorf("bob has the connections %v, %v; want the new one", present["bob"], err)
	}
}

func TestPutConnection_EntryFirst(t *testing.T) {
	noNetwork := errors.New("no network")
	for _, test := range []struct {
		name        string
		update, put error
		want        string
	}{
		{"both", nil, nil, "entry, row, note"},
		{"the entry can't be stored", noNetwork, nil, "entry"},
		{"the row can't be stored", nil, noNetwork, "entry, row"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var touched []string
			store := dynamo.New(scripted{update: func(in *dynamodb.UpdateItemInput) error {
				what := userItem(in)
				touched = append(touched, what)
				if what == "row" {
					return test.put
				}
				return test.update
			}}, "table", time.Now)
			_, _, err := store.PutConnection(t.Context(), chat.Connection{ID: "c", UserID: "bob", ConnectedAt: 1}, chat.RateTake{})
			if got := strings.Join(touched, ", "); got != test.want || errors.Is(err, noNetwork) != (test.update != nil || test.put != nil) {
				t.Errorf("touched %s, error %v; want %s", got, err, test.want)
			}
		})
	}
}

// throttling is a table that refuses every request for want of capacity.
type throttling struct{ requests int }

func (s *throttling) Do(r *http.Request) (*http.Response, error) {
	s.requests++
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}`
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// What cleans up behind a batch of stream records holds up the records behind it
// while it waits.
func TestCleanUp_DoesNotWaitForCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &throttling{}
		store := dynamo.New(dynamodb.NewFromConfig(aws.Config{
			Region: "us-east-1", BaseEndpoint: aws.String("http://table.example"), HTTPClient: server,
			Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		}), "table", time.Now)
		began := time.Now()
		drop := store.DropConnection(t.Context(), chat.Connection{ID: "c", UserID: "bob", ConnectedAt: 1})
		if drop == nil || server.requests != 1 || time.Since(began) != 0 {
			t.Errorf("error %v after %d requests in %v; want one, after one request, at once", drop, server.requests, time.Since(began))
		}
	})
}
