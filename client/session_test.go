package client_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestConnected(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.run()
		connected, disconnected := r.states()
		if len(connected) != 1 || connected[0] != (client.Connected{ConnectionID: "conn-1", UserID: "alice"}) || len(disconnected) != 0 {
			t.Errorf("the events are %+v and %+v", connected, disconnected)
		}
	})
}

// A refused handshake is tried again with growing pauses, half a minute at most.
func TestHandshakeRefused(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusUnauthorized:        client.CodeUnauthorized,
		http.StatusForbidden:           client.CodeForbidden,
		http.StatusTooManyRequests:     client.CodeRateLimited,
		http.StatusInternalServerError: client.CodeInternal,
		http.StatusBadGateway:          client.CodeInternal,
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.client.SetRandom(1)
				r.onHandshake = func(n int, w http.ResponseWriter) bool {
					if n <= 10 {
						w.WriteHeader(status)
					}
					return n <= 10
				}
				r.run()
				r.pass(3 * time.Minute)
				connected, disconnected := r.states()
				if len(connected) != 1 || len(disconnected) != 10 {
					t.Fatalf("connected %d times, disconnected %d times", len(connected), len(disconnected))
				}
				var pauses []time.Duration
				for _, d := range disconnected {
					pauses = append(pauses, d.RetryIn)
					if code(d.Err) != want {
						t.Errorf("the error is %v, want code %s", d.Err, want)
					}
				}
				ms := time.Millisecond
				doubling := []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 16000 * ms, 30000 * ms, 30000 * ms, 30000 * ms, 30000 * ms}
				if !slices.Equal(pauses, doubling) {
					t.Errorf("the pauses are at most %v, want %v", pauses, doubling)
				}
				r.pass(2 * time.Minute) // it was a good connection
				r.cut()
				r.pass(0)
				if _, disconnected = r.states(); disconnected[10].RetryIn != 500*ms {
					t.Errorf("the pause after a good connection is %v, want the least again", disconnected[10].RetryIn)
				}
			})
		})
	}
}

// An address without the stage is often a web page's.
func TestHandshakeElsewhere(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusOK:       "invalid_request: answered 200, no WebSocket here: does WebSocketURL end in the stage?",
		http.StatusNotFound: "not_found: answered 404, no WebSocket here: does WebSocketURL end in the stage?",
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.onHandshake = func(_ int, w http.ResponseWriter) bool { w.WriteHeader(status); return true }
				r.run()
				if _, disconnected := r.states(); len(disconnected) == 0 || disconnected[0].Err.Error() != want {
					r.t.Errorf("the events are %+v, want %q", disconnected, want)
				}
			})
		})
	}
}

func TestTokenFails(t *testing.T) {
	for _, test := range []struct {
		name, token string
		err         error
	}{
		{"error", "", errors.New("no luck")},
		{"no token", "", nil},
		{"no JWT", "Bearer abc, def", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls := 0
			get := func(context.Context) (string, error) {
				if calls++; calls == 1 {
					return test.token, test.err
				}
				return token(time.Time{}, "good"), nil
			}
			bubbleWith(t, client.Options{Token: get}, func(r *rig) {
				t := r.t
				r.run()
				r.pass(time.Minute)
				connected, disconnected := r.states()
				if len(connected) != 1 || len(disconnected) != 1 {
					t.Fatalf("connected %d times, disconnected %d times, want 1 and 1", len(connected), len(disconnected))
				}
				if err := disconnected[0].Err; test.err != nil && !errors.Is(err, test.err) || strings.Contains(err.Error(), "abc") {
					t.Errorf("the error is %v", err)
				}
			})
		})
	}
}

// Each connection has a token of its own, and ends before that does: it is kept for 80 to
// 95 % of its time, and replaced up to 9 minutes, or a quarter of that, earlier, where the
// last ping before falls.
func TestPlannedReconnect(t *testing.T) {
	for _, test := range []struct {
		name     string
		lives    time.Duration // the token; 0: it doesn't say
		passes   time.Duration
		min, max int // connections
	}{
		{"hour", time.Hour, 10 * time.Hour, 11, 16},
		{"minute", time.Minute, 10 * time.Minute, 11, 17},
		{"no end", 0, 20 * time.Hour, 11, 14},
		{"day", 24 * time.Hour, 20 * time.Hour, 11, 14}, // the connection's two hours
		{"ended", -time.Hour, 10 * time.Minute, 1, 1},   // it was accepted: the clock is wrong
	} {
		t.Run(test.name, func(t *testing.T) {
			type issued struct{ at, ends time.Time }
			var tokens []issued
			get := func(context.Context) (string, error) {
				i := issued{at: time.Now(), ends: time.Now().Add(2 * time.Hour)}
				if test.lives == 0 {
					tokens = append(tokens, i)
					return token(time.Time{}, strconv.Itoa(len(tokens))), nil
				}
				i.ends = i.at.Add(test.lives)
				tokens = append(tokens, i)
				return token(i.ends, strconv.Itoa(len(tokens))), nil
			}
			bubbleWith(t, client.Options{Token: get}, func(r *rig) {
				t := r.t
				r.run()
				r.pass(test.passes)
				if r.handshakes < test.min || r.handshakes > test.max {
					t.Errorf("connected %d times, want %d to %d", r.handshakes, test.min, test.max)
				}
				slices.Sort(r.tokens)
				if unique := len(slices.Compact(r.tokens)); unique != r.handshakes {
					t.Errorf("%d tokens for %d connections", unique, r.handshakes)
				}
				for i := 1; i < len(tokens) && test.lives >= 0; i++ {
					if !tokens[i].at.Before(tokens[i-1].ends) {
						t.Errorf("connection %d lasted beyond its token or its two hours", i)
					}
				}
				_, disconnected := r.states()
				if len(disconnected) != 0 {
					t.Errorf("a connection that was succeeded came as %+v", disconnected)
				}
				for _, code := range r.closes {
					if code != websocket.StatusNormalClosure {
						t.Errorf("a connection was closed with %d", code)
					}
				}
			})
		})
	}
}

