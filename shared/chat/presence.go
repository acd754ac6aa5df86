package chat

import (
	"context"
	"fmt"
	"time"
)

// What it costs that users come and go is bounded by their rooms, the rooms' sizes, and
// time.
const (
	// PresenceRoom is the largest number of members with which a room is told who is
	// online.
	PresenceRoom = SmallRoom
	// PresenceRooms is how many of a user's newest rooms are told.
	PresenceRooms = 20
	// ReturnWithin is how soon the next connection of a user has to follow one that
	// announced it, so that no one is notified of either.
	ReturnWithin = time.Minute
	// MaxPresence is how many members of a room are looked up together.
	MaxPresence = 100
)

// Returning is the status by which a client closes a connection that it replaces by
// another one at once.
const Returning = 4000

// Sighting is whether a user is online, and when they were last. Users who hide it have
// none.
type Sighting struct {
	Online     bool
	LastSeenAt int64 // ms; 0: not known, or online
}

// Seen is what others were last told about a user.
type Seen struct {
	Online     bool
	At         int64 // ms, which rises with each change
	LastSeenAt int64 // ms; 0: the user hides it
}

// PresenceStore keeps whether users are online.
type PresenceStore interface {
	// Sightings reads up to 100 users by their ids, eventually. Those who hide it, or were
	// never online, are left out.
	Sightings(ctx context.Context, userIDs []string) (map[string]Sighting, error)
	// HidesPresence reads whether a user hides it, strongly.
	HidesPresence(ctx context.Context, userID string) (bool, error)
	// HidePresence has a user hide it or show it, as of a time in ms.
	HidePresence(ctx context.Context, userID string, hidden bool, at int64) error
}

// Presences says who is online.
type Presences struct {
	store PresenceStore
	rooms *Rooms
	now   func() time.Time
}

// NewPresences returns Presences of the members of rooms.
func NewPresences(store PresenceStore, rooms *Rooms, now func() time.Time) *Presences {
	return &Presences{store: store, rooms: rooms, now: now}
}

// RoomPresence is who is online in a room.
type RoomPresence struct {
	Users  []string // of the members that were looked up, those who are online, by id
	Online int
	Seen   map[string]Sighting
	More   bool // whether there are members who were not looked up
}

// In returns who of the first MaxPresence members of a room, by id, is online, to a
// member.
//
// Errors: CodeInvalidRequest, CodeNotAMember.
func (p *Presences) In(ctx context.Context, userID, roomID string) (RoomPresence, error) {
	if _, _, err := p.rooms.authorize(ctx, roomID, userID); err != nil {
		return RoomPresence{}, err
	}
	members, more, err := p.rooms.store.Members(ctx, roomID, "", MaxPresence)
	if err != nil {
		return RoomPresence{}, fmt.Errorf("read members: %w", err)
	}
	seen, err := p.Of(ctx, userIDsOf(members))
	if err != nil {
		return RoomPresence{}, err
	}
	in := RoomPresence{Seen: seen, More: more}
	for _, m := range members {
		if _, known := seen[m.UserID]; known {
			in.Users = append(in.Users, m.UserID)
		}
		if seen[m.UserID].Online {
			in.Online++
		}
	}
	return in, nil
}

func userIDsOf(members []Member) []string {
	users := make([]string, len(members))
	for i, m := range members {
		users[i] = m.UserID
	}
	return users
}

// Of returns who of up to MaxPresence users is online, or was.
func (p *Presences) Of(ctx context.Context, userIDs []string) (map[string]Sighting, error) {
	if p == nil || len(userIDs) == 0 {
		return nil, nil
	}
	seen, err := p.store.Sightings(ctx, userIDs)
	if err != nil {
		return nil, fmt.Errorf("read who is online: %w", err)
	}
	return seen, nil
}

// Hidden reports whether a user hides whether they are online.
func (p *Presences) Hidden(ctx context.Context, userID string) (bool, error) {
	if p == nil {
		return false, nil
	}
	hidden, err := p.store.HidesPresence(ctx, userID)
	if err != nil {
		return false, fmt.Errorf("read whether the user hides their presence: %w", err)
	}
	return hidden, nil
}

// Hide has a user hide whether they are online, or show it.
func (p *Presences) Hide(ctx context.Context, userID string, hidden bool) error {
	if err := p.store.HidePresence(ctx, userID, hidden, p.now().UnixMilli()); err != nil {
		return fmt.Errorf("hide or show the user's presence: %w", err)
	}
	return nil
}
