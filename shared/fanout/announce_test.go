package fanout_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventbus"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

// bus keeps events as their type, id and data, and refuses those of a type.
type bus struct {
	events  map[string]map[string]any // by id
	refuses string
}

func (b *bus) Put(_ context.Context, events []eventbus.Event) []error {
	errs := make([]error, len(events))
	for i, e := range events {
		if e.Type == b.refuses {
			errs[i] = errors.New("no such bus")
			continue
		}
		text, _ := json.Marshal(e.Data)
		var data map[string]any
		_ = json.Unmarshal(text, &data)
		b.events[e.ID] = data
	}
	return errs
}

// offline is a memory in which only these users have a connection.
type online struct {
	*memory
	users []string
}

func (o online) Presence(ctx context.Context, users []string, limit int) (map[string][]chat.Connection, error) {
	present, err := o.memory.Presence(ctx, users, limit)
	maps.DeleteFunc(present, func(user string, _ []chat.Connection) bool { return !slices.Contains(o.users, user) })
	return present, err
}

// announce hands records to a Fanout that puts events, and returns those and the records
// that failed.
func announce(t *testing.T, store fanout.Store, b *bus, content bool, records ...json.RawMessage) (events map[string]map[string]any, failed []string) {
	t.Helper()
	b.events = map[string]map[string]any{}
	consumer := fanout.New(store, received{}, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop()).Announcing(fanout.Announcements{Bus: b, Content: content})
	answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range answer.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return b.events, failed
}

func TestAnnounce_OneEventForEachChange(t *testing.T) {
	ids := changestest.MessageIDs(3)
	m := &memory{members: []string{"alice", "bob"}, messages: ids, states: map[string]chat.Message{}}
	edited, deleted := changestest.Version(room, ids[1], 7, false), changestest.Version(room, ids[2], 8, true)
	m.states[ids[1]], m.states[ids[2]] = edited, deleted
	records := []json.RawMessage{
		changestest.Numbered(changestest.Send(room, ids[0]), 1),
		changestest.Numbered(changestest.Change(changestest.Version(room, ids[1], 0, false), edited), 2),
		changestest.Numbered(changestest.Change(changestest.Version(room, ids[2], 0, false), deleted), 3),
		changestest.Numbered(changestest.Join(room, "bob"), 4),
		changestest.Numbered(leaves("carol"), 5),
		changestest.Numbered(changestest.Modify(table.Read(room, "bob"), nil, nil), 6), // which is no event
	}
	for range 2 { // the same ids each time
		events, failed := announce(t, online{m, []string{"alice", "bob"}}, &bus{}, false, records...)
		want := []string{
			"member.joined:" + room + ":bob:2", "member.left:5", "message.deleted:" + ids[2], "message.edited:" + ids[1] + "-7", "message.sent:" + ids[0],
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(events))); diff != "" || len(failed) > 0 {
			t.Errorf("failed %q, (-want +got):\n%s", failed, diff)
		}
		for id, data := range events {
			if _, ok := data["content"]; ok {
				t.Errorf("%s tells what the message says: %v", id, data)
			}
		}
	}
	events, _ := announce(t, m, &bus{}, true, records...)
	if got := events["message.sent:"+ids[0]]; got["content"] == nil {
		t.Errorf("content was asked for: %v", got)
	}
}

