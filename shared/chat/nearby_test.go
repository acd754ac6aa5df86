package chat_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/geo"
)

// index is a store whose places are an index, sorted as GSI2 is.
type index struct {
	chat.RoomStore
	parents map[string][]indexed
}

type indexed struct {
	leaf string
	room chat.Nearby
}

func (x *index) PlacesIn(_ context.Context, r chat.PlaceRange, limit int) (page chat.PlacePage, err error) {
	all := x.parents[r.Parent]
	from := sort.Search(len(all), func(i int) bool {
		return all[i].leaf > r.From || all[i].leaf == r.From && all[i].room.RoomID > r.After
	})
	to := sort.Search(len(all), func(i int) bool { return all[i].leaf > r.To })
	part := slices.Clone(all[min(from, to):to])
	if r.Backward {
		slices.Reverse(part)
	}
	page.More = len(part) > limit
	for _, p := range part[:min(limit, len(part))] {
		page.Places, page.Leaf = append(page.Places, p.room), p.leaf
	}
	page.Units = 0.5 + float64(len(page.Places)/20)/2
	return page, nil
}

// around returns a random point at most some metres from another.
func around(random *rand.Rand, p geo.Point, metres float64) geo.Point {
	angle, distance := random.Float64()*2*math.Pi, metres*math.Sqrt(random.Float64())
	lat, lon := p.Lat+distance*math.Cos(angle)/111_195, p.Lon
	if c := math.Cos(lat * math.Pi / 180); c > 1e-9 {
		lon += distance * math.Sin(angle) / 111_195 / c
	}
	if lat > 90 || lat < -90 {
		lat, lon = math.Copysign(180, lat)-lat, lon+180
	}
	return geo.Point{Lat: lat, Lon: math.Remainder(lon, 360)}.Round()
}

// A search finds what looking at each of 20,000 places finds, in the same order.
func TestNearby_FindsWhatIsThere(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	centres := []geo.Point{{Lat: 90}, {Lat: -90}, {Lon: 180}, {Lat: 12, Lon: -180}, {}, {Lon: 45}, {Lat: 35.2643897, Lon: 45}, {Lat: 45, Lon: 90}}
	for range 32 {
		centres = append(centres, geo.Point{Lat: 180 / math.Pi * math.Asin(2*random.Float64()-1), Lon: 360*random.Float64() - 180}.Round())
	}
	x := &index{parents: map[string][]indexed{}}
	places := make([]chat.Nearby, 20_000)
	for i := range places {
		metres := 50 * math.Pow(2_000, random.Float64()) // up to 100 km
		places[i] = chat.Nearby{RoomID: fmt.Sprintf("r%05d", i), Location: chat.Location{Point: around(random, centres[i%len(centres)], metres)}}
		parent, leaf := geo.Cell(places[i].Location.Point)
		x.parents[parent] = append(x.parents[parent], indexed{leaf, places[i]})
	}
	for _, all := range x.parents {
		slices.SortFunc(all, func(a, b indexed) int {
			return cmp.Or(cmp.Compare(a.leaf, b.leaf), cmp.Compare(a.room.RoomID, b.room.RoomID))
		})
	}
	w := newWorld(t)
	x.RoomStore = w.store
	rooms := chat.NewRooms(x, chat.IDs{}, w.clock.now)
	for i := range 80 { // each centre twice; more find the same faults for more time
		q := chat.Search{Radius: 100 * math.Pow(500, random.Float64()), Limit: 1 + random.IntN(100)}
		q.Centre = around(random, centres[i%len(centres)], q.Radius)
		var want, got []string
		var near []chat.Nearby
		for _, p := range places {
			if p.Distance = geo.Distance(q.Centre, p.Location.Point); p.Distance <= q.Radius {
				near = append(near, p)
			}
		}
		slices.SortFunc(near, func(a, b chat.Nearby) int {
			return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.RoomID, b.RoomID))
		})
		for _, p := range near {
			want = append(want, p.RoomID)
		}
		for page := 0; page == 0 || q.Cursor != ""; page++ {
			found, err := rooms.Nearby(t.Context(), q)
			if ok(t, err); found.Limited || page > len(want) {
				t.Fatalf("page %d of %+v: limited %t", page, q, found.Limited)
			}
			for _, p := range found.Rooms {
				got = append(got, p.RoomID)
			}
			q.Cursor = found.Cursor
		}
		if !slices.Equal(want, got) {
			t.Errorf("%+v: %d rooms, want %d:\n%q\n%q", q, len(got), len(want), got, want)
		}
	}
}

func TestNearby_BadInput(t *testing.T) {
	w := newWorld(t)
	for what, q := range map[string]chat.Search{
		"lat": {Centre: geo.Point{Lat: math.NaN()}, Radius: 100}, "lon": {Centre: geo.Point{Lon: math.Inf(1)}, Radius: 100},
		"radius": {Radius: 99}, "far": {Radius: 50_001}, "NaN": {Radius: math.NaN()}, "cursor": {Radius: 100, Cursor: "x"},
	} {
		_, err := w.rooms.Nearby(t.Context(), q)
		refused(t, what, err, chat.CodeInvalidRequest)
	}
}
