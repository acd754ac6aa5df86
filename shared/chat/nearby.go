package chat

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/geo"
)

// Bounds of a search by place.
const (
	MinRadius     = 100    // metres
	MaxRadius     = 50_000 // metres
	DefaultRadius = 5_000  // metres

	// nearbyUnits is how many read units a search spends, before it answers with what it
	// has: some 2,500 places.
	nearbyUnits = 64
	// nearbyPage is how many places one query reads at most.
	nearbyPage = 250
)

// PlaceRange is a part of the index of places to read: of its first cell, if After is
// not "", what follows that room.
type PlaceRange struct {
	geo.Range
	After    string // room id
	Backward bool
}

// PlacePage is what was read of a PlaceRange: More says that there is more, behind the
// last of Places, whose cell is Leaf.
type PlacePage struct {
	Places []Nearby
	More   bool
	Leaf   string
	Units  float64 // read units
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

func (n Nearby) compare(other Nearby) int {
	return cmp.Or(cmp.Compare(n.Distance, other.Distance), cmp.Compare(n.RoomID, other.RoomID))
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

// nearbyCursor is the last room of a page, and the search.
type nearbyCursor struct {
	Centre   geo.Point
	Radius   float64
	Distance float64
	RoomID   string
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
	n := &search{index: s.store, q: q, now: s.now().UnixMilli(), last: Nearby{Distance: -1}, found: map[string]Nearby{}}
	if q.Cursor != "" {
		c, err := decodeNearby(q)
		if err != nil {
			return Found{}, err
		}
		n.last = Nearby{RoomID: c.RoomID, Distance: c.Distance}
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
	if err != nil || c.Centre != q.Centre || c.Radius != q.Radius || c.Distance < 0 || ValidateRoomID(c.RoomID) != nil {
		return c, Errorf(CodeInvalidRequest, "invalid cursor: want one from an earlier page of this search; leave it out to start at the beginning")
	}
	return c, nil
}

// search reads the index until no unread range can have a nearer room than those that it
// answers. The first rooms along the curve, from the centre in both directions, bound
// the distance; cells cover the ring between the last page and there.
type search struct {
	index  PlaceIndex
	q      Search
	now    int64  // ms
	last   Nearby // of the page before
	found  map[string]Nearby
	unread []PlaceRange
	units  float64
}

func (n *search) run(ctx context.Context) error {
	if n.last.Distance < 0 {
		before, after := geo.Around(n.q.Centre)
		probes := []PlaceRange{{Range: before, Backward: true}, {Range: after}}
		if err := n.read(ctx, probes, n.q.Limit+1); err != nil {
			return err
		}
		n.unread = nil // the cells have it
	}
	for _, r := range geo.Cover(n.q.Centre, n.last.Distance, n.bound()) {
		n.unread = append(n.unread, PlaceRange{Range: r})
	}
	first := n.unread
	n.unread = nil
	for next := first; len(next) > 0; {
		if err := n.read(ctx, next, nearbyPage); err != nil {
			return err
		}
		if n.units >= nearbyUnits {
			break
		}
		if next = n.nearest(); len(next) == 0 {
			break
		}
	}
	bound := n.bound()
	n.unread = slices.DeleteFunc(n.unread, func(r PlaceRange) bool { return r.Near > bound })
	return nil
}

// nearest takes the unread range that may have the nearest room, if it is within bounds.
func (n *search) nearest() []PlaceRange {
	if len(n.unread) == 0 {
		return nil
	}
	slices.SortFunc(n.unread, func(a, b PlaceRange) int { return cmp.Compare(a.Near, b.Near) })
	if n.unread[0].Near > n.bound() {
		return nil
	}
	next := n.unread[:1:1]
	n.unread = n.unread[1:]
	return next
}

// read reads ranges at once, and splits what is left of them.
func (n *search) read(ctx context.Context, ranges []PlaceRange, limit int) error {
	pages := make([]PlacePage, len(ranges))
	group, ctx := errgroup.WithContext(ctx)
	for i, r := range ranges {
		group.Go(func() (err error) {
			pages[i], err = n.index.PlacesIn(ctx, r, limit)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, page := range pages {
		n.units += page.Units
		for _, p := range page.Places {
			p.Distance = geo.Distance(n.q.Centre, p.Location.Point)
			if !p.Location.HasEnded(n.now) && p.Distance <= n.q.Radius && p.compare(n.last) > 0 {
				n.found[p.RoomID] = p
			}
		}
		if !page.More || ranges[i].Backward {
			continue
		}
		same, behind, err := ranges[i].Rest(n.q.Centre, page.Leaf)
		if err != nil {
			return err
		}
		n.unread = append(n.unread, PlaceRange{Range: same, After: page.Places[len(page.Places)-1].RoomID})
		for _, r := range behind {
			n.unread = append(n.unread, PlaceRange{Range: r})
		}
	}
	return nil
}

// sorted are the rooms that were found, nearest first.
func (n *search) sorted() []Nearby {
	rooms := make([]Nearby, 0, len(n.found))
	for _, p := range n.found {
		rooms = append(rooms, p)
	}
	slices.SortFunc(rooms, Nearby.compare)
	return rooms
}

// bound is the distance of the last room that the page can have, and one more, which
// says that there is another page.
func (n *search) bound() float64 {
	if rooms := n.sorted(); len(rooms) > n.q.Limit {
		return rooms[n.q.Limit].Distance
	}
	return n.q.Radius
}

// answer gives what is nearer than all that was not read.
func (n *search) answer() (Found, error) {
	rooms, limited := n.sorted(), len(n.unread) > 0
	if limited {
		ranges := make([]geo.Range, len(n.unread))
		for i, r := range n.unread {
			ranges[i] = r.Range
		}
		reach := geo.Reach(ranges)
		rooms = slices.DeleteFunc(rooms, func(p Nearby) bool { return p.Distance > reach })
	}
	if len(rooms) <= n.q.Limit && !limited {
		return Found{Rooms: rooms}, nil
	}
	if len(rooms) == 0 {
		return Found{Limited: true}, nil
	}
	rooms = rooms[:min(len(rooms), n.q.Limit)]
	last := rooms[len(rooms)-1]
	text, err := json.Marshal(nearbyCursor{n.q.Centre, n.q.Radius, last.Distance, last.RoomID})
	return Found{Rooms: rooms, Cursor: base64.RawURLEncoding.EncodeToString(text)}, err
}
