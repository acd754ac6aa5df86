package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func atOnce(context.Context, time.Duration) error { return nil }

// check verifies, without waiting, a table without traffic.
func check(t testing.TB, w *rig.Operated, c verify.Config) (verify.Report, map[string]verify.Difference) {
	t.Helper()
	found := map[string]verify.Difference{}
	c.DB, c.Table, c.Files = w.Clients.Table, w.Deployment.Table, objects.New(w.Clients.Config, w.Deployment.Attachments)
	c.Found = func(d verify.Difference) { found[d.Kind+" "+d.PK+" "+d.SK+" "+d.Problem] = d }
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = atOnce
	}
	if c.Leftover == 0 {
		c.Leftover = time.Hour
	}
	if c.OrderInterval == 0 {
		c.OrderInterval = chat.OrderInterval
	}
	report, err := verify.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if report.Differences != len(found) {
		t.Errorf("%d differences are reported, %d in sum", len(found), report.Differences)
	}
	return report, found
}

func set(t testing.TB, w *rig.Operated, k table.Key, name string, value types.AttributeValue) {
	t.Helper()
	_, err := w.DB().UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(local.TableName), Key: rig.Keyed(k, nil), UpdateExpression: aws.String("SET #n = :v"),
		ExpressionAttributeNames: map[string]string{"#n": name}, ExpressionAttributeValues: rig.Item{":v": value},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func unset(t testing.TB, w *rig.Operated, k table.Key) {
	t.Helper()
	_, err := w.DB().UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(local.TableName), Key: rig.Keyed(k, nil), UpdateExpression: aws.String("REMOVE #sk, #pk"),
		ExpressionAttributeNames: map[string]string{"#sk": table.GSI1SK, "#pk": table.GSI1PK},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func remove(w *rig.Operated, k table.Key) { w.Write(rig.Keyed(k, nil)) }

// TestUnrepairableRoomsAreReported has a room without its description, and one
// without an owner; a direct message has none, nor has the lobby.
func TestUnrepairableRoomsAreReported(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(3, 2, 2)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	remove(w, table.Room("room-0000"))
	set(t, w, table.Member("room-0001", "room-0001-0"), table.Role, attribute.Text("member"))
	set(t, w, table.Member("room-0002", "room-0002-0"), table.Role, attribute.Text("member"))
	set(t, w, table.Room("room-0002"), table.Type, attribute.Text("dm"))
	w.Token("guest", 0) // joins the lobby
	w.Write(rig.Keyed(table.Key{PK: "ELSE#1", SK: "x"}, rig.Item{"a": attribute.Text("b")}))
	report, found := check(t, w, verify.Config{Repair: true})
	if report.Differences != 2 || report.Repaired != 0 || report.Foreign != 1 || report.Kinds["member"] != 3*2+1 {
		t.Errorf("%+v, %v", report, found)
	}
	problems := map[string]string{}
	for _, d := range found {
		if d.Kind != verify.Room || !strings.Contains(d.Note, "can't be repaired") {
			t.Errorf("%+v", d)
		}
		problems[d.PK] = d.Problem
	}
	if diff := cmp.Diff(map[string]string{
		table.Room("room-0000").PK: "the room has members but no description",
		table.Room("room-0001").PK: "the room has members but no owner",
	}, problems); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestARoomThatEndedIsNoDifference: its last member left, and what was said stays.
func TestARoomThatEndedIsNoDifference(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(1, 1, 2)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	store := dynamo.New(w.DB(), local.TableName, time.Now)
	gone, err := store.RemoveMember(t.Context(), "room-0000", chat.Member{UserID: "room-0000-0", Role: chat.Owner}, chat.Member{})
	if err != nil || !gone {
		t.Fatalf("leave: %t, %v", gone, err)
	}
	report, found := check(t, w, verify.Config{})
	if len(found) > 0 || report.Suspects > 0 || report.Kinds["member"] != 0 || report.Kinds["lastmessage"] != 1 {
		t.Errorf("%+v, %v", report, found)
	}
}

// TestAChangeThatIsOnItsWayIsNoDifference has a consumer that has not heard yet
// of what happened to the newest messages.
func TestAChangeThatIsOnItsWayIsNoDifference(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(2, 1, 2)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	w.Consumers.Plant(func(string, []events.DynamoDBEventRecord) ([]byte, error) { return []byte(`{}`), nil })
	before := time.Now()
	w.Edit("room-0000", "edited")
	w.Delete("room-0001")
	report, found := check(t, w, verify.Config{Now: func() time.Time { return before }})
	if len(found) > 0 || report.Suspects != 2 {
		t.Errorf("while it may be on its way: %+v, %v", report, found)
	}
	after := time.Now().Add(time.Second)
	if _, found = check(t, w, verify.Config{Now: func() time.Time { return after }}); len(found) != 2 {
		t.Errorf("when it should have come: %v", found)
	}
}

// TestARepairResurrectsNothing deletes a message when its room is about to be
// repaired, and lets the consumer read it before that.
func TestARepairResurrectsNothing(t *testing.T) {
	const room = "room-0000"
	for name, test := range map[string]struct {
		stands  string // in LASTMESSAGE
		problem string
		note    string
	}{
		"which the consumer could not write": {"7ZZZZZZZZZ0000000000000000", "which is not there", ""},
		"which the consumer has written":     {"01B3F2133F0000000000000000", "is behind", "it has changed since it was read; verify again"},
	} {
		t.Run(name, func(t *testing.T) {
			wire := &beforeUpdates{}
			w := rig.StartOperated(t, rig.OperatedOptions{Wrap: func(next http.RoundTripper) http.RoundTripper {
				wire.next = next
				return wire
			}})
			records := w.Seed(1, 1, 2)
			rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
			set(t, w, table.LastMessage(room), table.MessageID, attribute.Text(test.stands))
			var once sync.Once
			wire.do = func() {
				once.Do(func() {
					w.Delete(room)
					rig.Eventually(t, "the deletion", func() bool { return w.Consumers.Mapped(table.MessagePrefix) == 3 })
				})
			}
			_, found := check(t, w, verify.Config{Repair: true})
			for _, d := range found {
				if !strings.Contains(d.Problem, test.problem) || d.Note != test.note || d.Repaired != (test.note == "") {
					t.Errorf("%+v", d)
				}
			}
			last := w.Dump()[table.LastMessage(room)]
			if len(found) != 1 || !strings.Contains(last, "preview= ") || strings.Contains(last, "deletedAt=0") {
				t.Errorf("%v; the last message is %q", found, last)
			}
			if _, found := check(t, w, verify.Config{}); len(found) > 0 {
				t.Errorf("after the repair: %v", found)
			}
		})
	}
}

// beforeUpdates does something before each update of an item.
type beforeUpdates struct {
	next http.RoundTripper
	do   func()
}

func (m *beforeUpdates) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateItem") {
		m.do()
	}
	return m.next.RoundTrip(r)
}

// TestLeftoversAreFoundAndRepaired asks by a clock that is ahead of the table's,
// which removes by itself what has expired.
func TestLeftoversAreFoundAndRepaired(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	now := time.Now()
	old := map[table.Key]bool{
		table.Sent("u", "old"): true, table.Created("u", "old"): true, table.Slice("old", 1): true,
	}
	expiring := func(k table.Key, at time.Time) {
		w.Write(rig.Keyed(k, rig.Item{table.RoomID: attribute.Text("r"), table.TTL: attribute.Number(at.Unix())}))
	}
	for k := range old {
		expiring(k, now.Add(10*time.Minute))
	}
	for _, k := range []table.Key{table.Sent("u", "new"), table.Created("u", "new"), table.Slice("new", 1)} {
		expiring(k, now.Add(100*time.Hour))
	}
	w.Write(rig.Keyed(table.Profile("u"), rig.Item{table.DisplayName: attribute.Text("U"), table.At: attribute.Number(1)}))
	later := verify.Config{Now: func() time.Time { return time.Now().Add(50 * time.Hour) }, Leftover: 48 * time.Hour, Repair: true}
	_, found := check(t, w, later)
	if len(found) != len(old) {
		t.Errorf("%v", found)
	}
	for _, d := range found {
		if d.Kind != verify.Leftover || !old[table.Key{PK: d.PK, SK: d.SK}] || !d.Repaired {
			t.Errorf("%+v", d)
		}
	}
	if _, found := check(t, w, later); len(found) > 0 {
		t.Errorf("after the repair: %v", found)
	}
}

// TestTheOrderMayBeAnIntervalBehind: not more, and not at all where the member has hidden
// the room, since the next message brings that back.
func TestTheOrderMayBeAnIntervalBehind(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	const members = 5
	w.Write(rig.RoomItems("small", members, 3)...)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == members+3 })
	newest := rig.Epoch.UnixMilli() + 3_000
	list := func(i int) table.Key { return table.Participation(fmt.Sprintf("small-%d", i), "small") }
	set(t, w, table.Room("small"), table.CreatedAt, attribute.Number(1)) // else nothing may stand before it
	for i, behind := range []int64{0, 10_000, 10_001, 60_000, 1} {
		set(t, w, list(i), table.GSI1SK, attribute.Text(table.Millis(newest-behind)))
	}
	set(t, w, list(4), table.HiddenAt, attribute.Text(table.Millis(newest-1)))
	unset(t, w, list(4))
	for interval, want := range map[time.Duration]int{time.Minute: 1, 10 * time.Second: 3, time.Microsecond: 4} {
		if _, found := check(t, w, verify.Config{OrderInterval: interval}); len(found) != want {
			t.Errorf("at most %v behind: %v, want %d", interval, found, want)
		}
	}
}

