package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

var historyTests = map[string]func(*fixture){
	"Messages/reads ranges of one room in both directions": func(f *fixture) {
		for i := range int64(5) {
			f.put(message("r", "alice", i), message("s", "alice", i))
		}
		id := func(ms int64) string { return messageID(ms, 0) }
		for _, test := range []struct {
			r    chat.Range
			want []string
			more bool
		}{
			{chat.Range{Limit: 10}, []string{id(4), id(3), id(2), id(1), id(0)}, false},
			{chat.Range{Limit: 5}, []string{id(4), id(3), id(2), id(1), id(0)}, false},
			{chat.Range{Limit: 2}, []string{id(4), id(3)}, true},
			{chat.Range{Before: id(3), Limit: 2}, []string{id(2), id(1)}, true},
			{chat.Range{Before: id(3), Limit: 3}, []string{id(2), id(1), id(0)}, false},
			{chat.Range{Before: id(0), Limit: 3}, nil, false},
			{chat.Range{Before: messageID(3, 1), Limit: 1}, []string{id(3)}, true}, // not a stored one
			{chat.Range{After: id(1), Limit: 2}, []string{id(2), id(3)}, true},
			{chat.Range{After: id(1), Limit: 3}, []string{id(2), id(3), id(4)}, false},
			{chat.Range{After: id(4), Limit: 3}, nil, false},
			{chat.Range{After: messageID(2, 1), Limit: 1}, []string{id(3)}, true},
		} {
			got, more, err := f.Messages(f.Context(), "r", test.r)
			ok(f, err)
			inOrder(f, fmt.Sprintf("%+v", test.r), test.want, ids(got))
			if more != test.more {
				f.Errorf("%+v: more %t, want %t", test.r, more, test.more)
			}
		}
	},
	"Messages/orders messages of one millisecond by id": func(f *fixture) {
		var want []string
		for _, n := range []uint16{3, 1, 2} {
			m := message("r", "alice", 0)
			m.ID = messageID(0, n)
			f.put(m)
			want = append(want, m.ID)
		}
		slices.Sort(want)
		got, _, err := f.Messages(f.Context(), "r", chat.Range{After: messageID(0, 0), Limit: 9})
		ok(f, err)
		inOrder(f, "messages", want, ids(got))
	},
	"Messages/reads more than one page of 1 MB": func(f *fixture) {
		var want []string
		for i := range int64(80) {
			m := message("r", "alice", i)
			m.Content = fmt.Sprintf("%016384d", i)
			f.put(m)
			want = append(want, m.ID)
		}
		got, more, err := f.Messages(f.Context(), "r", chat.Range{After: messageID(-1, 0), Limit: 80})
		ok(f, err)
		inOrder(f, "messages", want, ids(got))
		if more {
			f.Error("more, want that this is all")
		}
	},
	"MessagesAfter/reads the oldest after an id in each room": func(f *fixture) {
		for i := range int64(5) {
			f.put(message("r", "alice", i), message("s", "alice", i))
		}
		id := func(ms int64) string { return messageID(ms, 0) }
		for _, limit := range []int{1, 2, 3, 4, 9} {
			missed, err := f.MessagesAfter(f.Context(), []chat.Position{
				{RoomID: "s", MessageID: id(1)}, {RoomID: "none", MessageID: id(0)}, {RoomID: "r", MessageID: messageID(0, 1)},
			}, limit)
			ok(f, err)
			for i, want := range []struct {
				room string
				ids  []string
			}{{"s", []string{id(2), id(3), id(4)}}, {"none", nil}, {"r", []string{id(1), id(2), id(3), id(4)}}} {
				got := missed[i]
				inOrder(f, fmt.Sprintf("%d of %s", limit, want.room), want.ids[:min(limit, len(want.ids))], ids(got.Messages))
				if more := len(want.ids) > limit; got.RoomID != want.room || got.More != more {
					f.Errorf("%d of %s: room %s, more %t", limit, want.room, got.RoomID, got.More)
				}
			}
		}
	},
	"MessagesAfter/gives each of MaxSyncRooms rooms a message": func(f *fixture) {
		var asked []chat.Position
		for i := range chat.MaxSyncRooms {
			room := fmt.Sprintf("r%02d", i)
			for n := range int64(3) {
				m := message(room, "alice", n)
				m.Content = fmt.Sprintf("%0*d", chat.MaxContent, n)
				f.put(m)
			}
			asked = append(asked, chat.Position{RoomID: room, MessageID: messageID(-1, 0)})
		}
		received := 0
		for calls := 0; len(asked) > 0; calls++ {
			missed, err := f.MessagesAfter(f.Context(), asked, chat.MaxSyncMessages)
			ok(f, err)
			asked = nil
			for _, room := range missed {
				if room.More && len(room.Messages) == 0 {
					f.Fatalf("room %s has more messages, and gave none", room.RoomID)
				}
				received += len(room.Messages)
				if room.More {
					last := room.Messages[len(room.Messages)-1].ID
					asked = append(asked, chat.Position{RoomID: room.RoomID, MessageID: last})
				}
			}
			if calls > 5 {
				f.Fatal("a client that goes on from the last message does not reach the end")
			}
		}
		if received != 3*chat.MaxSyncRooms {
			f.Errorf("%d messages, want %d", received, 3*chat.MaxSyncRooms)
		}
	},
	"MemberOf/finds the rooms of a user with many": func(f *fixture) {
		for i := range 100 {
			f.create(fmt.Sprintf("many-%03d", i), "alice")
		}
		asked := []string{"many-000", "many-000a", "many-099a", "many-099"}
		mine, err := f.MemberOf(f.Context(), "alice", asked)
		ok(f, err)
		inOrder(f, "rooms", []string{"many-000", "many-099"}, mine)
	},
	"MemberOf/returns the rooms of a user in the order given": func(f *fixture) {
		f.create("b", "alice")
		f.create("a", "bob", "alice")
		f.create("foreign", "bob")
		asked := []string{"b", "foreign", "none", "a"}
		for i := range 96 {
			asked = append(asked, fmt.Sprint("room", i))
		}
		mine, err := f.MemberOf(f.Context(), "alice", asked)
		ok(f, err)
		inOrder(f, "rooms", []string{"b", "a"}, mine)
	},
}

