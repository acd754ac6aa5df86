package local_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// crowding counts how many requests a function has at the table at a time.
type crowding struct {
	mu        sync.Mutex
	now, most int
}

func (c *crowding) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
}

func (c *crowding) function(f local.Function) local.Function {
	if f.Name == topology.LastMessage {
		f.Transport = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if !strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDBStreams_") { // its mapping's
					c.add(1)
					defer c.add(-1)
				}
				return next.RoundTrip(r)
			})
		}
	}
	return f
}

// Lists of rooms leave the table to sends, also when many rooms move in them at once.
func TestListsLeaveTheTableToSends(t *testing.T) {
	var c crowding
	s := start(t, local.Config{LogLevel: "warn", Unthrottled: true, Wrap: func(d local.Deployment) local.Deployment {
		for i := range d.Mappings {
			d.Mappings[i].BatchWindow = min(d.Mappings[i].BatchWindow, 2*time.Second)
		}
		return local.EachFunction(c.function)(d)
	}})
	alice := s.Connect("alice")
	var rooms []string
	for range 60 {
		room := s.Room("alice", "bob")
		alice.Deliver(room, "hello", "")
		rooms = append(rooms, room)
	}
	rig.Eventually(t, "all rooms have their last message in bob's list", func() bool {
		for _, room := range rooms {
			if summary(s, "bob", room).LastMessage == nil {
				return false
			}
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most > 4 {
		t.Errorf("%d requests at a time, want at most 4", c.most)
	}
}
