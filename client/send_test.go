package client_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestSend(t *testing.T) {
	for _, test := range []struct {
		name  string
		order func(c *fakeConn, ack wire.Ack, m wire.Message)
	}{
		{"ack first", func(c *fakeConn, ack wire.Ack, m wire.Message) { c.write(ack); c.write(m) }},
		{"message first", func(c *fakeConn, ack wire.Ack, m wire.Message) { c.write(m); c.write(ack) }},
		{"message only", func(c *fakeConn, _ wire.Ack, m wire.Message) { c.write(m) }},
		{"both twice", func(c *fakeConn, ack wire.Ack, m wire.Message) { c.write(m); c.write(ack); c.write(ack); c.write(m) }},
		{"in a batch", func(c *fakeConn, ack wire.Ack, m wire.Message) {
			c.write(map[string]any{"type": wire.TypeBatch, "frames": []any{ack, m}})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
					if f.Action != wire.ActionSendMessage {
						return false
					}
					ack, m := r.accept(f)
					test.order(c, ack, m)
					return true
				}
				r.follow("general")
				r.run()
				ack, err := r.client.Send(t.Context(), "general", "hi <&> 😀")
				if err != nil {
					t.Fatal(err)
				}
				r.pass(time.Minute)
				got := r.messages("general")
				if len(got) != 1 {
					t.Fatalf("%d messages came, want 1", len(got))
				}
				m := got[0]
				if m.MessageID != ack.MessageID || m.Content != "hi <&> 😀" || m.SenderID != "alice" || m.ClientMessageID != ack.ClientMessageID {
					t.Errorf("got %+v for the ack %+v", m, ack)
				}
				if n := r.sends(wire.ActionSendMessage); n != 1 {
					t.Errorf("sent %d times, want 1", n)
				}
			})
		})
	}
}

func TestSendAckedButNotBroadcast(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage {
				return false
			}
			ack, _ := r.accept(f)
			c.write(ack)
			return true
		}
		r.follow("general")
		r.run()
		if _, err := r.client.Send(t.Context(), "general", "hello"); err != nil {
			t.Fatal(err)
		}
		r.pass(0)
		r.wantContents("general", "hello ")
		r.forgetSyncs()
		r.pass(time.Minute)
		if syncs := r.syncs; len(syncs) > 0 {
			t.Errorf("%d syncs, want none: the ack says all", len(syncs))
		}
	})
}

// A review may have other content stored than what was sent.
func TestSendAckedWithOtherContent(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		stored := "****"
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage {
				return false
			}
			ack, _ := r.accept(f)
			ack.Content = &stored
			c.write(ack)
			return true
		}
		r.follow("general")
		r.run()
		ack, err := r.client.Send(t.Context(), "general", "darn")
		if err != nil || ack.Content == nil || *ack.Content != stored {
			t.Errorf("the ack is %+v, error %v", ack, err)
		}
		r.pass(0)
		r.wantContents("general", "**** ")
	})
}

// A message whose ack is lost is acknowledged as a duplicate, which doesn't tell what
// came before it. One whose ack no Send waits for any more is fetched.
func TestSendAckLost(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.store("general", "bob", "first")
		answered := 1 // sends that get no answer
		r.onFrame = func(_ *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage || answered == 0 {
				return false
			}
			answered--
			r.store("general", "bob", "lost")
			r.accept(f)
			return true
		}
		r.follow("general")
		r.run()
		r.wantContents("general", "first ")
		ack, err := r.client.Send(t.Context(), "general", "hello")
		if err != nil || !ack.Duplicate {
			t.Fatalf("the ack is %+v, error %v; want a duplicate", ack, err)
		}
		r.pass(2 * time.Second)
		r.wantContents("general", "first lost hello ")

		answered = 1
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if _, err := r.client.Send(ctx, "general", "late"); err == nil {
			t.Fatal("a send without an answer succeeded")
		}
		r.pass(time.Second)
		r.wantContents("general", "first lost hello lost late ")
	})
}

// The frames of others name what was stored between the ack's read and the message.
func TestSendAckNamesAnEarlierPredecessor(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.store("general", "bob", "first")
		var frame wire.Message
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage {
				return false
			}
			before := r.store("general", "bob", "between") // its frame is lost
			var ack wire.Ack
			ack, frame = r.accept(f)
			ack.PreviousMessageID = before.PreviousMessageID
			c.write(ack)
			return true
		}
		r.follow("general")
		r.run()
		if _, err := r.client.Send(t.Context(), "general", "hello"); err != nil {
			t.Fatal(err)
		}
		r.pass(2 * time.Second)
		r.wantContents("general", "first hello ")
		r.broadcast(frame) // fanout corrects the ack
		r.pass(2 * time.Second)
		r.wantContents("general", "first hello between ")
	})
}

