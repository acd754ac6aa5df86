package fanout_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/table"
)

// alters is the record of a member whose role changed, as of a time in ms.
func alters(user string, at int) json.RawMessage {
	after := changestest.Attributes{table.Role: {"S": "moderator"}, table.EditedAt: {"N": strconv.Itoa(at)}}
	return changestest.Modify(table.Member(room, user), changestest.Attributes{}, after)
}

// All members learn what a member is now, once a batch; in larger rooms that member does.
func TestMemberChanged_ReachesWhoLearnsOfJoins(t *testing.T) {
	const first, second = "user-000000", "user-000001"
	for members, others := range map[int][]string{100: {"memberChanged " + first}, 101: nil} {
		m := crowd(members, 0)
		sent := broadcast(t, m, alters(first, 5), alters(first, 6))
		for user, want := range map[string][]string{first: {"memberChanged " + first}, second: others} {
			if got := sent.types(user); !slices.Equal(got, want) {
				t.Errorf("in a room of %d %s got %q, want %q", members, user, got, want)
			}
		}
		if members > 100 && len(sent) != 1 {
			t.Errorf("%d were sent a frame, want one", len(sent))
		}
		if asked := m.asked.Load(); asked > 101 {
			t.Errorf("%d members are read for that", asked)
		}
	}
}
