package chat_test

import (
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestParseNotify(t *testing.T) {
	for name, want := range map[string]chat.Notify{"all": chat.NotifyAll, "mentions": chat.NotifyMentions, "none": chat.NotifyNone} {
		got, err := chat.ParseNotify(name)
		if ok(t, err); got != want || got.String() != name {
			t.Errorf("%s is read as %q, and written as %s", name, got, got)
		}
	}
	for _, name := range []string{"", "All", "some"} {
		_, err := chat.ParseNotify(name)
		refused(t, name, err, chat.CodeInvalidRequest)
	}
}

func TestNotify_Tells(t *testing.T) {
	for _, test := range []struct {
		notify           chat.Notify
		others, mentions bool
	}{
		{chat.NotifyAll, true, true}, {chat.NotifyMentions, false, true}, {chat.NotifyNone, false, false},
	} {
		if got := test.notify.Tells(false); got != test.others {
			t.Errorf("%s tells of a message of others: %t", test.notify, got)
		}
		if got := test.notify.Tells(true); got != test.mentions {
			t.Errorf("%s tells of a mention: %t", test.notify, got)
		}
	}
}

// Members set it for themselves, in rooms of both types, and its time rises.
func TestSetNotify(t *testing.T) {
	w := newWorld(t)
	for _, room := range []string{w.group("alice", "bob"), w.direct("alice", "bob")} {
		for i, step := range []struct {
			to chat.Notify
			at int64
		}{{chat.NotifyAll, 0}, {chat.NotifyNone, epoch}, {chat.NotifyNone, epoch}, {chat.NotifyMentions, epoch + 1}} { // the clock stands
			got, err := w.rooms.SetNotify(t.Context(), "bob", room, step.to)
			ok(t, err)
			stored, _, err := w.store.Member(t.Context(), room, "bob")
			if ok(t, err); got != stored || stored.Notify != step.to || stored.NotifyAt != step.at {
				t.Errorf("step %d: returned %+v, stored %+v", i, got, stored)
			}
		}
		if other, _, err := w.store.Member(t.Context(), room, "alice"); err != nil || other.Notify != chat.NotifyAll {
			t.Errorf("the other member has %+v, %v", other, err)
		}
		_, err := w.rooms.SetNotify(t.Context(), "carol", room, chat.NotifyNone)
		refused(t, "a stranger", err, chat.CodeNotAMember)
	}
	_, err := w.rooms.SetNotify(t.Context(), "bob", "a#b", chat.NotifyNone)
	refused(t, "a bad room", err, chat.CodeInvalidRequest)
}

func TestSetNotify_Concurrent(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	w.once("ChangeNotify", func() {
		_, err := w.rooms.SetNotify(t.Context(), "bob", room, chat.NotifyMentions)
		ok(t, err)
	})
	got, err := w.rooms.SetNotify(t.Context(), "bob", room, chat.NotifyNone)
	if ok(t, err); got.Notify != chat.NotifyNone || got.NotifyAt != epoch+1 {
		t.Errorf("after another change: %+v", got)
	}
	tries := 0
	w.on("ChangeNotify", func() {
		tries++
		to := chat.NotifyMentions
		if tries%2 == 0 {
			to = chat.NotifyNone
		}
		_, err := w.rooms.SetNotify(t.Context(), "bob", room, to)
		ok(t, err)
	})
	_, err = w.rooms.SetNotify(t.Context(), "bob", room, chat.NotifyAll)
	if gaveUp(t, err); tries != 8 {
		t.Errorf("%d tries, want 8", tries)
	}
	for _, method := range []string{"RoomFor", "ChangeNotify"} {
		w.breakOn(method)
		_, err := w.rooms.SetNotify(t.Context(), "bob", room, chat.NotifyAll)
		internal(t, method, err)
	}
}
