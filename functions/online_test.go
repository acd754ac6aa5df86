package functions_test

import (
	"fmt"
	"testing"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/topology"
)

// indexAll puts the room's first n members into its index, if it is large enough.
func (w *world) indexAll(n int) {
	w.t.Helper()
	for i := range n {
		if n > chat.LongIndexAbove {
			w.must(w.store.IndexMember(w.t.Context(), room, user(i), fanout.IndexLease))
		}
	}
}

// grow adds users to the room until it has n members.
func (w *world) grow(n int) {
	w.t.Helper()
	for i := 1; i < n; i++ {
		member := chat.Member{UserID: user(i), Role: chat.PlainMember, JoinedAt: w.clock.now().UnixMilli()}
		_, err := w.store.AddMember(w.t.Context(), chat.Room{ID: room}, member)
		w.must(err)
	}
}

// newSparse is a room of n members who have all been there, and of whom some percent
// are connected, in its index or not.
func newSparse(t testing.TB, members, percent int, indexed bool) metered {
	t.Helper()
	m := newMetered(t, 0, 1) // of whom the first is connected
	m.grow(members)
	for i := 1; i < members; i++ {
		m.must(m.store.NoteUser(t.Context(), user(i), m.clock.now().UnixMilli()))
		if i*percent/100 < (i+1)*percent/100 {
			m.connect(i)
		}
	}
	if indexed {
		m.indexAll(members)
	}
	m.batch(30)
	m.table.take()
	return m
}

// What a message asks of the table in a room of whose members few are online, once they
// are in its index, and what it would by the presence of each.
func TestOnline_UnitsOfALargeRoom(t *testing.T) {
	for _, size := range []struct {
		members int
		most    float64
	}{{100, 10}, {1_000, 45}} {
		t.Run(fmt.Sprint(size.members), func(t *testing.T) {
			m := newSparse(t, size.members, 2, true)
			online := size.members/50 + 1
			handler := m.wired(functions.Fanout)
			got, posts, connections := m.broadcast(handler, 1)
			if got.Read > size.most || got.Write+float64(got.Refused) > 0 {
				t.Errorf("%v read and %v write units, want at most %v and none", got.Read, got.Write, size.most)
			}
			if posts != online || connections != online {
				t.Errorf("%d posts to %d connections, want %d", posts, connections, online)
			}
			// Ids of API Gateway, Cognito and this repository are longer than the test's.
			if want := cost.Broadcast(size.members, float64(online-1), 1, 300).Reads; got.Read > want || got.Read < 0.75*want {
				t.Errorf("%v read units, operate/cost has %v", got.Read, want)
			}
		})
	}
}

// What a message of a busy room asks of the table once its members are in the index, and
// what it takes to put them there, are what the break-even of docs/adr/0020 is made of.
func TestOnline_UnitsOfABusyRoom(t *testing.T) {
	const members = 10
	m := newMetered(t, 0, members)
	m.batch(30)
	m.table.take()
	for i := range members {
		m.must(m.store.IndexMember(t.Context(), room, user(i), chat.BusyLease))
	}
	if put := m.table.take(); put.Write != members*(cost.IndexWrites+1) || put.Read != members {
		t.Errorf("%v write and %v read units to put %d members into the index, want %d and %d", put.Write, put.Read, members, members*(cost.IndexWrites+1), members)
	}
	got, posts, _ := m.broadcast(m.wired(functions.Fanout), 1)
	if got.Read != 3 || posts != members { // members, rows, and the message with its predecessor
		t.Errorf("a message reads %v units for %d posts, want 3 for %d", got.Read, posts, members)
	}
}

// A join and a leave of a large room ask for what they tell, not for all members.
func TestOnline_AJoinReadsWhatItTells(t *testing.T) {
	const members, most = 1_000, 12 // the API's own reads included
	d := newDeployed(t, 1)
	d.grow(members)
	path := "/rooms/" + room + "/members"
	for name, event := range map[string][]byte{
		"join":  d.request("POST", path, "", `{"userId":"zoe"}`),
		"leave": d.request("DELETE", path+"/"+user(500), "", ""),
	} {
		if got := d.do(cost.Action{}, topology.API, event); got.Reads > most {
			t.Errorf("%s: %v read units, want at most %d", name, got.Reads, most)
		}
	}
}

// BenchmarkOnline prints what a message asks of the table by the number of members, of
// whom a share is online, by each one's presence and by the room's index.
func BenchmarkOnline(b *testing.B) {
	for _, members := range sizes(20, 51, 100, 1_000) {
		for _, percent := range []int{2, 50, 100} {
			for _, indexed := range []bool{false, true} {
				if indexed && members <= chat.LongIndexAbove {
					continue
				}
				name := map[bool]string{false: "presence", true: "index"}[indexed]
				b.Run(fmt.Sprintf("%d-members/%d-percent-online/%s", members, percent, name), func(b *testing.B) {
					m := newSparse(b, members, percent, indexed)
					handler := m.wired(functions.Fanout)
					var used total
					posts := 0
					for b.Loop() {
						u, n, _ := m.broadcast(handler, 1)
						used.add(u)
						posts += n
					}
					b.ReportMetric(float64(posts)/float64(b.N), "posts/op")
					used.report(b)
				})
			}
		}
	}
}

// BenchmarkIndex prints what a connection that begins and ends asks of the table, by the
// number of its user's rooms that have an index, and what it takes to put a member there.
func BenchmarkIndex(b *testing.B) {
	for _, rooms := range []int{0, 1, chat.MaxIndexedRooms} {
		b.Run(fmt.Sprintf("%d-rooms", rooms), func(b *testing.B) {
			m := newMetered(b, 0, 1)
			for _, id := range m.rooms(rooms) {
				_, err := m.store.CreateRoom(b.Context(), chat.Room{ID: id, Type: chat.Group, CreatedBy: user(0)}, []chat.Member{{UserID: user(0), JoinedAt: 1}})
				m.must(err)
			}
			m.table.take()
			for _, id := range m.rooms(rooms) {
				m.must(m.store.IndexMember(b.Context(), id, user(0), fanout.IndexLease))
			}
			put := m.table.take()
			m.must(m.store.DeleteConnection(b.Context(), connection(0), false))
			m.table.take()
			var used total
			for b.Loop() {
				m.connect(0)
				m.must(m.store.DeleteConnection(b.Context(), connection(0), false))
				used.add(m.table.take())
			}
			b.ReportMetric(put.Read/float64(max(1, rooms)), "index-read-units/room")
			b.ReportMetric(put.Write/float64(max(1, rooms)), "index-write-units/room")
			used.report(b)
		})
	}
}
