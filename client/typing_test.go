package client_test

import (
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestTyping_IsToldOnceInAWhile(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run()
		r.follow("general")
		for range 12 {
			if err := r.client.Typing(r.t.Context(), "general"); err != nil {
				t.Fatal(err)
			}
			r.pass(time.Second)
		}
		if n := r.sends(wire.ActionTyping); n != 3 {
			t.Errorf("the server was told %d times in 12 s, want 3", n)
		}
		if err := r.client.Typing(r.t.Context(), "no room"); err == nil {
			t.Error("a room id that is none was taken")
		}
	})
}

func TestTyping_IsNotToldWhereItIsOff(t *testing.T) {
	bubble(t, func(r *rig) {
		r.off = []string{wire.OffTyping}
		r.run()
		r.follow("general")
		if err := r.client.Typing(r.t.Context(), "general"); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		if n := r.sends(wire.ActionTyping); n != 0 {
			t.Errorf("the server was told %d times, want none", n)
		}
	})
}

func TestTyping_OfOthersIsAnEvent(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run()
		r.follow("general")
		r.broadcast(wire.Typing{Type: wire.TypeTyping, ChatRoomID: "general", UserID: "bob", At: 5})
		r.broadcast(wire.Error{Type: wire.TypeError, Code: "not_a_member", Message: "no", Action: wire.ActionTyping})
		r.pass(0)
		want := client.Typing{ChatRoomID: "general", UserID: "bob", At: 5}
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.Contains(r.events, client.Event(want)) {
			t.Errorf("the application was told %v, want %v", r.events, want)
		}
	})
}
