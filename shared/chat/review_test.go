package chat_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// reviewer answers as it is set to.
type reviewer struct {
	verdict chat.Verdict
	err     error
	hangs   bool
	asked   []chat.Message
	edits   int
}

func (r *reviewer) Review(ctx context.Context, m chat.Message, edit bool) (chat.Verdict, error) {
	r.asked = append(r.asked, m)
	if edit {
		r.edits++
	}
	if r.hangs {
		<-ctx.Done()
		return chat.Verdict{}, ctx.Err()
	}
	return r.verdict, r.err
}

// What a review says of a message and of an edit, and what becomes of both when it fails.
func TestReview_DecidesWhatIsStored(t *testing.T) {
	text := func(s string) *string { return &s }
	for name, test := range map[string]struct {
		reviewer reviewer
		lax      bool
		stored   string // "": nothing
		code     chat.Code
		says     string
	}{
		"allowed":                 {stored: "hello"},
		"denied":                  {reviewer: reviewer{verdict: chat.Verdict{Deny: true, Reason: "be kind"}}, code: chat.CodeDenied, says: ": be kind"},
		"denied without a reason": {reviewer: reviewer{verdict: chat.Verdict{Deny: true}}, code: chat.CodeDenied, says: "not allowed here"},
		"denied for two lines":    {reviewer: reviewer{verdict: chat.Verdict{Deny: true, Reason: "a\nb"}}, code: chat.CodeDenied, says: "not allowed here"},
		"denied at length":        {reviewer: reviewer{verdict: chat.Verdict{Deny: true, Reason: strings.Repeat("x", 1_000)}}, code: chat.CodeDenied, says: "xxx"},
		"denied, lax":             {reviewer: reviewer{verdict: chat.Verdict{Deny: true}}, lax: true, code: chat.CodeDenied},
		"replaced":                {reviewer: reviewer{verdict: chat.Verdict{Replace: text("****")}}, stored: "****"},
		"replaced by nothing":     {reviewer: reviewer{verdict: chat.Verdict{Replace: text("")}}, code: chat.CodeInternal},
		"replaced by too much":    {reviewer: reviewer{verdict: chat.Verdict{Replace: text(strings.Repeat("x", chat.MaxContent+1))}}, code: chat.CodeInternal},
		"replaced badly, lax":     {reviewer: reviewer{verdict: chat.Verdict{Replace: text("")}}, lax: true, stored: "hello"},
		"failed":                  {reviewer: reviewer{err: errors.New("no answer")}, code: chat.CodeInternal},
		"failed, lax":             {reviewer: reviewer{err: errors.New("no answer")}, lax: true, stored: "hello"},
		"hangs":                   {reviewer: reviewer{hangs: true}, code: chat.CodeInternal},
		"hangs, lax":              {reviewer: reviewer{hangs: true}, lax: true, stored: "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				room := w.group("alice", "bob")
				earlier := w.say("alice", room, "earlier")
				by := test.reviewer
				w.sender.Reviewing(chat.Reviewing{By: &by, Lax: test.lax})
				w.editor.Reviewing(chat.Reviewing{By: &by, Lax: test.lax})
				began, request := time.Now(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "hello", ClientMessageID: "x"}
				receipt, err := w.sender.Send(t.Context(), request)
				check := func(what string, err error) {
					if (err == nil) != (test.stored != "") || err != nil && (chat.Reason(err).Code != test.code || !strings.Contains(chat.Reason(err).Message, test.says)) {
						t.Errorf("%s: %v; want %s %q", what, err, test.code, test.says)
					}
				}
				check("a send", err)
				if took := time.Since(began); took > chat.ReviewTime {
					t.Errorf("it took %v", took)
				}
				if len(by.asked) != 1 || by.asked[0].Content != "hello" || by.asked[0].SenderID != "alice" {
					t.Errorf("asked about %+v", by.asked)
				}
				if err == nil {
					again, err := w.sender.Send(t.Context(), request)
					if err != nil || again.MessageID != receipt.MessageID || len(by.asked) != 1 {
						t.Errorf("a resend: %+v, %v; asked %d times", again, err, len(by.asked))
					}
					for _, r := range []chat.Receipt{receipt, again} {
						if replaced := r.Replaced != nil; replaced != (test.stored != "hello") || replaced && *r.Replaced != test.stored {
							t.Errorf("the receipt %+v does not tell that %q is stored", r, test.stored)
						}
					}
				}
				if err == nil && w.message(room, receipt.MessageID).Content != test.stored {
					t.Errorf("stored %q, want %q", w.message(room, receipt.MessageID).Content, test.stored)
				}
				_, err = w.editor.Edit(t.Context(), "alice", room, earlier, "hello", nil)
				check("an edit", err)
				want := test.stored
				if want == "" {
					want = "earlier"
				}
				if got := w.message(room, earlier).Content; got != want || by.edits != 1 {
					t.Errorf("the edit left %q, asked %d times; want %q", got, by.edits, want)
				}
			})
		})
	}
}

// A resend is reviewed with the id under which it is stored: that of the send before.
func TestReview_AsksWithTheIDThatIsStored(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	w.connect("alice")
	by := reviewer{err: errors.New("no answer")}
	w.sender.Reviewing(chat.Reviewing{By: &by})
	request := chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "hello", ClientMessageID: "x"}
	_, err := w.sender.Send(t.Context(), request)
	refused(t, "a failed review", err, chat.CodeInternal)
	by.err = nil
	receipt, err := w.sender.Send(t.Context(), request)
	ok(t, err)
	for _, m := range by.asked {
		if m.ID != receipt.MessageID {
			t.Errorf("asked about %s, and stored %s", m.ID, receipt.MessageID)
		}
	}
}
