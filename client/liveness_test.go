package client_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

// halfOpen lets the first connection take frames and answer none, from when the
// returned value is set.
func halfOpen(r *rig) *atomic.Bool {
	dead := new(atomic.Bool)
	r.onFrame = func(c *fakeConn, _ wire.ClientFrame) bool { return dead.Load() && c.id == "conn-1" }
	return dead
}

// A half-open connection is replaced within 15 s of a sign, however fresh its last
// frame is.
func TestWake_ReplacesHalfOpenConnection(t *testing.T) {
	var wall atomic.Int64
	for name, sign := range map[string]func(*rig){
		"Wake":                     func(r *rig) { r.client.Wake() },
		"Wake often":               func(r *rig) { r.client.Wake(); r.pass(time.Second); r.client.Wake() },
		"the device slept":         func(*rig) { wall.Add(int64(time.Hour)) },
		"the device slept shortly": func(*rig) { wall.Add(int64(10 * time.Second)) },
		"the clock was set back":   func(*rig) { wall.Add(-int64(time.Hour)) },
		"a send without an answer": func(r *rig) {
			go func() { _, _ = r.client.Send(r.t.Context(), "general", "hello") }()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				wall.Store(0)
				r.client.SetWall(func() time.Time { return time.Now().Round(0).Add(time.Duration(wall.Load())) })
				dead := halfOpen(r)
				r.follow("general")
				r.run()
				r.pass(time.Minute)
				r.say("general", "just now")
				r.pass(time.Millisecond) // it has come: a frame that comes later would answer the ping
				dead.Store(true)
				sign(r)
				r.pass(15 * time.Second)
				if connected, _ := r.states(); len(connected) != 2 || connected[1].ConnectionID != "conn-2" {
					t.Errorf("15 s after the sign the connections were %+v, want a second one", connected)
				}
			})
		})
	}
}

// Without a sign the next regular ping finds it.
func TestPingEvery_ReplacesHalfOpenConnection(t *testing.T) {
	bubbleWith(t, client.Options{PingEvery: 20 * time.Second}, func(r *rig) {
		dead := halfOpen(r)
		r.run()
		r.pass(time.Minute)
		dead.Store(true)
		r.pass(25*time.Second + 15*time.Second + time.Second)
		if connected, _ := r.states(); len(connected) != 2 {
			r.t.Errorf("connected %d times, want 2", len(connected))
		}
	})
}

func TestWake_OnePingForManySigns(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run()
		r.onFrame = func(c *fakeConn, _ wire.ClientFrame) bool {
			<-time.After(2 * time.Second)
			c.write(wire.Read{Type: wire.TypeRead, ChatRoomID: "general", UserID: "bob", UpTo: "x"}) // any frame will do
			return true
		}
		for range 10 {
			r.client.Wake()
			r.pass(100 * time.Millisecond)
		}
		r.pass(10 * time.Second)
		connected, disconnected := r.states()
		if n := r.sends(wire.ActionPing); n != 2 || len(connected) != 1 || len(disconnected) != 0 {
			r.t.Errorf("%d pings, connections %v and %v: want the first ping and one more", n, connected, disconnected)
		}
	})
}

func TestWake_EndsPause(t *testing.T) {
	bubble(t, func(r *rig) {
		r.client.SetRandom(1)
		var down atomic.Bool
		down.Store(true)
		r.onHandshake = func(_ int, w http.ResponseWriter) bool {
			if down.Load() {
				w.WriteHeader(http.StatusBadGateway)
			}
			return down.Load()
		}
		r.run()
		r.pass(50 * time.Second) // the pauses are 30 s now
		down.Store(false)
		r.client.Wake()
		r.pass(time.Second)
		if connected, _ := r.states(); len(connected) != 1 {
			r.t.Errorf("connected %d times a second after Wake, want 1", len(connected))
		}
	})
}

// A wrong clock of the device costs neither connections nor tokens, whether the
// server's answers say what time it is or not.
func TestToken_WrongClock(t *testing.T) {
	for _, skew := range []time.Duration{-3 * time.Hour, -50 * time.Minute, 0, 50 * time.Minute, 3 * time.Hour} {
		for _, dated := range []bool{true, false} {
			if !dated && skew == 50*time.Minute {
				continue // as good as a token that was issued 50 minutes ago
			}
			name := "device " + skew.String()
			if dated {
				name += ", dated answers"
			}
			t.Run(name, func(t *testing.T) {
				var calls atomic.Int64
				get := func(context.Context) (string, error) {
					calls.Add(1)
					now := time.Now().Add(-skew)
					claims := jwt.RegisteredClaims{IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))}
					return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("not a secret"))
				}
				bubbleWith(t, client.Options{Token: get}, func(r *rig) {
					t := r.t
					r.date = func() string {
						if !dated {
							return ""
						}
						return time.Now().Add(-skew).UTC().Format(http.TimeFormat)
					}
					r.follow("general")
					r.run()
					for range 42 {
						r.pass(time.Minute)
						if _, err := r.client.ListRooms(t.Context(), ""); err != nil {
							t.Fatal(err)
						}
					}
					if n := connections(r); n != 1 || calls.Load() != 1 {
						t.Errorf("%d connections, %d tokens in 42 minutes, want 1 and 1", n, calls.Load())
					}
					r.pass(18 * time.Minute)
					if n := connections(r); n != 2 || calls.Load() != 2 {
						t.Errorf("%d connections, %d tokens in an hour, want 2 and 2", n, calls.Load())
					}
				})
			})
		}
	}
}

func connections(r *rig) int {
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	return r.handshakes
}

// A browser closes a connection whose subprotocol isn't one that it asked for.
func TestSubprotocolNotSelected(t *testing.T) {
	bubble(t, func(r *rig) {
		r.noSubprotocol = true
		r.run()
		connected, disconnected := r.states()
		const want = `selected the subprotocol "": want "streamroom"`
		if len(connected) != 0 || len(disconnected) == 0 || !strings.Contains(disconnected[0].Err.Error(), want) {
			r.t.Errorf("the events are %+v and %+v, want the error %q", connected, disconnected, want)
		}
	})
}
