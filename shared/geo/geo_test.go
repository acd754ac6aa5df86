package geo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/streamroom/streamroom/shared/geo"
)

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b geo.Point
		want float64 // metres
	}{
		{geo.Point{}, geo.Point{}, 0},
		{geo.Point{Lat: 52.5200, Lon: 13.4050}, geo.Point{Lat: 48.8566, Lon: 2.3522}, 877_464}, // Berlin, Paris
		{geo.Point{Lat: 90, Lon: 20}, geo.Point{Lat: 90, Lon: -160}, 0},
		{geo.Point{Lat: 0, Lon: 180}, geo.Point{Lat: 0, Lon: -180}, 0},
		{geo.Point{Lat: 0, Lon: 179.5}, geo.Point{Lat: 0, Lon: -179.5}, 111_195},
		{geo.Point{Lat: 0, Lon: 0}, geo.Point{Lat: 0.00001, Lon: 0}, 1.112},
	} {
		if got := geo.Distance(test.a, test.b); math.Abs(got-test.want) > max(1e-3, 1e-5*test.want) {
			t.Errorf("from %v to %v: %f m, want %f", test.a, test.b, got, test.want)
		}
	}
}

// near returns a point at most some metres from another.
func near(random *rand.Rand, p geo.Point, metres float64) geo.Point {
	angle, distance := random.Float64()*2*math.Pi, metres*math.Sqrt(random.Float64())
	lat := p.Lat + distance*math.Cos(angle)/111_195
	lon := p.Lon
	if c := math.Cos(lat * math.Pi / 180); c > 1e-9 {
		lon += distance * math.Sin(angle) / 111_195 / c
	}
	if lat > 90 || lat < -90 {
		lat, lon = math.Copysign(180, lat)-lat, lon+180
	}
	return geo.Point{Lat: lat, Lon: math.Remainder(lon, 360)}.Round()
}

// centres are where cells and coordinates are difficult, and some anywhere.
func centres(random *rand.Rand) []geo.Point {
	points := []geo.Point{
		{Lat: 90},
		{Lat: -90, Lon: 77},
		{Lat: 89.9999, Lon: 45},
		{Lon: 180},
		{Lat: 12, Lon: -180},
		{Lat: -51, Lon: 179.9999},
		{},
		{Lon: 45},
		{Lon: -135},
		{Lat: 35.2643897, Lon: 45},
		{Lat: -35.2643897, Lon: 135},
		{Lat: 45, Lon: 90},
	}
	for range 40 {
		points = append(points, geo.Point{Lat: 180 / math.Pi * math.Asin(2*random.Float64()-1), Lon: 360*random.Float64() - 180}.Round())
	}
	return points
}

// Every point within a ring is in a range that covers it, no range reaches over its
// parent, and none is nearer than it says.
func TestCover(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, centre := range centres(random) {
		for _, outer := range []float64{0, 1, 100, 3_000, 50_000} {
			for _, inner := range []float64{-1, 0, outer / 3, outer * 0.99, outer} {
				for _, most := range []int{geo.MaxRanges, 12} {
					ranges := geo.Cover(centre, inner, outer, most)
					if len(ranges) > most || len(ranges) == 0 {
						t.Fatalf("%v, %f to %f m: %d ranges", centre, inner, outer, len(ranges))
					}
					for range 50 {
						checkCovered(t, centre, near(random, centre, outer), inner, outer, ranges)
					}
				}
			}
		}
	}
}

func checkCovered(t *testing.T, centre, p geo.Point, inner, outer float64, ranges []geo.Range) {
	t.Helper()
	parent, leaf := geo.Cell(p)
	distance, found := geo.Distance(centre, p), false
	for _, r := range ranges {
		if r.Parent == parent && r.From <= leaf && leaf <= r.To {
			found = true
			if distance < r.Near && distance >= inner {
				t.Errorf("%v is %f m from %v, in a range that begins at %f", p, distance, centre, r.Near)
			}
		}
	}
	if wanted := inner <= distance && distance <= outer; wanted && !found {
		t.Errorf("%v, %f m from %v, is in no range of %f to %f m", p, distance, centre, inner, outer)
	}
}

// A range cut at a cell has every point but those of the cell, and none is nearer than
// it says.
func TestSplit(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, centre := range centres(random) {
		before, after := geo.Around(centre)
		if _, leaf := geo.Cell(centre); before.To != leaf || after.From != leaf || before.Parent != after.Parent {
			t.Fatalf("around %v: %v and %v", centre, before, after)
		}
		whole := geo.Range{Parent: before.Parent, From: before.From, To: after.To}
		for range 20 {
			_, cut := geo.Cell(near(random, centre, 1_000))
			if cut < whole.From || cut > whole.To {
				continue // of another parent
			}
			parts := make([]geo.Range, 2)
			var err error
			if parts[0], parts[1], err = whole.Split(cut); err != nil {
				t.Fatal(err)
			}
			var within []geo.Range
			for _, part := range parts {
				if part.From == "" {
					continue
				}
				some, ok, err := part.Within(centre, 500, 20_000)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					within = append(within, some)
				}
			}
			for range 20 {
				p := near(random, centre, 30_000)
				if parent, leaf := geo.Cell(p); parent == whole.Parent && leaf != cut {
					checkCovered(t, centre, p, 0, math.Inf(1), parts)
					checkCovered(t, centre, p, 500, 20_000, within)
				}
			}
		}
	}
	if _, _, err := (geo.Range{To: "x"}).Split("x"); err == nil {
		t.Error("a cell that is none splits a range")
	}
	if _, err := geo.Only("x"); err == nil {
		t.Error("a cell that is none is a range")
	}
	for _, r := range []geo.Range{{From: "x"}, {From: "89c25a31c9b5d6c7", To: "x"}} {
		if _, _, err := r.Within(geo.Point{}, 0, 1); err == nil {
			t.Errorf("%+v has parts", r)
		}
	}
	parent, leaf := geo.Cell(geo.Point{Lat: 1})
	only, err := geo.Only(leaf)
	if only != (geo.Range{Parent: parent, From: leaf, To: leaf}) || err != nil {
		t.Errorf("only %s is %v, %v", leaf, only, err)
	}
	before, behind, err := only.Split(leaf)
	if before != (geo.Range{}) || behind != (geo.Range{}) || err != nil {
		t.Errorf("one cell without itself is %v and %v, %v", before, behind, err)
	}
}

// All of a cell is at one distance, a centimetre from the real one at most.
func TestAway(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, centre := range centres(random) {
		for range 100 {
			p := near(random, centre, 50_000)
			metres, leaf := geo.Away(centre, p)
			if _, want := geo.Cell(p); leaf != want || math.Abs(metres-geo.Distance(centre, p)) > 0.01 {
				t.Errorf("%v is %f m from %v, in %s, want %f and %s", p, metres, centre, leaf, geo.Distance(centre, p), want)
			}
			of, ok, err := geo.Range{From: leaf, To: leaf}.Within(centre, metres, metres)
			if err != nil || !ok || of.Near != metres {
				t.Errorf("the cell %s is %v from %v, want %f, %v", leaf, of, centre, metres, err)
			}
			of, ok, err = geo.Range{From: leaf, To: leaf}.Within(centre, metres+0.1, metres+1)
			if err != nil || ok {
				t.Errorf("the cell %s is %v from %v, beyond %f, %v", leaf, of, centre, metres, err)
			}
		}
	}
}
