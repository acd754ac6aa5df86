package local_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// limited runs a deployment with the limits of the HTTP API, which the rig lifts.
func limited(d local.Deployment) local.Deployment {
	return local.EachFunction(func(f local.Function) local.Function {
		for _, name := range []string{config.WriteRate, config.ReadRate} {
			delete(f.Environment, name)
		}
		return f
	})(d)
}

// exhaust makes a request again and again until it is refused, and returns how many were
// served, and the refusal.
func exhaust(s *rig.Rig, user, method, path string, body any, most int) (served int, refusal wire.Problem) {
	s.T.Helper()
	for range most {
		refusal = wire.Problem{}
		if s.API(user, method, path, body, &refusal) == http.StatusTooManyRequests {
			return served, refusal
		}
		served++
	}
	s.T.Errorf("%s %s was served %d times", method, path, served)
	return served, refusal
}

func TestLimits_OfTheHTTPAPI(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{Wrap: limited, LogLevel: "warn"})
	began := time.Now()
	room := s.Room("alice", "bob") // two changes of alice
	message := s.Connect("alice")
	message.Send(room, "hello", "")
	id := message.Expect(wire.TypeAck).MessageID
	for _, test := range []struct {
		user, method, path string
		body               any
		burst, rate        int
	}{
		{"alice", http.MethodPost, "/rooms/" + room + "/read", wire.ReadRequest{UpTo: id}, chat.WriteBurst - 2, chat.WriteRate},
		{"alice", http.MethodGet, "/rooms", nil, chat.ReadBurst, chat.ReadRate},
		{"bob", http.MethodPost, "/sync", wire.SyncRequest{Rooms: map[string]string{room: id}}, chat.ReadBurst, chat.ReadRate},
	} {
		served, refusal := exhaust(s, test.user, test.method, test.path, test.body, 10*test.burst)
		most := test.burst + int(time.Since(began)*time.Duration(test.rate)/time.Second) + 1
		if served < test.burst || served > most {
			t.Errorf("%s %s was served %d times, want %d to %d", test.method, test.path, served, test.burst, most)
		}
		if refusal.Code != string(chat.CodeRateLimited) || refusal.RetryAfter < 1 || refusal.RetryAfter > 1000/int64(test.rate) {
			t.Errorf("%s %s is refused with %+v", test.method, test.path, refusal)
		}
		began = time.Now()
	}
	// A room of many members is many changes.
	var members []string
	for i := range chat.MaxInitialMember {
		members = append(members, fmt.Sprint("m", i))
	}
	body := wire.RoomRequest{Type: "group", Name: "Crowd", Members: members}
	if first, second := s.API("carol", http.MethodPost, "/rooms", body, nil), s.API("carol", http.MethodPost, "/rooms", body, nil); first != http.StatusCreated || second != http.StatusTooManyRequests {
		t.Errorf("two rooms of %d are answered %d and %d, want 201 and 429", len(members)+1, first, second)
	}
}

// The header is for programs that know HTTP alone.
func TestLimits_RetryAfter(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{LogLevel: "warn", Wrap: func(d local.Deployment) local.Deployment {
		for _, f := range d.Functions {
			f.Environment[config.ReadRate], f.Environment[config.ReadBurst] = "1", "1"
		}
		return d
	}})
	header := ""
	s.Inspect = func(_ *http.Request, _ []byte, response *http.Response, _ []byte) {
		header = response.Header.Get("Retry-After")
	}
	for s.API("alice", http.MethodGet, "/rooms", nil, nil) != http.StatusTooManyRequests {
		if header != "" {
			t.Errorf("an answer has Retry-After %s", header)
		}
	}
	if seconds, err := strconv.Atoi(header); err != nil || seconds != 1 {
		t.Errorf("Retry-After is %q, want 1", header)
	}
}

// A client that sends nothing but what is refused is told so, and its socket closed.
func TestLimits_AFloodOfRefusedFramesEndsTheSocket(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{LogLevel: "warn"})
	for name, frame := range map[string]string{
		"unknown actions": `{"action":"fly"}`,
		"faulty sends":    `{"action":"sendMessage","content":""}`,
		"pings":           `{"action":"ping"}`,
	} {
		d, other := s.Connect("mallory"), s.Connect("mallory")
		if answered := untilFlooded(d, frame); answered < chat.RefusedBurst {
			t.Errorf("%s: the socket ended after %d frames", name, answered)
		}
		other.Write(`{"action":"ping"}`)
		other.Expect(wire.TypePong)
	}
}

