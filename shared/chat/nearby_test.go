package chat_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/geo/s2"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/chat/memory"
	"github.com/streamroom/streamroom/shared/geo"
)

// index is a store whose places are an index, sorted as GSI2 is.
type index struct {
	chat.RoomStore
	parents map[string][]indexed
	queries atomic.Int64
	read    atomic.Int64 // places
	bytes   atomic.Int64 // of them, rounded up as read units are
}

type indexed struct {
	leaf string
	room *chat.Nearby // small to sort
}

func (x indexed) compare(other indexed) int {
	return cmp.Or(cmp.Compare(x.leaf, other.leaf), cmp.Compare(x.room.RoomID, other.room.RoomID))
}

func (x *index) PlacesIn(_ context.Context, r chat.PlaceRange, limit int) (page chat.PlacePage, err error) {
	x.queries.Add(1)
	all := x.parents[r.Parent]
	from := sort.Search(len(all), func(i int) bool {
		return all[i].leaf > r.From || all[i].leaf == r.From && all[i].room.RoomID > r.After
	})
	to := sort.Search(len(all), func(i int) bool { return all[i].leaf > r.To })
	page.More = to-from > limit
	for i := range min(limit, to-from) {
		p := all[from+i]
		if r.Backward {
			p = all[to-1-i]
		}
		page.Places, page.Leaf, page.After = append(page.Places, *p.room), p.leaf, p.room.RoomID
	}
	bytes := 0
	for _, p := range page.Places {
		bytes += 170 + len(p.Name) + len(p.Location.Address)
	}
	units := max(1, (bytes+4095)/4096)
	x.read.Add(int64(len(page.Places)))
	x.bytes.Add(int64(4096 * units))
	page.Units = float64(units) / 2
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

// newIndex returns an index of places, and what searches it.
func newIndex(t testing.TB, places []chat.Nearby) (*index, *chat.Rooms) {
	t.Helper()
	now := func() time.Time { return time.UnixMilli(epoch) }
	x := &index{RoomStore: memory.New(now), parents: map[string][]indexed{}}
	for i := range places {
		parent, leaf := geo.Cell(places[i].Location.Point)
		x.parents[parent] = append(x.parents[parent], indexed{leaf, &places[i]})
	}
	for _, all := range x.parents {
		slices.SortFunc(all, indexed.compare)
	}
	return x, chat.NewRooms(x, chat.IDs{}, now)
}

// lookAtEach is what a search should find.
func lookAtEach(places []chat.Nearby, q chat.Search) (ids []string) {
	var near []indexed
	for i := range places {
		at := places[i].Location.Point
		if math.Abs(at.Lat-q.Centre.Lat) > q.Radius/111_000 {
			continue
		}
		if distance, leaf := geo.Away(q.Centre, at); distance <= q.Radius {
			room := places[i]
			room.Distance = distance
			near = append(near, indexed{leaf, &room})
		}
	}
	slices.SortFunc(near, func(a, b indexed) int { return cmp.Or(cmp.Compare(a.room.Distance, b.room.Distance), a.compare(b)) })
	for _, x := range near {
		ids = append(ids, x.room.RoomID)
	}
	return ids
}

// pages reads all pages of a search; limited says that the last one stopped early.
func pages(t *testing.T, x *index, rooms *chat.Rooms, q chat.Search) (ids []string, limited bool) {
	t.Helper()
	for page := 0; page == 0 || q.Cursor != ""; page++ {
		x.queries.Store(0)
		x.read.Store(0)
		found, err := rooms.Nearby(t.Context(), q)
		if ok(t, err); page > 20_000 || found.Limited && found.Cursor != "" {
			t.Fatalf("page %d of %+v: %+v", page, q, found)
		}
		if n := x.queries.Load(); n > 24 { // 12, but where thousands are at one point
			t.Errorf("page %d around %v: %d queries, want 24 at most", page, q.Centre, n)
		}
		for _, p := range found.Rooms {
			ids = append(ids, p.RoomID)
		}
		q.Cursor, limited = found.Cursor, found.Limited
	}
	return ids, limited
}

func same(t *testing.T, what any, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			left := func(ids []string) []string { return ids[min(i, len(ids)):min(i+3, len(ids))] }
			t.Errorf("%+v: %d rooms, want %d; they differ at %d: %q, want %q", what, len(got), len(want), i, left(got), left(want))
			return
		}
	}
}

