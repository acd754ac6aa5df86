package storetest

import (
	"fmt"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/geo"
)

// share stores a public group of an owner.
func (f *fixture) share(roomID, owner string) chat.Room {
	f.Helper()
	room, all := group(roomID, owner)
	room.Public = true
	created, err := f.CreateRoom(f.Context(), room, all)
	if !created || err != nil {
		f.Fatalf("CreateRoom: created %t, error %v", created, err)
	}
	return room
}

// place gives a public room a place as of ms after epoch, and returns the room with it.
func (f *fixture) place(r chat.Room, at chat.Location, ms int64) chat.Room {
	f.Helper()
	r.PlacedAt, r.RenamedAt = epoch+ms, epoch+ms
	placed, err := f.PlaceRoom(f.Context(), r, at)
	if !placed || err != nil {
		f.Fatalf("PlaceRoom: placed %t, error %v", placed, err)
	}
	return r
}

// placed checks what a store has of a room and its place, nil for none.
func (f *fixture) placed(what string, want chat.Room, at *chat.Location) {
	f.Helper()
	room, found, err := f.Room(f.Context(), want.ID)
	ok(f, err)
	if found {
		equal(f, what+": room", want, room)
	}
	got, found, err := f.RoomPlace(f.Context(), want.ID)
	ok(f, err)
	if at == nil {
		at = &chat.Location{}
	}
	equal(f, what+": place", *at, got)
	if wanted := *at != (chat.Location{}); found != wanted {
		f.Errorf("%s: there is a place: %t, want %t", what, found, wanted)
	}
}

var (
	harbour = chat.Location{
		Point: geo.Point{Lat: 53.5413, Lon: -179.9841234}, Address: "Pier 1, 港", StartsAt: epoch + 1_000, EndsAt: epoch + 60_000,
	}
	hill = chat.Location{Point: geo.Point{Lat: -0.0000001, Lon: 0}}
)

