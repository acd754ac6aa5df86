package storetest

import (
	"fmt"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

var readingTests = map[string]func(*fixture){
	"Place/returns the room, the membership, the cursor and the message": func(f *fixture) {
		room := f.create("r", "alice")
		m, self := message("r", "bob", 1), chat.Member{UserID: "alice", Role: chat.Owner, JoinedAt: epoch}
		f.put(m)
		f.read("alice", messageID(0, 0))
		for _, test := range []struct {
			room, user, message string
			want                chat.Place
		}{
			{"r", "alice", m.ID, chat.Place{Room: room, Member: true, Self: self, Cursor: upTo(messageID(0, 0)), Message: m, Found: true}},
			{"r", "alice", messageID(2, 0), chat.Place{Room: room, Member: true, Self: self, Cursor: upTo(messageID(0, 0))}},
			{"r", "bob", m.ID, chat.Place{Room: room, Message: m, Found: true}},
			{"none", "alice", m.ID, chat.Place{Room: chat.Room{ID: "none"}}},
		} {
			got, err := f.Place(f.Context(), test.room, test.user, test.message)
			ok(f, err)
			equal(f, test.user+" in "+test.room, test.want, got)
		}
	},
	"AdvanceReadCursor/moves forward, also in a race": func(f *fixture) {
		for _, step := range []struct{ upTo, want int64 }{{3, 3}, {1, 3}, {3, 3}, {4, 4}} {
			f.read("alice", messageID(step.upTo, 0))
			cursors, err := f.ReadCursors(f.Context(), "r", "", "")
			ok(f, err)
			equal(f, "cursors", map[string]chat.ReadCursor{"alice": upTo(messageID(step.want, 0))}, cursors)
		}
		race(f, 8, func(i int) (bool, error) {
			return f.AdvanceReadCursor(f.Context(), "r", "alice", upTo(messageID(10+int64(i), 0)), epoch)
		})
		cursors, err := f.ReadCursors(f.Context(), "r", "", "")
		ok(f, err)
		equal(f, "cursors", map[string]chat.ReadCursor{"alice": upTo(messageID(17, 0))}, cursors)
	},
	"AdvanceReadCursor/keeps what it knows, until it moves": func(f *fixture) {
		first := chat.ReadCursor{UpTo: messageID(3, 0), Since: messageID(1, 0), Known: "000000"}
		for _, step := range []struct {
			to    chat.ReadCursor
			moved bool
			want  chat.ReadCursor
		}{
			{first, true, first},
			{chat.ReadCursor{UpTo: messageID(3, 0), Since: messageID(2, 0), Known: "999999"}, false, first},
			{upTo(messageID(4, 0)), true, upTo(messageID(4, 0))},
		} {
			moved, err := f.AdvanceReadCursor(f.Context(), "r", "alice", step.to, epoch)
			ok(f, err)
			cursors, err := f.ReadCursors(f.Context(), "r", "", "")
			ok(f, err)
			equal(f, "cursors", map[string]chat.ReadCursor{"alice": step.want}, cursors)
			if moved != step.moved {
				f.Errorf("to %+v: moved %t, want %t", step.to, moved, step.moved)
			}
		}
	},
	"ReviseReadCursor/replaces what a cursor knows, if it is as it was": func(f *fixture) {
		was := chat.ReadCursor{UpTo: messageID(3, 0), Since: messageID(1, 0), Known: "000000"}
		now := chat.ReadCursor{UpTo: messageID(3, 0), Since: messageID(2, 0), Known: "000000000001"}
		revise := func(want bool) {
			f.Helper()
			revised, err := f.ReviseReadCursor(f.Context(), "r", "alice", was, now, epoch)
			ok(f, err)
			if revised != want {
				f.Errorf("revised %t, want %t", revised, want)
			}
		}
		revise(false) // there is none
		_, err := f.AdvanceReadCursor(f.Context(), "r", "alice", was, epoch)
		ok(f, err)
		revise(true)
		revise(false)
		cursors, err := f.ReadCursors(f.Context(), "r", "", "")
		ok(f, err)
		equal(f, "cursors", map[string]chat.ReadCursor{"alice": now}, cursors)
		was = now
		f.read("alice", messageID(4, 0))
		revise(false)
		won := race(f, 8, func(i int) (bool, error) {
			user := fmt.Sprint("user", i/4)
			if _, err := f.AdvanceReadCursor(f.Context(), "r", user, was, epoch); err != nil {
				return false, err
			}
			then := was
			then.Known += fmt.Sprintf("%06d", i)
			return f.ReviseReadCursor(f.Context(), "r", user, was, then, epoch)
		})
		if won != 2 {
			f.Errorf("%d revisions of 2 cursors in races", won)
		}
	},
	"StoredBetween/reads ids between two, newest first": func(f *fixture) {
		var all []string
		for i := range int64(chat.MaxKnown + 10) {
			f.put(message("r", "bob", i))
			all = append(all, messageID(i, 0))
		}
		slices.Reverse(all)
		last := int64(chat.MaxKnown + 9)
		for _, test := range []struct {
			after, upTo string
			want        []string
			all         bool
		}{
			{messageID(last-3, 0), messageID(last, 0), all[:3], true},
			{messageID(last-3, 1), messageID(last-1, 1), all[1:3], true},
			{messageID(-1, 0), messageID(1, 0), all[len(all)-2:], true},
			{messageID(last, 0), messageID(last+9, 0), nil, true},
			{messageID(-1, 0), messageID(last, 0), all[:chat.MaxKnown], false},
			{messageID(-1, 0), messageID(last+1000, 0), all[:chat.MaxKnown], false},
		} {
			got, whole, err := f.StoredBetween(f.Context(), "r", test.after, test.upTo)
			ok(f, err)
			inOrder(f, test.after+" to "+test.upTo, test.want, got)
			if whole != test.all {
				f.Errorf("%s to %s: all %t, want %t", test.after, test.upTo, whole, test.all)
			}
		}
	},
	"ReadCursors/reads the users between two, both included": func(f *fixture) {
		cursors := func(users ...string) map[string]chat.ReadCursor {
			out := map[string]chat.ReadCursor{}
			for _, user := range users {
				out[user] = upTo(messageID(0, 0))
			}
			return out
		}
		for user := range cursors("a", "b", "c", "d") {
			f.read(user, messageID(0, 0))
		}
		for _, test := range []struct {
			from, to string
			want     map[string]chat.ReadCursor
		}{
			{"", "", cursors("a", "b", "c", "d")},
			{"b", "c", cursors("b", "c")},
			{"b", "", cursors("b", "c", "d")},
			{"", "b", cursors("a", "b")},
			{"bb", "cc", cursors("c")},
			{"x", "z", cursors()},
		} {
			got, err := f.ReadCursors(f.Context(), "r", test.from, test.to)
			ok(f, err)
			equal(f, test.from+" to "+test.to, test.want, got)
		}
	},
}
