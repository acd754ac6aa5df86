package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// message is one message under way. It is expected once by each member of its
// room.
type message struct {
	room     int
	measured bool
	intended time.Time // when it was to be sent; its latencies count from then
	acked    atomic.Bool
	refused  atomic.Bool
	left     atomic.Int64    // members who have not got it
	got      []atomic.Uint64 // a bit for each member who has
	latest   atomic.Int64    // the longest latency of them, in ns
	done     chan struct{}   // closed when all members have it, or it was refused
	close    sync.Once
}

// ledger accounts for each message and each of its deliveries. Its methods are
// safe for concurrent use.
type ledger struct {
	run     string // tells this run's messages from others in the same rooms
	members int

	mu       sync.RWMutex
	messages []*message
}

// add begins a message, which is known by its number from then on.
func (l *ledger) add(room int, intended time.Time, measured bool) (number int, m *message) {
	m = &message{
		room: room, intended: intended, measured: measured,
		got: make([]atomic.Uint64, (l.members+63)/64), done: make(chan struct{}),
	}
	m.left.Store(int64(l.members))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages = append(l.messages, m)
	return len(l.messages) - 1, m
}

// find returns a message by its number, and nil if there is none.
func (l *ledger) find(number int) *message {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if number < 0 || number >= len(l.messages) {
		return nil
	}
	return l.messages[number]
}

// all returns the messages so far.
func (l *ledger) all() []*message {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.messages[:len(l.messages):len(l.messages)]
}

// take notes that a member has got the message after a latency. It says whether the member
// had got it before, and whether all have it now. Which goroutine is the last to call it says
// nothing of when it read the message: the last delivery is the one of the longest latency.
func (m *message) take(member int, latency time.Duration) (doubled, last bool) {
	bit := uint64(1) << (member % 64)
	if m.got[member/64].Or(bit)&bit != 0 {
		return true, false
	}
	for longest := m.latest.Load(); int64(latency) > longest && !m.latest.CompareAndSwap(longest, int64(latency)); {
		longest = m.latest.Load()
	}
	if last = m.left.Add(-1) == 0; last {
		m.close.Do(func() { close(m.done) })
	}
	return false, last
}

// toLast returns the latency of the last delivery, once all members have the message.
func (m *message) toLast() time.Duration { return time.Duration(m.latest.Load()) }

// refuse notes that the server did not take the message.
func (m *message) refuse() {
	m.refused.Store(true)
	m.close.Do(func() { close(m.done) })
}

// settled says that nothing more is expected of the message.
func (m *message) settled() bool {
	return m.refused.Load() || (m.acked.Load() && m.left.Load() == 0)
}

// content is a message's text, from which every peer's deliveries tell its number.
func (l *ledger) content(number, bytes int) string {
	text := l.run + " " + strconv.Itoa(number) + " "
	return text + strings.Repeat("x", max(0, bytes-len(text)))
}

// number reads the number of a text that content made. ok is false for other
// texts, such as those of another run.
func (l *ledger) number(content string) (number int, ok bool) {
	rest, found := strings.CutPrefix(content, l.run+" ")
	digits, _, ended := strings.Cut(rest, " ")
	number, err := strconv.Atoi(digits)
	return number, found && ended && err == nil
}

// id is a message's number as an id that is unique beyond this run.
func (l *ledger) id(number int) string { return fmt.Sprintf("%s.%d", l.run, number) }

// idNumber reads what id made.
func (l *ledger) idNumber(id string) (number int, ok bool) {
	digits, found := strings.CutPrefix(id, l.run+".")
	number, err := strconv.Atoi(digits)
	return number, found && err == nil
}
