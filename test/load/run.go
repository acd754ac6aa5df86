package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamroom/streamroom/shared/backoff"
)

// load is a run under way.
type load struct {
	plan       Plan
	peer       peer
	ledger     *ledger
	rooms      []map[int]int // each user's rooms, and which member the user is
	progress   func(string)
	elapsed    time.Duration // in which messages were sent and measured
	connecting time.Duration // until all connections were open

	sessions []*sender
	lost     atomic.Int64 // connections that ended before the run did

	connects, acks, each, last, behind *recorder
	counts                             counts
	timeline                           *timeline
}

// counts are over the whole run, those of the warm-up included.
type counts struct {
	sent, acked, delivered, doubled, late, unsent atomic.Int64
	mu                                            sync.Mutex
	refused                                       map[string]int64 // by code
}

func (c *counts) refuse(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[code]++
}

// sender is a user's session with the queue of what it is to send.
type sender struct {
	session
	user  int
	queue chan outgoing // nil for a user in no room, who sends nothing: to make one takes a third of a connect
}

type outgoing struct {
	room, number int
	message      *message
}

// queued is how many messages wait for one user's connection at most. A server
// that takes so few is beyond what is asked of it.
const queued = 4096

// giveUp is how long a window waits for a message that doesn't arrive.
const giveUp = 10 * time.Second

func newLoad(p Plan, l *ledger, server peer, progress func(string)) *load {
	return &load{
		plan: p, peer: server, ledger: l, rooms: p.roomsOf(), progress: progress,
		sessions: make([]*sender, p.Users),
		connects: newRecorder(), acks: newRecorder(), each: newRecorder(), last: newRecorder(), behind: newRecorder(),
		counts: counts{refused: map[string]int64{}}, timeline: newTimeline(),
	}
}

// newRun returns a name for a run, of letters and digits that every peer takes.
func newRun() string { return strings.ToLower(rand.Text()[:8]) }

// run carries out the plan. warm is called when the warm-up has ended. An end of ctx
// ends the load early, without an error: what there is by then counts.
func (l *load) run(ctx context.Context, warm func()) error {
	if err := l.peer.prepare(ctx, l.plan, l.progress); err != nil {
		return err
	}
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	var readers sync.WaitGroup
	defer func() {
		stop()
		for _, s := range l.sessions {
			if s == nil {
				continue
			}
			if s.queue != nil {
				close(s.queue)
			}
			s.close()
		}
		readers.Wait()
	}()
	if err := l.connectAll(ctx, reading, &readers); err != nil {
		return err
	}
	begin := time.Now()
	warmed := begin.Add(l.plan.WarmUp)
	l.timeline.begin(warmed)
	end := warmed.Add(l.plan.For)
	warming := time.AfterFunc(l.plan.WarmUp, warm)
	defer warming.Stop()
	sending, cancel := context.WithDeadline(ctx, end)
	if l.plan.For > 0 {
		l.sendAll(sending, begin, warmed, end)
	}
	cancel()
	l.elapsed = max(0, time.Since(warmed))
	l.drain(ctx)
	return nil
}

// handshakes is how many connections are being opened at a time. Servers refuse some of a
// larger storm; who waits does so from when the connection was to be opened.
const handshakes = 128

// connectAll opens all connections, by the clock.
func (l *load) connectAll(ctx, reading context.Context, readers *sync.WaitGroup) error {
	var opening sync.WaitGroup
	var opened atomic.Int64
	slots := make(chan struct{}, handshakes)
	failed := make(chan error, l.plan.Users)
	begin := time.Now()
	for user := range l.plan.Users {
		intended := begin.Add(l.plan.connectAt(user))
		if !sleepUntil(ctx, intended) {
			break
		}
		slots <- struct{}{}
		opening.Go(func() {
			defer func() { <-slots }()
			session, err := l.peer.connect(ctx, user)
			if err != nil {
				failed <- fmt.Errorf("connect user %d: %w", user, err)
				return
			}
			l.connects.record(user, time.Since(intended))
			s := &sender{session: session, user: user}
			l.sessions[user] = s
			readers.Go(func() { l.read(reading, s) })
			if len(l.rooms[user]) > 0 {
				s.queue = make(chan outgoing, queued)
				readers.Go(func() { l.write(reading, s) })
			}
			l.progress(fmt.Sprintf("connected %d of %d", opened.Add(1), l.plan.Users))
		})
	}
	opening.Wait()
	l.connecting = time.Since(begin)
	close(failed)
	if err := <-failed; err != nil {
		return fmt.Errorf("%d of %d connections failed: %w", len(failed)+1, l.plan.Users, err)
	}
	return ctx.Err()
}

