package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestOpen_LimitsAUsersConnections(t *testing.T) {
	w := newWorld(t)
	written := 0
	w.store.Before(func(method string) error {
		if method == "PutConnection" {
			written++
		}
		return nil
	})
	limits := chat.Limits{chat.Connecting: chat.PerMinute(chat.ConnectRate, chat.ConnectBurst)}
	sessions := chat.NewSessions(w.store, limits, w.clock.now)
	opened := 0
	open := func(user string) error {
		opened++
		return sessions.Open(t.Context(), chat.Connection{
			ID: fmt.Sprint("c-", opened), UserID: user, ConnectedAt: w.clock.now().UnixMilli(), TokenExpiresAt: 1 << 60,
		})
	}
	for range chat.ConnectBurst {
		ok(t, open("alice"))
	}
	for range 30 {
		refused(t, "one more than the burst", open("alice"), chat.CodeRateLimited)
	}
	if written != chat.ConnectBurst {
		t.Errorf("%d connections were written, want %d", written, chat.ConnectBurst)
	}
	ok(t, open("bob"))
	other := chat.NewSessions(w.store, limits, w.clock.now) // of another instance, which has seen none of it
	refused(t, "one more, by another instance", other.Open(t.Context(), chat.Connection{ID: "other", UserID: "alice", TokenExpiresAt: 1 << 60}), chat.CodeRateLimited)
	if _, stored, err := w.store.Connection(t.Context(), "other"); stored || err != nil {
		t.Errorf("a connection that was refused is stored: %t, %v", stored, err)
	}
	w.clock.advance(time.Minute/chat.ConnectRate - time.Millisecond)
	refused(t, "a moment too early", open("alice"), chat.CodeRateLimited)
	w.clock.advance(time.Millisecond)
	ok(t, open("alice"))
	refused(t, "another one", open("alice"), chat.CodeRateLimited)
	w.clock.advance(time.Minute)
	for range min(chat.ConnectRate, chat.ConnectBurst) {
		ok(t, open("alice"))
	}
	refused(t, "one more than the burst, later", open("alice"), chat.CodeRateLimited)
}

func TestOpen_WithoutALimit(t *testing.T) {
	w := newWorld(t)
	for name, limit := range map[string]chat.RateLimit{"zero": {}, "0 a minute": chat.PerMinute(0, 20)} {
		sessions := chat.NewSessions(w.store, chat.Limits{chat.Connecting: limit}, w.clock.now)
		for i := range 50 {
			err := sessions.Open(t.Context(), chat.Connection{ID: fmt.Sprint(name, i), UserID: name, ConnectedAt: epoch, TokenExpiresAt: 1 << 60})
			ok(t, err)
		}
	}
}

// A limit that cannot be read lets no one in: the table is needed for what follows.
func TestOpen_ALimitThatFails(t *testing.T) {
	w := newWorld(t)
	sessions := chat.NewSessions(w.store, chat.Limits{chat.Connecting: chat.PerMinute(30, 20)}, w.clock.now)
	w.breakOn("PutConnection")
	internal(t, "PutConnection", sessions.Open(t.Context(), chat.Connection{ID: "c", UserID: "alice", ConnectedAt: epoch}))
}

// A limiter that has seen a user's window refuses what it has no room for by itself:
// a flood writes nothing.
func TestLimiter_RefusesFromMemory(t *testing.T) {
	w := newWorld(t)
	asked := 0
	w.store.Before(func(string) error { asked++; return nil })
	limiter := chat.NewLimiter(w.store, chat.Limits{chat.Reading: chat.PerSecond(5, 10)}, w.clock.now)
	take := func(n int) error { return limiter.Take(t.Context(), "alice", chat.Reading, n) }
	ok(t, take(7))
	for range 50 {
		refused(t, "more than is left", take(4), chat.CodeRateLimited)
	}
	ok(t, take(3))
	err := take(1)
	refused(t, "one more", err, chat.CodeRateLimited)
	if wait := chat.Reason(err).RetryAfter; wait != 200*time.Millisecond {
		t.Errorf("retry after %v, want 200ms", wait)
	}
	if asked != 2 {
		t.Errorf("the store was asked %d times, want twice", asked)
	}
	w.clock.advance(time.Hour)
	ok(t, take(500)) // more than there ever is takes all
	refused(t, "one more", take(1), chat.CodeRateLimited)
	ok(t, limiter.Take(t.Context(), "alice", chat.Writing, 500)) // without a limit
	ok(t, (*chat.Limiter)(nil).Take(t.Context(), "alice", chat.Reading, 500))
}

