package client_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

// change stores what has become of a message and returns its frame.
func (s *fake) change(room string, i int, at int64, content string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.rooms[room][i]
	if content == "" {
		m.Content, m.EditedAt, m.DeletedAt = "", 0, at
		return wire.MessageDeleted{
			Type: wire.TypeMessageDeleted, ChatRoomID: room, MessageID: m.MessageID, SenderID: m.SenderID, Timestamp: m.Timestamp, DeletedAt: at,
		}
	}
	m.Content, m.EditedAt = content, at
	return wire.MessageEdited{
		Type: wire.TypeMessageEdited, ChatRoomID: room, MessageID: m.MessageID, SenderID: m.SenderID, Content: content,
		Timestamp: m.Timestamp, EditedAt: at,
	}
}

// story is all that an application was told, but for the connection.
func (r *rig) story() (told []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		switch e := e.(type) {
		case client.Message:
			told = append(told, fmt.Sprintf("message %q %d", e.Content, e.EditedAt))
		case client.Edited:
			told = append(told, fmt.Sprintf("edited %q %d", e.Content, e.EditedAt))
		case client.Deleted:
			told = append(told, fmt.Sprintf("deleted %s %d", e.SenderID, e.DeletedAt))
		case client.Read:
			told = append(told, fmt.Sprintf("read %s %s", e.UserID, e.UpTo))
		case client.RoomChanged:
			told = append(told, "room "+e.Name)
		}
	}
	return told
}

func (r *rig) wantStory(want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.story()); diff != "" {
		r.t.Errorf("the application was told (-want +got):\n%s", diff)
	}
}

func TestChangesComeOnceAndNeverGoBack(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "one")
		r.run()
		r.follow("general")
		first := r.change("general", 0, 10, "two")
		second := r.change("general", 0, 20, "three")
		for _, frame := range []any{first, first, second, first, second} {
			r.broadcast(frame)
		}
		gone := r.change("general", 0, 30, "")
		for _, frame := range []any{gone, second, gone} {
			r.broadcast(frame)
		}
		r.broadcast(wire.Read{Type: wire.TypeRead, ChatRoomID: "general", UserID: "bob", UpTo: "x"})
		r.broadcast(wire.RoomChanged{Type: wire.TypeRoomChanged, ChatRoomID: "general", Name: "Tea"})
		r.pass(0)
		r.wantStory(`message "one" 0`, `edited "two" 10`, `edited "three" 20`, "deleted bob 30", "read bob x", "room Tea")
	})
}

// An edit that overtakes its message is the message.
func TestAnEditMayComeBeforeItsMessage(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run()
		r.follow("general")
		said := r.store("general", "bob", "one")
		edit := r.change("general", 0, 10, "two")
		r.broadcast(edit)
		r.broadcast(said)
		r.broadcast(edit)
		r.pass(0)
		r.wantStory(`message "two" 10`)

		// It is edited while it waits for the one before it.
		r.storeAt("general", "bob", "lost", r.now().Add(time.Millisecond))
		held := r.storeAt("general", "bob", "three", r.now().Add(2*time.Millisecond))
		r.broadcast(held)
		r.broadcast(r.change("general", 2, 20, "four"))
		r.pass(time.Minute)
		r.wantStory(`message "two" 10`, `message "lost" 0`, `message "four" 20`)
	})
}

// What was changed while the client was away is found in the newest page of the
// rooms that the application shows.
func TestMissedChangesAreFoundAfterAReconnect(t *testing.T) {
	for _, when := range []string{"reconnect", "gap"} {
		t.Run(when, func(t *testing.T) {
			bubbleWith(t, client.Options{Backlog: 3}, func(r *rig) {
				for i := range 5 {
					r.storeAt("general", "bob", fmt.Sprint(i), r.now().Add(time.Duration(i-10)*time.Hour))
				}
				r.run()
				r.follow("general")
				r.wantStory(`message "2" 0`, `message "3" 0`, `message "4" 0`)
				if when == "reconnect" {
					r.cut()
				}
				r.change("general", 1, 10, "not shown")
				r.change("general", 2, 10, "changed")
				r.change("general", 3, 20, "")
				if when == "gap" {
					r.broadcast(wire.Gap{Type: wire.TypeGap, ChatRoomID: "general"})
				}
				r.pass(2 * time.Minute)
				if diff := cmp.Diff([]string{`edited "changed" 10`, "deleted bob 20"}, r.story()[3:]); diff != "" {
					r.t.Errorf("(-want +got):\n%s", diff)
				}
				r.cut()
				r.pass(2 * time.Minute)
				if again := len(r.story()); again != 5 {
					r.t.Errorf("%d events after another reconnect, want none more", again-5)
				}
			})
		})
	}
}

// The client has learned of a room by itself, and the application shows it only after changes
// were missed.
func TestMissedChangesAreFoundWhenARoomIsShown(t *testing.T) {
	for _, when := range []string{"reconnect", "gap"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.storeAt("general", "bob", "one", r.now().Add(-10*time.Hour))
				r.storeAt("general", "bob", "last", r.now().Add(-time.Hour)) // which a sync begins before
				r.run()
				r.broadcast(wire.Member{Type: wire.TypeMemberJoined, ChatRoomID: "general", UserID: "alice"})
				r.pass(time.Second)
				if when == "reconnect" {
					r.cut()
				}
				r.change("general", 0, 10, "changed")
				r.reacted("general", 0, 1, 1)
				if when == "gap" {
					r.broadcast(wire.Gap{Type: wire.TypeGap, ChatRoomID: "general"})
				}
				r.pass(2 * time.Minute)
				r.wantStory(`message "one" 0`, `message "last" 0`)
				r.follow("general")
				r.pass(time.Minute)
				r.wantStory(`message "one" 0`, `message "last" 0`, `edited "changed" 10`)
				if diff := cmp.Diff([]int64{1}, r.versions()); diff != "" {
					r.t.Errorf("reactions (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What was deleted stays so, also where its message comes after all.
func TestADeletionMayComeBeforeItsMessage(t *testing.T) {
	bubble(t, func(r *rig) {
		r.run()
		r.follow("general")
		r.say("general", "one")
		r.pass(0)
		late := r.storeAt("general", "bob", "secret", r.now().Add(-time.Second))
		r.broadcast(r.change("general", 0, 10, ""))
		r.broadcast(late)
		r.pass(10 * time.Minute)
		r.wantStory(`message "one" 0`, "deleted bob 10", `message "" 0`) // as it is now
	})
}
