package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

func contents(messages []chat.Message) (texts []string) {
	for _, m := range messages {
		texts = append(texts, m.Content)
	}
	return texts
}

func TestRead_HistoryForMembersInPages(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	var sent []string
	for i := range 5 {
		sent = append(sent, w.say("alice", room, fmt.Sprint(i)))
	}
	for _, test := range []struct {
		name, user, room string
		r                chat.Range
		code             chat.Code
		want             []string
		more             bool
	}{
		{"the newest", "bob", room, chat.Range{Limit: 2}, "", []string{"4", "3"}, true},
		{"those before", "bob", room, chat.Range{Before: sent[3], Limit: 2}, "", []string{"2", "1"}, true},
		{"the last page", "bob", room, chat.Range{Before: sent[1], Limit: 2}, "", []string{"0"}, false},
		{"those after, oldest first", "bob", room, chat.Range{After: sent[1], Limit: 2}, "", []string{"2", "3"}, true},
		{"a full last page", "bob", room, chat.Range{After: sent[2], Limit: 2}, "", []string{"3", "4"}, false},
		{"both bounds", "bob", room, chat.Range{Before: sent[4], After: sent[0], Limit: 2}, chat.CodeInvalidRequest, nil, false},
		{"a malformed before", "bob", room, chat.Range{Before: "x", Limit: 2}, chat.CodeInvalidRequest, nil, false},
		{"a malformed after", "bob", room, chat.Range{After: strings.ToLower(sent[0]), Limit: 2}, chat.CodeInvalidRequest, nil, false},
		{"a foreign room", "carol", room, chat.Range{Limit: 2}, chat.CodeNotAMember, nil, false},
		{"no room", "bob", "nowhere", chat.Range{Limit: 2}, chat.CodeNotAMember, nil, false},
		{"a forged room", "bob", "a#b", chat.Range{Limit: 2}, chat.CodeInvalidRequest, nil, false},
	} {
		messages, more, err := w.histories.Read(t.Context(), test.user, test.room, test.r)
		answers(t, test.name, err, test.code)
		if !slices.Equal(contents(messages), test.want) || more != test.more {
			t.Errorf("%s: %q, more %t; want %q, %t", test.name, contents(messages), more, test.want, test.more)
		}
	}
}

// Up to CountedReaders members the readers of a message follow from the read
// cursors; beyond, there is the sender alone.
func TestRead_HistoryNamesReadersByRoomSize(t *testing.T) {
	for _, test := range []struct {
		members int
		want    [2][]string // of the newest message, and of the one before
	}{
		{chat.SmallRoom, [2][]string{{"alice"}, {"alice", "bob"}}},
		{chat.SmallRoom + 1, [2][]string{{"alice"}, {"alice", "bob"}}},
		{chat.CountedReaders, [2][]string{{"alice"}, {"alice", "bob"}}},
		{chat.CountedReaders + 1, [2][]string{{"alice"}, {"alice"}}},
	} {
		w := newWorld(t)
		room := w.group("alice", "bob")
		w.crowd(room, test.members)
		gone := w.say("alice", room, "gone")
		ok(t, w.editor.Delete(t.Context(), "alice", room, gone))
		old := w.say("alice", room, "old")
		w.say("alice", room, "new")
		for range 2 { // the sender's own cursor names them once
			ok(t, w.readers.Read(t.Context(), "bob", room, old))
			ok(t, w.readers.Read(t.Context(), "alice", room, old))
		}
		asked := 0
		w.store.Before(func(method string) error {
			if method == "ReadCursors" {
				asked++
			}
			return nil
		})
		messages, _, err := w.histories.Read(t.Context(), "bob", room, chat.Range{Limit: 3})
		ok(t, err)
		for i, want := range [][]string{test.want[0], test.want[1], nil} {
			if diff := cmp.Diff(want, messages[i].ReadBy); diff != "" {
				t.Errorf("%d members, message %q (-want +got):\n%s", test.members, messages[i].Content, diff)
			}
		}
		if counted := test.members <= chat.CountedReaders; (asked > 0) != counted {
			t.Errorf("%d members: cursors were read %d times", test.members, asked)
		}
	}
}

