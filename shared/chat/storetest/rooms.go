package storetest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

var roomTests = map[string]func(*fixture){
	"CreateRoom/stores the room and its members": func(f *fixture) {
		want, members := group("r", "alice", "bob", "carol")
		f.create("r", "alice", "bob", "carol")
		room, found, err := f.Room(f.Context(), "r")
		ok(f, err)
		equal(f, "room", want, room)
		stored, more, err := f.Members(f.Context(), "r", "", 10)
		ok(f, err)
		equal(f, "members", members, stored)
		if !found || more {
			f.Errorf("found %t, more %t; want true, false", found, more)
		}
		for _, user := range []string{"alice", "bob", "carol"} {
			rooms, _, err := f.UserRooms(f.Context(), user, "", 10)
			ok(f, err)
			equal(f, "rooms of "+user, []chat.RoomSummary{{Room: want, SortAt: epoch}}, rooms)
		}
		if _, other, err := f.Room(f.Context(), "s"); other || err != nil {
			f.Errorf("another room: %t, error %v; want false, nil", other, err)
		}
	},
	"CreateRoom/stores a direct message, which has no name, and as many members as can be named": func(f *fixture) {
		direct, members := group("d", "alice", "bob")
		direct.Name, direct.Type = "", chat.Direct
		created, err := f.CreateRoom(f.Context(), direct, members)
		ok(f, err)
		got, _, err := f.Room(f.Context(), "d")
		ok(f, err)
		equal(f, "room", direct, got)
		many := make([]string, chat.MaxInitialMember)
		for i := range many {
			many[i] = fmt.Sprintf("user%02d", i)
		}
		room, members := group("r", "alice", many...)
		c := creation("alice", "r", epoch+1)
		once, _, err := f.CreateRoomOnce(f.Context(), room, members, c)
		ok(f, err)
		stored, _, err := f.Members(f.Context(), "r", "", 100)
		ok(f, err)
		inOrder(f, "members", append([]string{"alice"}, many...), users(stored))
		if !created || !once {
			f.Errorf("created %t and %t", created, once)
		}
	},
	"CreateRoom/changes nothing if the room exists": func(f *fixture) {
		want := f.create("r", "alice")
		other, members := group("r", "bob", "carol")
		created, err := f.CreateRoom(f.Context(), other, members)
		ok(f, err)
		got, _, err := f.Room(f.Context(), "r")
		ok(f, err)
		equal(f, "room", want, got)
		stored, _, err := f.Members(f.Context(), "r", "", 10)
		ok(f, err)
		inOrder(f, "members", []string{"alice"}, users(stored))
		rooms, _, err := f.UserRooms(f.Context(), "carol", "", 10)
		ok(f, err)
		if created || len(rooms) > 0 {
			f.Errorf("created %t, carol's rooms %v; want nothing", created, rooms)
		}
	},
	"CreateRoom/creates one of those that race for an id": func(f *fixture) {
		won := race(f, 8, func(i int) (bool, error) {
			room, members := group("r", fmt.Sprint("user", i))
			return f.CreateRoom(f.Context(), room, members)
		})
		members, _, err := f.Members(f.Context(), "r", "", 10)
		ok(f, err)
		if won != 1 || len(members) != 1 {
			f.Errorf("%d created, members %v; want 1 and 1", won, members)
		}
	},
	"CreateRoomOnce/returns the earlier creation until it expires": func(f *fixture) {
		first := creation("alice", "r1", epoch+1_500)
		for i, step := range []struct {
			at      int64
			c       chat.Creation
			created bool
			earlier chat.Creation
		}{
			{0, first, true, chat.Creation{}},
			{0, creation("alice", "r2", epoch+9_000), false, first},
			{0, creation("bob", "r3", epoch+9_000), true, chat.Creation{}}, // another user's
			{1_499, creation("alice", "r4", epoch+9_000), false, first},
			{2_500, creation("alice", "r5", epoch+9_000), true, chat.Creation{}},
		} {
			f.clock.ms.Store(epoch + step.at)
			room, members := group(step.c.RoomID, step.c.UserID)
			created, earlier, err := f.CreateRoomOnce(f.Context(), room, members, step.c)
			ok(f, err)
			if earlier.ExpiresAt = (earlier.ExpiresAt + 999) / 1000; created != step.created {
				f.Errorf("step %d: created %t", i, created)
			}
			if got, there, err := f.Creation(f.Context(), step.c.UserID, step.c.Key); err != nil || !there || created && got.RoomID != step.c.RoomID {
				f.Errorf("step %d: remembered is %+v, %t, %v", i, got, there, err)
			}
			step.earlier.ExpiresAt = (step.earlier.ExpiresAt + 999) / 1000 // stores keep seconds
			equal(f, fmt.Sprintf("step %d: earlier", i), step.earlier, earlier)
			_, found, err := f.Room(f.Context(), step.c.RoomID)
			ok(f, err)
			if found != step.created {
				f.Errorf("step %d: the room exists: %t", i, found)
			}
		}
	},
	"Creation/is none that has expired, or is another's": func(f *fixture) {
		room, members := group("r", "alice")
		c := creation("alice", "r", epoch+1_000)
		_, _, err := f.CreateRoomOnce(f.Context(), room, members, c)
		ok(f, err)
		for _, user := range []string{"bob", "alice"} {
			if _, there, err := f.Creation(f.Context(), user, c.Key); err != nil || there != (user == "alice") {
				f.Errorf("%s: %t, %v", user, there, err)
			}
		}
		f.clock.advance(3 * time.Second)
		if _, there, err := f.Creation(f.Context(), "alice", c.Key); err != nil || there {
			f.Errorf("after its time: %t, %v", there, err)
		}
	},
	"CreateRoomOnce/remembers nothing if the room exists": func(f *fixture) {
		f.create("r", "bob")
		for range 2 {
			room, members := group("r", "alice")
			created, earlier, err := f.CreateRoomOnce(f.Context(), room, members, creation("alice", "r", epoch+9_000))
			ok(f, err)
			if created || earlier != (chat.Creation{}) {
				f.Errorf("created %t, earlier %+v; want neither", created, earlier)
			}
		}
	},
	"CreateRoomOnce/creates one of those that race for a key": func(f *fixture) {
		won := race(f, 8, func(i int) (bool, error) {
			id := fmt.Sprint("r", i)
			room, members := group(id, "alice")
			created, earlier, err := f.CreateRoomOnce(f.Context(), room, members, creation("alice", id, epoch+9_000))
			if created == (earlier.RoomID != "") {
				f.Errorf("created %t, earlier %q; want one of them", created, earlier.RoomID)
			}
			return created, err
		})
		rooms, _, err := f.UserRooms(f.Context(), "alice", "", 10)
		ok(f, err)
		if won != 1 || len(rooms) != 1 {
			f.Errorf("%d created, rooms %v; want 1 and 1", won, rooms)
		}
	},
	"RenameRoom/moves forward, and creates nothing": func(f *fixture) {
		want := f.create("r", "alice")
		for _, step := range []struct {
			id, name string
			at       int64
			renamed  bool
		}{
			{"r", "one", 5, true},
			{"r", "same time", 5, false},
			{"r", "earlier", 4, false},
			{"r", "two", 6, true},
			{"none", "x", 7, false},
		} {
			renamed, err := f.RenameRoom(f.Context(), chat.Room{ID: step.id, Name: step.name, RenamedAt: epoch + step.at})
			ok(f, err)
			if renamed != step.renamed {
				f.Errorf("%+v: renamed %t", step, renamed)
			}
		}
		want.Name, want.RenamedAt = "two", epoch+6
		room, _, err := f.Room(f.Context(), "r")
		ok(f, err)
		equal(f, "room", want, room)
		if _, found, err := f.Room(f.Context(), "none"); found || err != nil {
			f.Errorf("a room that was renamed: %t, error %v; want none", found, err)
		}
	},
	"RenameRoom/applies one of those that race for a time": func(f *fixture) {
		f.create("r", "alice")
		won := race(f, 8, func(i int) (bool, error) {
			return f.RenameRoom(f.Context(), chat.Room{ID: "r", Name: strconv.Itoa(i), RenamedAt: epoch + 1})
		})
		if won != 1 {
			f.Errorf("%d renamed, want 1", won)
		}
	},
}

func creation(userID, roomID string, expiresAt int64) chat.Creation {
	return chat.Creation{UserID: userID, Key: "key", Request: "request of " + roomID, RoomID: roomID, ExpiresAt: expiresAt}
}
