package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a server in memory that does what a test says with each message, by
// the number that it has in the run. It delivers after a millisecond.
type scripted struct {
	plan     Plan
	ledger   *ledger
	sessions []*scriptedSession
	does     func(number int) (copies int, code string) // copies for each member; "" or why it is refused
	stall    func() time.Duration                       // before a message is taken
}

func (s *scripted) prepare(context.Context, Plan, func(string)) error { return nil }

func (s *scripted) connect(_ context.Context, user int) (session, error) {
	session := &scriptedSession{server: s, events: make(chan event, 10_000)}
	s.sessions[user] = session
	return session, nil
}

type scriptedSession struct {
	server *scripted
	events chan event
}

func (s *scriptedSession) send(_ context.Context, room, number int, _ string) error {
	time.AfterFunc(s.server.stall()+time.Millisecond, func() {
		copies, code := s.server.does(number)
		if code != "" {
			s.events <- event{kind: refused, number: number, code: code}
			return
		}
		s.events <- event{kind: acked, number: number}
		for n := range s.server.plan.Members {
			for range copies {
				s.server.sessions[s.server.plan.member(room, n)].events <- event{kind: delivered, number: number}
			}
		}
	})
	return nil
}

func (s *scriptedSession) receive(ctx context.Context) ([]event, error) {
	select {
	case e := <-s.events:
		return []event{e}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *scriptedSession) close() {}

// loaded makes a run on a scripted server, in virtual time.
func loaded(t *testing.T, p Plan, server *scripted) Report {
	t.Helper()
	if err := p.check(); err != nil {
		t.Fatal(err)
	}
	book := &ledger{run: newRun(), members: p.Members}
	server.plan, server.ledger, server.sessions = p, book, make([]*scriptedSession, p.Users)
	if server.does == nil {
		server.does = func(int) (int, string) { return 1, "" }
	}
	if server.stall == nil {
		server.stall = func() time.Duration { return 0 }
	}
	l := newLoad(p, book, server, func(string) {})
	if err := l.run(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	r, err := l.report(Report{Name: "scripted"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func plan() Plan {
	return Plan{
		Users: 6, Rooms: 2, Members: 3, Rate: 100, Bytes: 100, ConnectRate: 1000,
		For: 10 * time.Second, Drain: 5 * time.Second, Late: time.Second,
	}
}

func TestAccounting_EachDeliveryIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := loaded(t, plan(), &scripted{does: func(number int) (int, string) {
			switch number % 100 {
			case 7:
				return 0, "" // lost, for all three members
			case 8:
				return 2, "" // doubled, for all three
			case 9:
				return 0, "too_large"
			}
			return 1, ""
		}})
		if r.Sent != 1000 || r.Acked != 990 || r.Refused["too_large"] != 10 || r.Delivered != 980*3 || r.Lost != 30 || r.Doubled != 30 {
			t.Errorf("%d sent, %d acked, %v refused, %d delivered, %d lost, %d doubled", r.Sent, r.Acked, r.Refused, r.Delivered, r.Lost, r.Doubled)
		}
		if len(r.Problems()) != 3 {
			t.Errorf("problems: %q, want three", r.Problems())
		}
	})
}

func TestAccounting_WarmUpIsNotMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan()
		p.WarmUp = 2 * time.Second
		r := loaded(t, p, &scripted{})
		if r.Sent != 1200 || r.Ack.Count != 1000 || r.Each.Count != 3000 || len(r.Seconds) != 10 {
			t.Errorf("%d sent, %d acks, %d deliveries measured, in %d s", r.Sent, r.Ack.Count, r.Each.Count, len(r.Seconds))
		}
		if sent, acked, delivered := r.rates(); sent != 100 || acked < 99 || delivered < 297 {
			t.Errorf("%v sent, %v acked, %v delivered a second", sent, acked, delivered)
		}
	})
}

// TestAccounting_AStallCountsForAllThatItKeptWaiting: a server that takes nothing
// for two seconds is late for the 200 messages of that time, not for the one that a
// client waits for.
func TestAccounting_AStallCountsForAllThatItKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		r := loaded(t, plan(), &scripted{stall: func() time.Duration {
			if at := time.Since(begin); at >= 4*time.Second && at < 6*time.Second {
				return 6*time.Second - at
			}
			return 0
		}})
		if r.Late < 290 || r.Late > 310 {
			t.Errorf("%d deliveries are late, want those of the 100 messages that waited for over a second", r.Late)
		}
		if r.Last.P50 > 2 || r.Last.P90 < 900 || r.Last.P90 > 1100 || r.Last.Max < 1990 {
			t.Errorf("send to last: %+v; want 1 ms at p50, 1 s at p90, 2 s at most", r.Last)
		}
	})
}

// TestTake_TheLastIsTheLatest: a client that has read a message may note it after those that
// read it later.
func TestTake_TheLastIsTheLatest(t *testing.T) {
	l := &ledger{members: 3}
	_, m := l.add(0, time.Now(), true)
	for member, latency := range []time.Duration{5, 9, 7} {
		if _, last := m.take(member, latency); last != (member == 2) {
			t.Errorf("member %d is the last: %t", member, last)
		}
	}
	if got := m.toLast(); got != 9 {
		t.Errorf("to the last delivery: %v, want 9ns", got)
	}
}

// TestAccounting_WindowWaits: with a window a slow server gets less.
func TestAccounting_WindowWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan()
		p.Rate, p.Window = 0, 4
		r := loaded(t, p, &scripted{stall: func() time.Duration { return 99 * time.Millisecond }})
		// Two rooms × 4 messages each 100 ms for 10 s.
		if r.Sent < 792 || r.Sent > 808 || r.Delivered != r.Sent*3 {
			t.Errorf("%d sent, %d delivered; want 800, and three deliveries each", r.Sent, r.Delivered)
		}
	})
}

func TestAccounting_StoppedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan()
		book := &ledger{run: newRun(), members: p.Members}
		server := &scripted{
			plan: p, ledger: book, sessions: make([]*scriptedSession, p.Users),
			does: func(int) (int, string) { return 1, "" }, stall: func() time.Duration { return 0 },
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(errors.New("Ctrl-C")) })
		l := newLoad(p, book, server, func(string) {})
		if err := l.run(ctx, func() {}); err != nil {
			t.Fatal(err)
		}
		r, err := l.report(Report{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Sent < 290 || r.Sent > 300 || r.Elapsed > 3.1 {
			t.Errorf("%d sent in %v s; want what there was by the end", r.Sent, r.Elapsed)
		}
	})
}
