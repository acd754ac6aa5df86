package chat

import (
	"context"
	"fmt"
	"time"
)

// SentBefore is an earlier send, remembered by its client message id.
type SentBefore struct {
	RoomID    string
	MessageID string
	Stored    bool // surely; else it may be
}

// ResumeWithin is the age of a claim's message id, in whose time the send that made it
// may still store the message: a function's time limit, and the difference of two
// clocks. Until then a resend stores the message under the same id. Later it takes a new
// one, so that the message does not appear far behind others.
const ResumeWithin = 30 * time.Second

// resumeAttempts bounds how often a resend begins again, because others of its client
// message id came between.
const resumeAttempts = 4

// resume answers a send whose client message id was used before. If that did not end in a
// stored message, it stores its own.
func (s *Sender) resume(ctx context.Context, a attempt) (Receipt, error) {
	for range resumeAttempts {
		m, earlier := a.message, a.earlier
		ms, err := MessageTime(earlier.MessageID)
		if err != nil {
			return Receipt{}, fmt.Errorf("read the earlier send: %w", err)
		}
		stored := earlier.Stored
		if !stored {
			if stored, err = s.store.HasMessage(ctx, earlier.RoomID, earlier.MessageID); err != nil {
				return Receipt{}, fmt.Errorf("look for the earlier send's message: %w", err)
			}
		}
		recent := s.now().UnixMilli()-ms <= ResumeWithin.Milliseconds()
		if (stored || recent) && earlier.RoomID != m.RoomID {
			return Receipt{}, Errorf(CodeInvalidRequest, "clientMessageId %s was used in room %s; use a new one for each message", m.ClientMessageID, earlier.RoomID)
		}
		if stored || recent {
			m.ID, m.SentAt = earlier.MessageID, ms
		}
		if stored {
			m.ReplyTo, m.ExpiresAt = nil, 0
			err := s.recall(ctx, &m)
			return a.receipt(m, true), err
		}
		if a.refused != nil {
			return Receipt{}, a.refused
		}
		if err := s.ready(ctx, &a, m.ID); err != nil {
			return Receipt{}, err
		}
		m.Content, m.Attachments = a.message.Content, a.message.Attachments
		latest, resumed, err := s.store.ResumeSend(ctx, m, earlier, s.now().UnixMilli())
		if err != nil {
			return Receipt{}, fmt.Errorf("resume an earlier send: %w", err)
		}
		if resumed {
			return a.receipt(m, recent), nil
		}
		a.earlier = latest
	}
	return Receipt{}, fmt.Errorf("resume an earlier send: gave up after %d concurrent ones", resumeAttempts)
}
