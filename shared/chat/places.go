package chat

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/streamroom/streamroom/shared/geo"
)

// maxTime is the latest time of a place, ms: the end of the year 9999.
const maxTime = 253_402_300_799_999

// Location is where a public room meets, and when.
type Location struct {
	Point    geo.Point
	Address  string // "": none
	StartsAt int64  // ms; 0: no time
	EndsAt   int64  // ms, after which it is no place any more; 0: never
}

// HasEnded reports whether a location is over at a time in ms.
func (l Location) HasEnded(now int64) bool { return l.EndsAt != 0 && l.EndsAt <= now }

// check checks a location that is set at a time in ms.
func (l Location) check(now int64) error {
	if err := checkPoint(l.Point); err != nil {
		return err
	}
	if l.Address != "" {
		if !utf8.ValidString(l.Address) {
			return Errorf(CodeInvalidRequest, "invalid address: want valid UTF-8")
		}
		if err := checkName("address", l.Address, MaxAddress); err != nil {
			return err
		}
	}
	for name, at := range map[string]int64{"startsAt": l.StartsAt, "endsAt": l.EndsAt} {
		if at < 0 || at > maxTime {
			return Errorf(CodeInvalidRequest, "invalid %s: want milliseconds since 1970 up to %d, got %d", name, maxTime, at)
		}
	}
	switch {
	case l.EndsAt == 0:
		return nil
	case l.EndsAt <= l.StartsAt:
		return Errorf(CodeInvalidRequest, "invalid endsAt: want a time after startsAt, %d, got %d; set a later one or leave it out", l.StartsAt, l.EndsAt)
	case l.EndsAt <= now:
		return Errorf(CodeInvalidRequest, "invalid endsAt: want a time that is not over, got %d at %d; set a later one or leave it out", l.EndsAt, now)
	}
	return nil
}

func checkPoint(p geo.Point) error {
	if (geo.Point{Lat: p.Lat}).IsValid() {
		if p.IsValid() {
			return nil
		}
		return Errorf(CodeInvalidRequest, "invalid lon: want degrees from -180 to 180, got %v", p.Lon)
	}
	return Errorf(CodeInvalidRequest, "invalid lat: want degrees from -90 to 90, got %v", p.Lat)
}

// Share makes a group public, or private again, on behalf of an owner, and returns the
// room. A room that becomes private loses its place.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a direct message
// or a member who is not an owner.
func (s *Rooms) Share(ctx context.Context, by, roomID string, public bool) (Room, error) {
	room, err := s.change(ctx, by, roomID, ToShare, func(r *Room) (store, error) {
		if r.Public == public {
			return nil, nil
		}
		r.Public, r.RenamedAt = public, s.after(r.RenamedAt)
		return s.store.ShareRoom, nil
	})
	if !room.Public {
		room.PlacedAt = 0
	}
	return room, err
}

// Join makes a user a member of a public room, and returns the room; false if they are
// one already.
//
// Errors: CodeInvalidRequest, CodeNotAMember for a room that is not public or does not
// exist, CodeBanned.
func (s *Rooms) Join(ctx context.Context, userID, roomID string) (room Room, joined bool, err error) {
	if err := ValidateRoomID(roomID); err != nil {
		return Room{}, false, err
	}
	room, found, err := s.store.Room(ctx, roomID)
	if err != nil {
		return Room{}, false, fmt.Errorf("read the room to join: %w", err)
	}
	if found && room.Public {
		joined, err = s.store.JoinRoom(ctx, room, Member{UserID: userID, Role: PlainMember, JoinedAt: s.now().UnixMilli()})
		if err != nil {
			return Room{}, false, fmt.Errorf("join room: %w", err)
		}
		if joined {
			room.MemberCount++
		}
		return room, joined, nil
	}
	if _, _, err := s.authorize(ctx, roomID, userID); err != nil {
		return Room{}, false, err
	}
	return room, false, nil
}

// describe returns a public room as a stranger sees it.
func (s *Rooms) describe(ctx context.Context, roomID string) (RoomView, error) {
	room, found, err := s.store.Room(ctx, roomID)
	if err != nil {
		return RoomView{}, fmt.Errorf("read a public room: %w", err)
	}
	if !found || !room.Public {
		return RoomView{}, errNotAMember(roomID)
	}
	place, err := s.placeOf(ctx, room)
	return RoomView{Room: room, Place: place}, err
}

// placeOf returns a room's place, nil if it has none.
func (s *Rooms) placeOf(ctx context.Context, r Room) (*Location, error) {
	if r.PlacedAt == 0 {
		return nil, nil
	}
	at, found, err := s.store.RoomPlace(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("read the place of a room: %w", err)
	}
	if !found || at.HasEnded(s.now().UnixMilli()) {
		return nil, nil
	}
	return &at, nil
}

// Place gives a public room a place on behalf of an owner or a moderator, instead of the one that it
// has, and returns the place as it is stored.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a room that is not
// public or a member without the right.
func (s *Rooms) Place(ctx context.Context, by, roomID string, at Location) (Location, error) {
	if err := at.check(s.now().UnixMilli()); err != nil {
		return Location{}, err
	}
	at.Point = at.Point.Round()
	_, err := s.change(ctx, by, roomID, ToPlace, func(r *Room) (store, error) {
		if !r.Public {
			return nil, Errorf(CodeForbidden, `a private room has no place; make it public first, with {"visibility":"public"}`)
		}
		r.PlacedAt, r.RenamedAt = s.after(r.PlacedAt), s.after(r.RenamedAt)
		return func(ctx context.Context, r Room) (bool, error) { return s.store.PlaceRoom(ctx, r, at) }, nil
	})
	return at, err
}

// Unplace removes the place of a room on behalf of an owner or a moderator. It is no
// error if there is none.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a member without the
// right.
func (s *Rooms) Unplace(ctx context.Context, by, roomID string) error {
	_, err := s.change(ctx, by, roomID, ToPlace, func(r *Room) (store, error) {
		if r.PlacedAt == 0 {
			return nil, nil
		}
		r.RenamedAt = s.after(r.RenamedAt)
		return s.store.UnplaceRoom, nil
	})
	return err
}