func TestAnnounce_WhoIsOffline(t *testing.T) {
	ids := changestest.MessageIDs(1)
	mention := changestest.Version("", ids[0], 0, false)
	for name, test := range map[string]struct {
		room     string
		members  []string
		online   []string
		mentions []string
		offline  []any // nil: no notification
		reason   string
		notify   map[string]chat.Notify
	}{
		"a room":                   {"r", []string{"alice", "bob", "carol", "service:bot"}, []string{"bob"}, nil, []any{"carol"}, "room", nil},
		"a dm":                     {"dm-x", []string{"alice", "bob"}, nil, nil, []any{"bob"}, "dm", nil},
		"everyone is online":       {"r", []string{"alice", "bob"}, []string{"alice", "bob"}, nil, nil, "", nil},
		"a larger room":            {"r", crowd(101, 0).members, nil, []string{"user-000002", "user-000001"}, []any{"user-000001", "user-000002"}, "mention", nil},
		"a larger room, no one":    {"r", crowd(101, 0).members, nil, nil, nil, "", nil},
		"a room of slices":         {"r", crowd(fanout.SliceAbove+1, 0).members, []string{"user-000002"}, []string{"user-000001", "user-000002"}, []any{"user-000001"}, "mention", nil},
		"a room of slices, no one": {"r", crowd(fanout.SliceAbove+1, 0).members, nil, nil, nil, "", nil},
		"one wants none":           {"r", []string{"alice", "bob", "carol"}, nil, []string{"bob"}, []any{"carol"}, "room", map[string]chat.Notify{"bob": chat.NotifyNone}},
		"one wants mentions":       {"r", []string{"alice", "bob", "carol"}, nil, nil, []any{"carol"}, "room", map[string]chat.Notify{"bob": chat.NotifyMentions}},
		"one who is mentioned":     {"r", []string{"alice", "bob", "carol"}, nil, []string{"bob"}, []any{"bob", "carol"}, "room", map[string]chat.Notify{"bob": chat.NotifyMentions}},
		"a dm, mentions":           {"dm-x", []string{"alice", "bob"}, nil, nil, nil, "", map[string]chat.Notify{"bob": chat.NotifyMentions}},
		"a dm, mentioned":          {"dm-x", []string{"alice", "bob"}, nil, []string{"bob"}, []any{"bob"}, "dm", map[string]chat.Notify{"bob": chat.NotifyMentions}},
		"a dm, none":               {"dm-x", []string{"alice", "bob"}, nil, []string{"bob"}, nil, "", map[string]chat.Notify{"bob": chat.NotifyNone}},
		"a larger room, none": {
			"r", crowd(101, 0).members, nil,
			[]string{"user-000002", "user-000001"},
			[]any{"user-000001"},
			"mention",
			map[string]chat.Notify{"user-000002": chat.NotifyNone, "user-000001": chat.NotifyMentions},
		},
		"a room of slices, none": {
			"r", crowd(fanout.SliceAbove+1, 0).members, nil,
			[]string{"user-000002", "user-000001"},
			[]any{"user-000001"},
			"mention",
			map[string]chat.Notify{"user-000002": chat.NotifyNone, "user-000001": chat.NotifyMentions},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{members: test.members, messages: ids, notify: test.notify}
			sent := mention
			sent.RoomID, sent.SenderID = test.room, "alice"
			record := changestest.Mentioning(changestest.SendVersion(sent), test.mentions...)
			events, failed := announce(t, online{m, test.online}, &bus{}, false, record)
			got := events["notification:"+ids[0]]
			if offline, _ := got["offline"].([]any); !cmp.Equal(offline, test.offline) || len(failed) > 0 || got != nil && got["reason"] != test.reason {
				t.Errorf("notified of %v, failed %q; want %v, %s", got, failed, test.offline, test.reason)
			}
		})
	}
}

// Where only pushes need events, there are no others.
func TestNotifying_PutsNotificationsOnly(t *testing.T) {
	ids := changestest.MessageIDs(1)
	m := &memory{members: []string{"alice", "bob"}, messages: ids}
	records := []json.RawMessage{
		changestest.Numbered(changestest.Send(room, ids[0]), 1), changestest.Numbered(changestest.Join(room, "bob"), 2),
	}
	b := &bus{events: map[string]map[string]any{}}
	consumer := fanout.New(online{m, []string{"alice"}}, received{}, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop()).Announcing(fanout.Announcements{Bus: b, NotificationsOnly: true})
	if _, err := consumer.Handle(t.Context(), changes.Event{Records: records}); err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(maps.Keys(b.events)); !slices.Equal(got, []string{"notification:" + ids[0]}) {
		t.Errorf("put are %q", got)
	}
}

