package chat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestSend_StoresWhatTheReceiptSays(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	w.connect("alice")
	receipt, err := w.sender.Send(t.Context(), chat.SendRequest{
		ConnectionID: "alice", RoomID: room, Content: "hello", ClientMessageID: "k",
	})
	ok(t, err)
	want := chat.Receipt{RoomID: room, MessageID: receipt.MessageID, SenderID: "alice", SentAt: epoch, ClientMessageID: "k"}
	if receipt != want {
		t.Errorf("receipt %+v, want %+v", receipt, want)
	}
	if diff := cmp.Diff(chat.Message{
		RoomID: room, ID: receipt.MessageID, SenderID: "alice", Content: "hello", SentAt: epoch, ClientMessageID: "k",
	}, w.message(room, receipt.MessageID)); diff != "" {
		t.Error(diff)
	}
	if ms, err := chat.MessageTime(receipt.MessageID); ms != epoch || err != nil {
		t.Errorf("the id's time is %d, error %v; want %d", ms, err, int64(epoch))
	}
}

// Members alone send, and nothing tells a foreign room from one that does not
// exist. A connection is checked before the room, remembered or not.
func TestSend_WhoMaySend(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	for _, user := range []string{"alice", "bob", "carol"} {
		w.connect(user)
	}
	for _, memory := range []string{"first send", "later send"} {
		for _, test := range []struct {
			connection, room string
			code             chat.Code
		}{
			{"alice", room, ""},
			{"bob", room, ""},
			{"carol", room, chat.CodeNotAMember},
			{"alice", "nowhere", chat.CodeNotAMember},
			{"absent", room, chat.CodeReconnect},
			{"absent", "nowhere", chat.CodeReconnect},
		} {
			_, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: test.connection, RoomID: test.room, Content: "x"})
			answers(t, memory+" of "+test.connection+" to "+test.room, err, test.code)
		}
	}
	foreign, gone := chat.SendRequest{ConnectionID: "carol", RoomID: room, Content: "x"}, chat.SendRequest{ConnectionID: "carol", RoomID: "nowhere", Content: "x"}
	_, a := w.sender.Send(t.Context(), foreign)
	_, b := w.sender.Send(t.Context(), gone)
	if strings.ReplaceAll(chat.Reason(a).Message, room, "") != strings.ReplaceAll(chat.Reason(b).Message, "nowhere", "") {
		t.Errorf("a foreign room answers %v, none %v; want the same", a, b)
	}
}

func TestSend_ConnectionAndTokenEnd(t *testing.T) {
	for _, test := range []struct {
		name  string
		token time.Duration // after the connection
		at    time.Duration
		code  chat.Code
	}{
		{"in the token's leeway", time.Minute, 90*time.Second - time.Millisecond, ""},
		{"after the token's leeway", time.Minute, 90 * time.Second, chat.CodeTokenExpired},
		{"before the row's end", time.Minute, 2*time.Minute - time.Millisecond, chat.CodeTokenExpired},
		{"at the row's end", time.Minute, 2 * time.Minute, chat.CodeReconnect},
		{"before the connection's end", 24 * time.Hour, chat.ConnectionLife - time.Millisecond, ""},
		{"at the connection's end", 24 * time.Hour, chat.ConnectionLife, chat.CodeReconnect},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			room := w.group("alice")
			ok(t, w.sessions.Open(t.Context(), chat.Connection{
				ID: "c", UserID: "alice", ConnectedAt: epoch, TokenExpiresAt: epoch + test.token.Milliseconds(),
			}))
			w.clock.set(test.at)
			_, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "c", RoomID: room, Content: "x"})
			answers(t, "send", err, test.code)
		})
	}
}

// Every call counts, those that are refused too.
func TestSend_RateWindow(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice")
	w.connect("alice")
	ids := chat.NewIDs(w.clock.now, &counter{})
	sender := chat.NewSender(w.store, ids, w.clock.now, func(chat.Message) error { return nil }, chat.Limits{
		chat.Sending: chat.PerSecond(chat.SendRate, chat.SendBurst),
	})
	opened := 0
	faulty := chat.Errorf(chat.CodeInvalidRequest, "faulty")
	sends := func(n int) (admitted int) {
		for i := range n {
			if opened++; i%5 == 4 { // another connection of the user has no more
				ok(t, w.sessions.Open(t.Context(), chat.Connection{ID: fmt.Sprint(opened), UserID: "alice", ConnectedAt: w.clock.ms.Load(), TokenExpiresAt: 1 << 60}))
			}
			r := chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "x"}
			if i%5 == 4 {
				r.ConnectionID = fmt.Sprint(opened)
			}
			switch i % 4 {
			case 1:
				r.RoomID = "nowhere"
			case 2:
				r.Content = ""
			case 3:
				r.Refused = faulty
			}
			if _, err := sender.Send(t.Context(), r); chat.Reason(err).Code != chat.CodeRateLimited {
				admitted++
			}
		}
		return admitted
	}
	for _, step := range []struct {
		wait        time.Duration
		sends, want int
	}{
		{0, chat.SendBurst + 3, chat.SendBurst},
		{time.Second/chat.SendRate - time.Millisecond, 1, 0},
		{time.Millisecond, 2, 1},
		{time.Second, 15, chat.SendRate},
		{time.Minute, chat.SendBurst + 1, chat.SendBurst},
	} {
		w.clock.advance(step.wait)
		if got := sends(step.sends); got != step.want {
			t.Errorf("after %v: %d of %d admitted, want %d", step.wait, got, step.sends, step.want)
		}
	}
}

