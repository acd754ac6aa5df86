package chat

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/geo"
)

const (
	// nearbyQueries is how many queries a page takes. Then it ends, short or even empty,
	// with a cursor. It goes on, nearbyMore queries at a time, only where it would end
	// where it began: where thousands are at one point.
	nearbyQueries = 12
	nearbyMore    = 4
	// nearbySpare is how many of them the ranges of a ring leave for what a query did not
	// reach, and for the last page's cell.
	nearbySpare = 2
	// nearbyUnits is how many read units a search spends, by the size of the places that
	// it has read, before it answers with what it has: some 2,500 places.
	nearbyUnits = 64
	// nearbyPage is how many places one query reads at most. A batch of queries is sized
	// by the places before it: if those are the smallest there are, and its own the
	// largest, of 0.18 units, it reads some 460 units: with nearbyUnits less than the 614
	// that a sync may read.
	nearbyPage = 320
	// placeUnits are the read units of one place, before any was read.
	placeUnits = 0.022
	// leastStep is by how much a search goes outward, at least, in metres.
	leastStep = 10
	// widening is how much larger a ring's area gets, if too few are in it.
	widening = 16
	// shrinking is how much smaller a ring's area gets, at least, to be begun again.
	shrinking = 8
)

// search reads the index ring by ring, outward, until it has a page. The first rooms
// along the curve, from the centre in both directions, bound the first ring; how far
// apart the rooms of a page were bounds that of the next. Of a ring that has far more
// than a page, what was read bounds a smaller one, which replaces it.
type search struct {
	index PlaceIndex
	q     Search
	now   int64        // ms
	last  nearbyCursor // of the page before; its distance is -1 for the first page

	found  map[string]candidate // by room id
	order  []candidate          // found, nearest first; nil: not since it changed
	inner  float64              // metres: what is nearer is found, or on the pages before
	outer  float64              // metres
	unread []PlaceRange         // of the ring between

	queries int
	units   float64
	places  int     // that were read
	shrunk  bool    // the next page begins where this one does, with a smaller ring
	ahead   float64 // metres, up to which the next page's first ring goes; 0: by how far apart rooms are
}

// candidate is a room that may be on the page.
type candidate struct {
	Nearby
	leaf  string // its cell
	order int    // among the rooms of its cell, as they were read
}

// compare is the order of an answer. What is in one cell is at one distance, and in the
// order of the index, in which it can be read on.
func (c candidate) compare(other candidate) int {
	return cmp.Or(cmp.Compare(c.Distance, other.Distance), cmp.Compare(c.leaf, other.leaf), cmp.Compare(c.order, other.order))
}

// at is a position in that order, before all of a cell.
func at(distance float64, leaf string) candidate {
	return candidate{Nearby{Distance: distance}, leaf, -1}
}

func (n *search) run(ctx context.Context) error {
	n.found = map[string]candidate{}
	n.inner = n.last.Distance
	if n.inner < 0 {
		if err := n.probe(ctx); err != nil {
			return err
		}
	} else if err := n.resume(ctx); err != nil || n.hasPage() || len(n.unread) > 0 {
		return err
	}
	for rings := 1; ; rings++ {
		n.outer = min(n.outer, n.q.Radius)
		ranges := n.cover()
		if rings > 1 && (n.isSpent() || !n.fits(ranges)) {
			n.ahead, n.outer = n.outer, n.inner
			return nil
		}
		if err := n.ring(ctx, ranges); err != nil {
			return err
		}
		if n.outer >= n.q.Radius || n.shrunk || len(n.unread) > 0 || len(n.upTo(n.reach())) > n.q.Limit/2 {
			return nil // a page may be short
		}
		n.inner = n.outer
		if rings == 1 {
			n.outer = math.Sqrt(square(n.outer) + (widening-1)*(square(n.outer)-square(max(n.last.Distance, 0))))
		} else {
			n.outer = n.q.Radius
		}
	}
}

// isSpent reports whether the page has asked for all that it may.
func (n *search) isSpent() bool { return n.queries >= nearbyQueries || n.units >= nearbyUnits }

// fits reports whether a page may still read all of some ranges.
func (n *search) fits(ranges []PlaceRange) bool { return n.queries+len(ranges) <= nearbyQueries }

// hasMoved reports whether the page, as it is, ends behind the one before.
func (n *search) hasMoved() bool {
	reach := n.reach()
	return reach.Distance >= n.last.Distance+leastStep || len(n.upTo(reach)) > 0
}

func (n *search) hasPage() bool { return len(n.upTo(n.reach())) > n.q.Limit }

// resume reads what is left of the last page's cell, and chooses the first ring.
func (n *search) resume(ctx context.Context) error {
	n.outer = max(n.inner+leastStep, math.Sqrt(square(n.inner)+n.last.Spread*n.ringRooms()))
	if n.last.RoomID == "" {
		return nil
	}
	leaf, err := geo.Only(n.last.Leaf)
	if err != nil {
		return err
	}
	err = n.read(ctx, []PlaceRange{{Range: leaf, After: n.last.RoomID}}, n.q.Limit+1)
	for err == nil && len(n.unread) > 0 && !n.hasPage() && !n.isSpent() { // places that ended are on no page
		next := n.unread
		n.unread = nil
		err = n.read(ctx, next, nearbyPage)
	}
	return err
}

