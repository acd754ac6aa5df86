package fanout_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/wire"
)

// refusing delivers to all but one connection.
type refusing struct {
	received

	connection string // "" for none
	tries      int    // of that connection
}

func (r *refusing) Push(ctx context.Context, posts []push.Post) []push.Delivery {
	deliveries := make([]push.Delivery, len(posts))
	for i, post := range posts {
		if post.ConnectionID == r.connection {
			r.tries++
			deliveries[i].Err = errThrottled
			continue
		}
		deliveries[i] = r.received.Push(ctx, []push.Post{post})[0]
	}
	return deliveries
}

func TestTellMissed(t *testing.T) {
	ids := changestest.MessageIDs(2)
	fresh := map[string]time.Duration{"alice": time.Minute, "bob": time.Minute}
	store := aged{&failing{memory: &memory{members: []string{"alice", "bob"}, messages: ids}}, fresh}
	sent := &refusing{received: received{}, connection: "bob"}
	now := changestest.Now
	f := fanout.New(store, sent, time.Minute, func() time.Time { return now }, zerolog.Nop())
	handle := func(after time.Duration, records ...json.RawMessage) {
		t.Helper()
		now = now.Add(after)
		if answer, err := f.Handle(t.Context(), changes.Event{Records: records}); err != nil || len(answer.BatchItemFailures) > 0 {
			t.Fatalf("answer %v, error %v; want no failure", answer, err)
		}
	}

	handle(0, changestest.Send(room, ids[0]))
	if sent.tries != 2 {
		t.Errorf("%d posts to bob, want the message and a gap", sent.tries)
	}
	handle(0)
	if sent.tries != 2 {
		t.Errorf("%d posts to bob, want none more within a second", sent.tries)
	}
	handle(time.Second)
	handle(time.Second) // the second pause is longer
	if sent.tries != 3 {
		t.Errorf("%d posts to bob after a second and one more, want 3", sent.tries)
	}
	sent.connection = ""
	handle(time.Second)
	handle(time.Minute)
	if got := sent.types("bob"); !slices.Equal(got, []string{wire.TypeGap}) || sent.received["bob"][0].ChatRoomID != room {
		t.Errorf("bob got %q, want one gap of the room", got)
	}
	if got := sent.types("alice"); !slices.Equal(got, []string{wire.TypeMessage}) {
		t.Errorf("alice got %q, want the message alone", got)
	}
}

func TestTellMissed_Seldom(t *testing.T) {
	id := changestest.MessageIDs(1)[0]
	for name, c := range map[string]struct {
		record json.RawMessage
		age    time.Duration
	}{
		"of a connection that has expired": {changestest.Send(room, id), chat.ConnectionLife},
		"of what is worth no second try":   {types("bob", 0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			ages := map[string]time.Duration{"alice": c.age, "bob": c.age}
			sent := &refusing{received: received{}, connection: "alice"}
			handle(t, aged{&failing{memory: &memory{members: []string{"alice", "bob"}, messages: []string{id}}}, ages}, sent, c.record)
			if sent.tries != 1 {
				t.Errorf("%d posts, want the record's own and no gap", sent.tries)
			}
		})
	}
}
