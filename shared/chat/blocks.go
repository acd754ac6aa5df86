package chat

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Block is a user whom another one wants nothing from.
type Block struct {
	UserID string // who is blocked
	At     int64  // ms
}

// BlockStore stores blocks.
type BlockStore interface {
	// Block stores that a user blocks another one since a time in ms, or leaves it as it
	// is, and then marks both as Blocks and Blocked in their direct message, if there is one.
	Block(ctx context.Context, userID, blocked string, at int64) error
	// MarkBlock marks both in their direct message, if there is one, as Block does, unless
	// the block has ended.
	MarkBlock(ctx context.Context, userID, blocked string) error
	// Unblock removes that, and the marks.
	Unblock(ctx context.Context, userID, blocked string) error
	// Blocks reads one page of whom a user blocks, strongly, by user id after `after` ("" is
	// the beginning). next is where it goes on, "" at the end.
	Blocks(ctx context.Context, userID, after string, limit int) (blocks []Block, next string, err error)
	BlockedBy(ctx context.Context, userID string, users []string) ([]string, error)
}

// BlockReader reads who blocks a user.
type BlockReader interface {
	// MarkBlock is BlockStore's.
	MarkBlock(ctx context.Context, userID, blocked string) error
	// BlockedBy reads strongly which of at most MaxInitialMember users block a user, in the
	// order given.
	BlockedBy(ctx context.Context, userID string, users []string) ([]string, error)
}

// MaxBlocks is how many users one blocks at most. To block another one reads them: a read
// unit for some forty.
const MaxBlocks = 1_000

// Blocks keep users away from others.
type Blocks struct {
	store BlockStore
	now   func() time.Time
}

// NewBlocks returns Blocks on a store and a clock.
func NewBlocks(store BlockStore, now func() time.Time) *Blocks {
	return &Blocks{store: store, now: now}
}

// Block has another user neither begin a direct message with a user, nor write in the one
// they have, nor add them to a room. The user does not write in that direct message
// either. It is no error if the other one is blocked already.
//
// Errors: CodeInvalidRequest, also for one more than MaxBlocks.
func (b *Blocks) Block(ctx context.Context, userID, other string) error {
	if err := ValidateUserID(other); err != nil {
		return err
	}
	if userID == other {
		return Errorf(CodeInvalidRequest, "invalid userId: want another user than yourself")
	}
	blocks, _, err := b.store.Blocks(ctx, userID, "", MaxBlocks)
	if err != nil {
		return fmt.Errorf("read the blocks: %w", err)
	}
	if len(blocks) == MaxBlocks && !slices.ContainsFunc(blocks, func(known Block) bool { return known.UserID == other }) {
		return Errorf(CodeInvalidRequest, "invalid userId: want at most %d blocks, got one more; end some first", MaxBlocks)
	}
	if err := b.store.Block(ctx, userID, other, b.now().UnixMilli()); err != nil {
		return fmt.Errorf("block a user: %w", err)
	}
	return nil
}

// Unblock ends a block; it is no error if there is none.
//
// Errors: CodeInvalidRequest.
func (b *Blocks) Unblock(ctx context.Context, userID, other string) error {
	if err := ValidateUserID(other); err != nil {
		return err
	}
	if userID == other {
		return nil // no one blocks themselves
	}
	if err := b.store.Unblock(ctx, userID, other); err != nil {
		return fmt.Errorf("unblock a user: %w", err)
	}
	return nil
}

// List returns one page of whom a user blocks, by user id after `after`, and where it goes
// on.
func (b *Blocks) List(ctx context.Context, userID, after string, limit int) (blocks []Block, next string, err error) {
	if blocks, next, err = b.store.Blocks(ctx, userID, after, limit); err != nil {
		return nil, "", fmt.Errorf("read the blocks: %w", err)
	}
	return blocks, next, nil
}

// unblockedBy checks that none of the users block one who adds them to a room.
func (s *Rooms) unblockedBy(ctx context.Context, by string, users ...string) error {
	if len(users) == 0 {
		return nil
	}
	blockers, err := s.store.BlockedBy(ctx, by, users)
	if err != nil {
		return fmt.Errorf("read who blocks a user: %w", err)
	}
	if len(blockers) > 0 {
		return Errorf(CodeForbidden, "%s can't be added by you; leave them out", quoteAll(blockers))
	}
	return nil
}

// unblocked checks that neither of two users blocks the other one, and returns who does.
func (s *Rooms) unblocked(ctx context.Context, userID, other string) (blocker string, err error) {
	for _, pair := range [][2]string{{userID, other}, {other, userID}} {
		blockers, err := s.store.BlockedBy(ctx, pair[0], pair[1:])
		if err != nil {
			return "", fmt.Errorf("read who blocks a user: %w", err)
		}
		if len(blockers) > 0 {
			return pair[1], errSilent(pair[1] == userID)
		}
	}
	return "", nil
}

// markBlocks marks blocks in a direct message room that came while it was created: it was
// not there yet when they were stored.
func (s *Rooms) markBlocks(ctx context.Context, room Room) error {
	blocker, err := s.unblocked(ctx, room.CreatedBy, room.Invited)
	if blocker == "" {
		return err
	}
	if err := s.store.MarkBlock(ctx, blocker, room.Other(blocker)); err != nil {
		return fmt.Errorf("mark a block: %w", err)
	}
	return nil
}

// errSilent refuses what is said in a direct message one of whose members blocks the
// other one. The blocked user is not told so.
func errSilent(own bool) *Error {
	if own {
		return Errorf(CodeForbidden, "you have blocked this user; unblock them first")
	}
	return Errorf(CodeForbidden, "you can't write to this user")
}
