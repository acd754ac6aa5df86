package lambda

import (
	"context"
	"time"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// lane delivers the records of some of a shard's items, one batch at a time. A
// shard has as many as the mapping's ParallelizationFactor.
type lane struct {
	shard  *shard
	config *MappingConfig
	ready  chan struct{} // signalled when there is more to take

	// Guarded by shard.mu.
	pending []record
	since   time.Time // when the batch window of the pending records began
}

// add appends a pending record. The caller holds shard.mu.
func (l *lane) add(r record, now time.Time) {
	if len(l.pending) == 0 {
		l.since = now
	}
	l.pending = append(l.pending, r)
	signal(l.ready)
}

// batch returns how many of the pending records make the next batch, and
// whether it cannot grow. The caller holds shard.mu.
func (l *lane) batch() (n int, full bool) {
	limit := eventsource.NewLimit(l.config.Mapping.BatchSize)
	for n < len(l.pending) && !limit.Full() {
		if !limit.Add(len(l.pending[n].JSON)) {
			return n, true
		}
		n++
	}
	return n, limit.Full()
}

// run delivers batches until ctx ends, or the shard does.
func (l *lane) run(ctx, invoking context.Context) {
	for {
		records := l.take(ctx)
		if records == nil || !l.deliver(ctx, invoking, records) {
			return
		}
		l.shard.mu.Lock()
		l.since = l.config.Clock.Now() // the next window begins as an invocation ends
		l.shard.mu.Unlock()
	}
}

// take waits for a batch: a full one, or what a batch window brought, or what
// is pending without one. It returns nil when there will be no more.
func (l *lane) take(ctx context.Context) []record {
	for ctx.Err() == nil {
		records, wait := l.tryTake()
		if records != nil {
			signal(l.shard.space)
			return records
		}
		if wait < 0 {
			return nil
		}
		if !l.await(ctx, wait) {
			return nil
		}
	}
	return nil
}

// tryTake returns a batch if one is due. Otherwise it returns how long the
// window lasts: 0 for a window that has not begun, and less if nothing will come.
func (l *lane) tryTake() ([]record, time.Duration) {
	l.shard.mu.Lock()
	defer l.shard.mu.Unlock()
	n, full := l.batch()
	if n == 0 {
		if l.shard.closed {
			return nil, -1
		}
		return nil, 0
	}
	if rest := l.config.Mapping.BatchWindow - l.config.Clock.Since(l.since); rest > 0 && !full && !l.shard.closed {
		return nil, rest
	}
	records := l.pending[:n:n]
	l.pending = l.pending[n:]
	return records, 0
}

// await waits for more records, at most for the rest of the window if there is
// one. It returns false if ctx ended.
func (l *lane) await(ctx context.Context, window time.Duration) bool {
	var windowEnds <-chan time.Time
	if window > 0 {
		timer := l.config.Clock.NewTimer(window)
		defer timer.Stop()
		windowEnds = timer.Chan()
	}
	select {
	case <-ctx.Done():
		return false
	case <-l.ready:
	case <-windowEnds:
	}
	return true
}
