package fanout_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
)

// The time from a message to its posts is a metric; nothing that was not posted
// counts, nor what is no message.
func TestHandle_MeasuresDelivery(t *testing.T) {
	defer func(name string) { lambdacontext.FunctionName = name }(lambdacontext.FunctionName)
	lambdacontext.FunctionName = "streamroom-fanout"
	ids := changestest.MessageIDs(2)
	sentAt, err := chat.MessageTime(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(sentAt + 700)
	measure := func(m *memory, records ...json.RawMessage) (times []int64, declared bool) {
		t.Helper()
		var log bytes.Buffer
		consumer := fanout.New(m, received{}, time.Minute, func() time.Time { return now }, zerolog.New(&log))
		if answer, err := consumer.Handle(t.Context(), changes.Event{Records: records}); err != nil || len(answer.BatchItemFailures) > 0 {
			t.Fatalf("answer %v, error %v; want no failure", answer, err)
		}
		for line := range strings.Lines(log.String()) {
			var last struct {
				Message string  `json:"message"`
				Times   []int64 `json:"delivery_ms"`
			}
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatal(err)
			}
			if last.Message == "fanned out" {
				times, declared = last.Times, strings.Contains(line, `{"Name":"delivery_ms","Unit":"Milliseconds"}`)
			}
		}
		return times, declared
	}
	later, err := chat.MessageTime(ids[1])
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{members: []string{"bob"}, messages: ids}
	times, declared := measure(m, changestest.Send(room, ids[0]), changestest.Send(room, ids[1]))
	if diff := cmp.Diff([]int64{700, now.UnixMilli() - later}, times); diff != "" || !declared {
		t.Errorf("declared %t (-want +got):\n%s", declared, diff)
	}
	if times, declared := measure(&memory{messages: ids}, changestest.Send(room, ids[0])); len(times) > 0 || declared {
		t.Errorf("without posts: %v, declared %t", times, declared)
	}
	if times, declared := measure(m, changestest.Join(room, "bob")); len(times) > 0 || declared {
		t.Errorf("of a member who joins: %v, declared %t", times, declared)
	}

	// Slices that are cut in their turn count, too, but not those of a replay.
	large := func(send json.RawMessage) (times []int64) {
		m := crowd(fanout.SliceAbove+fanout.SliceSize*fanout.SlicesPerCut+1, 2)
		measure(m, send)
		for len(m.stored) > 0 {
			sent, _ := measure(m, m.records(0)...)
			times = append(times, sent...)
		}
		return times
	}
	send := changestest.Send(room, ids[0])
	if times := large(send); len(times) <= fanout.SlicesPerCut || slices.Max(times) != 700 {
		t.Errorf("a large room: %v, want the 700 ms of each slice", times)
	}
	if times := large(changestest.From(send, changes.ReplaySource, changes.ReplaySource+":run")); len(times) > 0 {
		t.Errorf("a replay of a large room: %v, want none", times)
	}
}
