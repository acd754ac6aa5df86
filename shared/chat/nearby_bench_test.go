package chat_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/geo"
)

// BenchmarkNearby prints the queries of a search by place, the places that it reads, and
// its time without that of the index, which is in memory here: BenchmarkNearby of
// functions has an embedded table instead. All places are within 50 km of one point.
// -short leaves out the sizes above a thousand.
func BenchmarkNearby(b *testing.B) {
	city := geo.Point{Lat: 52.52, Lon: 13.405}
	for _, size := range []int{1_000, 100_000, 1_000_000} {
		if testing.Short() && size > 1_000 {
			continue
		}
		random := rand.New(rand.NewPCG(5, 6))
		places := make([]chat.Nearby, size)
		for i := range places {
			places[i] = chat.Nearby{RoomID: fmt.Sprintf("r%07d", i), Location: chat.Location{Point: around(random, city, 50_000)}}
		}
		x, rooms := newIndex(b, places)
		for _, search := range []struct {
			name          string
			radius, limit int
			page          int
		}{
			{"first-20-in-10-km", 10_000, 20, 0},
			{"first-50-in-50-km", 50_000, 50, 0},
			{"page-10-of-50-in-50-km", 50_000, 50, 9},
		} {
			b.Run(fmt.Sprintf("%d-places/%s", size, search.name), func(b *testing.B) {
				var queries, read, most int64
				for b.Loop() {
					b.StopTimer()
					q := chat.Search{Centre: around(random, city, 40_000), Radius: float64(search.radius), Limit: search.limit}
					for range search.page {
						found, err := rooms.Nearby(b.Context(), q)
						ok(b, err)
						q.Cursor = found.Cursor
					}
					x.queries.Store(0)
					x.read.Store(0)
					b.StartTimer()
					_, err := rooms.Nearby(b.Context(), q)
					ok(b, err)
					queries += x.queries.Load()
					most = max(most, x.queries.Load())
					read += x.read.Load()
				}
				b.ReportMetric(float64(queries)/float64(b.N), "queries/op")
				b.ReportMetric(float64(most), "queries-most")
				b.ReportMetric(float64(read)/float64(b.N), "places/op")
			})
		}
	}
}