// A send is tried again where the table of codes says so, and stored once.
func TestSendRefused(t *testing.T) {
	gateway := func(text string) any {
		return map[string]string{"message": text, "connectionId": "TX0tuFp2joE=", "requestId": "TX0tuFp2joEF5Zw="}
	}
	for _, test := range []struct {
		name       string
		refusal    any // nil: none is sent; a string is a code
		retried    bool
		reconnects int
	}{
		{"invalid_request", client.CodeInvalidRequest, false, 0},
		{"unauthorized", client.CodeUnauthorized, false, 0},
		{"not_a_member", client.CodeNotAMember, false, 0},
		{"forbidden", client.CodeForbidden, false, 0},
		{"not_found", client.CodeNotFound, false, 0},
		{"too_large", client.CodeTooLarge, false, 0},
		{"unknown_action", client.CodeUnknownAction, false, 0},
		{"a code of the future", "on_holiday", false, 0},
		{"rate_limited", client.CodeRateLimited, true, 0},
		{"internal", client.CodeInternal, true, 0},
		{"reconnect", client.CodeReconnect, true, 2},
		{"token_expired", client.CodeTokenExpired, true, 2},
		{"gateway: function failed", gateway("Internal server error"), true, 0},
		{"gateway: function timed out", gateway("Endpoint request timed out"), true, 0},
		{"gateway: throttled", gateway("Too Many Requests"), true, 0},
		{"no answer", nil, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				refusals := 0
				r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
					if f.Action != wire.ActionSendMessage || refusals == 2 {
						return false
					}
					refusals++
					switch refusal := test.refusal.(type) {
					case nil:
					case string:
						c.write(wire.Error{Type: wire.TypeError, Code: refusal, Message: "no", ClientMessageID: f.ClientMessageID})
					default:
						c.write(refusal)
					}
					return true
				}
				r.follow("general")
				r.run()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				began := time.Now()
				_, err := r.client.Send(ctx, "general", "hello")
				if took := time.Since(began); test.refusal != nil && took > 10*time.Second {
					t.Errorf("the send took %v: the refusals were not noticed", took)
				}
				r.pass(time.Second)
				switch {
				case test.retried && err != nil:
					t.Fatalf("not retried: %v", err)
				case test.retried:
					r.wantContents("general", "hello ")
				case code(err) != test.refusal:
					t.Errorf("the error is %v, want code %v", err, test.refusal)
				case r.sends(wire.ActionSendMessage) != 1:
					t.Errorf("sent %d times, want 1", r.sends(wire.ActionSendMessage))
				}
				// A connection may be refused before its first pong, and Connected: count handshakes.
				r.fake.mu.Lock()
				defer r.fake.mu.Unlock()
				if r.handshakes != 1+test.reconnects {
					t.Errorf("connected %d times, want %d", r.handshakes, 1+test.reconnects)
				}
			})
		})
	}
}

// A permanent refusal that doesn't name its frame isn't taken for a send's.
func TestRefusalOfSomethingElse(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.onFrame = func(c *fakeConn, _ wire.ClientFrame) bool {
			c.write(wire.Error{Type: wire.TypeError, Code: client.CodeUnknownAction})
			return false
		}
		r.run()
		if _, err := r.client.Send(t.Context(), "general", "hello"); err != nil {
			t.Error(err)
		}
	})
}

func TestSendStoredButConnectionLost(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		lost := false
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage || lost {
				return false
			}
			lost = true
			r.accept(f)
			_ = c.ws.CloseNow()
			return true
		}
		r.follow("general")
		r.run()
		ack, err := r.client.Send(t.Context(), "general", "once")
		if err != nil {
			t.Fatal(err)
		}
		r.pass(time.Minute)
		r.wantContents("general", "once ")
		if !ack.Duplicate || ack.MessageID != r.messages("general")[0].MessageID {
			t.Errorf("the ack is %+v, want the duplicate's", ack)
		}
		sends := 0
		for _, f := range r.frames {
			if f.Action != wire.ActionSendMessage {
				continue // a ping
			}
			sends++
			if f.ClientMessageID != ack.ClientMessageID {
				t.Error("the retry has another clientMessageId")
			}
		}
		if sends != 2 {
			t.Errorf("it was sent %d times, want 2", sends)
		}
	})
}

func TestSendRefusedByTheClient(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.run()
		for _, test := range []struct{ name, room, content, code string }{
			{"empty", "general", "", client.CodeInvalidRequest},
			{"not UTF-8", "general", "a\xffb", client.CodeInvalidRequest},
			{"replacement character", "general", "a\ufffdb", client.CodeInvalidRequest},
			{"long", "general", strings.Repeat("x", client.MaxContent+1), client.CodeTooLarge},
			{"long once encoded", "general", strings.Repeat("\x01", 6000), client.CodeTooLarge},
			{"no room", "", "hello", client.CodeInvalidRequest},
			{"room with #", "a#b", "hello", client.CodeInvalidRequest},
			{"long room", strings.Repeat("r", 129), "hello", client.CodeInvalidRequest},
		} {
			if _, err := r.client.Send(t.Context(), test.room, test.content); code(err) != test.code {
				t.Errorf("%s: the error is %v, want code %s", test.name, err, test.code)
			}
		}
		if n := r.sends(wire.ActionSendMessage); n != 0 {
			t.Errorf("%d frames were sent, want none", n)
		}
		if _, err := r.client.Send(t.Context(), "general", strings.Repeat("x", client.MaxContent)); err != nil {
			t.Errorf("the longest content: %v", err)
		}
	})
}

