package chat_test

import (
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// expiry returns when the newest message of a room expires, ms after epoch; 0: never.
func (w *world) expiry(room string) int64 {
	w.Helper()
	messages, _, err := w.store.Messages(w.Context(), room, chat.Range{Limit: 1})
	ok(w, err)
	if len(messages) == 0 || messages[0].ExpiresAt == 0 {
		return 0
	}
	return messages[0].ExpiresAt - epoch
}

func TestRetention_IsTheShorterOfRoomAndDeployment(t *testing.T) {
	const day = int64(24 * time.Hour / time.Millisecond)
	for _, test := range []struct {
		deployment, room int
		code             chat.Code
		want             int64 // days
	}{
		{0, 0, "", 0},
		{30, 0, "", 30},
		{0, 7, "", 7},
		{30, 7, "", 7},
		{30, 30, "", 30},
		{0, chat.MaxRetentionDays, "", chat.MaxRetentionDays},
		{30, 31, chat.CodeInvalidRequest, 30},
		{0, chat.MaxRetentionDays + 1, chat.CodeInvalidRequest, 0},
		{30, -1, chat.CodeInvalidRequest, 30},
	} {
		w := newWorld(t)
		w.rooms.Retaining(test.deployment)
		w.sender.Retaining(test.deployment)
		room := w.group("olga", "paul")
		changed, err := w.rooms.Retain(w.Context(), "olga", room, test.room)
		answers(t, "retain", err, test.code)
		if err == nil && int64(w.rooms.RetentionDays(changed)) != test.want {
			t.Errorf("%+v: the room says %d days", test, w.rooms.RetentionDays(changed))
		}
		for _, sender := range []string{"paul", chat.ServiceID("bot")} {
			_, err := w.sender.SendAs(w.Context(), sender, chat.SendRequest{RoomID: room, Content: "hello"})
			ok(t, err)
			if got := w.expiry(room); got != test.want*day {
				t.Errorf("%+v: a message of %s ends after %d ms", test, sender, got)
			}
		}
	}
}

// A change holds for what is sent from then on, and for those who join.
func TestRetention_HoldsFromThenOn(t *testing.T) {
	w := newWorld(t)
	room := w.group("olga", "paul")
	kept := w.stored(room, "paul")
	_, err := w.rooms.Retain(w.Context(), "olga", room, 1)
	ok(t, err)
	_, err = w.rooms.AddMember(w.Context(), "olga", room, "pia", false)
	ok(t, err)
	receipt, err := w.sender.SendAs(w.Context(), "pia", chat.SendRequest{RoomID: room, Content: "hello"})
	ok(t, err)
	w.clock.advance(24*time.Hour + time.Second)
	_, err = w.editor.Edit(w.Context(), "pia", room, receipt.MessageID, "new", nil)
	refused(t, "an edit of what has expired", err, chat.CodeNotFound)
	refused(t, "a deletion of it", w.editor.Delete(w.Context(), "pia", room, receipt.MessageID), chat.CodeNotFound)
	_, err = w.reactors.React(w.Context(), "paul", room, receipt.MessageID, "👍", true)
	refused(t, "a reaction to it", err, chat.CodeNotFound)
	_, err = w.sender.SendAs(w.Context(), "paul", chat.SendRequest{RoomID: room, Content: "hello", ReplyTo: receipt.MessageID})
	refused(t, "an answer to it", err, chat.CodeNotFound)
	_, err = w.editor.Edit(w.Context(), "paul", room, kept, "new", nil)
	ok(t, err)
	if messages, _, err := w.histories.Read(w.Context(), "paul", room, chat.Range{Limit: 9}); err != nil || len(messages) != 1 || messages[0].ID != kept {
		t.Errorf("the history is %+v, error %v", messages, err)
	}
}

// An owner whose writes of the members are overtaken by another one's ends with the room's.
func TestRetention_OwnersWhoRace(t *testing.T) {
	w := newWorld(t)
	room := w.staffed()
	first := true
	w.store.Before(func(method string) error {
		if method == "RetainMembers" && first {
			first = false
			_, err := w.rooms.Retain(w.Context(), "omar", room, 30)
			return err
		}
		return nil
	})
	w.clock.advance(time.Second)
	got, err := w.rooms.Retain(w.Context(), "olga", room, 7)
	ok(t, err)
	m, _, err := w.store.Member(w.Context(), room, "paul")
	ok(t, err)
	if got.RetentionDays != 30 || m.RetentionDays != 30 {
		t.Errorf("the room says %d, its member %d; want 30, which was stored last", got.RetentionDays, m.RetentionDays)
	}
}

func TestRetention_NotInALargeRoom(t *testing.T) {
	w := newWorld(t)
	room, members := chat.Room{ID: "large", Name: "Large", Type: chat.Group}, []chat.Member{{UserID: "olga", Role: chat.Owner}}
	for range chat.RetainedMembers {
		members = append(members, chat.Member{UserID: "user" + time.Duration(len(members)).String(), Role: chat.PlainMember})
	}
	_, err := w.store.CreateRoom(t.Context(), room, members)
	ok(t, err)
	_, err = w.rooms.Retain(t.Context(), "olga", "large", 7)
	refused(t, "one member too many", err, chat.CodeForbidden)
}
