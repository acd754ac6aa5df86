package roomlist_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/roomlist"
	"github.com/streamroom/streamroom/shared/table"
)

// Whatever order records come in, however they are cut into batches, however
// many batches are projected at a time while members come and go, whichever of
// them come twice or break off in the middle: once each has been projected, the
// last message is the newest, and the room stands at it in the lists of those who
// are members, and in no others. On the way nothing moves back.
func TestProjector_EndsTheSameWhateverTheDelivery(t *testing.T) {
	db, store := openTable(t)
	rooms := 0
	rapid.Check(t, func(t *rapid.T) {
		rooms++
		w := &roomWorld{T: t, db: db, store: store, id: fmt.Sprint("room-", rooms), members: map[string]bool{}, at: map[string]int64{}}
		w.interval = rapid.SampledFrom([]time.Duration{0, 5 * time.Millisecond, time.Minute}).Draw(t, "interval")
		w.create()
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			rapid.SampledFrom([]func(){w.say, w.deliver}).Draw(t, "step")()
			w.check()
		}
		w.deliverTheRest()
		w.check()
		w.checkEnd()
	})
}

// Whatever order the records of some messages' states come in, however often and
// in whatever batches: the last message ends as the newest message's newest
// state, and never moves back on the way.
func TestProjector_TheLastMessageEndsInItsNewestState(t *testing.T) {
	_, store := openTable(t)
	rooms := 0
	rapid.Check(t, func(t *rapid.T) {
		rooms++
		roomID := fmt.Sprint("edits-", rooms)
		ids := changestest.MessageIDs(rapid.IntRange(1, 3).Draw(t, "messages"))
		var records []json.RawMessage
		var newest chat.Message
		for _, id := range ids {
			before := changestest.Version(roomID, id, 0, false)
			records = append(records, changestest.SendVersion(before))
			versions := rapid.Int64Range(0, 4).Draw(t, "versions")
			for v := int64(1); v <= versions; v++ {
				after := changestest.Version(roomID, id, v, v == versions && rapid.Bool().Draw(t, "deleted"))
				records = append(records, changestest.Change(before, after))
				before = after
			}
			newest = before
		}
		records = append(records, rapid.SliceOfN(rapid.SampledFrom(records), 0, 6).Draw(t, "again")...)
		records = rapid.Permutation(records).Draw(t, "order")
		last := chat.LastMessage{}
		for len(records) > 0 {
			n := rapid.IntRange(1, len(records)).Draw(t, "batch")
			answer, err := projection(store).Handle(t.Context(), changes.Event{Records: records[:n]})
			if err != nil || len(answer.BatchItemFailures) > 0 {
				t.Fatalf("answer %v, error %v", answer, err)
			}
			records = records[n:]
			now, _, err := store.LastMessage(t.Context(), roomID)
			if err != nil {
				t.Fatal(err)
			}
			if now.MessageID < last.MessageID || now.MessageID == last.MessageID && now.Version < last.Version {
				t.Fatalf("the last message went back from %+v to %+v", last, now)
			}
			last = now
		}
		last.OrderedAt = 0
		if diff := cmp.Diff(newest.Preview(), last); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// overtaken is a table on which something happens after the members were read.
type overtaken struct {
	*dynamo.Store
	then func()
}

func (o overtaken) Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error) {
	members, more, err := o.Store.Members(ctx, roomID, after, limit)
	o.then()
	return members, more, err
}

func TestProjector_ABatchThatIsOvertakenMovesNothingBack(t *testing.T) {
	db, store := openTable(t)
	if _, err := store.CreateRoom(t.Context(), chat.Room{ID: room, CreatedAt: 1}, []chat.Member{{UserID: "alice"}, {UserID: "bob"}}); err != nil {
		t.Fatal(err)
	}
	ids := changestest.MessageIDs(2)
	project(t, overtaken{store, func() {
		project(t, store, sent(room, ids[1])...)
		if _, err := store.RemoveMember(t.Context(), room, chat.Member{UserID: "bob"}, chat.Member{}); err != nil {
			t.Fatal(err)
		}
	}}, sent(room, ids[0])...)

	if last, _, err := store.LastMessage(t.Context(), room); err != nil || last.MessageID != ids[1] {
		t.Errorf("the last message is %s, error %v; want %s", last.MessageID, err, ids[1])
	}
	if at, _ := standing(t, db, "alice", room); at != timeOf(t, ids[1]) {
		t.Errorf("the room stands at %d in the list of alice, want %d", at, timeOf(t, ids[1]))
	}
	if _, found := standing(t, db, "bob", room); found {
		t.Error("bob, who has left, has the room in the list again")
	}
}

// A member who has hidden a direct message gets it back with the next message, however
// soon that is after the one that moved the room last, and whether or not that was
// projected before they hid it.
func TestProjector_AHiddenRoomComesBackWithTheNextMessage(t *testing.T) {
	db, store := openTable(t)
	for i, before := range []bool{true, false} {
		about := chat.Room{ID: fmt.Sprint("dm-", i), Type: chat.Direct, CreatedBy: "alice", CreatedAt: 1}
		if _, err := store.CreateRoom(t.Context(), about, []chat.Member{{UserID: "alice"}, {UserID: "bob"}}); err != nil {
			t.Fatal(err)
		}
		ids := changestest.MessageIDs(3)
		say := func(id string) {
			m := chat.Message{RoomID: about.ID, ID: id, SenderID: "bob", Content: "hello", SentAt: timeOf(t, id)}
			if err := store.PutMessage(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		listed := func() bool { return participation(t, db, "alice", about.ID)[table.GSI1SK] != nil }
		say(ids[0])
		if before {
			project(t, store, sent(about.ID, ids[0])...)
		}
		if err := store.HideRoom(t.Context(), "alice", about); err != nil {
			t.Fatal(err)
		}
		project(t, store, sent(about.ID, ids[0])...)
		if listed() {
			t.Errorf("projected before %t: the room is in the list, and was hidden", before)
		}
		for _, id := range ids[1:] {
			say(id)
			project(t, store, sent(about.ID, id)...)
			if !listed() {
				t.Errorf("projected before %t: the room is not in the list after another message", before)
			}
		}
	}
}

// roomWorld is a room in the real table, and what is true of it.
type roomWorld struct {
	*rapid.T
	db    *ddb.Client
	store *dynamo.Store
	id    string

	interval time.Duration

	members   map[string]bool
	newest    string
	changes   []change // what the stream has
	projected []bool   // by change

	last string           // the last message, when it was looked at last
	at   map[string]int64 // where the room stood in lists then
}

// people are all who may be in the room.
var people = []string{"alice", "bob", "carol", "dave"}

func (w *roomWorld) room() chat.Room {
	return chat.Room{ID: w.id, Type: chat.Group, CreatedBy: people[0], CreatedAt: changestest.Now.UnixMilli()}
}

func (w *roomWorld) create() {
	_, err := w.store.CreateRoom(context.Background(), w.room(), []chat.Member{{UserID: people[0], Role: chat.PlainMember}})
	w.must(err)
	w.members[people[0]] = true
	w.happened(change{room: w.id, joined: people[0]})
}

func (w *roomWorld) happened(c change) {
	w.changes, w.projected = append(w.changes, c), append(w.projected, false)
}

// say has a message, of nearly any time: functions' clocks differ.
func (w *roomWorld) say() {
	entropy := make([]byte, 10)
	entropy[0] = rapid.Byte().Draw(w.T, "entropy")
	ms := uint64(changestest.Now.UnixMilli()) + rapid.Uint64Range(1, 20).Draw(w.T, "ms")
	var id ulid.ULID
	w.must(id.SetTime(ms))
	w.must(id.SetEntropy(entropy))
	w.newest = max(w.newest, id.String())
	w.happened(change{room: w.id, message: id.String()})
}

// deliver projects some batches at a time, while some users join or leave.
func (w *roomWorld) deliver() {
	batches := rapid.SliceOfN(w.batch(), 1, 3).Draw(w.T, "batches")
	movers := rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, 2, rapid.ID[string]).Draw(w.T, "movers")
	var group sync.WaitGroup
	errs := make([]error, len(movers))
	for i, user := range movers {
		group.Go(func() { errs[i] = w.move(user) })
	}
	for _, b := range batches {
		group.Go(func() { b.done = w.project(b) })
	}
	group.Wait()
	for i, user := range movers {
		w.must(errs[i])
		delete(w.at, user) // its place is a new one
		if w.members[user] = !w.members[user]; w.members[user] {
			w.happened(change{room: w.id, joined: user})
		}
	}
	for _, b := range batches {
		w.tick(b)
	}
}

// batch is some of what happened, in any order, some of it more than once.
type batch struct {
	changes []int
	fault   fault
	done    []change
}

func (w *roomWorld) batch() *rapid.Generator[*batch] {
	return rapid.Custom(func(t *rapid.T) *batch {
		return &batch{
			changes: rapid.SliceOfN(rapid.IntRange(0, len(w.changes)-1), 1, 6).Draw(t, "changes"),
			fault: fault{
				call:  rapid.IntRange(0, 8).Draw(t, "call"),
				late:  rapid.Bool().Draw(t, "late"),
				crash: rapid.Bool().Draw(t, "crash"),
			},
		}
	})
}

// tick notes what a batch has projected.
func (w *roomWorld) tick(b *batch) {
	for _, i := range b.changes {
		w.projected[i] = w.projected[i] || slices.Contains(b.done, w.changes[i])
	}
}

// move lets a user join or leave.
func (w *roomWorld) move(user string) error {
	var err error
	if w.members[user] {
		_, err = w.store.RemoveMember(context.Background(), w.id, chat.Member{UserID: user, Role: chat.PlainMember}, chat.Member{})
	} else {
		_, err = w.store.AddMember(context.Background(), w.room(), chat.Member{UserID: user, Role: chat.PlainMember})
	}
	return err
}

// project projects a batch and returns what counts as done.
func (w *roomWorld) project(b *batch) []change {
	changes := make([]change, len(b.changes))
	for i, n := range b.changes {
		changes[i] = w.changes[n]
	}
	store := &brittle{Store: w.store, fault: b.fault}
	answer, err := projectionOf(store, w.interval).Handle(context.Background(), event(changes))
	if err != nil || store.crashed() {
		return nil
	}
	failed := failures(answer, changes)
	return slices.DeleteFunc(changes, func(c change) bool { return slices.Contains(failed, c) })
}

// deliverTheRest projects all that was not, in any cut.
func (w *roomWorld) deliverTheRest() {
	var rest []int
	for i, done := range w.projected {
		if !done {
			rest = append(rest, i)
		}
	}
	if len(rest) == 0 {
		return
	}
	rest = rapid.Permutation(rest).Draw(w.T, "rest")
	var group sync.WaitGroup
	for part := range slices.Chunk(rest, rapid.IntRange(1, len(rest)).Draw(w.T, "cut")) {
		group.Go(func() { w.project(&batch{changes: part}) })
	}
	group.Wait()
}

// check reads where the room stands. Nothing has moved back, and no one but
// members has it.
func (w *roomWorld) check() {
	last, _, err := w.store.LastMessage(context.Background(), w.id)
	w.must(err)
	if last.MessageID < w.last {
		w.Fatalf("the last message went back from %s to %s", w.last, last.MessageID)
	}
	w.last = last.MessageID
	for _, user := range people {
		at, found := standing(w.T, w.db, user, w.id)
		if found != w.members[user] {
			w.Fatalf("%s is a member: %t, and has the room in the list: %t", user, w.members[user], found)
		}
		if at < w.at[user] {
			w.Fatalf("the room moved back in the list of %s, from %d to %d", user, w.at[user], at)
		}
		w.at[user] = at
	}
}

// checkEnd fails unless everything is as the newest message has it.
func (w *roomWorld) checkEnd() {
	if w.last != w.newest {
		w.Fatalf("the last message is %q, want %q", w.last, w.newest)
	}
	want := changestest.Now.UnixMilli() // the room's creation
	if w.newest != "" {
		ms, err := chat.MessageTime(w.newest)
		w.must(err)
		want = ms
	}
	for user, member := range w.members {
		if behind := want - w.at[user]; member && (behind < 0 || behind > w.interval.Milliseconds()) {
			w.Fatalf("the room stands at %d in the list of %s, want %d, or at most %v before", w.at[user], user, want, w.interval)
		}
	}
}

// standing reads where a room stands in a user's list, if it is there.
func standing(t fataler, db *ddb.Client, userID, roomID string) (int64, bool) {
	t.Helper()
	it := participation(t, db, userID, roomID)
	if len(it) == 0 {
		return 0, false
	}
	text, ok := it[table.GSI1SK].(*types.AttributeValueMemberS)
	if !ok {
		t.Fatal("the room stands nowhere in the list of", userID)
	}
	at, err := strconv.ParseInt(text.Value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return at, true
}

// participation reads the item of a room in a user's list.
func participation(t fataler, db *ddb.Client, userID, roomID string) map[string]types.AttributeValue {
	t.Helper()
	key := table.Participation(userID, roomID)
	out, err := db.GetItem(context.Background(), &ddb.GetItemInput{
		TableName: aws.String(tableName), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			table.PK: &types.AttributeValueMemberS{Value: key.PK}, table.SK: &types.AttributeValueMemberS{Value: key.SK},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func (w *roomWorld) must(err error) {
	if err != nil {
		w.Fatal(err)
	}
}

// fault is what happens to the table in the middle of an invocation.
type fault struct {
	call  int  // the call that fails, from 1; 0 for none
	late  bool // its answer is lost, rather than the call
	crash bool // the function ends there
}

// brittle is a table with a fault.
type brittle struct {
	*dynamo.Store
	fault fault
	calls atomic.Int64
}

func (b *brittle) crashed() bool {
	return b.fault.crash && b.fault.call > 0 && int(b.calls.Load()) >= b.fault.call
}

// do makes a call, or not.
func (b *brittle) do(call func() error) error {
	n, broken := int(b.calls.Add(1)), errors.New("the table is out of reach")
	if n == b.fault.call && b.fault.late {
		_ = call() // and its result is lost
	}
	if n == b.fault.call || b.crashed() {
		return broken
	}
	return call()
}

func (b *brittle) Members(ctx context.Context, roomID, after string, limit int) (members []chat.Member, more bool, err error) {
	err = b.do(func() error {
		members, more, err = b.Store.Members(ctx, roomID, after, limit)
		return err
	})
	return members, more, err
}

func (b *brittle) LastMessage(ctx context.Context, roomID string) (last chat.LastMessage, found bool, err error) {
	err = b.do(func() error {
		last, found, err = b.Store.LastMessage(ctx, roomID)
		return err
	})
	return last, found, err
}

func (b *brittle) AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) (last chat.LastMessage, err error) {
	err = b.do(func() error {
		last, err = b.Store.AdvanceLastMessage(ctx, roomID, m)
		return err
	})
	return last, err
}

func (b *brittle) NoteRoomOrder(ctx context.Context, roomID string, ms int64) error {
	return b.do(func() error { return b.Store.NoteRoomOrder(ctx, roomID, ms) })
}

func (b *brittle) AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms int64) error {
	return b.do(func() error { return b.Store.AdvanceRoomOrder(ctx, userID, roomID, ms) })
}

var _ roomlist.Store = (*brittle)(nil)

const tableName = "streamroom"

// openTable makes an empty table.
func openTable(t *testing.T) (*ddb.Client, *dynamo.Store) {
	t.Helper()
	engine, err := dynamodb.Open(t.Context(), dynamodb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	db := ddb.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://table.example"), HTTPClient: engine,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	_, err = db.CreateTable(t.Context(), &ddb.CreateTableInput{
		TableName: aws.String(tableName), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(table.PK), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(table.SK), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(table.PK), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(table.SK), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, dynamo.New(db, tableName, time.Now)
}