// TestLargeRoomsFollowTheirRules: a place in the lists of a large room may be a
// minute behind, and that of a very large one anywhere, but not ahead.
func TestLargeRoomsFollowTheirRules(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	const members = 1_100
	w.Write(rig.RoomItems("large", members, 3)...)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == members+3 })
	newest := rig.Epoch.UnixMilli() + 3_000
	place := func(i int, ms int64) {
		set(t, w, table.Participation(fmt.Sprintf("large-%d", i), "large"), table.GSI1SK, attribute.Text(table.Millis(ms)))
	}
	set(t, w, table.Room("large"), table.CreatedAt, attribute.Number(1)) // else nothing may stand before it
	for i := range members {
		if i >= 3 {
			continue
		}
		place(i, newest)
	}
	place(3, newest-59_000)
	place(4, newest-61_000)
	place(5, newest+1)
	_, found := check(t, w, verify.Config{OrderInterval: time.Minute})
	if len(found) != 2 {
		t.Errorf("of a room of %d: %v", members, found)
	}
	set(t, w, table.Room("large"), table.MemberCount, attribute.Number(10_001))
	_, found = check(t, w, verify.Config{OrderInterval: time.Minute})
	kinds := map[string]int{}
	for _, d := range found {
		kinds[d.Kind]++
	}
	if diff := cmp.Diff(map[string]int{verify.Order: 1, verify.Room: 1}, kinds); diff != "" { // the number is none
		t.Errorf("of a room of 10,001: %v (-want +got):\n%s", found, diff)
	}
}

