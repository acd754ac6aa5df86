package client_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestBacklog(t *testing.T) {
	for _, stored := range []int{0, 1, 20, 30} {
		t.Run(strconv.Itoa(stored), func(t *testing.T) {
			bubbleWith(t, client.Options{Backlog: 20}, func(r *rig) {
				t := r.t
				var want strings.Builder
				for i := range stored {
					r.store("general", "bob", strconv.Itoa(i))
					if i >= stored-20 {
						fmt.Fprintf(&want, "%d ", i)
					}
				}
				r.follow("general")
				r.run()
				r.wantContents("general", want.String())
				r.say("general", "live")
				r.cut()
				r.pass(time.Minute)
				r.store("general", "bob", "missed")
				r.pass(15 * time.Minute) // the next pong tells of it
				r.wantContents("general", want.String()+"live missed ")
				for _, m := range r.messages("general") {
					if live := m.Content == "live" || m.Content == "missed"; m.Backlog == live {
						t.Errorf("%s: Backlog is %v", m.Content, m.Backlog)
					}
				}
			})
		})
	}
}

// A room in which there was nothing must not lose what came while the client
// was away, however much it was.
func TestFollow_EmptyRoomFillsWhileAway(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.follow("general")
		r.run()
		for i := range 150 {
			r.store("general", "bob", strconv.Itoa(i))
		}
		r.cut()
		r.pass(time.Minute)
		got := r.messages("general")
		if len(got) != 150 || got[0].Content != "0" || got[149].Content != "149" {
			t.Errorf("%d messages came, want all 150", len(got))
		}
	})
}

func TestRoomHeardOf(t *testing.T) {
	for _, test := range []struct {
		name string
		hear func(r *rig)
		want string
	}{
		{"by a message", func(r *rig) { r.say("new", "2") }, "0 1 2 "},
		{"by being added", func(r *rig) {
			r.broadcast(wire.Member{Type: wire.TypeMemberJoined, ChatRoomID: "new", UserID: "alice"})
		}, "0 1 "},
		{"by a gap", func(r *rig) { r.broadcast(wire.Gap{Type: wire.TypeGap, ChatRoomID: "new"}) }, "0 1 "},
		{"not by someone else", func(r *rig) {
			r.broadcast(wire.Member{Type: wire.TypeMemberJoined, ChatRoomID: "new", UserID: "bob"})
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.store("new", "bob", "0")
				r.store("new", "bob", "1")
				r.run()
				test.hear(r)
				r.pass(time.Second)
				r.wantContents("new", test.want)
				for _, m := range r.messages("new") {
					if live := m.Content == "2"; m.Backlog == live {
						t.Errorf("%s: Backlog is %v", m.Content, m.Backlog)
					}
				}
			})
		})
	}
}

// A room that is busier than a page is long begins with the message that made
// the client look.
func TestBusyRoomHeardOf(t *testing.T) {
	bubbleWith(t, client.Options{Backlog: 2}, func(r *rig) {
		for i := range 5 {
			r.store("busy", "bob", strconv.Itoa(i))
		}
		r.run()
		first := r.store("busy", "bob", "5")
		for i := 6; i < 20; i++ {
			r.store("busy", "bob", strconv.Itoa(i))
		}
		r.broadcast(first)
		r.pass(2 * time.Second)
		r.wantContents("busy", "5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 ")
	})
}

func TestMembership(t *testing.T) {
	member := func(kind, user string) wire.Member {
		return wire.Member{Type: kind, ChatRoomID: "general", UserID: user}
	}
	for _, test := range []struct {
		name string
		play func(r *rig)
		want client.Event
		gone bool // the client no longer follows
	}{
		{"someone joins", func(r *rig) { r.broadcast(member(wire.TypeMemberJoined, "carol")) }, client.MemberJoined{"general", "carol"}, false},
		{"someone leaves", func(r *rig) { r.broadcast(member(wire.TypeMemberLeft, "bob")) }, client.MemberLeft{"general", "bob"}, false},
		{"the user leaves", func(r *rig) { r.broadcast(member(wire.TypeMemberLeft, "alice")) }, client.MemberLeft{"general", "alice"}, true},
		{"the user was removed while away", func(r *rig) {
			r.fake.mu.Lock()
			delete(r.rooms, "general")
			r.fake.mu.Unlock()
			r.cut()
			r.pass(time.Minute)
		}, client.MemberLeft{"general", "alice"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.store("general", "bob", "0")
				r.follow("general")
				r.run()
				test.play(r)
				r.pass(0)
				if last := r.events[len(r.events)-1]; last != test.want {
					t.Errorf("the last event is %+v, want %+v", last, test.want)
				}
				if test.gone {
					r.onAPI = func(w http.ResponseWriter, req *http.Request) bool {
						if req.URL.Path == "/api/rooms" {
							answer(w, http.StatusOK, wire.RoomList{})
						}
						return req.URL.Path == "/api/rooms"
					}
				}
				r.forgetSyncs()
				r.pass(time.Second)
				r.store("general", "bob", "1")
				r.pass(time.Hour)
				if gone := len(r.syncs) == 0; gone != test.gone {
					t.Errorf("synced %d times in the hour after", len(r.syncs))
				}
			})
		})
	}
	t.Run("never was one", func(t *testing.T) {
		bubble(t, func(r *rig) {
			t := r.t
			r.run()
			if err := r.client.Follow("secret"); err != nil {
				t.Fatal(err)
			}
			r.pass(0)
			if last := r.events[len(r.events)-1]; last != (client.MemberLeft{"secret", "alice"}) {
				t.Errorf("the last event is %+v", last)
			}
		})
	})
	t.Run("invalid", func(t *testing.T) {
		bubble(t, func(r *rig) {
			t := r.t
			if err := r.client.Follow("a#b"); code(err) != client.CodeInvalidRequest {
				t.Errorf("the error is %v", err)
			}
		})
	})
}
