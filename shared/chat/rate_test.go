package chat_test

import (
	"fmt"
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
	sessions := chat.NewSessions(w.store, chat.PerMinute(chat.ConnectRate, chat.ConnectBurst), w.clock.now)
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
		sessions := chat.NewSessions(w.store, limit, w.clock.now)
		for i := range 50 {
			err := sessions.Open(t.Context(), chat.Connection{ID: fmt.Sprint(name, i), UserID: name, ConnectedAt: epoch, TokenExpiresAt: 1 << 60})
			ok(t, err)
		}
	}
}

// A limit that cannot be read lets no one in: the table is needed for what follows.
func TestOpen_ALimitThatFails(t *testing.T) {
	w := newWorld(t)
	sessions := chat.NewSessions(w.store, chat.PerMinute(30, 20), w.clock.now)
	w.breakOn("TakeRate")
	internal(t, "TakeRate", sessions.Open(t.Context(), chat.Connection{ID: "c", UserID: "alice", ConnectedAt: epoch}))
}
