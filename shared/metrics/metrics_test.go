package metrics_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/metrics"
)

func TestALineDeclaresItsMetrics(t *testing.T) {
	defer func(name string) { lambdacontext.FunctionName = name }(lambdacontext.FunctionName)
	lambdacontext.FunctionName = "streamroom-fanout"
	var out bytes.Buffer
	log := zerolog.New(&out).Level(zerolog.ErrorLevel)
	metrics.Line(&log, time.UnixMilli(1_709_136_000_123), metrics.OfFanout,
		map[string]int{metrics.Delivered: 3, metrics.Gone: 0, metrics.Undelivered: 1}, []int64{12}).Msg("served")

	const want = `{
		"delivered": 3, "undelivered": 1, "delivery_ms": [12], "message": "served", "FunctionName": "streamroom-fanout",
		"_aws": {"Timestamp": 1709136000123, "CloudWatchMetrics": [{
			"Namespace": "Streamroom", "Dimensions": [["FunctionName"]],
			"Metrics": [{"Name": "delivered", "Unit": "Count"}, {"Name": "undelivered", "Unit": "Count"},
				{"Name": "delivery_ms", "Unit": "Milliseconds"}]
		}]}
	}`
	var got, expected any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOutsideLambdaALineIsInformation(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	metrics.Line(&log, time.UnixMilli(0), metrics.OfFanout, map[string]int{metrics.Delivered: 3}, nil).Msg("served")
	if want := `{"level":"info","delivered":3,"message":"served"}` + "\n"; out.String() != want {
		t.Errorf("got %s, want %s", &out, want)
	}
}

// A line on which nothing is to be counted costs no more than its text.
func TestALineWithoutMetricsIsInformation(t *testing.T) {
	defer func(name string) { lambdacontext.FunctionName = name }(lambdacontext.FunctionName)
	lambdacontext.FunctionName = "streamroom-lastmessage"
	var out bytes.Buffer
	log := zerolog.New(&out)
	metrics.Line(&log, time.UnixMilli(0), metrics.OfLastMessage, map[string]int{metrics.FailedRecords: 0}, nil).Msg("served")
	if want := `{"level":"info","message":"served"}` + "\n"; out.String() != want {
		t.Errorf("got %s, want %s", &out, want)
	}
}

// A count that is no metric would be dropped, and its alarm never ring.
func TestACountWithoutAMetricPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a count that is not among the names is dropped")
		}
	}()
	log := zerolog.Nop()
	metrics.Line(&log, time.UnixMilli(0), metrics.OfLastMessage, map[string]int{metrics.Delivered: 0}, nil).Msg("served")
}

func TestFailed(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	metrics.Failed(log.Error(), time.UnixMilli(5)).Msg("handled")
	if want := `{"level":"error","message":"handled"}` + "\n"; out.String() != want {
		t.Errorf("outside Lambda: got %s, want %s", &out, want)
	}
	out.Reset()
	defer func(name string) { lambdacontext.FunctionName = name }(lambdacontext.FunctionName)
	lambdacontext.FunctionName = "streamroom-connect"
	metrics.Failed(log.Error(), time.UnixMilli(5)).Msg("handled")
	const want = `{"level":"error","FunctionName":"streamroom-connect","_aws":{"CloudWatchMetrics":[{"Namespace":"Streamroom",` +
		`"Dimensions":[["FunctionName"]],"Metrics":[{"Name":"internal","Unit":"Count"}]}],"Timestamp":5},"internal":1,"message":"handled"}` + "\n"
	if out.String() != want {
		t.Errorf("got %s, want %s", &out, want)
	}
}
