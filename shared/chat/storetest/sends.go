package storetest

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

var sendTests = map[string]func(*fixture){
	"PutMessage/stores all of a message": func(f *fixture) {
		want := message("r", "alice", 5)
		want.ClientMessageID, want.Origin, want.Previous = "once", "connection=", messageID(4, 0)
		f.put(want)
		got, more, err := f.Messages(f.Context(), "r", chat.Range{Limit: 1})
		ok(f, err)
		equal(f, "messages", []chat.Message{want}, got)
		if more {
			f.Error("more, want that this is all")
		}
	},
	"PutMessage/repeated stores one": func(f *fixture) {
		first := message("r", "alice", 1)
		again := first
		again.Content = "another"
		f.put(first, first, again)
		got, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 10})
		ok(f, err)
		equal(f, "messages", []chat.Message{first}, got)
	},
	"HasMessage/finds what is stored in a room": func(f *fixture) {
		f.put(message("r", "alice", 1))
		for _, test := range []struct {
			room, id string
			want     bool
		}{{"r", messageID(1, 0), true}, {"r", messageID(2, 0), false}, {"s", messageID(1, 0), false}} {
			got, err := f.HasMessage(f.Context(), test.room, test.id)
			ok(f, err)
			if got != test.want {
				f.Errorf("%s in %s: %t, want %t", test.id, test.room, got, test.want)
			}
		}
	},
	"MessageBefore/is the newest of a room before one that is not stored": func(f *fixture) {
		f.put(message("r", "alice", 1), message("r", "bob", 2), message("r", "alice", 4), message("s", "bob", 3))
		for _, test := range []struct{ room, id, want string }{
			{"r", messageID(5, 0), messageID(4, 0)},
			{"r", messageID(3, 0), messageID(2, 0)}, // a clock that is behind
			{"r", messageID(2, 0), ""},              // stored already
			{"r", messageID(0, 0), chat.NoneBefore},
			{"q", messageID(5, 0), chat.NoneBefore},
		} {
			got, err := f.MessageBefore(f.Context(), test.room, test.id)
			ok(f, err)
			if got != test.want {
				f.Errorf("before %s in %s: %q, want %q", test.id, test.room, got, test.want)
			}
		}
	},
	"ClaimSend/remembers a client message id of its sender for SentMemory, in every room": func(f *fixture) {
		memory := chat.SentMemory.Milliseconds()
		for _, step := range []struct {
			room, sender string
			ms           int64
			claimed      bool
		}{
			{"r", "alice", 0, true},
			{"r", "alice", 0, true}, // an answer that was lost
			{"r", "bob", 1, true},   // another sender's
			{"r", "alice", 2, false},
			{"s", "alice", 3, false},
			{"r", "alice", memory - 1, false},
			{"r", "alice", memory, true},
			{"r", "alice", memory + 1, false},
		} {
			m := once(message(step.room, step.sender, step.ms))
			earlier, claimed, err := f.ClaimSend(f.Context(), m, epoch+step.ms)
			ok(f, err)
			if claimed != step.claimed {
				f.Errorf("%+v: claimed %t", step, claimed)
			}
			want := chat.SentBefore{}
			if !step.claimed {
				want = chat.SentBefore{RoomID: "r", MessageID: messageID(0, 0)}
			}
			if step.ms > memory {
				want.MessageID = messageID(memory, 0)
			}
			equal(f, "earlier send", want, earlier)
		}
		if got, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 10}); len(got) > 0 || err != nil {
			f.Errorf("%v are stored, error %v; want none", got, err)
		}
	},
	"ClaimSend/is won by one of those that race": func(f *fixture) {
		won := race(f, 8, func(i int) (bool, error) {
			_, claimed, err := f.ClaimSend(f.Context(), once(message("r", "alice", int64(i))), epoch)
			return claimed, err
		})
		if won != 1 {
			f.Errorf("%d claimed, want 1", won)
		}
	},
	"ResumeSend/stores a claimed message, or another instead of it": func(f *fixture) {
		for i, fresh := range []bool{false, true} {
			first := once(message("r", fmt.Sprint("user-", i), int64(10*i)))
			claim := f.claim(first)
			m := first
			if fresh {
				m = once(message("r", first.SenderID, int64(10*i)+1))
			}
			want := chat.SentBefore{RoomID: "r", MessageID: m.ID, Stored: true}
			latest, resumed, err := f.ResumeSend(f.Context(), m, claim, epoch)
			ok(f, err)
			if !resumed || latest != want {
				f.Errorf("fresh %t: resumed %t, remembered %+v; want %+v", fresh, resumed, latest, want)
			}
			for range 2 { // and no other after it
				latest, resumed, err = f.ResumeSend(f.Context(), once(message("r", first.SenderID, int64(10*i)+5)), claim, epoch)
				ok(f, err)
				if resumed || latest != want {
					f.Errorf("fresh %t, another: resumed %t, remembered %+v; want %+v", fresh, resumed, latest, want)
				}
			}
			earlier, claimed, err := f.ClaimSend(f.Context(), first, epoch)
			ok(f, err)
			if claimed || earlier != want {
				f.Errorf("fresh %t: claimed %t, remembered %+v; want %+v", fresh, claimed, earlier, want)
			}
		}
		got, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 10})
		ok(f, err)
		inOrder(f, "messages", []string{messageID(11, 0), messageID(0, 0)}, ids(got))
	},
	"ResumeSend/finds that the message was stored, or nothing claimed": func(f *fixture) {
		m := once(message("r", "alice", 1))
		claim := f.claim(m)
		f.put(m)
		again := m
		again.Content = "again"
		latest, resumed, err := f.ResumeSend(f.Context(), again, claim, epoch)
		ok(f, err)
		if want := (chat.SentBefore{RoomID: "r", MessageID: m.ID, Stored: true}); resumed || latest != want {
			f.Errorf("resumed %t, remembered %+v; want %+v", resumed, latest, want)
		}
		latest, resumed, err = f.ResumeSend(f.Context(), once(message("r", "bob", 2)), claim, epoch)
		ok(f, err)
		if resumed || latest != (chat.SentBefore{}) {
			f.Errorf("without a claim: resumed %t, remembered %+v", resumed, latest)
		}
		got, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 10})
		ok(f, err)
		equal(f, "messages", []chat.Message{m}, got)
	},
	"ResumeSend/is won by one of those that race": func(f *fixture) {
		claim := f.claim(once(message("r", "alice", 0)))
		won := race(f, 8, func(i int) (bool, error) {
			_, resumed, err := f.ResumeSend(f.Context(), once(message("r", "alice", int64(i))), claim, epoch)
			return resumed, err
		})
		got, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 10})
		ok(f, err)
		if won != 1 || len(got) != 1 {
			f.Errorf("%d resumed, %d messages stored; want 1 and 1", won, len(got))
		}
	},
	"Sender/stores one of the tries that race, or begin where others ended": func(f *fixture) {
		for i := range 30 {
			f.sendTries(fmt.Sprint("r", i), i)
		}
	},
}

