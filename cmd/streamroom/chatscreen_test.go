package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestChatScreen(t *testing.T) {
	var out, status bytes.Buffer
	s := &chatScreen{room: "tea", out: &out, status: &status}
	at := time.Date(2024, 2, 28, 12, 0, 0, 0, time.Local)
	message := func(at time.Time, sender, content string) client.Message {
		return client.Message{HistoryMessage: wire.HistoryMessage{
			ChatRoomID: "tea", SenderID: sender, Content: content, Timestamp: at.UnixMilli(),
		}}
	}
	file, caption := message(at, "bob", ""), message(at, "bob", "both")
	file.Attachments = []client.Attachment{{Name: "plan\x1b.pdf", Size: 3}}
	caption.Attachments = []client.Attachment{{Name: "a.png", Size: 1}, {Name: "b.png", Size: 2}}
	late, deleted, elsewhere := message(at, "bob", "late"), message(at, "bob", ""), message(at, "bob", "psst")
	late.Late = true
	deleted.DeletedAt, deleted.DeletedBy = 1, "mara"
	elsewhere.ChatRoomID = "coffee"
	answer, void := message(at, "bob", "me"), message(at, "bob", "too")
	answer.ReplyTo = &client.Quote{SenderID: "alice", Preview: "who\nis\x1b there?"}
	void.ReplyTo = &client.Quote{SenderID: "alice"}
	loved := message(at, "bob", "tea?")
	loved.MessageID, loved.Reactions = "1", &client.Reactions{Counts: map[string]int{"👍": 1, ":tada:": 2}}
	lost := client.Disconnected{Err: errors.New("closed\x1b[2J"), RetryIn: 1234 * time.Millisecond}
	for _, e := range []client.Event{
		client.Connected{UserID: "alice"},
		message(at, "bob", "one"), elsewhere,
		message(at.Add(24*time.Hour), "bob", "two\n12:00:01 alice: forged\r\n\tthree\rfour"),
		message(at, "eve\x1b]0;title\x07\u202e", "\x00\u009b\u2066x\u2028y"), late, deleted,
		file, caption, answer, void,
		client.Edited{HistoryMessage: file.HistoryMessage},
		loved,
		client.Reacted{ChatRoomID: "tea", MessageID: "2", Counts: map[string]int{"👍": 1}},
		client.Reacted{
			ChatRoomID: "tea", MessageID: "1", Counts: map[string]int{"👍": 2, "\x1b": 1},
			Changed: []client.ReactionChange{{UserID: "eve\n", Reaction: "👍", Added: true}, {UserID: "bob", Reaction: ":tada:"}},
		},
		client.Reacted{ChatRoomID: "tea", MessageID: "1"},
		client.Reacted{ChatRoomID: "coffee", MessageID: "1"},
		client.Typing{ChatRoomID: "tea", UserID: "bob"},
		client.Typing{ChatRoomID: "tea", UserID: "bob"},
		client.Typing{ChatRoomID: "coffee", UserID: "carol"},
		message(at, "bob", "now"),
		client.Typing{ChatRoomID: "tea", UserID: "bob"},
		client.MemberJoined{ChatRoomID: "tea", UserID: "dave\n"},
		client.MemberJoined{ChatRoomID: "tea", UserID: "dave\n"},
		client.MemberLeft{ChatRoomID: "tea", UserID: "dave\n"},
		client.MemberJoined{ChatRoomID: "tea", UserID: "dave\n"},
		client.MemberJoined{ChatRoomID: "coffee", UserID: "frank"},
		client.MemberLeft{ChatRoomID: "coffee", UserID: "alice"},
		lost, lost,
		client.CatchUpFailed{Err: errors.New("no API\x1b"), RetryIn: time.Second},
		client.Connected{UserID: "alice"},
	} {
		if err := s.show(e); err != nil {
			t.Errorf("%+v ended the chat: %v", e, err)
		}
	}
	wantOut := `--- Wednesday, 28 February 2024 ---
12:00:00 bob: one
--- Thursday, 29 February 2024 ---
12:00:00 bob: two
         | 12:00:01 alice: forged
         |     three␍four
--- Wednesday, 28 February 2024 ---
12:00:00 eve␛]0;title␇` + "\ufffd: ␀\ufffd\ufffdx\ufffdy" + `
12:00:00 bob: late  (arrived late)
12:00:00 bob: (deleted by a moderator)
12:00:00 bob: [file plan␛.pdf, 3 B]
12:00:00 bob: both
         | [file a.png, 1 B]
         | [file b.png, 2 B]
12:00:00 bob: [answers alice: who is␛ there?]
         | me
12:00:00 bob: [answers alice]
         | too
12:00:00 bob: [file plan␛.pdf, 3 B]  (edited)
12:00:00 bob: tea?  [:tada: 2, 👍 1]
12:00:00 bob: now
`
	if out.String() != wantOut {
		t.Errorf("shown:\n%s\nwant:\n%s", &out, wantOut)
	}
	wantStatus := `* connected as alice to tea; type a line to send it, /edit TEXT or /delete to change your last one, /reply TEXT or /react EMOJI to answer the newest, /who, /quit to leave
* eve␊ reacts 👍, bob takes :tada: back: bob's message of 12:00:00 now has 👍 2, ␛ 1
* bob's message of 12:00:00 has the reactions none
* bob is typing
* bob is typing
* dave␊ joined
* dave␊ left
* dave␊ joined
* not connected: closed␛[2J; trying again until it works
* missed messages can't be fetched: no API␛; trying again until it works
* connected again
`
	if status.String() != wantStatus {
		t.Errorf("noted:\n%s\nwant:\n%s", &status, wantStatus)
	}
}
