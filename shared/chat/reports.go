package chat

import (
	"context"
	"fmt"
)

// Report is what a user says against a message.
type Report struct {
	MessageID string
	SenderID  string // the message's
	By        string // who reported it
	Reason    string // "": none
	At        int64  // ms
	ExpiresAt int64  // the message's
}

// Place is where a report stands among those of its room.
func (r Report) Place() ReportPlace { return ReportPlace{r.MessageID, r.By} }

// ReportPlace is where a report stands among those of its room, by its message, then by
// who reported it. The zero value is behind all.
type ReportPlace struct{ MessageID, By string }

// ReportStore stores reports. Reads are strongly consistent.
type ReportStore interface {
	PlaceStore
	// PutReport stores a report, instead of one of the same user and message.
	PutReport(ctx context.Context, roomID string, r Report) error
	// Reports reads one page of a room's reports backwards, before a place, from at most
	// limit that are stored. Those whose message has expired are left out. next is where it
	// goes on, the zero value at the end.
	Reports(ctx context.Context, roomID string, before ReportPlace, limit int) (reports []Report, next ReportPlace, err error)
	// RemoveReports removes all reports of a message.
	RemoveReports(ctx context.Context, roomID, messageID string) error
}

// Report tells those who moderate a room of another one's message. Doing it again replaces
// the reason.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for one's own message,
// CodeNotFound for one that does not exist or was deleted.
func (s *Rooms) Report(ctx context.Context, by, roomID, messageID, reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	place, err := lookup(ctx, s.store, by, roomID, messageID)
	if err != nil {
		return err
	}
	now := s.now().UnixMilli()
	if err := may(ToReport, place.Room.Type, place.Self, now); err != nil {
		return err
	}
	m := place.Message
	switch {
	case !place.Found:
		return errNoMessage(roomID, messageID)
	case m.DeletedAt != 0:
		return Errorf(CodeNotFound, "this message was deleted and cannot be reported")
	case m.SenderID == by:
		return Errorf(CodeForbidden, "no one reports a message of their own; delete it")
	}
	r := Report{MessageID: m.ID, SenderID: m.SenderID, By: by, Reason: reason, At: now, ExpiresAt: m.ExpiresAt}
	if err := s.store.PutReport(ctx, roomID, r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Reports returns one page of a room's reports, those of the newest messages first, before a
// place, to those who moderate it, and where it goes on. Those of a direct message are for
// services. A page may have fewer than limit.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a caller without the right.
func (s *Rooms) Reports(ctx context.Context, by, roomID string, before ReportPlace, limit int) (reports []Report, next ReportPlace, err error) {
	if err := s.mayModerate(ctx, ToJudge, by, roomID); err != nil {
		return nil, ReportPlace{}, err
	}
	reports, next, err = s.store.Reports(ctx, roomID, before, limit)
	if err != nil {
		return nil, ReportPlace{}, fmt.Errorf("read the reports: %w", err)
	}
	return reports, next, nil
}

// Dismiss removes all reports of a message on behalf of a moderator of its room. It is no
// error if there are none.
//
// Errors: as Reports.
func (s *Rooms) Dismiss(ctx context.Context, by, roomID, messageID string) error {
	if _, err := MessageTime(messageID); err != nil {
		return err
	}
	if err := s.mayModerate(ctx, ToJudge, by, roomID); err != nil {
		return err
	}
	if err := s.store.RemoveReports(ctx, roomID, messageID); err != nil {
		return fmt.Errorf("dismiss reports: %w", err)
	}
	return nil
}
