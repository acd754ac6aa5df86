package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestAddMember_OnlyOwner(t *testing.T) {
	w := newWorld(t)
	room, direct := w.group("alice", "bob"), w.direct("alice", "bob")
	for _, test := range []struct {
		by, room, user string
		code           chat.Code
		added          bool
	}{
		{"bob", room, "carol", chat.CodeForbidden, false},
		{"carol", room, "carol", chat.CodeNotAMember, false},
		{"alice", "nowhere", "carol", chat.CodeNotAMember, false},
		{"alice", direct, "carol", chat.CodeForbidden, false},
		{"alice", room, "", chat.CodeInvalidRequest, false},
		{"alice", room, "a#b", chat.CodeInvalidRequest, false},
		{"alice", "a#b", "carol", chat.CodeInvalidRequest, false},
		{"alice", room, "bob", "", false},
		{"alice", room, "carol", "", true},
		{"alice", room, "carol", "", false},
	} {
		what := fmt.Sprintf("%s adds %q to %s", test.by, test.user, test.room)
		added, err := w.rooms.AddMember(t.Context(), test.by, test.room, test.user, false)
		answers(t, what, err, test.code)
		if added != test.added {
			t.Errorf("%s: added %t, want %t", what, added, test.added)
		}
	}
	want := map[string]chat.Role{"alice": chat.Owner, "bob": chat.PlainMember, "carol": chat.PlainMember}
	if diff := cmp.Diff(want, w.roles(room)); diff != "" {
		t.Error(diff)
	}
	if member, _, err := w.store.Member(t.Context(), room, "carol"); member.JoinedAt != epoch || err != nil {
		t.Errorf("joined at %d, error %v; want %d", member.JoinedAt, err, int64(epoch))
	}
	if roles := w.roles(direct); len(roles) != 2 {
		t.Errorf("the direct message has %v", roles)
	}
}

func TestRemoveMember_OnlyOwnerOrOneself(t *testing.T) {
	for _, test := range []struct {
		by, user string
		code     chat.Code
	}{
		{"alice", "bob", ""},
		{"bob", "bob", ""},
		{"alice", "alice", ""},
		{"bob", "carol", chat.CodeForbidden},
		{"bob", "alice", chat.CodeForbidden},
		{"dave", "bob", chat.CodeNotAMember},
		{"dave", "dave", chat.CodeNotAMember},
		{"alice", "dave", chat.CodeNotFound},
		{"alice", "", chat.CodeInvalidRequest},
		{"alice", "a#b", chat.CodeInvalidRequest},
	} {
		w := newWorld(t)
		room := w.group("alice", "bob", "carol")
		what := test.by + " removes " + test.user
		answers(t, what, w.rooms.RemoveMember(t.Context(), test.by, room, test.user), test.code)
		_, member := w.roles(room)[test.user]
		if was := slices.Contains([]string{"alice", "bob", "carol"}, test.user); member != (was && test.code != "") {
			t.Errorf("%s: still a member %t", what, member)
		}
	}
	w := newWorld(t)
	direct := w.direct("alice", "bob")
	refused(t, "remove from a direct message", w.rooms.RemoveMember(t.Context(), "alice", direct, "bob"), chat.CodeForbidden)
	refused(t, "remove a stranger from a direct message", w.rooms.RemoveMember(t.Context(), "alice", direct, "carol"), chat.CodeForbidden)
	refused(t, "leave someone else's direct message", w.rooms.RemoveMember(t.Context(), "carol", direct, "carol"), chat.CodeNotAMember)
}

// Who leaves a direct message stays its member. It is in the list again from the next
// message on, or when they ask for it.
func TestRemoveMember_HidesADirectMessage(t *testing.T) {
	w := newWorld(t)
	direct := w.direct("alice", "bob")
	lists := func(what string, want map[string]int) {
		t.Helper()
		for user, n := range want {
			rooms, _, err := w.rooms.List(t.Context(), user, "", 10)
			ok(t, err)
			if len(rooms) != n {
				t.Errorf("%s: %s has %d rooms, want %d", what, user, len(rooms), n)
			}
		}
		if roles := w.roles(direct); len(roles) != 2 {
			t.Errorf("%s: the members are %v", what, roles)
		}
	}
	leave := func() {
		t.Helper()
		for range 2 {
			ok(t, w.rooms.RemoveMember(t.Context(), "alice", direct, "alice"))
		}
	}
	leave()
	lists("left", map[string]int{"alice": 0, "bob": 1})
	again, created, err := w.rooms.Create(t.Context(), "bob", chat.NewRoom{Type: chat.Direct, Members: []string{"alice"}})
	if again.ID != direct || created || err != nil {
		t.Errorf("bob asks for it: %v, created %t, %v", again, created, err)
	}
	lists("asked for by bob", map[string]int{"alice": 0, "bob": 1})
	w.direct("alice", "bob")
	lists("asked for by alice", map[string]int{"alice": 1, "bob": 1})
	leave()
	w.clock.advance(time.Second)
	ok(t, w.store.AdvanceRoomOrder(t.Context(), "alice", direct, w.clock.now().UnixMilli()))
	lists("the next message", map[string]int{"alice": 1, "bob": 1})
}

