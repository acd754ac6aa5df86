package chat_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/geo"
)

// open creates a public group, and returns its id.
func (w *world) open(owner string, members ...string) string {
	w.Helper()
	room, _, err := w.rooms.Create(w.Context(), owner, chat.NewRoom{Name: "Open", Type: chat.Group, Members: members, Public: true})
	ok(w, err)
	return room.ID
}

func TestCreate_PublicGroupsOnly(t *testing.T) {
	w := newWorld(t)
	room, found, err := w.store.Room(t.Context(), w.open("alice"))
	if ok(t, err); !found || !room.Public {
		t.Errorf("stored %+v, want a public room", room)
	}
	_, _, err = w.rooms.Create(t.Context(), "alice", chat.NewRoom{Type: chat.Direct, Members: []string{"bob"}, Public: true})
	refused(t, "a public direct message", err, chat.CodeInvalidRequest)
	private := chat.NewRoom{Name: "x", Type: chat.Group, Key: "k"}
	_, _, err = w.rooms.Create(t.Context(), "alice", private)
	ok(t, err)
	private.Public = true
	_, _, err = w.rooms.Create(t.Context(), "alice", private)
	refused(t, "the key of a private room", err, chat.CodeInvalidRequest)
}

func TestShare_OwnersOfGroups(t *testing.T) {
	w := newWorld(t)
	room, direct := w.group("alice", "bob"), w.direct("alice", "bob")
	for _, test := range []struct {
		by, room string
		code     chat.Code
	}{{"bob", room, chat.CodeForbidden}, {"carol", room, chat.CodeNotAMember}, {"alice", direct, chat.CodeForbidden}, {"alice", "a#b", chat.CodeInvalidRequest}} {
		_, err := w.rooms.Share(t.Context(), test.by, test.room, true)
		refused(t, test.by, err, test.code)
	}
	for i, step := range []struct {
		public bool
		at     int64
	}{{false, 0}, {true, epoch}, {true, epoch}, {false, epoch + 1}} { // the clock stands
		got, err := w.rooms.Share(t.Context(), "alice", room, step.public)
		ok(t, err)
		stored, _, err := w.store.Room(t.Context(), room)
		if ok(t, err); got != stored || stored.Public != step.public || stored.RenamedAt != step.at {
			t.Errorf("step %d: returned %+v, stored %+v", i, got, stored)
		}
	}
}

func TestJoin_PublicRooms(t *testing.T) {
	w := newWorld(t)
	public, private := w.open("alice"), w.group("alice", "bob")
	for _, step := range []struct {
		user, room string
		joined     bool
		code       chat.Code
	}{
		{"carol", public, true, ""},
		{"carol", public, false, ""},
		{"bob", private, false, ""},
		{"carol", private, false, chat.CodeNotAMember},
		{"carol", "nowhere", false, chat.CodeNotAMember},
		{"carol", "a#b", false, chat.CodeInvalidRequest},
	} {
		room, joined, err := w.rooms.Join(t.Context(), step.user, step.room)
		answers(t, step.user+" joins "+step.room, err, step.code)
		if joined != step.joined || err == nil && (room.ID != step.room || room.MemberCount != 2) {
			t.Errorf("%s joins %s: %t, %+v", step.user, step.room, joined, room)
		}
	}
	// A user who left, or was removed, comes back.
	for _, by := range []string{"carol", "alice"} {
		ok(t, w.rooms.RemoveMember(t.Context(), by, public, "carol"))
		_, joined, err := w.rooms.Join(t.Context(), "carol", public)
		if ok(t, err); !joined {
			t.Errorf("removed by %s: not joined again", by)
		}
	}
	w.once("JoinRoom", func() {
		_, err := w.rooms.Share(t.Context(), "alice", public, false)
		ok(t, err)
	})
	_, _, err := w.rooms.Join(t.Context(), "dave", public)
	refused(t, "a room that becomes private", err, chat.CodeNotAMember)
}

