package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/faults"
)

// The second attempt waits until everyone else was served: if they were served
// after it, it would have no answer in time, and there would be no message.
func TestRefusedPostsAreTriedAgainAfterTheOthers(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]faults.Posts{
		"429": {Throttled: 1}, "500": {Failed: 1}, "broken connection": {Reset: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &broken{}
			s := start(t, local.Config{Wrap: b.Wrap})
			room := s.Room("alice", "bob", "carol")
			alice, bob, carol := s.Connect("alice"), s.Connect("bob"), s.Connect("carol")
			fault := always(t, faults.Plan{Posts: plan})
			var attempts atomic.Int32
			others := make(chan struct{}, 2)
			b.set(func() {
				b.post = func(id, frame string, next http.RoundTripper) http.RoundTripper {
					if !strings.Contains(frame, "hello") {
						return next
					}
					if id != bob.ConnectionID {
						return roundTrip(func(r *http.Request) (*http.Response, error) {
							defer func() { others <- struct{}{} }()
							return next.RoundTrip(r)
						})
					}
					if attempts.Add(1) == 1 {
						return fault.Posts("", next)
					}
					return roundTrip(func(r *http.Request) (*http.Response, error) {
						for range 2 {
							select {
							case <-others:
							case <-r.Context().Done():
								return nil, r.Context().Err()
							}
						}
						return next.RoundTrip(r)
					})
				}
			})
			alice.Send(room, "hello", "")
			for _, d := range []*rig.Socket{alice, carol, bob} {
				d.ExpectIn(room, wire.TypeMessage)
				d.ExpectNoneIn(room, wire.TypeMessage)
			}
			if n := attempts.Load(); n != 2 {
				t.Errorf("%d attempts, want 2", n)
			}
		})
	}
}

// What no attempt delivers is counted, and not sent to everyone again: the next
// message tells the client that something is missing. What is delivered twice
// is seen once.
func TestWhatAPostLosesIsCaughtUp(t *testing.T) {
	t.Parallel()
	b := &broken{}
	s := start(t, local.Config{Wrap: b.Wrap})
	type loss struct {
		name        string
		fault       faults.Posts
		undelivered int

		injector   *faults.Injector
		room, id   string
		alice      *rig.Socket
		bob, carol *follower
		ended      atomic.Bool // a post that hung was given up
	}
	losses := []*loss{
		{name: "429 to the end", fault: faults.Posts{Throttled: 1}, undelivered: 1},
		{name: "500 to the end", fault: faults.Posts{Failed: 1}, undelivered: 1},
		{name: "403", fault: faults.Posts{Forbidden: 1}, undelivered: 1},
		{name: "broken connections", fault: faults.Posts{Reset: 1}, undelivered: 1},
		{name: "delivered, but never a word", fault: faults.Posts{Unanswered: 1}, undelivered: 1},
		{name: "no answer", fault: faults.Posts{Hang: 1}, undelivered: 1},
		{name: "200, but lost", fault: faults.Posts{Lost: 1}},
		{name: "delivered twice", fault: faults.Posts{Twice: 1}},
		{name: "410, but alive and delivered", fault: faults.Posts{Gone: 1}},
	}
	byID := map[string]*loss{}
	for i, l := range losses {
		alice, bob, carol := fmt.Sprintf("alice-%d", i), fmt.Sprintf("bob-%d", i), fmt.Sprintf("carol-%d", i)
		l.room = s.Room(alice, bob, carol)
		l.alice, l.bob, l.carol = s.Connect(alice), follow(s, bob, l.room), follow(s, carol, l.room)
		l.alice.Deliver(l.room, "before", "")
		l.bob.has(l.room, "before")
		l.carol.has(l.room, "before")
		l.id, l.injector = l.bob.online(1), always(t, faults.Plan{Posts: l.fault})
		byID[l.id] = l
	}
	b.set(func() {
		b.post = func(to, frame string, next http.RoundTripper) http.RoundTripper {
			l := byID[to]
			if l == nil || !strings.Contains(frame, "lost") {
				return next
			}
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				answer, err := l.injector.Posts("", next).RoundTrip(r)
				if r.Context().Err() != nil {
					l.ended.Store(true)
				}
				return answer, err
			})
		}
	})
	for i, l := range losses {
		content := fmt.Sprintf("lost %d", i)
		l.alice.Deliver(l.room, content, "")
		l.carol.has(l.room, "before", content)
		if l.ended.Load() {
			t.Errorf("%s: the others got the message when the post that hangs had ended", l.name)
		}
	}
	for i := range losses {
		b.served(t, topology.Fanout, fmt.Sprintf("lost %d", i))
	}
	b.set(func() { b.post = nil })
	for _, l := range losses {
		l.alice.Deliver(l.room, "after", "")
	}
	undelivered := 0
	for i, l := range losses {
		content := fmt.Sprintf("lost %d", i)
		l.bob.has(l.room, "before", content, "after")
		if n := len(b.about(topology.Fanout, content)); n != 1 {
			t.Errorf("%s: the message was broadcast %d times, want once", l.name, n)
		}
		undelivered += l.undelivered
	}
	counted := 0
	for _, found := range regexp.MustCompile(`"undelivered":(\d+)`).FindAllStringSubmatch(s.Logs.String(), -1) {
		n, _ := strconv.Atoi(found[1])
		counted += n
	}
	if counted != undelivered {
		t.Errorf("%d posts are counted as undelivered, want %d", counted, undelivered)
	}
}