// What others have taken is found out with the first refusal of the store.
func TestLimiter_SharesWindows(t *testing.T) {
	w := newWorld(t)
	taken := 0
	for i := range 40 {
		limiter := chat.NewLimiter(w.store, chat.Limits{chat.Sending: chat.PerSecond(10, 20)}, w.clock.now)
		if err := limiter.Take(t.Context(), "alice", chat.Sending, 1); err == nil {
			taken++
		} else if i < 20 {
			t.Errorf("take %d: %v", i+1, err)
		}
	}
	if taken != 20 {
		t.Errorf("%d were taken, want 20", taken)
	}
}

// frames are the limits of a connection's frames.
var frames = chat.Limits{
	chat.Refusing: chat.PerMinute(chat.RefusedRate, chat.RefusedBurst), chat.Pinging: chat.PerMinute(chat.PingRate, chat.PingBurst),
}

func TestRefused_EndsAFlood(t *testing.T) {
	w := newWorld(t)
	w.connect("alice")
	w.connect("bob")
	sessions := chat.NewSessions(w.store, frames, w.clock.now)
	faulty := chat.Errorf(chat.CodeUnknownAction, "faulty")
	for i := range 200 { // a mistake every three seconds is no flood
		ok(t, sessions.Refused(t.Context(), "alice", faulty))
		if i%20 == 0 {
			_, err := sessions.Ping(t.Context(), "alice")
			ok(t, err)
		}
		w.clock.advance(time.Minute / chat.RefusedRate)
	}
	for i := range chat.RefusedBurst {
		reason := faulty
		if i%2 == 0 { // as on a connection that has expired
			reason = chat.Errorf(chat.CodeReconnect, "…")
		}
		ok(t, sessions.Refused(t.Context(), "alice", reason))
	}
	ok(t, sessions.Refused(t.Context(), "alice", errBroken)) // is free
	_, err := sessions.Ping(t.Context(), "alice")
	ok(t, err)
	ok(t, sessions.Refused(t.Context(), "alice", faulty))
	_, err = sessions.Ping(t.Context(), "alice")
	if !errors.Is(err, chat.ErrFlooded()) {
		t.Errorf("ping: %v, want that the connection is closed", err)
	}
	_, err = w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: "r", Content: "x"})
	if !errors.Is(err, chat.ErrFlooded()) {
		t.Errorf("send: %v, want that the connection is closed", err)
	}
	ok(t, sessions.Refused(t.Context(), "no one", faulty))
	_, err = sessions.Ping(t.Context(), "bob")
	ok(t, err)
	for _, method := range []string{"TakeRefusal", "EndConnection"} {
		w.connect("alice")
		for range chat.RefusedBurst {
			ok(t, sessions.Refused(t.Context(), "alice", faulty))
		}
		w.breakOn(method)
		internal(t, method, sessions.Refused(t.Context(), "alice", faulty))
		w.store.Before(nil)
	}
}

// A frame on a connection that is being closed asks the store for one thing at most, and for
// nothing if the connection was read. CloseWithin after its mark it is marked again.
func TestRefused_LeavesAConnectionThatIsBeingClosed(t *testing.T) {
	w := newWorld(t)
	sessions := chat.NewSessions(w.store, frames, w.clock.now)
	faulty := chat.Errorf(chat.CodeUnknownAction, "faulty")
	asks := func(when string, reason error, want ...string) {
		t.Helper()
		var asked []string
		w.store.Before(func(method string) error { asked = append(asked, method); return nil })
		ok(t, sessions.Refused(t.Context(), "alice", reason))
		w.store.Before(nil)
		if !slices.Equal(asked, want) {
			t.Errorf("%s the store is asked for %v, want %v", when, asked, want)
		}
	}
	read := func() error {
		_, err := sessions.Ping(t.Context(), "alice")
		return err
	}
	for _, end := range []func(){
		func() {
			for range chat.RefusedBurst + 1 {
				ok(t, sessions.Refused(t.Context(), "alice", faulty))
			}
		},
		func() {
			_, err := w.sessions.Disconnect(t.Context(), "alice")
			ok(t, err)
		},
	} {
		w.connect("alice")
		end()
		w.clock.advance(chat.CloseWithin - time.Millisecond)
		asks("before it should be closed", read())
		asks("before it should be closed, unread,", faulty, "TakeRefusal")
		w.clock.advance(time.Millisecond)
		asks("later", read(), "EndConnection")
		asks("when it is marked again", read())
		w.clock.advance(chat.CloseWithin)
		asks("later, unread,", faulty, "TakeRefusal", "EndConnection")
	}
}

