package storetest

import (
	"fmt"

	"github.com/streamroom/streamroom/shared/chat"
)

func owner(userID string) chat.Member { return chat.Member{UserID: userID, Role: chat.Owner} }

func plain(userID string) chat.Member {
	return chat.Member{UserID: userID, Role: chat.PlainMember, JoinedAt: epoch}
}

// count checks that the room r has, and counts, a number of members.
func (f *fixture) count(want int) {
	f.Helper()
	room, _, err := f.Room(f.Context(), "r")
	ok(f, err)
	members, _, err := f.Members(f.Context(), "r", "", 100)
	ok(f, err)
	if room.MemberCount != want || len(members) != want {
		f.Errorf("%d members counted, %d stored; want %d", room.MemberCount, len(members), want)
	}
}

var memberTests = map[string]func(*fixture){
	"RoomFor, Member and IsMember/find members alone": func(f *fixture) {
		want := f.create("r", "alice", "bob")
		f.create("s", "carol")
		for _, test := range []struct {
			room, user string
			member     chat.Member
			found      bool
		}{
			{"r", "alice", chat.Member{UserID: "alice", Role: chat.Owner, JoinedAt: epoch}, true},
			{"r", "bob", plain("bob"), true},
			{"r", "carol", chat.Member{}, false},
			{"none", "alice", chat.Member{}, false},
		} {
			room, member, found, err := f.RoomFor(f.Context(), test.room, test.user)
			ok(f, err)
			equal(f, "RoomFor "+test.user, test.member, member)
			if test.found {
				equal(f, "room", want, room)
			}
			alone, there, err := f.Member(f.Context(), test.room, test.user)
			ok(f, err)
			equal(f, "Member "+test.user, test.member, alone)
			is, err := f.IsMember(f.Context(), test.room, test.user)
			ok(f, err)
			if found != test.found || there != test.found || is != test.found {
				f.Errorf("%s in %s: %t, %t and %t; want %t", test.user, test.room, found, there, is, test.found)
			}
		}
	},
	"Members/pages by the bytes of user ids": func(f *fixture) {
		f.create("r", "b", "a", "é", "a b", "B")
		f.create("r2", "x") // a room whose id begins like the other's
		all := []string{"B", "a", "a b", "b", "é"}
		for _, test := range []struct {
			after string
			limit int
			want  []string
			more  bool
		}{
			{"", 9, all, false},
			{"", 5, all, false},
			{"", 4, all[:4], true},
			{"a", 2, all[2:4], true},
			{"a", 3, all[2:], false},
			{"aa", 9, all[3:], false}, // not a member
			{"é", 9, nil, false},
		} {
			members, more, err := f.Members(f.Context(), "r", test.after, test.limit)
			ok(f, err)
			inOrder(f, fmt.Sprintf("%d after %q", test.limit, test.after), test.want, users(members))
			if more != test.more {
				f.Errorf("%d after %q: more %t", test.limit, test.after, more)
			}
		}
	},
	"AddMember/stores a member once, counts it, and lists the room": func(f *fixture) {
		room := f.create("r", "alice")
		for _, want := range []bool{true, false} {
			added, err := f.AddMember(f.Context(), room, plain("bob"))
			ok(f, err)
			if added != want {
				f.Errorf("added %t, want %t", added, want)
			}
			f.count(2)
		}
		if added, err := f.AddMember(f.Context(), room, plain("alice")); added || err != nil {
			f.Errorf("the owner: added %t, error %v; want false, nil", added, err)
		}
		_, member, _, err := f.RoomFor(f.Context(), "r", "alice")
		ok(f, err)
		if member.Role != chat.Owner {
			f.Errorf("the owner's role is %s", member.Role)
		}
		rooms, _, err := f.UserRooms(f.Context(), "bob", "", 10)
		ok(f, err)
		room.MemberCount = 2
		equal(f, "rooms", []chat.RoomSummary{{Room: room, SortAt: epoch}}, rooms)
	},
	"AddMember/moves the read cursor to the newest message, never back": func(f *fixture) {
		room := f.create("r", "alice")
		f.put(message("r", "alice", 1), message("r", "alice", 2))
		stray := messageID(3, 0) // stored by a read that was overtaken
		for user, read := range map[string]string{"bob": "", "carol": messageID(1, 0), "dave": stray} {
			if read != "" {
				f.read(user, read)
			}
			added, err := f.AddMember(f.Context(), room, plain(user))
			if ok(f, err); !added {
				f.Errorf("%s was not added", user)
			}
		}
		joined := chat.ReadCursor{UpTo: messageID(2, 0), From: messageID(2, 0)}
		want := map[string]chat.ReadCursor{"bob": joined, "carol": joined, "dave": upTo(stray)}
		cursors, err := f.ReadCursors(f.Context(), "r", "", "")
		ok(f, err)
		equal(f, "cursors", want, cursors)

		f.put(message("r", "alice", 4))
		f.read("bob", messageID(4, 0))
		want["bob"] = chat.ReadCursor{UpTo: messageID(4, 0), From: messageID(2, 0)}
		added, err := f.AddMember(f.Context(), room, plain("bob")) // a member already
		ok(f, err)
		cursors, err = f.ReadCursors(f.Context(), "r", "", "")
		if ok(f, err); added {
			f.Error("bob was added twice")
		}
		equal(f, "cursors after a read", want, cursors)
	},
	"AddMember/refuses a room that does not exist": func(f *fixture) {
		room, _ := group("r", "alice")
		added, err := f.AddMember(f.Context(), room, plain("bob"))
		if added || chat.Reason(err).Code != chat.CodeNotAMember {
			f.Errorf("added %t, error %v; want %s", added, err, chat.CodeNotAMember)
		}
		member, err := f.IsMember(f.Context(), "r", "bob")
		ok(f, err)
		if member {
			f.Error("the user is a member")
		}
	},
	"AddMember/counts those that race": func(f *fixture) {
		room := f.create("r", "alice")
		added := race(f, 8, func(i int) (bool, error) {
			return f.AddMember(f.Context(), room, plain(fmt.Sprint("user", i/2)))
		})
		if added != 4 {
			f.Errorf("%d added, want 4", added)
		}
		f.count(5)
	},
	"RemoveMember/removes a member with everything of theirs in the room": func(f *fixture) {
		f.create("r", "alice", "bob")
		for _, user := range []string{"alice", "bob"} {
			f.read(user, messageID(0, 0))
		}
		for _, want := range []bool{true, false} {
			removed, err := f.RemoveMember(f.Context(), "r", plain("bob"), chat.Member{})
			ok(f, err)
			if removed != want {
				f.Errorf("removed %t, want %t", removed, want)
			}
			f.count(1)
		}
		cursors, err := f.ReadCursors(f.Context(), "r", "", "")
		ok(f, err)
		equal(f, "cursors", map[string]chat.ReadCursor{"alice": upTo(messageID(0, 0))}, cursors)
		rooms, _, err := f.UserRooms(f.Context(), "bob", "", 10)
		ok(f, err)
		if len(rooms) > 0 {
			f.Errorf("bob's rooms: %v, want none", rooms)
		}
	},
	"RemoveMember/changes nothing if the role, the successor or the count is another": func(f *fixture) {
		f.create("r", "alice", "bob")
		for _, test := range []struct {
			name      string
			room      string
			member    chat.Member
			successor chat.Member
		}{
			{"bob is not an owner", "r", owner("bob"), owner("alice")},
			{"alice is not a plain member", "r", plain("alice"), chat.Member{}},
			{"carol is not a member", "r", plain("carol"), chat.Member{}},
			{"the successor is not a member", "r", owner("alice"), plain("carol")},
			{"the successor is not an owner any more", "r", owner("alice"), owner("bob")},
			{"the successor has changed", "r", owner("alice"), altered(plain("bob"), chat.PlainMember, 0, epoch)},
			{"the last owner of two members", "r", owner("alice"), chat.Member{}},
			{"no such room", "none", owner("alice"), chat.Member{}},
		} {
			removed, err := f.RemoveMember(f.Context(), test.room, test.member, test.successor)
			if removed || err != nil {
				f.Errorf("%s: removed %t, error %v; want false, nil", test.name, removed, err)
			}
			f.count(2)
			_, bob, _, err := f.RoomFor(f.Context(), "r", "bob")
			ok(f, err)
			if bob.Role != chat.PlainMember {
				f.Errorf("%s: bob is %s", test.name, bob.Role)
			}
		}
	},
	"RemoveMember/makes the successor an owner": func(f *fixture) {
		f.create("r", "alice", "bob")
		removed, err := f.RemoveMember(f.Context(), "r", owner("alice"), plain("bob"))
		ok(f, err)
		members, _, err := f.Members(f.Context(), "r", "", 10)
		ok(f, err)
		equal(f, "members", []chat.Member{{UserID: "bob", Role: chat.Owner, JoinedAt: epoch, ChangedAt: epoch}}, members)
		if !removed {
			f.Error("not removed")
		}
		f.count(1)
	},
	"RemoveMember/has a successor who was muted speak, by a later change": func(f *fixture) {
		f.create("r", "alice", "bob")
		muted := altered(plain("bob"), chat.PlainMember, epoch+9_000, epoch+5_000) // by a clock that is ahead
		_, err := f.ChangeMember(f.Context(), "r", plain("bob"), muted, "")
		ok(f, err)
		removed, err := f.RemoveMember(f.Context(), "r", owner("alice"), muted)
		if ok(f, err); !removed {
			f.Error("not removed")
		}
		f.is(altered(muted, chat.Owner, 0, epoch+5_001))
	},
	"RemoveMember/leaves a successor who is an owner as they are": func(f *fixture) {
		f.create("r", "alice", "bob")
		second := altered(plain("bob"), chat.Owner, epoch+9_000, epoch+1)
		_, err := f.ChangeMember(f.Context(), "r", plain("bob"), second, "")
		ok(f, err)
		removed, err := f.RemoveMember(f.Context(), "r", owner("alice"), second)
		if ok(f, err); !removed {
			f.Error("not removed")
		}
		f.is(second)
	},
	"RemoveMember/deletes the room with its last owner": func(f *fixture) {
		room := f.create("r", "alice")
		f.put(message("r", "alice", 0))
		removed, err := f.RemoveMember(f.Context(), "r", owner("alice"), chat.Member{})
		ok(f, err)
		_, found, err := f.Room(f.Context(), "r")
		ok(f, err)
		rooms, _, err := f.UserRooms(f.Context(), "alice", "", 10)
		ok(f, err)
		if !removed || found || len(rooms) > 0 {
			f.Errorf("removed %t, the room exists %t, alice's rooms %v", removed, found, rooms)
		}
		if added, err := f.AddMember(f.Context(), room, plain("bob")); added || chat.Reason(err).Code != chat.CodeNotAMember {
			f.Errorf("a member of a deleted room: added %t, error %v", added, err)
		}
	},
	"RemoveMember/removes one of two owners who race to leave": func(f *fixture) {
		f.create("r", "alice", "bob", "carol")
		_, err := f.RemoveMember(f.Context(), "r", owner("alice"), plain("bob"))
		ok(f, err)
		_, err = f.AddMember(f.Context(), chat.Room{ID: "r", CreatedAt: epoch}, chat.Member{UserID: "alice", Role: chat.Owner, JoinedAt: epoch})
		ok(f, err)
		pair := []string{"alice", "bob"} // both own the room, and each leaves it to the other
		removed := race(f, 2, func(i int) (bool, error) {
			return f.RemoveMember(f.Context(), "r", owner(pair[i]), owner(pair[1-i]))
		})
		if removed != 1 {
			f.Errorf("%d removed, want 1", removed)
		}
		f.count(2)
	},
}
