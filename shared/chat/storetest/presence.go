package storetest

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// comes stores a connection of alice.
func (f *fixture) comes(id string) {
	f.Helper()
	now := f.clock.now().UnixMilli()
	f.connect(chat.Connection{ID: id, UserID: "alice", ConnectedAt: now, TokenExpiresAt: now + time.Hour.Milliseconds()})
}

func (f *fixture) goes(id string, returning bool) {
	f.Helper()
	ok(f, f.DeleteConnection(f.Context(), id, returning))
}

// wantSeen checks what others were last told about alice, and what they read.
func (f *fixture) wantSeen(when string, told chat.Seen, read chat.Sighting) {
	f.Helper()
	seen, err := f.Seen(f.Context(), []string{"alice", "bob"})
	ok(f, err)
	wantTold := map[string]chat.Seen{}
	if told != (chat.Seen{}) {
		wantTold["alice"] = told
	}
	equal(f, when+", told", wantTold, seen)
	all, err := f.Sightings(f.Context(), []string{"alice", "bob"})
	ok(f, err)
	want := map[string]chat.Sighting{}
	if read != (chat.Sighting{}) {
		want["alice"] = read
	}
	equal(f, when+", read", want, all)
}

var online = chat.Sighting{Online: true}

var presenceTests = map[string]func(*fixture){
	"Seen/changes with the first connection and the last": func(f *fixture) {
		f.wantSeen("before", chat.Seen{}, chat.Sighting{})
		f.comes("a")
		f.wantSeen("one", chat.Seen{Online: true, At: epoch}, online)
		f.clock.advance(time.Second)
		f.comes("b")
		f.goes("a", false)
		f.wantSeen("another", chat.Seen{Online: true, At: epoch}, online)
		f.clock.advance(time.Second)
		f.goes("b", false)
		f.goes("b", false)
		f.wantSeen("none", chat.Seen{At: epoch + 2000, LastSeenAt: epoch + 2000}, chat.Sighting{LastSeenAt: epoch + 2000})
		f.comes("c")
		f.wantSeen("at once", chat.Seen{Online: true, At: epoch + 2001}, online)
	},
	"Seen/does not change while a connection returns": func(f *fixture) {
		f.comes("a")
		f.clock.advance(time.Second)
		f.goes("a", true)
		f.wantSeen("away", chat.Seen{Online: true, At: epoch}, chat.Sighting{LastSeenAt: epoch + 1000})
		f.clock.advance(chat.ReturnWithin - time.Second)
		f.comes("b")
		f.wantSeen("back", chat.Seen{Online: true, At: epoch}, online)
		f.goes("b", true)
		f.clock.advance(chat.ReturnWithin)
		f.comes("c")
		f.wantSeen("late", chat.Seen{Online: true, At: f.clock.now().UnixMilli()}, online)
	},
	"Sightings/leave out connections that have expired": func(f *fixture) {
		f.comes("a")
		f.clock.advance(time.Hour + chat.TokenGrace + time.Second)
		f.wantSeen("expired", chat.Seen{Online: true, At: epoch}, chat.Sighting{LastSeenAt: epoch})
		f.comes("b")
		f.wantSeen("another", chat.Seen{Online: true, At: f.clock.now().UnixMilli()}, online)
	},
	"HidePresence/tells nothing of a user who hides it": func(f *fixture) {
		f.comes("a")
		f.clock.advance(time.Second)
		ok(f, f.HidePresence(f.Context(), "alice", true, epoch+1000))
		gone := chat.Seen{At: epoch + 1000}
		f.wantSeen("hidden", gone, chat.Sighting{})
		f.clock.advance(time.Second)
		f.goes("a", false)
		f.comes("b")
		f.wantSeen("hidden, gone and back", gone, chat.Sighting{})
		hidden, err := f.HidesPresence(f.Context(), "alice")
		ok(f, err)
		equal(f, "hidden", true, hidden)
		f.goes("b", false)
		f.clock.advance(time.Second)
		ok(f, f.HidePresence(f.Context(), "alice", false, epoch+3000))
		f.wantSeen("shown, offline", gone, chat.Sighting{LastSeenAt: epoch + 3000})
		f.comes("c")
		f.wantSeen("shown, online", chat.Seen{Online: true, At: epoch + 3000}, online)
	},
	"NewestRooms/are in the order of the list": func(f *fixture) {
		f.create("r", "alice")
		f.create("s", "alice")
		ok(f, f.AdvanceRoomOrder(f.Context(), "alice", "r", epoch+5))
		for limit, want := range map[int][]string{1: {"r"}, 5: {"r", "s"}} {
			rooms, err := f.NewestRooms(f.Context(), "alice", limit)
			ok(f, err)
			inOrder(f, "rooms", want, rooms)
		}
	},
}
