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
	metrics.Line(&log, time.UnixMilli(1_709_136_000_123), metrics.Delivered, metrics.Gone).
		Int(metrics.Delivered, 3).Int(metrics.Gone, 0).Msg("served")

	const want = `{
		"delivered": 3, "gone": 0, "message": "served", "FunctionName": "streamroom-fanout",
		"_aws": {"Timestamp": 1709136000123, "CloudWatchMetrics": [{
			"Namespace": "Streamroom", "Dimensions": [["FunctionName"]],
			"Metrics": [{"Name": "delivered", "Unit": "Count"}, {"Name": "gone", "Unit": "Count"}]
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
	metrics.Line(&log, time.UnixMilli(0), metrics.Delivered).Int(metrics.Delivered, 3).Msg("served")
	if want := `{"level":"info","delivered":3,"message":"served"}` + "\n"; out.String() != want {
		t.Errorf("got %s, want %s", &out, want)
	}
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
