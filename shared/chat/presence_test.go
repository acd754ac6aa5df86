package chat_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

func (w *world) presences() *chat.Presences { return chat.NewPresences(w.store, w.rooms, w.clock.now) }

func TestPresence_OfARoomIsForMembers(t *testing.T) {
	w := newWorld(t)
	presences, room, public := w.presences(), w.group("alice", "bob", "carol", "dave"), w.open("alice")
	w.connect("bob")
	w.connect("carol")
	ok(t, w.sessions.Close(t.Context(), "carol", 1000))
	w.clock.advance(time.Minute)
	got, err := presences.In(t.Context(), "alice", room)
	ok(t, err)
	want := chat.RoomPresence{
		Users: []string{"bob", "carol"}, Online: 1,
		Seen: map[string]chat.Sighting{"bob": {Online: true}, "carol": {LastSeenAt: epoch}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		user, room string
		code       chat.Code
	}{
		{"eve", room, chat.CodeNotAMember},
		{"eve", public, chat.CodeNotAMember}, // who sees its description only
		{"eve", "nowhere", chat.CodeNotAMember},
		{"alice", "a#b", chat.CodeInvalidRequest},
	} {
		_, err := presences.In(t.Context(), test.user, test.room)
		refused(t, test.user+" looks into "+test.room, err, test.code)
	}
}

func TestPresence_OfTheFirstMembersOfALargeRoom(t *testing.T) {
	w := newWorld(t)
	presences, room := w.presences(), w.group("a")
	for n := 1; n <= chat.MaxPresence; n++ { // with the owner, one too many
		got, err := presences.In(t.Context(), "a", room)
		if ok(t, err); got.More {
			t.Errorf("more than %d members", n)
		}
		_, err = w.rooms.AddMember(t.Context(), "a", room, fmt.Sprintf("user%03d", n), false)
		ok(t, err)
	}
	last := fmt.Sprintf("user%03d", chat.MaxPresence)
	w.connect(last)
	got, err := presences.In(t.Context(), "a", room)
	if ok(t, err); !got.More || len(got.Users) > 0 || got.Online > 0 {
		t.Errorf("%+v, want more than those that were looked up, of whom none is online", got)
	}
}

func TestPresence_HideAndShow(t *testing.T) {
	w := newWorld(t)
	presences := w.presences()
	w.connect("alice")
	w.clock.advance(time.Second)
	for _, step := range []struct {
		hidden bool
		want   map[string]chat.Sighting
		told   chat.Seen
	}{
		{true, map[string]chat.Sighting{}, chat.Seen{At: epoch + 1000}}, // offline, and never seen
		{false, map[string]chat.Sighting{"alice": {Online: true}}, chat.Seen{Online: true, At: epoch + 1001}},
	} {
		ok(t, presences.Hide(t.Context(), "alice", step.hidden))
		hidden, err := presences.Hidden(t.Context(), "alice")
		ok(t, err)
		seen, err := presences.Of(t.Context(), []string{"alice", "never"})
		ok(t, err)
		told, err := w.store.Seen(t.Context(), []string{"alice"})
		ok(t, err)
		if hidden != step.hidden || told["alice"] != step.told {
			t.Errorf("hidden: %t, others were told %+v; want %t, %+v", hidden, told["alice"], step.hidden, step.told)
		}
		if diff := cmp.Diff(step.want, seen); diff != "" {
			t.Errorf("hidden: %t (-want +got):\n%s", hidden, diff)
		}
	}
	ok(t, w.sessions.Close(t.Context(), "alice", 1000))
	w.clock.advance(time.Second)
	ok(t, presences.Hide(t.Context(), "alice", false)) // shown as of now
	seen, err := presences.Of(t.Context(), []string{"alice"})
	if ok(t, err); seen["alice"] != (chat.Sighting{LastSeenAt: epoch + 2000}) {
		t.Errorf("after the connection's end: %+v", seen)
	}
}

func TestPresences_ThatAreTurnedOff(t *testing.T) {
	var off *chat.Presences
	seen, err := off.Of(t.Context(), []string{"alice"})
	if ok(t, err); len(seen) > 0 {
		t.Errorf("who is online: %v", seen)
	}
	hidden, err := off.Hidden(t.Context(), "alice")
	if ok(t, err); hidden {
		t.Error("a presence is hidden")
	}
}

func TestPresences_ErrorsOfTheStore(t *testing.T) {
	w := newWorld(t)
	presences, room := w.presences(), w.group("alice", "bob")
	in := func() error { _, err := presences.In(t.Context(), "alice", room); return err }
	for method, call := range map[string]func() error{
		"RoomFor":       in,
		"Members":       in,
		"Sightings":     in,
		"HidesPresence": func() error { _, err := presences.Hidden(t.Context(), "alice"); return err },
		"HidePresence":  func() error { return presences.Hide(t.Context(), "alice", true) },
	} {
		w.breakOn(method)
		internal(t, method, call())
	}
}
