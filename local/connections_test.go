package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

func unthrottled(d local.Deployment) local.Deployment {
	d.Unthrottled = true
	return d
}

// pairs are rooms of two users each, who chat.
type pairs struct {
	s     *rig.Rig
	rooms []string
	users [][2]*rig.Socket
}

func newPairs(s *rig.Rig, n int) *pairs {
	s.T.Helper()
	p := &pairs{s: s}
	for i := range n {
		a, b := fmt.Sprint("a-", i), fmt.Sprint("b-", i)
		p.rooms = append(p.rooms, s.Room(a, b))
		p.users = append(p.users, [2]*rig.Socket{s.Connect(a), s.Connect(b)})
	}
	return p
}

// chat has each room's first user send a message n times, and returns how long
// the second one waited for them, in order. Each must come.
func (p *pairs) chat(n int) []time.Duration {
	p.s.T.Helper()
	var waited []time.Duration
	for i := range n {
		for j, room := range p.rooms {
			content := fmt.Sprint("message ", i)
			began := time.Now()
			p.users[j][0].Send(room, content, "")
			if got := p.users[j][1].ExpectIn(room, wire.TypeMessage); got.Content != content {
				p.s.T.Errorf("room %d got %q, want %q", j, got.Content, content)
			}
			waited = append(waited, time.Since(began))
		}
	}
	slices.Sort(waited)
	return waited
}

func p99(sorted []time.Duration) time.Duration {
	return sorted[len(sorted)*99/100].Round(100 * time.Microsecond)
}

// One user's connections that come and go fast change one presence item. None
// fails for that, and other rooms get their messages. Those beyond the limit may be
// replaced before their handshake is over: 409.
func TestConnect_ManyAtOnceOfOneUser(t *testing.T) {
	const workers, rounds = 30, 10
	s := start(t, local.Config{LogLevel: "warn", Wrap: unthrottled})
	others := newPairs(s, 4)
	alone := others.chat(rounds)

	token := s.Token("mallory", 0)
	ctx, stop := context.WithCancel(t.Context())
	var connected, refused atomic.Int64
	var churning sync.WaitGroup
	for range workers {
		churning.Go(func() {
			for ctx.Err() == nil {
				conn, response, err := websocket.Dial(t.Context(), s.WebSocketURL(), &websocket.DialOptions{
					Subprotocols: []string{"streamroom", token},
				})
				if response != nil && response.StatusCode == http.StatusConflict {
					continue // there are more than the limit at this moment
				}
				if err != nil {
					refused.Add(1)
					t.Errorf("connect: %v (%v)", err, response)
					return
				}
				connected.Add(1)
				_ = conn.Close(websocket.StatusNormalClosure, "")
			}
		})
	}
	beside := others.chat(rounds)
	stop()
	churning.Wait()
	rig.Eventually(t, "no connection of the user is left", func() bool {
		rows := 0
		for it := range s.Scan() {
			if user, ok := it[table.UserID].(*types.AttributeValueMemberS); ok && user.Value == "mallory" && it[table.ReplacedAt] == nil {
				rows++
			}
		}
		_, entries := s.CountConnections("mallory")
		return rows == 0 && entries == 0
	})
	t.Logf("%d connections came and went; p99 of others %v without them, %v beside them", connected.Load(), p99(alone), p99(beside))
	if connected.Load() < workers || refused.Load() > 0 {
		t.Errorf("%d connections came, %d were refused; want %d at least, and none", connected.Load(), refused.Load(), workers)
	}
}

// A user who connects faster than the limit is refused by 429, and nothing of the connection
// is stored: neither other users nor the stream's readers notice.
func TestConnect_FasterThanAUserMay(t *testing.T) {
	const attempts = 60
	s := start(t, local.Config{LogLevel: "warn"})
	others := newPairs(s, 2)
	token := s.Token("mallory", 0)
	connected, refused := 0, 0
	began := time.Now()
	for range attempts {
		conn, response, err := websocket.Dial(t.Context(), s.WebSocketURL(), &websocket.DialOptions{
			Subprotocols: []string{"streamroom", token},
		})
		switch {
		case err == nil:
			connected++
			_ = conn.Close(websocket.StatusNormalClosure, "")
		case response != nil && response.StatusCode == http.StatusTooManyRequests:
			refused++
		default:
			t.Fatalf("connect: %v (%v)", err, response)
		}
	}
	most := chat.ConnectBurst + int(time.Since(began)*chat.ConnectRate/time.Minute) + 1
	if connected < chat.ConnectBurst || connected > most || connected+refused != attempts {
		t.Errorf("%d connected, %d were refused; want %d to %d, and the rest of %d", connected, refused, chat.ConnectBurst, most, attempts)
	}
	others.chat(2)
	s.Connect("carol")
	limited := map[string]bool{}
	for it := range s.Scan() {
		if key := attribute.KeyOf(it); key.SK == table.PresenceKey && attribute.GetNumber(it, table.RateTAT) > 0 {
			limited[key.PK] = true
		}
	}
	if len(limited) != len(others.users)*2+2 || !limited[table.UserPrefix+"mallory"] {
		t.Errorf("the limits of %v are stored, want one for each user", limited)
	}
}

