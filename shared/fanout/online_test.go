package fanout_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
)

// indexed is a room of n members of whom every other one is in the index. It keeps whose
// presence was read, and of which ranges the index.
type indexed struct {
	*memory
	ranges []fanout.MemberRange
	fails  bool
}

func newIndexed(n int) *indexed {
	x := &indexed{memory: crowd(n, 1)}
	x.indexed = map[string]int64{}
	for i := 0; i < n; i += 2 {
		x.indexed[x.members[i]] = changestest.Now.Unix() + 1
	}
	return x
}

func (x *indexed) Online(ctx context.Context, room string, r fanout.MemberRange, limit int) (map[string][]chat.Connection, error) {
	x.mu.Lock()
	x.ranges = append(x.ranges, r)
	x.mu.Unlock()
	if x.fails {
		return nil, errors.New("throttled")
	}
	return x.memory.Online(ctx, room, r, limit)
}

// A room of more than chat.IndexAbove members reads those who are in its index there, the
// others' presence, and posts to all; a smaller one reads the presence of all.
func TestIndex_IsReadForThoseWhoAreInIt(t *testing.T) {
	for _, members := range []int{chat.IndexAbove, chat.IndexAbove + 1, 1_000} {
		x := newIndexed(members)
		sent := received{}
		consumer := fanout.New(x, sent, time.Minute, func() time.Time { return changestest.Now }, zerolog.Nop())
		answer, err := consumer.Handle(t.Context(), changes.Event{Records: []json.RawMessage{changestest.Send(room, x.messages[0])}})
		if err != nil || len(answer.BatchItemFailures) > 0 {
			t.Fatalf("%v, %v", answer, err)
		}
		if len(sent) != members {
			t.Errorf("%d members: %d are told", members, len(sent))
		}
		kept := members > chat.IndexAbove
		want := members
		if kept {
			want = members / 2
		}
		if len(x.users) != want || len(x.ranges) > 0 != kept {
			t.Errorf("%d members: the presence of %d was read, want %d; the index %d times", members, len(x.users), want, len(x.ranges))
		}
	}
}

// Those whose lease has ended are served by their presence, and put into the index again;
// those who are not to be tried are not.
func TestIndex_TakesMembersWhoAreNotInIt(t *testing.T) {
	const members = 400
	m := crowd(members, 1)
	now := changestest.Now.Unix()
	m.indexed = map[string]int64{m.members[0]: now + 1, m.members[1]: now, m.members[2]: -(now + 1), m.members[3]: -now}
	broadcast(t, m, changestest.Send(room, m.messages[0]))
	if len(m.tried) != fanout.IndexAtOnce || slices.Contains(m.tried, m.members[0]) || slices.Contains(m.tried, m.members[2]) ||
		!slices.Contains(m.tried, m.members[1]) || !slices.Contains(m.tried, m.members[3]) {
		t.Errorf("%d members are put into the index, want %d without those who are there, or not to be tried", len(m.tried), fanout.IndexAtOnce)
	}
	if m.lease != fanout.IndexLease {
		t.Errorf("they are put there for %v, want %v", m.lease, fanout.IndexLease)
	}
}

// A room that is not large has its members put into the index only while it is busy, and
// for a shorter time; in the smallest ones it would save too little.
func TestIndex_TakesMembersOfBusyRooms(t *testing.T) {
	sentAt := func(at time.Time, last string) string {
		id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
		return id[:25] + last
	}
	for name, test := range map[string]struct {
		members int
		before  time.Duration // 0: there is none
		last    string        // of the id
		taken   bool
		source  string // of the record
	}{
		"busy":               {10, chat.BusyWithin, "0", true, "aws:dynamodb"},
		"as large as it is":  {chat.LongIndexAbove, time.Second, "0", true, "aws:dynamodb"},
		"the smallest":       {chat.IndexAbove + 1, time.Second, "0", true, "aws:dynamodb"},
		"smaller":            {chat.IndexAbove, time.Second, "0", false, "aws:dynamodb"},
		"quiet":              {10, chat.BusyWithin + time.Millisecond, "0", false, "aws:dynamodb"},
		"the first message":  {10, 0, "0", false, "aws:dynamodb"},
		"another id":         {10, time.Second, "1", false, "aws:dynamodb"},
		"one of large rooms": {10, time.Second, "G", false, "aws:dynamodb"},
		"busy when replayed": {10, time.Second, "0", false, changes.ReplaySource}, // and now it may be quiet
	} {
		m := crowd(test.members, 0)
		id := sentAt(changestest.Now, test.last)
		if test.before > 0 {
			m.messages = append(m.messages, sentAt(changestest.Now.Add(-test.before), "1"))
		}
		m.messages = append(m.messages, id)
		broadcast(t, m, changestest.From(changestest.Send(room, id), test.source, "arn"))
		want := 0
		if test.taken {
			want = test.members
		}
		if len(m.tried) != want || test.taken && m.lease != chat.BusyLease {
			t.Errorf("%s: %d members are put into the index for %v, want %d for %v", name, len(m.tried), m.lease, want, chat.BusyLease)
		}
	}
}

