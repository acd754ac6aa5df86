package functions_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
)

// away is how far the table is. The tests below run in bubbles of fake time, so
// that requests overlap exactly where the code makes them side by side.
const away = time.Second

// sends are the ways to send a message, with the sequential round trips and
// the write units that a message of n KB takes that way.
var sends = []struct {
	name  string
	way   way
	trips int
	write func(n int) float64
}{
	{"cold", way{cold: true}, 3, sendUnits},
	{"cold-in-a-burst", way{cold: true, burst: true}, 3, sendUnits},
	{"warm", way{}, 2, sendUnits},
	{"warm-in-a-burst", way{burst: true}, 2, sendUnits},
	{"warm-with-clientMessageId", way{clientID: true}, 2, sendOnceUnits},
}

// Those that a send takes itself: the first ones are counted, see below.
func sendUnits(n int) float64     { return cost.SendWrites(float64(n), false) - cost.LimitWrites }
func sendOnceUnits(n int) float64 { return cost.SendWrites(float64(n), true) - cost.LimitWrites }

// contents are sizes of content in bytes with the KB that the item takes, which
// has keys and a sender beside the content.
var contents = []struct {
	name      string
	bytes, kb int
}{
	{"1KB", 1024, 2},
	{"8KB", 8192, 9},
}

// A connection takes two writes, one after the other, of which the first one also counts it
// in its user's limit; a user's first connection takes one more, of what others are told.
func TestConnect_KeepsToItsBudget(t *testing.T) {
	inBubble(t, 1, func(m metered) {
		handler, token := m.wired(functions.Connect), m.token(user(1))
		for n, told := range []int{1, 0, 0} {
			got := m.count(handler, m.handshake(connection(1+n), token), http.StatusOK)
			if got.Requests != 2+told || got.RoundTrips != 2+told {
				t.Errorf("connection %d: %d requests, %d round trips; want %d each", n+1, got.Requests, got.RoundTrips, 2+told)
			}
			if want := cost.Connect(0).Writes + float64(told); got.Write != want || got.Read != 0 || got.Refused != 0 {
				t.Errorf("connection %d: %+v, want %v write units", n+1, got, want)
			}
		}
	})
}

func TestSendMessage_KeepsToItsBudget(t *testing.T) {
	for _, send := range sends {
		for _, content := range contents {
			t.Run(send.name+"/"+content.name, func(t *testing.T) {
				inBubble(t, 1, func(m metered) {
					got := m.sender(send.way, content.bytes)()
					if got.RoundTrips != send.trips {
						t.Errorf("%d round trips, want %d", got.RoundTrips, send.trips)
					}
					if want := send.write(content.kb); got.Write != want {
						t.Errorf("%v write units, want %v", got.Write, want)
					}
					if want := cost.SendReads(float64(content.kb), send.way.clientID); got.Read != want {
						t.Errorf("%v read units, want %v", got.Read, want)
					}
				})
			})
		}
	}
}

// What sends are taken together out of their user's limits costs as much a send as
// operate/cost has, and takes no longer in the twentieth than in the others, unless it also
// meets the limit over time.
func TestSendMessage_LimitsKeepToTheirBudget(t *testing.T) {
	const sends, kb = chat.SustainedPerTake, 1
	inBubble(t, 1, func(m metered) {
		handler := m.wired(functions.SendMessage)
		trips := map[int]int{}
		write := 0.0
		for i := range sends {
			m.clock.advance(time.Second)
			event := m.frame(connection(0), object{"action": "sendMessage", "chatRoomId": room, "content": "hi", "clientMessageId": fmt.Sprint("c-", i)})
			got := m.count(handler, event, http.StatusOK)
			trips[got.RoundTrips]++
			write += got.Write
		}
		if want := sends * cost.SendWrites(kb, true); math.Abs(write-want) > 0.001 {
			t.Errorf("%v write units for %d sends, want %v", write, sends, want)
		}
		if trips[2] != sends-2 || trips[3] != 2 { // the first one, and the hundredth
			t.Errorf("sends by their round trips: %v", trips)
		}
	})
}

