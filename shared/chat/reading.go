package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// maxMarked is in how many messages one call notes that they have been read.
	maxMarked = 100

	// marksInFlight bounds the writes of one call at a time.
	marksInFlight = 16
)

// Place is a message as a user finds it, and the user's standing in its room.
type Place struct {
	Room     Room
	Member   bool // the room is there and the user a member of it
	ReadUpTo string
	Message  Message
	Found    bool // the message is there
}

// PlaceStore reads places.
type PlaceStore interface {
	// Place reads a message of a room and the user's standing there, strongly.
	Place(ctx context.Context, roomID, userID, messageID string) (Place, error)
}

// ReadingStore is what reading needs of the table.
type ReadingStore interface {
	PlaceStore
	// Unread reads the newest messages after one, up to and with another, newest
	// first, at most limit: their ids, senders and readers, and whether they were
	// deleted.
	Unread(ctx context.Context, roomID, after, upTo string, limit int) ([]Message, error)
	// AddReader notes in a message that a user has read it. A deleted message
	// stays as it is.
	AddReader(ctx context.Context, roomID, messageID, userID string) error
	// AdvanceReadCursor moves a user's read cursor forward, never back.
	AdvanceReadCursor(ctx context.Context, roomID, userID, upTo string, at int64) error
}

// Readers keeps how far users have read.
type Readers struct {
	store ReadingStore
	now   func() time.Time
}

// NewReaders returns Readers on a store and a clock.
func NewReaders(store ReadingStore, now func() time.Time) *Readers {
	return &Readers{store: store, now: now}
}

// Read notes that a user has read a room up to a message, which must be one of
// it. The cursor only moves forward. In a small room the newest messages that it
// passes, at most 100, say that the user has read them.
func (s *Readers) Read(ctx context.Context, userID, roomID, upTo string) error {
	place, err := look(ctx, s.store, userID, roomID, upTo)
	if err != nil {
		return err
	}
	if !place.Found {
		return Errorf(CodeInvalidRequest, "upTo must be a message of this room")
	}
	if upTo <= place.ReadUpTo {
		return nil
	}
	// The messages first: a call that is cut short and repeated does it again.
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
		return fmt.Errorf("read what was unread: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(marksInFlight)
	for _, m := range unread {
		// Where members come and go, more have read a message than are in the
		// room: its item must not grow until nobody's read can be noted.
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

// look reads a message for one of its room's members.
func look(ctx context.Context, store PlaceStore, userID, roomID, messageID string) (Place, error) {
	if err := ValidateRoomID(roomID); err != nil {
		return Place{}, err
	}
	if _, err := MessageTime(messageID); err != nil {
		return Place{}, err
	}
	place, err := store.Place(ctx, roomID, userID, messageID)
	if err != nil {
		return Place{}, fmt.Errorf("look at a message: %w", err)
	}
	if !place.Member {
		return Place{}, errNotAMember(roomID)
	}
	return place, nil
}
