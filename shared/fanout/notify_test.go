package fanout_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/table"
)

// chooses is the record of a member who is notified of mentions as of a time in ms.
func chooses(user string, at int) json.RawMessage {
	return changestest.Insert(table.Read(room, user), changestest.Attributes{table.Notify: {"S": "mentions"}, table.NotifyAt: {"N": strconv.Itoa(at)}})
}

// A member's own devices learn what they are notified of, the newest once a batch, and no one
// else does: also where the others are sent something else.
func TestNotifyChanged_ReachesOneselfAlone(t *testing.T) {
	ids := changestest.MessageIDs(1)
	for _, members := range []int{3, 200, 3_000} {
		m := crowd(members, 0)
		m.messages = ids
		sent := broadcast(t, m, chooses(m.members[0], 6), chooses(m.members[0], 5))
		if got := sent.types(m.members[0]); !slices.Equal(got, []string{"notifyChanged"}) || len(sent) != 1 {
			t.Errorf("in a room of %d %d were sent something, the member %q", members, len(sent), got)
		}
		if asked := m.asked.Load(); asked > 20 {
			t.Errorf("%d members are read for that", asked)
		}
		if members > 2_000 {
			continue // the message is sent by slices
		}
		sent = broadcast(t, m, chooses(m.members[0], 5), changestest.Send(room, ids[0]))
		for i, user := range m.members[:2] {
			told := slices.ContainsFunc(sent.types(user), func(frame string) bool { return strings.HasPrefix(frame, "notifyChanged") })
			if told != (i == 0) || len(sent) != members {
				t.Errorf("in a room of %d, with a message, %s got %q", members, user, sent.types(user))
			}
		}
	}
}