// The room's other devices get everything while one of them takes nothing, its
// buffers being full, and then has closed its half of the connection.
func TestFanout_ClientThatDoesNotReadDelaysNoOthers(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	room := s.Room("alice", "bob", "carol")
	alice, carol := s.Connect("alice"), s.Connect("carol")
	id, tcp := connectUnread(s, "bob")
	full := `{"type":"gap","chatRoomId":"` + room + `"}`
	full += strings.Repeat(" ", 128<<10-len(full))
	for posts := 0; postTo(s, id, full) != http.StatusTooManyRequests; posts++ {
		if posts > 1000 {
			t.Fatal("the client's buffers don't fill")
		}
	}

	talk := func(from, to int) {
		t.Helper()
		var want []string
		for i := from; i < to; i++ {
			want = append(want, fmt.Sprintf("message %d", i))
			alice.Send(room, want[len(want)-1], "")
		}
		for _, d := range []*rig.Socket{alice, carol} {
			var got []string
			for range want {
				got = append(got, d.ExpectIn(room, wire.TypeMessage).Content)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s got %q, want %q", d.User, got, want)
			}
		}
	}
	talk(0, 5)
	if _, entries := s.CountConnections("bob"); entries != 1 {
		t.Errorf("a connection that takes nothing for a while was dropped")
	}
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	talk(5, 10)
	rig.Eventually(t, "the half-closed connection goes", func() bool {
		_, entries := s.CountConnections("bob")
		return entries == 0
	})
	if len(s.History("bob", room)) != 10 {
		t.Error("the history is not whole")
	}
}

// connectUnread opens a socket that is not read after its first pong.
func connectUnread(s *rig.Rig, user string) (id string, tcp *net.TCPConn) {
	s.T.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		tcp, _ = conn.(*net.TCPConn)
		return conn, err
	}}
	socket, _, err := websocket.Dial(s.T.Context(), s.WebSocketURL(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"streamroom", s.Token(user, 0)},
	})
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = socket.CloseNow() })
	if err := socket.Write(s.T.Context(), websocket.MessageText, []byte(`{"action":"ping"}`)); err != nil {
		s.T.Fatal(err)
	}
	for {
		_, data, err := socket.Read(s.T.Context())
		if err != nil {
			s.T.Fatal(err)
		}
		var frame wire.ServerFrame
		if err := json.Unmarshal(data, &frame); err != nil {
			s.T.Fatal(err)
		}
		if frame.Type == wire.TypePong {
			return frame.ConnectionID, tcp
		}
	}
}

// postTo posts to a connection as the management API's caller.
func postTo(s *rig.Rig, id, body string) (status int) {
	s.T.Helper()
	r, err := http.NewRequestWithContext(s.T.Context(), http.MethodPost,
		s.URL()+"/"+local.Stage+"/@connections/"+url.PathEscape(id), strings.NewReader(body))
	if err != nil {
		s.T.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// An invocation whose every post hangs ends in its own time, and has what its
// deadline cut off delivered again.
func TestPostsThatAllHang_EndWithTheInvocationAndComeAgain(t *testing.T) {
	t.Parallel()
	b := &broken{}
	s := start(t, local.Config{Wrap: b.Wrap})
	room := s.Room("alice", "bob", "carol")
	followers := []*follower{follow(s, "alice", room), follow(s, "bob", room), follow(s, "carol", room)}
	followers[0].tell(room, "before")
	for _, f := range followers {
		f.has(room, "before")
	}
	hang := always(t, faults.Plan{Posts: faults.Posts{Hang: 1}})
	b.set(func() {
		b.post = func(_, _ string, next http.RoundTripper) http.RoundTripper { return hang.Posts("", next) }
		b.invoke = func(function, _ string, next lambda.Handler) lambda.Handler {
			if function != topology.Fanout {
				return next
			}
			return handle(func(ctx context.Context, payload []byte) ([]byte, error) {
				ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond) // less than a post may take
				defer cancel()
				return next.Invoke(ctx, payload)
			})
		}
	})
	followers[1].tell(room, "lost")
	b.served(t, topology.Fanout, "lost")
	b.set(func() { b.post, b.invoke = nil, nil })
	followers[2].tell(room, "after")
	for _, f := range followers {
		f.has(room, "before", "lost", "after")
	}
	// The first ended in time and answered the records whose posts were cut off.
	if first := b.about(topology.Fanout, "lost")[0]; first.err != nil || len(first.again) == 0 {
		t.Errorf("the first invocation was %+v, want one that answers failed records", first)
	}
	rig.Eventually(t, "posts what the first invocation had no time for", func() bool {
		return slices.ContainsFunc(b.about(topology.Fanout, "lost")[1:], func(i invocation) bool {
			return i.err == nil && len(i.again) == 0
		})
	})
}
