package client

import (
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

// However live messages are lost, doubled, delayed and mixed, however often the
// application has no space or a sync fails, every message goes out exactly once,
// and only what is marked as late goes out of order.
func TestRoomHandsOutEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			stored   []held // the server's, ascending
			out      []Message
			space    = true
			now      = time.UnixMilli(1_700_000_000_000)
			start    = now
			inFlight *request
		)
		r := newRoom("general", func(m Message) bool {
			if space {
				out = append(out, m)
			}
			return space
		})
		after := func(from ulid.ULID) []held {
			return slices.DeleteFunc(slices.Clone(stored), func(h held) bool { return h.id.Compare(from) <= 0 })
		}
		reply := func(q request) {
			if q.look {
				r.look(after(ulid.ULID{}), false)
				return
			}
			page := after(q.from)
			n := min(len(page), 5)
			r.apply(q.from, page[:n], len(page) > n)
		}
		ask := func() request { return request{room: r, look: !r.looked, from: r.begin()} }
		settle := func() { r.watch(now, func() time.Duration { return time.Second }) }

		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { settle() },
			"store": func(t *rapid.T) {
				// Some are stored late: their time is before that of others.
				at := now.Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "late")) * time.Second)
				if at.Before(start) {
					at = start
				}
				var h held
				_ = h.id.SetTime(ulid.Timestamp(at))
				_ = h.id.SetEntropy(rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "entropy"))
				h.MessageID = h.id.String()
				i, dup := slices.BinarySearchFunc(stored, h.id, func(h held, id ulid.ULID) int { return h.id.Compare(id) })
				if dup {
					t.Skip("that id exists")
				}
				if i > 0 {
					h.previous = stored[i-1].id
				}
				stored = slices.Insert(stored, i, h)
			},
			"broadcast": func(t *rapid.T) {
				if len(stored) == 0 {
					t.Skip("nothing to broadcast")
				}
				r.offer(rapid.SampledFrom(stored).Draw(t, "message"))
			},
			"gap":       func(*rapid.T) { r.miss() },
			"reconnect": func(*rapid.T) { inFlight = nil; r.reconnected() },
			"ack": func(t *rapid.T) {
				if len(stored) > 0 {
					r.await(rapid.SampledFrom(stored).Draw(t, "message").id)
				}
			},
			"space": func(t *rapid.T) { space = rapid.Bool().Draw(t, "space") },
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
				if !r.holeAt.IsZero() && now.After(r.holeAt) {
					r.miss()
				}
			},
			"ask": func(t *rapid.T) {
				if inFlight != nil || !r.due {
					t.Skip("no sync is wanted")
				}
				q := ask()
				inFlight = &q
			},
			"answer": func(t *rapid.T) {
				if inFlight == nil {
					t.Skip("nothing was asked")
				}
				reply(*inFlight)
				inFlight = nil
			},
			"no answer": func(t *rapid.T) {
				if inFlight == nil {
					t.Skip("nothing was asked")
				}
				r.fail()
				inFlight = nil
			},
		})

		// When all is well again, a reconnect brings what is missing.
		space = true
		r.reconnected()
		for range 2*len(stored) + 2 {
			if r.due {
				reply(ask())
			}
		}
		if r.due || r.behind || len(r.held) > 0 {
			t.Fatalf("not settled: due %v, behind %v, %d held", r.due, r.behind, len(r.held))
		}
		var ids []string
		newest := ""
		for _, m := range out {
			if m.Late != (m.MessageID < newest) {
				t.Fatalf("%s: Late is %v after %s", m.MessageID, m.Late, newest)
			}
			newest = max(newest, m.MessageID)
			ids = append(ids, m.MessageID)
		}
		slices.Sort(ids)
		var want []string
		for _, h := range stored {
			want = append(want, h.MessageID)
		}
		if !slices.Equal(ids, want) {
			t.Fatalf("handed out %d messages, want %d:\n%v\n%v", len(ids), len(want), ids, want)
		}
	})
}

// What a room remembers is bounded, and what it has forgotten isn't new.
func TestRoomForgets(t *testing.T) {
	handedOut := 0
	r := newRoom("general", func(Message) bool { handedOut++; return true })
	r.begin()
	r.look(nil, false)
	message := func(i int) held {
		var id ulid.ULID
		_ = id.SetTime(uint64(1000 + i)) //nolint:gosec // not negative
		return held{id: id}
	}
	const n = 3 * maxKnown
	for i := range n {
		r.offer(message(i))
	}
	for i := range n {
		r.offer(message(i))
	}
	if handedOut != n || len(r.known) > maxKnown || len(r.held) > 0 {
		t.Errorf("handed out %d of %d, remembers %d, holds %d", handedOut, n, len(r.known), len(r.held))
	}
}

func TestPredecessor(t *testing.T) {
	for id, want := range map[ulid.ULID]ulid.ULID{
		{15: 1}:               {},
		{14: 1}:               {15: 0xff},
		{5: 9, 15: 7}:         {5: 9, 15: 6},
		{0: 1}:                {1: 0xff, 2: 0xff, 3: 0xff, 4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff},
		{3: 2, 14: 1, 15: 0}:  {3: 2, 15: 0xff},
		{0: 7, 1: 1, 15: 128}: {0: 7, 1: 1, 15: 127},
	} {
		if got := predecessor(id); got != want {
			t.Errorf("predecessor of %v is %v, want %v", id, got, want)
		}
	}
}
