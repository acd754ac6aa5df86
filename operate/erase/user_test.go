package erase_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// life is a user with all that they can have, made as clients make it.
type life struct {
	w           *rig.Operated
	group, left string // rooms of the user and bob; the user left the second
	sole, dm    string // a room of the user alone, and their direct message with bob
	bob, own    *rig.Socket
	quoted      string // the user's message that bob answers
	reply       string // his answer
	last        string // the group's last message, the user's
}

func (l *life) call(as, method, path string, body, into any) {
	l.w.T.Helper()
	if status := l.w.API(as, method, path, body, into); status >= 300 {
		l.w.T.Fatalf("%s %s as %s: status %d", method, path, as, status)
	}
}

// send sends a frame and returns the message's id.
func (l *life) send(d *rig.Socket, frame wire.ClientFrame) string {
	l.w.T.Helper()
	frame.Action = wire.ActionSendMessage
	data, err := json.Marshal(frame)
	if err != nil {
		l.w.T.Fatal(err)
	}
	d.Write(string(data))
	for {
		switch got := d.Expect(wire.TypeAck, wire.TypeError); {
		case got.Type == wire.TypeError:
			l.w.T.Fatalf("%s is refused: %s", d.User, got.Message)
		case got.ClientMessageID == frame.ClientMessageID:
			return got.MessageID
		}
	}
}

// attach announces a file and uploads it.
func (l *life) attach(room string) string {
	l.w.T.Helper()
	var announced wire.AnnouncedAttachment
	content := "a file of " + text
	l.call(user, http.MethodPost, "/rooms/"+room+"/attachments", wire.AttachmentRequest{Name: text + ".txt", ContentType: "text/plain", Size: int64(len(content))}, &announced)
	if status := l.w.Upload(announced.Upload, []byte(content)); status != http.StatusNoContent {
		l.w.T.Fatalf("upload: %d", status)
	}
	return announced.AttachmentID
}

