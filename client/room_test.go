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

			late = rapid.Bool().Draw(t, "stored late") // by less than the overlap of syncs
		)
		r := newRoom("general", func(e Event) bool {
			m, _ := e.(Message)
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
				now = now.Add(time.Millisecond)
				at := now
				if late {
					at = now.Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "late")) * time.Second)
				}
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
				now = now.Add(time.Duration(rapid.Float64Range(0, 1).Draw(t, "step") * float64(1000*time.Second)))
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

// chain are messages a second apart, each with the one before it as its
// predecessor.
func chain(n int) []held {
	all := make([]held, n)
	for i := range all {
		_ = all[i].id.SetTime(uint64(1_000_000 + 1000*i))
		all[i].MessageID = all[i].id.String()
		if i > 0 {
			all[i].previous = all[i-1].id
		}
	}
	return all
}

// tested is a room that has the first message of a chain.
func tested(all []held) (r *room, out *[]string) {
	out = new([]string)
	r = newRoom("general", func(e Event) bool {
		m, _ := e.(Message)
		*out = append(*out, m.MessageID)
		return true
	})
	r.begin()
	r.look(slices.Clone(all[:1]), false)
	return r, out
}

func TestRoomHoldsWhatASyncDoesNotCover(t *testing.T) {
	all := chain(6)
	r, out := tested(all)
	r.offer(all[2])
	r.miss()
	from := r.begin()
	r.offer(all[4]) // after the server looked
	r.apply(from, all[:3], false)
	if len(*out) != 3 || r.behind || len(r.held) != 1 {
		t.Errorf("handed out %d, behind %v, holds %d: the last should wait for the one before it", len(*out), r.behind, len(r.held))
	}
}

func TestRoomMissesDuringSync(t *testing.T) {
	all := chain(3)
	r, out := tested(all)
	r.miss()
	from := r.begin()
	r.miss()
	r.apply(from, all[:1], false)
	r.offer(all[1])
	if len(*out) != 1 || !r.due {
		t.Errorf("handed out %d, due %v: a miss during a sync takes another one", len(*out), r.due)
	}
}

func TestRoomHoldsAgainAfterReconnect(t *testing.T) {
	all := chain(3)
	r, out := tested(all)
	r.fail()
	r.reconnected()
	r.offer(all[1])
	if len(*out) != 1 {
		t.Errorf("handed out %d: what comes before the first sync should wait for it", len(*out))
	}
}

// What goes out while syncs fail says nothing about what was missing before.
func TestRoomRemembersTheHole(t *testing.T) {
	all := chain(200)
	r, out := tested(all)
	r.miss()
	r.begin()
	r.fail()
	r.offer(all[199])
	r.apply(r.begin(), slices.Clone(all[:100]), true)
	r.apply(r.begin(), slices.Clone(all[100:]), false)
	if len(*out) != len(all) {
		t.Errorf("handed out %d of %d", len(*out), len(all))
	}
	r, _ = tested(all)
	r.fail()
	r.offer(all[199])
	if from := r.begin(); from.Compare(all[0].id) > 0 {
		t.Errorf("asks from %v, behind what is missing", from)
	}
}

func TestRoomHoldsSoMany(t *testing.T) {
	all := chain(2 * maxHeld)
	r, out := tested(all)
	for _, h := range all[2:] {
		r.offer(h)
	}
	if len(r.held) > maxHeld || !r.due {
		t.Errorf("holds %d, due %v", len(r.held), r.due)
	}
	r.apply(r.begin(), slices.Clone(all), false)
	if len(*out) != len(all) || !slices.IsSorted(*out) {
		t.Errorf("handed out %d of %d", len(*out), len(all))
	}
}

// A room that began in the middle doesn't ask for what was before.
func TestRoomAsksNoFurtherBack(t *testing.T) {
	all := chain(3)
	r := newRoom("general", func(Event) bool { return true })
	r.begin()
	r.look(slices.Clone(all[1:]), true)
	if from := r.begin(); from != predecessor(all[1].id) {
		t.Errorf("asks from %v, want just before the first message", from)
	}
}

// What a room remembers is bounded, and what it has forgotten isn't new.
func TestRoomForgets(t *testing.T) {
	handedOut := 0
	r := newRoom("general", func(Event) bool { handedOut++; return true })
	r.begin()
	r.look(nil, false)
	message := func(i int) held {
		var id ulid.ULID
		_ = id.SetTime(uint64(1000 + i))
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
