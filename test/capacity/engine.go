package main

import (
	"container/heap"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// world is a clock and what is going to happen, in order. Times are whole
// nanoseconds, so that a run is the same everywhere.
type world struct {
	now    time.Duration
	events timeline
	made   int // events, which orders those of one moment
	rng    *rand.Rand
}

type event struct {
	at     time.Duration
	number int
	happen func()
}

// after makes something happen in a while.
func (w *world) after(d time.Duration, happen func()) {
	w.made++
	heap.Push(&w.events, event{w.now + max(d, 0), w.made, happen})
}

// process starts, in a while, something that takes time: it may sleep.
func (w *world) process(in time.Duration, body func(sleep func(time.Duration))) {
	next, _ := iter.Pull(func(yield func(time.Duration) bool) {
		body(func(d time.Duration) { yield(d) })
	})
	var resume func()
	resume = func() {
		if d, more := next(); more {
			w.after(d, resume)
		}
	}
	w.after(in, resume)
}

// run lets everything happen.
func (w *world) run() {
	for len(w.events) > 0 {
		e, _ := heap.Pop(&w.events).(event)
		w.now = e.at
		e.happen()
	}
}

// draw is how long one request takes.
func (w *world) draw(l latency) time.Duration { return l.at(w.rng.NormFloat64()) }

// slowest is how long n requests take that are made at once.
func (w *world) slowest(l latency, n int) time.Duration {
	if n == 0 {
		return 0
	}
	u := math.Pow(w.rng.Float64(), 1/float64(n)) // the greatest of n
	return l.at(math.Sqrt2 * math.Erfinv(max(2*u-1, -0.999999)))
}

// upTo is a random part of d.
func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// timeline is a heap of events.
type timeline []event

// Len implements heap.Interface.
func (t timeline) Len() int { return len(t) }

// Less implements heap.Interface.
func (t timeline) Less(i, j int) bool {
	return t[i].at < t[j].at || (t[i].at == t[j].at && t[i].number < t[j].number)
}

// Swap implements heap.Interface.
func (t timeline) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push implements heap.Interface.
func (t *timeline) Push(x any) { *t = append(*t, x.(event)) }

// Pop implements heap.Interface.
func (t *timeline) Pop() any {
	last := len(*t) - 1
	e := (*t)[last]
	(*t)[last] = event{} // lets go of what happened
	*t = (*t)[:last]
	return e
}

// bucket gives tokens at a rate, and saves up some.
type bucket struct {
	perSecond, atOnce int
	full              time.Duration // when it will be
}

// take takes up to n tokens, and returns how many there were.
func (b *bucket) take(now time.Duration, n int) int {
	token := time.Second / time.Duration(b.perSecond)
	b.full = max(b.full, now)
	missing := int((b.full - now + token - 1) / token)
	n = max(min(n, b.atOnce-missing), 0)
	b.full += time.Duration(n) * token
	return n
}
