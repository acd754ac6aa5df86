package main

import (
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/test/faults"
)

// Timers of a tab in the background fire once a minute at most, and those of a frozen one
// when it is shown again.
func TestTab_Timers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now() // a whole minute
		tab := &tab{}
		c := tabClock{clock{clockwork.NewRealClock(), 0}, tab}
		fires := func(d, want time.Duration) {
			t.Helper()
			before := time.Now()
			<-c.After(d)
			if took := time.Since(before); took != want {
				t.Errorf("a timer of %s fired after %s, want %s", d, took, want)
			}
		}
		fires(5*time.Second, 5*time.Second)
		tab.hide(1)
		fires(0, 0)
		fires(5*time.Second, 55*time.Second) // at the next whole minute
		fires(61*time.Second, 2*time.Minute)
		if n := tab.late(1 + int64(3*time.Minute)); n != 3 {
			t.Errorf("its timers were late %d times, want 3", n)
		}

		if !tab.freeze(2) || tab.freeze(3) || !tab.isFrozen() {
			t.Error("it is not frozen once")
		}
		early, late := c.After(time.Second), c.After(2*time.Hour)
		<-time.After(time.Hour)
		select {
		case <-early:
			t.Error("a timer of a frozen tab fired")
		default:
		}
		if !tab.show(4) || tab.show(5) || tab.thawed() != 4 || !tab.wasFrozen(4) || tab.wasFrozen(5) {
			t.Error("it was not shown again once")
		}
		<-early
		<-late
		if took := time.Since(began); took != 2*time.Hour+3*time.Minute {
			t.Errorf("its timers fired after %s", took)
		}
	})
}

// A frozen tab reads nothing, and then what was sent in the meantime.
func TestTab_Reads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		network := newNetwork(nil)
		network.tab = &tab{}
		l := &link{Conn: near, network: network, closed: make(chan struct{})}
		network.tab.hide(0)
		network.tab.freeze(0)
		read := make(chan string)
		go func() {
			text, _ := io.ReadAll(l)
			read <- string(text)
		}()
		go func() {
			_, _ = far.Write([]byte("hello"))
			_ = far.Close()
		}()
		synctest.Wait()
		select {
		case text := <-read:
			t.Fatalf("read %q while it is frozen", text)
		default:
		}
		network.tab.show(1)
		if text := <-read; text != "hello" {
			t.Errorf("got %q, want hello", text)
		}
	})
}

// What a tab lacks that was sent while it was frozen is a broken promise.
func TestDays_CheckWoken(t *testing.T) {
	const sent, shown = int64(time.Hour), int64(2 * time.Hour)
	for name, tt := range map[string]struct {
		taken     bool
		connected bool
		kept      bool // by a fault
		broken    int
	}{
		"has it":          {true, true, false, 0},
		"lacks it":        {false, true, false, 1},
		"a fault kept it": {false, true, true, 0},
		"not connected":   {true, false, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			clock := clockwork.NewFakeClock()
			injector, err := faults.New(faults.Plan{Posts: faults.Posts{Throttled: 1}}, clock)
			if err != nil {
				t.Fatal(err)
			}
			r := &run{config: Config{Clock: clock}, start: clock.Now(), injector: injector, ledger: &ledger{}}
			if tt.kept {
				clock.Advance(time.Duration(sent))
				injector.Begin()
				post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://aws.example/@connections/c", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := injector.Posts("fanout", nil).RoundTrip(post)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close() // the status says all
				clock.Advance(-time.Duration(sent))
			}
			r.loadedAt.Store(1)
			d := &days{run: r}
			room := newRoom(0)
			room.users = []string{"alice"}
			r.addRoom(room, "room")
			device := &device{run: r, user: "alice", name: "alice/1", tab: &tab{}, people: map[string]sighting{}, lives: []life{{visits: map[string]*visit{}}}}
			if tt.connected {
				device.connectionID = "c"
			}
			number, text := r.ledger.sending("room", "alice", "alice/0", sent)
			at := ulid.Timestamp(clock.Now().Add(time.Duration(sent)))
			id := ulid.MustNew(at, nil)
			r.ledger.sent(number, sent, client.Ack{ChatRoomID: "room", MessageID: id.String(), Timestamp: int64(at)}, nil)
			clock.Advance(time.Duration(shown) + slowest)
			if tt.taken {
				device.take(client.Message{HistoryMessage: client.HistoryMessage{ChatRoomID: "room", MessageID: id.String(), SenderID: "alice", Content: text, Timestamp: int64(at)}})
			}
			d.checkWoken(device, sent/2, shown)
			broken := r.ledger.broken()
			if len(broken) != tt.broken || len(broken) > 0 && broken[0].Promise != Woken {
				t.Errorf("got %v, want %d", broken, tt.broken)
			}
		})
	}
}