// untilFlooded sends a frame that is refused until the socket ends, and returns how often it was
// answered.
func untilFlooded(d *rig.Socket, frame string) (answered int) {
	t := d.Rig.T
	t.Helper()
	for ended := false; !ended; {
		if err := d.Conn.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
			break
		}
		select {
		case got, open := <-d.Frames:
			answered++
			ended = !open || got.Type == wire.TypeError && got.Message == chat.ErrFlooded().Message
		case <-time.After(rig.Patience):
			t.Fatalf("%s: no answer", frame)
		}
		if answered > 10*chat.RefusedBurst {
			t.Fatalf("%s: the socket is open after %d frames", frame, answered)
		}
	}
	select {
	case <-d.Ended:
	case <-time.After(rig.Patience):
		t.Errorf("%s: the socket stays open", frame)
	}
	return answered
}

// A socket whose token has ended ends with the next frame, also when the table has removed
// all that has expired: it counts among no one's connections.
func TestLimits_AFrameAfterTheTokensEndEndsTheSocket(t *testing.T) {
	t.Parallel()
	clock := newJumper()
	s := start(t, local.Config{Clock: clock, LogLevel: "warn"})
	for name, frame := range map[string]string{
		"an unknown action": `{"action":"fly"}`,
		"a send":            `{"action":"sendMessage","chatRoomId":"r","content":"late"}`,
		"a ping":            `{"action":"ping"}`,
	} {
		d := s.ConnectWith("mallory", s.Token("mallory", 300*time.Second))
		clock.jump(5*time.Minute + chat.TokenGrace + time.Second)
		removeExpired(s, clock)
		d.Write(frame)
		select {
		case <-d.Ended:
		case <-time.After(rig.Patience):
			t.Fatalf("%s: the socket stays open", name)
		}
		var last wire.ServerFrame // the answer may come before or after it
		for got := range d.Frames {
			if last = got; got.Message == chat.ErrEnded().Message {
				break
			}
		}
		if last.Code != string(chat.CodeReconnect) || last.Message != chat.ErrEnded().Message {
			t.Errorf("%s: the socket ends with %+v, want %s", name, last, chat.ErrEnded().Message)
		}
	}
}

// A socket that could not be closed is closed by a later frame.
func TestLimits_AFloodIsEndedAgain(t *testing.T) {
	t.Parallel()
	clock, gaveUp := newJumper(), make(chan struct{})
	var tried atomic.Bool
	s := start(t, local.Config{Clock: clock, LogLevel: "error", Wrap: local.EachFunction(func(f local.Function) local.Function {
		f.Transport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodDelete || tried.Swap(true) {
					return next.RoundTrip(r)
				}
				defer close(gaveUp)
				<-r.Context().Done() // API Gateway does not answer
				return nil, r.Context().Err()
			})
		}
		return f
	})})
	d := s.Connect("mallory")
	for got := (wire.ServerFrame{}); got.Message != chat.ErrFlooded().Message; {
		d.Write(`{"action":"fly"}`)
		got = d.Expect(wire.TypeError)
	}
	<-gaveUp
	d.Write(`{"action":"ping"}`)
	for got := (wire.ServerFrame{}); got.Code != string(chat.CodeRateLimited); { // the answers to what was on its way come first
		got = d.Expect(wire.TypePong, wire.TypeError)
	}
	clock.jump(chat.CloseWithin + time.Second)
	d.Write(`{"action":"ping"}`)
	select {
	case <-d.Ended:
	case <-time.After(rig.Patience):
		t.Error("the socket stays open")
	}
}

// Two functions store messages, and each counts a user's on its own. Neither would refuse
// who sends at the full rate, but by both at once that is twice as many as they take.
func TestLimits_SendsOfBothAPIsCountTogether(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock, LogLevel: "warn", Wrap: local.EachFunction(func(f local.Function) local.Function {
		delete(f.Environment, config.SendRate)
		return f
	})})
	room := s.Room("alice")
	alice := s.Connect("alice")
	stored := map[string]int{}
	const seconds = 25
	for range seconds * chat.SendRate {
		clock.Advance(time.Second / chat.SendRate)
		alice.Write(fmt.Sprintf(`{"action":"sendMessage","chatRoomId":%q,"content":"x"}`, room))
		got := alice.Expect(wire.TypeAck, wire.TypeError)
		switch status := s.API("alice", http.MethodPost, "/rooms/"+room+"/messages", wire.SendRequest{Content: "x"}, nil); {
		case status == http.StatusCreated:
			stored["API"]++
		case status != http.StatusTooManyRequests:
			t.Fatalf("a request is answered %d", status)
		}
		switch {
		case got.Type == wire.TypeAck:
			stored["socket"]++
		case got.Code != string(chat.CodeRateLimited):
			t.Fatalf("a frame is answered %+v", got)
		}
	}
	limit := seconds*chat.SendRate + 10*chat.SendsPerTake
	if all := stored["socket"] + stored["API"]; all > limit+2*chat.SendsPerTake || all < limit-2*chat.SendsPerTake {
		t.Errorf("%d messages are stored by both APIs, want %d: %v", all, limit, stored)
	}
}
