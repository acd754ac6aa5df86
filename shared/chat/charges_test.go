package chat_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// What was charged is taken out of what a user may do next, by hundreds of weights, and holds
// them for an hour at most. An instance that charged it knows when they have spent their limit.
func TestCharges_TakeFromTheLimitOverTime(t *testing.T) {
	const together = chat.ReachWeight * chat.SustainedPerTake
	w := newWorld(t)
	taken := 0
	w.store.Before(func(string) error { taken++; return nil })
	limit := chat.RateLimit{Interval: time.Second, Burst: 250}
	charges := chat.NewCharges(w.store, limit, w.clock.now)
	add := func(user string, posts int) time.Duration {
		spent, err := charges.Add(t.Context(), user, posts)
		ok(t, err)
		return spent
	}
	for range 100 {
		if spent := add("alice", together/100-1); spent > 0 {
			t.Fatal("the limit is spent")
		}
	}
	if taken != 0 {
		t.Errorf("%d were taken, want none before they weigh %d", taken, chat.SustainedPerTake)
	}
	if spent := add("alice", 2*together); spent > 0 || taken != 1 {
		t.Errorf("spent for %v after %d takes, want some left after one", spent, taken)
	}
	limits := chat.NewLimiter(w.store, chat.Limits{chat.Sustaining: limit}, w.clock.now)
	refused(t, "more than is left", limits.Take(t.Context(), "alice", chat.Sustaining, 100), chat.CodeRateLimited)
	if spent := add("alice", together); spent != 51*time.Second || charges.Spent("alice") != spent {
		t.Errorf("spent for %v, want 51s for the next one", spent)
	}
	add("alice", 1e9)
	if spent := add("alice", 50*together); spent > chat.DebtFor+time.Second {
		t.Errorf("spent for %v, want an hour at most", spent)
	}
	w.clock.advance(chat.DebtFor + time.Second)
	ok(t, limits.Take(t.Context(), "alice", chat.Sustaining, 1))
	for _, free := range []string{"service:bot", "#erased", "bob"} {
		if add(free, together-1); charges.Spent(free) != 0 {
			t.Errorf("%s has spent their limit", free)
		}
	}
	if add("service:bot", 1e9); charges.Spent("service:bot") != 0 {
		t.Error("a service was charged")
	}
	w.breakOn("TakeRate")
	if _, err := charges.Add(t.Context(), "bob", 1); err == nil {
		t.Error("no error")
	}
	w.store.Before(nil)
	if add("bob", 1); charges.Spent("bob") != 0 {
		t.Error("bob has spent their limit")
	}
	refused(t, "after what had failed", limits.Take(t.Context(), "bob", chat.Sustaining, 151), chat.CodeRateLimited)
	none := chat.NewCharges(w.store, chat.RateLimit{}, w.clock.now).CountingFrom(5)
	if spent, err := none.Add(t.Context(), "carol", 1e9); spent != 0 || err != nil || none.Spent("carol") != 0 {
		t.Errorf("without a limit: %v, %v", spent, err)
	}
}

// A member who is paused in a room says and changes nothing there. A message that was stored
// is acknowledged again, and may be deleted.
func TestPaused_InARoom(t *testing.T) {
	w := newWorld(t)
	room, other := w.group("alice", "bob"), w.group("alice")
	w.connect("alice")
	m := w.say("alice", room, "hi")
	first, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "once", ClientMessageID: "c-1"})
	ok(t, err)
	ok(t, w.store.PauseMember(t.Context(), room, "alice", epoch+90_000))
	w.clock.set(30 * time.Second)
	editor := chat.NewEditor(w.store, w.clock.now, func(chat.Message) error { return nil })
	_, sendErr := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "x"})
	_, editErr := editor.Edit(t.Context(), "alice", room, m, "x", nil)
	_, reactErr := chat.NewReactors(w.store, w.clock.now).React(t.Context(), "alice", room, m, "👍", true)
	_, renameErr := w.rooms.Rename(t.Context(), "alice", room, "New")
	for what, err := range map[string]error{
		"send": sendErr, "edit": editErr, "react": reactErr, "rename": renameErr,
	} {
		refused(t, what, err, chat.CodeRateLimited)
		if wait := chat.Reason(err).RetryAfter; wait != time.Minute {
			t.Errorf("%s: retry after %v, want a minute", what, wait)
		}
	}
	again, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "once", ClientMessageID: "c-1"})
	if ok(t, err); !again.Duplicate || again.MessageID != first.MessageID {
		t.Errorf("what was stored before is answered by %+v, want a duplicate of %+v", again, first)
	}
	ok(t, editor.Delete(t.Context(), "alice", room, first.MessageID))
	w.say("alice", other, "elsewhere")
	_, _, err = chat.NewHistories(w.store).Read(t.Context(), "alice", room, chat.Range{Limit: 1})
	ok(t, err)
	w.clock.set(90 * time.Second)
	w.say("alice", room, "again")
}