// A message sent by a request, of a member or of a service, costs what one on a socket
// does, but for the read of the connection's row, and takes as long.
func TestSendMessage_ByHTTPKeepsToItsBudget(t *testing.T) {
	for _, sender := range []string{user(0), "service:bot"} {
		t.Run(sender, func(t *testing.T) {
			inBubble(t, 1, func(m metered) {
				api := m.wired(functions.API)
				send := func(id string) usage {
					m.clock.advance(time.Second)
					body := string(m.encode(object{"content": text(1024), "clientMessageId": id}))
					event := m.requestOf(sender, "POST", "/rooms/"+room+"/messages", "", body)
					if sender != user(0) {
						event = m.serviceRequest(event)
					}
					return m.count(api, event, http.StatusCreated)
				}
				send("c-1")
				got := send("c-2")
				if got.RoundTrips != 2 || got.Requests != 3 {
					t.Errorf("%d round trips, %d requests; want 2, 3", got.RoundTrips, got.Requests)
				}
				if want := sendOnceUnits(2); got.Write != want {
					t.Errorf("%v write units, want %v", got.Write, want)
				}
				if got.Read != 1 {
					t.Errorf("%v read units, want 1, for the membership or the room", got.Read)
				}
			})
		})
	}
}

// fanouts are the rooms and batches that are broadcast.
var fanouts = []struct{ members, messages int }{{10, 1}, {10, 10}, {100, 1}, {100, 10}, {250, 10}}

func TestFanout_KeepsToItsBudget(t *testing.T) {
	const inFlight = 64
	for _, size := range fanouts {
		t.Run(fmt.Sprintf("%d-members/%d-messages", size.members, size.messages), func(t *testing.T) {
			inBubble(t, size.members, func(m metered) {
				m.batch(30)
				m.indexAll(size.members)
				got, posts, connections := m.broadcast(m.wired(functions.Fanout), size.messages)
				want := (size.members+99)/100 + 2
				if size.members > chat.LongIndexAbove {
					want = 3
				}
				if got.Requests != want {
					t.Errorf("%d requests to the table, want %d", got.Requests, want)
				}
				if got.InFlight > inFlight {
					t.Errorf("%d requests at a time, want at most %d", got.InFlight, inFlight)
				}
				if posts != size.members || connections != size.members {
					t.Errorf("%d posts to %d connections, want one to each of %d", posts, connections, size.members)
				}
			})
		})
	}
}

// What messages to a room of hundreds who are connected weigh beyond an ordinary one, and
// moves in their lists, are charged to their sender in hundreds, a write for thousands of
// posts.
func TestChargesAreWrittenTogether(t *testing.T) {
	const members, together = 100, chat.ReachWeight * chat.SustainedPerTake
	for _, counted := range []int{0, together - 40} {
		m := newMetered(t, 0, members)
		m.env.LogStream = streamCountingFrom(counted, together)
		m.indexAll(members)
		fanout, lastMessage := m.wired(functions.Fanout), m.wired(functions.LastMessage)
		for n := range 3 {
			want := 0.0
			if n == 0 && counted > 0 {
				want = 1
			}
			if got, _, _ := m.broadcast(fanout, 1); got.Write != want {
				t.Errorf("message %d to %d members, after %d posts: %v write units of fanout, want %v", n, members, counted, got.Write, want)
			}
		}
		if charged := m.charged(); charged != (counted > 0) {
			t.Errorf("after %d posts the sender is charged: %t", counted, charged)
		}
		got := m.project(lastMessage, 1)
		want := cost.Project(members, true).Writes
		if counted > 0 {
			want++
		}
		if got.Write != want {
			t.Errorf("a move in %d lists, after %d posts: %v write units of lastmessage, want %v", members, counted, got.Write, want)
		}
	}
}

// streamCountingFrom returns the name of a log stream by which an instance begins to count at
// a number, or a little after it, of those that are taken together.
func streamCountingFrom(n, together int) string {
	for i := 0; ; i++ {
		hash := fnv.New32a()
		_, _ = fmt.Fprint(hash, i)
		if from := int(hash.Sum32()>>1) % together; from >= n && from < n+10 {
			return fmt.Sprint(i)
		}
	}
}

// charged reports whether user 0 can't do at once all that the limit over time allows.
func (m metered) charged() bool {
	m.t.Helper()
	limit := chat.PerSecond(chat.SendRate, chat.SendBurst).Sustained()
	_, wait, err := m.store.TakeRate(m.t.Context(), chat.RateTake{UserID: user(0), Action: chat.Sustaining, Limit: limit, Count: limit.Burst})
	m.must(err)
	return wait > 0
}