// ringRooms is for how many rooms the first ring of a page behind the first is made.
func (n *search) ringRooms() float64 { return float64(n.q.Limit + n.q.Limit/2 + 2) }

func square(x float64) float64 { return x * x }

// probe reads to both sides of the centre.
func (n *search) probe(ctx context.Context) error {
	before, after := geo.Around(n.q.Centre)
	if err := n.read(ctx, []PlaceRange{{Range: before, Backward: true}, {Range: after}}, n.q.Limit+1); err != nil {
		return err
	}
	n.outer = min(n.bound(), n.q.Radius)
	clear(n.found) // the first ring has it
	n.order, n.unread = nil, nil
	return nil
}

// ring reads what is from the inner to the outer distance, by ranges that cover it. The
// outer distance is less afterwards if so much is not needed.
func (n *search) ring(ctx context.Context, next []PlaceRange) error {
	for len(next) > 0 {
		next, n.unread = n.nearest(next)
		if err := n.read(ctx, next, n.share(len(next))); err != nil {
			return err
		}
		n.drop()
		if next = n.unread; len(next) == 0 || n.units >= nearbyUnits || n.isSpent() && n.hasMoved() {
			return nil
		}
		// A ring has the area that the squares of its distances say.
		from, bound := square(max(n.inner, 0)), n.bound()
		if square(bound)-from >= (square(n.outer)-from)/shrinking {
			continue
		}
		wide := n.outer > max(n.inner, 0)+leastStep
		asked := n.outer
		n.outer = bound
		smaller := n.cover()
		if n.fits(smaller) || !wide {
			for id, c := range n.found {
				if c.leaf != n.last.Leaf && n.isNew(c) {
					delete(n.found, id) // it is read again
				}
			}
			n.order, next = nil, smaller
			continue
		}
		if n.hasMoved() {
			n.outer = asked
			return nil
		}
		n.shrunk = true
		return nil
	}
	return nil
}

// nearest returns those of some ranges that the page reads next, and the others.
func (n *search) nearest(ranges []PlaceRange) (next, others []PlaceRange) {
	left := nearbyQueries - n.queries
	if left <= 0 {
		left = nearbyMore
	}
	if len(ranges) <= left {
		return ranges, nil
	}
	slices.SortStableFunc(ranges, func(a, b PlaceRange) int { return begin(a).compare(begin(b)) })
	return ranges[:left], slices.Clone(ranges[left:])
}

// cover returns the ranges of a ring, without the last page's cell.
func (n *search) cover() []PlaceRange {
	most := nearbyQueries - nearbySpare - n.queries
	if most <= 0 {
		most = geo.MaxRanges
	}
	var out []PlaceRange
	for _, r := range geo.Cover(n.q.Centre, n.inner, n.outer, most) {
		if n.last.Leaf < r.From || n.last.Leaf > r.To {
			out = append(out, PlaceRange{Range: r})
			continue
		}
		before, behind, err := r.Split(n.last.Leaf)
		for _, part := range []geo.Range{before, behind} {
			if err == nil && part.From != "" { // decodeNearby has checked the cell
				out = append(out, PlaceRange{Range: part})
			}
		}
	}
	return out
}

// share is how many places of each of some ranges are read.
func (n *search) share(ranges int) int {
	each := placeUnits
	if n.places > 0 {
		each = n.units / float64(n.places)
	}
	return max(1, min(nearbyPage, int((nearbyUnits-n.units)/each/float64(ranges))))
}

// read reads ranges at once, and notes what is left of them.
func (n *search) read(ctx context.Context, ranges []PlaceRange, limit int) error {
	n.queries += len(ranges)
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
	n.order = nil
	for i, r := range ranges {
		page := pages[i]
		n.units += page.Units
		first := ""
		for _, p := range page.Places {
			c := candidate{Nearby: p, order: n.places}
			c.Distance, c.leaf = geo.Away(n.q.Centre, p.Location.Point)
			n.places++
			first = cmp.Or(first, c.leaf)
			if !p.Location.HasEnded(n.now) && c.Distance <= n.q.Radius && n.isNew(c) {
				n.found[p.RoomID] = c
			}
		}
		if page.More && !r.Backward {
			if err := n.leave(r, page, first == page.Leaf); err != nil {
				return err
			}
		}
	}
	return nil
}

// isNew reports whether a room is neither on the pages before nor in the rings before. Of
// the last page's cell only what is behind it is read.
func (n *search) isNew(c candidate) bool {
	if n.inner > n.last.Distance {
		return c.Distance > n.inner
	}
	return c.leaf == n.last.Leaf || c.compare(at(n.last.Distance, n.last.Leaf)) > 0
}