// What a bus does not take comes again with its record; the rest does not.
func TestAnnounce_WhatIsNotPutComesAgain(t *testing.T) {
	ids := changestest.MessageIDs(1)
	m := &memory{members: []string{"alice", "bob"}, messages: ids}
	records := []json.RawMessage{
		changestest.Numbered(changestest.Send(room, ids[0]), 1), changestest.Numbered(changestest.Join("s", "bob"), 2),
	}
	for refuses, want := range map[string]string{"member.joined": "2", "message.sent": "1", "notification": "1", "": ""} {
		_, failed := announce(t, online{m, []string{"alice"}}, &bus{refuses: refuses}, false, records...)
		if got := strings.Join(failed, ","); got != want {
			t.Errorf("without %s the records %q come again, want %q", refuses, got, want)
		}
	}
}

// shelf keeps records, unless it is full.
type shelf struct {
	kept []json.RawMessage
	full bool
}

func (s *shelf) Keep(_ context.Context, records []json.RawMessage) error {
	if s.full {
		return errors.New("no such bucket")
	}
	s.kept = append(s.kept, records...)
	return nil
}

// What a bus does not take is kept for an operator, and does not come again: what follows
// in the shard does not wait for it. What can't be kept either comes again.
func TestAnnounce_WhatIsNotPutIsKept(t *testing.T) {
	ids := changestest.MessageIDs(1)
	m := &memory{members: []string{"alice", "bob"}, messages: ids}
	records := []json.RawMessage{
		changestest.Numbered(changestest.Send(room, ids[0]), 1), changestest.Numbered(changestest.Join("s", "bob"), 2),
	}
	for refuses, want := range map[string][]json.RawMessage{"member.joined": records[1:], "message.sent": records[:1], "notification": records[:1], "": nil} {
		for _, full := range []bool{false, true} {
			kept, sent := &shelf{full: full}, received{}
			consumer := fanout.New(online{m, []string{"alice"}}, sent, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop()).
				Announcing(fanout.Announcements{Bus: &bus{events: map[string]map[string]any{}, refuses: refuses}, Keeper: kept})
			answer, err := consumer.Handle(t.Context(), changes.Event{Records: records})
			again := len(answer.BatchItemFailures)
			if err != nil || full && again != len(want) || !full && (again > 0 || !cmp.Equal(kept.kept, want)) {
				t.Errorf("without %s, full %t: %d come again, %q are kept, %v", refuses, full, again, kept.kept, err)
			}
			if len(sent["alice"]) == 0 {
				t.Errorf("without %s alice got nothing", refuses)
			}
		}
	}
}

// counted counts how often a bus is asked.
type counted struct {
	fanout.Bus
	times int
}

func (a *counted) Put(ctx context.Context, events []eventbus.Event) []error {
	a.times++
	return a.Bus.Put(ctx, events)
}

// A bus that hangs is not asked by each of the invocations that follow.
func TestAnnounce_LetsABusThatHangsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{members: []string{"alice", "bob"}, messages: changestest.MessageIDs(1)}
		kept, hangs, began := &shelf{}, &counted{Bus: silentBus{}}, time.Now()
		consumer := fanout.New(m, received{}, time.Minute, func() time.Time { return changestest.Now.Add(time.Since(began)) }, zerolog.Nop()).Announcing(fanout.Announcements{Bus: hangs, Keeper: kept})
		handle := func() {
			answer, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{changestest.Send(room, m.messages[0])}})
			if err != nil || len(answer.BatchItemFailures) > 0 {
				t.Fatalf("%+v, %v", answer, err)
			}
		}
		for range 10 {
			handle()
		}
		if took := time.Since(began); took > 2*time.Second || hangs.times != 1 || len(kept.kept) != 10 {
			t.Errorf("asked %d times, kept %d records, after %v", hangs.times, len(kept.kept), took)
		}
		<-time.After(time.Minute) // by the bubble's clock
		if handle(); hangs.times != 2 {
			t.Errorf("asked %d times after a minute, want 2", hangs.times)
		}
	})
}