// TestACleanTableUnderLoadHasNoDifference verifies again and again while people
// write, edit, delete, read, join, leave, connect and disconnect.
func TestACleanTableUnderLoadHasNoDifference(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(20, 3, 20)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	var rooms []string
	for i := range 5 {
		rooms = append(rooms, fmt.Sprintf("room-%04d", i))
	}
	traffic := w.Talk(rooms, 2*time.Millisecond)
	suspects := 0
	for range 8 {
		report, found := check(t, w, verify.Config{
			// The consumers have as long as they need, in place of a fixed time.
			Wait: func(context.Context, time.Duration) error { traffic.Drained(); return nil },
		})
		suspects += report.Suspects
		if len(found) > 0 {
			t.Errorf("%+v: %v", report, found)
		}
	}
	traffic.Stop()
	if suspects == 0 || traffic.Messages() == 0 {
		t.Errorf("%d messages were written, %d were candidates: nothing was tested", traffic.Messages(), suspects)
	}
}

// TestARepairLeavesWhatHasChanged: between the last check and the repair, the
// room gets a message.
func TestARepairLeavesWhatHasChanged(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(2, 1, 2)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	k := table.Participation("room-0001-0", "room-0001")
	remove(w, table.LastMessage("room-0000"))
	set(t, w, k, table.GSI1SK, attribute.Text(table.Millis(5)))
	c := verify.Config{
		DB: w.Clients.Table, Table: w.Deployment.Table, Now: time.Now, Leftover: time.Hour, Wait: atOnce, Repair: true,
		OrderInterval: chat.OrderInterval,
	}
	var notes []string
	c.Found = func(d verify.Difference) {
		if d.Kind == verify.LastMessage { // the first that is repaired
			set(t, w, k, table.GSI1SK, attribute.Text(table.Millis(6)))
		}
		notes = append(notes, d.Note)
	}
	report, err := verify.Run(t.Context(), c)
	if diff := cmp.Diff([]string{"", "it has changed since it was read; verify again"}, notes); err != nil || diff != "" || report.Repaired != 1 {
		t.Errorf("%+v, %v (-want +got):\n%s", report, err, diff)
	}
}

func TestVerifyingEndsWhenItIsStopped(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Write(rig.RoomItems("r", 1, 1)...)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := verify.Run(ctx, verify.Config{DB: w.Clients.Table, Table: w.Deployment.Table, Now: time.Now})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
