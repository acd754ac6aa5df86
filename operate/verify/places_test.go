package verify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/geo"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

// TestEveryPlantedPlaceIsFoundAndRepaired plants one difference of each kind in rooms of
// their own. Two places fit, and one of them has expired.
func TestEveryPlantedPlaceIsFoundAndRepaired(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Seed(8, 0, 0)
	at := chat.Location{Point: geo.Point{Lat: 46.9480123, Lon: 7.4474}, Address: "Bern"}
	place := func(i int) table.Key { return table.Place(fmt.Sprintf("room-%04d", i)) }
	for i := range 8 {
		room := fmt.Sprintf("room-%04d", i)
		set(t, w, table.Room(room), table.Visibility, attribute.Text(table.Public))
		if i != 7 {
			set(t, w, table.Room(room), table.PlacedAt, attribute.Number(1))
		}
		w.Write(dynamo.PlaceItem(chat.Room{ID: room, Name: "Room " + room}, at))
	}
	private := table.Room("room-0001")
	w.Write(rig.Keyed(private, rig.Item{
		table.Name: attribute.Text("Room room-0001"), table.Type: attribute.Text("group"), table.CreatedAt: attribute.Number(1),
	}))
	remove(w, place(1))
	remove(w, place(7))
	original := w.Dump()
	if _, found := check(t, w, verify.Config{}); len(found) > 0 {
		t.Fatalf("before: %v", found)
	}
	stray := dynamo.PlaceItem(chat.Room{ID: "gone"}, at)
	w.Write(stray, dynamo.PlaceItem(chat.Room{ID: "room-0001", Name: "Room room-0001"}, at),
		dynamo.PlaceItem(chat.Room{ID: "room-0007", Name: "Room room-0007"}, at))
	set(t, w, place(2), table.GSI2PK, attribute.Text(table.Geo("1")))
	set(t, w, place(3), table.GSI2SK, attribute.Text("0000000000000001"))
	set(t, w, place(4), table.Name, attribute.Text("another"))
	want := map[table.Key]string{
		table.Place("gone"): "is not there", place(1): "is private", place(7): "has none", place(2): "GSI2", place(3): "GSI2", place(4): "name",
	}
	report, found := check(t, w, verify.Config{Repair: true})
	for _, d := range found {
		says, ok := want[table.Key{PK: d.PK, SK: d.SK}]
		if !ok || d.Kind != verify.Place || !d.Repaired || !strings.Contains(d.Problem, says) {
			t.Errorf("%+v", d)
		}
	}
	if len(found) != len(want) {
		t.Errorf("%+v, %v", report, found)
	}
	rig.SameDumps(t, "after the repair", w.Dump(), original)
	set(t, w, place(5), table.Lat, attribute.Number(91))
	set(t, w, place(6), table.TTL, attribute.Number(time.Now().Add(time.Minute).Unix()))
	set(t, w, place(6), table.Name, attribute.Text("another"))
	later := func() time.Time { return time.Now().Add(2 * time.Minute) }
	report, found = check(t, w, verify.Config{Repair: true, Now: later})
	if len(found) != 1 || report.Repaired != 0 {
		t.Errorf("without coordinates: %v", found)
	}
}
