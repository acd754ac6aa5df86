package roomlist

import (
	"context"
	"fmt"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
)

// The rules of room lists.
const (
	// Moving a room to the top of its members' lists costs a write for each member. It is
	// done at most once an interval, a setting, so a room stands at a message at most
	// that much older than its last. In rooms of over LargeRoom members it is done at most
	// once a LargeInterval, in rooms of over FrozenAbove for new members only.
	LargeRoom     = 1_000
	LargeInterval = time.Minute
	FrozenAbove   = 10_000
)

// writesInFlight bounds the updates of one room at a time. No user waits for
// them, so they leave the table's capacity to requests that users wait for.
const writesInFlight = 8

// project writes one room's projections: the last message first, then the
// order. The batch that brings the last message moves all members, also when the
// message was there already, since an earlier try may have ended in between; a
// batch that brings an older one leaves them to that batch. New members it moves
// itself: they may have joined after that.
func (p *Projector) project(ctx context.Context, u update) error {
	if u.newest == nil && len(u.joined) == 0 {
		return nil
	}
	last, err := p.advance(ctx, u)
	if err != nil || last.MessageID == "" {
		return err
	}
	brought := u.sent == last.MessageID
	if brought && p.isDue(last, p.interval) {
		return p.reorderAll(ctx, u, last)
	}
	return p.reorder(ctx, u.roomID, u.joined, last.SentAt)
}

// advance makes the batch's newest message the room's last, if it has any, and
// returns the one that is the last then; the zero value if there is none.
func (p *Projector) advance(ctx context.Context, u update) (chat.LastMessage, error) {
	if u.newest != nil {
		return p.store.AdvanceLastMessage(ctx, u.roomID, u.newest.Preview())
	}
	last, _, err := p.store.LastMessage(ctx, u.roomID)
	if err != nil {
		return last, fmt.Errorf("read the last message: %w", err)
	}
	return last, nil
}

// isDue reports whether the room's place in lists is more than an interval old.
func (p *Projector) isDue(last chat.LastMessage, interval time.Duration) bool {
	return interval == 0 || last.SentAt-last.OrderedAt > interval.Milliseconds()
}

// reorderAll moves the room in its members' lists.
func (p *Projector) reorderAll(ctx context.Context, u update, last chat.LastMessage) error {
	members, more, err := p.store.Members(ctx, u.roomID, "", LargeRoom)
	if err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	var moved int
	switch {
	case more && !p.isDue(last, max(p.interval, LargeInterval)):
		return p.reorder(ctx, u.roomID, u.joined, last.SentAt)
	case more:
		moved, err = p.reorderMany(ctx, u, members, last.SentAt)
	default:
		moved, err = len(members), p.reorder(ctx, u.roomID, users(members), last.SentAt)
	}
	if err == nil && (more || p.interval != 0) {
		// Last, so that an interrupted invocation starts over.
		err = p.store.NoteRoomOrder(ctx, u.roomID, last.SentAt)
	}
	if err == nil && !u.replayed { // else they are moved again
		p.charge(ctx, last.SenderID, moved)
	}
	return err
}

// reorderMany moves a large room in the lists of its first members, and page by
// page in those of the others, and returns in how many.
func (p *Projector) reorderMany(ctx context.Context, u update, first []chat.Member, ms int64) (moved int, err error) {
	description, _, err := p.store.Room(ctx, u.roomID)
	if err != nil {
		return 0, fmt.Errorf("read the room: %w", err)
	}
	if description.MemberCount > FrozenAbove {
		return 0, p.reorder(ctx, u.roomID, u.joined, ms)
	}
	for members, more := first, true; ; {
		if err := p.reorder(ctx, u.roomID, users(members), ms); err != nil {
			return 0, err
		}
		if moved += len(members); !more {
			return moved, nil
		}
		last := members[len(members)-1].UserID
		if members, more, err = p.store.Members(ctx, u.roomID, last, LargeRoom); err != nil {
			return 0, fmt.Errorf("read members: %w", err)
		}
	}
}

// reorder moves the room in the users' lists. It tries all of them before it
// returns the first error.
func (p *Projector) reorder(ctx context.Context, roomID string, users []string, ms int64) error {
	errs := make([]error, len(users))
	parallel.Each(len(users), writesInFlight, func(i int) {
		errs[i] = p.store.AdvanceRoomOrder(ctx, users[i], roomID, ms)
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func users(members []chat.Member) []string {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	return ids
}
