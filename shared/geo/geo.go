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
	// MaxRanges is how many ranges cover a search at most.
	MaxRanges = 8

	// earthRadius is the mean radius of the earth, in metres (IUGG).
	earthRadius = 6_371_008.8
	// margin is how much nearer than S2 has it a cell may be, in metres: S2 computes with
	// squares of chords, whose error of 1e-15 is decimetres near the point.
	margin = 1
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

// distanceOf is what no point of a cell is nearer to a centre than, in metres.
func distanceOf(id s2.CellID, centre s2.Point) float64 {
	return max(0, s2.CellFromCellID(id).Distance(centre).Angle().Radians()*earthRadius-margin)
}

// Range is a range of smallest cells within one parent cell.
type Range struct {
	Parent   string
	From, To string  // smallest cells, inclusive
	Near     float64 // metres: nothing in the range is nearer to the centre of the search
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
// is from inner to outer, in the order of their cells: MaxRanges of them at most up to
// an outer distance of 50 km.
func Cover(centre Point, inner, outer float64) []Range {
	point := s2.PointFromLatLng(centre.latLng())
	region := ring{
		Cap:   s2.CapFromCenterAngle(point, angle(outer+margin)),
		inner: s2.CapFromCenterAngle(point, angle(inner-margin)),
	}
	if inner > 0 {
		// Smaller cells have less of what is nearer, and neighbours among them are one range.
		for _, cells := range []int{3 * MaxRanges, 2 * MaxRanges} {
			if all := cover(point, region, cells); len(all) <= MaxRanges {
				return all
			}
		}
	}
	return cover(point, region, MaxRanges)
}

func cover(centre s2.Point, region ring, cells int) []Range {
	coverer := s2.RegionCoverer{MinLevel: ParentLevel, MaxLevel: s2.MaxLevel, LevelMod: 1, MaxCells: cells}
	return ranges(centre, coverer.Covering(region))
}

// angle is the angle of a distance in metres; negative, which no point is within, if
// that is.
func angle(metres float64) s1.Angle { return s1.Angle(metres / earthRadius) }

// ring is a region: the cap without the inner one.
type ring struct {
	s2.Cap
	inner s2.Cap
}

// ContainsCell implements s2.Region.
func (r ring) ContainsCell(c s2.Cell) bool {
	return r.Cap.ContainsCell(c) && !r.inner.IntersectsCell(c)
}

// IntersectsCell implements s2.Region.
func (r ring) IntersectsCell(c s2.Cell) bool {
	return r.Cap.IntersectsCell(c) && !r.inner.ContainsCell(c)
}

// ContainsPoint implements s2.Region.
func (r ring) ContainsPoint(p s2.Point) bool {
	return r.Cap.ContainsPoint(p) && !r.inner.ContainsPoint(p)
}

// ranges returns the ranges of sorted cells. Neighbours of one parent are one range.
func ranges(centre s2.Point, cells []s2.CellID) []Range {
	var out []Range
	var end s2.CellID // of the last range
	for _, id := range cells {
		parent, from, to := id.Parent(ParentLevel).ToToken(), id.RangeMin(), id.RangeMax()
		near := distanceOf(id, centre)
		if last := len(out) - 1; last >= 0 && out[last].Parent == parent && end.Next() == from {
			out[last].To, out[last].Near = digits(to), min(out[last].Near, near)
		} else {
			out = append(out, Range{parent, digits(from), digits(to), near})
		}
		end = to
	}
	return out
}

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

// Within returns the parts of a range that have what is from inner to outer, in metres
// from the centre, as far as its cells say.
func (r Range) Within(centre Point, inner, outer float64) ([]Range, error) {
	from, err := parse(r.From)
	if err != nil {
		return nil, err
	}
	to, err := parse(r.To)
	if err != nil {
		return nil, err
	}
	if from == to {
		r.Near = away(centre, from)
		if r.Near < inner || r.Near > outer {
			return nil, nil
		}
		return []Range{r}, nil
	}
	point := s2.PointFromLatLng(centre.latLng())
	cells := slices.DeleteFunc(s2.CellUnionFromRange(from, to.Next()), func(id s2.CellID) bool {
		far := s2.CellFromCellID(id).MaxDistance(point).Angle().Radians()*earthRadius + margin
		return far < inner || distanceOf(id, point) > outer
	})
	return ranges(point, cells), nil
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