// What was found wrong with the frame is answered, but not to a connection that
// may not send at all.
func TestSend_Refused(t *testing.T) {
	w := newWorld(t)
	w.connect("alice")
	faulty := chat.Errorf(chat.CodeTooLarge, "faulty")
	_, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "alice", Refused: faulty})
	if !errors.Is(err, faulty) {
		t.Errorf("error %v, want %v", err, faulty)
	}
	_, err = w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "absent", Refused: faulty})
	refused(t, "unknown connection", err, chat.CodeReconnect)
}

func TestSend_Validation(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice")
	w.connect("alice")
	long := strings.Repeat("x", 129)
	for _, test := range []struct {
		name string
		r    chat.SendRequest
		code chat.Code
	}{
		{"no room", chat.SendRequest{Content: "x"}, chat.CodeInvalidRequest},
		{"a forged room", chat.SendRequest{RoomID: room + "#x", Content: "x"}, chat.CodeInvalidRequest},
		{"a forged client message id", chat.SendRequest{RoomID: room, Content: "x", ClientMessageID: "a b"}, chat.CodeInvalidRequest},
		{"a long client message id", chat.SendRequest{RoomID: room, Content: "x", ClientMessageID: long}, chat.CodeInvalidRequest},
		{"a client message id", chat.SendRequest{RoomID: room, Content: "x", ClientMessageID: long[1:]}, ""},
		{"no content", chat.SendRequest{RoomID: room}, chat.CodeInvalidRequest},
		{"content that fits", chat.SendRequest{RoomID: room, Content: strings.Repeat("x", maxFit)}, ""},
		{"content that no frame carries", chat.SendRequest{RoomID: room, Content: strings.Repeat("x", maxFit+1)}, chat.CodeTooLarge},
		{"content that is too long", chat.SendRequest{RoomID: room, Content: strings.Repeat("x", chat.MaxContent+1)}, chat.CodeTooLarge},
		{"content that is not UTF-8", chat.SendRequest{RoomID: room, Content: "a\xff"}, chat.CodeInvalidRequest},
		{"content that was broken", chat.SendRequest{RoomID: room, Content: "a\ufffd"}, chat.CodeInvalidRequest},
	} {
		test.r.ConnectionID = "alice"
		_, err := w.sender.Send(t.Context(), test.r)
		answers(t, test.name, err, test.code)
	}
	if err := chat.ValidateContent(strings.Repeat("x", chat.MaxContent)); err != nil {
		t.Errorf("content of MaxContent bytes: %v", err)
	}
}

// Resending with a client message id stores one message for SentMemory.
func TestSend_ResendWithClientMessageID(t *testing.T) {
	w := newWorld(t)
	room, other := w.group("alice", "bob"), w.group("alice")
	send := func(user, room, content string) (chat.Receipt, error) {
		w.connect(user)
		return w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: user, RoomID: room, Content: content, ClientMessageID: "k"})
	}
	first, err := send("alice", room, "one")
	ok(t, err)
	w.clock.advance(time.Hour)
	again, err := send("alice", room, "two")
	ok(t, err)
	want := first
	want.Duplicate = true
	if again != want {
		t.Errorf("resend: %+v, want %+v", again, want)
	}
	if content := w.message(room, first.MessageID).Content; content != "one" {
		t.Errorf("content %q, want that of the first send", content)
	}
	_, err = send("alice", other, "one")
	refused(t, "resend to another room", err, chat.CodeInvalidRequest)
	theirs, err := send("bob", room, "bob's")
	if ok(t, err); theirs.Duplicate {
		t.Error("another user's client message id is a duplicate")
	}
	w.clock.set(chat.SentMemory)
	late, err := send("alice", room, "three")
	if ok(t, err); late.Duplicate || late.MessageID == first.MessageID {
		t.Errorf("after SentMemory: %+v, want a new message", late)
	}
}

func TestSend_RemembersTheConnectionsSeenLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	room := w.group("alice", "bob")
	w.connect("alice")
	send := func(connection string) error {
		_, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: connection, RoomID: room, Content: "x"})
		return err
	}
	ok(t, send("alice"))
	// A remembered connection's membership is read in parallel: also if it may not send.
	w.clock.advance(chat.ConnectionLife)
	asked := 0
	w.store.Before(func(method string) error {
		if method == "Member" {
			asked++
		}
		return nil
	})
	refused(t, "an expired connection", send("alice"), chat.CodeReconnect)
	refused(t, "an unknown connection", send("other"), chat.CodeReconnect)
	if asked != 1 {
		t.Errorf("membership was read %d times, want once, for the remembered connection", asked)
	}
	w.store.Before(nil)
	for i := range 20_001 { // forgets alice
		id := fmt.Sprint("c", i)
		ok(t, w.sessions.Open(t.Context(), chat.Connection{ID: id, UserID: id, ConnectedAt: w.clock.ms.Load(), TokenExpiresAt: 1 << 60}))
		_, _ = w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: id, Refused: errBroken})
	}
	asked = 0
	refused(t, "a forgotten connection", send("alice"), chat.CodeReconnect)
	if asked != 0 {
		t.Errorf("membership was read %d times, want none", asked)
	}
}

// The receipt of a send without an echo names the message before, as far as that is
// known. What another attempt stored may have another one before it.
func TestSend_WithoutEchoNamesTheMessageBefore(t *testing.T) {
	w := newWorld(t)
	room, other := w.group("alice", "bob"), w.group("alice")
	w.connect("alice")
	send := func(room, id string, noEcho bool) chat.Receipt {
		t.Helper()
		w.clock.advance(time.Second)
		receipt, err := w.sender.Send(t.Context(), chat.SendRequest{
			ConnectionID: "alice", RoomID: room, Content: "x", ClientMessageID: id, NoEcho: noEcho,
		})
		ok(t, err)
		if noEcho != (w.message(room, receipt.MessageID).Origin == "alice") {
			t.Errorf("the message is %+v", w.message(room, receipt.MessageID))
		}
		if receipt.Previous != "" && receipt.Previous != w.message(room, receipt.MessageID).Previous {
			t.Errorf("the receipt is %+v, the message %+v", receipt, w.message(room, receipt.MessageID))
		}
		return receipt
	}
	send(other, "elsewhere", true)
	first := send(room, "a", true)
	second := send(room, "b", true)
	third := send(room, "c", false)
	fourth := send(room, "d", true)
	again := send(room, "b", true)
	for _, test := range []struct {
		name, got, want string
	}{
		{"first", first.Previous, chat.NoneBefore},
		{"second", second.Previous, first.MessageID},
		{"third, with an echo", third.Previous, ""},
		{"fourth", fourth.Previous, third.MessageID},
		{"second again", again.Previous, ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: previous %q, want %q", test.name, test.got, test.want)
		}
	}
	if !again.Duplicate || again.MessageID != second.MessageID {
		t.Errorf("the resend's receipt is %+v, the first was %+v", again, second)
	}
}

// A resend whose message is stored is answered, also if it could not be stored any more;
// another send is refused.
func TestSend_ResendOfWhatIsStored(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world, room string)
		code   chat.Code
	}{
		"who is mentioned has left": {func(w *world, room string) {
			ok(w, w.rooms.RemoveMember(w.Context(), "pia", room, "pia"))
		}, chat.CodeNotFound},
		"the sender was muted": {func(w *world, room string) {
			_, err := w.rooms.ChangeMember(w.Context(), "mara", room, "paul", chat.MemberChange{MutedUntil: ptr(int64(epoch + 60_000))})
			ok(w, err)
		}, chat.CodeMuted},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			room := w.staffed()
			w.connect("paul")
			request := chat.SendRequest{ConnectionID: "paul", RoomID: room, Content: "x", Mentions: []string{"pia"}, ClientMessageID: "k"}
			first, err := w.sender.Send(t.Context(), request)
			ok(t, err)
			test.change(w, room)
			again, err := w.sender.Send(t.Context(), request)
			if err != nil || !again.Duplicate || again.MessageID != first.MessageID {
				t.Errorf("a resend of %s: %+v, %v", first.MessageID, again, err)
			}
			request.ClientMessageID = "l"
			for range 2 { // its resend, too
				_, err = w.sender.Send(t.Context(), request)
				refused(t, "another send", err, test.code)
			}
		})
	}
}