// The last owner's successor is the member who joined first; another owner comes
// before; the last member takes the room along.
func TestRemoveMember_Successor(t *testing.T) {
	w := newWorld(t)
	room := w.group("zoe")
	for _, user := range []string{"mia", "bob", "alice"} {
		w.clock.advance(time.Second)
		_, err := w.rooms.AddMember(t.Context(), "zoe", room, user, false)
		ok(t, err)
	}
	owners := func() (owners []string) {
		for user, role := range w.roles(room) {
			if role == chat.Owner {
				owners = append(owners, user)
			}
		}
		return owners
	}
	for _, step := range []struct{ leaves, owner string }{{"zoe", "mia"}, {"bob", "mia"}, {"mia", "alice"}} {
		ok(t, w.rooms.RemoveMember(t.Context(), step.leaves, room, step.leaves))
		if diff := cmp.Diff([]string{step.owner}, owners()); diff != "" {
			t.Errorf("after %s left (-want +got):\n%s", step.leaves, diff)
		}
	}
	_, err := w.store.AddMember(t.Context(), chat.Room{ID: room}, chat.Member{UserID: "bob", Role: chat.PlainMember, JoinedAt: 1})
	ok(t, err)
	_, err = w.store.AddMember(t.Context(), chat.Room{ID: room}, chat.Member{UserID: "carl", Role: chat.Owner, JoinedAt: 2})
	ok(t, err)
	ok(t, w.rooms.RemoveMember(t.Context(), "alice", room, "alice"))
	if diff := cmp.Diff([]string{"carl"}, owners()); diff != "" {
		t.Errorf("with another owner (-want +got):\n%s", diff)
	}
	ok(t, w.rooms.RemoveMember(t.Context(), "carl", room, "bob"))
	ok(t, w.rooms.RemoveMember(t.Context(), "carl", room, "carl"))
	if _, found, err := w.store.Room(t.Context(), room); found || err != nil {
		t.Errorf("the room exists %t, error %v; want that it was deleted", found, err)
	}
}

// An owner is sought on further pages, the first to have joined on all that are
// read.
func TestRemoveMember_SuccessorOnALaterPage(t *testing.T) {
	w := newWorld(t)
	room := w.group("aaa")
	for i := range 2_500 {
		m := chat.Member{UserID: fmt.Sprintf("user%05d", i), Role: chat.PlainMember, JoinedAt: epoch + 1}
		if i == 2_400 {
			m.JoinedAt = epoch
		}
		_, err := w.store.AddMember(t.Context(), chat.Room{ID: room}, m)
		ok(t, err)
	}
	ok(t, w.rooms.RemoveMember(t.Context(), "aaa", room, "aaa"))
	first, _, err := w.store.Member(t.Context(), room, "user02400")
	if ok(t, err); first.Role != chat.Owner {
		t.Error("the member who joined first is not an owner")
	}
}

// A change that overtakes a removal is seen at the next try; eight are too many.
func TestRemoveMember_Concurrent(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	w.once("RemoveMember", func() { // bob becomes an owner while he is removed
		_, err := w.store.RemoveMember(t.Context(), room, chat.Member{UserID: "alice", Role: chat.Owner}, chat.Member{UserID: "bob", Role: chat.PlainMember})
		ok(t, err)
	})
	ok(t, w.rooms.RemoveMember(t.Context(), "bob", room, "bob"))
	if diff := cmp.Diff(map[string]chat.Role{"carol": chat.Owner}, w.roles(room)); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}

	room = w.group("alice", "bob")
	tries := 0
	w.on("RemoveMember", func() {
		tries++
		w.flip(room, "bob")
	})
	err := w.rooms.RemoveMember(t.Context(), "bob", room, "bob")
	gaveUp(t, err)
	if tries != 8 {
		t.Errorf("%d tries, want 8", tries)
	}
}

