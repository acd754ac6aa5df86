package chat

import (
	"context"
	"fmt"
	"slices"
)

// MemberChange gives a member another role, mutes them, or both. What is nil stays.
type MemberChange struct {
	Role       *Role
	MutedUntil *int64 // ms; 0: they are not muted any more
}

// ChangeMember changes a member of a group on behalf of another one, and returns them.
// Owners change roles, and everyone may step down; the last owner may not. Owners mute
// every other member, moderators those without a role.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a direct message or a
// caller without the right, CodeNotFound if the user is not a member.
func (s *Rooms) ChangeMember(ctx context.Context, by, roomID, userID string, c MemberChange) (Member, error) {
	if err := ValidateUserID(userID); err != nil {
		return Member{}, err
	}
	if err := c.check(s.now().UnixMilli()); err != nil {
		return Member{}, err
	}
	for range changeAttempts {
		room, self, err := s.authorize(ctx, roomID, by)
		if err != nil {
			return Member{}, err
		}
		was := self
		if by != userID || self.Role == Service {
			if was, err = s.memberFor(ctx, c, room, self, userID); err != nil {
				return Member{}, err
			}
		}
		now := c.applied(was)
		if err := s.mayChange(room, self, was, c); err != nil {
			return Member{}, err
		}
		if now == was {
			return was, nil
		}
		keeps, err := s.remainingOwner(ctx, roomID, by, was, now)
		if err != nil {
			return Member{}, err
		}
		now.ChangedAt = s.after(was.ChangedAt)
		changed, err := s.store.ChangeMember(ctx, roomID, was, now, keeps)
		if err != nil {
			return Member{}, fmt.Errorf("change member: %w", err)
		}
		if changed {
			return now, nil
		}
	}
	return Member{}, fmt.Errorf("change a member of %s: gave up after %d concurrent changes", roomID, changeAttempts)
}

// memberFor reads the member that a change is about, for someone who may make some of it.
func (s *Rooms) memberFor(ctx context.Context, c MemberChange, room Room, by Member, userID string) (Member, error) {
	op := ToMute
	if c.Role != nil {
		op = ToSetRole
	}
	if err := may(op, room.Type, by, s.now().UnixMilli()); err != nil {
		return Member{}, err // before who is a member is told
	}
	m, ok, err := s.store.Member(ctx, room.ID, userID)
	if err != nil {
		return Member{}, fmt.Errorf("read the member: %w", err)
	}
	if !ok {
		return Member{}, errNoSuchMember(userID)
	}
	return m, nil
}

// mayChange checks that someone may change a member, who may be themselves.
func (s *Rooms) mayChange(room Room, by, was Member, c MemberChange) error {
	at := s.now().UnixMilli()
	if by.UserID == was.UserID && by.Role != Service {
		if room.Type == Direct || c.Role != nil && c.Role.rank() > was.Role.rank() {
			return may(ToSetRole, room.Type, by, at)
		}
		if c.MutedUntil != nil {
			return Errorf(CodeForbidden, "no one can mute themselves, or end it")
		}
		return nil // everyone may step down
	}
	if c.Role != nil {
		if err := mayTo(ToSetRole, room.Type, by, was, at); err != nil {
			return err
		}
	}
	if c.MutedUntil != nil {
		return mayTo(ToMute, room.Type, by, was, at)
	}
	return nil
}

// remainingOwner returns the owner who has to stay one when a member stops to be: who
// makes the change, or else another one. "" if the change takes no owner away.
func (s *Rooms) remainingOwner(ctx context.Context, roomID, by string, was, now Member) (string, error) {
	if was.Role != Owner || now.Role == Owner {
		return "", nil
	}
	if by != was.UserID && !IsService(by) {
		return by, nil
	}
	next, err := s.successor(ctx, roomID, was.UserID)
	if err != nil {
		return "", err
	}
	if next.Role != Owner {
		return "", Errorf(CodeForbidden, "%s is the last owner of this room; make another member an owner first", was.UserID)
	}
	return next.UserID, nil
}

// check checks a change at a time in ms.
func (c MemberChange) check(now int64) error {
	if c.Role == nil && c.MutedUntil == nil {
		return Errorf(CodeInvalidRequest, "role and mutedUntil are missing: want at least one")
	}
	if c.Role != nil && !slices.Contains(Roles, *c.Role) {
		return Errorf(CodeInvalidRequest, "invalid role: want one of %q, got %s", Roles, quote(string(*c.Role)))
	}
	if c.MutedUntil != nil && *c.MutedUntil != 0 {
		return checkEnd("mutedUntil", *c.MutedUntil, now)
	}
	return nil
}

// checkEnd checks a time in ms until which something holds.
func checkEnd(name string, at, now int64) error {
	if at <= now || at > maxTime {
		return Errorf(CodeInvalidRequest, "invalid %s: want milliseconds since 1970 that are not over, up to %d, got %d at %d; 0 ends it", name, maxTime, at, now)
	}
	return nil
}

// applied returns a member after a change.
func (c MemberChange) applied(m Member) Member {
	if c.Role != nil {
		m.Role = *c.Role
	}
	if c.MutedUntil != nil {
		m.MutedUntil = *c.MutedUntil
	}
	return m
}

func errNoSuchMember(userID string) *Error {
	return Errorf(CodeNotFound, "%s is not a member of this room", userID)
}
