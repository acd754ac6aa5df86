package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestCreate_Group(t *testing.T) {
	w := newWorld(t)
	room, created, err := w.rooms.Create(t.Context(), "alice", chat.NewRoom{
		Name: "Team", Type: chat.Group, Members: []string{"carol", "bob", "alice", "bob"}, // the creator and doubles count once
	})
	ok(t, err)
	want := chat.Room{ID: room.ID, Name: "Team", Type: chat.Group, CreatedBy: "alice", CreatedAt: epoch, MemberCount: 3}
	stored, _, err := w.store.Room(t.Context(), room.ID)
	ok(t, err)
	if room != want || stored != want || !created || !strings.HasPrefix(room.ID, "room-") || chat.ValidateRoomID(room.ID) != nil {
		t.Errorf("room %+v, stored %+v, created %t; want %+v", room, stored, created, want)
	}
	roles := map[string]chat.Role{"alice": chat.Owner, "bob": chat.PlainMember, "carol": chat.PlainMember}
	if diff := cmp.Diff(roles, w.roles(room.ID)); diff != "" {
		t.Error(diff)
	}
	if m, _, err := w.store.Member(t.Context(), room.ID, "bob"); m.JoinedAt != epoch || err != nil {
		t.Errorf("joined at %d, error %v", m.JoinedAt, err)
	}
	if other := w.group("alice"); other == room.ID {
		t.Error("two groups have one id")
	}
}

func TestCreate_Validation(t *testing.T) {
	w := newWorld(t)
	many := make([]string, chat.MaxInitialMember+1)
	for i := range many {
		many[i] = fmt.Sprint("user", i)
	}
	for _, test := range []struct {
		name string
		room chat.NewRoom
		code chat.Code
	}{
		{"no type", chat.NewRoom{Name: "x"}, chat.CodeInvalidRequest},
		{"another type", chat.NewRoom{Name: "x", Type: "channel"}, chat.CodeInvalidRequest},
		{"no name", chat.NewRoom{Type: chat.Group}, chat.CodeInvalidRequest},
		{"a name too long", chat.NewRoom{Type: chat.Group, Name: strings.Repeat("é", chat.MaxRoomName+1)}, chat.CodeInvalidRequest},
		{"a name", chat.NewRoom{Type: chat.Group, Name: strings.Repeat("é", chat.MaxRoomName)}, ""},
		{"a forged member", chat.NewRoom{Type: chat.Group, Name: "x", Members: []string{"a#b"}}, chat.CodeInvalidRequest},
		{"too many members", chat.NewRoom{Type: chat.Group, Name: "x", Members: many}, chat.CodeInvalidRequest},
		{"as many as there may be", chat.NewRoom{Type: chat.Group, Name: "x", Members: many[1:]}, ""},
		{"a forged key", chat.NewRoom{Type: chat.Group, Name: "x", Key: "a b"}, chat.CodeInvalidRequest},
		{"a direct message with a name", chat.NewRoom{Type: chat.Direct, Name: "x", Members: []string{"bob"}}, chat.CodeInvalidRequest},
		{"a direct message with oneself", chat.NewRoom{Type: chat.Direct, Members: []string{"alice"}}, chat.CodeInvalidRequest},
		{"a direct message of one", chat.NewRoom{Type: chat.Direct}, chat.CodeInvalidRequest},
		{"a direct message of three", chat.NewRoom{Type: chat.Direct, Members: []string{"bob", "carol"}}, chat.CodeInvalidRequest},
		{"a direct message of two", chat.NewRoom{Type: chat.Direct, Members: []string{"bob", "alice", "bob"}}, ""},
	} {
		_, created, err := w.rooms.Create(t.Context(), "alice", test.room)
		answers(t, test.name, err, test.code)
		if created != (test.code == "") {
			t.Errorf("%s: created %t", test.name, created)
		}
	}
	rooms, _, err := w.rooms.List(t.Context(), "alice", "", 10)
	if ok(t, err); len(rooms) != 3 {
		t.Errorf("%d rooms, want the 3 that are valid", len(rooms))
	}
}

// A direct message exists once for a pair, and neither of the two owns it.
func TestCreate_DirectMessageOnceForAPair(t *testing.T) {
	w := newWorld(t)
	first, created, err := w.rooms.Create(t.Context(), "bob", chat.NewRoom{Type: chat.Direct, Members: []string{"alice"}})
	if ok(t, err); !created || first.ID != chat.DirectRoomID("alice", "bob") {
		t.Errorf("created %t, id %s", created, first.ID)
	}
	w.clock.advance(time.Hour)
	again, created, err := w.rooms.Create(t.Context(), "alice", chat.NewRoom{Type: chat.Direct, Members: []string{"bob"}})
	if ok(t, err); created || again != first {
		t.Errorf("created %t, room %+v; want %+v", created, again, first)
	}
	if diff := cmp.Diff(map[string]chat.Role{"alice": chat.PlainMember, "bob": chat.PlainMember}, w.roles(first.ID)); diff != "" {
		t.Error(diff)
	}
	if chat.DirectRoomID("ab", "c") == chat.DirectRoomID("a", "bc") {
		t.Error("two pairs have one id")
	}
	if err := chat.ValidateRoomID(first.ID); err != nil {
		t.Error(err)
	}
}

