package chat

import (
	"context"
	"fmt"
	"time"
)

// MaxRetentionDays is the longest time for which a room or a deployment has messages kept,
// if it bounds that at all.
const MaxRetentionDays = 36_500

// RetainedMembers is the largest number of members with which a room can change how long
// its messages are kept: the change writes each of them, so that a send, which reads its
// sender's membership, reads nothing more. It takes two seconds of what one partition of
// the table can write. A user who joins later gets it with their membership, in rooms of
// every size.
const RetainedMembers = 2_000

const day = 24 * time.Hour

// shorter is how many days messages are kept: the smaller of what a room and its deployment
// say; 0: forever.
func shorter(room, deployment int) int {
	if room == 0 || deployment != 0 && deployment < room {
		return deployment
	}
	return room
}

// expiry is when a message of a time expires, both in ms; 0: never. It is a whole second:
// the table counts these.
func expiry(sentAt int64, days int) int64 {
	if days == 0 {
		return 0
	}
	return (sentAt + int64(days)*day.Milliseconds() + 999) / 1000 * 1000
}

// HasExpired reports whether what expires at a time, 0 for never, is not there any more,
// both in ms.
func HasExpired(expiresAt, now int64) bool { return expiresAt != 0 && expiresAt <= now }

// AsOf is a message as its readers see it at a time, in ms: without the beginning of a
// message that it answers and that has expired. False if it has expired itself.
func (m Message) AsOf(now int64) (Message, bool) {
	if q := m.ReplyTo; q != nil && HasExpired(q.ExpiresAt, now) {
		m.ReplyTo = &Quote{Quoted: Quoted{MessageID: q.MessageID, SenderID: q.SenderID}}
	}
	return m, !HasExpired(m.ExpiresAt, now)
}

// Passed is what stands for a message that has expired where a page ends at it, so that
// its reader can go on from there: a deleted one.
func (m Message) Passed() Message {
	return Message{RoomID: m.RoomID, ID: m.ID, SenderID: m.SenderID, SentAt: m.SentAt, DeletedAt: m.ExpiresAt}
}

// RetentionStore stores for how long messages of rooms are kept.
type RetentionStore interface {
	// RetainRoom gives a room its RetentionDays as of r.RenamedAt, as RenameRoom gives it
	// a name.
	RetainRoom(ctx context.Context, r Room) (retained bool, err error)
	// RetainMembers gives all members of a room its RetentionDays.
	RetainMembers(ctx context.Context, roomID string, days int) error
}

// Retaining bounds, in days, how long new messages are kept; 0 keeps them forever. Call it
// before the first Send.
func (s *Sender) Retaining(days int) *Sender {
	s.retention = days
	return s
}

// Retaining bounds, in days, what rooms may say; 0 is no bound. Call it before all else.
func (s *Rooms) Retaining(days int) *Rooms {
	s.retention = days
	return s
}

// RetentionDays is how many days a room's new messages are kept; 0: forever.
func (s *Rooms) RetentionDays(r Room) int { return shorter(r.RetentionDays, s.retention) }

// Retain bounds, in days, how long messages are kept that are sent to a group from now
// on, on behalf of an owner, and returns the room; 0 is no bound but the deployment's. If
// it fails, it may hold for a part of the members: do it again.
//
// Errors: CodeInvalidRequest, also for more days than the deployment's, CodeNotAMember,
// CodeForbidden for a direct message, a member who is not an owner, or a room of more than
// RetainedMembers.
func (s *Rooms) Retain(ctx context.Context, by, roomID string, days int) (Room, error) {
	most := shorter(MaxRetentionDays, s.retention)
	if days < 0 || days > most {
		return Room{}, Errorf(CodeInvalidRequest, "invalid retentionDays: want 1 to %d days, or 0 for no bound of the room's own, got %d", most, days)
	}
	room, err := s.change(ctx, by, roomID, ToRetain, func(r *Room) (store, error) {
		if r.MemberCount > RetainedMembers {
			return nil, Errorf(CodeForbidden, "no one can change for how long messages are kept in a room of more than %d members; this one has %d", RetainedMembers, r.MemberCount)
		}
		if r.RetentionDays == days {
			return nil, nil
		}
		r.RetentionDays, r.RenamedAt = days, s.after(r.RenamedAt)
		return s.store.RetainRoom, nil
	})
	if err != nil {
		return Room{}, err
	}
	for range changeAttempts {
		// Also if the room has it already: an earlier call may have ended between.
		if err := s.store.RetainMembers(ctx, roomID, room.RetentionDays); err != nil {
			return Room{}, fmt.Errorf("give the members of a room its retention: %w", err)
		}
		now, found, err := s.store.Room(ctx, roomID)
		if err != nil {
			return Room{}, fmt.Errorf("read the room whose retention was changed: %w", err)
		}
		if !found || now.RetentionDays == room.RetentionDays {
			return room, nil
		}
		room = now // by another owner, whose writes may have been overtaken by these
	}
	return Room{}, fmt.Errorf("%s %s: gave up after %d concurrent changes", ToRetain, roomID, changeAttempts)
}