// One send a room is under way, those of a room go in order, and rooms don't
// wait for each other.
func TestSendTurns(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		underWay, most := map[string]int{}, 0
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage {
				return false
			}
			r.mu.Lock()
			underWay[f.ChatRoomID]++
			most = max(most, underWay[f.ChatRoomID])
			r.mu.Unlock()
			go func() {
				<-time.After(100 * time.Millisecond)
				r.mu.Lock()
				underWay[f.ChatRoomID]--
				r.mu.Unlock()
				ack, m := r.accept(f)
				c.write(ack)
				r.broadcast(m)
			}()
			return true
		}
		r.follow("a")
		r.follow("b")
		r.run()
		began := time.Now()
		for i := range 5 {
			for _, room := range []string{"a", "b"} {
				go func() {
					if _, err := r.client.Send(t.Context(), room, strconv.Itoa(i)); err != nil {
						t.Error(err)
					}
				}()
			}
			r.pass(time.Millisecond)
		}
		r.pass(time.Second)
		for _, room := range []string{"a", "b"} {
			r.wantContents(room, "0 1 2 3 4 ")
			all := r.messages(room)
			if last := time.UnixMilli(all[len(all)-1].Timestamp); last.Sub(began) > 510*time.Millisecond {
				t.Errorf("the last message of %s was stored after %v: it waited for the other room", room, last.Sub(began))
			}
		}
		if most != 1 {
			t.Errorf("%d sends of a room were under way at once", most)
		}
	})
}

// A refused send waits as long as the server asks. A new connection before then is no
// reason to try.
func TestSendWaitsAsAsked(t *testing.T) {
	for _, test := range []struct {
		name string
		asks time.Duration
		want time.Duration // at least, until the second try
	}{
		{"a moment", 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"most of an hour", 59 * time.Minute, 59 * time.Minute},
		{"more than the protocol allows", 1000 * time.Hour, time.Hour},
		{"what makes no sense", -time.Hour, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				refused := false
				r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
					if f.Action != wire.ActionSendMessage || refused {
						return false
					}
					refused = true
					c.write(wire.Error{
						Type: wire.TypeError, Code: client.CodeRateLimited, ClientMessageID: f.ClientMessageID,
						RetryAfter: test.asks.Milliseconds(),
					})
					return true
				}
				r.run()
				began := time.Now()
				sent := make(chan error, 1)
				go func() {
					_, err := r.client.Send(t.Context(), "general", "hello")
					sent <- err
				}()
				r.pass(time.Millisecond)
				r.cut()
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < test.want || took > test.want+time.Minute {
					t.Errorf("stored after %v, want %v and a pause", took, test.want)
				}
				if n := r.sends(wire.ActionSendMessage); n != 2 {
					t.Errorf("sent %d times, want 2", n)
				}
			})
		})
	}
}

// The server closes a connection with more than 20 refused frames a minute, after a burst
// of 50, in however many rooms they are.
func TestSendOfManyRoomsRefused(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action == wire.ActionSendMessage {
				c.write(wire.Error{Type: wire.TypeError, Code: client.CodeRateLimited, ClientMessageID: f.ClientMessageID, RetryAfter: 100})
			}
			return f.Action == wire.ActionSendMessage
		}
		r.run()
		ctx, cancel := context.WithCancel(t.Context())
		const rooms, minutes = 40, 30
		ended := make(chan error, rooms)
		for i := range rooms {
			go func() {
				_, err := r.client.Send(ctx, "room-"+strconv.Itoa(i), "hello")
				ended <- err
			}()
		}
		for minute := range minutes {
			r.pass(time.Minute)
			if n, most := r.sends(wire.ActionSendMessage), 50+20*(minute+1); n > most {
				t.Fatalf("refused %d times in %d minutes, want at most %d", n, minute+1, most)
			}
		}
		cancel()
		for range rooms {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v, want the context's", err)
			}
		}
	})
}

func TestSendEndsWithContext(t *testing.T) {
	for _, test := range []struct {
		name    string
		connect bool
		refuse  bool
	}{
		{"no connection", false, false},
		{"no answer", true, false},
		{"refused forever", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
					if test.refuse && f.Action == wire.ActionSendMessage {
						c.write(wire.Error{Type: wire.TypeError, Code: client.CodeRateLimited, ClientMessageID: f.ClientMessageID})
					}
					return f.Action == wire.ActionSendMessage
				}
				if test.connect {
					r.run()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				blocked := make(chan error)
				go func() {
					_, err := r.client.Send(ctx, "general", "second") // waits for its turn
					blocked <- err
				}()
				_, err := r.client.Send(ctx, "general", "first")
				for _, err := range []error{err, <-blocked} {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("the error is %v, want the context's", err)
					}
				}
				if n := r.sends(wire.ActionSendMessage); test.refuse && (n < 5 || n > 100) {
					t.Errorf("sent %d times in five minutes", n)
				}
			})
		})
	}
}
