package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

// crowd is a room of n members with some messages.
func crowd(n, messages int) *memory {
	m := &memory{messages: messageIDs(messages)}
	for i := range n {
		m.members = append(m.members, fmt.Sprintf("user-%06d", i))
	}
	return m
}

// saysAt is a message's record in a batch, age ago.
func saysAt(id string, age time.Duration, more map[string]string) json.RawMessage {
	return changed(says(id), age, more)
}

// changed makes a record older and sets fields of its own.
func changed(record json.RawMessage, age time.Duration, more map[string]string) json.RawMessage {
	var r map[string]any
	if err := json.Unmarshal(record, &r); err != nil {
		panic(err)
	}
	change, ok := r["dynamodb"].(map[string]any)
	if !ok {
		panic("no change in a record")
	}
	change["ApproximateCreationDateTime"] = now.Add(-age).Unix()
	for name, value := range more {
		r[name] = value
	}
	out, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return out
}

// records takes the slices that were stored, as the records that follow.
func (m *memory) records(age time.Duration) []json.RawMessage {
	var records []json.RawMessage
	for i, key := range m.storedKeys() {
		records = append(records, sliceRecord(key, m.stored[key], i, age))
	}
	m.stored = nil
	return records
}

// storedKeys are the keys of the slices that were stored, in order.
func (m *memory) storedKeys() []table.Key {
	return slices.SortedFunc(maps.Keys(m.stored), func(a, b table.Key) int { return strings.Compare(a.PK, b.PK) })
}

func sliceRecord(key table.Key, part chat.Slice, sequence int, age time.Duration) json.RawMessage {
	ids := make([]map[string]string, len(part.MessageIDs))
	for i, id := range part.MessageIDs {
		ids[i] = map[string]string{"S": id}
	}
	image := map[string]any{
		table.RoomID: map[string]any{"S": part.RoomID}, table.Gap: map[string]any{"BOOL": part.Gap},
		table.Renamed: map[string]any{"BOOL": part.Renamed}, table.TTL: map[string]any{"N": strconv.FormatInt((part.ExpiresAt+999)/1000, 10)},
		table.MessageIDs: map[string]any{"L": ids},
	}
	if part.Members.From != "" {
		image[table.FromMember] = map[string]any{"S": part.Members.From}
	}
	if part.Members.To != "" {
		image[table.ToMember] = map[string]any{"S": part.Members.To}
	}
	text, err := json.Marshal(map[string]any{"eventName": "INSERT", "dynamodb": map[string]any{
		"ApproximateCreationDateTime": now.Add(-age).Unix(), "SequenceNumber": strconv.Itoa(sequence),
		"Keys": attributes{table.PK: {"S": key.PK}, table.SK: {"S": key.SK}}, "NewImage": image,
	}})
	if err != nil {
		panic(err)
	}
	return text
}

// spread broadcasts records and whatever slices follow from them, to the end.
func spread(t *testing.T, m *memory, records ...json.RawMessage) received {
	t.Helper()
	all := received{}
	for rounds := 0; len(records) > 0; rounds++ {
		if rounds > 20 {
			t.Fatal("slices are cut without end")
		}
		for user, frames := range broadcast(t, m, records...) {
			all[user] = append(all[user], frames...)
		}
		records = m.records(0)
	}
	return all
}

