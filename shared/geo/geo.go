// Package geo is the geometry of places on the earth: distances, and the cells of S2
// (github.com/golang/geo) by which an index finds what is near. S2 numbers cells of 30
// levels along a curve, so that a cell is a range of the numbers of its smallest cells,
// at the poles and across the antimeridian as elsewhere.
package geo

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

const (
	// ParentLevel is the level of the cells that are partitions of an index: over 100 km
	// wide.
	ParentLevel = 6
	// MaxRanges is how many parents a search meets at most.
	MaxRanges = 8

	// earthRadius is the mean radius of the earth, in metres (IUGG).
	earthRadius = 6_371_008.8
	// margin is how much nearer than S2 has it a cell may be, in metres: S2 computes with
	// squares of chords, whose error of 1e-15 is decimetres near the point.
	margin = 1

	// perWidth and perRadius are how many of a ring's smallest cells fit side by side into
	// its width and its radius, at most. More take longer to find than they save.
	perWidth, perRadius = 4, 16
	// worth is by what the size of a ring is divided for the least gap between two of its
	// ranges. In a ring of 80 places it has 13, which cost as much to read as a query more.
	worth = 6
)

// Point is a point on the earth, in degrees: latitude from -90 to 90, longitude from
// -180 to 180.
type Point struct{ Lat, Lon float64 }

// IsValid reports whether a point's coordinates are in their ranges.
func (p Point) IsValid() bool {
	return math.Abs(p.Lat) <= 90 && math.Abs(p.Lon) <= 180 // which NaN is not
}

// Round returns the point with 7 decimals: to a centimetre.
func (p Point) Round() Point {
	const digits = 1e7
	return Point{math.Round(p.Lat*digits) / digits, math.Round(p.Lon*digits) / digits}
}

func (p Point) latLng() s2.LatLng { return s2.LatLngFromDegrees(p.Lat, p.Lon) }

// Distance is the length of the great circle between two points, in metres, on a sphere:
// within 0.6 % of that on the ellipsoid.
func Distance(a, b Point) float64 { return a.latLng().Distance(b.latLng()).Radians() * earthRadius }

// Cell returns the parent cell of a point, by which an index is partitioned, and its
// smallest cell, by which a partition is sorted, in 16 hex digits.
func Cell(p Point) (parent, leaf string) {
	id := s2.CellIDFromLatLng(p.latLng())
	return id.Parent(ParentLevel).ToToken(), digits(id)
}

func digits(id s2.CellID) string {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], uint64(id))
	return hex.EncodeToString(bytes[:])
}

// Away returns how far a point's smallest cell is from a centre, in metres, from its
// middle: all that is in one cell is at one distance. It is within a centimetre of
// Distance.
func Away(centre, p Point) (metres float64, leaf string) {
	id := s2.CellIDFromLatLng(p.latLng())
	return away(centre, id), digits(id)
}

func away(centre Point, leaf s2.CellID) float64 {
	return s2.LatLngFromPoint(leaf.Point()).Distance(centre.latLng()).Radians() * earthRadius
}

// distances are what no point of a cell is nearer to a centre than, and none farther, in
// metres.
func distances(id s2.CellID, centre s2.Point) (near, far float64) {
	cell := s2.CellFromCellID(id)
	near, far = cell.Distance(centre).Angle().Radians(), cell.MaxDistance(centre).Angle().Radians()
	return max(0, near*earthRadius-margin), far*earthRadius + margin
}

// Range is a range of smallest cells within one parent cell.
type Range struct {
	Parent   string
	From, To string  // smallest cells, inclusive
	Near     float64 // metres: nothing of the search in the range is nearer to its centre
}

// Around returns the ranges before and after a point, within its parent cell. Read
// backward from the end of the one and forward from the beginning of the other, they
// begin with what is near.
func Around(p Point) (before, after Range) {
	leaf := s2.CellIDFromLatLng(p.latLng())
	parent := leaf.Parent(ParentLevel)
	before = Range{Parent: parent.ToToken(), From: digits(parent.RangeMin()), To: digits(leaf)}
	after = Range{Parent: parent.ToToken(), From: digits(leaf), To: digits(parent.RangeMax())}
	return before, after
}

// Cover returns ranges that have every point whose distance from the centre, in metres,
// is from inner to outer, in the order of their cells. They are at most as many as most
// says, or one for each parent, which is MaxRanges up to an outer distance of 50 km. Where
// less is between two ranges than a query costs they are one.
func Cover(centre Point, inner, outer float64, most int) []Range {
	point := s2.PointFromLatLng(centre.latLng())
	r := ring{point: point, inner: inner, outer: outer}
	width := max((outer-max(inner, 0))/perWidth, outer/perRadius, margin)
	r.level = max(ParentLevel, s2.AvgEdgeMetric.ClosestLevel(float64(angle(width))))
	parents := s2.SimpleRegionCovering(s2.CapFromCenterAngle(point, angle(outer+margin)), point, ParentLevel)
	slices.Sort(parents)
	for _, parent := range parents {
		r.add(parent)
	}
	return r.joined(most)
}

