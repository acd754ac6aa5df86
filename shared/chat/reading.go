package chat

import (
	"context"
	"fmt"
	"time"
)

// ReadCursor is how far a user has read a room. A message is read if it is after
// From, up to and including UpTo.
type ReadCursor struct {
	UpTo string // message id

	// From is the room's newest message when the user joined, "" for a room
	// without messages or a member since its creation. Messages up to it are
	// neither unread nor read.
	From string
}

// HasRead reports whether the user has read a message.
func (c ReadCursor) HasRead(messageID string) bool { return c.From < messageID && messageID <= c.UpTo }

// Seen is the message up to which the user has read, "" if none since they joined.
func (c ReadCursor) Seen() string {
	if c.UpTo == c.From {
		return ""
	}
	return c.UpTo
}

// Place is a message of a room, with the user's membership and read cursor.
type Place struct {
	Room     Room
	Member   bool   // the room exists and the user is a member
	ReadUpTo string // message id; "": nothing
	Message  Message
	Found    bool // the message exists; it may have been deleted
}

// PlaceStore reads places.
type PlaceStore interface {
	// Place reads a message of a room, and the user's membership and read cursor,
	// strongly.
	Place(ctx context.Context, roomID, userID, messageID string) (Place, error)
}

// ReadingStore stores read cursors.
type ReadingStore interface {
	PlaceStore
	// AdvanceReadCursor moves a user's read cursor forward, never back.
	AdvanceReadCursor(ctx context.Context, roomID, userID, upTo string, at int64) error
}

// Readers keeps the read cursors of users.
type Readers struct {
	store ReadingStore
	now   func() time.Time
}

// NewReaders returns Readers on a store and a clock.
func NewReaders(store ReadingStore, now func() time.Time) *Readers {
	return &Readers{store: store, now: now}
}

// Read moves a user's read cursor in a room forward to a message of this room. A
// cursor that is there already, or further, stays.
//
// Errors: CodeInvalidRequest, also for a message that is not in the room,
// CodeNotAMember.
func (s *Readers) Read(ctx context.Context, userID, roomID, upTo string) error {
	place, err := lookup(ctx, s.store, userID, roomID, upTo)
	if err != nil {
		return err
	}
	if !place.Found {
		return Errorf(CodeInvalidRequest, "invalid upTo: want a message of this room, got %s", upTo)
	}
	if upTo <= place.ReadUpTo {
		return nil
	}
	if err := s.store.AdvanceReadCursor(ctx, roomID, userID, upTo, s.now().UnixMilli()); err != nil {
		return fmt.Errorf("advance the read cursor: %w", err)
	}
	return nil
}

// lookup reads a message for a member of its room.
func lookup(ctx context.Context, store PlaceStore, userID, roomID, messageID string) (Place, error) {
	if err := ValidateRoomID(roomID); err != nil {
		return Place{}, err
	}
	if _, err := MessageTime(messageID); err != nil {
		return Place{}, err
	}
	place, err := store.Place(ctx, roomID, userID, messageID)
	if err != nil {
		return Place{}, fmt.Errorf("look up message %s: %w", messageID, err)
	}
	if !place.Member {
		return Place{}, errNotAMember(roomID)
	}
	return place, nil
}
