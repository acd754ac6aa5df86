package functions_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/cputime"
)

// nearby is how far the table is from the functions whose requests are counted:
// far enough for those made side by side to overlap.
const nearby = 20 * time.Millisecond

// sizes leaves out rooms of a thousand members and more where -short is set.
func sizes(members ...int) []int {
	if testing.Short() {
		return slices.DeleteFunc(members, func(n int) bool { return n >= 1_000 })
	}
	return members
}

// total adds up what operations used and reports the average.
type total usage

func (t *total) add(u usage) {
	t.Requests += u.Requests
	t.Writes += u.Writes
	t.RoundTrips += u.RoundTrips
	t.InFlight = max(t.InFlight, u.InFlight)
	t.Read += u.Read
	t.Write += u.Write
	t.Refused += u.Refused
}

func (t *total) report(b *testing.B) {
	b.Helper()
	n := float64(b.N)
	b.ReportMetric(float64(t.Requests)/n, "table-requests/op")
	b.ReportMetric(float64(t.RoundTrips)/n, "round-trips/op")
	b.ReportMetric(float64(t.InFlight), "in-flight")
	b.ReportMetric(t.Read/n, "read-units/op")
	b.ReportMetric(t.Write/n, "write-units/op")
	if t.Refused > 0 {
		b.ReportMetric(float64(t.Refused)/n, "failed-conditions/op")
	}
	b.ReportMetric(0, "ns/op") // it is the distance of the table
}

// BenchmarkSend prints what a send asks of the table. A failed condition
// consumes a write unit more, which DynamoDB doesn't report.
func BenchmarkSend(b *testing.B) {
	for _, send := range sends {
		for _, content := range contents {
			b.Run(send.name+"/"+content.name, func(b *testing.B) {
				m := newMetered(b, nearby, 1)
				say := m.sender(send.way, content.bytes)
				var used total
				for b.Loop() {
					used.add(say())
				}
				used.report(b)
			})
		}
	}
}

// BenchmarkBroadcast prints what fanout asks of the table and how many posts it
// makes, for one batch of a room's messages.
func BenchmarkBroadcast(b *testing.B) {
	for _, size := range fanouts {
		b.Run(fmt.Sprintf("%d-members/%d-messages", size.members, size.messages), func(b *testing.B) {
			m := newMetered(b, nearby, size.members)
			m.batch(30)
			m.indexAll(size.members)
			handler := m.wired(functions.Fanout)
			var used total
			total := 0
			for b.Loop() {
				u, posts, _ := m.broadcast(handler, size.messages)
				used.add(u)
				total += posts
			}
			b.ReportMetric(float64(total)/float64(b.N), "posts/op")
			used.report(b)
		})
	}
}

// BenchmarkProjection prints what lastmessage asks of the table for one batch of
// a room's messages.
func BenchmarkProjection(b *testing.B) {
	for _, members := range []int{10, 100} {
		b.Run(fmt.Sprintf("%d-members", members), func(b *testing.B) {
			m := newMetered(b, nearby, members)
			handler := m.wired(functions.LastMessage)
			var used total
			for b.Loop() {
				used.add(m.project(handler, 10))
			}
			used.report(b)
		})
	}
}

// newRemote is a world whose table and gateway are in another process, reached
// over plain HTTP by the clients that the functions have on AWS.
func newRemote(b *testing.B, members int) *world {
	b.Helper()
	url := startBackend(b)
	w := newWorld(b, url, url+"/local", nil, nil)
	w.populate(members)
	w.batch(60)
	return w
}

// warm invokes a function a few times: it opens connections, and remembers.
func (w *world) warm(handler awslambda.Handler, status int, event func() []byte) {
	w.t.Helper()
	for range 3 {
		w.invoke(handler, event(), status)
	}
}

