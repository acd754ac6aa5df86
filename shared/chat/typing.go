package chat

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// What it costs that a user types is bounded by the room's size and by time.
const (
	// TypingRoom is the largest number of members with which a room is told who types.
	TypingRoom = SmallRoom
	// TypingEvery is how often it is noted at most that a user types in a room.
	TypingEvery = 3 * time.Second
	// TypingLife is how old a note may be that is told.
	TypingLife = 5 * time.Second
	// TypingMemory is after what time a note is deleted.
	TypingMemory = time.Minute
)

// largeRoomFor is how long a Typists remembers that a room is too large.
const largeRoomFor = time.Minute

// TypingStore keeps who types.
type TypingStore interface {
	AdmissionStore
	// RoomOf returns how many members a user's room has, and the user's membership; false
	// if they are not a member. It may be a moment old, except that one is not a member, which is
	// sure.
	RoomOf(ctx context.Context, roomID, userID string) (members int, self Member, ok bool, err error)
	// PutTyping notes for TypingMemory that a user types in a room at a time, in ms; false
	// if that is noted for less than TypingEvery before.
	PutTyping(ctx context.Context, roomID, userID string, at int64) (noted bool, err error)
}

// Typists notes who types. Others are told by the table's stream.
type Typists struct {
	store     TypingStore
	now       func() time.Time
	admission admission
	pace      pace                  // of users, on this instance
	ignored   pace                  // the same, of frames that don't count
	next      recent[typist, int64] // when the next frame counts, in ms
}

type typist struct{ connectionID, roomID string }

// NewTypists returns Typists on a store and a clock. Of the limits, Typing and Ignoring count here.
func NewTypists(store TypingStore, limits Limits, now func() time.Time) *Typists {
	return &Typists{store: store, now: now, admission: admission{store: store, now: now}, pace: pace{limit: limits[Typing]}, ignored: pace{limit: limits[Ignoring]}}
}

// Type notes that the user of a connection types in a room, at most once in TypingEvery.
// In a room of more than TypingRoom members it does nothing.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeMuted, CodeRateLimited, CodeReconnect,
// CodeReplaced, CodeTokenExpired.
func (t *Typists) Type(ctx context.Context, connectionID, roomID string) error {
	if err := ValidateRoomID(roomID); err != nil {
		return err
	}
	now := t.now()
	key := typist{connectionID, roomID}
	userID, warm := t.admission.users.get(connectionID)
	if next, known := t.next.get(key); known && now.UnixMilli() < next {
		return t.ignored.take(cmp.Or(userID, connectionID), now, Ignoring)
	}
	if warm { // what is too much should read nothing
		if err := t.pace.take(userID, now, Typing); err != nil {
			return err
		}
	}
	userID, err := t.admission.user(ctx, connectionID)
	if err != nil {
		return err
	}
	if !warm {
		if err := t.pace.take(userID, now, Typing); err != nil {
			return err
		}
	}
	members, self, ok, err := t.store.RoomOf(ctx, roomID, userID)
	switch {
	case err != nil:
		return fmt.Errorf("look up room %s: %w", roomID, err)
	case !ok:
		return errNotAMember(roomID)
	case members > TypingRoom:
		t.next.put(key, now.Add(largeRoomFor).UnixMilli())
		return nil
	}
	if err := may(ToType, "", self, now.UnixMilli()); err != nil {
		return err
	}
	if _, err := t.store.PutTyping(ctx, roomID, userID, now.UnixMilli()); err != nil {
		return fmt.Errorf("note who types in room %s: %w", roomID, err)
	}
	t.next.put(key, now.Add(TypingEvery).UnixMilli())
	return nil
}