// silentBus is a bus that doesn't answer.
type silentBus struct{}

func (silentBus) Put(ctx context.Context, events []eventbus.Event) []error {
	<-ctx.Done()
	errs := make([]error, len(events))
	for i := range errs {
		errs[i] = ctx.Err()
	}
	return errs
}

// A bus that hangs holds up the records that follow for a moment, not for all of the time
// that an invocation has.
func TestAnnounce_DoesNotWaitForABusThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{members: []string{"alice", "bob"}, messages: changestest.MessageIDs(1)}
		sent := received{}
		consumer := fanout.New(m, sent, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop()).Announcing(fanout.Announcements{Bus: silentBus{}})
		began := time.Now()
		answer, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{changestest.Send(room, m.messages[0])}})
		if took := time.Since(began); err != nil || len(answer.BatchItemFailures) != 1 || took > 2*time.Second {
			t.Errorf("%+v, %v, after %v", answer, err, took)
		}
		if len(sent["bob"]) != 1 {
			t.Errorf("bob got %+v", sent["bob"])
		}
	})
}

// A replay of old messages puts their events, and notifies no one.
func TestAnnounce_AReplayOfOldMessagesNotifiesNoOne(t *testing.T) {
	for age, notifies := range map[time.Duration]bool{30 * time.Minute: true, 2 * time.Hour: false} {
		id := changestest.MessageIDs(1)[0]
		ms, err := chat.MessageTime(id)
		if err != nil {
			t.Fatal(err)
		}
		now := func() time.Time { return time.UnixMilli(ms).Add(age) }
		b := &bus{events: map[string]map[string]any{}}
		m := online{&memory{members: []string{"alice", "bob"}, messages: []string{id}}, nil}
		record := changestest.From(changestest.Send(room, id), changes.ReplaySource, changes.ReplaySource+":run")
		_, err = fanout.New(m, received{}, time.Minute, now, zerolog.Nop()).Announcing(fanout.Announcements{Bus: b}).Handle(t.Context(), changes.Event{Records: []json.RawMessage{record}})
		if notified := b.events["notification:"+id] != nil; err != nil || notified != notifies || b.events["message.sent:"+id] == nil {
			t.Errorf("after %v: %v, %v; want a notification: %t", age, b.events, err, notifies)
		}
	}
}

// Whose only connection a post showed to have ended is offline.
func TestAnnounce_AConnectionThatHasEndedIsNone(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	store := aged{&memory{members: []string{"alice", "bob"}, messages: []string{id}}, map[string]time.Duration{"bob": time.Hour}}
	b := &bus{events: map[string]map[string]any{}}
	consumer := fanout.New(store, noneThere{}, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop()).Announcing(fanout.Announcements{Bus: b})
	if _, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{changestest.Send(room, id)}}); err != nil {
		t.Fatal(err)
	}
	if got := b.events["notification:"+id]["offline"]; !cmp.Equal(got, []any{"bob"}) {
		t.Errorf("offline is %v, want bob", got)
	}
}

// A message comes again if it can't be known who of those that it mentions is offline.
func TestAnnounce_WhoIsOfflineCannotBeRead(t *testing.T) {
	m := crowd(fanout.SliceAbove+1, 1)
	record := changestest.Numbered(changestest.Mentioning(changestest.Send(room, m.messages[0]), m.members[0]), 1)
	events, failed := announce(t, &failing{memory: m, presenceOf: m.members[0]}, &bus{}, false, record)
	if len(events) > 0 || !slices.Equal(failed, []string{"1"}) {
		t.Errorf("put are %v, the records %q come again", events, failed)
	}
}
