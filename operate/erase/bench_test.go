package erase_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/erase"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

// BenchmarkErase erases a user with 100 messages in each of 1,000 rooms of three, in each of
// which another one has as many. With -short there are 20 rooms.
func BenchmarkErase(b *testing.B) {
	rooms, messages := 1_000, 100
	if testing.Short() {
		rooms = 20
	}
	for b.Loop() {
		b.StopTimer()
		w := rig.StartOperated(b, rig.OperatedOptions{})
		for i := range rooms {
			room := fmt.Sprintf("room-%04d", i)
			items := rig.RoomItems(room, 2, messages)
			items = append(items,
				rig.Keyed(table.Member(room, user), rig.Item{table.Role: attribute.Text("member"), table.JoinedAt: attribute.Number(1)}),
				rig.Keyed(table.Participation(user, room), rig.Item{
					table.JoinedAt: attribute.Number(1), table.GSI1PK: attribute.Text(table.UserRooms(user)), table.GSI1SK: attribute.Text(table.Millis(1)),
				}))
			for j := range messages {
				items = append(items, rig.MessageItem(room, rig.Epoch.Add(time.Duration(j)*time.Second), user, text))
			}
			w.Write(items...)
		}
		c := config(w)
		c.Apply = true
		var most uint64
		c.Progress = func(int) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		b.StartTimer()
		report, err := erase.Run(b.Context(), c)
		if err != nil || report.Kinds["message"].Erased != rooms*messages {
			b.Fatalf("%+v, %v", report, err)
		}
		b.ReportMetric(report.ReadUnits, "read-units")
		b.ReportMetric(report.WriteUnits, "write-units")
		b.ReportMetric(float64(most)/(1<<20), "heap-MB")
		b.ReportMetric(float64(report.Items), "items")
	}
}
