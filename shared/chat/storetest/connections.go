package storetest

import (
	"fmt"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// connection returns a connection whose life ends before its token does.
func connection(id, userID string) chat.Connection {
	return chat.Connection{ID: id, UserID: userID, ConnectedAt: epoch, TokenExpiresAt: epoch + (3 * time.Hour).Milliseconds()}
}

func (f *fixture) connect(c chat.Connection) {
	f.Helper()
	ok(f, f.PutConnection(f.Context(), c))
}

// limit is a rate limit of 10 a second in bursts of 20.
func limit(lastWindow int64) chat.SendLimit {
	return chat.SendLimit{
		Interval: 100 * time.Millisecond, Horizon: 1900 * time.Millisecond, TokenLeeway: 30 * time.Second, LastWindow: lastWindow,
	}
}

var connectionTests = map[string]func(*fixture){
	"Connection/returns what was put": func(f *fixture) {
		want := connection("c", "alice")
		f.connect(want)
		got, found, err := f.Connection(f.Context(), "c")
		ok(f, err)
		equal(f, "connection", want, got)
		if _, other, err := f.Connection(f.Context(), "d"); !found || other || err != nil {
			f.Errorf("found %t, another %t, error %v; want true, false, nil", found, other, err)
		}
	},
	"Connection/is gone a second after its end, at its token's or its own": func(f *fixture) {
		c := connection("c", "alice")
		c.TokenExpiresAt = epoch + 1_500 // with its grace: 61.5 s
		f.connect(c)
		f.connect(connection("d", "alice"))
		for _, step := range []struct {
			at   time.Duration
			c, d bool
		}{
			{61_499 * time.Millisecond, true, true},
			{62_500 * time.Millisecond, false, true},
			{chat.ConnectionLife - time.Millisecond, false, true},
			{chat.ConnectionLife + time.Second, false, false},
		} {
			f.clock.ms.Store(epoch + step.at.Milliseconds())
			_, c, err := f.Connection(f.Context(), "c")
			ok(f, err)
			_, d, err := f.Connection(f.Context(), "d")
			ok(f, err)
			if c != step.c || d != step.d {
				f.Errorf("after %v: found %t and %t, want %t and %t", step.at, c, d, step.c, step.d)
			}
			present, err := f.Presence(f.Context(), []string{"alice"}, 10)
			ok(f, err)
			want := 0
			for _, there := range []bool{step.c, step.d} {
				if there {
					want++
				}
			}
			// An entry may expire up to a second after its row; it must not before.
			if got := len(present["alice"]); got != want {
				f.Errorf("after %v: %d connections present, want %d", step.at, got, want)
			}
		}
	},
	"DeleteConnection/removes the row and the entry, and may be repeated": func(f *fixture) {
		f.connect(connection("c", "alice"))
		f.connect(connection("d", "alice"))
		for range 2 {
			ok(f, f.DeleteConnection(f.Context(), "c"))
			_, found, err := f.Connection(f.Context(), "c")
			ok(f, err)
			present, err := f.Presence(f.Context(), []string{"alice"}, 10)
			ok(f, err)
			if found || len(present["alice"]) != 1 || present["alice"][0].ID != "d" {
				f.Errorf("found %t, present %v; want d alone", found, present)
			}
		}
		ok(f, f.DeleteConnection(f.Context(), "never there"))
	},
	"SignedIn/names those who opened a connection, or were noted, also when it has ended": func(f *fixture) {
		c := chat.Connection{ID: "c1", UserID: "bob", ConnectedAt: epoch, TokenExpiresAt: epoch + 60_000}
		ok(f, f.PutConnection(f.Context(), c))
		ok(f, f.NoteUser(f.Context(), "carol", epoch))
		f.create("r", "dave", "erin")
		ok(f, f.SetDisplayName(f.Context(), "frank", "Frank", epoch))
		for range 2 {
			got, err := f.SignedIn(f.Context(), []string{"carol", "alice", "bob", "dave", "erin"})
			ok(f, err)
			inOrder(f, "who has signed in", []string{"carol", "bob"}, got)
			f.clock.advance(100 * 24 * time.Hour)
		}
		ok(f, f.NoteUser(f.Context(), "bob", epoch)) // takes nothing away
		c.ID, c.ConnectedAt, c.TokenExpiresAt = "c2", f.clock.ms.Load(), f.clock.ms.Load()+60_000
		ok(f, f.PutConnection(f.Context(), c))
		ok(f, f.NoteUser(f.Context(), "bob", epoch))
		present, err := f.Presence(f.Context(), []string{"bob", "carol"}, 10)
		ok(f, err)
		if len(present) != 1 || len(present["bob"]) != 1 || present["bob"][0].ID != "c2" {
			f.Errorf("present: %v, want c2", present)
		}
	},
	"Presence/returns the newest connections of those who have some": func(f *fixture) {
		for i := range 5 {
			c := connection(fmt.Sprint("c", i), "alice")
			c.ConnectedAt += int64(i)
			f.connect(c)
		}
		f.connect(connection("d", "bob"))
		asked := []string{"alice", "bob", "carol"}
		for i := range 97 {
			asked = append(asked, fmt.Sprint("user", i))
		}
		present, err := f.Presence(f.Context(), asked, 2)
		ok(f, err)
		equal(f, "presence", map[string][]chat.Connection{
			"alice": {{ID: "c4", UserID: "alice", ConnectedAt: epoch + 4}, {ID: "c3", UserID: "alice", ConnectedAt: epoch + 3}},
			"bob":   {{ID: "d", UserID: "bob", ConnectedAt: epoch}},
		}, present)
	},
	"PutConnection/replaces the oldest of more than the limit": func(f *fixture) {
		const more = 3
		for i := range chat.MaxConnections + more {
			c := connection(fmt.Sprintf("c%02d", i), "alice")
			c.ConnectedAt += int64(i)
			f.connect(c)
			f.connect(connection(fmt.Sprint("d", i), fmt.Sprint("bob", i)))
		}
		present, err := f.Presence(f.Context(), []string{"alice"}, 100)
		ok(f, err)
		if got := present["alice"]; len(got) != chat.MaxConnections || got[len(got)-1].ID != "c03" {
			f.Errorf("%d connections, the oldest %+v; want %d from c03 on", len(got), got[len(got)-1], chat.MaxConnections)
		}
		for i := range chat.MaxConnections + more {
			id := fmt.Sprintf("c%02d", i)
			c, found, err := f.Connection(f.Context(), id)
			ok(f, err)
			state, taken, err := f.TakeSend(f.Context(), id, limit(0))
			ok(f, err)
			if old := i < more; !found || c.ReplacedAt != 0 != old || state.ReplacedAt != 0 != old || taken == old {
				f.Errorf("%s: found %t %+v, send taken %t; want replaced: %t", id, found, c, taken, old)
			}
		}
	},
	"PutConnection/leaves the newest of those that race": func(f *fixture) {
		const all = 2 * chat.MaxConnections
		race(f, all, func(i int) (bool, error) {
			c := connection(fmt.Sprintf("c%02d", i), "alice")
			c.ConnectedAt += int64(i)
			err := f.PutConnection(f.Context(), c)
			if chat.Reason(err).Code == chat.CodeReplaced {
				err = nil
			}
			return true, err
		})
		present, err := f.Presence(f.Context(), []string{"alice"}, all)
		ok(f, err)
		if n := len(present["alice"]); n > chat.MaxConnections || n == 0 {
			f.Errorf("%d connections, want 1 to %d", n, chat.MaxConnections)
		}
		served := map[string]bool{}
		for _, c := range present["alice"] {
			served[c.ID] = true
		}
		for i := range all { // none believes that it can be reached, and cannot
			id := fmt.Sprintf("c%02d", i)
			c, found, err := f.Connection(f.Context(), id)
			ok(f, err)
			if (found && c.ReplacedAt == 0) != served[id] {
				f.Errorf("%s: found %t %+v, but has an entry: %t", id, found, c, served[id])
			}
		}
	},
	"TakeSend/admits a burst, then one an interval": func(f *fixture) {
		f.connect(connection("c", "alice"))
		for _, step := range []struct {
			wait     time.Duration
			attempts int
			taken    int
		}{
			{0, 21, 20},
			{99 * time.Millisecond, 1, 0},
			{time.Millisecond, 2, 1},
			{time.Hour, 25, 20}, // a window that ran out long ago gives no more than a burst
		} {
			f.clock.advance(step.wait)
			taken := 0
			for range step.attempts {
				state, admitted, err := f.TakeSend(f.Context(), "c", limit(0))
				ok(f, err)
				if admitted {
					taken++
				}
				if state.UserID != "alice" || !state.Exists {
					f.Errorf("state %+v, want the row of alice", state)
				}
			}
			if taken != step.taken {
				f.Errorf("after %v: %d of %d taken, want %d", step.wait, taken, step.attempts, step.taken)
			}
		}
	},
	"TakeSend/moves the window to max(window, now) + Interval, whatever LastWindow is": func(f *fixture) {
		f.connect(connection("c", "alice"))
		now := int64(epoch)
		for i, last := range []int64{0, 0, now + 100, now + 50_000, now - 1, now + 400} {
			state, taken, err := f.TakeSend(f.Context(), "c", limit(last))
			ok(f, err)
			if want := now + int64(i+1)*100; !taken || state.RateWindow != want {
				f.Errorf("with LastWindow %d: taken %t, window %d; want %d", last, taken, state.RateWindow, want)
			}
		}
	},
	"TakeRate/admits a burst, then one an interval, and says when the next": func(f *fixture) {
		limit := chat.RateLimit{Interval: 2 * time.Second, Burst: 20}
		for _, step := range []struct {
			wait     time.Duration
			attempts int
			taken    int
			next     time.Duration
		}{
			{0, 25, 20, 2 * time.Second}, // what is refused moves nothing
			{1_999 * time.Millisecond, 3, 0, time.Millisecond},
			{time.Millisecond, 2, 1, 2 * time.Second},
			{6 * time.Second, 4, 3, 2 * time.Second},
			{time.Hour, 25, 20, 2 * time.Second},
		} {
			f.clock.advance(step.wait)
			taken, next := 0, time.Duration(0)
			for range step.attempts {
				wait, err := f.TakeRate(f.Context(), "alice", "connect", limit)
				ok(f, err)
				if wait == 0 {
					taken++
				}
				next = wait
			}
			if taken != step.taken || next != step.next {
				f.Errorf("after %v: %d of %d taken, next in %v; want %d, %v", step.wait, taken, step.attempts, next, step.taken, step.next)
			}
		}
	},
	"TakeRate/counts each user and kind alone": func(f *fixture) {
		limit := chat.RateLimit{Interval: time.Second, Burst: 1}
		for _, one := range [][2]string{{"alice", "connect"}, {"bob", "connect"}, {"alice", "write"}} {
			for i, want := range []time.Duration{0, time.Second} {
				if wait, err := f.TakeRate(f.Context(), one[0], one[1], limit); wait != want || err != nil {
					f.Errorf("%v, attempt %d: %v, %v; want %v", one, i, wait, err, want)
				}
			}
		}
	},
	"TakeRate/never admits more than a burst at once": func(f *fixture) {
		limit := chat.RateLimit{Interval: 2 * time.Second, Burst: 20}
		take := func(int) (bool, error) {
			wait, err := f.TakeRate(f.Context(), "alice", "connect", limit)
			return wait == 0, err
		}
		taken := race(f, 30, take)
		for range 20 - taken { // those that gave up in the race
			if admitted, err := take(0); admitted && err == nil {
				taken++
			}
		}
		if more, err := take(0); taken != 20 || more || err != nil {
			f.Errorf("%d taken, another %t, %v; want 20, false", taken, more, err)
		}
	},
	"TakeSend/refuses connections that do not exist, have expired, or whose token has": func(f *fixture) {
		c := connection("c", "alice")
		c.TokenExpiresAt = epoch + 10_000
		f.connect(c)
		f.connect(connection("d", "alice"))
		for _, step := range []struct {
			id            string
			at            time.Duration
			exists, taken bool
		}{
			{"none", 0, false, false},
			{"c", 0, true, true},
			{"c", 39_999 * time.Millisecond, true, true}, // the leeway
			{"c", 40_000 * time.Millisecond, true, false},
			{"d", chat.ConnectionLife - time.Second, true, true},
			{"d", chat.ConnectionLife, false, false}, // as for Connection
		} {
			f.clock.ms.Store(epoch + step.at.Milliseconds())
			state, taken, err := f.TakeSend(f.Context(), step.id, limit(0))
			ok(f, err)
			if state.Exists != step.exists || taken != step.taken {
				f.Errorf("%s after %v: exists %t, taken %t; want %t, %t", step.id, step.at, state.Exists, taken, step.exists, step.taken)
			}
		}
	},
	"TakeSend/never admits more than a burst at once": func(f *fixture) {
		f.connect(connection("c", "alice"))
		taken := race(f, 30, func(int) (bool, error) {
			_, admitted, err := f.TakeSend(f.Context(), "c", limit(0))
			return admitted, err
		})
		for range 20 - taken { // those that gave up in the race
			_, admitted, err := f.TakeSend(f.Context(), "c", limit(0))
			ok(f, err)
			if admitted {
				taken++
			}
		}
		state, more, err := f.TakeSend(f.Context(), "c", limit(0))
		ok(f, err)
		if taken != 20 || more || state.RateWindow != epoch+2_000 {
			f.Errorf("%d taken, another %t, window %d; want 20, false, %d", taken, more, state.RateWindow, epoch+2_000)
		}
	},
}
