package chat

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Place is a message of a room, with the user's membership and read cursor.
type Place struct {
	Room    Room
	Member  bool // the room exists and the user is a member
	Self    Member
	Cursor  ReadCursor
	Message Message
	Found   bool // the message exists; it may have been deleted
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
	// StoredBetween reads strongly the ids of the messages after an id, up to and
	// including another, newest first: at most MaxKnown, and fewer where more would
	// cost too much, but at least one if there is any. all is false if it left out
	// older ones.
	StoredBetween(ctx context.Context, roomID, after, upTo string) (messageIDs []string, all bool, err error)
	// AdvanceReadCursor moves a user's read cursor forward, never back, with its Since
	// and Known; false if it is there already, or further. From stays.
	AdvanceReadCursor(ctx context.Context, roomID, userID string, to ReadCursor, at int64) (moved bool, err error)
	// ReviseReadCursor replaces Since and Known of a user's read cursor; false if the
	// cursor is not as it was.
	ReviseReadCursor(ctx context.Context, roomID, userID string, was, now ReadCursor, at int64) (revised bool, err error)
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

// Read notes that a user has read a room up to a message of this room: all messages
// that are stored by now. The cursor only moves forward. One that is there already, or
// further, stays, and what was stored behind it since is read, up to the message.
//
// Errors: CodeInvalidRequest, also for a message that is not in the room,
// CodeNotAMember.
func (s *Readers) Read(ctx context.Context, userID, roomID, upTo string) error {
	for range changeAttempts {
		place, err := lookup(ctx, s.store, userID, roomID, upTo)
		if err != nil {
			return err
		}
		if !place.Found {
			return Errorf(CodeInvalidRequest, "invalid upTo: want a message of this room, got %s", upTo)
		}
		noted := s.advance
		if upTo <= place.Cursor.UpTo {
			noted = s.revise
		}
		if done, err := noted(ctx, userID, place, upTo); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("read room %s: gave up after %d concurrent changes", roomID, changeAttempts)
}

// advance moves a cursor forward; false if it is no longer behind.
func (s *Readers) advance(ctx context.Context, userID string, place Place, upTo string) (bool, error) {
	roomID, now := place.Room.ID, s.now()
	next := ReadCursor{UpTo: upTo}
	// What is older than this is stored by now, if it ever is.
	if since := firstMessageID(now.Add(-StoreWithin)); since < upTo {
		stored, all, err := s.store.StoredBetween(ctx, roomID, since, upTo)
		if err != nil {
			return false, fmt.Errorf("read what is stored: %w", err)
		}
		next.Since = since
		next.limit(stored, all)
		next.know(stored)
	}
	moved, err := s.store.AdvanceReadCursor(ctx, roomID, userID, next, now.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("advance the read cursor: %w", err)
	}
	return moved, nil
}

// revise makes known to a cursor what was stored behind it, up to a message; false if
// the cursor has changed.
func (s *Readers) revise(ctx context.Context, userID string, place Place, upTo string) (bool, error) {
	was, next := place.Cursor, place.Cursor
	if was.Settled() >= upTo {
		return true, nil
	}
	stored, all, err := s.store.StoredBetween(ctx, place.Room.ID, was.Settled(), upTo)
	if err != nil {
		return false, fmt.Errorf("read what is stored: %w", err)
	}
	if !slices.ContainsFunc(stored, was.IsUnread) {
		return true, nil
	}
	if upTo == was.UpTo {
		next.Known = "" // none but those that are stored
		next.limit(stored, all)
	}
	next.know(stored)
	if len(next.Known) > 2*MaxKnown*endOfID {
		return true, nil // they stay unread until the user has read up to the cursor
	}
	revised, err := s.store.ReviseReadCursor(ctx, place.Room.ID, userID, was, next, s.now().UnixMilli())
	if err != nil {
		return false, fmt.Errorf("revise the read cursor: %w", err)
	}
	return revised, nil
}

// lookup reads a message for a member of its room, or a service.
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
	if IsService(userID) {
		place.Self = Member{UserID: userID, Role: Service}
	} else if !place.Member {
		return Place{}, errNotAMember(roomID)
	}
	return place, nil
}
