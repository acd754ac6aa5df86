package fanout_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

func TestAudience_AMemberWhoRejoinedHasNotLeft(t *testing.T) {
	for _, test := range []struct {
		name    string
		members []string
		records []json.RawMessage
		alice   []string
		bob     []string
	}{
		{
			"left",
			[]string{"alice"},
			[]json.RawMessage{leaves("bob")},
			[]string{"memberLeft bob"},
			[]string{"memberLeft bob"},
		},
		{
			"left and came back in one batch",
			[]string{"alice", "bob"},
			[]json.RawMessage{leaves("bob"), changestest.Join(room, "bob")},
			[]string{"memberJoined bob"},
			[]string{"memberJoined bob"},
		},
		{
			"left, and is back by now",
			[]string{"alice", "bob"},
			[]json.RawMessage{leaves("bob")},
			nil, nil,
		},
		{
			"came and left in one batch",
			[]string{"alice"},
			[]json.RawMessage{changestest.Join(room, "bob"), leaves("bob")},
			[]string{"memberLeft bob"},
			[]string{"memberJoined bob", "memberLeft bob"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := broadcast(t, &memory{members: test.members}, test.records...)
			for user, want := range map[string][]string{"alice": test.alice, "bob": test.bob} {
				if got := sent.types(user); !slices.Equal(got, want) {
					t.Errorf("%s got %q, want %q", user, got, want)
				}
			}
		})
	}
}

// What a user who joins or leaves a larger room is told needs neither the devices of
// others nor all members.
func TestAudience_JoinsAndLeavesInALargerRoomReadWhatTheyTell(t *testing.T) {
	for _, members := range []int{101, fanout.SliceAbove, fanout.SliceAbove + 1} {
		for name, test := range map[string]struct {
			record json.RawMessage
			bob    bool // is a member
			want   []string
		}{
			"joins":         {changestest.Join(room, "bob"), true, []string{"memberJoined bob"}},
			"leaves":        {leaves("bob"), false, []string{"memberLeft bob"}},
			"left, is back": {leaves("bob"), true, nil},
		} {
			m := crowd(members, 0)
			if test.bob {
				m.members[0] = "bob"
			}
			sent := received{}
			consumer := fanout.New(m, sent, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop())
			if _, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{test.record}}); err != nil {
				t.Fatal(err)
			}
			if users := slices.DeleteFunc(m.users, func(user string) bool { return user == "bob" }); len(users) > 0 {
				t.Errorf("%s, %d members: the devices of %d others were read", name, members, len(users))
			}
			if limit := m.asked.Load(); limit > 100 {
				t.Errorf("%s, %d members: up to %d members are read", name, members, limit)
			}
			if got := sent.types("bob"); !slices.Equal(got, test.want) || len(sent) > min(1, len(test.want)) {
				t.Errorf("%s, %d members: bob got %q, and %d users in all; want %q", name, members, got, len(sent), test.want)
			}
		}
	}
}

// In a room whose members don't learn who comes and goes, they learn of changes.
func TestAudience_AllMembersGetChanges(t *testing.T) {
	for _, members := range []int{chat.SmallRoom, 101, fanout.SliceAbove} {
		m := crowd(members, 1)
		id := m.messages[0]
		edit := changestest.Version(room, id, 1, false)
		m.states, m.name = map[string]chat.Message{id: edit}, "Tea"
		sent := broadcast(t, m, changestest.Change(changestest.Version(room, id, 0, false), edit),
			changestest.Modify(table.Room(room), changestest.Attributes{}, changestest.Attributes{table.EditedAt: {"N": "7"}}),
			changestest.Insert(table.Read(room, m.members[0]), changestest.Attributes{table.UpTo: {"S": id}}))
		for i, user := range m.members {
			want := []string{"messageEdited 1", "roomChanged 0"}
			if i == 0 || members <= chat.SmallRoom {
				want = append(want, "read 0")
			}
			if diff := cmp.Diff(want, sent.versions(user)); diff != "" {
				t.Fatalf("%d members: %s (-want +got):\n%s", members, user, diff)
			}
		}
	}
}

func TestAudience_ReadsAreSentToAllInSmallRoomsOnly(t *testing.T) {
	ids := changestest.MessageIDs(3)
	reads := func(user, upTo string) json.RawMessage {
		return changestest.Insert(table.Read(room, user), changestest.Attributes{table.UpTo: {"S": upTo}})
	}
	small := &memory{members: []string{"alice", "bob", "carol"}}
	joined := changestest.Modify(table.Read(room, "bob"), nil, changestest.Attributes{table.UpTo: {"S": ids[2]}, table.From: {"S": ids[0]}, table.Since: {"S": "01"}, table.Known: {"S": "ABCDEF"}})
	sent := broadcast(t, small, reads("bob", ids[0]), joined, reads("bob", ids[1]), reads("alice", ids[0]))
	for _, user := range small.members {
		if diff := cmp.Diff([]string{"read alice", "read bob"}, sent.types(user)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", user, diff)
		}
		if got := sent[user][1].UpTo; got != ids[2] {
			t.Errorf("%s gets the read up to %s, want the latest", user, got)
		}
		if got := [2]string{sent[user][0].From, sent[user][1].From}; got != [2]string{"", ids[0]} {
			t.Errorf("%s gets reads from %q, want all of alice's and bob's from when he joined", user, got)
		}
		if got := sent[user][1]; got.Since != "01" || got.Known != "ABCDEF" {
			t.Errorf("%s gets %+v, want what bob's cursor knows", user, got)
		}
	}

	for _, members := range []int{chat.SmallRoom + 1, fanout.SliceAbove + 1} {
		large := crowd(members, 0)
		sent := broadcast(t, large, reads("user-000007", ids[0]))
		if len(sent) != 1 || len(sent["user-000007"]) != 1 {
			t.Errorf("of %d members, %d get the read of one, want that one", members, len(sent))
		}
		if asked := large.asked.Load(); asked > chat.SmallRoom {
			t.Errorf("%d members are read for that", asked)
		}
	}
	if sent := broadcast(t, small, changestest.Aged(reads("bob", ids[0]), time.Hour)); len(sent) > 0 {
		t.Error("a read of an hour ago is sent")
	}
}