// Who is erased leaves rooms of any type, on behalf of no one, and an owner has a
// successor.
func TestWithdraw_FromRoomsOfAnyType(t *testing.T) {
	w := newWorld(t)
	group, direct := w.group("alice", "bob", "carol"), w.direct("alice", "bob")
	for _, test := range []struct {
		user, room string
		want       map[string]chat.Role
	}{
		{"carol", group, map[string]chat.Role{"alice": chat.Owner, "bob": chat.PlainMember}},
		{"alice", group, map[string]chat.Role{"bob": chat.Owner}},
		{"alice", direct, map[string]chat.Role{"bob": chat.PlainMember}},
		{"bob", direct, map[string]chat.Role{}},
	} {
		ok(t, w.rooms.Withdraw(t.Context(), test.room, test.user))
		if diff := cmp.Diff(test.want, w.roles(test.room)); diff != "" {
			t.Errorf("without %s (-want +got):\n%s", test.user, diff)
		}
		refused(t, test.user+" again", w.rooms.Withdraw(t.Context(), test.room, test.user), chat.CodeNotFound)
	}
}

// flip makes a member an owner, or a plain member again.
func (w *world) flip(roomID, userID string) {
	w.Helper()
	m, _, err := w.store.Member(w.Context(), roomID, userID)
	ok(w, err)
	other := m
	if other.Role = chat.Owner; m.Role == chat.Owner {
		other.Role = chat.PlainMember
	}
	_, err = w.store.RemoveMember(w.Context(), roomID, m, chat.Member{UserID: "alice", Role: chat.Owner})
	ok(w, err)
	_, err = w.store.AddMember(w.Context(), chat.Room{ID: roomID}, other)
	ok(w, err)
}

// gaveUp checks the error after too many concurrent changes.
func gaveUp(t testing.TB, err error) {
	t.Helper()
	refused(t, "after 8 concurrent changes", err, chat.CodeInternal)
	if !strings.Contains(fmt.Sprint(err), "gave up after 8 concurrent changes") {
		t.Errorf("error %v", err)
	}
}

func TestRename_OnlyOwnerOfAGroup(t *testing.T) {
	w := newWorld(t)
	room, direct := w.group("alice", "bob"), w.direct("alice", "bob")
	for _, test := range []struct {
		by, room, name string
		code           chat.Code
	}{
		{"bob", room, "x", chat.CodeForbidden},
		{"carol", room, "x", chat.CodeNotAMember},
		{"alice", direct, "x", chat.CodeForbidden},
		{"alice", room, "", chat.CodeInvalidRequest},
		{"alice", room, "a\nb", chat.CodeInvalidRequest},
	} {
		_, err := w.rooms.Rename(t.Context(), test.by, test.room, test.name)
		answers(t, test.by+" renames to "+test.name, err, test.code)
		if stored, _, _ := w.store.Room(t.Context(), room); stored.Name != "Team" || stored.RenamedAt != 0 {
			t.Errorf("%s renames to %q: stored %+v", test.by, test.name, stored)
		}
	}
	// Not even with the role that direct messages don't have.
	owned, members := chat.Room{ID: "dm-owned", Type: chat.Direct, CreatedAt: epoch}, []chat.Member{{UserID: "alice", Role: chat.Owner}}
	_, err := w.store.CreateRoom(t.Context(), owned, members)
	ok(t, err)
	_, err = w.rooms.Rename(t.Context(), "alice", owned.ID, "x")
	refused(t, "an owner of a direct message", err, chat.CodeForbidden)
	for _, step := range []struct {
		name string
		at   int64
	}{{"Team", 0}, {"New", epoch}, {"New", epoch}, {"Newer", epoch + 1}} { // the clock stands
		got, err := w.rooms.Rename(t.Context(), "alice", room, step.name)
		ok(t, err)
		stored, _, err := w.store.Room(t.Context(), room)
		ok(t, err)
		if got != stored || stored.Name != step.name || stored.RenamedAt != step.at {
			t.Errorf("returned %+v, stored %+v; want %q at %d", got, stored, step.name, step.at)
		}
	}
}

func TestRename_Concurrent(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	at := int64(epoch)
	rename := func() {
		at += 1_000
		_, err := w.store.RenameRoom(t.Context(), chat.Room{ID: room, Name: fmt.Sprint(at), RenamedAt: at})
		ok(t, err)
	}
	w.once("RenameRoom", rename)
	got, err := w.rooms.Rename(t.Context(), "alice", room, "mine")
	if ok(t, err); got.Name != "mine" || got.RenamedAt != at+1 {
		t.Errorf("renamed %+v, want a time after %d", got, at)
	}
	tries := 0
	w.on("RenameRoom", func() {
		tries++
		rename()
	})
	_, err = w.rooms.Rename(t.Context(), "alice", room, "late")
	if gaveUp(t, err); tries != 8 {
		t.Errorf("%d tries, want 8", tries)
	}
}