func TestPing_IsLimitedInMemory(t *testing.T) {
	w := newWorld(t)
	w.connect("alice")
	asked := 0
	w.store.Before(func(string) error { asked++; return nil })
	sessions := chat.NewSessions(w.store, frames, w.clock.now)
	ping := func() error { _, err := sessions.Ping(t.Context(), "alice"); return err }
	for range chat.PingBurst {
		ok(t, ping())
	}
	refused(t, "one more", ping(), chat.CodeRateLimited)
	if asked != chat.PingBurst {
		t.Errorf("the store was asked %d times, want %d", asked, chat.PingBurst)
	}
	w.clock.advance(time.Minute / chat.PingRate)
	ok(t, ping())
}

// Ten messages a second are for a while; over half an hour the rate is a third of that. Two
// instances of the function share it, but for what each counted last.
func TestSend_LimitsWhatAUserSendsOverTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	room := w.group("alice")
	w.connect("alice")
	sends := chat.PerSecond(chat.SendRate, chat.SendBurst)
	limits := chat.Limits{chat.Sending: sends, chat.Sustaining: sends.Sustained()}
	ids := chat.NewIDs(w.clock.now, &counter{})
	var instances []*chat.Sender
	for range 2 {
		instances = append(instances, chat.NewSender(w.store, ids, w.clock.now, func(chat.Message) error { return nil }, limits))
	}
	stored, quick := 0, 0
	const seconds = 1800
	for i := range seconds * chat.SendRate {
		if i == seconds/3*chat.SendRate {
			quick = stored
		}
		w.clock.advance(time.Second / chat.SendRate)
		_, err := instances[i%2].Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "hi"})
		if err == nil {
			stored++
		} else if chat.Reason(err).Code != chat.CodeRateLimited || chat.Reason(err).RetryAfter <= 0 {
			t.Fatal(err)
		}
	}
	const most = 5000 + seconds*chat.SendRate/chat.SustainedPart + 2*chat.SustainedPerTake
	if stored > most || stored < most-2*chat.SustainedPerTake {
		t.Errorf("%d messages were stored in half an hour, want %d", stored, most)
	}
	if quick != seconds/3*chat.SendRate {
		t.Errorf("%d messages were stored in the first ten minutes, want all", quick)
	}
	w.clock.advance(10 * time.Hour)
	w.connect("alice")
	for range 2 * seconds { // three a second
		w.clock.advance(time.Second / 3)
		if _, err := instances[0].Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "hi"}); err != nil {
			t.Fatal(err)
		}
	}
}

// instances are Senders of as many instances of a function, which share the limit of
// messages of alice, who is in the room and has a connection.
func instances(w *world, n int) (send func(i int) error) {
	room := w.group("alice")
	w.connect("alice")
	sends := chat.PerSecond(chat.SendRate, chat.SendBurst)
	limits := chat.Limits{chat.Sending: sends, chat.Sustaining: sends.Sustained()}
	ids := chat.NewIDs(w.clock.now, &counter{})
	var all []*chat.Sender
	for i := range n {
		sender := chat.NewSender(w.store, ids, w.clock.now, func(chat.Message) error { return nil }, limits)
		all = append(all, sender.CountingFrom(i*7919))
	}
	return func(i int) error {
		_, err := all[i%n].Send(w.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "hi"})
		return err
	}
}

// However many instances serve a user who keeps to the limit, none refuses.
func TestSend_WithinTheLimitByManyInstances(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 7, 50} {
		w := newWorld(t)
		send := instances(w, n)
		for i := range 6000 { // ten minutes
			if i >= chat.SendBurst {
				w.clock.advance(time.Second / chat.SendRate)
			}
			if err := send(i); err != nil {
				t.Fatalf("message %d of %d instances: %v", i, n, err)
			}
		}
	}
}

