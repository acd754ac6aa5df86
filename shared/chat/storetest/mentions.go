package storetest

import (
	"fmt"

	"github.com/streamroom/streamroom/shared/chat"
)

var mentionTests = map[string]func(*fixture){
	"MembersAmong/returns members in the order given": func(f *fixture) {
		f.create("r", "alice", "bob")
		f.create("s", "carol")
		asked := []string{"carol", "bob", "none", "alice"}
		for i := len(asked); i < chat.MaxMentions; i++ {
			asked = append(asked, fmt.Sprint("user", i))
		}
		got, err := f.MembersAmong(f.Context(), "r", asked)
		ok(f, err)
		inOrder(f, "members", []string{"bob", "alice"}, got)
	},
	"EditMessage and DeleteMessage/change mentions": func(f *fixture) {
		m := message("r", "alice", 0)
		m.Mentions = []string{"carol", "bob"}
		f.put(m)
		stored, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 1})
		ok(f, err)
		equal(f, "stored", []chat.Message{m}, stored)
		inOrder(f, "mentions", m.Mentions, stored[0].Mentions)
		for i, mentions := range [][]string{{"bob"}, nil, {"carol", "alice"}} {
			m.Mentions, m.EditedAt = mentions, epoch+int64(i)+1
			got, _, err := f.EditMessage(f.Context(), m)
			ok(f, err)
			equal(f, "edited", m, got)
		}
		m.DeletedAt = epoch + 9
		got, _, err := f.DeleteMessage(f.Context(), m)
		ok(f, err)
		m.Content, m.EditedAt, m.Mentions = "", 0, nil
		equal(f, "deleted", m, got)
	},
	"UserRooms/counts the unread mentions among the newest": func(f *fixture) {
		f.create("r", "alice", "bob")
		for i := range int64(chat.MaxUnread + 2) {
			m := message("r", "bob", i+1)
			if i%2 == 0 {
				m.Mentions = []string{"bob", "alice"}
			}
			f.put(m)
		}
		own := message("r", "alice", 1000)
		own.Mentions = []string{"alice"}
		f.put(own)
		expect := func(unread, mentions int) {
			f.Helper()
			rooms, _, err := f.UserRooms(f.Context(), "alice", "", 1)
			ok(f, err)
			if got := rooms[0]; got.Unread != unread || got.Mentions != mentions {
				f.Errorf("%d unread, %d mentions; want %d, %d", got.Unread, got.Mentions, unread, mentions)
			}
		}
		expect(chat.MaxUnread, chat.MaxUnread/2)
		f.read("alice", messageID(chat.MaxUnread-1, 0))
		expect(3, 1)
		f.read("alice", messageID(1000, 0))
		expect(0, 0)
	},
}
