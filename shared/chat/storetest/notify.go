package storetest

import (
	"fmt"

	"github.com/streamroom/streamroom/shared/chat"
)

// notified is a member who has chosen what they are notified of.
func notified(m chat.Member, n chat.Notify, at int64) chat.Member {
	m.Notify, m.NotifyAt = n, at
	return m
}

var notifyTests = map[string]func(*fixture){
	"ChangeNotify/changes who is as was, and all reads have it": func(f *fixture) {
		f.create("r", "alice", "bob")
		was := plain("bob")
		for i, n := range []chat.Notify{chat.NotifyNone, chat.NotifyMentions, chat.NotifyAll, chat.NotifyNone} {
			now := notified(was, n, epoch+int64(i)+1)
			if changed, err := f.ChangeNotify(f.Context(), "r", notified(was, was.Notify, 7), now); changed || err != nil {
				f.Errorf("another time: changed %t, error %v", changed, err)
			}
			changed, err := f.ChangeNotify(f.Context(), "r", was, now)
			if ok(f, err); !changed {
				f.Fatalf("%+v was not stored", now)
			}
			f.is(now)
			rooms, _, err := f.UserRooms(f.Context(), "bob", "", 10)
			if ok(f, err); len(rooms) != 1 || rooms[0].Notify != n || rooms[0].NotifyAt != now.NotifyAt || rooms[0].ReadUpTo != "" {
				f.Errorf("the list has %+v, want %q", rooms, n)
			}
			was = now
		}
		if changed, err := f.ChangeNotify(f.Context(), "r", plain("carol"), notified(plain("carol"), chat.NotifyNone, epoch)); changed || err != nil {
			f.Errorf("a stranger: changed %t, error %v", changed, err)
		}
		found, err := f.NotifyAmong(f.Context(), "r", []string{"alice", "bob", "carol"})
		ok(f, err)
		equal(f, "NotifyAmong", map[string]chat.Notify{"bob": chat.NotifyNone}, found)
		cursors, err := f.ReadCursors(f.Context(), "r", "", "")
		if ok(f, err); cursors["bob"] != (chat.ReadCursor{}) {
			f.Errorf("bob has read %+v", cursors["bob"])
		}
	},
	"ChangeNotify/stays when the room is read, and when the member changes": func(f *fixture) {
		f.create("r", "alice", "bob")
		now := notified(plain("bob"), chat.NotifyMentions, epoch+1)
		_, err := f.ChangeNotify(f.Context(), "r", plain("bob"), now)
		ok(f, err)
		m := message("r", "alice", 1)
		f.put(m)
		moved, err := f.AdvanceReadCursor(f.Context(), "r", "bob", chat.ReadCursor{UpTo: m.ID}, epoch+2)
		if ok(f, err); !moved {
			f.Error("the cursor did not move")
		}
		_, err = f.ChangeMember(f.Context(), "r", now, altered(now, chat.Moderator, 0, epoch+3), "")
		ok(f, err)
		f.is(altered(now, chat.Moderator, 0, epoch+3))
		rooms, _, err := f.UserRooms(f.Context(), "bob", "", 10)
		if ok(f, err); len(rooms) != 1 || rooms[0].Notify != chat.NotifyMentions || rooms[0].ReadUpTo != m.ID {
			f.Errorf("the list has %+v", rooms)
		}
	},
	"ChangeNotify/ends with the membership": func(f *fixture) {
		f.create("r", "alice", "bob")
		now := notified(plain("bob"), chat.NotifyNone, epoch+1)
		_, err := f.ChangeNotify(f.Context(), "r", plain("bob"), now)
		ok(f, err)
		removed, err := f.RemoveMember(f.Context(), "r", now, chat.Member{})
		if ok(f, err); !removed {
			f.Fatal("bob was not removed")
		}
		room, _, err := f.Room(f.Context(), "r")
		ok(f, err)
		_, err = f.AddMember(f.Context(), room, plain("bob"))
		ok(f, err)
		f.is(plain("bob"))
		rooms, _, err := f.UserRooms(f.Context(), "bob", "", 10)
		if ok(f, err); len(rooms) != 1 || rooms[0].Notify != chat.NotifyAll || rooms[0].NotifyAt != 0 {
			f.Errorf("the list has %+v", rooms)
		}
	},
	"ChangeNotify/lets one of several at once win": func(f *fixture) {
		f.create("r", "alice", "bob")
		levels := []chat.Notify{chat.NotifyNone, chat.NotifyMentions}
		won := race(f, len(levels), func(i int) (bool, error) {
			return f.ChangeNotify(f.Context(), "r", plain("bob"), notified(plain("bob"), levels[i], epoch+int64(i)+1))
		})
		m, _, err := f.Member(f.Context(), "r", "bob")
		ok(f, err)
		rooms, _, err := f.UserRooms(f.Context(), "bob", "", 10)
		ok(f, err)
		if said := fmt.Sprint(m.Notify, m.NotifyAt); won != 1 || len(rooms) != 1 || said != fmt.Sprint(rooms[0].Notify, rooms[0].NotifyAt) {
			f.Errorf("%d won; the member says %s, the list %+v", won, said, rooms)
		}
	},
}
