package functions_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/geo"
)

var city = geo.Point{Lat: 52.52, Lon: 13.405}

// somewhere is a random point at most some metres from the city's centre.
func somewhere(random *rand.Rand, metres float64) geo.Point {
	const degree = 111_195 // metres
	angle, distance := random.Float64()*2*math.Pi, metres*math.Sqrt(random.Float64())
	return geo.Point{
		Lat: city.Lat + distance*math.Cos(angle)/degree,
		Lon: city.Lon + distance*math.Sin(angle)/degree/math.Cos(city.Lat*math.Pi/180),
	}.Round()
}

// settle gives n rooms places within 50 km of the city's centre.
func (m metered) settle(random *rand.Rand, n int) {
	m.t.Helper()
	direct := m.env.AWS
	direct.HTTPClient = m.table.table
	client := ddb.NewFromConfig(direct)
	var batch []types.WriteRequest
	for i := range n {
		room := chat.Room{ID: fmt.Sprintf("placed-%07d", i), Name: fmt.Sprint("Room ", i)}
		at := chat.Location{Point: somewhere(random, 50_000), Address: fmt.Sprintf("Street %d, Berlin", i)}
		batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: dynamo.PlaceItem(room, at)}})
		if len(batch) == 25 || i == n-1 {
			_, err := client.BatchWriteItem(m.t.Context(), &ddb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tableName: batch}})
			m.must(err)
			batch = batch[:0]
		}
	}
}

// found is what a search answers.
type found struct {
	Rooms   []struct{ ChatRoomID string }
	Cursor  string
	Limited bool
}

func (m metered) search(handler awslambda.Handler, query string) (f found) {
	m.t.Helper()
	m.clock.advance(time.Second) // which is another read's
	answer, err := handler.Invoke(m.t.Context(), m.request("GET", "/nearby", query, ""))
	m.must(err)
	var got struct {
		StatusCode int
		Body       string
	}
	m.must(json.Unmarshal(answer, &got))
	if got.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %s", query, answer)
	}
	m.must(json.Unmarshal([]byte(got.Body), &f))
	return f
}

// BenchmarkNearby prints what a search by place asks of the embedded table, and how long
// it takes there, with all places within 50 km of one point. -short leaves out a million
// places, which take a minute to store:
//
//	go test ./functions -run '^$' -bench BenchmarkNearby -benchtime 100x
func BenchmarkNearby(b *testing.B) {
	for _, places := range sizes(1_000, 100_000, 1_000_000) {
		b.Run(fmt.Sprintf("%d-places", places), func(b *testing.B) {
			random := rand.New(rand.NewPCG(5, 6))
			m := newMetered(b, 0, 1)
			m.settle(random, places)
			handler := m.wired(functions.API)
			for _, search := range []struct {
				name          string
				radius, limit int
				page          int
			}{
				{"first-20-in-1-km", 1_000, 20, 0},
				{"first-20-in-10-km", 10_000, 20, 0},
				{"first-50-in-50-km", 50_000, 50, 0},
				{"page-10-of-50-in-50-km", 50_000, 50, 9},
			} {
				b.Run(search.name, func(b *testing.B) {
					var used total
					var took []time.Duration
					most, units, rooms, limited := 0, 0.0, 0, 0
					for b.Loop() {
						at := somewhere(random, 40_000)
						query := fmt.Sprintf("lat=%v&lon=%v&radius=%d&limit=%d", at.Lat, at.Lon, search.radius, search.limit)
						cursor := ""
						for range search.page {
							if f := m.search(handler, query+cursor); f.Cursor != "" {
								cursor = "&cursor=" + f.Cursor
							}
						}
						m.table.take()
						begun := time.Now()
						f := m.search(handler, query+cursor)
						took = append(took, time.Since(begun))
						u := m.table.take()
						used.add(u)
						most, units = max(most, u.Requests), max(units, u.Read)
						rooms += len(f.Rooms)
						if f.Limited {
							limited++
						}
					}
					used.report(b)
					slices.Sort(took)
					b.ReportMetric(float64(most), "table-requests-most")
					b.ReportMetric(units, "read-units-most")
					b.ReportMetric(float64(rooms)/float64(b.N), "rooms/op")
					b.ReportMetric(float64(limited)/float64(b.N), "limited/op")
					b.ReportMetric(took[len(took)/2].Seconds()*1e3, "ms-p50")
					b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "ms-p99")
				})
			}
		})
	}
}