// A heavy user is refused by no limit, whatever instances serve them, in an hour of 500
// messages in rooms of 50 who are all connected, 500 rooms that they open and read, 100
// pictures, 100 reactions and 20 connections; nor in the seven hours like it that follow.
func TestLimits_AHeavyUserIsNeverRefused(t *testing.T) {
	const instances, members, hours = 7, 50, 8
	w := newWorld(t)
	var rooms []string
	for range 5 {
		rooms = append(rooms, w.group("alice"))
	}
	sends := chat.PerSecond(chat.SendRate, chat.SendBurst)
	limits := chat.Limits{
		chat.Sending: sends, chat.Sustaining: sends.Sustained(), chat.Connecting: chat.PerMinute(chat.ConnectRate, chat.ConnectBurst),
		chat.Writing: chat.PerSecond(chat.WriteRate, chat.WriteBurst), chat.Reading: chat.PerSecond(chat.ReadRate, chat.ReadBurst),
	}
	var limiters []*chat.Limiter
	var senders []*chat.Sender
	var charges []*chat.Charges
	for i := range instances {
		limiters = append(limiters, chat.NewLimiter(w.store, limits, w.clock.now).CountingFrom(i*7919))
		sender := chat.NewSender(w.store, chat.NewIDs(w.clock.now, &counter{}), w.clock.now, func(chat.Message) error { return nil }, limits)
		senders = append(senders, sender.CountingFrom(i*7907))
		charges = append(charges, chat.NewCharges(w.store, limits[chat.Sustaining], w.clock.now).CountingFrom(i*7901))
	}
	sessions := chat.NewSessions(w.store, limits, w.clock.now)
	served := 0
	next := func() int { served++; return served % instances }
	charge := func(posts int) {
		if spent, err := charges[next()].Add(t.Context(), "alice", posts); spent > 0 || err != nil {
			t.Fatalf("action %d: the limit is spent for %v, error %v", served, spent, err)
		}
	}
	admit := func(action chat.Action, n int) {
		for range n {
			if err := limiters[next()].Admit(t.Context(), "alice", action); err != nil {
				t.Fatalf("request %d, %s: %v", served, action, err)
			}
		}
	}
	connection := func() string { return fmt.Sprint("alice-", served) }
	from := ""
	for minute := range hours * 60 {
		if minute%3 == 0 {
			next()
			from = connection()
			ok(t, sessions.Open(t.Context(), chat.Connection{ID: from, UserID: "alice", ConnectedAt: w.clock.now().UnixMilli(), TokenExpiresAt: 1 << 60}))
			charge(20*19 + 50) // to the members of 20 rooms of 20: that the user is there
		}
		for i := range 9 {
			admit(chat.Reading, 3) // the room, its history, and profiles
			admit(chat.Writing, 1) // it is read
			if i < 2 {
				admit(chat.Reading, 1) // a picture
				admit(chat.Writing, 1) // a reaction
			}
			_, err := senders[next()].Send(t.Context(), chat.SendRequest{ConnectionID: from, RoomID: rooms[i%len(rooms)], Content: "hi"})
			if err != nil {
				t.Fatalf("message %d: %v", served, err)
			}
			if beyond := 2*members + members/chat.ReadsPerPost - chat.ReachWeight; beyond > 0 { // two connections each
				charge(beyond)
			}
			if minute%3 == 0 && i < len(rooms) {
				charge(chat.MoveWeight * members)
			}
			w.clock.advance(time.Minute / 9)
		}
	}
}

// Calls that race charge each post once.
func TestCharges_Race(t *testing.T) {
	w := newWorld(t)
	limit := chat.RateLimit{Interval: time.Second, Burst: 10_000}
	charges := chat.NewCharges(w.store, limit, w.clock.now)
	const callers = 16
	var taking, group sync.WaitGroup
	taking.Add(callers)
	w.store.Before(func(string) error {
		taking.Done()
		taking.Wait() // all have read what is owed
		return nil
	})
	for range callers {
		group.Go(func() {
			if _, err := charges.Add(t.Context(), "alice", chat.ReachWeight*chat.SustainedPerTake); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	w.store.Before(nil)
	window, _, err := w.store.TakeRate(t.Context(), chat.RateTake{UserID: "alice", Action: chat.Sustaining, Limit: limit, Count: 1})
	ok(t, err)
	if got := (window - epoch) / 1000; got != callers*chat.SustainedPerTake+1 {
		t.Errorf("%d weights were charged, want %d", got-1, callers*chat.SustainedPerTake)
	}
}