// leave notes what is left of a range: of a cell that has more than one query reads, and
// of what is behind it.
func (n *search) leave(r PlaceRange, page PlacePage, crowded bool) error {
	rest := geo.Range{Parent: r.Parent, From: page.Leaf, To: r.To}
	if crowded {
		_, behind, err := rest.Split(page.Leaf)
		if err != nil {
			return err
		}
		leaf := rest
		leaf.To = page.Leaf
		if err := n.put(leaf, page); err != nil || behind.From == "" {
			return err
		}
		rest = behind
	}
	return n.put(rest, page)
}

// put notes what a ring has of a range that was not read.
func (n *search) put(r geo.Range, page PlacePage) error {
	part, ok, err := r.Within(n.q.Centre, n.inner, n.outer)
	if err != nil || !ok {
		return err
	}
	left := PlaceRange{Range: part}
	if left.From == page.Leaf {
		left.After = page.After
	}
	n.unread = append(n.unread, left)
	return nil
}

// drop forgets what was not read and is behind the page.
func (n *search) drop() {
	rooms := n.sorted()
	if len(rooms) > n.q.Limit {
		end := rooms[n.q.Limit]
		n.unread = slices.DeleteFunc(n.unread, func(r PlaceRange) bool { return begin(r).compare(end) > 0 })
	}
}

// begin is where what was not read begins: behind all that was read of its cell, if it
// is one cell.
func begin(r PlaceRange) candidate {
	if r.From == r.To {
		return candidate{Nearby{Distance: r.Near}, r.From, math.MaxInt}
	}
	return at(r.Near, "")
}

// reach is where the search has come: it has read all that is before.
func (n *search) reach() candidate {
	reach := at(n.outer, "g") // behind all cells
	for _, r := range n.unread {
		if b := begin(r); b.compare(reach) < 0 {
			reach = b
		}
	}
	return reach
}

// sorted are the rooms that were found, nearest first. They are sorted once for each time
// that something is read, since a page asks for them often.
func (n *search) sorted() []candidate {
	if n.order == nil {
		n.order = slices.SortedFunc(maps.Values(n.found), candidate.compare)
	}
	return n.order
}

func (n *search) upTo(reach candidate) []candidate {
	rooms := n.sorted()
	end, found := slices.BinarySearchFunc(rooms, reach, candidate.compare)
	if found {
		end++
	}
	return rooms[:end]
}

// bound is the distance of the last room that the page can have, and one more, which
// says that there is another page.
func (n *search) bound() float64 {
	if rooms := n.sorted(); len(rooms) > n.q.Limit {
		return rooms[n.q.Limit].Distance
	}
	return math.Inf(1)
}

// answer gives what is nearer than all that was not read.
func (n *search) answer() (found Found, err error) {
	if n.shrunk {
		return n.again()
	}
	reach := n.reach()
	rooms := n.upTo(reach)
	isLast := len(rooms) <= n.q.Limit && len(n.unread) == 0 && n.outer >= n.q.Radius
	behind := rooms[min(len(rooms), n.q.Limit):]
	rooms = rooms[:min(len(rooms), n.q.Limit)]
	for _, c := range rooms {
		found.Rooms = append(found.Rooms, c.Nearby)
	}
	if isLast {
		return found, nil
	}
	next := nearbyCursor{Centre: n.q.Centre, Radius: n.q.Radius, Distance: reach.Distance, Spread: n.spread(rooms, reach.Distance)}
	if len(rooms) > 0 {
		last := rooms[len(rooms)-1]
		next.Distance, next.Leaf = last.Distance, last.leaf
		if len(behind) > 0 && behind[0].leaf == last.leaf || slices.ContainsFunc(n.unread, func(r PlaceRange) bool { return r.From == last.leaf }) {
			next.RoomID = last.RoomID
		}
	} else if next.Distance < n.last.Distance+leastStep {
		return Found{Limited: true}, nil
	}
	if n.ahead > 0 {
		next.Spread = (square(n.ahead) - square(next.Distance)) / n.ringRooms()
	}
	found.Cursor, err = encodeNearby(next)
	return found, err
}

// again gives an empty page whose next one begins where it did, with its smaller ring.
func (n *search) again() (found Found, err error) {
	next := n.last
	next.Centre, next.Radius, next.Distance = n.q.Centre, n.q.Radius, max(n.last.Distance, 0)
	next.Spread = (square(n.outer) - square(next.Distance)) / n.ringRooms()
	found.Cursor, err = encodeNearby(next)
	return found, err
}

func encodeNearby(c nearbyCursor) (string, error) {
	text, err := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(text), err
}

// spread says how far apart the rooms of a page are, as its cursor does; where all are at
// one point, or there are none, those of the page before.
func (n *search) spread(rooms []candidate, end float64) float64 {
	if len(rooms) == n.q.Limit {
		end = rooms[len(rooms)-1].Distance
	}
	spread := (square(end) - square(max(n.last.Distance, 0))) / float64(max(1, len(rooms)))
	if spread < 1e-3 {
		return n.last.Spread
	}
	return max(spread, n.last.Spread/2)
}
