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
	// Moving a room to the top of its members' lists costs a write for each
	// member. In rooms of over ThrottledAbove members it is done at most once an
	// OrderInterval, so they stand at a message at most that much older than the
	// last. In rooms of over FrozenAbove it is done for new members only.
	ThrottledAbove = 1_000
	FrozenAbove    = 10_000
	OrderInterval  = time.Minute
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
	last, err := p.advance(ctx, u)
	if err != nil || last.MessageID == "" {
		return err
	}
	brought := u.sent == last.MessageID
	if brought && last.SentAt-last.OrderedAt >= OrderInterval.Milliseconds() {
		return p.reorderAll(ctx, u, last.SentAt)
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

// reorderAll moves the room in its members' lists.
func (p *Projector) reorderAll(ctx context.Context, u update, ms int64) error {
	members, more, err := p.store.Members(ctx, u.roomID, "", ThrottledAbove)
	if err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	if !more {
		return p.reorder(ctx, u.roomID, users(members), ms)
	}
	if err := p.reorderMany(ctx, u, members, ms); err != nil {
		return err
	}
	// Last, so that an interrupted invocation starts over.
	return p.store.NoteRoomOrder(ctx, u.roomID, ms)
}

// reorderMany moves a large room in the lists of its first members, and page by
// page in those of the others.
func (p *Projector) reorderMany(ctx context.Context, u update, first []chat.Member, ms int64) error {
	description, _, err := p.store.Room(ctx, u.roomID)
	if err != nil {
		return fmt.Errorf("read the room: %w", err)
	}
	if description.MemberCount > FrozenAbove {
		return p.reorder(ctx, u.roomID, u.joined, ms)
	}
	for members, more := first, true; ; {
		if err := p.reorder(ctx, u.roomID, users(members), ms); err != nil || !more {
			return err
		}
		last := members[len(members)-1].UserID
		if members, more, err = p.store.Members(ctx, u.roomID, last, ThrottledAbove); err != nil {
			return fmt.Errorf("read members: %w", err)
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
