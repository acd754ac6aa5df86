package replay_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// mapping is lastmessage's.
func mapping(t testing.TB, w *rig.Operated) (id, state string) {
	t.Helper()
	out, err := w.Clients.Lambda.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(topology.LastMessage)})
	if err != nil || len(out.EventSourceMappings) != 1 {
		t.Fatalf("the mappings: %+v, %v", out, err)
	}
	return aws.ToString(out.EventSourceMappings[0].UUID), aws.ToString(out.EventSourceMappings[0].State)
}

func mappingID(t testing.TB, w *rig.Operated) string {
	t.Helper()
	id, _ := mapping(t, w)
	return id
}

// TestReplayedRecordsAreWhatTheMappingGave compares, record by record, what the
// mapping gave to a function with what a replay gives it.
func TestReplayedRecordsAreWhatTheMappingGave(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	var mu sync.Mutex // the mapping reads shards side by side
	given := map[string]events.DynamoDBEventRecord{}
	collect := func(_ string, records []events.DynamoDBEventRecord) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range records {
			given[r.Change.Keys[table.SK].String()] = r
		}
		return nil, nil
	}
	w.Consumers.Plant(collect)
	w.Write(rig.RoomItems("r", 2, 3)...)
	rig.Eventually(t, "the mapping's records", func() bool { return w.Consumers.Handled(topology.LastMessage) == 5 })
	w.Consumers.Plant(nil)
	original := given
	for _, source := range []replay.Source{replay.FromStream, replay.FromTable} {
		given = map[string]events.DynamoDBEventRecord{}
		w.Consumers.Plant(collect)
		c := plain(t, source)
		c.Selection.Entities = []string{"member", "message"}
		run(t, w, c)
		w.Consumers.Plant(nil)
		for sk, r := range given {
			if r.EventSource != changes.ReplaySource || r.EventSourceArn != changes.ReplaySource+":run" {
				t.Errorf("%s: it comes from %q, %q", source, r.EventSource, r.EventSourceArn)
			}
			r.EventSource, r.EventSourceArn = original[sk].EventSource, original[sk].EventSourceArn
			if source == replay.FromTable { // what only the stream knows
				r.EventID, r.Change.SequenceNumber = original[sk].EventID, original[sk].Change.SequenceNumber
				r.Change.ApproximateCreationDateTime = original[sk].Change.ApproximateCreationDateTime
			}
			given[sk] = r
		}
		if diff := cmp.Diff(original, given, cmp.AllowUnexported(events.DynamoDBAttributeValue{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-mapping +replay):\n%s", source, diff)
		}
	}
}

func TestTheMappingIsPausedWhileTheStreamIsRead(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Write(rig.RoomItems("r", 1, 5)...)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == 6 })
	for _, end := range []string{"its end", "Ctrl-C", "a bug"} {
		ctx, stop := context.WithCancel(t.Context())
		sent := 0
		w.Consumers.Plant(func(_ string, records []events.DynamoDBEventRecord) ([]byte, error) {
			if records[0].EventSource != changes.ReplaySource {
				return nil, nil
			}
			sent++
			if _, state := mapping(t, w); state != "Disabled" {
				t.Errorf("while records are sent, the mapping is %s", state)
			}
			switch end {
			case "Ctrl-C":
				stop()
			case "a bug":
				return nil, errors.New("a bug")
			}
			return nil, nil
		})
		c := plain(t, replay.FromStream)
		c.PauseMapping, c.BatchSize, c.GiveUp = true, 2, 1
		summary, err := replay.Run(ctx, env(w, replay.Events{}), c, nil)
		stop()
		if (err == nil) != (end == "its end") || (summary.Checkpoint != "") != (err != nil) || sent == 0 {
			t.Errorf("%s: sent %d, %+v, %v", end, sent, summary, err)
		}
		rig.Eventually(t, "the mapping goes on after "+end, func() bool {
			_, state := mapping(t, w)
			return state == "Enabled"
		})
	}
	w.Consumers.Plant(nil)
}

// TestAThrottledThirdReaderStops: the stream's own readers come first.
func TestAThrottledThirdReaderStops(t *testing.T) {
	wire := &refusing{code: "LimitExceededException"}
	w := rig.StartOperated(t, rig.OperatedOptions{Wrap: func(next http.RoundTripper) http.RoundTripper {
		wire.next = next
		return wire
	}})
	w.Write(rig.RoomItems("r", 1, 5)...)
	refused := ".GetRecords"
	wire.refused.Store(&refused)
	began := time.Now()
	_, err := replay.Run(t.Context(), env(w, replay.Events{}), plain(t, replay.FromStream), nil)
	if err == nil || !strings.Contains(err.Error(), "--pause-mapping") {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// TestAMappingThatStaysPausedIsSaid refuses to enable the mapping again.
func TestAMappingThatStaysPausedIsSaid(t *testing.T) {
	wire := &refusing{code: "AccessDeniedException"}
	w := rig.StartOperated(t, rig.OperatedOptions{Wrap: func(next http.RoundTripper) http.RoundTripper {
		wire.next = next
		return wire
	}})
	w.Write(rig.RoomItems("r", 1, 1)...)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == 2 })
	id := mappingID(t, w)
	w.Consumers.Plant(func(string, []events.DynamoDBEventRecord) ([]byte, error) {
		wire.refused.Store(&id)
		return nil, nil
	})
	c := plain(t, replay.FromStream)
	c.PauseMapping = true
	_, err := replay.Run(t.Context(), env(w, replay.Events{}), c, nil)
	if err == nil || !strings.Contains(err.Error(), "is still disabled; enable it with aws lambda update-event-source-mapping --uuid "+id) {
		t.Errorf("%v", err)
	}
}

// TestRecordsThatCannotBeRebuiltAreCounted has a message whose id does not carry
// the time of its key.
func TestRecordsThatCannotBeRebuiltAreCounted(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	items := rig.RoomItems("r", 1, 2)
	items = append(items, rig.Keyed(table.Message("r", 5, "01HQ0000000000000000000000"), rig.Item{
		table.SenderID: attribute.Text("r-0"), table.Content: attribute.Text("x"),
	}))
	w.Write(items...)
	if _, summary := run(t, w, plain(t, replay.FromTable)); summary.Records != 2 || summary.Unreadable != 1 {
		t.Errorf("%+v", summary)
	}
}