// skewed is a clock that is ahead.
type skewed struct {
	clockwork.Clock
	ahead time.Duration
}

func (c skewed) Now() time.Time                   { return c.Clock.Now().Add(c.ahead) }
func (c skewed) Since(at time.Time) time.Duration { return c.Now().Sub(at) }
func (c skewed) Until(at time.Time) time.Duration { return at.Sub(c.Now()) }

// A device whose clock is off by hours asks for as many tokens as others, and each before
// the one before has ended.
func TestClockThatIsOff(t *testing.T) {
	for _, ahead := range []time.Duration{3 * time.Hour, -3 * time.Hour, 1000 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			var issued []time.Time
			get := func(context.Context) (string, error) {
				issued = append(issued, time.Now())
				return token(time.Now().Add(time.Hour), strconv.Itoa(len(issued))), nil
			}
			bubbleWith(t, client.Options{Token: get, Clock: skewed{clockwork.NewRealClock(), ahead}}, func(r *rig) {
				r.run()
				r.follow("general")
				for range 60 {
					r.pass(10 * time.Minute)
					if _, err := r.client.History(r.t.Context(), "general", client.Page{}); err != nil {
						r.t.Fatal(err)
					}
				}
				if r.handshakes < 11 || r.handshakes > 16 || len(issued) != r.handshakes {
					r.t.Errorf("connected %d times, and asked for %d tokens", r.handshakes, len(issued))
				}
				for i := 1; i < len(issued); i++ {
					if issued[i].Sub(issued[i-1]) > time.Hour {
						r.t.Errorf("token %d was kept beyond its end", i)
					}
				}
			})
		})
	}
}

func TestPing(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		var pings []time.Time
		answer := true
		stopAnswering := func(stop bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			answer = !stop
		}
		sofar := func() []time.Time {
			r.mu.Lock()
			defer r.mu.Unlock()
			return slices.Clone(pings)
		}
		r.onFrame = func(*fakeConn, wire.ClientFrame) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			pings = append(pings, time.Now())
			return !answer
		}
		r.run()
		if n := len(sofar()); n != 1 {
			t.Fatalf("%d pings at the start, want 1", n)
		}
		r.pass(time.Hour)
		all := sofar()
		for i := 1; i < len(all); i++ {
			if idle := all[i].Sub(all[i-1]); idle >= 9*time.Minute+30*time.Second {
				t.Errorf("nothing was sent for %v: the gateway would have closed", idle)
			}
		}
		if r.handshakes != 1 || len(all) > 9 {
			t.Errorf("%d connections, %d pings in an hour", r.handshakes, len(all))
		}

		stopAnswering(true)
		r.pass(10 * time.Minute)
		stopAnswering(false)
		r.pass(time.Minute)
		connected, disconnected := r.states()
		if len(connected) != 2 || len(disconnected) == 0 || !strings.Contains(disconnected[0].Err.Error(), "ping") {
			t.Errorf("the events are %+v and %+v, want a reconnect for want of a pong", connected, disconnected)
		}
	})
}

// A dead connection is found by a send that gets no answer, sooner than by the
// next ping.
func TestSendFindsDeadConnection(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.follow("general")
		r.run()
		r.onFrame = func(c *fakeConn, _ wire.ClientFrame) bool { return c.id == "conn-1" }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := r.client.Send(ctx, "general", "hello"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReconnectWhenAsked(t *testing.T) {
	for name, frame := range map[string]any{
		"reconnect":     wire.Error{Type: wire.TypeError, Code: client.CodeReconnect, Message: "gone"},
		"token_expired": wire.Error{Type: wire.TypeError, Code: client.CodeTokenExpired},
		"in a batch":    batch(wire.Error{Type: wire.TypeError, Code: client.CodeReconnect}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.run()
				r.broadcast(frame)
				r.pass(time.Minute)
				if connected, _ := r.states(); len(connected) != 2 {
					t.Errorf("connected %d times, want 2", len(connected))
				}
			})
		})
	}
}

func TestLogHasNoSecrets(t *testing.T) {
	var log bytes.Buffer
	logger := zerolog.New(zerolog.SyncWriter(&log)).Level(zerolog.TraceLevel)
	bubbleWith(t, client.Options{Logger: logger}, func(r *rig) {
		t := r.t
		refusals := 0
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			refusals++
			if f.Action == wire.ActionSendMessage && refusals < 4 {
				c.write(wire.Error{Type: wire.TypeError, Code: client.CodeInternal, ClientMessageID: f.ClientMessageID})
				return true
			}
			return false
		}
		r.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, http.StatusInternalServerError, client.CodeInternal)
			return true
		}
		r.follow("general")
		r.run()
		if _, err := r.client.Send(t.Context(), "general", "xyzzy"); err != nil {
			t.Fatal(err)
		}
		r.broadcast([]string{"xyzzy"})
		r.broadcast(wire.Message{Type: wire.TypeMessage, ChatRoomID: "general", MessageID: "x", Content: "xyzzy"})
		r.cut()
		r.pass(time.Hour)
		r.fake.mu.Lock()
		defer r.fake.mu.Unlock()
		for _, secret := range append(r.tokens, "xyzzy", "Bearer") {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
		for _, line := range []string{"disconnected", "connected", "send again", "catch-up failed"} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("the log doesn't say %q", line)
			}
		}
	})
}