// Who types is in the index of a small room, and is not told.
func TestIndex_HasWhoTypes(t *testing.T) {
	x := newIndexed(chat.TypingRoom)
	for _, user := range x.members {
		x.indexed[user] = changestest.Now.Unix() + 1
	}
	sent := received{}
	if failed := handle(t, x, sent, types(x.members[0], 0)); len(failed) > 0 {
		t.Errorf("records %q failed", failed)
	}
	if len(sent) != chat.TypingRoom-1 || len(sent.types(x.members[0])) > 0 || len(x.users) > 0 {
		t.Errorf("%d are told, and the presence of %d was read; want all but who types, and none", len(sent), len(x.users))
	}
}

// What concerns one member reads that one's connections alone.
func TestIndex_IsNotReadForOneMember(t *testing.T) {
	x := newIndexed(10)
	sent := received{}
	if failed := handle(t, x, sent, chooses(x.members[0], 5)); len(failed) > 0 {
		t.Fatalf("records %v failed", failed)
	}
	if len(x.ranges) > 0 || !slices.Equal(x.users, x.members[:1]) {
		t.Errorf("the index is read %d times, the presence of %v; want that of one", len(x.ranges), x.users)
	}
}

// One message of fanout.IndexEvery has members put into the index.
func TestIndex_FewMessagesTakeMembers(t *testing.T) {
	const messages = 320
	taking := 0
	for _, id := range minted(messages) {
		m := crowd(chat.LongIndexAbove+1, 0)
		m.messages = []string{id}
		broadcast(t, m, changestest.Send(room, id))
		if len(m.tried) > 0 {
			taking++
		}
	}
	if most := 2 * messages / fanout.IndexEvery; taking == 0 || taking > most {
		t.Errorf("%d of %d messages take members, want about %d", taking, messages, messages/fanout.IndexEvery)
	}
}

// minted are ids with random characters.
func minted(n int) []string {
	ids := make([]string, n)
	entropy := rand.NewChaCha8([32]byte{})
	for i := range ids {
		ids[i] = ulid.MustNew(ulid.Timestamp(changestest.Now), entropy).String()
	}
	return ids
}

// An index that can't be read fails the room, which comes again.
func TestIndex_ThatCannotBeReadFailsTheRoom(t *testing.T) {
	x := newIndexed(chat.IndexAbove + 1)
	x.fails = true
	failed := handle(t, x, received{}, changestest.Send(room, x.messages[0]))
	if !slices.Equal(failed, []string{"0"}) {
		t.Errorf("the records %v failed, want the message's", failed)
	}
}

// Slices read the index of their own ranges.
func TestIndex_SlicesReadTheirRanges(t *testing.T) {
	x := newIndexed(fanout.SliceAbove + 1)
	sent, queue := received{}, []json.RawMessage{changestest.Send(room, x.messages[0])}
	for len(queue) > 0 {
		if failed := handle(t, x, sent, queue...); len(failed) > 0 {
			t.Fatalf("records %v failed", failed)
		}
		queue = x.records(0)
	}
	if len(sent) != len(x.members) {
		t.Errorf("%d of %d members are told", len(sent), len(x.members))
	}
	if len(x.ranges) != 5 || slices.Contains(x.ranges, fanout.MemberRange{}) {
		t.Errorf("the index was read in %v, want the slices' ranges", x.ranges)
	}
}
