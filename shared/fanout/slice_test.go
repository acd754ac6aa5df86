package fanout_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestSlices_ServeALargeRoom(t *testing.T) {
	for _, members := range []int{fanout.SliceAbove, fanout.SliceAbove + 1, 2_700, 21_100} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			m := crowd(members, 4)
			first := broadcast(t, m, changestest.Send(room, m.messages[1]), changestest.Send(room, m.messages[2]))
			if sliced := len(m.stored) > 0; sliced != (members > fanout.SliceAbove) {
				t.Fatalf("%d slices, %d members got messages at once", len(m.stored), len(first))
			}
			sent := first
			if len(m.stored) > 0 {
				sent = spread(t, m, m.records(0)...)
			}
			if len(sent) != members {
				t.Fatalf("%d members got messages, want %d", len(sent), members)
			}
			for _, user := range m.members {
				frames := sent[user]
				if len(frames) != 2 || frames[0].MessageID != m.messages[1] || frames[1].MessageID != m.messages[2] {
					t.Fatalf("%s was sent %+v, want each message once", user, frames)
				}
				if p := frames[0].PreviousMessageID; p == nil || *p != m.messages[0] {
					t.Fatalf("%s was sent %+v, want its predecessor", user, frames[0])
				}
			}
		})
	}
}

func TestRunID_IsAHashOfTheSlices(t *testing.T) {
	keys := func(m *memory, records ...json.RawMessage) []string {
		broadcast(t, m, records...)
		var keys []string
		for key := range m.stored {
			keys = append(keys, key.PK)
		}
		slices.Sort(keys)
		m.stored = nil
		return keys
	}
	m := crowd(fanout.SliceAbove+400, 2)
	late := changestest.Aged(changestest.Send(room, m.messages[0]), time.Hour)
	replay := func(run string) json.RawMessage {
		return changestest.From(late, changes.ReplaySource, changes.ReplaySource+":"+run)
	}
	run := keys(m, changestest.Send(room, m.messages[0]))
	if again := keys(m, changestest.Send(room, m.messages[0]), changestest.Send(room, m.messages[0])); !slices.Equal(run, again) {
		t.Errorf("tried again, the run is %q, was %q", again, run)
	}
	for name, other := range map[string][]string{
		"another message": keys(m, changestest.Send(room, m.messages[1])),
		"a gap":           keys(m, late),
		"a replay":        keys(m, replay("one")),
		"another replay":  keys(m, replay("two")),
	} {
		if len(other) != len(run) || slices.Contains(run, other[0]) {
			t.Errorf("%s has the slices %q, as another run has", name, other)
		}
	}
	m.members = slices.Delete(m.members, 0, 1) // the bounds move
	if moved := keys(m, changestest.Send(room, m.messages[0])); slices.Contains(run, moved[0]) {
		t.Errorf("cut elsewhere, the run is the same: members between the bounds would get nothing")
	}
}

// Each change of a message is a run of its own, and the same change, delivered again,
// is the same run.
func TestRunID_EachChangeIsARunOfItsOwn(t *testing.T) {
	m := crowd(fanout.SliceAbove+700, 1)
	id := m.messages[0]
	m.states = map[string]chat.Message{}
	sent, first := changestest.Version(room, id, 0, false), changestest.Version(room, id, 1, false)
	second, gone := changestest.Version(room, id, 2, false), changestest.Version(room, id, 3, true)
	runs := map[string]bool{}
	for _, step := range []struct {
		record json.RawMessage
		now    chat.Message
		want   string
	}{
		{changestest.SendVersion(sent), sent, "message 0"},
		{changestest.Change(sent, first), first, "messageEdited 1"},
		{changestest.Change(first, second), second, "messageEdited 2"},
		{changestest.Change(second, gone), gone, "messageDeleted 3"},
		{changestest.Modify(table.Room(room), changestest.Attributes{}, changestest.Attributes{table.EditedAt: {"N": "7"}}), gone, "roomChanged 0"},
		{changestest.Modify(table.Room(room), changestest.Attributes{table.EditedAt: {"N": "7"}}, changestest.Attributes{table.EditedAt: {"N": "8"}}), gone, "roomChanged 0"},
	} {
		m.states[id], m.name = step.now, "Tea"
		var keys []table.Key
		for range 2 { // a second try stores the same
			m.stored = nil
			if direct := broadcast(t, m, step.record); len(direct) > 0 {
				t.Errorf("%s: %d users get it without a slice", step.want, len(direct))
			}
			found := m.storedKeys()
			if keys != nil && !slices.Equal(keys, found) {
				t.Errorf("%s: another try stores %v, not %v", step.want, found, keys)
			}
			keys = found
		}
		for _, key := range keys {
			if runs[key.PK] {
				t.Errorf("%s: %s was used by an earlier run", step.want, key.PK)
			}
			runs[key.PK] = true
		}
		sent := spread(t, m, m.records(0)...)
		for _, user := range m.members {
			if diff := cmp.Diff([]string{step.want}, sent.versions(user)); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", user, diff)
			}
		}
	}
}

func TestSlices_OldOnesBecomeGaps(t *testing.T) {
	m := crowd(fanout.SliceAbove+400, 1)
	broadcast(t, m, changestest.Send(room, m.messages[0]))
	parts := maps.Clone(m.stored)
	for _, user := range []string{m.members[0], m.members[len(m.members)-1]} {
		m.stored = maps.Clone(parts)
		if got := spread(t, m, m.records(10*time.Minute)...).types(user); !slices.Equal(got, []string{wire.TypeGap}) {
			t.Errorf("late slices sent %s %q, want a gap", user, got)
		}
	}
	m.stored = parts
	if got := spread(t, m, m.records(2*time.Hour)...); len(got) > 0 {
		t.Errorf("slices of hours ago sent %d members something", len(got))
	}
	// A message's record that is too old itself.
	got := spread(t, m, changestest.Aged(changestest.Send(room, m.messages[0]), 10*time.Minute)).types(m.members[700])
	if !slices.Equal(got, []string{wire.TypeGap}) {
		t.Errorf("a late message sent a member %q, want one gap", got)
	}
}

func TestSlices_MembersJoinAndLeave(t *testing.T) {
	m := crowd(fanout.SliceAbove+400, 1)
	m.members = append(m.members, "carol", "dora")
	// Dora left and is back, bob is gone.
	sent := spread(t, m, changestest.Join(room, "carol"), leaves("bob"), leaves("dora"), changestest.Send(room, m.messages[0]))
	for user, want := range map[string][]string{
		"carol":      {"memberJoined carol", wire.TypeMessage},
		"bob":        {"memberLeft bob"},
		"dora":       {wire.TypeMessage},
		m.members[0]: {wire.TypeMessage},
	} {
		if got := sent.types(user); !slices.Equal(got, want) {
			t.Errorf("%s got %q, want %q", user, got, want)
		}
	}
}
