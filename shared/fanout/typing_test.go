package fanout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

// types is the record of a user who types, as of some time ago.
func types(user string, ago time.Duration) json.RawMessage {
	at := strconv.FormatInt(changestest.Now.Add(-ago).UnixMilli(), 10)
	return changestest.Insert(table.Typing(room, user), changestest.Attributes{table.At: {"N": at}})
}

func TestTyping_ReachesTheOthersOfASmallRoom(t *testing.T) {
	ids := changestest.MessageIDs(1)
	group := []string{"alice", "bob", "carol"}
	for _, test := range []struct {
		name    string
		members []string
		records []json.RawMessage
		want    map[string][]string
	}{
		{"one types", group, []json.RawMessage{types("alice", 0)}, map[string][]string{"bob": {"typing alice"}, "carol": {"typing alice"}}},
		{"two type", group, []json.RawMessage{types("alice", 0), types("bob", 0)}, map[string][]string{
			"alice": {"typing bob"}, "bob": {"typing alice"}, "carol": {"typing alice", "typing bob"},
		}},
		{"twice in one batch", group, []json.RawMessage{types("alice", time.Second), types("alice", 0)}, map[string][]string{
			"bob": {"typing alice"}, "carol": {"typing alice"},
		}},
		{"as late as may be", group, []json.RawMessage{types("alice", chat.TypingLife)}, map[string][]string{"bob": {"typing alice"}, "carol": {"typing alice"}}},
		{"too late", group, []json.RawMessage{types("alice", chat.TypingLife+time.Millisecond)}, nil},
		{"the message has come", group, []json.RawMessage{types("alice", time.Second), changestest.Send(room, ids[0])}, map[string][]string{
			"alice": {"message"}, "bob": {"message"}, "carol": {"message"},
		}},
		{"who has left", []string{"bob", "carol"}, []json.RawMessage{types("alice", 0)}, nil},
		{"the note has expired", group, []json.RawMessage{changestest.Remove(table.Typing(room, "alice"), nil)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := broadcast(t, &memory{members: test.members, messages: ids}, test.records...)
			for _, user := range group {
				if got := sent.types(user); !slices.Equal(got, test.want[user]) {
					t.Errorf("%s got %q, want %q", user, got, test.want[user])
				}
			}
		})
	}
}

func TestTyping_IsBoundedByTheRoom(t *testing.T) {
	for members, want := range map[int]int{chat.TypingRoom: chat.TypingRoom - 1, chat.TypingRoom + 1: 0} {
		m := crowd(members, 0)
		sent := received{}
		consumer := fanout.New(m, sent, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop())
		record := types(fmt.Sprintf("user-%06d", 0), 0)
		if _, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{record}}); err != nil {
			t.Fatal(err)
		}
		if len(sent) != want || len(m.users) != want || m.asked.Load() > chat.TypingRoom {
			t.Errorf("a room of %d: %d connections were sent a frame, %d presences and %d members read; want %d", members, len(sent), len(m.users), m.asked.Load(), want)
		}
	}
}

// broken can read no members.
type broken struct{ *memory }

func (broken) MembersIn(context.Context, string, fanout.MemberRange, int) ([]chat.Member, bool, error) {
	return nil, false, errors.New("a bad night")
}

func TestTyping_IsNeverRetried(t *testing.T) {
	consumer := fanout.New(broken{crowd(2, 0)}, received{}, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop())
	answer, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{types("user-000000", 0)}})
	if err != nil || len(answer.BatchItemFailures) != 0 {
		t.Errorf("answer %v, error %v: want no failure", answer, err)
	}
	answer, err = consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{types("user-000000", 0), changestest.Join(room, "user-000001")}})
	if err != nil || len(answer.BatchItemFailures) == 0 {
		t.Errorf("answer %v, error %v: want the record of who joined to fail", answer, err)
	}
}
