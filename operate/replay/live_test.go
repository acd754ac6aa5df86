package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// TestReplayDuringLiveTraffic replays again and again while people write, join
// and leave, and then finds nothing that differs.
func TestReplayDuringLiveTraffic(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(10, 3, 10)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	w.Spoil()
	var rooms []string
	for i := range 10 {
		rooms = append(rooms, fmt.Sprintf("room-%04d", i))
	}
	traffic := w.Talk(rooms, 10*time.Millisecond)
	for _, source := range []replay.Source{replay.FromTable, replay.FromStream, replay.FromTable} {
		c := plain(t, source)
		c.BatchSize = 40
		c.Selection.Entities = []string{"message", "member"}
		run(t, w, c)
	}
	traffic.Drained()
	traffic.Stop()
	traffic.Drained()
	var differences []verify.Difference
	report, err := verify.Run(t.Context(), verify.Config{
		DB: w.Clients.Table, Table: w.Deployment.Table, Now: time.Now, Leftover: time.Hour, OrderInterval: chat.OrderInterval,
		Wait:  func(context.Context, time.Duration) error { return nil },
		Found: func(d verify.Difference) { differences = append(differences, d) },
	})
	if err != nil || len(differences) > 0 || report.Kinds["message"] != 100+traffic.Messages() {
		t.Errorf("%d messages were written during it: %+v, %v\n%+v", traffic.Messages(), report, err, differences)
	}
}

// TestMessagesAreDeliveredAgain replays to fanout: the users online get the
// messages that they were to get.
func TestMessagesAreDeliveredAgain(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{Fanout: true})
	w.Write(rig.RoomItems("r", 2, 3)...)
	token := w.Token("r-1", 0)
	socket, _, err := websocket.Dial(t.Context(), w.WebSocketURL(), &websocket.DialOptions{Subprotocols: []string{"streamroom", token}})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	rig.Eventually(t, "the live records", func() bool { return w.Consumers.Handled(topology.Fanout) >= 5 })
	c := plain(t, replay.FromTable)
	c.Target, c.Deliver = topology.Fanout, true
	plan, _ := run(t, w, c)
	if plan.Records != 3 || plan.WriteUnits != 0 {
		t.Errorf("plan %+v", plan)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := map[string]bool{}
	for len(got) < 3 {
		_, data, err := socket.Read(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		for _, content := range []string{"message 0", "message 1", "message 2"} {
			if strings.Contains(string(data), fmt.Sprintf("%q", content)) {
				got[content] = true
			}
		}
	}
}

// TestFailuresAreRedrivenOneByOne has a bug that refuses one room, and looks at
// what the queue is left with.
func TestFailuresAreRedrivenOneByOne(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	bad := func(_ string, records []events.DynamoDBEventRecord) ([]byte, error) {
		if slices.ContainsFunc(records, func(r events.DynamoDBEventRecord) bool {
			return r.Change.Keys[table.PK].String() == table.Room("bad").PK
		}) {
			return nil, errors.New("a bug")
		}
		return nil, nil
	}
	w.Consumers.Plant(func(_ string, records []events.DynamoDBEventRecord) ([]byte, error) { return rig.Refuse(records) })
	w.Write(rig.RoomItems("good", 1, 2)...)
	w.Write(rig.RoomItems("bad", 1, 2)...)
	queue, err := replay.NewFailures(w.Clients, w.Deployment, 1)
	if err != nil {
		t.Fatal(err)
	}
	var entries []replay.Entry
	rig.Eventually(t, "all records given up", func() bool {
		if entries, err = queue.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		given := 0
		for _, e := range entries {
			given += e.Records
		}
		return given == 6
	})
	shown := 0
	for _, e := range entries {
		same, records, err := queue.Show(t.Context(), e.ID)
		if err != nil || same.ID != e.ID || same.Attempts != 1 {
			t.Errorf("show %s: %+v, %v", e.ID, same, err)
		}
		for _, r := range records {
			if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), "message 0") {
				t.Errorf("it shows what people wrote: %s, %v", text, err)
			}
			if r.Entity == "message" || r.Entity == "member" {
				shown++
			}
		}
	}
	if shown < 6 {
		t.Errorf("%d records are shown of %d entries", shown, len(entries))
	}

	// The rest is redriven while one room still fails.
	w.Consumers.Plant(bad)
	c := plain(t, replay.FromFailures)
	c.Attempts = 2
	summary, err := replay.Run(t.Context(), env(w, replay.Events{}), c, nil)
	if err != nil || len(summary.Failed) != 3 || len(summary.Kept) == 0 {
		t.Errorf("retried while a room fails: %+v, %v", summary, err)
	}
	for _, f := range summary.Failed {
		if f.PK != table.Room("bad").PK || f.Reason == "" {
			t.Errorf("reported: %+v", f)
		}
	}
	if last := w.Dump()[table.LastMessage("good")]; !strings.Contains(last, "message 1") {
		t.Errorf("the good room's last message is %q", last)
	}
	left, err := queue.List(t.Context())
	if err != nil || len(left) != len(summary.Kept) {
		t.Errorf("the queue has %d entries, %d were kept, %v", len(left), len(summary.Kept), err)
	}
	if err := queue.Drop(t.Context(), []string{left[0].ID, "nothing"}); err == nil || !strings.Contains(err.Error(), "no entry nothing") {
		t.Errorf("drop what is not there: %v", err)
	}
	c = plain(t, replay.FromFailures)
	c.Entries = []string{left[0].ID}
	w.Consumers.Plant(nil)
	if _, summary := run(t, w, c); summary.Entries != 1 {
		t.Errorf("one by its id: %+v", summary)
	}
	var ids []string
	for _, e := range left[1:] {
		ids = append(ids, e.ID)
	}
	if len(ids) > 0 {
		if err := queue.Drop(t.Context(), ids); err != nil {
			t.Error(err)
		}
	}
	if left, err = queue.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("the queue has %d entries, %v", len(left), err)
	}
}

// TestEditsAndDeletionsAreReplayedAsTheyAre: what was said is rebuilt as it is
// now, and a deletion is not delivered as a message.
func TestEditsAndDeletionsAreReplayedAsTheyAre(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	items := rig.RoomItems("r", 1, 3)
	edited, deleted := items[len(items)-2], items[len(items)-1]
	edited[table.Content], edited[table.EditedAt] = attribute.Text("better"), attribute.Number(7)
	delete(deleted, table.Content)
	deleted[table.EditedAt], deleted[table.DeletedAt] = attribute.Number(8), attribute.Number(8)
	w.Write(items...)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == 4 })
	original := w.Dump()
	w.Spoil()
	run(t, w, plain(t, replay.FromTable))
	rig.SameDumps(t, "rebuilt", w.Dump(), original)

	var got []string
	w.Consumers.Plant(func(function string, records []events.DynamoDBEventRecord) ([]byte, error) {
		for _, r := range records {
			content := ""
			if v, ok := r.Change.NewImage[table.Content]; ok {
				content = v.String()
			}
			got = append(got, function+" "+r.EventName+" "+content)
		}
		return nil, nil
	})
	c := plain(t, replay.FromTable)
	run(t, w, c)
	c.Target, c.Deliver = topology.Fanout, true
	w.Deployment.Functions[topology.Fanout] = topology.LastMessage // which listens here
	run(t, w, c)
	want := []string{
		"lastmessage INSERT message 0", "lastmessage INSERT better", "lastmessage INSERT ",
		"lastmessage INSERT message 0", "lastmessage INSERT better", "lastmessage MODIFY ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
