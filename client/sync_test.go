package client_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestCatchUpAfterReconnect(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.pass(time.Hour)
		for i := range 3 {
			r.store("general", "bob", strconv.Itoa(i))
			r.pass(100 * time.Second)
		}
		last := r.store("general", "bob", "3")
		r.follow("general")
		r.run()
		r.wantContents("general", "0 1 2 3 ")
		r.onHandshake = func(int, http.ResponseWriter) bool {
			for i := 4; i < 254; i++ {
				r.store("general", "bob", strconv.Itoa(i))
				r.pass(time.Millisecond)
			}
			r.onHandshake = nil
			return false
		}
		r.cut()
		r.pass(time.Minute)
		var want strings.Builder
		for i := range 254 {
			fmt.Fprintf(&want, "%d ", i)
		}
		r.wantContents("general", want.String())
		if len(r.syncs) != 3 {
			t.Fatalf("synced %d times, want 3: two full pages and the rest", len(r.syncs))
		}
		var from ulid.ULID
		_ = from.SetTime(ulid.MustParse(last.MessageID).Time() - 60_000)
		if got := r.syncs[0]["general"]; got != from.String() {
			t.Errorf("the first sync asked from %s, want %s: the last message less a minute", got, from)
		}
		if got := r.syncs[1]["general"]; got != r.rooms["general"][102].MessageID {
			t.Errorf("the second sync asked from %s, want the last message of the first page", got)
		}
	})
}

// Nothing but a pong hints at the last message of a quiet room. Without news the client
// doesn't ask.
func TestSyncNowAndThen(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.store("general", "bob", "0")
		r.follow("general")
		r.run()
		r.pass(2 * time.Minute)
		r.store("general", "bob", "1")
		r.pass(9 * time.Minute)
		r.wantContents("general", "0 1 ")
		r.forgetSyncs()
		r.pass(time.Hour)
		if n := len(r.syncs); n > 0 {
			t.Errorf("synced %d times in a quiet hour, want none", n)
		}
		for range 60 {
			r.pass(time.Minute)
			r.say("general", "on")
		}
		if n := len(r.syncs); n < 1 || n > 3 {
			t.Errorf("synced %d times in an hour with messages, want one in about 30 minutes", n)
		}
	})
}

// A frame of any kind but that someone types makes its room active.
func TestSyncOfRoomsInWhichSomethingCame(t *testing.T) {
	for _, test := range []struct {
		name  string
		frame any
		want  int
	}{
		{"read", wire.Read{Type: wire.TypeRead, ChatRoomID: "general", UserID: "bob", UpTo: "x"}, 1},
		{"name", wire.RoomChanged{Type: wire.TypeRoomChanged, ChatRoomID: "general", Name: "Tea"}, 1},
		{"typing", wire.Typing{Type: wire.TypeTyping, ChatRoomID: "general", UserID: "bob", At: 1}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.store("general", "bob", "0")
				r.follow("general")
				r.run()
				r.pass(2 * time.Minute)
				r.forgetSyncs()
				r.broadcast(test.frame)
				r.pass(2 * time.Hour)
				if n := len(r.syncs); n != test.want {
					t.Errorf("synced %d times in two hours, want %d", n, test.want)
				}
			})
		})
	}
}

// Messages that follow each other without a hole say nothing of one that was
// stored behind them and lost.
func TestSyncFindsWhatWasStoredLateLongAgo(t *testing.T) {
	for name, then := range map[string]func(r *rig){
		"now and then":      func(r *rig) { r.pass(40 * time.Minute) },
		"after a reconnect": func(r *rig) { r.cut(); r.pass(10 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.pass(time.Hour) // ids have some time behind them
				r.store("general", "bob", "0")
				r.follow("general")
				r.run()
				r.pass(time.Second)
				r.say("general", "2")
				r.storeAt("general", "bob", "1", time.Now().Add(-time.Millisecond))
				for i := range 20 {
					r.pass(10 * time.Second)
					r.say("general", strconv.Itoa(3+i))
				}
				then(r)
				r.wantContents("general", "0 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 1 ")
			})
		})
	}
}