// ring gathers the cells of a ring, in their order.
type ring struct {
	point        s2.Point
	inner, outer float64 // metres
	level        int     // of its smallest cells

	runs []run
	size uint64 // smallest cells, of all runs
}

// run is cells that follow each other, of one parent.
type run struct {
	parent, from, to s2.CellID
	near             float64 // metres
}

// add adds what of a cell is in the ring.
func (r *ring) add(id s2.CellID) {
	near, far := distances(id, r.point)
	if near > r.outer || far < r.inner {
		return
	}
	if id.Level() < r.level && (far > r.outer || near < r.inner) {
		for _, child := range id.Children() {
			r.add(child)
		}
		return
	}
	from, to, parent := id.RangeMin(), id.RangeMax(), id.Parent(ParentLevel)
	r.size += uint64(to-from)/2 + 1
	if last := len(r.runs) - 1; last >= 0 && r.runs[last].parent == parent && r.runs[last].to.Next() == from {
		r.runs[last].to, r.runs[last].near = to, min(r.runs[last].near, near)
		return
	}
	r.runs = append(r.runs, run{parent, from, to, near})
}

// joined returns the runs as ranges that have the smallest gaps between them, too, and the
// largest not.
func (r *ring) joined(most int) []Range {
	gaps := make([]uint64, 0, len(r.runs))
	for i := 1; i < len(r.runs); i++ {
		gaps = append(gaps, r.gap(i))
	}
	slices.Sort(gaps)
	least := r.size / worth
	if len(gaps) >= most {
		least = max(least, min(gaps[len(gaps)-most], math.MaxUint64-1))
	}
	var out []Range
	for i, run := range r.runs {
		last := len(out) - 1
		if i > 0 && r.gap(i) <= least {
			out[last].To, out[last].Near = digits(run.to), min(out[last].Near, run.near)
			continue
		}
		out = append(out, Range{run.parent.ToToken(), digits(run.from), digits(run.to), run.near})
	}
	return out
}

// gap is how many smallest cells are between a run and the one before: no range has two
// parents.
func (r *ring) gap(i int) uint64 {
	if r.runs[i].parent != r.runs[i-1].parent {
		return math.MaxUint64
	}
	return uint64(r.runs[i].from-r.runs[i-1].to)/2 - 1
}

// angle is the angle of a distance in metres.
func angle(metres float64) s1.Angle { return s1.Angle(metres / earthRadius) }

// Split cuts a range in two, at the beginning of a smallest cell and at its end: either
// is the zero Range if nothing is there.
func (r Range) Split(leaf string) (before, behind Range, err error) {
	id, err := parse(leaf)
	if err != nil {
		return Range{}, Range{}, err
	}
	if r.From < leaf {
		before = Range{r.Parent, r.From, digits(min(id.Prev(), s2.CellIDFromToken(r.To))), r.Near}
	}
	if leaf < r.To {
		behind = Range{r.Parent, digits(max(id.Next(), s2.CellIDFromToken(r.From))), r.To, r.Near}
	}
	return before, behind, nil
}

// Within returns what a range has from inner to outer, in metres from the centre, as far
// as its cells say: from the first of them to the last, and false if it has none.
func (r Range) Within(centre Point, inner, outer float64) (Range, bool, error) {
	from, err := parse(r.From)
	if err != nil {
		return Range{}, false, err
	}
	to, err := parse(r.To)
	if err != nil {
		return Range{}, false, err
	}
	if from == to {
		r.Near = away(centre, from)
		return r, r.Near >= inner && r.Near <= outer, nil
	}
	part := ring{point: s2.PointFromLatLng(centre.latLng()), inner: inner, outer: outer}
	for _, id := range s2.CellUnionFromRange(from, to.Next()) {
		part.add(id)
	}
	if len(part.runs) == 0 {
		return Range{}, false, nil
	}
	return part.joined(1)[0], true, nil
}

// Only returns the range that is one smallest cell.
func Only(leaf string) (Range, error) {
	id, err := parse(leaf)
	if err != nil {
		return Range{}, err
	}
	return Range{Parent: id.Parent(ParentLevel).ToToken(), From: leaf, To: leaf}, nil
}

func parse(leaf string) (s2.CellID, error) {
	n, err := strconv.ParseUint(leaf, 16, 64)
	id := s2.CellID(n)
	if err != nil || !id.IsValid() || !id.IsLeaf() || digits(id) != leaf {
		return 0, fmt.Errorf("invalid cell %q: want 16 hex digits of a cell of level %d", leaf, s2.MaxLevel)
	}
	return id, nil
}
