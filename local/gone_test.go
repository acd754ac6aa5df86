package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/faults"
)

// present are the connections that the next message to a user goes to.
func present(s *rig.Rig, clock *jumper, user string) (ids []string) {
	s.T.Helper()
	store := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, clock.Now)
	present, err := store.Presence(s.T.Context(), []string{user}, 100)
	if err != nil {
		s.T.Fatalf("read the presence: %v", err)
	}
	for _, c := range present[user] {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// A 410 for a frame that arrived nonetheless, by a connection that lives.
func TestA410EndsExactlyTheConnectionThatAnsweredIt(t *testing.T) {
	t.Parallel()
	clock, b := newJumper(), &broken{}
	s := start(t, local.Config{Clock: clock, Wrap: b.Wrap})
	room := s.Room("alice", "bob")
	alice, phone, laptop := s.Connect("alice"), s.Connect("bob"), s.Connect("bob")

	gone := always(t, faults.Plan{Posts: faults.Posts{Gone: 1}})
	posting, back := make(chan struct{}, 10), make(chan struct{})
	b.set(func() {
		b.post = func(id, frame string, next http.RoundTripper) http.RoundTripper {
			if id != phone.ConnectionID || !strings.Contains(frame, room) {
				return next
			}
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				answer, err := gone.Posts("", next).RoundTrip(r)
				posting <- struct{}{}
				<-back
				return answer, err
			})
		}
	})

	// Within the time that a handshake may take.
	alice.Send(room, "young", "")
	<-posting
	close(back)
	b.served(t, topology.Fanout, "young")
	if rows, entries := s.CountItems("CONNECTION#"), present(s, clock, "bob"); rows != 3 || len(entries) != 2 {
		t.Fatalf("%d rows and bob's entries %v are left within the grace, want all", rows, entries)
	}

	// Later, and with bob connecting once more between the post and its answer.
	clock.jump(61 * time.Second)
	back = make(chan struct{})
	alice.Send(room, "old", "")
	<-posting
	tablet := s.Connect("bob")
	close(back)
	b.served(t, topology.Fanout, "old")
	want := []string{laptop.ConnectionID, tablet.ConnectionID}
	slices.Sort(want)
	if entries := present(s, clock, "bob"); !slices.Equal(entries, want) {
		t.Errorf("bob's entries are %v, want those of the other connections, %v", entries, want)
	}
	if rows := s.CountItems("CONNECTION#"); rows != 3 {
		t.Errorf("%d rows are left, want those of the three other connections", rows)
	}
	if entries := present(s, clock, "alice"); len(entries) != 1 {
		t.Errorf("the sender has %d entries", len(entries))
	}

	for _, content := range []string{"young", "old"} { // they were delivered
		if got := phone.ExpectIn(room, wire.TypeMessage); got.Content != content {
			t.Errorf("the phone got %q, want %q", got.Content, content)
		}
	}
	alice.Send(room, "next", "")
	for _, d := range []*rig.Socket{laptop, tablet, alice} {
		for d.ExpectIn(room, wire.TypeMessage).Content != "next" { // it came there
		}
	}
	phone.ExpectNone(wire.TypeMessage)
	phone.Write(`{"action":"ping"}`)
	if got := phone.Expect(wire.TypePong, wire.TypeError); got.Code != "reconnect" {
		t.Errorf("the phone's ping is answered %+v", got)
	}
}

// A connection that is taken for gone gets nothing until it sends something.
func TestAClientThatWasTakenForGoneComesBack(t *testing.T) {
	t.Parallel()
	clock, b := newJumper(), &broken{}
	s := start(t, local.Config{Clock: clock, Wrap: b.Wrap})
	room := s.Room("alice", "bob")
	alice, bob := follow(s, "alice", room), follow(s, "bob", room)
	first := bob.online(1)
	gone := always(t, faults.Plan{Posts: faults.Posts{Gone: 1}})
	b.set(func() {
		b.post = func(id, frame string, next http.RoundTripper) http.RoundTripper {
			if id == first && strings.Contains(frame, room) {
				return gone.Posts("", next)
			}
			return next
		}
	})
	clock.jump(61 * time.Second)
	alice.tell(room, "delivered, and answered 410")
	rig.Eventually(t, "bob's connection goes", func() bool { return len(present(s, clock, "bob")) == 0 })
	alice.tell(room, "not heard")
	bob.tell(room, "sent on a connection that is forgotten")
	bob.online(2)
	for _, f := range []*follower{alice, bob} {
		f.has(room, "delivered, and answered 410", "not heard", "sent on a connection that is forgotten")
	}
}