// measure invokes a function once an operation, on events that are made outside
// the measured time, and returns the CPU, user and system, of an invocation.
func (w *world) measure(b *testing.B, handler awslambda.Handler, status int, event func() []byte) time.Duration {
	b.Helper()
	b.ReportAllocs()
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		e := event()
		before := cputime.Used(b)
		b.StartTimer()
		w.invoke(handler, e, status)
		cpu += cputime.Used(b) - before
	}
	return cpu / time.Duration(b.N)
}

// lastLine keeps what was written last.
type lastLine struct{ text string }

// Write implements io.Writer.
func (l *lastLine) Write(p []byte) (int, error) {
	l.text = string(p)
	return len(p), nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// BenchmarkHandler prints the CPU and the allocations of each function's
// invocations, from the event's JSON to the answer's. Rooms have 10 members.
func BenchmarkHandler(b *testing.B) {
	for _, bench := range []struct {
		name      string
		construct functions.Constructor
		status    int
		event     func(w *world, n int) []byte // of the n-th invocation
	}{
		{"connect", functions.Connect, http.StatusOK, (*world).connectEvent},
		{"disconnect", functions.Disconnect, http.StatusOK, (*world).disconnectEvent},
		{"sendmessage", functions.SendMessage, http.StatusOK, func(w *world, _ int) []byte {
			return w.sendEvent("")
		}},
		{"sendmessage-with-clientMessageId", functions.SendMessage, http.StatusOK, func(w *world, n int) []byte {
			return w.sendEvent(fmt.Sprintf("c-%d", n))
		}},
		{"default-ping", functions.Default, http.StatusOK, func(w *world, _ int) []byte {
			return w.frame(connection(0), object{"action": "ping"})
		}},
		{"fanout-1-message", functions.Fanout, 0, func(w *world, _ int) []byte { return w.inserted(w.batch(1)...) }},
		{"fanout-10-messages", functions.Fanout, 0, func(w *world, _ int) []byte { return w.inserted(w.batch(10)...) }},
		{"lastmessage-1-message", functions.LastMessage, 0, func(w *world, _ int) []byte { return w.inserted(w.batch(1)...) }},
		{"lastmessage-10-messages", functions.LastMessage, 0, func(w *world, _ int) []byte { return w.inserted(w.batch(10)...) }},
		{"api-rooms", functions.API, http.StatusOK, func(w *world, _ int) []byte {
			return w.request(http.MethodGet, "/rooms", "", "")
		}},
		{"api-history-of-50", functions.API, http.StatusOK, func(w *world, _ int) []byte {
			return w.request(http.MethodGet, "/rooms/"+room+"/messages", "limit=50", "")
		}},
		{"api-sync-of-10", functions.API, http.StatusOK, (*world).syncEvent},
	} {
		b.Run(bench.name, func(b *testing.B) {
			w := newRemote(b, 10)
			handler, n := w.wired(bench.construct), 0
			event := func() []byte {
				n++
				w.clock.advance(time.Millisecond) // no two invocations at a time
				return bench.event(w, n)
			}
			w.warm(handler, bench.status, event)
			cpu := w.measure(b, handler, bench.status, event)
			b.ReportMetric(micros(cpu), "cpu-us/op")
		})
	}
}

// connectEvent is the handshake of a new device.
func (w *world) connectEvent(n int) []byte {
	return w.handshake(connection(1000+n), w.token(user(1000+n))) // a user may not open many connections
}

// disconnectEvent is the end of a device that is connected.
func (w *world) disconnectEvent(n int) []byte {
	w.connect(1000 + n)
	return w.route("disconnect", connection(1000+n), func(object) {})
}

// sendEvent is a message of 300 bytes. The clock moves on by what it takes up of
// the rate window.
func (w *world) sendEvent(clientMessageID string) []byte {
	w.clock.advance(time.Second / chat.SendRate)
	frame := object{"action": "sendMessage", "chatRoomId": room, "content": text(300), "clientMessageId": clientMessageID}
	if clientMessageID != "" {
		frame["echo"] = false // as our clients send
	}
	return w.frame(connection(0), frame)
}

// syncEvent asks for the newest 10 messages.
func (w *world) syncEvent(int) []byte {
	newest, err := w.store.MessagesUpTo(w.t.Context(), room, w.message(300).ID, 11)
	w.must(err)
	body := w.encode(object{"rooms": object{room: newest[10].ID}})
	return w.request(http.MethodPost, "/sync", "", string(body))
}

// BenchmarkDelivery prints what a delivery of a message to each of 100
// connections costs fanout, over plain HTTP to another process: the CPU of
// reading the event and the table and of posting, and without the table, where
// the members and their connections are known. It also prints how many TCP
// connections are opened for a batch: on AWS each is a TLS handshake.
func BenchmarkDelivery(b *testing.B) {
	const members = 100
	for _, messages := range []int{1, 10} {
		for _, known := range []bool{false, true} {
			name := fmt.Sprintf("%d-messages", messages)
			if known {
				name += "-without-table"
			}
			b.Run(name, func(b *testing.B) {
				w := newRemote(b, members)
				w.indexAll(members) // as a room of this size that has messages
				log := &lastLine{}
				w.env.Log = log
				handler := w.wired(functions.Fanout)
				if known {
					handler = w.fanoutTo(newAudience(members))
				}
				event := func() []byte { return w.inserted(w.batch(messages)...) }
				w.warm(handler, 0, event)
				before := w.opened()
				cpu := w.measure(b, handler, 0, event)
				if want := fmt.Sprintf(`"delivered":%d`, members); !strings.Contains(log.text, want) {
					b.Fatalf("no %s in %s", want, log.text)
				}
				b.ReportMetric(float64(w.opened()-before)/float64(b.N), "connections-opened/op")
				b.ReportMetric(micros(cpu)/members, "cpu-us/post")
				b.ReportMetric(micros(cpu)/float64(members*messages), "cpu-us/delivery")
			})
		}
	}
}

// fanoutTo is fanout on another store than the table.
func (w *world) fanoutTo(store fanout.Store) awslambda.Handler {
	w.t.Helper()
	pusher, err := push.New(push.Config{
		Endpoint: w.env.Getenv(config.CallbackURL), Region: w.env.AWS.Region, Credentials: w.env.AWS.Credentials, Now: w.env.Now,
	})
	w.must(err)
	consumer := fanout.New(store, pusher, topology.FanoutDeadline, w.env.Now, zerolog.New(w.env.Log))
	return awslambda.NewHandler(consumer.Handle)
}

// audience is a room whose members and their devices are known.
type audience struct {
	fanout.Store // is not asked for anything else

	members []chat.Member
	devices map[string][]chat.Connection
}

func newAudience(members int) audience {
	a := audience{devices: map[string][]chat.Connection{}}
	for i := range members {
		a.members = append(a.members, chat.Member{UserID: user(i), IndexedUntil: 1 << 40}) // in the room's index
		a.devices[user(i)] = []chat.Connection{{ID: connection(i), UserID: user(i)}}
	}
	return a
}

// MembersIn implements fanout.Store.
func (a audience) MembersIn(context.Context, string, fanout.MemberRange, int) ([]chat.Member, bool, error) {
	return a.members, false, nil
}

// Presence implements fanout.Store.
func (a audience) Presence(context.Context, []string, int) (map[string][]chat.Connection, error) {
	return a.devices, nil
}

// Online implements fanout.Store.
func (a audience) Online(context.Context, string, fanout.MemberRange, int) (map[string][]chat.Connection, error) {
	return a.devices, nil
}

// MessagesUpTo implements fanout.Store.
func (audience) MessagesUpTo(_ context.Context, _, messageID string, _ int) ([]chat.Message, error) {
	return []chat.Message{{ID: messageID}}, nil
}

// opened is how many TCP connections the backend has accepted.
func (w *world) opened() int {
	w.t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	response, err := http.Get(*w.env.AWS.BaseEndpoint + openedPath)
	w.must(err)
	defer response.Body.Close()
	var n int
	_, err = fmt.Fscan(response.Body, &n)
	w.must(err)
	return n
}