// sleepUntil returns false if ctx ended first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	return backoff.Sleep(ctx, time.Until(at)) == nil && ctx.Err() == nil
}

// sendAll sends until ctx ends: by the clock, or each when one before it has
// arrived.
func (l *load) sendAll(ctx context.Context, begin, warmed, end time.Time) {
	if l.plan.Rate > 0 {
		for i := 0; ; i++ {
			intended := begin.Add(l.plan.sendAt(i))
			if !intended.Before(end) {
				sleepUntil(ctx, end)
				return
			}
			if !sleepUntil(ctx, intended) {
				return
			}
			l.enqueue(i%l.plan.Rooms, i/l.plan.Rooms, intended, !intended.Before(warmed))
		}
	}
	var windows sync.WaitGroup
	for room := range l.plan.Rooms {
		for slot := range l.plan.Window {
			windows.Go(func() { l.window(ctx, room, slot, warmed) })
		}
	}
	windows.Wait()
}

// window sends one message of a room after the other.
func (l *load) window(ctx context.Context, room, slot int, warmed time.Time) {
	for turn := slot; ctx.Err() == nil; turn += l.plan.Window {
		now := time.Now()
		m := l.enqueue(room, turn, now, !now.Before(warmed))
		select {
		case <-m.done:
		case <-time.After(giveUp):
		case <-ctx.Done():
		}
	}
}

// enqueue gives a message to one of the room's members to send: they take turns.
func (l *load) enqueue(room, turn int, intended time.Time, measured bool) *message {
	number, m := l.ledger.add(room, intended, measured)
	user := l.plan.member(room, turn%l.plan.Members)
	select {
	case l.sessions[user].queue <- outgoing{room: room, number: number, message: m}:
	default:
		l.counts.unsent.Add(1)
		m.refuse()
	}
	return m
}

func (l *load) write(ctx context.Context, s *sender) {
	for out := range s.queue {
		if out.message.measured {
			l.behind.record(s.user, time.Since(out.message.intended))
		}
		if err := s.send(ctx, out.room, out.number, l.ledger.content(out.number, l.plan.Bytes)); err != nil {
			l.counts.unsent.Add(1)
			out.message.refuse()
			continue
		}
		l.counts.sent.Add(1)
		if out.message.measured {
			l.timeline.sent(out.message.intended)
		}
	}
}

func (l *load) read(ctx context.Context, s *sender) {
	for {
		events, err := s.receive(ctx)
		now := time.Now()
		for _, e := range events {
			if m := l.ledger.find(e.number); m != nil {
				l.take(s.user, e, m, now)
			}
		}
		if err != nil {
			if ctx.Err() == nil {
				l.lost.Add(1)
			}
			return
		}
	}
}

// take notes what has come of a message.
func (l *load) take(user int, e event, m *message, now time.Time) {
	latency := now.Sub(m.intended)
	switch e.kind {
	case acked:
		if m.acked.CompareAndSwap(false, true) {
			l.counts.acked.Add(1)
			if m.measured {
				l.acks.record(user, latency)
				l.timeline.acked(now)
			}
		}
	case refused:
		l.counts.refuse(e.code)
		m.refuse()
	case delivered:
		l.deliver(user, m, now)
	}
}

func (l *load) deliver(user int, m *message, now time.Time) {
	member, ok := l.rooms[user][m.room]
	if !ok { // not a room of this user: as wrong as one that came twice
		l.counts.doubled.Add(1)
		return
	}
	latency := now.Sub(m.intended)
	doubled, last := m.take(member, latency)
	if doubled {
		l.counts.doubled.Add(1)
		return
	}
	l.counts.delivered.Add(1)
	if latency > l.plan.Late {
		l.counts.late.Add(1)
	}
	if !m.measured {
		return
	}
	l.each.record(user, latency)
	l.timeline.delivered(now)
	if last {
		l.last.record(user, m.toLast())
		l.timeline.last(m, m.toLast())
	}
}

// drain waits for what is under way.
func (l *load) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.plan.Drain)
	defer cancel()
	for _, m := range l.ledger.all() {
		for !m.settled() {
			if !sleepUntil(ctx, time.Now().Add(5*time.Millisecond)) {
				return
			}
		}
	}
}

// missing counts the deliveries that did not come, of messages that the server
// took or may have taken.
func (l *load) missing() (lost int64) {
	for _, m := range l.ledger.all() {
		if !m.refused.Load() {
			lost += m.left.Load()
		}
	}
	return lost
}
