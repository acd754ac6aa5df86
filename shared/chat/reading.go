package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// maxMarked bounds the messages in which one call stores the reader.
	maxMarked = 100

	// marksInFlight bounds the writes of one call at a time.
	marksInFlight = 16
)

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

// ReadingStore stores read cursors and readers.
type ReadingStore interface {
	PlaceStore
	// Unread reads the newest messages after one ("" is the beginning), up to and
	// including a later one, newest first, at most limit: their ids, senders,
	// readers and times of deletion.
	Unread(ctx context.Context, roomID, after, upTo string, limit int) ([]Message, error)
	// AddReader adds a user to the readers of a message. A message that was
	// deleted, or does not exist, stays as it is.
	AddReader(ctx context.Context, roomID, messageID, userID string) error
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
// cursor that is there already, or further, stays. In a small room the user is
// added to the readers of the newest messages that the cursor passes, at most
// maxMarked.
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
	// The messages first: a call that fails here and is repeated marks them again.
	if place.Room.MemberCount <= SmallRoom {
		if err := s.mark(ctx, userID, roomID, place.ReadUpTo, upTo); err != nil {
			return err
		}
	}
	if err := s.store.AdvanceReadCursor(ctx, roomID, userID, upTo, s.now().UnixMilli()); err != nil {
		return fmt.Errorf("advance the read cursor: %w", err)
	}
	return nil
}

func (s *Readers) mark(ctx context.Context, userID, roomID, after, upTo string) error {
	unread, err := s.store.Unread(ctx, roomID, after, upTo, maxMarked)
	if err != nil {
		return fmt.Errorf("read unread messages: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(marksInFlight)
	for _, m := range unread {
		// Where members come and go, a message may have more readers than the room
		// has members. The bound keeps its item under DynamoDB's 400 KB.
		if m.DeletedAt != 0 || len(m.ReadBy) >= CountedReaders || slices.Contains(m.ReadBy, userID) {
			continue
		}
		group.Go(func() error {
			if err := s.store.AddReader(ctx, roomID, m.ID, userID); err != nil {
				return fmt.Errorf("add a reader: %w", err)
			}
			return nil
		})
	}
	return group.Wait()
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