// What came without a frame in a room that the client doesn't know of, such as one to which
// the user was added without a connection, is found by a reconnect, also if a later frame
// hides it, and by the next pong, if that tells of it. Rooms that were quiet since are not
// followed, nor are those that the application doesn't follow at first.
func TestRoomsOfWhichNoFrameCame(t *testing.T) {
	for _, test := range []struct {
		name string
		then func(r *rig)
		new  string
	}{
		{"not after a pong that tells of nothing", func(r *rig) { r.pass(10 * time.Minute) }, ""},
		{"after a pong that tells of it", func(r *rig) { r.store("new", "bob", "hello?"); r.pass(10 * time.Minute) }, "welcome hello? "},
		{"after a reconnect", func(r *rig) { r.cut(); r.pass(15 * time.Second) }, "welcome "},
		{"after a day", func(r *rig) { r.pass(30 * time.Hour) }, "welcome "},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.pass(time.Hour) // ids have some time behind them
				r.storeAt("quiet", "bob", "nothing new", time.Now().Add(-30*time.Minute))
				r.store("general", "bob", "0")
				r.follow("general")
				r.run()
				r.pass(5 * time.Minute)
				r.store("new", "bob", "welcome")
				r.pass(time.Second)
				r.say("general", "later")
				r.pass(time.Second)
				test.then(r)
				r.wantContents("general", "0 later ")
				r.wantContents("quiet", "")
				r.wantContents("new", test.new)
			})
		})
	}
}

// A connection that outlives a sleep tells of nothing that was given up in the meantime, such as
// the last message before a room falls quiet.
func TestSyncAfterASleep(t *testing.T) {
	for _, test := range []struct {
		name  string
		slept time.Duration
		wake  bool // the application says so, too, and is answered, before the clocks are compared
		want  string
	}{
		{"a sleep", 10 * time.Minute, false, "0 1 2 "},
		{"a sleep, and a Wake", 10 * time.Minute, true, "0 1 2 "},
		{"timers of the background", time.Minute, false, "0 1 "},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				var slept atomic.Int64
				r.client.SetWall(func() time.Time { return time.Now().Round(0).Add(time.Duration(slept.Load())) })
				r.store("general", "bob", "0")
				r.follow("general")
				r.run()
				r.pass(2 * time.Minute)
				r.say("general", "1")
				r.pass(time.Second)
				r.storeAt("general", "bob", "2", time.Now().Add(-2*time.Second))
				slept.Store(int64(test.slept))
				if test.wake {
					r.client.Wake()
				}
				r.pass(10 * time.Second)
				r.wantContents("general", test.want)
				if connected, _ := r.states(); len(connected) != 1 {
					t.Errorf("connected %d times, want once", len(connected))
				}
			})
		})
	}
}

func TestSyncManyRooms(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		const rooms = 250
		for i := range rooms {
			room := "room-" + strconv.Itoa(i)
			r.store(room, "bob", "0")
			r.follow(room)
		}
		r.run()
		for i := range rooms {
			r.store("room-"+strconv.Itoa(i), "bob", "1")
		}
		r.cut()
		r.pass(time.Minute)
		for i := range rooms {
			r.wantContents("room-"+strconv.Itoa(i), "0 1 ")
		}
		if len(r.syncs) != 3 {
			t.Errorf("synced %d times, want 3", len(r.syncs))
		}
		for _, s := range r.syncs {
			if len(s) > 100 {
				t.Errorf("asked for %d rooms at once, more than the server takes", len(s))
			}
		}
	})
}

// While the API fails, live messages come as they are, and the missing ones when
// it works again.
func TestSyncFails(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.store("general", "bob", "0")
		r.follow("general")
		r.run()
		broken := true
		r.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
			r.fake.mu.Lock()
			defer r.fake.mu.Unlock()
			if broken {
				refuse(w, http.StatusInternalServerError, client.CodeInternal)
			}
			return broken
		}
		r.store("general", "bob", "1")
		r.say("general", "2")
		r.pass(0)
		r.wantContents("general", "0 ")
		r.pass(2 * time.Second)
		r.say("general", "3")
		r.pass(0)
		r.wantContents("general", "0 2 3 ")
		r.fake.mu.Lock()
		broken = false
		r.fake.mu.Unlock()
		r.pass(time.Minute)
		r.wantContents("general", "0 2 3 1 ")
		if m := r.messages("general"); !m[3].Late {
			t.Error("the one that came at last is not Late")
		}
		// Order is back.
		a, b := r.store("general", "bob", "4"), r.store("general", "bob", "5")
		r.broadcast(b)
		r.broadcast(a)
		r.pass(0)
		r.wantContents("general", "0 2 3 1 4 5 ")
	})
}

