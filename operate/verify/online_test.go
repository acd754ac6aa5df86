package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

// A member whose connections the room says to have, and has not, is found, and served by
// the presence after the repair.
func TestARoomThatLacksItsConnectionsIsFoundAndRepaired(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Seed(3, 2, 0)
	store, now := w.Store(), time.Now()
	users := []string{"room-0000-0", "room-0001-0", "room-0002-0"}
	for i, user := range users {
		c := chat.Connection{ID: "c-" + user, UserID: user, ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli()}
		if _, _, err := store.PutConnection(t.Context(), c, chat.RateTake{}); err != nil {
			t.Fatal(err)
		}
		if err := store.IndexMember(t.Context(), "room-000"+string(rune('0'+i)), user, fanout.IndexLease); err != nil {
			t.Fatal(err)
		}
	}
	if _, found := check(t, w, verify.Config{}); len(found) > 0 {
		t.Fatalf("before: %v", found)
	}
	remove(w, table.Online("room-0000", users[0], "c-"+users[0]))
	set(t, w, table.Presence(users[1]), table.PresenceRoom("room-0001"), attribute.Number(1))
	want := map[string]string{"room-0000": "lacks the member's connection c-room-0000-0", "room-0001": "does not say so"}
	for _, repair := range []bool{false, true} {
		_, found := check(t, w, verify.Config{Repair: repair})
		if len(found) != len(want) {
			t.Errorf("found %v", found)
		}
		for _, d := range found {
			room := strings.TrimPrefix(d.PK, table.RoomPrefix)
			if d.Kind != verify.Online || d.Repaired != repair || want[room] == "" || !strings.Contains(d.Problem, want[room]) {
				t.Errorf("%+v", d)
			}
		}
	}
	for i, user := range users {
		member, _, err := store.Member(t.Context(), "room-000"+string(rune('0'+i)), user)
		if err != nil || member.IndexedUntil > 0 != (i == 2) {
			t.Errorf("%s: in the index until %d, error %v", user, member.IndexedUntil, err)
		}
	}
	if _, found := check(t, w, verify.Config{}); len(found) > 0 {
		t.Errorf("after the repair: %v", found)
	}
}
