// Package metrics makes log lines metrics: by CloudWatch's embedded metric
// format a line says which of its own numbers are some. So a metric costs no
// call, and is never lost where its line is not.
package metrics

import (
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/rs/zerolog"
)

const (
	// Namespace is that of all metrics.
	Namespace = "Streamroom"
	// Dimension is the only one: the name of the function as it is deployed,
	// which tells environments apart.
	Dimension = "FunctionName"
)

// The metrics, all of them counts, by the log fields that have them.
const (
	Delivered       = "delivered"      // posts that reached API Gateway
	Gone            = "gone"           // posts to connections that had ended
	Undelivered     = "undelivered"    // posts given up: the client reads the history instead
	FailedRecords   = "failed_records" // stream records to be delivered again
	MalformedRecord = "malformed"      // stream records that were skipped
)

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metric struct {
	Name string
	Unit string
}

// Line begins a line whose fields called counts are metrics; at is its time. It
// is written at every level, as the metrics are in it. Outside Lambda nobody
// collects them: there it is a line for information.
func Line(log *zerolog.Logger, at time.Time, counts ...string) *zerolog.Event {
	if lambdacontext.FunctionName == "" {
		return log.Info()
	}
	d := directive{Namespace: Namespace, Dimensions: [][]string{{Dimension}}}
	for _, name := range counts {
		d.Metrics = append(d.Metrics, metric{Name: name, Unit: "Count"})
	}
	return log.Log().Str(Dimension, lambdacontext.FunctionName).Interface("_aws", map[string]any{
		"Timestamp":         at.UnixMilli(),
		"CloudWatchMetrics": []directive{d},
	})
}
