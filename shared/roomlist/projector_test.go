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
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/roomlist"
	"github.com/streamroom/streamroom/shared/table"
)

const room = "r"

// lists is the table of some rooms, for a Projector.
type lists struct {
	members map[string]int // how many members each room has: user(0) and so on
	// fault, if set, is asked before each write to a room.
	fault func(ctx context.Context, roomID string) error

	mu       sync.Mutex
	last     map[string]chat.LastMessage
	order    map[place]int64 // absent where a user stands as at the room's creation
	advanced []string        // the messages that were to become the last, in order
	tried    int             // moves, with those that turned out to be needless
	moved    int             // moves
	read     int             // members
	cleared  []string        // deleted messages whose reactions were removed
}

// place is a room in a user's list.
type place struct{ user, room string }

func newLists(members map[string]int) *lists {
	return &lists{members: members, last: map[string]chat.LastMessage{}, order: map[place]int64{}}
}

func user(i int) string { return fmt.Sprintf("user-%05d", i) }

func (l *lists) Room(_ context.Context, roomID string) (chat.Room, bool, error) {
	return chat.Room{ID: roomID, MemberCount: l.members[roomID]}, true, nil
}

func (l *lists) Members(_ context.Context, roomID, after string, limit int) ([]chat.Member, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var members []chat.Member
	for i := range l.members[roomID] {
		if u := user(i); u > after {
			if len(members) == limit {
				return members, true, nil
			}
			members = append(members, chat.Member{UserID: u})
			l.read++
		}
	}
	return members, false, nil
}

func (l *lists) LastMessage(_ context.Context, roomID string) (chat.LastMessage, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.last[roomID]
	return last, ok, nil
}