func live(t *testing.T, w *rig.Operated) *life {
	t.Helper()
	l := &life{w: w}
	l.own, l.bob = w.Connect(user), w.Connect("bob")
	l.call(user, http.MethodPut, "/me", map[string]string{"displayName": name}, nil)
	l.group, l.left, l.sole = w.Room(user, "bob"), w.Room("bob", user), w.Room(user)
	var dm wire.Room
	l.call(user, http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bob"}}, &dm)
	l.dm = dm.ChatRoomID
	for _, room := range []string{l.group, l.left, l.sole, l.dm} {
		l.send(l.own, wire.ClientFrame{ChatRoomID: room, Content: text + " in " + room, ClientMessageID: "c-" + room})
	}
	l.quoted = l.send(l.own, wire.ClientFrame{ChatRoomID: l.group, Content: text + " again", ClientMessageID: "c-quoted"})
	l.reply = l.send(l.bob, wire.ClientFrame{
		ChatRoomID: l.group, Content: "an answer", ClientMessageID: "b-reply", ReplyTo: l.quoted, Mentions: []string{user},
	})
	deleted := l.send(l.own, wire.ClientFrame{ChatRoomID: l.group, Content: text, ClientMessageID: "c-deleted"})
	l.call(user, http.MethodDelete, "/rooms/"+l.group+"/messages/"+deleted, nil, nil)
	reactions := func(id string) string { return "/rooms/" + l.group + "/messages/" + id + "/reactions" }
	l.call(user, http.MethodPut, reactions(l.reply), map[string]string{"reaction": "👍"}, nil)
	l.call(user, http.MethodPut, reactions(l.reply), map[string]string{"reaction": "🎉"}, nil)
	l.call("bob", http.MethodPut, reactions(l.reply), map[string]string{"reaction": "👍"}, nil)
	l.call("bob", http.MethodPut, reactions(l.quoted), map[string]string{"reaction": "👍"}, nil)
	l.call(user, http.MethodPost, "/rooms/"+l.group+"/read", map[string]string{"upTo": l.reply}, nil)
	l.own.Write(`{"action":"typing","chatRoomId":"` + l.group + `"}`)
	l.attach(l.group) // which no message gets
	// The last message of the group, with a file.
	l.last = l.send(l.own, wire.ClientFrame{ChatRoomID: l.group, Content: text + " with a file", ClientMessageID: "c-file", Attachments: []string{l.attach(l.group)}})
	l.call(user, http.MethodDelete, "/rooms/"+l.left+"/members?userId="+user, nil, nil)
	l.call("bob", http.MethodPut, "/me/blocks/"+user, nil, nil)
	l.call(user, http.MethodPut, "/me/blocks/bob", nil, nil)
	return l
}

func lastMessages(w *rig.Operated) (n int) {
	for it := range w.Scan() {
		if attribute.KeyOf(it).SK == table.LastMessageKey {
			n++
		}
	}
	return n
}

// TestNothingOfTheUserIsLeft of a user with all that clients can make.
func TestNothingOfTheUserIsLeft(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{Fanout: true})
	l := live(t, w)
	rig.Eventually(t, "the last messages", func() bool {
		last, _, err := w.Store().LastMessage(t.Context(), l.group)
		return err == nil && last.MessageID == l.last && lastMessages(w) == 4
	})
	before := w.History("bob", l.group)
	counted := run(t, w, false)
	for _, kind := range []string{
		"message", "mention", "quote", "reacted", "attachment", "member", "participation", "profile", "presence", "connection", "seen",
		"read", "sent", "room", "lastmessage", "typing", "block",
	} {
		if counted.Kinds[kind].Found == 0 {
			t.Errorf("the user has no %s: %+v", kind, counted.Kinds)
		}
	}
	l.bob.Write(`{"action":"ping"}`)
	l.bob.Expect(wire.TypePong)

	report := run(t, w, true)
	for kind, n := range counted.Kinds {
		if report.Kinds[kind].Erased != n.Found {
			t.Errorf("%s: counted %d, erased %d", kind, n.Found, report.Kinds[kind].Erased)
		}
	}
	if err := <-l.own.Ended; err == nil {
		t.Error("the user's socket ended without a reason")
	}
	for deleted := map[string]bool{}; len(deleted) < 4; { // those of the group that were there
		frame := l.bob.ExpectIn(l.group, wire.TypeMessageDeleted)
		if deleted[frame.MessageID] = true; frame.SenderID != chat.Erased {
			t.Errorf("bob learns that %q deleted", frame.SenderID)
		}
	}
	rig.Eventually(t, "nothing of the user", func() bool { return len(trace(t, w)) == 0 })
	if again := run(t, w, false); len(again.Kinds)+again.Left+len(again.Kept) > 0 {
		t.Errorf("another run finds %+v", again)
	}

	found, err := verify.Run(t.Context(), verify.Config{
		DB: w.Clients.Table, Table: local.TableName, Files: objects.New(w.Clients.Config, local.AttachmentsBucket), Now: time.Now,
		OrderInterval: chat.OrderInterval, Settle: time.Second, Leftover: time.Hour, MinAge: chat.PendingTime,
		Found: func(d verify.Difference) { t.Errorf("verify finds %+v", d) },
	})
	if err != nil || found.Foreign > 0 || found.ForeignFiles > 0 {
		t.Errorf("verify: %+v, %v", found, err)
	}

	after := w.History("bob", l.group)
	if len(after) != len(before) {
		t.Fatalf("%d messages, want %d", len(after), len(before))
	}
	for i, m := range after {
		if m.MessageID != before[i].MessageID || (m.SenderID == "bob") != (before[i].SenderID == "bob") {
			t.Errorf("message %d is %+v, want %s", i, m, before[i].MessageID)
		}
		if m.MessageID == l.reply && (m.ReplyTo == nil || m.ReplyTo.Preview != "" || m.Content != "an answer" || len(m.Mentions) > 0 || m.Reactions.Counts["👍"] != 1 || len(m.Reactions.Counts) != 1) {
			t.Errorf("the answer is %+v, reactions %+v", m, m.Reactions)
		}
	}
	var room wire.Room
	l.call("bob", http.MethodGet, "/rooms/"+l.group, nil, &room)
	if room.MemberCount != 1 || room.Role != "owner" {
		t.Errorf("bob's room is %+v, want that bob alone owns it", room)
	}
	if status := w.API("bob", http.MethodGet, "/rooms/"+l.dm, nil, nil); status != http.StatusOK {
		t.Errorf("bob's direct message: status %d", status)
	}
}