func TestGet_MembersOnlyWithNamesAndCursors(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob", "carol")
	_, err := w.profiles.SetDisplayName(t.Context(), "bob", "Bob")
	ok(t, err)
	id := w.say("alice", room, "x")
	ok(t, w.readers.Read(t.Context(), "carol", room, id))
	var since ulid.ULID
	ok(t, since.SetTime(ulid.Timestamp(w.clock.now().Add(-chat.StoreWithin))))
	for _, test := range []struct {
		after string
		limit int
		want  []chat.Participant
		more  bool
	}{
		{"", 2, []chat.Participant{
			{Member: chat.Member{UserID: "alice", Role: chat.Owner, JoinedAt: epoch}},
			{Member: chat.Member{UserID: "bob", Role: chat.PlainMember, JoinedAt: epoch}, DisplayName: "Bob"},
		}, true},
		{"bob", 2, []chat.Participant{
			{Member: chat.Member{UserID: "carol", Role: chat.PlainMember, JoinedAt: epoch}, ReadUpTo: id, ReadSince: since.String(), ReadKnown: id[20:]},
		}, false},
		{"carol", 2, nil, false},
	} {
		got, err := w.rooms.Get(t.Context(), "bob", room, test.after, test.limit)
		ok(t, err)
		if diff := cmp.Diff(test.want, got.Members); diff != "" || got.More != test.more || got.ID != room || got.MemberCount != 3 || got.Role != chat.PlainMember {
			t.Errorf("after %q: room %+v (-want +got):\n%s", test.after, got, diff)
		}
	}
	if got, err := w.rooms.Get(t.Context(), "alice", room, "alice", 2); err != nil || got.Role != chat.Owner {
		t.Errorf("the owner's role on a page without the owner: %q, %v", got.Role, err)
	}
	_, err = w.rooms.Get(t.Context(), "dave", room, "", 2)
	refused(t, "a user who is not a member", err, chat.CodeNotAMember)
}

// An error of the store is internal: its text is not for clients.
func TestRooms_ErrorsOfTheStore(t *testing.T) {
	for method, call := range map[string]func(*world, string) error{
		"RoomFor": func(w *world, room string) error {
			_, err := w.rooms.Get(w.Context(), "alice", room, "", 1)
			return err
		},
		"Members": func(w *world, room string) error {
			_, err := w.rooms.Get(w.Context(), "alice", room, "", 1)
			return err
		},
		"DisplayNames": func(w *world, room string) error {
			_, err := w.rooms.Get(w.Context(), "alice", room, "", 1)
			return err
		},
		"ReadCursors": func(w *world, room string) error {
			_, err := w.rooms.Get(w.Context(), "alice", room, "", 1)
			return err
		},
		"RenameRoom": func(w *world, room string) error {
			_, err := w.rooms.Rename(w.Context(), "alice", room, "x")
			return err
		},
		"AddMember": func(w *world, room string) error {
			_, err := w.rooms.AddMember(w.Context(), "alice", room, "carol", false)
			return err
		},
		"Member":       func(w *world, room string) error { return w.rooms.RemoveMember(w.Context(), "alice", room, "bob") },
		"RemoveMember": func(w *world, room string) error { return w.rooms.RemoveMember(w.Context(), "alice", room, "bob") },
		"UserRooms": func(w *world, _ string) error {
			_, _, err := w.rooms.List(w.Context(), "alice", "", 1)
			return err
		},
		"CreateRoom": func(w *world, _ string) error {
			_, _, err := w.rooms.Create(w.Context(), "alice", chat.NewRoom{Name: "x", Type: chat.Group})
			return err
		},
		"CreateRoomOnce": func(w *world, _ string) error {
			_, _, err := w.rooms.Create(w.Context(), "alice", chat.NewRoom{Name: "x", Type: chat.Group, Key: "k"})
			return err
		},
		"Room": func(w *world, _ string) error {
			_, _, err := w.rooms.Create(w.Context(), "bob", chat.NewRoom{Type: chat.Direct, Members: []string{"alice"}})
			return err
		},
	} {
		w := newWorld(t)
		room := w.group("alice", "bob")
		w.direct("alice", "bob")
		w.breakOn(method)
		internal(t, method, call(w, room))
	}
	w := newWorld(t)
	room := w.group("alice", "bob")
	w.breakOn("Members")
	internal(t, "no successor can be found", w.rooms.RemoveMember(t.Context(), "alice", room, "alice"))
	w.store.Before(nil)
	if roles := w.roles(room); roles["alice"] != chat.Owner {
		t.Errorf("roles %v", roles)
	}
}

// internal checks that an error is the store's, and hidden from clients.
func internal(t testing.TB, method string, err error) {
	t.Helper()
	reason := chat.Reason(err)
	if !errors.Is(err, errBroken) || reason.Code != chat.CodeInternal || strings.Contains(reason.Message, "broken") {
		t.Errorf("%s: error %v, shown as %q; want an internal one", method, err, reason.Message)
	}
}
