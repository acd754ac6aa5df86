package chat

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// ReviewTime is how long a review may take. It is part of what a send takes.
const ReviewTime = time.Second

// maxReason is the longest reason of a denial that a client is told, in characters.
const maxReason = 200

// Verdict is what a Reviewer says of a message.
type Verdict struct {
	Deny    bool
	Reason  string  // of a denial, for the sender; "": none is given
	Replace *string // the content to store instead; nil: as it is
}

// Reviewer judges a message before it is stored, and one with new content before it is
// changed (edit). It keeps to ctx.
type Reviewer interface {
	Review(ctx context.Context, m Message, edit bool) (Verdict, error)
}

// Reviewing asks a Reviewer, and says what becomes of a message when that fails. The zero
// value asks no one.
type Reviewing struct {
	By   Reviewer // nil: all is allowed
	Lax  bool     // what could not be reviewed is stored; else it is refused, to be sent again
	fits func(Message) error
}

// review returns a message as it is to be stored.
//
// Errors: CodeDenied. A failed review is an error of the server, after which the client
// sends the message again.
func (r Reviewing) review(ctx context.Context, m Message, edit bool) (Message, error) {
	if r.By == nil {
		return m, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ReviewTime)
	defer cancel()
	verdict, err := r.By.Review(ctx, m, edit)
	if err == nil && verdict.Replace != nil && !verdict.Deny {
		replaced := m
		replaced.Content = *verdict.Replace
		if err = r.check(replaced); err == nil {
			return replaced, nil
		}
	}
	switch {
	case err != nil && r.Lax:
		return m, nil
	case err != nil:
		return Message{}, fmt.Errorf("review the message: %v", err) //nolint:errorlint // its code is not the client's
	case verdict.Deny:
		return Message{}, errDenied(verdict.Reason)
	}
	return m, nil
}

// check checks content that replaces a message's.
func (r Reviewing) check(m Message) error {
	if m.Content != "" || len(m.Attachments) == 0 {
		if err := ValidateContent(m.Content); err != nil {
			return err
		}
	}
	return r.fits(m)
}

// errDenied refuses a message. The reason is shown as far as it is a line of text.
func errDenied(reason string) *Error {
	reason = Beginning(reason, maxReason)
	if reason == "" || checkName("reason", reason, maxReason) != nil {
		return Errorf(CodeDenied, "this message is not allowed here")
	}
	return Errorf(CodeDenied, "this message is not allowed here: %s", reason)
}

// Reviewing has the Sender ask before it stores a message. Call it before the first Send.
func (s *Sender) Reviewing(r Reviewing) *Sender {
	r.fits = s.fits
	s.reviewing = r
	return s
}

// Reviewing has the Editor ask before it changes a message. Call it before the first Edit.
func (e *Editor) Reviewing(r Reviewing) *Editor {
	r.fits = e.fits
	e.reviewing = r
	return e
}

// ready has an attempt's message, which is to be stored with an id, reviewed and gives it
// its files, once.
func (s *Sender) ready(ctx context.Context, a *attempt, id string) error {
	if s.reviewing.By != nil && !a.reviewed {
		asked := a.asked()
		asked.ID = id
		reviewed, err := s.reviewing.review(ctx, asked, false)
		if err != nil {
			return err
		}
		a.message.Content, a.reviewed = reviewed.Content, true
	}
	return s.attach(ctx, a)
}

// recall gives a message that an earlier send stored the content that a review may have
// replaced. What was changed since is known by its version.
func (s *Sender) recall(ctx context.Context, m *Message) error {
	if s.reviewing.By == nil {
		return nil
	}
	stored, err := s.store.MessagesByID(ctx, m.RoomID, []string{m.ID})
	if err != nil {
		return fmt.Errorf("read what an earlier send stored: %w", err)
	}
	if len(stored) > 0 && stored[0].Version() == 0 {
		m.Content = stored[0].Content
	}
	return nil
}

// asked is an attempt's message with the files that it is to have, as far as they are
// known.
func (a *attempt) asked() Message {
	m := a.message
	for _, id := range a.attachments {
		if file, ok := a.found[id]; ok {
			m.Attachments = append(slices.Clip(m.Attachments), file.File)
		}
	}
	return m
}

// reviewed returns the content that an edit gives a message.
func (e *Editor) reviewed(ctx context.Context, m Message, content string, users []string) (string, error) {
	if m.DeletedAt != 0 || m.Content == content && slices.Equal(m.Mentions, users) {
		return content, nil
	}
	edited := m
	edited.Content, edited.Mentions = content, users
	edited, err := e.reviewing.review(ctx, edited, true)
	return edited.Content, err
}
