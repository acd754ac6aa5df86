package local_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// A message goes with what members reacted to it with, and with its files, and no one is
// told; those of before the change stay.
func TestRetention(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	// DynamoDB deletes late.
	s := start(t, local.Config{LogLevel: "warn", Clock: clock, RetentionDays: 30, TTLLag: 2 * time.Hour})
	room := s.Room("alice", "bob")
	path := "/rooms/" + room
	s.API("alice", http.MethodPost, path+"/messages", wire.SendRequest{Content: "kept for 30 days"}, nil)
	var changed wire.Room
	if status := s.API("alice", http.MethodPatch, path, wire.RoomChange{RetentionDays: ptr(1)}, &changed); status != http.StatusOK || changed.RetentionDays != 1 {
		t.Fatalf("status %d, %+v", status, changed)
	}
	for days, want := range map[int]string{31: string(chat.CodeInvalidRequest), -1: string(chat.CodeInvalidRequest)} {
		var problem wire.Problem
		if s.API("alice", http.MethodPatch, path, wire.RoomChange{RetentionDays: &days}, &problem); problem.Code != want {
			t.Errorf("%d days are answered %q, want %q", days, problem.Code, want)
		}
	}
	file := announce(s, "bob", room, "a", "text/plain", 1)
	if status := s.Upload(file.Upload, []byte("x")); status != http.StatusNoContent {
		t.Fatalf("upload: status %d", status)
	}
	var sent wire.Sent
	s.API("bob", http.MethodPost, path+"/messages", wire.SendRequest{Content: "a day", Attachments: []string{file.AttachmentID}}, &sent)
	message := messagePath(room, sent.MessageID)
	if status := s.API("alice", http.MethodPut, message+"/reactions", wire.ReactionRequest{Reaction: "👍"}, nil); status != http.StatusOK {
		t.Fatalf("react: status %d", status)
	}
	kept(s, room, 1)
	rig.Eventually(t, "the last message", func() bool {
		clock.Advance(time.Second)
		rooms := listOf(s, "alice")
		return len(rooms) > 0 && rooms[0].LastMessage != nil && rooms[0].LastMessage.MessageID == sent.MessageID
	})
	clock.Advance(25 * time.Hour)
	if got := s.History("alice", room); len(got) != 1 || got[0].Content != "kept for 30 days" {
		t.Errorf("the history has %+v", got)
	}
	if rooms := listOf(s, "alice"); rooms[0].LastMessage != nil || rooms[0].Unread != 0 {
		t.Errorf("the list has %+v", rooms[0])
	}
	for method, body := range map[string]any{http.MethodPatch: wire.EditRequest{Content: "new"}, http.MethodDelete: nil} {
		if status := s.API("bob", method, message, body, nil); status != http.StatusNotFound {
			t.Errorf("%s of what has expired is answered with %d", method, status)
		}
	}
	clock.Advance(time.Hour)
	rig.Eventually(t, "all that it had to be removed", func() bool {
		clock.Advance(time.Minute)
		var left []string
		for it := range s.Scan() {
			id, err := table.Parse(attribute.KeyOf(it))
			if err == nil && id.RoomID == room && slices.Contains([]table.Kind{table.KindMessage, table.KindReacted, table.KindAttachment}, id.Kind) {
				left = append(left, id.Kind.String())
			}
		}
		return slices.Equal(left, []string{"message"}) && len(keys(s)) == 0
	})
}

// A message says when it ends wherever it comes, and its ack, which also says what it quotes.
func TestMessagesSayWhenTheyEnd(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn", RetentionDays: 30})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	_, question := alice.Deliver(room, "Tea?", "")
	ends := (question.Timestamp + 30*24*time.Hour.Milliseconds() + 999) / 1000 * 1000
	if question.ExpiresAt != ends {
		t.Errorf("the frame says %d, want %d", question.ExpiresAt, ends)
	}
	if got := s.History("alice", room)[0].ExpiresAt; got != ends {
		t.Errorf("the history says %d, want %d", got, ends)
	}
	if status := s.API("alice", http.MethodPatch, messagePath(room, question.MessageID), wire.EditRequest{Content: "Coffee?"}, nil); status != http.StatusOK {
		t.Fatalf("edit: status %d", status)
	}
	if got := bob.ExpectIn(room, wire.TypeMessageEdited).ExpiresAt; got != ends {
		t.Errorf("the frame of the edit says %d, want %d", got, ends)
	}
	reply := `{"action":"sendMessage","chatRoomId":"` + room + `","content":"yes","replyTo":"` + question.MessageID + `","clientMessageId":"k","echo":false}`
	bob.Write(reply)
	ack := bob.Expect(wire.TypeAck)
	if ack.ReplyTo == nil || ack.ReplyTo.Preview != "Coffee?" || ack.ExpiresAt < ends {
		t.Errorf("the ack quotes %+v, and ends at %d", ack.ReplyTo, ack.ExpiresAt)
	}
	bob.Write(reply)
	if again := bob.Expect(wire.TypeAck); !again.Duplicate || again.ReplyTo != nil || again.ExpiresAt != 0 {
		t.Errorf("the ack of a resend is %+v", again)
	}
}

// listOf reads a user's rooms.
func listOf(s *rig.Rig, user string) []wire.RoomSummary {
	s.T.Helper()
	var list wire.RoomList
	if status := s.API(user, http.MethodGet, "/rooms", nil, &list); status != http.StatusOK {
		s.T.Fatalf("list the rooms: status %d", status)
	}
	return list.Rooms
}