func TestSync_OldestMissedMessagesOfOnesOwnRooms(t *testing.T) {
	w := newWorld(t)
	room, quiet, foreign := w.group("alice", "bob"), w.group("bob"), w.group("alice")
	first := w.say("alice", room, "0")
	w.say("alice", foreign, "secret")
	last := w.say("bob", quiet, "seen")
	for i := range chat.MaxSyncMessages + 1 {
		w.say("alice", room, fmt.Sprint(i+1))
	}
	missed, err := w.histories.Sync(t.Context(), "bob", map[string]string{room: first, quiet: last, foreign: first, "nowhere": first})
	ok(t, err)
	slices.SortFunc(missed, func(a, b chat.Missed) int { return len(b.Messages) - len(a.Messages) })
	if len(missed) != 2 || missed[0].RoomID != room || missed[1].RoomID != quiet {
		t.Fatalf("rooms %+v, want %s and %s", missed, room, quiet)
	}
	texts := contents(missed[0].Messages)
	if len(texts) != chat.MaxSyncMessages || texts[0] != "1" || texts[99] != "100" || !missed[0].More {
		t.Errorf("%d messages from %q, more %t; want the oldest %d", len(texts), texts[0], missed[0].More, chat.MaxSyncMessages)
	}
	if len(missed[1].Messages) != 0 || missed[1].More {
		t.Errorf("the quiet room: %+v", missed[1])
	}
	// Continuing from the last one reaches the end.
	missed, err = w.histories.Sync(t.Context(), "bob", map[string]string{room: missed[0].Messages[99].ID})
	if ok(t, err); len(missed[0].Messages) != 1 || missed[0].More {
		t.Errorf("the rest: %+v", missed)
	}
}

func TestSync_Validation(t *testing.T) {
	w := newWorld(t)
	id := w.say("alice", w.group("alice"), "x")
	rooms := func(n int) map[string]string {
		after := map[string]string{}
		for i := range n {
			after[fmt.Sprint("r", i)] = id
		}
		return after
	}
	for _, test := range []struct {
		name  string
		after map[string]string
		code  chat.Code
	}{
		{"none", nil, ""},
		{"as many as there may be", rooms(chat.MaxSyncRooms), ""},
		{"too many", rooms(chat.MaxSyncRooms + 1), chat.CodeInvalidRequest},
		{"a forged room", map[string]string{"a#b": id}, chat.CodeInvalidRequest},
		{"no message", map[string]string{"r": ""}, chat.CodeInvalidRequest},
	} {
		missed, err := w.histories.Sync(t.Context(), "alice", test.after)
		answers(t, test.name, err, test.code)
		if len(missed) > 0 {
			t.Errorf("%s: %v", test.name, missed)
		}
	}
}

func TestHistories_ErrorsOfTheStore(t *testing.T) {
	for method, call := range map[string]func(*world, string, string) error{
		"RoomFor": func(w *world, room, _ string) error {
			_, _, err := w.histories.Read(w.Context(), "alice", room, chat.Range{Limit: 1})
			return err
		},
		"ReadCursors": func(w *world, room, _ string) error {
			_, _, err := w.histories.Read(w.Context(), "alice", room, chat.Range{Limit: 1})
			return err
		},
		"Messages": func(w *world, room, _ string) error {
			_, _, err := w.histories.Read(w.Context(), "alice", room, chat.Range{Limit: 1})
			return err
		},
		"MemberOf": func(w *world, room, id string) error {
			_, err := w.histories.Sync(w.Context(), "alice", map[string]string{room: id})
			return err
		},
		"MessagesAfter": func(w *world, room, id string) error {
			_, err := w.histories.Sync(w.Context(), "alice", map[string]string{room: id})
			return err
		},
	} {
		w := newWorld(t)
		room := w.group("alice")
		w.crowd(room, chat.SmallRoom+1)
		id := w.say("alice", room, "x")
		w.breakOn(method)
		internal(t, method, call(w, room, id))
	}
}
