package storetest

import "github.com/streamroom/streamroom/shared/chat"

// direct stores the direct message room of two users.
func (f *fixture) direct(a, b string) string {
	f.Helper()
	id := chat.DirectRoomID(a, b)
	created, err := f.CreateRoom(f.Context(), chat.Room{ID: id, Type: chat.Direct, CreatedBy: a, Invited: b, CreatedAt: epoch}, []chat.Member{plain(a), plain(b)})
	if ok(f, err); !created {
		f.Fatal("the room exists")
	}
	return id
}

// marked checks who blocks whom in a direct message.
func (f *fixture) marked(room, userID string, blocks, blocked bool) {
	f.Helper()
	m, _, err := f.Member(f.Context(), room, userID)
	if ok(f, err); m.Blocks != blocks || m.Blocked != blocked {
		f.Errorf("%s: blocks %t, blocked %t; want %t and %t", userID, m.Blocks, m.Blocked, blocks, blocked)
	}
}

var blockTests = map[string]func(*fixture){
	"Block/is kept, marked in the direct message, and ends": func(f *fixture) {
		ok(f, f.Block(f.Context(), "alice", "bob", epoch)) // before there is one
		room := f.direct("alice", "bob")
		f.marked(room, "bob", false, false)
		for range 2 {
			ok(f, f.Block(f.Context(), "alice", "bob", epoch+5))
			f.marked(room, "alice", true, false)
			f.marked(room, "bob", false, true)
		}
		ok(f, f.Block(f.Context(), "bob", "alice", epoch))
		f.marked(room, "alice", true, true)
		ok(f, f.Unblock(f.Context(), "alice", "bob"))
		f.marked(room, "alice", false, true)
		f.marked(room, "bob", true, false)
		for range 2 {
			ok(f, f.Unblock(f.Context(), "bob", "alice"))
		}
		f.marked(room, "alice", false, false)
	},
	"MarkBlock/marks a block that there is, and makes none": func(f *fixture) {
		ok(f, f.Block(f.Context(), "alice", "bob", epoch))
		room := f.direct("alice", "bob")
		ok(f, f.MarkBlock(f.Context(), "alice", "bob"))
		f.marked(room, "alice", true, false)
		f.marked(room, "bob", false, true)
		ok(f, f.Unblock(f.Context(), "alice", "bob"))
		ok(f, f.MarkBlock(f.Context(), "alice", "bob"))
		f.marked(room, "alice", false, false)
		f.marked(room, "bob", false, false)
		blocks, _, err := f.Blocks(f.Context(), "alice", "", 10)
		ok(f, err)
		equal(f, "blocks", 0, len(blocks))
	},
	"Blocks/pages, and says since when": func(f *fixture) {
		for i, user := range []string{"d", "b", "c"} {
			ok(f, f.Block(f.Context(), "alice", user, epoch+int64(i)))
		}
		ok(f, f.Block(f.Context(), "alice", "b", epoch+9))
		ok(f, f.Block(f.Context(), "bob", "x", epoch))
		first, next, err := f.Blocks(f.Context(), "alice", "", 2)
		ok(f, err)
		equal(f, "first page", []chat.Block{{UserID: "b", At: epoch + 1}, {UserID: "c", At: epoch + 2}}, first)
		last, end, err := f.Blocks(f.Context(), "alice", next, 2)
		ok(f, err)
		equal(f, "last page", []chat.Block{{UserID: "d", At: epoch}}, last)
		if next != "c" || end != "" {
			f.Errorf("the pages are followed by %q and %q", next, end)
		}
	},
	"BlockedBy/finds who blocks a user": func(f *fixture) {
		ok(f, f.Block(f.Context(), "alice", "bob", epoch))
		ok(f, f.Block(f.Context(), "carol", "bob", epoch))
		for user, want := range map[string][]string{"bob": {"alice", "carol"}, "alice": nil} {
			got, err := f.BlockedBy(f.Context(), user, []string{"alice", "bob", "carol", "dave"})
			ok(f, err)
			equal(f, "who blocks "+user, want, got)
		}
	},
}