// A wrong APIURL is reported once, until it works.
func TestCatchUpFailed(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.client.SetRandom(1)
		wrong := true
		setWrong := func(to bool) {
			r.fake.mu.Lock()
			defer r.fake.mu.Unlock()
			wrong = to
		}
		r.onAPI = func(w http.ResponseWriter, req *http.Request) bool {
			r.fake.mu.Lock()
			defer r.fake.mu.Unlock()
			if wrong {
				http.NotFound(w, req)
			}
			return wrong
		}
		want := func(n int) {
			t.Helper()
			var failures []client.CatchUpFailed
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, e := range r.events {
				if e, ok := e.(client.CatchUpFailed); ok {
					failures = append(failures, e)
				}
			}
			if len(failures) != n {
				t.Fatalf("the failures are %+v, want %d", failures, n)
			}
			for _, f := range failures {
				if code(f.Err) != client.CodeNotFound || !strings.Contains(f.Err.Error(), "is APIURL right?") || f.RetryIn != 500*time.Millisecond {
					t.Errorf("the failure is %+v", f)
				}
			}
		}
		r.store("general", "bob", "0")
		r.follow("general")
		r.run()
		r.pass(30 * time.Minute) // the connection lives on
		want(1)
		r.wantContents("general", "")
		setWrong(false)
		r.pass(time.Minute)
		r.wantContents("general", "0 ")
		want(1)
		setWrong(true)
		r.store("general", "bob", "1")
		r.pass(30 * time.Minute)
		want(2)
	})
}

// A page that leads nowhere is no end: it is asked for again.
func TestEmptyPageWithMore(t *testing.T) {
	for _, test := range []struct {
		name, before, want string
		answer             any
	}{
		{"backlog", "", "1 ", wire.History{Cursor: "x"}},
		{"history", "", "1 ", wire.History{Messages: []wire.HistoryMessage{{MessageID: "invalid"}}, Cursor: "x"}},
		{"sync", "0", "0 1 ", wire.SyncResponse{Rooms: map[string]wire.SyncRoom{"general": {More: true}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				if test.before != "" {
					r.store("general", "bob", test.before)
				}
				if test.name != "backlog" {
					r.follow("general")
				}
				r.run()
				stuck, asked := true, 0
				r.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
					r.fake.mu.Lock()
					defer r.fake.mu.Unlock()
					if stuck {
						asked++
						answer(w, http.StatusOK, test.answer)
					}
					return stuck
				}
				r.store("general", "bob", "1")
				r.broadcast(wire.Gap{Type: wire.TypeGap, ChatRoomID: "general"})
				r.pass(2 * time.Minute)
				if asked < 4 || asked > 100 {
					t.Errorf("asked %d times in two minutes", asked)
				}
				r.fake.mu.Lock()
				stuck = false
				r.fake.mu.Unlock()
				r.pass(time.Minute)
				r.wantContents("general", test.want)
			})
		})
	}
}

// A connection that ends during a sync causes no early retry.
func TestConnectionLostDuringSync(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "0")
		r.follow("general")
		r.run()
		hang := true
		r.onAPI = func(_ http.ResponseWriter, req *http.Request) bool {
			if hang {
				hang = false
				_, _ = io.Copy(io.Discard, req.Body) // else the server doesn't notice that the client is gone
				<-req.Context().Done()
				return true
			}
			return false
		}
		r.store("general", "bob", "1")
		r.say("general", "2")
		r.pass(2 * time.Second)
		r.cut()
		r.pass(time.Minute)
		r.wantContents("general", "0 1 2 ")
	})
}

// An answer that is too large for the server comes when fewer rooms are asked
// for at once.
func TestSyncAsksForLess(t *testing.T) {
	bubble(t, func(r *rig) {
		for i := range 50 {
			room := "room-" + strconv.Itoa(i)
			r.store(room, "bob", "0")
			r.follow(room)
		}
		r.run()
		r.onAPI = func(w http.ResponseWriter, req *http.Request) bool {
			if req.ContentLength > 500 {
				refuse(w, http.StatusRequestEntityTooLarge, client.CodeTooLarge)
				return true
			}
			return false
		}
		for i := range 50 {
			r.store("room-"+strconv.Itoa(i), "bob", "1")
		}
		r.cut()
		r.pass(5 * time.Minute)
		for i := range 50 {
			r.wantContents("room-"+strconv.Itoa(i), "0 1 ")
		}
	})
}

// The list is read to its end, whatever fails in the meantime.
func TestRoomsOfWhichNoFrameCame_ListFails(t *testing.T) {
	bubble(t, func(r *rig) {
		r.pass(time.Hour)
		r.store("general", "bob", "0")
		r.follow("general")
		r.run()
		r.pass(5 * time.Minute)
		asked := map[string]int{}
		r.onAPI = func(w http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path != "/api/rooms" {
				return false
			}
			cursor := req.URL.Query().Get("cursor")
			asked[cursor]++
			if asked[cursor] <= 3 {
				refuse(w, http.StatusServiceUnavailable, "internal")
			}
			return asked[cursor] <= 3
		}
		r.store("new", "bob", "welcome")
		r.cut()
		r.pass(2 * time.Minute)
		r.say("general", "1")
		r.pass(time.Second)
		r.wantContents("general", "0 1 ")
		r.wantContents("new", "welcome ")
		if asked[""] != 4 || asked["next"] != 4 {
			r.t.Errorf("the pages were asked for %v times, want each until it came", asked)
		}
	})
}
