package fanout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/table"
)

var errThrottled = errors.New("throttled")

// failing is a table some of whose reads and deletes fail, by room, user or
// connection.
type failing struct {
	*memory

	membersOf, messagesOf, presenceOf, deleteOf string

	mu      sync.Mutex
	deleted []string // connections
}

func (f *failing) MembersIn(ctx context.Context, roomID string, r fanout.MemberRange, limit int) ([]chat.Member, bool, error) {
	if roomID == f.membersOf {
		return nil, false, errThrottled
	}
	return f.memory.MembersIn(ctx, roomID, r, limit)
}

func (f *failing) MessagesUpTo(ctx context.Context, roomID, messageID string, limit int) ([]chat.Message, error) {
	if roomID == f.messagesOf {
		return nil, errThrottled
	}
	return f.memory.MessagesUpTo(ctx, roomID, messageID, limit)
}

func (f *failing) MessagesByID(ctx context.Context, roomID string, ids []string) ([]chat.Message, error) {
	if roomID == f.messagesOf {
		return nil, errThrottled
	}
	return f.memory.MessagesByID(ctx, roomID, ids)
}

func (f *failing) Presence(ctx context.Context, users []string, limit int) (map[string][]chat.Connection, error) {
	if slices.Contains(users, f.presenceOf) {
		return nil, errThrottled
	}
	return f.memory.Presence(ctx, users, limit)
}

func (f *failing) DropConnection(_ context.Context, c chat.Connection) error {
	return f.remove(c.ID)
}

func (f *failing) remove(connection string) error {
	if connection == f.deleteOf {
		return errThrottled
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted = append(f.deleted, connection)
	return nil
}

// handle hands records, numbered from 0, to a Fanout and returns those that
// failed.
func handle(t *testing.T, store fanout.Store, pusher fanout.Pusher, records ...json.RawMessage) (failed []string) {
	t.Helper()
	for i, r := range records {
		records[i] = changestest.Numbered(r, i)
	}
	consumer := fanout.New(store, pusher, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop())
	answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range answer.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

func TestHandle_ARoomThatCannotBeReadFailsAlone(t *testing.T) {
	ids := changestest.MessageIDs(1)
	for name, store := range map[string]*failing{"members": {membersOf: "broken"}, "messages": {messagesOf: "broken"}} {
		t.Run(name, func(t *testing.T) {
			store.memory = &memory{members: []string{"alice"}, messages: ids}
			sent := received{}
			failed := handle(t, store, sent, changestest.Send("broken", ids[0]), changestest.Send(room, ids[0]), changestest.Join("broken", "alice"))
			if !slices.Equal(failed, []string{"0", "2"}) {
				t.Errorf("the records %q failed, want those of the room", failed)
			}
			if got := sent.types("alice"); !slices.Equal(got, []string{"message"}) || sent["alice"][0].ChatRoomID != room {
				t.Errorf("alice got %q, want the message of the other room", got)
			}
		})
	}
}

func TestHandle_UnreadConnectionsFailTheirRoomsOnly(t *testing.T) {
	store := &failing{memory: crowd(150, 1), presenceOf: "user-000003"} // in the first of two reads
	id := store.messages[0]
	sent := received{}
	failed := handle(t, store, sent, changestest.Send(room, id))
	if !slices.Equal(failed, []string{"0"}) {
		t.Errorf("the records %q failed, want the room's", failed)
	}
	if len(sent) != 50 {
		t.Errorf("%d members got the message, want the 50 whose connections could be read", len(sent))
	}
}

func TestServeSlices_AFailedSliceIsNotOvertaken(t *testing.T) {
	m := crowd(9_000, 1)
	broadcast(t, m, changestest.Send(room, m.messages[0]))
	records := m.records(0)
	store := &failing{memory: m, messagesOf: room}
	sent := received{}
	if failed := handle(t, store, sent, records...); len(failed) != len(records) || len(sent) > 0 {
		t.Errorf("%d of %d slices failed and %d members got something; want all, and none", len(failed), len(records), len(sent))
	}
}

// aged is a table whose connections began some time ago.
type aged struct {
	fanout.Store

	ages map[string]time.Duration // by user
}

func (a aged) Presence(_ context.Context, users []string, _ int) (map[string][]chat.Connection, error) {
	present := map[string][]chat.Connection{}
	for _, user := range users {
		began := changestest.Now.Add(-a.ages[user])
		present[user] = []chat.Connection{{ID: user, UserID: user, ConnectedAt: began.UnixMilli()}}
	}
	return present, nil
}

// noneThere answers every post with 410.
type noneThere struct{}

func (noneThere) Push(_ context.Context, posts []push.Post) []push.Delivery {
	deliveries := make([]push.Delivery, len(posts))
	for i := range deliveries {
		deliveries[i].Outcome = push.Gone
	}
	return deliveries
}

func TestDrop_NotDuringTheHandshake(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	deletes := &failing{memory: &memory{members: []string{"alice", "bob", "carol"}, messages: []string{id}}, deleteOf: "carol"}
	store := aged{deletes, map[string]time.Duration{"alice": 59 * time.Second, "bob": 61 * time.Second, "carol": time.Hour}}
	if failed := handle(t, store, noneThere{}, changestest.Send(room, id)); len(failed) > 0 {
		t.Errorf("the records %q failed, want none: an ended connection is no failure", failed)
	}
	if !slices.Equal(deletes.deleted, []string{"bob"}) {
		t.Errorf("%q are removed, want the one whose handshake is over", deletes.deleted)
	}
}

// posted keeps what is posted, one line each.
type posted struct{ lines *[]string }

func (p posted) Push(_ context.Context, posts []push.Post) []push.Delivery {
	for _, post := range posts {
		line := post.ConnectionID + " " + string(post.Data)
		if post.Close {
			line = post.ConnectionID + " closed"
		}
		*p.lines = append(*p.lines, line)
	}
	return make([]push.Delivery, len(posts)) // undelivered: no record fails for that
}

// stuck takes no frames, and says of which posts it was asked in time.
type stuck struct{ asked *[]push.Post }

func (s stuck) Push(ctx context.Context, posts []push.Post) []push.Delivery {
	if ctx.Err() == nil {
		*s.asked = append(*s.asked, posts...)
	}
	if !posts[0].Close {
		<-ctx.Done()
	}
	return make([]push.Delivery, len(posts))
}

func TestHandle_AConnectionIsClosedThatTakesNoFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := changestest.Attributes{table.UserID: {"S": "alice"}, table.ConnectedAt: {"N": "1"}}
		ended := changestest.Attributes{table.UserID: {"S": "alice"}, table.ConnectedAt: {"N": "1"}, table.ReplacedAt: {"N": "2"}, table.Banned: {"N": "1"}}
		var asked []push.Post
		handle(t, &memory{}, stuck{&asked}, changestest.Modify(table.Connection("c-1"), row, ended))
		if len(asked) != 2 || !asked[1].Close {
			t.Errorf("asked for %+v, want a frame and a close", asked)
		}
	})
}