func TestGet_StrangersSeeThePublicDescription(t *testing.T) {
	w := newWorld(t)
	room := w.open("alice", "bob")
	at := chat.Location{Point: geo.Point{Lat: 52.52, Lon: 13.405}, Address: "Mitte", EndsAt: epoch + 60_000}
	_, err := w.rooms.Place(t.Context(), "alice", room, at)
	ok(t, err)
	for user, members := range map[string]int{"bob": 2, "carol": 0} {
		got, err := w.rooms.Get(t.Context(), user, room, "", 10)
		ok(t, err)
		if len(got.Members) != members || (got.Role == "") != (members == 0) || got.Name != "Open" || got.MemberCount != 2 || got.Place == nil || *got.Place != at {
			t.Errorf("%s sees %+v", user, got)
		}
	}
	w.clock.advance(time.Minute)
	got, err := w.rooms.Get(t.Context(), "carol", room, "", 10)
	if ok(t, err); got.Place != nil {
		t.Errorf("a place that has ended: %+v", got.Place)
	}
	_, err = w.rooms.Share(t.Context(), "alice", room, false)
	ok(t, err)
	_, err = w.rooms.Get(t.Context(), "carol", room, "", 10)
	refused(t, "a stranger in a private room", err, chat.CodeNotAMember)
}

func TestPlace_OwnersOfPublicRooms(t *testing.T) {
	w := newWorld(t)
	public, private := w.open("alice", "bob"), w.group("alice", "bob")
	here := chat.Location{Point: geo.Point{Lat: 89.99999996, Lon: -180}}
	for _, test := range []struct {
		by, room string
		code     chat.Code
	}{
		{"bob", public, chat.CodeForbidden},
		{"carol", public, chat.CodeNotAMember},
		{"alice", private, chat.CodeForbidden},
		{"alice", w.direct("alice", "bob"), chat.CodeForbidden},
	} {
		_, err := w.rooms.Place(t.Context(), test.by, test.room, here)
		refused(t, test.by+" places", err, test.code)
		if test.room == public {
			refused(t, test.by+" removes the place", w.rooms.Unplace(t.Context(), test.by, test.room), test.code)
		}
	}
	for range 2 { // the clock stands
		got, err := w.rooms.Place(t.Context(), "alice", public, here)
		if ok(t, err); got.Point != (geo.Point{Lat: 90, Lon: -180}) {
			t.Errorf("stored %+v, want 7 decimals", got)
		}
	}
	for range 2 {
		ok(t, w.rooms.Unplace(t.Context(), "alice", public))
	}
	if _, found, err := w.store.RoomPlace(t.Context(), public); found || err != nil {
		t.Errorf("removed: %t, %v", found, err)
	}
	w.once("PlaceRoom", func() {
		_, err := w.rooms.Rename(t.Context(), "alice", public, "New")
		ok(t, err)
	})
	_, err := w.rooms.Place(t.Context(), "alice", public, here)
	ok(t, err)
}

func TestPlace_BadInput(t *testing.T) {
	w := newWorld(t)
	room := w.open("alice")
	for what, at := range map[string]chat.Location{
		"lat":        {Point: geo.Point{Lat: 90.0001}},
		"lat NaN":    {Point: geo.Point{Lat: math.NaN()}},
		"lat Inf":    {Point: geo.Point{Lat: math.Inf(-1)}},
		"lon":        {Point: geo.Point{Lon: -180.0001}},
		"lon NaN":    {Point: geo.Point{Lon: math.NaN()}},
		"address":    {Address: strings.Repeat("x", chat.MaxAddress+1)},
		"address \n": {Address: "a\nb"},
		"startsAt":   {StartsAt: -1},
		"endsAt":     {StartsAt: epoch + 2, EndsAt: epoch + 2},
		"endsAt now": {EndsAt: epoch},
		"endsAt far": {EndsAt: math.MaxInt64},
	} {
		_, err := w.rooms.Place(t.Context(), "alice", room, at)
		refused(t, what, err, chat.CodeInvalidRequest)
		if field, _, _ := strings.Cut(what, " "); !strings.Contains(chat.Reason(err).Message, "invalid "+field) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
