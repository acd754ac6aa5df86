package verify_test

import (
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// TestBannedMembers has bans whose removal of the member failed, one that has ended, and one
// of a room that has.
func TestBannedMembers(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(2, 3, 1)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	ban := func(room, user string, until int64) {
		it := rig.Item{table.By: attribute.Text("room-0000-0"), table.At: attribute.Number(time.Now().UnixMilli())}
		if until != 0 {
			it[table.Until] = attribute.Number(until)
		}
		w.Write(rig.Keyed(table.Ban(room, user), it))
	}
	ban("room-0000", "room-0000-1", 0)
	ban("room-0000", "room-0000-2", 1)
	ban("room-0000", "stranger", 0)
	ban("gone", "room-0000-1", 0)
	want := map[string]string{
		table.Room("room-0000").PK: "the user is banned, and a member",
		table.Room("gone").PK:      "the room has ended, and the ban has not",
	}
	for _, repair := range []bool{false, true} {
		report, found := check(t, w, verify.Config{Repair: repair})
		for _, d := range found {
			if d.Kind != verify.Ban || want[d.PK] != d.Problem || d.Repaired != repair {
				t.Errorf("%+v", d)
			}
		}
		if report.Differences != len(want) {
			t.Errorf("%d differences, want %d", report.Differences, len(want))
		}
	}
	if _, found := check(t, w, verify.Config{}); len(found) > 0 {
		t.Errorf("after the repair: %v", found)
	}
	store := dynamo.New(w.DB(), local.TableName, time.Now)
	members, _, err := store.Members(t.Context(), "room-0000", "", 10)
	if err != nil || len(members) != 2 {
		t.Errorf("the members are %v, %v", members, err)
	}
	if room, _, err := store.Room(t.Context(), "room-0000"); err != nil || room.MemberCount != 2 {
		t.Errorf("the room is %+v, %v", room, err)
	}
	if bans, _, err := store.Bans(t.Context(), "room-0000", "", 10); err != nil || len(bans) != 2 {
		t.Errorf("the bans are %v, %v", bans, err)
	}
}
