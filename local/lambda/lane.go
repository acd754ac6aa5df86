package lambda

import (
	"context"
	"time"
)

// lane delivers the records of some of a shard's items, one batch at a time.
type lane struct {
	*shard
	ready chan struct{} // signalled when there is more to take

	// Guarded by the shard's mutex.
	stock []record
	since time.Time // when the batch window of the stock began
}

// add puts a record in stock. The caller holds the shard's mutex.
func (l *lane) add(r record, now time.Time) {
	if len(l.stock) == 0 {
		l.since = now
	}
	l.stock = append(l.stock, r)
	signal(l.ready)
}

// batch says how many records of the stock make the next batch, and whether it
// cannot grow. The caller holds the shard's mutex.
func (l *lane) batch() (n int, full bool) {
	size := len(eventHead) + len(eventTail)
	for n < len(l.stock) && n < l.BatchSize {
		size += len(l.stock[n].json) + 1
		if size > MaxRequestBytes && n > 0 {
			return n, true
		}
		n++
	}
	return n, n == l.BatchSize
}

// run delivers batches until ctx ends, or the shard does.
func (l *lane) run(ctx, invoking context.Context) {
	for {
		records := l.take(ctx)
		if records == nil || !l.deliver(ctx, invoking, records, 0) {
			return
		}
		l.mu.Lock()
		l.since = l.Clock.Now() // the next window begins as an invocation ends
		l.mu.Unlock()
	}
}

// take waits for a batch: a full one, or what a batch window brought, or what
// is there without one. It returns nil when there will be no more.
func (l *lane) take(ctx context.Context) []record {
	for ctx.Err() == nil {
		records, wait := l.tryTake()
		if records != nil {
			signal(l.space)
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

// tryTake returns a batch if one is due. Otherwise it says how long the window
// lasts, 0 for a window that has not begun, and less if nothing will come.
func (l *lane) tryTake() ([]record, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, full := l.batch()
	if n == 0 {
		if l.closed {
			return nil, -1
		}
		return nil, 0
	}
	if rest := l.BatchWindow - l.Clock.Since(l.since); rest > 0 && !full && !l.closed {
		return nil, rest
	}
	records := l.stock[:n:n]
	l.stock = l.stock[n:]
	return records, 0
}

// await waits for more records, at most for the rest of the window if there is
// one. It reports whether ctx still lives.
func (l *lane) await(ctx context.Context, window time.Duration) bool {
	var windowEnds <-chan time.Time
	if window > 0 {
		timer := l.Clock.NewTimer(window)
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