func (l *lists) AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error) {
	if err := l.meets(ctx, roomID); err != nil {
		return chat.LastMessage{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanced = append(l.advanced, m.MessageID)
	if last := l.last[roomID]; last.MessageID < m.MessageID || last.MessageID == m.MessageID && last.Version < m.Version {
		m.OrderedAt = last.OrderedAt
		l.last[roomID] = m
	}
	return l.last[roomID], nil
}

func (l *lists) AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms int64) error {
	if err := l.meets(ctx, roomID); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tried++
	if p := (place{userID, roomID}); l.order[p] < ms {
		l.order[p] = ms
		l.moved++
	}
	return nil
}

func (l *lists) NoteRoomOrder(_ context.Context, roomID string, ms int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.last[roomID]
	last.OrderedAt = max(last.OrderedAt, ms)
	l.last[roomID] = last
	return nil
}

func (l *lists) RemoveReactions(ctx context.Context, roomID, messageID string) error {
	if err := l.meets(ctx, roomID); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cleared = append(l.cleared, messageID)
	return nil
}

func (l *lists) meets(ctx context.Context, roomID string) error {
	if l.fault == nil {
		return nil
	}
	return l.fault(ctx, roomID)
}

// change is what happened to one item: a member who joined, or a message.
type change struct {
	room            string
	joined, message string
}

// project hands changes to a Projector as one batch and returns those that are
// to be delivered again.
func project(t testing.TB, store roomlist.Store, batch ...change) (failed []change) {
	t.Helper()
	answer, err := projection(store).Handle(t.Context(), event(batch))
	if err != nil {
		t.Fatal(err)
	}
	return failures(answer, batch)
}

// fataler is a test, or one case of a property.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

const projectionDeadline = 20 * time.Second

func projection(store roomlist.Store) *roomlist.Projector {
	return projectionOf(store, chat.OrderInterval)
}

func projectionOf(store roomlist.Store, interval time.Duration) *roomlist.Projector {
	return roomlist.NewProjector(store, interval, projectionDeadline, func() time.Time { return changestest.Now }, zerolog.Nop())
}

func event(batch []change) changes.Event {
	var event changes.Event
	for i, c := range batch {
		r := changestest.Join(c.room, c.joined)
		if c.message != "" {
			r = changestest.Send(c.room, c.message)
		}
		event.Records = append(event.Records, changestest.Numbered(r, firstSequence+i))
	}
	return event
}

// firstSequence is the sequence number of a batch's first record.
const firstSequence = 100_000

// failures are the changes that an answer names.
func failures(answer changes.Response, batch []change) (failed []change) {
	for _, f := range answer.BatchItemFailures {
		for i, c := range batch {
			if strconv.Itoa(firstSequence+i) == f.ItemIdentifier {
				failed = append(failed, c)
			}
		}
	}
	return failed
}

func sent(room string, ids ...string) (batch []change) {
	for _, id := range ids {
		batch = append(batch, change{room: room, message: id})
	}
	return batch
}

// timeOf is when a message was sent, which is where its room stands in lists.
func timeOf(t testing.TB, id string) int64 {
	t.Helper()
	ms, err := chat.MessageTime(id)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func TestProject_OnlyTheNewestMessageOfARoomAndBatch(t *testing.T) {
	ids := changestest.MessageIDs(6)
	store := newLists(map[string]int{"a": 3, "b": 2})
	batch := slices.Concat(sent("a", ids[1], ids[4], ids[0]), sent("b", ids[5], ids[2]), sent("a", ids[3]))
	if failed := project(t, store, batch...); len(failed) > 0 {
		t.Fatalf("%v failed", failed)
	}
	slices.Sort(store.advanced)
	if want := []string{ids[4], ids[5]}; !slices.Equal(store.advanced, want) {
		t.Errorf("the messages %v were projected, want %v", store.advanced, want)
	}
	if store.tried != 5 {
		t.Errorf("%d moves, want one for each of 5 members", store.tried)
	}
}

// Batches of one room may come in any order, from several shards.
func TestProject_AnOlderMessageMovesNewMembersOnly(t *testing.T) {
	ids := changestest.MessageIDs(2)
	store := newLists(map[string]int{room: 3})
	project(t, store, sent(room, ids[1])...)
	store.tried = 0
	delete(store.order, place{user(2), room}) // joins now
	project(t, store, append(sent(room, ids[0]), change{room: room, joined: user(2)})...)
	if at, want := store.order[place{user(2), room}], timeOf(t, ids[1]); at != want {
		t.Errorf("the room stands at %d in a new member's list, want %d", at, want)
	}
	if store.tried != 1 {
		t.Errorf("%d moves, want one: the other batch has moved the rest", store.tried)
	}
	if store.last[room].MessageID != ids[1] {
		t.Error("the last message went back")
	}
}

func TestProject_RetriesAfterAnInterruptedInvocation(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	for _, size := range []int{3, 1_500} {
		for _, fails := range []int{2, 3, size} { // the first is the last message's
			t.Run(fmt.Sprintf("%d members, write %d fails", size, fails), func(t *testing.T) {
				store := newLists(map[string]int{room: size})
				var mu sync.Mutex
				writes := 0
				store.fault = func(context.Context, string) error {
					mu.Lock()
					defer mu.Unlock()
					if writes++; writes >= fails {
						return errors.New("the function has ended")
					}
					return nil
				}
				if failed := project(t, store, sent(room, id)...); len(failed) != 1 {
					t.Fatalf("%v failed, want the message", failed)
				}
				if store.last[room].MessageID != id {
					t.Fatal("the last message was not written first")
				}
				store.fault = nil
				project(t, store, sent(room, id)...)
				for i := range size {
					if at, want := store.order[place{user(i), room}], timeOf(t, id); at != want {
						t.Fatalf("the room stands at %d in the list of %s, want %d", at, user(i), want)
					}
				}
			})
		}
	}
}

func TestReorder_OnceAnInterval(t *testing.T) {
	const minute = time.Minute
	for _, test := range []struct {
		interval        time.Duration
		members         int
		first, second   int // members moved by a message, and by one a minute later
		later           int // and by one another millisecond later
		readByTheSecond int
	}{
		{minute, 2, 2, 0, 2, 0},
		{minute, 1_000, 1_000, 0, 1_000, 0},
		{minute, 1_001, 1_001, 0, 1_001, 0},
		{minute, 10_000, 10_000, 0, 10_000, 0},
		{minute, 10_001, 0, 0, 0, 0},
		{2 * minute, 2, 2, 0, 0, 0},
		{minute / 2, 2, 2, 2, 0, 2},
		{0, 2, 2, 2, 2, 2},
		{0, 1_000, 1_000, 1_000, 1_000, 1_000},
		{0, 1_001, 1_001, 0, 1_001, 1_000},
		{0, 10_001, 0, 0, 0, 1_000},
	} {
		t.Run(fmt.Sprintf("%v, %d members", test.interval, test.members), func(t *testing.T) {
			ids := changestest.MessageIDs(60_002)
			store := newLists(map[string]int{room: test.members})
			for i, step := range []struct {
				id    string
				moved int
			}{
				{ids[0], test.first},
				{ids[0], 0}, // comes again
				{ids[60_000], test.second},
				{ids[60_001], test.later},
			} {
				store.moved, store.read = 0, 0
				batch := sent(room, step.id)
				answer, err := projectionOf(store, test.interval).Handle(t.Context(), event(batch))
				if failed := failures(answer, batch); len(failed) > 0 || err != nil {
					t.Fatalf("%v failed, error %v", failed, err)
				}
				if store.moved != step.moved {
					t.Errorf("message %d moved the room in %d lists, want %d", i, store.moved, step.moved)
				}
				if i == 2 && store.read != test.readByTheSecond {
					t.Errorf("%d members were read for it, want %d", store.read, test.readByTheSecond)
				}
				if store.last[room].MessageID != step.id {
					t.Errorf("message %d is not the last", i)
				}
			}
		})
	}
}

func TestReorder_NewMembersOfLargeRooms(t *testing.T) {
	ids := changestest.MessageIDs(60_002)
	for _, size := range []int{3, 1_001, 10_001} {
		for name, batch := range map[string][]change{
			"with a message":        {{room: room, message: ids[30_001]}, {room: room, joined: user(0)}},
			"with a message to all": {{room: room, message: ids[60_001]}, {room: room, joined: user(0)}},
			"without a message":     {{room: room, joined: user(0)}},
		} {
			t.Run(fmt.Sprintf("%d members, %s", size, name), func(t *testing.T) {
				store := newLists(map[string]int{room: size})
				project(t, store, sent(room, ids[0])...)
				project(t, store, sent(room, ids[30_000])...)
				delete(store.order, place{user(0), room})
				project(t, store, batch...)
				if at, want := store.order[place{user(0), room}], store.last[room].SentAt; at != want {
					t.Errorf("the room stands at %d in a new member's list, want %d", at, want)
				}
			})
		}
	}
}

func TestHandle_ARoomThatCannotBeWrittenFailsAlone(t *testing.T) {
	ids := changestest.MessageIDs(1)
	store := newLists(map[string]int{})
	var batch []change
	for i := range 100 {
		id := fmt.Sprint("room-", i)
		store.members[id] = 3
		batch = append(batch, change{room: id, message: ids[0]})
	}
	store.fault = func(_ context.Context, roomID string) error {
		if roomID == "room-0" || roomID == "room-50" {
			return errors.New("throttled")
		}
		return nil
	}
	if failed := project(t, store, batch...); !slices.Equal(failed, []change{batch[0], batch[50]}) {
		t.Errorf("%v failed, want two", failed)
	}
	if store.moved != 98*3 {
		t.Errorf("%d moves, want those of the other 98 rooms", store.moved)
	}
}

// A table that takes its time: what is not done in time is delivered again, and
// each delivery comes further.
func TestHandle_RoomsBeyondTheDeadlineAreDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rooms = 200
		ids := changestest.MessageIDs(1)
		store := newLists(map[string]int{})
		var batch []change
		for i := range rooms {
			id := fmt.Sprint("room-", i)
			store.members[id] = 2
			batch = append(batch, change{room: id, message: ids[0]})
		}
		store.fault = func(ctx context.Context, roomID string) error {
			if roomID == "room-1" {
				<-ctx.Done() // is throttled for as long as it is tried
				return ctx.Err()
			}
			select {
			case <-time.After(3 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for deliveries := 0; ; deliveries++ {
			before := time.Now()
			failed := project(t, store, batch...)
			if took := time.Since(before); took > projectionDeadline {
				t.Fatalf("an invocation took %v", took)
			}
			if len(failed) == 0 || len(failed) >= len(batch) {
				t.Fatalf("%d of %d records failed", len(failed), len(batch))
			}
			for _, c := range batch {
				done := store.order[place{user(0), c.room}] > 0 && store.order[place{user(1), c.room}] > 0
				if done == slices.Contains(failed, c) {
					t.Fatalf("%s is done: %t, and failed: %t", c.room, done, !done)
				}
			}
			if batch = failed; len(batch) == 1 {
				break // the one that is throttled
			}
			if deliveries == rooms {
				t.Fatal("there is no end to it")
			}
		}
	})
}

func TestHandle_SkipsMalformedRecords(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	store := newLists(map[string]int{room: 1})
	in := event(sent(room, id))
	in.Records = append(
		in.Records,
		json.RawMessage(`{"eventName":"INSERT"}`),
		json.RawMessage(`[]`),
		changestest.Insert(table.Message(room, 1, id), nil),
		changestest.Modify(table.Message(room, 1, id), nil, nil),
	)
	answer, err := projection(store).Handle(t.Context(), in)
	if err != nil || len(answer.BatchItemFailures) > 0 {
		t.Errorf("answer %v, error %v; want no failure", answer, err)
	}
	if store.last[room].MessageID != id || store.moved != 1 {
		t.Error("the message that can be read was not projected")
	}
}

func TestProject_AnEditMovesNoRoom(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	store := newLists(map[string]int{room: 3})
	project(t, store, sent(room, id)...)
	store.tried = 0
	answer, err := projection(store).Handle(t.Context(), changes.Event{
		Records: []json.RawMessage{changestest.Change(changestest.Version(room, id, 0, false), changestest.Version(room, id, 9, false))},
	})
	if err != nil || len(answer.BatchItemFailures) > 0 {
		t.Fatalf("answer %v, error %v", answer, err)
	}
	if last := store.last[room]; last.Preview != "version 9" || last.Version != 9 {
		t.Errorf("the last message is %+v", last)
	}
	if store.tried != 0 {
		t.Errorf("%d members' lists are moved", store.tried)
	}
}

// What members reacted to a message with goes when that is deleted.
func TestProject_ReactionsGoWithTheirMessage(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	store := newLists(map[string]int{room: 1})
	before, after := changestest.Version(room, id, 1, false), changestest.Version(room, id, 2, true)
	key := table.Message(room, timeOf(t, id), id)
	reacted := changestest.Item(after)
	reacted[table.ReactionVersion] = map[string]string{"N": "3"}
	for _, record := range []json.RawMessage{changestest.Change(before, after), changestest.Modify(key, changestest.Item(before), reacted)} {
		answer, err := projection(store).Handle(t.Context(), changes.Event{Records: []json.RawMessage{record}})
		if err != nil || len(answer.BatchItemFailures) > 0 {
			t.Fatalf("answer %v, error %v", answer, err)
		}
	}
	if !slices.Equal(store.cleared, []string{id}) {
		t.Errorf("the reactions to %v were removed, want those to the message that had some", store.cleared)
	}
}

// charged is what users were charged.
type charged map[string]int

func (c charged) Add(_ context.Context, userID string, posts int) (time.Duration, error) {
	c[userID] += posts
	return 0, nil
}

// The sender of the message that moves a room in its members' lists is charged for each of
// these, and no one for messages that don't.
func TestProject_ChargesMoves(t *testing.T) {
	for _, members := range []int{10, roomlist.LargeRoom + 1, roomlist.FrozenAbove + 1} {
		store, c := newLists(map[string]int{room: members}), charged{}
		consumer := projection(store).Charging(c)
		for _, id := range changestest.MessageIDs(2) {
			if _, err := consumer.Handle(t.Context(), event(sent(room, id))); err != nil {
				t.Fatal(err)
			}
		}
		if want := chat.MoveWeight * store.moved; c["alice"] != want || len(c) > 1 || members <= roomlist.FrozenAbove && store.moved != members {
			t.Errorf("%d members, of whose lists %d moved: charged %v", members, store.moved, c)
		}
	}
}

// Moves that failed come again, and are charged then, once; those of a replay never.
func TestProject_ChargesMovesOnce(t *testing.T) {
	store, c := newLists(map[string]int{room: 10}), charged{}
	consumer := projection(store).Charging(c)
	broken := true
	var calls atomic.Int64
	store.fault = func(context.Context, string) error {
		if calls.Add(1) > 1 && broken { // the last message is stored, and no place in lists
			return errors.New("a bad night")
		}
		return nil
	}
	records := event(sent(room, changestest.MessageIDs(1)[0]))
	if _, err := consumer.Handle(t.Context(), records); err != nil || len(c) > 0 {
		t.Errorf("error %v, charged %v for what failed", err, c)
	}
	broken = false
	if _, err := consumer.Handle(t.Context(), records); err != nil || c["alice"] != 10*chat.MoveWeight {
		t.Errorf("error %v, charged %v, want %d", err, c, 10*chat.MoveWeight)
	}
	again, free := newLists(map[string]int{room: 10}), charged{}
	records.Records[0] = changestest.From(records.Records[0], changes.ReplaySource, changes.ReplaySource+":run")
	if _, err := projection(again).Charging(free).Handle(t.Context(), records); err != nil || again.moved != 10 || len(free) > 0 {
		t.Errorf("error %v, %d moves of a replay, charged %v", err, again.moved, free)
	}
}
