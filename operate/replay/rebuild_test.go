package replay_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// TestProjectionsOfHundredsOfRoomsAreRebuiltFromEachSource begins with a consumer
// that refuses everything: first what it gave up is redriven once it is fixed,
// then its projections are spoilt and rebuilt from each other source.
func TestProjectionsOfHundredsOfRoomsAreRebuiltFromEachSource(t *testing.T) {
	const rooms, members, messages = 300, 1, 2
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Consumers.Plant(func(function string, records []events.DynamoDBEventRecord) ([]byte, error) {
		if function == topology.LastMessage {
			return rig.Refuse(records)
		}
		return nil, nil
	})
	records := w.Seed(rooms, members, messages)
	queue, err := replay.NewFailures(w.Clients, w.Deployment, 1)
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	rig.Eventually(t, "all records given up", func() bool {
		entries, err := queue.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		given = 0
		for _, e := range entries {
			if e.Function != topology.LastMessage || e.Condition != "RetryAttemptsExhausted" {
				t.Fatalf("entry %+v", e)
			}
			given += e.Records
		}
		return given >= records
	})
	if got := w.Dump()[table.LastMessage("room-0001")]; got != "" {
		t.Fatalf("the bug does no harm: %s", got)
	}

	// While the bug is there, a retry removes nothing.
	c := plain(t, replay.FromFailures)
	c.Attempts = 1
	summary, err := replay.Run(t.Context(), env(w, replay.Events{}), c, nil)
	if err == nil || summary.Entries != 0 || len(summary.Failed) == 0 {
		t.Errorf("a retry of what still fails: %+v, %v", summary, err)
	}
	w.Consumers.Plant(nil)
	plan, summary := run(t, w, plain(t, replay.FromFailures))
	if plan.Records != given || summary.Records < records || summary.Entries == 0 {
		t.Errorf("redriven: plan %+v, summary %+v, given up %d", plan, summary, given)
	}
	if entries, err := queue.List(t.Context()); err != nil || len(entries) > 0 {
		t.Errorf("the queue still has %d entries, %v", len(entries), err)
	}
	original := w.Dump()
	for i := range rooms {
		room := fmt.Sprintf("room-%04d", i)
		if last := original[table.LastMessage(room)]; !strings.Contains(last, fmt.Sprintf("preview=message %d", messages-1)) {
			t.Fatalf("the last message of %s is %q", room, last)
		}
		if list := original[table.Participation(room+"-0", room)]; !strings.Contains(list, table.Millis(rig.Epoch.UnixMilli()+messages*1000)) {
			t.Fatalf("%s stands in the list as %q", room, list)
		}
	}

	saved := filepath.Join(t.TempDir(), "records.jsonl")
	run(t, w, replay.Config{Source: replay.FromTable, Target: replay.ToNone, Save: saved, RunID: "save"})
	for _, source := range []replay.Source{replay.FromStream, replay.FromTable, replay.FromFile} {
		w.Spoil()
		c := plain(t, source)
		want := rooms * messages
		if source == replay.FromFile {
			c.File = saved
		}
		if source == replay.FromStream { // it has members, too
			want = records
		}
		plan, summary := run(t, w, c)
		if plan.Records != want || plan.Rooms != rooms || summary.Records != want {
			t.Errorf("%s: plan %+v, summary %+v; want %d records of %d rooms", source, plan, summary, want, rooms)
		}
		if _, err := os.Stat(c.Checkpoint); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the checkpoint of a run that came to its end: %v", source, err)
		}
		rig.SameDumps(t, string(source), w.Dump(), original)
	}
}
