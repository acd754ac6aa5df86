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

// Counts declares that fields of the line are metrics. at is the line's time.
// Outside Lambda nobody collects them, and the line stays as it is.
func Counts(line *zerolog.Event, at time.Time, fields ...string) *zerolog.Event {
	if lambdacontext.FunctionName == "" {
		return line
	}
	d := directive{Namespace: Namespace, Dimensions: [][]string{{Dimension}}}
	for _, field := range fields {
		d.Metrics = append(d.Metrics, metric{Name: field, Unit: "Count"})
	}
	return line.Str(Dimension, lambdacontext.FunctionName).Interface("_aws", map[string]any{
		"Timestamp":         at.UnixMilli(),
		"CloudWatchMetrics": []directive{d},
	})
}