func TestCreate_RoomThatVanishes(t *testing.T) {
	w := newWorld(t)
	room := w.direct("alice", "bob")
	w.on("Room", func() {
		for _, m := range []chat.Member{{UserID: "alice", Role: chat.PlainMember}, {UserID: "bob", Role: chat.PlainMember}} {
			_, err := w.store.RemoveMember(t.Context(), room, m, chat.Member{})
			ok(t, err)
		}
		_, err := w.store.AddMember(t.Context(), chat.Room{ID: room}, chat.Member{UserID: "x", Role: chat.Owner})
		ok(t, err)
		_, err = w.store.RemoveMember(t.Context(), room, chat.Member{UserID: "x", Role: chat.Owner}, chat.Member{})
		ok(t, err)
	})
	_, _, err := w.rooms.Create(t.Context(), "alice", chat.NewRoom{Type: chat.Direct, Members: []string{"bob"}})
	refused(t, "a room that was deleted since", err, chat.CodeInternal)
}

// The same key with the same request is the same room for CreationMemory.
func TestCreate_IdempotencyKey(t *testing.T) {
	request := chat.NewRoom{Name: "Team", Type: chat.Group, Members: []string{"bob", "carol"}, Key: "k"}
	vary := func(change func(*chat.NewRoom)) chat.NewRoom {
		r := request
		r.Members = slices.Clone(r.Members)
		change(&r)
		return r
	}
	w := newWorld(t)
	first, created, err := w.rooms.Create(t.Context(), "alice", request)
	if ok(t, err); !created {
		t.Fatal("not created")
	}
	w.clock.set(chat.CreationMemory - time.Second)
	for _, test := range []struct {
		name string
		by   string
		room chat.NewRoom
		code chat.Code
		same bool
	}{
		{"the same", "alice", request, "", true},
		{"members in another order", "alice", vary(func(r *chat.NewRoom) { slices.Reverse(r.Members) }), "", true},
		{"another name", "alice", vary(func(r *chat.NewRoom) { r.Name = "Tea" }), chat.CodeInvalidRequest, false},
		{"another type", "alice", chat.NewRoom{Type: chat.Direct, Members: []string{"bob"}, Key: "k"}, chat.CodeInvalidRequest, false},
		{"fewer members", "alice", vary(func(r *chat.NewRoom) { r.Members = r.Members[:1] }), chat.CodeInvalidRequest, false},
		{"other members that read alike", "alice", vary(func(r *chat.NewRoom) { r.Members = []string{"bobcarol"} }), chat.CodeInvalidRequest, false},
		{"another key", "alice", vary(func(r *chat.NewRoom) { r.Key = "l" }), "", false},
		{"another user's", "bob", vary(func(r *chat.NewRoom) { r.Members[0] = "alice" }), "", false},
	} {
		room, created, err := w.rooms.Create(t.Context(), test.by, test.room)
		answers(t, test.name, err, test.code)
		if created != (test.code == "") || (room.ID == first.ID) != test.same {
			t.Errorf("%s: created %t, room %s; the first is %s", test.name, created, room.ID, first.ID)
		}
	}
	w.clock.set(chat.CreationMemory)
	late, created, err := w.rooms.Create(t.Context(), "alice", request)
	if ok(t, err); !created || late.ID == first.ID {
		t.Errorf("after CreationMemory: created %t, room %s; want a new one", created, late.ID)
	}
	dm, created, err := w.rooms.Create(t.Context(), "alice", chat.NewRoom{Type: chat.Direct, Members: []string{"bob"}, Key: "dm"})
	if ok(t, err); !created || dm.ID != chat.DirectRoomID("alice", "bob") {
		t.Errorf("a direct message with a key: created %t, room %s", created, dm.ID)
	}
	_, created, err = w.rooms.Create(t.Context(), "bob", chat.NewRoom{Type: chat.Direct, Members: []string{"alice"}, Key: "dm"})
	if ok(t, err); created {
		t.Error("a direct message that exists was created with a key")
	}
}

func TestList_PagesThroughAUsersRooms(t *testing.T) {
	w := newWorld(t)
	var want []string
	for range 3 {
		w.clock.advance(time.Second)
		want = append(want, w.group("alice", "bob"))
	}
	slices.Reverse(want)
	w.group("carol")
	var got []string
	for cursor := ""; ; {
		rooms, next, err := w.rooms.List(t.Context(), "bob", cursor, 2)
		ok(t, err)
		for _, r := range rooms {
			got = append(got, r.Room.ID)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("rooms %q, want %q", got, want)
	}
	_, _, err := w.rooms.List(t.Context(), "bob", "forged", 2)
	refused(t, "a forged cursor", err, chat.CodeInvalidRequest)
}