// difficult are the poles, both sides of the antimeridian, the corners of S2's faces and
// the middles of their edges, where the cells of every level end, and points of cells'
// borders elsewhere.
func difficult() []geo.Point {
	points := []geo.Point{
		{Lat: 90},
		{Lat: -90},
		{Lon: 180},
		{Lat: 12, Lon: -180},
		{Lat: -51, Lon: 179.9999},
		{},
		{Lon: 45},
		{Lon: -135},
		{Lat: 45, Lon: 90},
		{Lat: 35.2643897, Lon: 45},
		{Lat: -35.2643897, Lon: 135},
	}
	for _, p := range []geo.Point{{Lat: 52.52, Lon: 13.405}, {Lat: -33.86, Lon: 151.21}, {Lat: 64.1, Lon: -21.9}, {Lat: 1.35, Lon: 103.82}} {
		cell := s2.CellFromCellID(s2.CellIDFromLatLng(s2.LatLngFromDegrees(p.Lat, p.Lon)).Parent(geo.ParentLevel))
		corner, next := cell.Vertex(0), cell.Vertex(1)
		for _, v := range []s2.Point{corner, s2.Interpolate(0.3, corner, next)} {
			at := s2.LatLngFromPoint(v)
			points = append(points, geo.Point{Lat: at.Lat.Degrees(), Lon: at.Lng.Degrees()}.Round())
		}
	}
	return points
}

// A search finds what looking at each of 20,000 places finds, in the same order.
func TestNearby_FindsWhatIsThere(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	centres := difficult()
	for _, p := range centres[len(centres)-8:] { // else the test is not of borders
		parents := map[string]bool{}
		for range 50 {
			parent, _ := geo.Cell(around(random, p, 100))
			parents[parent] = true
		}
		if len(parents) < 2 {
			t.Errorf("%v is on no border", p)
		}
	}
	for len(centres) < 40 {
		centres = append(centres, geo.Point{Lat: 180 / math.Pi * math.Asin(2*random.Float64()-1), Lon: 360*random.Float64() - 180}.Round())
	}
	places := make([]chat.Nearby, 20_000)
	for i := range places {
		metres := 50 * math.Pow(2_000, random.Float64()) // up to 100 km
		places[i] = chat.Nearby{RoomID: fmt.Sprintf("r%05d", i), Location: chat.Location{Point: around(random, centres[i%len(centres)], metres)}}
	}
	x, rooms := newIndex(t, places)
	for i := range 80 { // each centre twice; more find the same faults for more time
		q := chat.Search{Radius: 100 * math.Pow(500, random.Float64()), Limit: 1 + random.IntN(100)}
		q.Centre = around(random, centres[i%len(centres)], q.Radius)
		got, limited := pages(t, x, rooms, q)
		if same(t, q, lookAtEach(places, q), got); limited {
			t.Errorf("%+v: limited", q)
		}
	}
}

// Thousands of rooms at one point, and of those around it, are all on pages, once each.
func TestNearby_ManyAtOnePoint(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	for _, at := range []geo.Point{{Lat: 52.52, Lon: 13.405}, {Lon: 180}} {
		var places []chat.Nearby
		place := func(n int, p func() geo.Point) {
			for range n {
				places = append(places, chat.Nearby{RoomID: fmt.Sprintf("r%05d", len(places)), Location: chat.Location{Point: p()}})
			}
		}
		place(4_000, func() geo.Point { return at })
		far := around(random, at, 600)
		place(2_000, func() geo.Point { return far })
		place(100, func() geo.Point { return around(random, at, 0.05) })
		place(200, func() geo.Point { return around(random, at, 1_000) })
		x, rooms := newIndex(t, places)
		for _, centre := range []geo.Point{at, far, around(random, at, 900)} {
			for _, limit := range []int{50, 100} {
				q := chat.Search{Centre: centre, Radius: 1_000, Limit: limit}
				want := lookAtEach(places, q)
				got, limited := pages(t, x, rooms, q)
				if same(t, q, want, got); limited {
					t.Errorf("%+v: limited", q)
				}
			}
		}
	}
}

// Where far more is near than a search reads, its last page says so; until there nothing
// is left out, and no page reads much more than it may.
func TestNearby_Limited(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	city := geo.Point{Lat: 52.52, Lon: 13.405}
	places := make([]chat.Nearby, 30_000)
	for i := range places {
		places[i] = chat.Nearby{RoomID: fmt.Sprintf("r%05d", i), Location: chat.Location{Point: around(random, city, 10_000)}}
	}
	x, rooms := newIndex(t, places)
	for _, limit := range []int{50, 100} {
		q := chat.Search{Centre: around(random, city, 3_000), Radius: 20_000, Limit: limit}
		want := lookAtEach(places, q)
		got, limited := pages(t, x, rooms, q)
		if same(t, q, want[:len(got)], got); !limited || len(got) < 1_000 {
			t.Errorf("%+v: %d rooms, limited %t", q, len(got), limited)
		}
		t.Logf("%d a page: %d rooms", limit, len(got))
	}
}

