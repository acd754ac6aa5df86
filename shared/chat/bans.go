package chat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxReason is the longest reason of a ban or a report, in characters.
const MaxReason = 500

// Ban keeps a user out of a room.
type Ban struct {
	UserID string
	By     string // who made it
	At     int64  // ms
	Until  int64  // ms; 0: without an end
	Reason string // "": none
}

// HasEnded reports whether a ban is over at a time in ms.
func (b Ban) HasEnded(now int64) bool { return b.Until != 0 && b.Until <= now }

// BanStore stores bans. Reads are strongly consistent.
type BanStore interface {
	// Ban stores a ban, instead of one of the same user, and notes its time as the room's
	// BannedAt, in one step; false if the room does not exist.
	Ban(ctx context.Context, roomID string, b Ban) (banned bool, err error)
	// Unban removes a ban, if there is one.
	Unban(ctx context.Context, roomID, userID string) error
	// Bans reads one page of a room's bans that have not ended, by user id after `after`
	// ("" is the beginning), from at most limit that are stored. next is where it goes on,
	// "" at the end.
	Bans(ctx context.Context, roomID, after string, limit int) (bans []Ban, next string, err error)
	// EndBanned marks the rows of a user's connections as Banned, from which their sockets
	// are closed. Those that were marked before are marked again.
	EndBanned(ctx context.Context, userID string) error
}

// Ban keeps a user, who need not be a member, out of a group on behalf of a member, and
// removes them. Owners ban everyone else, moderators those without a role. A ban replaces
// the one before it. until is in ms, 0 for no end. The connections of a member who is
// banned end within a second, so that nothing of the room that is on its way reaches them;
// their clients open others, which have the user's other rooms.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a direct message or a
// caller without the right.
func (s *Rooms) Ban(ctx context.Context, by, roomID, userID string, until int64, reason string) (Ban, error) {
	now := s.now().UnixMilli()
	if err := checkBan(userID, until, reason, now); err != nil {
		return Ban{}, err
	}
	room, self, err := s.authorize(ctx, roomID, by)
	if err != nil {
		return Ban{}, err
	}
	if err := may(ToBan, room.Type, self, now); err != nil {
		return Ban{}, err // before who is a member is told
	}
	if by == userID {
		return Ban{}, Errorf(CodeForbidden, "no one can ban themselves; leave the room")
	}
	allowed := func(m Member) error { return mayTo(ToBan, room.Type, self, m, now) }
	m, member, err := s.store.Member(ctx, roomID, userID)
	if err != nil {
		return Ban{}, fmt.Errorf("read the member: %w", err)
	}
	if member {
		if err := allowed(m); err != nil {
			return Ban{}, err
		}
	}
	b := Ban{UserID: userID, By: by, At: now, Until: until, Reason: reason}
	// First, so that who is removed can't come back in between.
	banned, err := s.store.Ban(ctx, roomID, b)
	if err != nil {
		return Ban{}, fmt.Errorf("ban: %w", err)
	}
	if !banned {
		return Ban{}, errNotAMember(roomID)
	}
	if member { // before they are removed: a call that fails here is repeated with all of this
		if err := s.endBanned(ctx, userID); err != nil {
			return Ban{}, err
		}
	}
	switch err := s.remove(ctx, roomID, userID, allowed); Reason(err).Code {
	case CodeNotFound:
	case CodeForbidden: // they have got a role in between
		return Ban{}, errors.Join(err, s.store.Unban(ctx, roomID, userID))
	default:
		if err != nil {
			return Ban{}, err
		}
	}
	return b, nil
}

// endBanned ends the connections of a user, unless bans have done so too often.
func (s *Rooms) endBanned(ctx context.Context, userID string) error {
	switch err := s.ending.Take(ctx, userID, Banning, 1); {
	case err == nil:
	case Reason(err).Code == CodeRateLimited:
		return nil // they are removed, as all are
	default:
		return err
	}
	if err := s.store.EndBanned(ctx, userID); err != nil {
		return fmt.Errorf("end the connections of a banned user: %w", err)
	}
	return nil
}

func checkBan(userID string, until int64, reason string, now int64) error {
	if err := ValidateUserID(userID); err != nil {
		return err
	}
	if until != 0 {
		if err := checkEnd("until", until, now); err != nil {
			return err
		}
	}
	return checkReason(reason)
}

// checkReason checks the reason of a ban or a report, which may be absent.
func checkReason(reason string) error {
	if reason == "" {
		return nil
	}
	return checkName("reason", reason, MaxReason)
}

// Unban lets a user into a group again on behalf of a member. It is no error if they were
// not banned.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a direct message or a
// caller without the right.
func (s *Rooms) Unban(ctx context.Context, by, roomID, userID string) error {
	if err := ValidateUserID(userID); err != nil {
		return err
	}
	if err := s.mayModerate(ctx, ToBan, by, roomID); err != nil {
		return err
	}
	if err := s.store.Unban(ctx, roomID, userID); err != nil {
		return fmt.Errorf("unban: %w", err)
	}
	return nil
}

// Bans returns one page of the bans of a group, by user id after `after`, to a member who
// may ban, and where it goes on. A page may have fewer than limit.
//
// Errors: as Unban.
func (s *Rooms) Bans(ctx context.Context, by, roomID, after string, limit int) (bans []Ban, next string, err error) {
	if err := s.mayModerate(ctx, ToBan, by, roomID); err != nil {
		return nil, "", err
	}
	bans, next, err = s.store.Bans(ctx, roomID, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("read the bans: %w", err)
	}
	return bans, next, nil
}

// mayModerate checks that a user may do something in a room that needs no other member.
func (s *Rooms) mayModerate(ctx context.Context, op Operation, by, roomID string) error {
	room, self, err := s.authorize(ctx, roomID, by)
	if err != nil {
		return err
	}
	return may(op, room.Type, self, s.now().UnixMilli())
}

// ErrBanned refuses to let a banned user into a room. until is in ms, 0 for no end.
func ErrBanned(until int64) *Error {
	when := ""
	if until != 0 {
		when = " until " + time.UnixMilli(until).UTC().Format(time.RFC3339)
	}
	err := Errorf(CodeBanned, "banned from this room%s; who moderates it can end that", when)
	err.Until = until
	return err
}