func TestALargeRoomIsToldBySlices(t *testing.T) {
	for _, members := range []int{stream.SliceAbove, stream.SliceAbove + 1, 2_700, 21_100} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			m := crowd(members, 4)
			first := broadcast(t, m, says(m.messages[1]), says(m.messages[2]))
			if sliced := len(m.stored) > 0; sliced != (members > stream.SliceAbove) {
				t.Fatalf("%d slices, %d members were told at once", len(m.stored), len(first))
			}
			sent := first
			if len(m.stored) > 0 {
				sent = spread(t, m, m.records(0)...)
			}
			if len(sent) != members {
				t.Fatalf("%d members were told, want %d", len(sent), members)
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

func TestARunIsNamedByWhatItDoes(t *testing.T) {
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
	m := crowd(stream.SliceAbove+400, 2)
	replay := func(run string) map[string]string {
		return map[string]string{"eventSource": changes.ReplaySource, "eventSourceARN": changes.ReplaySource + ":" + run}
	}
	run := keys(m, says(m.messages[0]))
	if again := keys(m, says(m.messages[0]), says(m.messages[0])); !slices.Equal(run, again) {
		t.Errorf("tried again, the run is %q, was %q", again, run)
	}
	for name, other := range map[string][]string{
		"another message": keys(m, says(m.messages[1])),
		"a gap":           keys(m, saysAt(m.messages[0], time.Hour, nil)),
		"a replay":        keys(m, saysAt(m.messages[0], time.Hour, replay("one"))),
		"another replay":  keys(m, saysAt(m.messages[0], time.Hour, replay("two"))),
	} {
		if len(other) != len(run) || slices.Contains(run, other[0]) {
			t.Errorf("%s has the slices %q, as another run has", name, other)
		}
	}
	m.members = slices.Delete(m.members, 0, 1) // the bounds move
	if moved := keys(m, says(m.messages[0])); slices.Contains(run, moved[0]) {
		t.Errorf("cut elsewhere, the run is the same: members between the bounds would be told nothing")
	}
}

func TestOldSlicesBecomeGaps(t *testing.T) {
	m := crowd(stream.SliceAbove+400, 1)
	broadcast(t, m, says(m.messages[0]))
	parts := maps.Clone(m.stored)
	for _, user := range []string{m.members[0], m.members[len(m.members)-1]} {
		m.stored = maps.Clone(parts)
		if got := spread(t, m, m.records(10*time.Minute)...).types(user); !slices.Equal(got, []string{wire.TypeGap}) {
			t.Errorf("late slices told %s of %q, want a gap", user, got)
		}
	}
	m.stored = parts
	if got := spread(t, m, m.records(2*time.Hour)...); len(got) > 0 {
		t.Errorf("slices of hours ago told %d members something", len(got))
	}
	// A message's record that is too old itself.
	got := spread(t, m, saysAt(m.messages[0], 10*time.Minute, nil)).types(m.members[700])
	if !slices.Equal(got, []string{wire.TypeGap}) {
		t.Errorf("a late message told a member of %q, want one gap", got)
	}
}

func TestMembersOfALargeRoomComeAndGo(t *testing.T) {
	m := crowd(stream.SliceAbove+400, 1)
	m.members = append(m.members, "carol", "dora")
	// Dora left and is back, bob is gone.
	sent := spread(t, m, joins("carol"), leaves("bob"), leaves("dora"), says(m.messages[0]))
	for user, want := range map[string][]string{
		"carol":      {"memberJoined carol", wire.TypeMessage},
		"bob":        {"memberLeft bob"},
		"dora":       {wire.TypeMessage},
		m.members[0]: {wire.TypeMessage},
	} {
		if got := sent.types(user); !slices.Equal(got, want) {
			t.Errorf("%s was told %q, want %q", user, got, want)
		}
	}
}

// What there is no time for is delivered again.
func TestSlicesBeyondTheDeadlineComeAgain(t *testing.T) {
	m := crowd(9_000, 1)
	broadcast(t, m, says(m.messages[0]))
	records := m.records(0)
	clock := now
	slow := slowPusher{received{}, func() { clock = clock.Add(4 * time.Second) }}
	fanout := stream.NewFanout(m, slow, 10*time.Second, func() time.Time { return clock }, zerolog.Nop())
	answer, err := fanout.Handle(t.Context(), changes.Event{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	again := map[string]bool{}
	for _, failure := range answer.BatchItemFailures {
		again[failure.ItemIdentifier] = true
	}
	if len(again) == 0 || len(again) == len(records) {
		t.Fatalf("%d of %d slices come again, want some", len(again), len(records))
	}
	var rest []json.RawMessage
	for i, record := range records {
		if again[strconv.Itoa(i)] {
			rest = append(rest, record)
		}
	}
	for user, frames := range broadcast(t, m, rest...) {
		slow.received[user] = append(slow.received[user], frames...)
	}
	if len(slow.received) != 9_000 {
		t.Errorf("%d members were told in the end, want 9000", len(slow.received))
	}
}

type slowPusher struct {
	received
	slow func()
}

func (s slowPusher) Push(ctx context.Context, posts []push.Post) []push.Delivery {
	s.slow()
	return s.received.Push(ctx, posts)
}
