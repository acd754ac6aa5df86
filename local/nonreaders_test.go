package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// smallBuffer is the receive buffer of a client that does not read, in bytes: so
// little that a few large frames fill everything on the way to it.
const smallBuffer = 4 << 10

// nonReader opens a socket of which nothing is ever read.
func nonReader(s *rig.Rig, user string) *websocket.Conn {
	s.T.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			err = tcp.SetReadBuffer(smallBuffer)
		}
		return conn, err
	}}
	conn, response, err := websocket.Dial(s.T.Context(), s.WebSocketURL(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"streamroom", s.Token(user, 0)},
	})
	if err != nil {
		s.T.Fatalf("connect %s: %v (%v)", user, err, response)
	}
	s.T.Cleanup(func() {
		_ = conn.CloseNow()
		transport.CloseIdleConnections()
	})
	return conn
}

// broadcasters are a room of two users who send, and members who only get.
type broadcasters struct {
	room    string
	senders []*rig.Socket
}

func newBroadcasters(s *rig.Rig, name string, members int, join func(user string)) broadcasters {
	s.T.Helper()
	users := []string{name + "-sender-0", name + "-sender-1"}
	for i := range members {
		users = append(users, fmt.Sprint(name, "-", i))
	}
	b := broadcasters{room: s.Room(users...)}
	for _, user := range users[:2] {
		b.senders = append(b.senders, s.Connect(user))
	}
	for _, user := range users[2:] {
		join(user)
	}
	return b
}

// givenUp counts the posts that fanout gave up, by connection, and checks that none
// had the attempts of a throttled account.
func givenUp(t testing.TB, s *rig.Rig) map[string]int {
	t.Helper()
	posts := map[string]int{}
	for text := range strings.SplitSeq(s.Logs.String(), "\n") {
		var line struct {
			Message      string `json:"message"`
			ConnectionID string `json:"connection_id"`
			Attempts     int    `json:"attempts"`
		}
		if json.Unmarshal([]byte(text), &line) != nil || line.Message != "post" {
			continue
		}
		posts[line.ConnectionID]++
		if line.Attempts > push.Attempts {
			t.Errorf("a post was tried %d times, want at most %d: %s", line.Attempts, push.Attempts, text)
		}
	}
	return posts
}

// atOneMoment has fanout's clock stand still. It compares the posts of a moment, and on a
// busy machine there are moments in which no other post is made than those that are
// refused: that is how a throttled account looks.
func atOneMoment(f local.Function) local.Function {
	construct, now := f.Construct, time.Now()
	if f.Name == topology.Fanout {
		f.Construct = func(e functions.Env) (awslambda.Handler, error) {
			e.Now = func() time.Time { return now }
			return construct(e)
		}
	}
	return f
}

// Of clients that do not read only their own frames are given up, after the attempts
// of a slow client, however many they are: they are not taken for an account that is
// throttled, and other rooms get their messages.
func TestFanout_ClientsThatDoNotRead(t *testing.T) {
	for _, silent := range []int{20, 21} {
		t.Run(fmt.Sprint(silent), func(t *testing.T) {
			t.Parallel()
			s := start(t, local.Config{LogLevel: "debug", Unthrottled: true, Wrap: local.EachFunction(atOneMoment)}) // one user sends more than they may
			others := newPairs(s, 4)
			crowd := newBroadcasters(s, "silent", silent, func(user string) { nonReader(s, user) })
			content := strings.Repeat("x", chat.MaxContent)
			given := map[string]int{} // posts that were given up, by connection
			for n := 0; len(given) < silent || n < 60; n++ {
				if n > 150 {
					t.Fatalf("after %d messages only %d connections refuse frames, want %d", n, len(given), silent)
				}
				crowd.senders[0].Deliver(crowd.room, content, "") // each is posted before the next is sent
				if n%5 == 4 {
					others.chat(1) // each message, in order
					given = givenUp(t, s)
				}
			}
			for _, p := range others.users {
				for _, d := range p {
					if given[d.ConnectionID] > 0 {
						t.Errorf("%d posts to %s were given up, who reads", given[d.ConnectionID], d.User)
					}
				}
			}
			if len(given) != silent {
				t.Errorf("posts to %d connections were given up, want the %d that do not read", len(given), silent)
			}
		})
	}
}