var editTests = map[string]func(*fixture){
	"EditMessage/changes content and time alone": func(f *fixture) {
		m := message("r", "alice", 0)
		m.ClientMessageID = "k"
		f.put(m)
		want := m
		want.Content, want.EditedAt = "new", epoch+1
		got, edited, err := f.EditMessage(f.Context(), want)
		ok(f, err)
		equal(f, "returned", want, got)
		stored, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 1})
		ok(f, err)
		equal(f, "stored", []chat.Message{want}, stored)
		if !edited {
			f.Error("not edited")
		}
	},
	"DeleteMessage/leaves the sender and the times": func(f *fixture) {
		m := message("r", "alice", 0)
		m.ClientMessageID = "k"
		f.put(m)
		edited := m
		edited.EditedAt = epoch + 1
		_, _, err := f.EditMessage(f.Context(), edited)
		ok(f, err)
		want := m
		want.Content, want.DeletedAt = "", epoch+2
		got, deleted, err := f.DeleteMessage(f.Context(), want)
		ok(f, err)
		equal(f, "returned", want, got)
		stored, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 1})
		ok(f, err)
		equal(f, "stored", []chat.Message{want}, stored)
		if !deleted {
			f.Error("not deleted")
		}
	},
	"EditMessage and DeleteMessage/an edit keeps the quote, a deletion removes it": func(f *fixture) {
		first, m := message("r", "alice", 0), message("r", "bob", 1)
		m.ReplyTo = &chat.Quote{Quoted: chat.Quoted{MessageID: first.ID, SenderID: "alice", Preview: "sent by", Attachments: 2}}
		f.put(first, m)
		stored, err := f.MessagesByID(f.Context(), "r", []string{m.ID, first.ID, messageID(2, 0)})
		ok(f, err)
		equal(f, "stored", []chat.Message{first, m}, stored)
		m.Content, m.EditedAt = "other", epoch+2
		got, _, err := f.EditMessage(f.Context(), m)
		ok(f, err)
		equal(f, "edited", m, got)
		m.DeletedAt = epoch + 3
		got, _, err = f.DeleteMessage(f.Context(), m)
		ok(f, err)
		m.Content, m.EditedAt, m.ReplyTo = "", 0, nil
		equal(f, "deleted", m, got)
	},
	"EditMessage and DeleteMessage/refuse what is not newer, and everything after a deletion": func(f *fixture) {
		m := message("r", "alice", 0)
		f.put(m)
		for _, step := range []struct {
			delete  bool
			at      int64
			changed bool
			content string
		}{
			{false, 5, true, "at 5"},
			{false, 5, false, "at 5"},
			{false, 4, false, "at 5"},
			{true, 5, false, "at 5"},
			{false, 6, true, "at 6"},
			{true, 7, true, ""},
			{true, 8, false, ""},
			{false, 9, false, ""},
		} {
			change := m
			change.Content = fmt.Sprint("at ", step.at)
			call := f.EditMessage
			if change.EditedAt = epoch + step.at; step.delete {
				change.EditedAt, change.DeletedAt, call = 0, epoch+step.at, f.DeleteMessage
			}
			current, changed, err := call(f.Context(), change)
			ok(f, err)
			if changed != step.changed || current.Content != step.content {
				f.Errorf("%+v: changed %t, content %q", step, changed, current.Content)
			}
		}
	},
	"EditMessage and DeleteMessage/create nothing": func(f *fixture) {
		m := message("r", "alice", 0)
		m.EditedAt = epoch + 1
		if _, edited, err := f.EditMessage(f.Context(), m); edited || err == nil {
			f.Errorf("edited %t, error %v; want an error", edited, err)
		}
		if _, deleted, err := f.DeleteMessage(f.Context(), m); deleted || err == nil {
			f.Errorf("deleted %t, error %v; want an error", deleted, err)
		}
		if got, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 1}); len(got) > 0 || err != nil {
			f.Errorf("messages %v, error %v; want none", got, err)
		}
	},
	"EditMessage/applies one of those that race for a time": func(f *fixture) {
		m := message("r", "alice", 0)
		f.put(m)
		won := race(f, 8, func(i int) (bool, error) {
			edit := m
			edit.Content, edit.EditedAt = strconv.Itoa(i), epoch+1
			_, edited, err := f.EditMessage(f.Context(), edit)
			return edited, err
		})
		if won != 1 {
			f.Errorf("%d edits of one time, want 1", won)
		}
	},
}

var profileTests = map[string]func(*fixture){
	"DisplayNames/returns the names of those who have one": func(f *fixture) {
		asked := make([]string, 100)
		for i := range asked {
			asked[i] = fmt.Sprint("user", i)
		}
		for _, step := range []struct {
			user, name string
			want       map[string]string
		}{
			{"user1", "Ann", map[string]string{"user1": "Ann"}},
			{"user99", "Bo", map[string]string{"user1": "Ann", "user99": "Bo"}},
			{"user1", "Anna", map[string]string{"user1": "Anna", "user99": "Bo"}},
			{"user1", "", map[string]string{"user99": "Bo"}},
			{"user2", "", map[string]string{"user99": "Bo"}},
			{"other", "Cy", map[string]string{"user99": "Bo"}},
		} {
			ok(f, f.SetDisplayName(f.Context(), step.user, step.name, epoch))
			f.clock.advance(time.Second)
			names, err := f.DisplayNames(f.Context(), asked)
			ok(f, err)
			equal(f, fmt.Sprintf("after %s is %q", step.user, step.name), step.want, names)
		}
	},
}