var placeTests = map[string]func(*fixture){
	"PlacesIn/reads the places of a range, both ways, and goes on behind a room": func(f *fixture) {
		centre := geo.Point{Lat: 52.52, Lon: 13.4}
		before, after := geo.Around(centre)
		for i := range 5 { // all in one smallest cell
			f.place(f.share(fmt.Sprint("r", i), "alice"), chat.Location{Point: centre, Address: "Mitte"}, 1)
		}
		f.place(f.share("far", "alice"), hill, 1)
		for what, r := range map[string]chat.PlaceRange{"before": {Range: before, Backward: true}, "after": {Range: after}} {
			page, err := f.PlacesIn(f.Context(), r, 9)
			ok(f, err)
			var names []string
			for _, p := range page.Places {
				names = append(names, p.RoomID)
				equal(f, what, chat.Nearby{RoomID: p.RoomID, Name: "Room " + p.RoomID, Location: chat.Location{Point: centre, Address: "Mitte"}}, p)
			}
			slices.Sort(names)
			inOrder(f, what, []string{"r0", "r1", "r2", "r3", "r4"}, names)
			if page.More || page.Units <= 0 {
				f.Errorf("%s: %+v", what, page)
			}
		}
		r, seen := chat.PlaceRange{Range: after}, map[string]bool{}
		for range 3 {
			page, err := f.PlacesIn(f.Context(), r, 2)
			ok(f, err)
			for _, p := range page.Places {
				seen[p.RoomID] = true
			}
			if !page.More {
				break
			}
			r.From, r.After = page.Leaf, page.After
		}
		if len(seen) != 5 {
			f.Errorf("pages have %v, want 5 rooms", seen)
		}
	},
	"ShareRoom/makes a room public and private again, newest change first": func(f *fixture) {
		room := f.create("r", "alice")
		for i, step := range []struct {
			public  bool
			at      int64
			changed bool
		}{{true, 5, true}, {false, 5, false}, {false, 4, false}, {false, 6, true}, {true, 7, true}} {
			to := room
			to.Public, to.RenamedAt = step.public, epoch+step.at
			changed, err := f.ShareRoom(f.Context(), to)
			ok(f, err)
			if changed != step.changed {
				f.Errorf("step %d: changed %t", i, changed)
			}
			if changed {
				room = to
			}
			f.placed(fmt.Sprint("step ", i), room, nil)
		}
		changed, err := f.ShareRoom(f.Context(), chat.Room{ID: "none", Public: true, RenamedAt: epoch})
		if ok(f, err); changed {
			f.Error("changed a room that is not there")
		}
	},
	"PlaceRoom/stores a place of a public room, instead of the one before": func(f *fixture) {
		room := f.share("r", "alice")
		for i, at := range []chat.Location{harbour, hill, harbour} {
			room = f.place(room, at, int64(i+1))
			f.placed(fmt.Sprint("step ", i), room, &at)
		}
		private := f.create("p", "alice")
		renamed := f.share("n", "alice")
		was := renamed
		renamed.Name, renamed.RenamedAt = "New", epoch+1
		done, err := f.RenameRoom(f.Context(), renamed)
		if ok(f, err); !done {
			f.Error("not renamed")
		}
		for _, r := range []chat.Room{private, was, {ID: "none", Name: "x", Public: true}} {
			r.PlacedAt = epoch
			placed, err := f.PlaceRoom(f.Context(), r, hill)
			if ok(f, err); placed {
				f.Errorf("%s is placed", r.ID)
			}
		}
		f.placed("a private room", private, nil)
		f.placed("a renamed room", renamed, nil)
	},
	"PlaceRoom/lets no change pass that does not know of the place": func(f *fixture) {
		unplaced := f.share("r", "alice")
		room := f.place(unplaced, hill, 1)
		for what, change := range map[string]func() (bool, error){
			"rename": func() (bool, error) {
				unplaced.Name, unplaced.RenamedAt = "New", epoch+2
				return f.RenameRoom(f.Context(), unplaced)
			},
			"private": func() (bool, error) {
				unplaced.Public, unplaced.RenamedAt = false, epoch+2
				return f.ShareRoom(f.Context(), unplaced)
			},
		} {
			changed, err := change()
			if ok(f, err); changed {
				f.Errorf("%s: changed", what)
			}
			f.placed(what, room, &hill)
		}
	},
	"RoomPlace/is none once it has ended, or the room has": func(f *fixture) {
		room := f.place(f.share("r", "alice"), harbour, 1)
		other := f.place(f.share("s", "alice"), hill, 1)
		f.clock.ms.Store(harbour.EndsAt + 1_000)
		f.placed("ended", room, nil)
		renamed := room
		renamed.Name, renamed.RenamedAt = "New", epoch+2
		done, err := f.RenameRoom(f.Context(), renamed)
		if ok(f, err); !done {
			f.Error("a room whose place has ended was not renamed")
		}
		removed, err := f.RemoveMember(f.Context(), "s", owner("alice"), chat.Member{})
		if ok(f, err); !removed {
			f.Error("not removed")
		}
		f.placed("a room that has ended", other, nil)
		f.placed("and again", f.share("s", "bob"), nil)
	},
	"UnplaceRoom/removes a place, newest change first": func(f *fixture) {
		room := f.place(f.share("r", "alice"), hill, 1)
		other := room
		other.PlacedAt++
		for what, r := range map[string]chat.Room{"an older change": room, "another place": other, "no room": {ID: "none", PlacedAt: epoch}} {
			r.RenamedAt++
			if what == "an older change" {
				r.RenamedAt = epoch + 1
			}
			unplaced, err := f.UnplaceRoom(f.Context(), r)
			if ok(f, err); unplaced {
				f.Errorf("%s: removed", what)
			}
			f.placed(what, room, &hill)
		}
		room.RenamedAt = epoch + 2
		unplaced, err := f.UnplaceRoom(f.Context(), room)
		if ok(f, err); !unplaced {
			f.Error("not removed")
		}
		room.PlacedAt = 0
		f.placed("removed", room, nil)
		private := f.place(room, hill, 3)
		private.Public, private.RenamedAt = false, epoch+4
		changed, err := f.ShareRoom(f.Context(), private)
		if ok(f, err); !changed {
			f.Error("not private")
		}
		private.PlacedAt = 0
		f.placed("private", private, nil)
	},
	"JoinRoom/adds members to public rooms only": func(f *fixture) {
		room := f.share("r", "alice")
		f.put(message("r", "alice", 1))
		for i, joined := range []bool{true, false} {
			got, err := f.JoinRoom(f.Context(), room, plain("bob"))
			if ok(f, err); got != joined {
				f.Errorf("call %d: joined %t", i, got)
			}
		}
		f.count(2)
		cursors, err := f.ReadCursors(f.Context(), "r", "", "")
		ok(f, err)
		equal(f, "cursors", map[string]chat.ReadCursor{"bob": {UpTo: messageID(1, 0), From: messageID(1, 0)}}, cursors)
		f.create("p", "alice", "carol")
		for _, id := range []string{"p", "none"} {
			_, err := f.JoinRoom(f.Context(), chat.Room{ID: id, Public: true}, plain("bob"))
			if chat.Reason(err).Code != chat.CodeNotAMember {
				f.Errorf("%s: %v, want %s", id, err, chat.CodeNotAMember)
			}
		}
		joined, err := f.JoinRoom(f.Context(), chat.Room{ID: "p"}, plain("carol"))
		if ok(f, err); joined {
			f.Error("a member of a private room joined it again")
		}
	},
}