// once gives a message the client message id k.
func once(m chat.Message) chat.Message {
	m.ClientMessageID = "k"
	return m
}

// claim has m's sender claim m's client message id, for m.
func (f *fixture) claim(m chat.Message) chat.SentBefore {
	f.Helper()
	_, claimed, err := f.ClaimSend(f.Context(), m, epoch)
	if err != nil || !claimed {
		f.Fatalf("ClaimSend: claimed %t, error %v", claimed, err)
	}
	return chat.SentBefore{RoomID: m.RoomID, MessageID: m.ID}
}

// errEnded is what a try that has ended gets of the store.
var errEnded = errors.New("the function has ended")

// ending is a store whose caller ends after some of its writes of a send.
type ending struct {
	Store
	writes atomic.Int64 // that are still made
}

func (e *ending) write() error {
	if e.writes.Add(-1) < 0 {
		return errEnded
	}
	return nil
}

func (e *ending) ClaimSend(ctx context.Context, m chat.Message, now int64) (chat.SentBefore, bool, error) {
	if err := e.write(); err != nil {
		return chat.SentBefore{}, false, err
	}
	return e.Store.ClaimSend(ctx, m, now)
}

func (e *ending) PutMessage(ctx context.Context, m chat.Message) error {
	if err := e.write(); err != nil {
		return err
	}
	return e.Store.PutMessage(ctx, m)
}

func (e *ending) ResumeSend(ctx context.Context, m chat.Message, earlier chat.SentBefore, now int64) (chat.SentBefore, bool, error) {
	if err := e.write(); err != nil {
		return chat.SentBefore{}, false, err
	}
	return e.Store.ResumeSend(ctx, m, earlier, now)
}

// sendTries sends a message in several rounds of tries at once, some of which end
// between two writes, with pauses from none to hours. All tries that are answered name
// one message, which is the only one, and not far behind the last round.
func (f *fixture) sendTries(room string, seed int) {
	f.Helper()
	random := rand.New(rand.NewPCG(uint64(seed), 1)) //nolint:gosec // a test's
	user := "user-" + room
	f.create(room, user)
	var mu sync.Mutex
	answers := map[string]int{}
	firsts := 0
	for range 1 + random.IntN(3) {
		try := func(limit int) {
			store := &ending{Store: f.Store}
			store.writes.Store(int64(limit))
			sender := chat.NewSender(store, chat.NewIDs(f.clock.now, crand.Reader), f.clock.now, func(chat.Message) error { return nil }, nil)
			got, err := sender.Send(f.Context(), chat.SendRequest{ConnectionID: "c-" + room, RoomID: room, Content: "x", ClientMessageID: "k"})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, errEnded):
			case err != nil:
				f.Error(err)
			default:
				answers[got.MessageID]++
				if !got.Duplicate {
					firsts++
				}
			}
		}
		f.connect(chat.Connection{ID: "c-" + room, UserID: user, ConnectedAt: f.clock.ms.Load(), TokenExpiresAt: 1 << 50})
		var group sync.WaitGroup
		for range 1 + random.IntN(3) {
			limit := random.IntN(4)
			group.Go(func() { try(limit) })
		}
		group.Wait()
		f.clock.advance([]time.Duration{0, time.Second, chat.ResumeWithin, chat.ResumeWithin + time.Millisecond, 5 * time.Hour}[random.IntN(5)])
	}
	got, _, err := f.Messages(f.Context(), room, chat.Range{Limit: 10})
	ok(f, err)
	if len(answers) > 1 || len(got) > 1 || len(answers) > len(got) || firsts > 1 {
		f.Errorf("case %d: answers %v, %d of them the first; stored %v", seed, answers, firsts, ids(got))
	}
	for _, m := range got {
		if len(answers) > 0 && answers[m.ID] == 0 {
			f.Errorf("case %d: answers %v, stored %s", seed, answers, m.ID)
		}
	}
}
