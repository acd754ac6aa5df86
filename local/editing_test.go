package local_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/wire"
)

func messagePath(room, messageID string) string { return "/rooms/" + room + "/messages/" + messageID }

// edit gives a message new content and returns it.
func edit(s *rig.Rig, user, room, messageID, content string) wire.HistoryMessage {
	s.T.Helper()
	var m wire.HistoryMessage
	if status := s.API(user, http.MethodPatch, messagePath(room, messageID), wire.EditRequest{Content: content}, &m); status != http.StatusOK {
		s.T.Fatalf("edit: status %d", status)
	}
	return m
}

func TestAnEditReachesEveryDevice(t *testing.T) {
	s := start(t, local.Config{Wrap: rig.Hasten})
	room := s.Room("alice", "bob")
	phone, laptop, bob := s.Connect("alice"), s.Connect("alice"), s.Connect("bob")
	ack, _ := phone.Deliver(room, "helo", "c-1")

	edited := edit(s, "alice", room, ack.MessageID, "hello")
	want := wire.HistoryMessage{
		ChatRoomID: room, MessageID: ack.MessageID, SenderID: "alice", Content: "hello", Timestamp: ack.Timestamp,
		EditedAt: edited.EditedAt, ClientMessageID: "c-1", // for alice alone
	}
	if diff := cmp.Diff(want, edited); diff != "" || edited.EditedAt < ack.Timestamp {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	for _, d := range []*rig.Socket{phone, laptop, bob} {
		frame := wire.ServerFrame{
			Type: wire.TypeMessageEdited, ChatRoomID: room, MessageID: ack.MessageID, SenderID: "alice", Content: "hello",
			Timestamp: ack.Timestamp, EditedAt: edited.EditedAt,
		}
		if d.User == "alice" {
			frame.ClientMessageID = "c-1"
		}
		if diff := cmp.Diff(frame, d.Expect(wire.TypeMessageEdited)); diff != "" {
			t.Errorf("%s is told (-want +got):\n%s", d.User, diff)
		}
	}
	want.ReadBy = []string{"alice"} // in history alone
	want.ClientMessageID = ""       // for alice alone
	if diff := cmp.Diff([]wire.HistoryMessage{want}, s.History("bob", room)); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	rig.Eventually(t, "the last message's edit", func() bool {
		last := summary(s, "bob", room).LastMessage
		return last != nil && last.Preview == "hello"
	})

	if again := edit(s, "alice", room, ack.MessageID, "hello"); again.EditedAt != edited.EditedAt {
		t.Error("an edit that changes nothing is written")
	}
	readUpTo(s, "bob", room, ack.MessageID) // changes the message, but is no edit
	bob.Expect(wire.TypeRead)
	bob.ExpectNone(wire.TypeMessageEdited)
}

func TestADeletedMessageLeavesATombstone(t *testing.T) {
	s := start(t, local.Config{Wrap: rig.Hasten})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	ack, _ := alice.Deliver(room, "secret", "c-1")
	edit(s, "alice", room, ack.MessageID, "Secret")
	bob.Expect(wire.TypeMessageEdited) // what fanout reads later is deleted

	for range 2 { // repeated, it is 204 again
		if status := s.API("alice", http.MethodDelete, messagePath(room, ack.MessageID), nil, nil); status != http.StatusNoContent {
			t.Fatalf("delete: status %d", status)
		}
	}
	got := bob.Expect(wire.TypeMessageDeleted)
	if got.MessageID != ack.MessageID || got.ChatRoomID != room || got.DeletedAt == 0 || got.Content != "" {
		t.Errorf("bob is told %+v", got)
	}
	bob.ExpectNone(wire.TypeMessageDeleted)
	want := []wire.HistoryMessage{{
		ChatRoomID: room, MessageID: ack.MessageID, SenderID: "alice", Timestamp: ack.Timestamp, DeletedAt: got.DeletedAt,
	}}
	if diff := cmp.Diff(want, s.History("bob", room)); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	readUpTo(s, "bob", room, ack.MessageID)
	if got := s.History("bob", room); len(got[0].ReadBy) > 0 {
		t.Errorf("a deleted message was read by %q", got[0].ReadBy)
	}
	var problem wire.Problem
	status := s.API("alice", http.MethodPatch, messagePath(room, ack.MessageID), wire.EditRequest{Content: "back"}, &problem)
	if status != http.StatusNotFound || problem.Code != "not_found" {
		t.Errorf("an edit of it is answered with %d, %+v", status, problem)
	}
	rig.Eventually(t, "the last message's end", func() bool {
		last := summary(s, "bob", room).LastMessage
		return last != nil && last.DeletedAt == got.DeletedAt && last.Preview == ""
	})
}

// However many edits race, the last one that is told is the one that stays, and
// each is later than the one before.
func TestConcurrentEditsEndTheSameForAll(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	ack, _ := alice.Deliver(room, "0", "")
	s.Token("alice", 0)
	const edits = 5 // of one message at a time
	times := make([]int64, edits)
	var all sync.WaitGroup
	for i := range edits {
		all.Go(func() { times[i] = edit(s, "alice", room, ack.MessageID, fmt.Sprint("edit ", i)).EditedAt })
	}
	all.Wait()
	seen := map[int64]bool{}
	newest := int64(0)
	for _, at := range times {
		if seen[at] {
			t.Errorf("two edits at %d", at)
		}
		seen[at] = true
		newest = max(newest, at)
	}
	stored := s.History("bob", room)[0]
	if stored.EditedAt != newest {
		t.Errorf("the message was edited at %d, want %d", stored.EditedAt, newest)
	}
	told := int64(0)
	for told != newest {
		frame := bob.Expect(wire.TypeMessageEdited)
		if frame.EditedAt < told {
			t.Errorf("an edit of %d is told after one of %d", frame.EditedAt, told)
		}
		told = frame.EditedAt
		if told == newest && frame.Content != stored.Content {
			t.Errorf("bob is told %q, stored is %q", frame.Content, stored.Content)
		}
	}
}

func TestChangesOfALargeRoomReachItThroughSlices(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "zoe")
	s.Crowd(room, fanout.SliceAbove+200)
	devices := []*rig.Socket{s.Connect("alice"), s.Connect("zoe"), s.Connect(fmt.Sprintf("crowd-%06d", fanout.SliceAbove/2))}
	ack, _ := devices[0].Deliver(room, "one", "c-1")

	for _, content := range []string{"two", "three", "two"} {
		edited := edit(s, "alice", room, ack.MessageID, content)
		for _, d := range devices {
			for got := d.Expect(wire.TypeMessageEdited); got.EditedAt != edited.EditedAt; got = d.Expect(wire.TypeMessageEdited) {
			}
		}
	}
	s.API("alice", http.MethodDelete, messagePath(room, ack.MessageID), nil, nil)
	for _, d := range devices {
		if got := d.Expect(wire.TypeMessageDeleted); got.MessageID != ack.MessageID {
			t.Errorf("%s is told %+v", d.User, got)
		}
	}
	for _, name := range []string{"A", "B", "A"} {
		s.API("alice", http.MethodPatch, "/rooms/"+room, wire.NameRequest{Name: name}, nil)
		for _, d := range devices {
			if got := d.Expect(wire.TypeRoomChanged); got.Name != name || got.ChatRoomID != room {
				t.Errorf("%s is told %+v", d.User, got)
			}
		}
	}
}

func TestAnEditMustFitAFrame(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice")
	alice := s.Connect("alice")
	ack, _ := alice.Deliver(room, "x", "")
	for _, content := range []string{strings.Repeat("x", 16_385), "x" + strings.Repeat("\x01", 5_320)} {
		var problem wire.Problem
		status := s.API("alice", http.MethodPatch, messagePath(room, ack.MessageID), wire.EditRequest{Content: content}, &problem)
		if status != http.StatusRequestEntityTooLarge || problem.Code != "too_large" {
			t.Errorf("%d bytes are answered with %d, %+v", len(content), status, problem)
		}
	}
	if got := s.History("alice", room)[0]; got.Content != "x" || got.EditedAt != 0 {
		t.Errorf("the message is %+v", got)
	}
}
