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
				ranges := geo.Cover(centre, inner, outer)
				if len(ranges) > geo.MaxCells || len(ranges) == 0 {
					t.Fatalf("%v, %f to %f m: %d ranges", centre, inner, outer, len(ranges))
				}
				for range 100 {
					checkCovered(t, centre, near(random, centre, outer), inner, outer, ranges)
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
			if distance < r.Near {
				t.Errorf("%v is %f m from %v, in a range that begins at %f", p, distance, centre, r.Near)
			}
		}
	}
	if wanted := inner <= distance && distance <= outer; wanted && !found {
		t.Errorf("%v, %f m from %v, is in no range of %f to %f m", p, distance, centre, inner, outer)
	}
}

// What is left of a range behind a point has every point behind it.
func TestRest(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, centre := range centres(random) {
		before, after := geo.Around(centre)
		if _, leaf := geo.Cell(centre); before.To != leaf || after.From != leaf || before.Parent != after.Parent {
			t.Fatalf("around %v: %v and %v", centre, before, after)
		}
		for range 20 {
			whole := geo.Range{Parent: before.Parent, From: before.From, To: after.To}
			_, last := geo.Cell(near(random, centre, 1_000))
			if last < whole.From || last > whole.To {
				continue // of another parent
			}
			same, behind, err := whole.Rest(centre, last)
			if err != nil {
				t.Fatal(err)
			}
			if same.From != last || same.To != last {
				t.Errorf("the cell that was read last is %v, want %s", same, last)
			}
			for range 20 {
				p := near(random, centre, 30_000)
				parent, leaf := geo.Cell(p)
				if parent == whole.Parent && leaf > last {
					checkCovered(t, centre, p, 0, math.Inf(1), behind)
				}
			}
		}
	}
	if _, _, err := (geo.Range{To: "x"}).Rest(geo.Point{}, "x"); err == nil {
		t.Error("a cell that is none has a rest")
	}
}
