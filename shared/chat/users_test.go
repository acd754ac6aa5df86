package chat_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

// Who only uses the HTTP API counts as signed in, and costs a read once and a write at
// most.
func TestNote_OnceAUser(t *testing.T) {
	w := newWorld(t)
	users := chat.NewUsers(w.store, w.clock.now)
	w.connect("bob") // which notes him
	calls := map[string]int{}
	w.store.Before(func(method string) error { calls[method]++; return nil })
	for range 3 {
		for _, user := range []string{"alice", "bob"} {
			ok(t, users.Note(t.Context(), user))
		}
	}
	if diff := cmp.Diff(map[string]int{"SignedIn": 2, "NoteUser": 1}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	w.store.Before(nil)
	never, err := w.rooms.NeverSignedIn(t.Context(), []string{"carol", "alice", "bob", "carol"})
	ok(t, err)
	if diff := cmp.Diff([]string{"carol"}, never); diff != "" {
		t.Errorf("never signed in (-want +got):\n%s", diff)
	}
	for _, method := range []string{"SignedIn", "NoteUser"} {
		w.breakOn(method)
		internal(t, method, users.Note(t.Context(), "dave"))
	}
	w.store.Before(nil)
	ok(t, users.Note(t.Context(), "dave")) // a failure is not remembered as a note
	if never, err := w.rooms.NeverSignedIn(t.Context(), []string{"dave"}); err != nil || len(never) > 0 {
		t.Errorf("never signed in: %q, %v", never, err)
	}
}

func TestNeverSignedIn_ErrorsOfTheStore(t *testing.T) {
	w := newWorld(t)
	w.breakOn("SignedIn")
	never, err := w.rooms.NeverSignedIn(t.Context(), nil)
	if ok(t, err); len(never) > 0 {
		t.Errorf("of no one: %q", never)
	}
	_, err = w.rooms.NeverSignedIn(t.Context(), []string{"alice"})
	internal(t, "SignedIn", err)
}