func TestLastMessage_KeepsToItsBudget(t *testing.T) {
	for _, members := range []int{10, 100} {
		t.Run(fmt.Sprintf("%d-members", members), func(t *testing.T) {
			inBubble(t, members, func(m metered) {
				handler := m.wired(functions.LastMessage)
				m.project(handler, 1) // the next one finds a last message
				m.clock.advance(chat.OrderInterval)
				got := m.project(handler, 10)
				if want := cost.Project(members, true).Writes; got.Write != want {
					t.Errorf("%v write units, want %v", got.Write, want)
				}
			})
		})
	}
}

// A room moves in its members' lists once an interval, so a conversation of a message
// every ten seconds costs some three units a message.
func TestLastMessage_AConversationMovesTheRoomOnceAnInterval(t *testing.T) {
	const each = int(chat.OrderInterval/(10*time.Second)) + 1 // the message after the interval moves it
	const members, messages = 10, 5 * each
	m := newMetered(t, 0, members)
	handler := m.wired(functions.LastMessage)
	units := 0.0
	for range messages {
		m.clock.advance(10*time.Second - 10*time.Millisecond) // and those by the message
		got := m.project(handler, 1)
		units += got.Write + float64(got.Refused)
	}
	quiet, moves := cost.Project(members, false).Writes, cost.Project(members, true).Writes
	if want := float64(messages)*quiet + float64(messages/each)*(moves-quiet); units != want || units/float64(messages) > 3 {
		t.Errorf("%v write units for %d messages, want %v, and at most 3 each", units, messages, want)
	}
}

// However long the messages of 100 rooms are, the calls that read all of these rooms
// cost what the rooms' own items do, and the budgets for messages: 200 and 500.
func TestAListAndASyncKeepToTheirBudgets(t *testing.T) {
	m := newMetered(t, 0, 1)
	after := object{}
	for _, id := range m.rooms(99) { // and the populated one
		room := chat.Room{ID: id, Name: "Room", Type: chat.Group, CreatedBy: user(0), CreatedAt: m.clock.now().UnixMilli()}
		_, err := m.store.CreateRoom(t.Context(), room, []chat.Member{{UserID: user(0), Role: chat.Owner, JoinedAt: 1}})
		m.must(err)
	}
	for _, id := range append(m.rooms(99), room) {
		for range 4 {
			m.otherMessageOf(id, chat.MaxContent)
		}
		after[id] = strings.Repeat("0", 26)
	}
	handler := m.wired(functions.API)
	for _, test := range []struct {
		name  string
		event []byte
		read  float64
	}{
		{"list", m.request("GET", "/rooms", "limit=100", ""), 311.5},
		{"sync", m.request("POST", "/sync", "", string(m.encode(object{"rooms": after}))), 503},
	} {
		if got := m.count(handler, test.event, http.StatusOK); got.Read != test.read {
			t.Errorf("%s: %v read units, want %v", test.name, got.Read, test.read)
		}
		if test.read > cost.MostExpensiveRead {
			t.Errorf("%s: operate/cost bills %v read units at most", test.name, cost.MostExpensiveRead)
		}
	}
}

// The others of direct messages are named by one more request, of half a unit each, and
// whether they are online is read by another one, of half a unit each.
func TestAListOfDirectMessages_KeepsToItsBudget(t *testing.T) {
	m := newMetered(t, 0, 1)
	direct := 0
	api := m.wired(functions.API) // which remembers the user's rate window
	list := func() usage {
		return m.count(api, m.request("GET", "/rooms", "limit=100", ""), http.StatusOK)
	}
	groups := list()
	for i := range 20 {
		other := user(i + 1)
		room := chat.Room{ID: chat.DirectRoomID(user(0), other), Type: chat.Direct, CreatedBy: other, CreatedAt: 1}
		if i%2 == 0 {
			room.CreatedBy, room.Invited = user(0), other
		}
		_, err := m.store.CreateRoom(t.Context(), room, []chat.Member{{UserID: user(0), JoinedAt: 1}, {UserID: other, JoinedAt: 1}})
		m.must(err)
		direct++
	}
	got := list()
	// 1 for the last message and the cursor, 0.5 for the room and its count, 0.5 for the
	// name, 0.5 for the presence.
	if want := groups.Read + 2.5*float64(direct); got.Read != want {
		t.Errorf("%v read units, want %v", got.Read, want)
	}
	if want := groups.Requests + direct + 2; got.Requests != want {
		t.Errorf("%d requests, want %d: one for each count, one for all names, one for all presences", got.Requests, want)
	}
}

// inBubble runs a test in a bubble, with a room of n members.
func inBubble(t *testing.T, members int, test func(m metered)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(newMetered(t, away, members))
	})
}
