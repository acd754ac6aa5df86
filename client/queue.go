package client

import (
	"context"
	"sync"
)

// queueSize is how many events may wait for the application: seconds of a busy
// room, and at most some 20 MB.
const queueSize = 1024

// queue holds the events that wait for the application. It never blocks who
// adds to it: what doesn't fit is refused, and fetched again later.
type queue struct {
	mu     sync.Mutex
	events []Event
	closed bool

	added chan struct{} // something was added, or the queue was closed
	taken chan struct{} // no more than half of the queue is in use
}

func newQueue() *queue {
	return &queue{added: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
}

// full tells whether push would refuse an event.
func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.events) >= queueSize
}

// add adds an event, also to a full queue. What it may exceed is bounded: by the
// messages that one live message lets pass, and by those of one answer, for which
// half of the queue was free.
func (q *queue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = append(q.events, e)
	signal(q.added)
}

// push adds an event unless the queue is full.
func (q *queue) push(e Event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) >= queueSize {
		return false
	}
	q.events = append(q.events, e)
	signal(q.added)
	return true
}

// pushState adds what became of the connection, also to a full queue: there it
// replaces the one before, so that the queue stays bounded.
func (q *queue) pushState(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.events); n > queueSize {
		q.events[n-1] = e
	} else {
		q.events = append(q.events, e)
	}
	signal(q.added)
}

// pop waits for the next event. It returns false when ctx has ended, or when
// the queue was closed and is empty.
func (q *queue) pop(ctx context.Context) (Event, bool) {
	for {
		e, ok, closed := q.take()
		if ok || closed {
			return e, ok
		}
		select {
		case <-q.added:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (q *queue) take() (e Event, ok, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) == 0 {
		return nil, false, q.closed
	}
	e, q.events[0] = q.events[0], nil
	q.events = q.events[1:]
	if len(q.events) <= queueSize/2 {
		signal(q.taken)
	}
	return e, true, false
}

// awaitRoom waits until half of the queue is free.
func (q *queue) awaitRoom(ctx context.Context) error {
	for {
		q.mu.Lock()
		free := len(q.events) <= queueSize/2
		q.mu.Unlock()
		if free {
			return ctx.Err()
		}
		select {
		case <-q.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close lets pop end when the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	signal(q.added)
}

// signal wakes who waits on a channel of capacity one, now or later.
func signal(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
