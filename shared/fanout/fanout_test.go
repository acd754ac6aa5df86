package fanout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

func TestHandle_SkipsMalformedRecords(t *testing.T) {
	ids := changestest.MessageIDs(2)
	broken := changestest.Item(changestest.Version(room, ids[0], 1, false))
	broken[table.EditedAt] = map[string]string{"S": "yesterday"}
	edit := changestest.Version(room, ids[1], 1, false)
	m := &memory{members: []string{"bob"}, messages: ids, states: map[string]chat.Message{ids[1]: edit}}
	sent := broadcast(t, m,
		changestest.Modify(table.Message(room, edit.SentAt-1, ids[0]), changestest.Item(changestest.Version(room, ids[0], 0, false)), broken),
		changestest.Modify(table.Read(room, "bob"), nil, nil),
		changestest.Change(changestest.Version(room, ids[1], 0, false), edit))
	if diff := cmp.Diff([]string{"messageEdited 1"}, sent.versions("bob")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