func TestHandle_AReplacedConnectionIsToldAndClosed(t *testing.T) {
	row := changestest.Attributes{table.UserID: {"S": "alice"}, table.ConnectedAt: {"N": "1"}}
	for why, reason := range map[string]*chat.Error{
		"": chat.ErrReplaced(), table.Flooded: chat.ErrFlooded(), table.Disconnected: chat.ErrDisconnected(), table.Banned: chat.ErrEnded(),
	} {
		replaced := changestest.Attributes{table.UserID: {"S": "alice"}, table.ConnectedAt: {"N": "1"}, table.ReplacedAt: {"N": "2"}}
		if why != "" {
			replaced[why] = map[string]string{"N": "1"}
		}
		var lines []string
		failed := handle(t, &memory{}, posted{&lines},
			changestest.Modify(table.Connection("c-1"), row, replaced),
			changestest.Modify(table.Connection("c-2"), row, row)) // a send
		want := []string{`c-1 {"type":"error","code":"` + string(reason.Code) + `","message":"` + reason.Message + `"}`, "c-1 closed"}
		if len(failed) > 0 || !slices.Equal(lines, want) {
			t.Errorf("posted %q, records %q failed; want %q and none", lines, failed, want)
		}
	}
}

// throttled is an account over its quota, for which posts are tried in vain.
type throttled struct{}

func (throttled) Push(_ context.Context, posts []push.Post) []push.Delivery {
	deliveries := make([]push.Delivery, len(posts))
	for i := range deliveries {
		deliveries[i] = push.Delivery{Outcome: push.Undelivered, Attempts: 8, Err: errThrottled}
	}
	return deliveries
}

// While an account is throttled, an invocation writes one line about all posts that it gives
// up, not one for each member, of however many rooms and rounds.
func TestHandle_PostsThatAreGivenUpAreOneLine(t *testing.T) {
	m := &memory{}
	for i := range 1000 {
		m.members = append(m.members, fmt.Sprintf("user-%04d", i))
	}
	m.messages = changestest.MessageIDs(2)
	var log bytes.Buffer
	consumer := fanout.New(m, throttled{}, time.Minute, func() time.Time { return changestest.Now }, zerolog.New(&log).Level(zerolog.InfoLevel))
	records := []json.RawMessage{changestest.Send(room, m.messages[0]), changestest.Send("another", m.messages[1])}
	if _, err := consumer.Handle(t.Context(), changes.Event{Records: records}); err != nil {
		t.Fatal(err)
	}
	type line struct {
		Message       string   `json:"message"`
		Error         string   `json:"error"`
		GivenUp       int      `json:"given_up"`
		Attempts      int      `json:"attempts"`
		ConnectionIDs []string `json:"connection_ids"`
	}
	var lines []line
	for text := range bytes.Lines(log.Bytes()) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		if l.Message != "tell of missed frames" {
			lines = append(lines, l)
		}
	}
	if len(lines) != 2 || lines[0].Message != "posts given up" || lines[1].Message != "fanned out" {
		t.Fatalf("%d lines, want one about the posts and one of the invocation: %.2000s", len(lines), log.String())
	}
	got := lines[0]
	if got.GivenUp != 2000 || got.Attempts != 8 || got.Error != errThrottled.Error() || len(got.ConnectionIDs) != 5 {
		t.Errorf("the line is %+v, want 2000 posts of 8 attempts, the error, and 5 connections", got)
	}
}