// A flood over many instances passes what each counts until it takes, and no more: a
// flood's rate is that of everyone, and its first hundreds meet refusals enough to end a
// connection.
func TestSend_AFloodOverManyInstances(t *testing.T) {
	t.Parallel()
	const n = 50
	w := newWorld(t)
	send := instances(w, n)
	stored, refusals := 0, 0
	step := func(i int) {
		switch err := send(i); {
		case err == nil:
			stored++
		case chat.Reason(err).Code == chat.CodeRateLimited:
			refusals++
		default:
			t.Fatal(err)
		}
	}
	i := 0
	for ; refusals <= chat.RefusedBurst; i++ { // at once
		step(i)
	}
	if i > 500 {
		t.Errorf("the flood's connection is ended after %d messages, want a few hundred", i)
	}
	for until := i + 20*n; i < until; i++ {
		step(i)
	}
	const most = 10*chat.SendsPerTake + n*chat.SendsPerTake
	if stored > most*2/3 {
		t.Errorf("%d messages were stored at once, want some ten of each instance", stored)
	}
	stored = 0
	const minutes = 5
	for range minutes * 60 * 20 { // five times as many as the limit allows
		w.clock.advance(50 * time.Millisecond)
		for range 2 {
			step(i)
			i++
		}
	}
	if limit := minutes * 60 * chat.SendRate; stored > limit+most-chat.SendsPerTake || stored < limit-n*chat.SendsPerTake/4 {
		t.Errorf("%d messages were stored in %d minutes, want %d", stored, minutes, limit)
	}
}

// A message counts over time by its size and its files: how many are stored until it refuses.
func TestSend_WeighsOverTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		bytes, files, weight int
	}{
		{1, 0, 1},
		{chat.ContentWeight - 1, 0, 1},
		{chat.ContentWeight, 0, 2},
		{chat.MaxContent, 0, 5},
		{1, 3, 4},
	} {
		w := newWorld(t)
		attachments, b := w.attaching()
		room := w.group("alice")
		w.connect("alice")
		const burst = 600
		sender := chat.NewSender(w.store, chat.NewIDs(w.clock.now, &counter{}), w.clock.now, func(chat.Message) error { return nil }, chat.Limits{
			chat.Sending: chat.PerSecond(1000, 10_000), chat.Sustaining: {Interval: time.Hour, Burst: burst},
		}).Attaching(b)
		stored := 0
		for {
			r := chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: strings.Repeat("x", test.bytes)}
			for range test.files {
				r.Attachments = append(r.Attachments, w.upload(attachments, b, "alice", room).ID)
			}
			_, err := sender.Send(t.Context(), r)
			if err != nil {
				refused(t, fmt.Sprint(test), err, chat.CodeRateLimited)
				break
			}
			stored++
		}
		most := (burst + chat.SustainedPerTake - 1) / test.weight
		if stored > most || stored < (burst-chat.SustainedPerTake)/test.weight {
			t.Errorf("%d bytes with %d files: %d are stored, want %d at most", test.bytes, test.files, stored, most)
		}
	}
}

// A page in three tabs, each of which is reloaded every minute and then shows 20 rooms and
// 50 pictures of up to 1 MB, and a user who writes and reads beside that: no limit refuses
// any of it, for a day, whatever instance serves it.
func TestLimiter_AnOrdinaryPageIsNeverRefused(t *testing.T) {
	t.Parallel()
	const tabs, pictures, instances = 3, 50, 7
	w := newWorld(t)
	room := w.group("alice")
	w.connect("alice")
	sends := chat.PerSecond(chat.SendRate, chat.SendBurst)
	limits := chat.Limits{
		chat.Sending: sends, chat.Sustaining: sends.Sustained(),
		chat.Writing: chat.PerSecond(chat.WriteRate, chat.WriteBurst), chat.Reading: chat.PerSecond(chat.ReadRate, chat.ReadBurst),
	}
	var limiters []*chat.Limiter
	var senders []*chat.Sender
	for i := range instances {
		limiters = append(limiters, chat.NewLimiter(w.store, limits, w.clock.now).CountingFrom(i*7919))
		sender := chat.NewSender(w.store, chat.NewIDs(w.clock.now, &counter{}), w.clock.now, func(chat.Message) error { return nil }, limits)
		senders = append(senders, sender.CountingFrom(i*7907))
	}
	served := 0
	admit := func(action chat.Action, n int) {
		for range n {
			if err := limiters[served%instances].Admit(t.Context(), "alice", action); err != nil {
				t.Fatalf("request %d, %s: %v", served, action, err)
			}
			served++
		}
	}
	for minute := range 24 * 60 {
		if minute%60 == 0 {
			w.connect("alice")
		}
		for range tabs {
			admit(chat.Reading, 1+1+2+1) // the list, a sync, the room and its history, profiles
			admit(chat.Reading, pictures)
			admit(chat.Writing, 1) // the room is read
			for range 2 {
				if _, err := senders[served%instances].Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "hi"}); err != nil {
					t.Fatal(err)
				}
				served++
			}
			w.clock.advance(time.Minute / tabs)
		}
	}
}
