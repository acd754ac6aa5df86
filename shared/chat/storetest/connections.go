package storetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// connection returns a connection whose life ends before its token does.
func connection(id, userID string) chat.Connection {
	return chat.Connection{ID: id, UserID: userID, ConnectedAt: epoch, TokenExpiresAt: epoch + (3 * time.Hour).Milliseconds()}
}

func (f *fixture) connect(c chat.Connection) {
	f.Helper()
	_, _, err := f.PutConnection(f.Context(), c, chat.RateTake{})
	ok(f, err)
}

// limit is a rate limit of 10 a second in bursts of 20.
var limit = chat.RateLimit{Interval: 100 * time.Millisecond, Burst: 20}

// take takes one of what a limit allows alice.
func (f *fixture) take(limit chat.RateLimit, lastWindow int64) (window int64, wait time.Duration) {
	f.Helper()
	window, wait, err := f.TakeRate(f.Context(), chat.RateTake{
		UserID: "alice", Action: chat.Writing, Limit: limit, Count: 1, LastWindow: lastWindow,
	})
	ok(f, err)
	return window, wait
}

// connecting takes one connection out of a user's limit.
func connecting(userID string, limit chat.RateLimit, lastWindow int64) chat.RateTake {
	return chat.RateTake{UserID: userID, Action: chat.Connecting, Limit: limit, Count: 1, LastWindow: lastWindow}
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
			ok(f, f.DeleteConnection(f.Context(), "c", false))
			_, found, err := f.Connection(f.Context(), "c")
			ok(f, err)
			present, err := f.Presence(f.Context(), []string{"alice"}, 10)
			ok(f, err)
			if found || len(present["alice"]) != 1 || present["alice"][0].ID != "d" {
				f.Errorf("found %t, present %v; want d alone", found, present)
			}
		}
		ok(f, f.DeleteConnection(f.Context(), "never there", false))
	},
	"SignedIn/names those who opened a connection, or were noted, also when it has ended": func(f *fixture) {
		c := chat.Connection{ID: "c1", UserID: "bob", ConnectedAt: epoch, TokenExpiresAt: epoch + 60_000}
		f.connect(c)
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
		f.connect(c)
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
	"ChangedAt/is the time of the newest room": func(f *fixture) {
		f.create("a", "alice", "bob")
		for user, want := range map[string]int64{"alice": epoch, "bob": epoch, "carol": 0} {
			got, err := f.ChangedAt(f.Context(), user)
			ok(f, err)
			if got != want {
				f.Errorf("%s: %d, want %d", user, got, want)
			}
		}
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
			if old := i < more; !found || c.ReplacedAt != 0 != old || c.Flooded {
				f.Errorf("%s: found %t %+v; want replaced: %t", id, found, c, old)
			}
		}
	},
	"PutConnection/of more than the limit replaces the one that it is to replace": func(f *fixture) {
		for i := range chat.MaxConnections {
			c := connection(fmt.Sprintf("c%02d", i), "alice")
			c.ConnectedAt += int64(i)
			f.connect(c)
		}
		for _, step := range []struct{ id, replaces, replaced string }{
			{"n1", "c07", "c07"},
			{"n2", "c07", "c00"}, // which has gone
			{"n3", "d", "c01"},   // of another user
			{"n4", "n4", "c02"},  // itself
		} {
			f.connect(connection("d", "bob"))
			c := connection(step.id, "alice")
			c.ConnectedAt, c.Replaces = c.ConnectedAt+1000, step.replaces
			f.connect(c)
			for _, id := range []string{step.replaced, "d", step.id} {
				c, found, err := f.Connection(f.Context(), id)
				ok(f, err)
				if replaced := id == step.replaced; !found || c.ReplacedAt != 0 != replaced {
					f.Errorf("%s for %q: %s: found %t %+v; want replaced: %t", step.id, step.replaces, id, found, c, replaced)
				}
			}
		}
	},
	"PutConnection/below the limit replaces none": func(f *fixture) {
		f.connect(connection("c1", "alice"))
		c := connection("c2", "alice")
		c.Replaces = "c1"
		f.connect(c)
		old, found, err := f.Connection(f.Context(), "c1")
		ok(f, err)
		if !found || old.ReplacedAt != 0 {
			f.Errorf("found %t %+v, want it as it was", found, old)
		}
	},
	"PutConnection/leaves the newest of those that race": func(f *fixture) {
		const all = 2 * chat.MaxConnections
		race(f, all, func(i int) (bool, error) {
			c := connection(fmt.Sprintf("c%02d", i), "alice")
			c.ConnectedAt += int64(i)
			_, _, err := f.PutConnection(f.Context(), c, chat.RateTake{})
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
	"PutConnection/moves the window of a limit, whatever LastWindow is, or stores nothing": func(f *fixture) {
		limit := chat.RateLimit{Interval: 2 * time.Second, Burst: 3}
		now := int64(epoch)
		stored := []string{"free"}
		f.connect(connection("free", "alice")) // without a limit, and of no window
		f.connect(connection("free of bob", "bob"))
		for i, step := range []struct {
			after      time.Duration
			user       string
			last       int64
			window     int64 // after epoch
			retryAfter time.Duration
		}{
			{0, "alice", 0, 2_000, 0},
			{0, "alice", now + 2_000, 4_000, 0},
			{0, "bob", now + 4_000, 2_000, 0}, // has a window of his own
			{0, "alice", now + 60_000, 6_000, 0},
			{0, "alice", now + 6_000, 6_000, 2 * time.Second},
			{0, "alice", 0, 6_000, 2 * time.Second},
			{1_999 * time.Millisecond, "alice", 0, 6_000, time.Millisecond},
			{time.Millisecond, "alice", now - 1, 8_000, 0},
			{time.Hour, "alice", now + 8_000, 3_604_000, 0},
		} {
			f.clock.advance(step.after)
			c := connection(fmt.Sprint("c", i), step.user)
			c.ConnectedAt = f.clock.ms.Load()
			window, wait, err := f.PutConnection(f.Context(), c, connecting(step.user, limit, step.last))
			if window != now+step.window || wait != step.retryAfter || err != nil {
				f.Errorf("step %d: window %d after the epoch, wait %v, error %v; want %d, %v", i, window-now, wait, err, step.window, step.retryAfter)
			}
			_, found, err := f.Connection(f.Context(), c.ID)
			if found != (step.retryAfter == 0) || err != nil {
				f.Errorf("step %d: stored %t, error %v", i, found, err)
			}
			if found && step.user == "alice" {
				stored = append(stored, c.ID)
			}
		}
		present, err := f.Presence(f.Context(), []string{"alice"}, 100)
		ok(f, err)
		entries := []string{}
		for _, c := range present["alice"] {
			entries = append(entries, c.ID)
		}
		equal(f, "alice's entries", stored, entries)
	},
	"PutConnection/with a limit admits a burst of those that race": func(f *fixture) {
		const all = 12
		limit := chat.RateLimit{Interval: time.Second, Burst: 7}
		var admitted [all + 7]atomic.Bool
		put := func(i int) (bool, error) {
			_, wait, err := f.PutConnection(f.Context(), connection(fmt.Sprint("c", i), "alice"), connecting("alice", limit, 0))
			admitted[i].Store(wait == 0 && err == nil)
			return wait == 0, err
		}
		n := race(f, all, put)
		for i := range limit.Burst - n { // those that gave up in the race
			if _, err := put(all + i); err != nil {
				f.Error(err)
			}
		}
		present, err := f.Presence(f.Context(), []string{"alice"}, 100)
		ok(f, err)
		if n > limit.Burst || len(present["alice"]) != limit.Burst {
			f.Errorf("%d of a race were admitted, and then there are %d entries; want %d", n, len(present["alice"]), limit.Burst)
		}
		entries := map[string]bool{}
		for _, c := range present["alice"] {
			entries[c.ID] = true
		}
		for i := range admitted {
			id := fmt.Sprint("c", i)
			_, found, err := f.Connection(f.Context(), id)
			if in := admitted[i].Load(); found != in || entries[id] != in || err != nil {
				f.Errorf("%s: admitted %t, but has a row: %t, an entry: %t, error %v", id, in, found, entries[id], err)
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
			{time.Hour, 25, 20, 2 * time.Second}, // a window that ran out long ago gives no more than a burst
		} {
			f.clock.advance(step.wait)
			taken, next := 0, time.Duration(0)
			for range step.attempts {
				_, wait := f.take(limit, 0)
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
	"TakeRate/moves the window to max(window, now) + Interval, whatever LastWindow is": func(f *fixture) {
		now := int64(epoch)
		for i, last := range []int64{0, 0, now + 100, now + 50_000, now - 1, now + 400} {
			window, wait := f.take(limit, last)
			if want := now + int64(i+1)*100; wait != 0 || window != want {
				f.Errorf("with LastWindow %d: wait %v, window %d; want 0, %d", last, wait, window, want)
			}
		}
		for range 14 {
			f.take(limit, 0)
		}
		if window, wait := f.take(limit, 0); window != now+2_000 || wait != 100*time.Millisecond {
			f.Errorf("a refusal answers the window %d and %v, want %d and 100ms", window, wait, now+2_000)
		}
	},
	"TakeRate/takes several at once, or none": func(f *fixture) {
		for _, step := range []struct {
			after time.Duration
			count int
			want  time.Duration
		}{
			{0, 20, 0},
			{0, 1, 100 * time.Millisecond},
			{0, 20, 2 * time.Second},
			{500 * time.Millisecond, 6, 100 * time.Millisecond},
			{0, 5, 0},
		} {
			f.clock.advance(step.after)
			_, wait, err := f.TakeRate(f.Context(), chat.RateTake{UserID: "alice", Action: chat.Writing, Limit: limit, Count: step.count})
			if ok(f, err); wait != step.want {
				f.Errorf("%d at once: wait %v, want %v", step.count, wait, step.want)
			}
		}
	},
	"TakeRate/counts each user and action alone": func(f *fixture) {
		limit := chat.RateLimit{Interval: time.Second, Burst: 1}
		for _, one := range []rateOf{{"alice", chat.Reading}, {"bob", chat.Reading}, {"alice", chat.Writing}} {
			for i, want := range []time.Duration{0, time.Second} {
				_, wait, err := f.TakeRate(f.Context(), chat.RateTake{UserID: one.user, Action: one.action, Limit: limit, Count: 1})
				if wait != want || err != nil {
					f.Errorf("%v, attempt %d: %v, %v; want %v", one, i, wait, err, want)
				}
			}
		}
	},
	"TakeRate/never admits more than a burst at once": func(f *fixture) {
		take := func(int) (bool, error) {
			_, wait, err := f.TakeRate(f.Context(), chat.RateTake{UserID: "alice", Action: chat.Sending, Limit: limit, Count: 1})
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
	"TakeRefusal/counts a connection's refused frames, and leaves its row otherwise": func(f *fixture) {
		want := connection("c", "alice")
		f.connect(want)
		f.connect(connection("d", "alice"))
		var last int64
		for i := range 22 {
			window, within, err := f.TakeRefusal(f.Context(), "c", limit, last)
			if i%2 == 0 { // an instance knows where the window was, or not
				last = window
			}
			if want := epoch + min(int64(i)+1, 20)*limit.Interval.Milliseconds(); window != want {
				f.Errorf("refusal %d: the window is at %d, want %d", i+1, window, want)
			}
			if within != (i < 20) || err != nil {
				f.Errorf("refusal %d: within %t, error %v", i+1, within, err)
			}
		}
		for _, id := range []string{"d", "none"} {
			if _, within, err := f.TakeRefusal(f.Context(), id, limit, 0); !within || err != nil {
				f.Errorf("%s: within %t, error %v; want true", id, within, err)
			}
		}
		got, found, err := f.Connection(f.Context(), "c")
		equal(f, "connection", want, got)
		if _, other, _ := f.Connection(f.Context(), "none"); !found || other || err != nil {
			f.Errorf("found %t, one that never was %t, error %v", found, other, err)
		}
	},
	"TakeRefusal/has no room once the connection has expired, until its socket is over": func(f *fixture) {
		c := connection("c", "alice")
		c.TokenExpiresAt = epoch + time.Minute.Milliseconds()
		f.connect(c)
		f.clock.advance(time.Minute + chat.TokenGrace - time.Second)
		if _, within, err := f.TakeRefusal(f.Context(), "c", limit, 0); !within || err != nil {
			f.Errorf("before it has expired: within %t, error %v; want true", within, err)
		}
		for _, at := range []time.Duration{time.Minute + chat.TokenGrace + time.Second, chat.ConnectionLife - time.Second} {
			f.clock.ms.Store(epoch + at.Milliseconds())
			f.sweep()
			if _, found, err := f.Connection(f.Context(), "c"); found || err != nil {
				f.Errorf("after %v: found %t, error %v; want false", at, found, err)
			}
			if _, within, err := f.TakeRefusal(f.Context(), "c", limit, 0); within || err != nil {
				f.Errorf("after %v: within %t, error %v; want false", at, within, err)
			}
		}
	},
	"Disconnect/marks the rows of all of a user's connections, each time": func(f *fixture) {
		for _, id := range []string{"c", "d"} {
			f.connect(connection(id, "alice"))
		}
		f.connect(connection("e", "bob"))
		for range 2 {
			n, err := f.Disconnect(f.Context(), "alice")
			if n != 2 || err != nil {
				f.Errorf("ended %d, %v; want 2", n, err)
			}
		}
		for id, ended := range map[string]bool{"c": true, "d": true, "e": false} {
			got, _, err := f.Connection(f.Context(), id)
			if err != nil || got.Disconnected != ended || (got.ReplacedAt != 0) != ended {
				f.Errorf("%s: %+v, %v; want ended: %t", id, got, err, ended)
			}
		}
		if n, err := f.Disconnect(f.Context(), "carol"); n != 0 || err != nil {
			f.Errorf("of no connection: %d, %v", n, err)
		}
	},
	"EndBanned/marks the rows of all of a user's connections, also one that is marked": func(f *fixture) {
		for _, id := range []string{"c", "d"} {
			f.connect(connection(id, "alice"))
		}
		f.connect(connection("e", "bob"))
		ok(f, f.EndConnection(f.Context(), "d"))
		for _, user := range []string{"alice", "carol"} {
			ok(f, f.EndBanned(f.Context(), user))
		}
		for id, ended := range map[string]bool{"c": true, "d": true, "e": false} {
			got, _, err := f.Connection(f.Context(), id)
			if err != nil || got.Banned != ended || got.Disconnected || (got.ReplacedAt != 0) != ended {
				f.Errorf("%s: %+v, %v; want ended: %t", id, got, err, ended)
			}
		}
	},
	"EndConnection/marks a row, makes none, and marks it again for the same reason": func(f *fixture) {
		flooded, disconnected := connection("c", "alice"), connection("d", "bob")
		f.connect(flooded)
		f.connect(disconnected)
		_, err := f.Disconnect(f.Context(), "bob")
		ok(f, err)
		flooded.Flooded, disconnected.Disconnected = true, true
		hasRoom := func(when, id string, want bool) {
			if _, within, err := f.TakeRefusal(f.Context(), id, limit, 0); within != want || err != nil {
				f.Errorf("%s %s: within %t, error %v; want %t", id, when, within, err, want)
			}
		}
		for _, step := range []struct{ after, marked time.Duration }{
			{0, 0}, {chat.CloseWithin - time.Millisecond, 0}, {chat.CloseWithin, chat.CloseWithin}, {chat.CloseWithin + time.Second, chat.CloseWithin},
		} {
			f.clock.ms.Store(epoch + step.after.Milliseconds())
			for _, id := range []string{"c", "d", "none"} {
				hasRoom(fmt.Sprint("after ", step.after), id, id == "none" || step.after != chat.CloseWithin)
				ok(f, f.EndConnection(f.Context(), id))
			}
			flooded.ReplacedAt, disconnected.ReplacedAt = epoch+step.marked.Milliseconds(), epoch+step.marked.Milliseconds()
			for _, want := range []chat.Connection{flooded, disconnected} {
				got, _, err := f.Connection(f.Context(), want.ID)
				ok(f, err)
				equal(f, fmt.Sprintf("%s after %v", want.ID, step.after), want, got)
				hasRoom("as it is closing", want.ID, true)
			}
		}
		if _, found, err := f.Connection(f.Context(), "none"); found || err != nil {
			f.Errorf("a row was made: %t, error %v", found, err)
		}
	},
}

// rateOf is whose limit of what.
type rateOf struct {
	user   string
	action chat.Action
}