// A user's connections beyond the limit replace the oldest, which are told so and
// closed. The others get what is sent.
func TestConnect_MoreThanTheLimitReplaceTheOldest(t *testing.T) {
	t.Parallel()
	for _, devices := range []int{20, 21, 22, 40} {
		t.Run(fmt.Sprint(devices), func(t *testing.T) {
			s := start(t, local.Config{Wrap: unthrottled})
			room := s.Room("alice", "bob")
			var all []*rig.Socket
			for range devices {
				all = append(all, s.Connect("alice"))
				// Of two of one millisecond either is the oldest.
				for now := time.Now().UnixMilli(); time.Now().UnixMilli() == now; {
					runtime.Gosched()
				}
			}
			replaced, kept := all[:devices-chat.MaxConnections], all[devices-chat.MaxConnections:]
			for i, d := range replaced {
				if got := d.Expect(wire.TypeError); got.Code != string(chat.CodeReplaced) {
					t.Errorf("device %d got %+v, want %s", i, got, chat.CodeReplaced)
				}
				if err := <-d.Ended; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
					t.Errorf("device %d ended with %v, want a close frame", i, err)
				}
			}
			s.Connect("bob").Send(room, "hello", "")
			for _, d := range kept {
				d.ExpectIn(room, wire.TypeMessage)
				d.Write(`{"action":"ping"}`)
				d.Expect(wire.TypePong)
			}
			if _, entries := s.CountConnections("alice"); entries != chat.MaxConnections {
				t.Errorf("%d entries, want %d", entries, chat.MaxConnections)
			}
		})
	}
}

// A connection that is opened before another one ends gets what that one gets, and
// replaces it where the user has as many as they can have.
func TestConnect_InPlaceOfAnother(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{Wrap: unthrottled})
	room := s.Room("alice", "bob")
	bob := s.Connect("bob")
	var all []*rig.Socket
	for range chat.MaxConnections - 1 {
		all = append(all, s.Connect("alice"))
	}
	all = append(all, all[7].Succeed())
	bob.Send(room, "to both", "")
	for _, d := range all {
		d.ExpectIn(room, wire.TypeMessage)
	}
	all = append(all, all[7].Succeed())
	if got := all[7].Expect(wire.TypeError); got.Code != string(chat.CodeReplaced) {
		t.Errorf("the one that was named got %+v, want %s", got, chat.CodeReplaced)
	}
	bob.Send(room, "to the others", "")
	for _, d := range slices.Delete(all, 7, 8) {
		d.ExpectIn(room, wire.TypeMessage)
	}
}

// Of connections that are opened at once no more than the limit stay, and what
// stays is served: none is told by a pong that all is well and gets nothing.
func TestConnect_RacingBeyondTheLimit(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{Wrap: unthrottled})
	room := s.Room("alice", "bob")
	bob := s.Connect("bob")
	token := s.Token("alice", 0)
	type outcome struct{ pong, replaced, got bool }
	var racing, dialing sync.WaitGroup
	dialing.Add(2 * chat.MaxConnections)
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	outcomes := make([]outcome, 2*chat.MaxConnections)
	sent := make(chan struct{})
	for i := range outcomes {
		racing.Go(func() {
			conn, _, err := websocket.Dial(ctx, s.WebSocketURL(), &websocket.DialOptions{
				Subprotocols: []string{"streamroom", token},
			})
			dialing.Done()
			if err != nil { // it was replaced before its handshake was over
				outcomes[i].replaced = true
				return
			}
			defer func() { _ = conn.CloseNow() }()
			<-sent
			if err := conn.Write(ctx, websocket.MessageText, []byte(`{"action":"ping"}`)); err != nil {
				outcomes[i].replaced = true
				return
			}
			o := &outcomes[i]
			for !o.replaced && (!o.pong || !o.got) {
				var frame wire.ServerFrame
				_, data, err := conn.Read(ctx)
				if err != nil || json.Unmarshal(data, &frame) != nil {
					o.replaced = ctx.Err() == nil
					return
				}
				o.pong = o.pong || frame.Type == wire.TypePong
				o.got = o.got || frame.Type == wire.TypeMessage
				o.replaced = frame.Code == string(chat.CodeReplaced)
			}
		})
	}
	dialing.Wait()
	bob.Send(room, "hello", "")
	bob.ExpectIn(room, wire.TypeMessage)
	close(sent)
	racing.Wait()
	served := 0
	for i, o := range outcomes {
		if o.got && !o.replaced {
			served++
		} else if !o.replaced {
			t.Errorf("connection %d: pong %t, message %t, and not replaced", i, o.pong, o.got)
		}
	}
	if _, entries := s.CountConnections("alice"); entries > chat.MaxConnections || served > chat.MaxConnections || served == 0 {
		t.Errorf("%d entries, %d served; want 1 to %d", entries, served, chat.MaxConnections)
	}
}
