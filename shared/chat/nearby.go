package chat

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/streamroom/streamroom/shared/geo"
)

// Bounds of a search by place.
const (
	MinRadius     = 100    // metres
	MaxRadius     = 50_000 // metres
	DefaultRadius = 5_000  // metres
)

// PlaceRange is a part of the index of places to read: of its first cell, if After is
// not "", what follows that room.
type PlaceRange struct {
	geo.Range
	After    string // room id
	Backward bool
}

// PlacePage is what was read of a PlaceRange: More says that there is more, behind the
// room After, whose cell is Leaf.
type PlacePage struct {
	Places      []Nearby
	More        bool
	Leaf, After string
	Units       float64 // read units
}

// PlaceIndex finds places by their cells. What it has may be a moment old.
type PlaceIndex interface {
	PlacesIn(ctx context.Context, r PlaceRange, limit int) (PlacePage, error)
}

// Nearby is a room at a distance from the centre of a search.
type Nearby struct {
	RoomID   string
	Name     string
	Location Location
	Distance float64 // metres
}

// Search describes a search.
type Search struct {
	Centre geo.Point
	Radius float64 // metres
	Cursor string
	Limit  int
}

// Found is one page of a search, nearest first. Limited says that there are more rooms
// which it does not reach.
type Found struct {
	Rooms   []Nearby
	Cursor  string // "": the last page
	Limited bool
}

// nearbyCursor is where a page ended: with a cell, or behind a room of it, or at a
// distance alone.
type nearbyCursor struct {
	Centre   geo.Point
	Radius   float64
	Distance float64
	Leaf     string
	RoomID   string  // "": the cell has no more
	Spread   float64 // by how much the square of the distance grows from room to room
}

// Nearby returns the public rooms with a place around a point, nearest first.
//
// Errors: CodeInvalidRequest.
func (s *Rooms) Nearby(ctx context.Context, q Search) (Found, error) {
	if err := checkPoint(q.Centre); err != nil {
		return Found{}, err
	}
	if !(q.Radius >= MinRadius && q.Radius <= MaxRadius) { // which NaN is not
		return Found{}, Errorf(CodeInvalidRequest, "invalid radius: want metres from %d to %d, got %v", MinRadius, MaxRadius, q.Radius)
	}
	n := &search{index: s.store, q: q, now: s.now().UnixMilli(), last: nearbyCursor{Distance: -1}}
	if q.Cursor != "" {
		c, err := decodeNearby(q)
		if err != nil {
			return Found{}, err
		}
		n.last = c
	}
	if err := n.run(ctx); err != nil {
		return Found{}, fmt.Errorf("search by place: %w", err)
	}
	return n.answer()
}

func decodeNearby(q Search) (c nearbyCursor, err error) {
	text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err == nil && c.Leaf != "" {
		_, err = geo.Only(c.Leaf)
	}
	if err == nil && c.RoomID != "" {
		err = ValidateRoomID(c.RoomID)
	}
	if err != nil || c.Centre != q.Centre || c.Radius != q.Radius || c.Distance < 0 || c.Spread < 0 || c.Leaf == "" && c.RoomID != "" {
		return c, Errorf(CodeInvalidRequest, "invalid cursor: want one from an earlier page of this search; leave it out to start at the beginning")
	}
	return c, nil
}
