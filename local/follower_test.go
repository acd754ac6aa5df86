package local_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
)

// follower is a Go client, as an application has it, and what it was told.
type follower struct {
	*client.Client
	s    *rig.Rig
	user string

	mu     sync.Mutex
	events []client.Event
}

// follow connects a client that follows rooms, and waits until it is online.
func follow(s *rig.Rig, user string, rooms ...string) *follower {
	s.T.Helper()
	f := &follower{s: s, user: user}
	c, err := client.New(client.Options{
		WebSocketURL: s.WebSocketURL(), APIURL: s.URL() + "/api",
		Token: func(ctx context.Context) (string, error) {
			return rig.SignIn(ctx, http.DefaultClient, s.URL(), user, 0)
		},
	})
	if err != nil {
		s.T.Fatal(err)
	}
	f.Client = c
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.T.Context()))
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx, f.take) }()
	s.T.Cleanup(func() {
		cancel()
		<-ran
	})
	for _, room := range rooms {
		if err := c.Follow(room); err != nil {
			s.T.Fatal(err)
		}
	}
	f.online(1)
	return f
}

func (f *follower) take(_ context.Context, e client.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// online waits until the client has been connected n times, and returns the
// id of the last connection.
func (f *follower) online(n int) (connectionID string) {
	f.s.T.Helper()
	rig.Eventually(f.s.T, fmt.Sprintf("connection %d of %s", n, f.user), func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		connected := 0
		for _, e := range f.events {
			if c, ok := e.(client.Connected); ok {
				connected++
				connectionID = c.ConnectionID
			}
		}
		return connected >= n
	})
	return connectionID
}

// cut ends the client's n-th connection from the server's side, and waits for
// the next.
func (f *follower) cut(n int) {
	f.s.T.Helper()
	path := "/" + local.Stage + "/@connections/" + url.PathEscape(f.online(n))
	if status := f.s.Request(http.MethodDelete, path, "", nil, nil); status != http.StatusNoContent {
		f.s.T.Fatalf("cut the connection of %s: status %d", f.user, status)
	}
	f.online(n + 1)
}

// tell sends a message and returns its id.
func (f *follower) tell(room, content string, options ...client.SendOption) string {
	f.s.T.Helper()
	ctx, cancel := context.WithTimeout(f.s.T.Context(), rig.Patience)
	defer cancel()
	ack, err := f.Send(ctx, room, content, options...)
	if err != nil {
		f.s.T.Fatalf("%s sends: %v", f.user, err)
	}
	return ack.MessageID
}

// messages are those of a room that came, in the order in which they came.
func (f *follower) messages(room string) (came []client.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if m, ok := e.(client.Message); ok && m.ChatRoomID == room {
			came = append(came, m)
		}
	}
	return came
}

// contents are a room's messages as a person sees them: in the order of their
// ids.
func (f *follower) contents(room string) (contents []string) {
	came := f.messages(room)
	slices.SortFunc(came, func(a, b client.Message) int { return strings.Compare(a.MessageID, b.MessageID) })
	for _, m := range came {
		contents = append(contents, m.Content)
	}
	return contents
}

// has waits until the client has these messages of a room, in the room's order,
// each once, and holds it to what it says of those that came late.
func (f *follower) has(room string, contents ...string) {
	f.s.T.Helper()
	deadline := time.After(rig.Patience)
	for !slices.Equal(f.contents(room), contents) {
		select {
		case <-deadline:
			f.s.T.Fatalf("%s has %q, want %q", f.user, f.contents(room), contents)
		case <-time.After(10 * time.Millisecond):
		}
	}
	greatest := ""
	for _, m := range f.messages(room) {
		if late := m.MessageID < greatest; late != m.Late {
			f.s.T.Errorf("%s got %q with Late %v, want %v", f.user, m.Content, m.Late, late)
		}
		greatest = max(greatest, m.MessageID)
	}
}

// haveHistory is has for many, with all that a room's history has. It returns
// that.
func haveHistory(room string, followers ...*follower) (contents []string) {
	f := followers[0]
	f.s.T.Helper()
	for _, m := range slices.Backward(f.s.History(f.user, room)) {
		contents = append(contents, m.Content)
	}
	for _, f := range followers {
		f.has(room, contents...)
	}
	return contents
}
