package local_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/wire"
)

func messagePath(room, messageID string) string { return "/rooms/" + room + "/messages/" + messageID }

// edit gives a message new content and returns it.
func (s *server) edit(user, room, messageID, content string) wire.HistoryMessage {
	s.t.Helper()
	var m wire.HistoryMessage
	if status := s.api(user, http.MethodPatch, messagePath(room, messageID), wire.EditRequest{Content: content}, &m); status != http.StatusOK {
		s.t.Fatalf("edit: status %d", status)
	}
	return m
}

func TestAnEditReachesEveryDevice(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	phone, laptop, bob := s.connect("alice"), s.connect("alice"), s.connect("bob")
	ack, _ := phone.deliver(room, "helo", "c-1")

	edited := s.edit("alice", room, ack.MessageID, "hello")
	want := wire.HistoryMessage{
		ChatRoomID: room, MessageID: ack.MessageID, SenderID: "alice", Content: "hello", Timestamp: ack.Timestamp,
		ReadBy: []string{"alice"}, EditedAt: edited.EditedAt,
	}
	if diff := cmp.Diff(want, edited); diff != "" || edited.EditedAt < ack.Timestamp {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	for _, d := range []*device{phone, laptop, bob} {
		frame := wire.ServerFrame{
			Type: wire.TypeMessageEdited, ChatRoomID: room, MessageID: ack.MessageID, SenderID: "alice", Content: "hello",
			Timestamp: ack.Timestamp, EditedAt: edited.EditedAt,
		}
		if d.user == "alice" {
			frame.ClientMessageID = "c-1"
		}
		if diff := cmp.Diff(frame, d.expect(wire.TypeMessageEdited)); diff != "" {
			t.Errorf("%s is told (-want +got):\n%s", d.user, diff)
		}
	}
	if diff := cmp.Diff([]wire.HistoryMessage{want}, s.history("bob", room)); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	eventually(t, "the last message's edit", func() bool {
		last := s.summary("bob", room).LastMessage
		return last != nil && last.Preview == "hello"
	})

	if again := s.edit("alice", room, ack.MessageID, "hello"); again.EditedAt != edited.EditedAt {
		t.Error("an edit that changes nothing is written")
	}
	s.readUpTo("bob", room, ack.MessageID) // changes the message, but is no edit
	bob.expect(wire.TypeRead)
	bob.none(wire.TypeMessageEdited)
}

func TestADeletedMessageLeavesATombstone(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	alice, bob := s.connect("alice"), s.connect("bob")
	ack, _ := alice.deliver(room, "secret", "c-1")
	s.edit("alice", room, ack.MessageID, "Secret")

	for range 2 { // repeated, it is 204 again
		if status := s.api("alice", http.MethodDelete, messagePath(room, ack.MessageID), nil, nil); status != http.StatusNoContent {
			t.Fatalf("delete: status %d", status)
		}
	}
	got := bob.expect(wire.TypeMessageDeleted)
	if got.MessageID != ack.MessageID || got.ChatRoomID != room || got.DeletedAt == 0 || got.Content != "" {
		t.Errorf("bob is told %+v", got)
	}
	bob.none(wire.TypeMessageDeleted)
	want := []wire.HistoryMessage{{
		ChatRoomID: room, MessageID: ack.MessageID, SenderID: "alice", Timestamp: ack.Timestamp, DeletedAt: got.DeletedAt,
	}}
	if diff := cmp.Diff(want, s.history("bob", room)); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
	s.readUpTo("bob", room, ack.MessageID)
	if got := s.history("bob", room); len(got[0].ReadBy) > 0 {
		t.Errorf("a deleted message was read by %q", got[0].ReadBy)
	}
	var problem wire.Problem
	status := s.api("alice", http.MethodPatch, messagePath(room, ack.MessageID), wire.EditRequest{Content: "back"}, &problem)
	if status != http.StatusNotFound || problem.Code != "not_found" {
		t.Errorf("an edit of it is answered with %d, %+v", status, problem)
	}
	eventually(t, "the last message's end", func() bool {
		last := s.summary("bob", room).LastMessage
		return last != nil && last.DeletedAt == got.DeletedAt && last.Preview == ""
	})
}

// However many edits race, the last one that is told is the one that stays, and
// each is later than the one before.
func TestConcurrentEditsEndTheSameForAll(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	alice, bob := s.connect("alice"), s.connect("bob")
	ack, _ := alice.deliver(room, "0", "")
	s.token("alice", 0)
	const edits = 5 // of one message at a time
	times := make([]int64, edits)
	var all sync.WaitGroup
	for i := range edits {
		all.Go(func() { times[i] = s.edit("alice", room, ack.MessageID, fmt.Sprint("edit ", i)).EditedAt })
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
	stored := s.history("bob", room)[0]
	if stored.EditedAt != newest {
		t.Errorf("the message was edited at %d, want %d", stored.EditedAt, newest)
	}
	told := int64(0)
	for told != newest {
		frame := bob.expect(wire.TypeMessageEdited)
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
	room := s.room("alice", "zoe")
	s.crowd(room, stream.SliceAbove+200)
	devices := []*device{s.connect("alice"), s.connect("zoe"), s.connect(fmt.Sprintf("crowd-%06d", stream.SliceAbove/2))}
	ack, _ := devices[0].deliver(room, "one", "c-1")

	for _, content := range []string{"two", "three", "two"} {
		edited := s.edit("alice", room, ack.MessageID, content)
		for _, d := range devices {
			for got := d.expect(wire.TypeMessageEdited); got.EditedAt != edited.EditedAt; got = d.expect(wire.TypeMessageEdited) {
			}
		}
	}
	s.api("alice", http.MethodDelete, messagePath(room, ack.MessageID), nil, nil)
	for _, d := range devices {
		if got := d.expect(wire.TypeMessageDeleted); got.MessageID != ack.MessageID {
			t.Errorf("%s is told %+v", d.user, got)
		}
	}
	for _, name := range []string{"A", "B", "A"} {
		s.api("alice", http.MethodPatch, "/rooms/"+room, wire.NameRequest{Name: name}, nil)
		for _, d := range devices {
			if got := d.expect(wire.TypeRoomChanged); got.Name != name || got.ChatRoomID != room {
				t.Errorf("%s is told %+v", d.user, got)
			}
		}
	}
}

func TestAnEditMustFitAFrame(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice")
	alice := s.connect("alice")
	ack, _ := alice.deliver(room, "x", "")
	for _, content := range []string{strings.Repeat("x", 16_385), strings.Repeat("\x01", 5_320)} {
		var problem wire.Problem
		status := s.api("alice", http.MethodPatch, messagePath(room, ack.MessageID), wire.EditRequest{Content: content}, &problem)
		if status != http.StatusRequestEntityTooLarge || problem.Code != "too_large" {
			t.Errorf("%d bytes are answered with %d, %+v", len(content), status, problem)
		}
	}
	if got := s.history("alice", room)[0]; got.Content != "x" || got.EditedAt != 0 {
		t.Errorf("the message is %+v", got)
	}
}
