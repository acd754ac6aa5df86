package client_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func batch(frames ...any) map[string]any {
	return map[string]any{"type": wire.TypeBatch, "frames": frames}
}

func TestOrder(t *testing.T) {
	for _, test := range []struct {
		name  string
		play  func(r *rig)
		want  string
		syncs int // beyond the first, after a second and a half
	}{
		{"in order", func(r *rig) { r.say("general", "1"); r.say("general", "2") }, "0 1 2 ", 0},
		{"duplicates", func(r *rig) {
			m := r.store("general", "bob", "1")
			r.broadcast(m)
			r.broadcast(m)
			r.broadcast(batch(m, m))
			r.say("general", "2")
			r.broadcast(m)
		}, "0 1 2 ", 0},
		{"reversed", func(r *rig) {
			a, b, c := r.store("general", "bob", "1"), r.store("general", "bob", "2"), r.store("general", "bob", "3")
			r.broadcast(c)
			r.broadcast(b)
			r.broadcast(a)
		}, "0 1 2 3 ", 0},
		{"reversed in one batch", func(r *rig) {
			a, b := r.store("general", "bob", "1"), r.store("general", "bob", "2")
			r.broadcast(batch(b, a))
		}, "0 1 2 ", 0},
		{"a hole", func(r *rig) {
			r.store("general", "bob", "1")
			r.say("general", "2")
			r.say("general", "3")
		}, "0 1 2 3 ", 1},
		{"two holes", func(r *rig) {
			r.store("general", "bob", "1")
			r.say("general", "2")
			r.store("general", "bob", "3")
			r.say("general", "4")
		}, "0 1 2 3 4 ", 1},
		{"a hole at the end is not seen", func(r *rig) { r.store("general", "bob", "1") }, "0 ", 0},
		{"a predecessor that doesn't exist", func(r *rig) {
			m := r.store("general", "bob", "1")
			id := ulid.MustParse(m.MessageID)
			id[15]--
			none := id.String()
			m.PreviousMessageID = &none
			r.broadcast(m)
			r.say("general", "2")
		}, "0 1 2 ", 1},
		{"a predecessor that is later", func(r *rig) {
			a, b := r.store("general", "bob", "1"), r.store("general", "bob", "2")
			a.PreviousMessageID = &b.MessageID
			r.broadcast(a)
			b.PreviousMessageID = &a.MessageID
			r.broadcast(b)
		}, "0 1 2 ", 0},
		{"no predecessor", func(r *rig) {
			m := r.store("general", "bob", "1")
			m.PreviousMessageID = nil
			r.broadcast(m)
		}, "0 1 ", 0},
		{"gap", func(r *rig) {
			r.store("general", "bob", "1")
			r.broadcast(wire.Gap{Type: wire.TypeGap, ChatRoomID: "general"})
		}, "0 1 ", 1},
		{"stored late", func(r *rig) {
			r.say("general", "2")
			late := r.storeAt("general", "bob", "1", time.Now().Add(-30*time.Second))
			r.broadcast(late)
			r.say("general", "3")
		}, "0 2 1 3 ", 0},
		{"stored late and lost", func(r *rig) {
			r.say("general", "2")
			r.storeAt("general", "bob", "1", time.Now().Add(-30*time.Second))
			r.broadcast(wire.Gap{Type: wire.TypeGap, ChatRoomID: "general"})
		}, "0 2 1 ", 1},
		{"nonsense between", func(r *rig) {
			r.broadcast(map[string]any{"type": "sparkle", "chatRoomId": "general"})
			r.broadcast([]string{"not", "a", "frame"})
			r.broadcast(batch("x", batch(r.store("general", "bob", "1"))))
			r.broadcast(wire.Message{Type: wire.TypeMessage, ChatRoomID: "general", MessageID: "../etc"})
			r.broadcast(wire.Message{Type: wire.TypeMessage, ChatRoomID: "a#b", MessageID: ulid.ULID{5: 1}.String()})
			r.say("general", "2")
		}, "0 1 2 ", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.pass(time.Hour) // ids have some time behind them
				r.store("general", "bob", "0")
				r.follow("general")
				r.run()
				r.pass(90 * time.Second)
				r.forgetSyncs()
				test.play(r)
				r.pass(1500 * time.Millisecond)
				r.wantContents("general", test.want)
				if len(r.syncs) != test.syncs {
					t.Errorf("synced %d times, want %d", len(r.syncs), test.syncs)
				}
				newest := ""
				for _, m := range r.messages("general") {
					if m.Late != (m.MessageID < newest) {
						t.Errorf("%s: Late is %v", m.Content, m.Late)
					}
					newest = max(newest, m.MessageID)
				}
			})
		})
	}
}

// Those that wait don't hold up an earlier one.
func TestOrderWhileWaiting(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "0")
		r.follow("general")
		r.run()
		first := r.store("general", "bob", "1")
		r.store("general", "bob", "2")
		r.say("general", "3")
		r.pass(700 * time.Millisecond)
		r.wantContents("general", "0 ")
		r.broadcast(first)
		r.pass(0)
		r.wantContents("general", "0 1 ")
		r.pass(time.Second)
		r.wantContents("general", "0 1 2 3 ")
	})
}

// A handler that is slow gets everything later, and in order. Acks go on.
func TestSlowHandler(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		const n = 3 * client.QueueSize
		stuck := make(chan struct{})
		sent := make(chan error, 1)
		r.handle = func(ctx context.Context, e client.Event) {
			if m, ok := e.(client.Message); ok && m.Content == "0" {
				<-stuck
				_, err := r.client.Send(ctx, "other", "from the handler")
				sent <- err
			}
		}
		r.follow("other")
		r.follow("general")
		r.run()
		for i := range n {
			r.say("general", strconv.Itoa(i))
			if i%100 == 0 {
				r.pass(time.Millisecond)
			}
		}
		r.broadcast(wire.Member{Type: wire.TypeMemberJoined, ChatRoomID: "general", UserID: "carol"}) // dropped
		if _, err := r.client.Send(t.Context(), "other", "while stuck"); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			r.cut()
			r.pass(time.Minute)
		}
		if got := len(r.messages("general")); got != 1 {
			t.Fatalf("%d messages were handled while the handler was stuck", got)
		}
		close(stuck)
		r.pass(time.Minute)
		if err := <-sent; err != nil {
			t.Errorf("send from the handler: %v", err)
		}
		got := r.messages("general")
		if len(got) != n {
			t.Fatalf("%d messages came, want %d", len(got), n)
		}
		for i, m := range got {
			if m.Content != strconv.Itoa(i) {
				t.Fatalf("message %d is %s", i, m.Content)
			}
		}
		r.wantContents("other", "while stuck from the handler ")
		if _, disconnected := r.states(); len(disconnected) >= 10 {
			t.Errorf("%d changes of the connection were queued, want them to replace each other", len(disconnected))
		}
	})
}
