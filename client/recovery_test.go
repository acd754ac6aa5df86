package client

import (
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

// However live messages are lost, doubled, delayed and mixed, however often a sync
// fails, every message is delivered exactly once, and only those marked as late are
// out of order.
func TestRecovery_DeliversEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			stored   []arrival // the server's, ascending
			out      []Message
			now      = time.UnixMilli(1_700_000_000_000)
			start    = now
			inFlight *query

			late = rapid.Bool().Draw(t, "stored late") // by less than the overlap of syncs
		)
		r := newRecovery(rapid.Bool().Draw(t, "ordered"), time.Second)
		step := func(input func(*recovery)) {
			for _, e := range r.step(now, input) {
				if m, ok := e.(Message); ok {
					out = append(out, m)
				}
			}
		}
		after := func(from ulid.ULID) []arrival {
			return slices.DeleteFunc(slices.Clone(stored), func(m arrival) bool { return m.id.Compare(from) <= 0 })
		}
		reply := func(q query) {
			if q.newest {
				step(func(r *recovery) { r.newest(after(ulid.ULID{}), false) })
				return
			}
			page := after(q.after)
			n := min(len(page), 5)
			step(func(r *recovery) { r.synced(q.after, page[:n], len(page) > n) })
		}

		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { step(nil) },
			"store": func(t *rapid.T) {
				now = now.Add(time.Millisecond)
				at := now
				if late {
					at = now.Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "late")) * time.Second)
				}
				if at.Before(start) {
					at = start
				}
				m := arrival{chained: true}
				_ = m.id.SetTime(ulid.Timestamp(at))
				_ = m.id.SetEntropy(rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "entropy"))
				m.message.MessageID = m.id.String()
				i, dup := slices.BinarySearchFunc(stored, m.id, func(m arrival, id ulid.ULID) int { return m.id.Compare(id) })
				if dup {
					t.Skip("that id exists")
				}
				if i > 0 {
					m.previous = stored[i-1].id
				}
				stored = slices.Insert(stored, i, m)
			},
			"broadcast": func(t *rapid.T) {
				if len(stored) == 0 {
					t.Skip("nothing to broadcast")
				}
				m := rapid.SampledFrom(stored).Draw(t, "message")
				step(func(r *recovery) { r.message(m) })
			},
			"gap":       func(*rapid.T) { step((*recovery).leftOut) },
			"refresh":   func(*rapid.T) { step((*recovery).refresh) },
			"reconnect": func(*rapid.T) { inFlight = nil; step((*recovery).reconnected) },
			"ack": func(t *rapid.T) {
				if len(stored) > 0 {
					id := rapid.SampledFrom(stored).Draw(t, "message").id
					step(func(r *recovery) { r.ack(id) })
				}
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Float64Range(0, 1).Draw(t, "step") * float64(1000*time.Second)))
				step(nil)
			},
			"ask": func(t *rapid.T) {
				if inFlight != nil || !r.due() {
					t.Skip("no sync is wanted")
				}
				q := r.ask(now)
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
				step((*recovery).failed)
				inFlight = nil
			},
		})

		// When all is well again, a reconnect brings what is missing.
		step((*recovery).reconnected)
		for range 2*len(stored) + 2 {
			if r.due() {
				reply(r.ask(now))
			}
		}
		if r.due() || r.phase != phaseLive || len(r.waiting) > 0 {
			t.Fatalf("not recovered: due %v, phase %v, %d wait", r.due(), r.phase, len(r.waiting))
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
		for _, m := range stored {
			want = append(want, m.message.MessageID)
		}
		if !slices.Equal(ids, want) {
			t.Fatalf("delivered %d messages, want %d:\n%v\n%v", len(ids), len(want), ids, want)
		}
	})
}

// chain returns messages a second apart, each with the one before it as its
// predecessor.
func chain(n int) []arrival {
	all := make([]arrival, n)
	for i := range all {
		_ = all[i].id.SetTime(uint64(1_000_000 + 1000*i))
		all[i].message.MessageID = all[i].id.String()
		all[i].chained = true
		if i > 0 {
			all[i].previous = all[i-1].id
		}
	}
	return all
}

// The messages that wait are bounded, and those beyond the bound are not lost.
func TestRecovery_BoundsWhatWaits(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		all := chain(2 * maxWaiting)
		r := newRecovery(ordered, time.Second)
		var out []string
		step := func(input func(*recovery)) {
			for _, e := range r.step(time.Time{}, input) {
				out = append(out, e.(Message).MessageID)
			}
		}
		r.ask(time.Time{})
		step(func(r *recovery) { r.newest(slices.Clone(all[:1]), false) })
		for _, m := range all[2:] {
			step(func(r *recovery) { r.message(m) })
		}
		if len(r.waiting) > maxWaiting || !r.due() {
			t.Errorf("%d wait, due %v", len(r.waiting), r.due())
		}
		q := r.ask(time.Time{})
		step(func(r *recovery) { r.synced(q.after, slices.Clone(all), false) })
		if len(out) != len(all) || ordered != slices.IsSorted(out) {
			t.Errorf("ordered %v: delivered %d of %d", ordered, len(out), len(all))
		}
	}
}

// A page of history that was delivered takes no memory any more.
func TestRecovery_LetsGoOfPages(t *testing.T) {
	r := newRecovery(true, time.Second)
	r.ask(time.Time{})
	page := make([]arrival, MaxPage)
	for i := range page {
		_ = page[i].id.SetTime(uint64(1000 + i))
	}
	delivered := r.step(time.Time{}, func(r *recovery) { r.newest(page, true) })
	if len(delivered) != len(page) || cap(r.waiting) > fewWaiting {
		t.Errorf("delivered %d of %d, with room for %d that wait", len(delivered), len(page), cap(r.waiting))
	}
}

// What a room remembers is bounded, and what it has forgotten isn't new.
func TestRecovery_Forgets(t *testing.T) {
	delivered := 0
	r := newRecovery(true, time.Second)
	r.ask(time.Time{})
	r.step(time.Time{}, func(r *recovery) { r.newest(nil, false) })
	message := func(i int) {
		m := arrival{chained: true}
		_ = m.id.SetTime(uint64(1000 + i))
		delivered += len(r.step(time.Time{}, func(r *recovery) { r.message(m) }))
	}
	const n = 3 * maxKnown
	for i := range n {
		message(i)
	}
	for i := range n {
		message(i)
	}
	if delivered != n || len(r.known) > maxKnown || len(r.waiting) > 0 {
		t.Errorf("delivered %d of %d, remembers %d, %d wait", delivered, n, len(r.known), len(r.waiting))
	}
}