// Where places are spread, no page takes more than 12 queries, near or far down, and one far
// down reads some times what it shows, not all that is nearer.
func TestNearby_QueriesOfAPage(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	city := geo.Point{Lat: 52.52, Lon: 13.405}
	places := make([]chat.Nearby, 150_000)
	for i := range places {
		places[i] = chat.Nearby{RoomID: fmt.Sprintf("r%06d", i), Location: chat.Location{Point: around(random, city, 50_000)}}
	}
	x, rooms := newIndex(t, places)
	const searches = 10
	most, read := [20]int64{}, [20]int64{} // by page
	for range searches {
		q := chat.Search{Centre: around(random, city, 40_000), Radius: 50_000, Limit: 50}
		for page := range most {
			x.queries.Store(0)
			x.read.Store(0)
			found, err := rooms.Nearby(t.Context(), q)
			if ok(t, err); found.Cursor == "" {
				t.Fatalf("%+v: page %d is the last", q, page)
			}
			n := x.queries.Load()
			if n > 12 {
				t.Errorf("page %d around %v took %d queries, want 12 at most", page, q.Centre, n)
			}
			most[page] = max(most[page], n)
			read[page] += x.read.Load() / searches
			q.Cursor = found.Cursor
		}
	}
	t.Logf("the most queries, by page: %v; places read: %v", most, read)
	for page, n := range read {
		if n > 900 {
			t.Errorf("page %d reads %d places, want 900 at most", page, n)
		}
	}
}

// Where few places are far apart, pages are few, too: each reaches farther than the one
// before.
func TestNearby_PagesOfFewPlaces(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(17, 18))
	for _, centre := range []geo.Point{{Lat: 52.52, Lon: 13.405}, {Lon: 180}, {Lat: 89.9}} {
		for _, apart := range []float64{0.1, 1_100, 10_000} {
			var places []chat.Nearby
			for i := range 4 {
				at := centre
				if i > 0 {
					at = around(random, centre, apart*float64(i))
				}
				places = append(places, chat.Nearby{RoomID: fmt.Sprintf("r%d", i), Location: chat.Location{Point: at}})
			}
			x, rooms := newIndex(t, places)
			for _, limit := range []int{1, 2, 50} {
				q := chat.Search{Centre: centre, Radius: 50_000, Limit: limit}
				want, got := lookAtEach(places, q), []string(nil)
				pages := 0
				for more := true; more; more = q.Cursor != "" {
					x.queries.Store(0)
					found, err := rooms.Nearby(t.Context(), q)
					ok(t, err)
					for _, room := range found.Rooms {
						got = append(got, room.RoomID)
					}
					if n := x.queries.Load(); n > 12 {
						t.Errorf("%g m apart, %d a page: page %d took %d queries, want 12 at most", apart, limit, pages, n)
					}
					q.Cursor = found.Cursor
					if pages++; pages > 2*len(want)/limit+3 {
						t.Fatalf("%g m apart, %d a page: %d pages for %d rooms", apart, limit, pages, len(want))
					}
				}
				same(t, q, want, got)
				t.Logf("%g m apart, %d a page: %d pages", apart, limit, pages)
			}
		}
	}
}

// Where small places are followed by the largest there are, a page reads more than it
// meant to, but no more than one sync may.
func TestNearby_UnitsOfAPage(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(13, 14))
	city := geo.Point{Lat: 52.52, Lon: 13.405}
	var places []chat.Nearby
	for i := range 60_000 {
		p := chat.Nearby{RoomID: fmt.Sprintf("r%05d", i), Location: chat.Location{Point: around(random, city, 3_000)}}
		if geo.Distance(city, p.Location.Point) > 300 {
			p.Name, p.Location.Address = strings.Repeat("😀", 100), strings.Repeat("😀", chat.MaxAddress)
		}
		places = append(places, p)
	}
	x, rooms := newIndex(t, places)
	most := 0.0
	for range 20 {
		q := chat.Search{Centre: around(random, city, 400), Radius: 5_000, Limit: 1 + random.IntN(100)}
		for page := 0; page == 0 || q.Cursor != "" && page < 20; page++ {
			x.bytes.Store(0)
			found, err := rooms.Nearby(t.Context(), q)
			ok(t, err)
			most = max(most, float64(x.bytes.Load())/8192)
			q.Cursor = found.Cursor
		}
	}
	if t.Logf("the most read units of a page: %.1f", most); most > 614 {
		t.Errorf("a page read %.1f units, want 614 at most", most)
	}
}

// Rooms of one point come on pages behind places of it that have ended.
func TestNearby_EndedInBetween(t *testing.T) {
	t.Parallel()
	at := geo.Point{Lat: 52.52, Lon: 13.405}
	var places []chat.Nearby
	for i := range 1_000 {
		p := chat.Nearby{RoomID: fmt.Sprintf("r%05d", i), Location: chat.Location{Point: at}}
		if i%100 > 20 {
			p.Location.EndsAt = epoch - 1
		}
		places = append(places, p)
	}
	x, rooms := newIndex(t, places)
	var want []string
	for _, p := range places {
		if p.Location.EndsAt == 0 {
			want = append(want, p.RoomID)
		}
	}
	for _, limit := range []int{7, 10, 50} {
		q := chat.Search{Centre: at, Radius: 1_000, Limit: limit}
		got, limited := pages(t, x, rooms, q)
		if same(t, q, want, got); limited {
			t.Errorf("%+v: limited", q)
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
