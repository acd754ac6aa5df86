package storetest

import "github.com/streamroom/streamroom/shared/chat"

var typingTests = map[string]func(*fixture){
	"RoomOf/returns how many members a member's room has": func(f *fixture) {
		f.create("r", "alice", "bob")
		for _, test := range []struct {
			room, user string
			members    int
			member     bool
		}{{"r", "bob", 2, true}, {"r", "carol", 0, false}, {"none", "alice", 0, false}} {
			members, self, member, err := f.RoomOf(f.Context(), test.room, test.user)
			ok(f, err)
			equal(f, test.user+" in "+test.room, []any{test.members, test.member}, []any{members, member})
			if want := plain(test.user); test.member {
				equal(f, "the membership", want, self)
			}
		}
	},
	"PutTyping/notes once in TypingEvery, for each user and room": func(f *fixture) {
		every := chat.TypingEvery.Milliseconds()
		for _, test := range []struct {
			room, user string
			ms         int64
			noted      bool
		}{
			{"r", "alice", 0, true},
			{"r", "alice", every - 1, false},
			{"r", "bob", every - 1, true},
			{"s", "alice", 1, true},
			{"r", "alice", every, true},
			{"r", "alice", 0, false},
			{"r", "alice", 2*every - 1, false},
			{"r", "alice", 3 * every, true},
		} {
			noted, err := f.PutTyping(f.Context(), test.room, test.user, epoch+test.ms)
			ok(f, err)
			if noted != test.noted {
				f.Errorf("%s in %s at %d ms: noted %t, want %t", test.user, test.room, test.ms, noted, test.noted)
			}
		}
	},
	"PutTyping/notes one of those that race": func(f *fixture) {
		if n := race(f, 8, func(int) (bool, error) { return f.PutTyping(f.Context(), "r", "alice", epoch) }); n != 1 {
			f.Errorf("%d of 8 were noted, want 1", n)
		}
	},
}
