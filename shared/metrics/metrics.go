// Package metrics writes log lines in CloudWatch's embedded metric format: a
// line says which of its own numbers are metrics. So a metric costs no call, and
// is never lost where its line is not. See "Specification: Embedded metric
// format" in CloudWatch's user guide.
package metrics

import (
	"context"
	"slices"
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

// The metrics by the log fields that have them: counts, but for DeliveryTime.
const (
	Delivered       = "delivered"      // posts that reached API Gateway
	Gone            = "gone"           // posts to connections that had ended
	Undelivered     = "undelivered"    // posts given up: the client reads the history instead
	FailedRecords   = "failed_records" // stream records to be delivered again
	MalformedRecord = "malformed"      // stream records that were skipped
	Unannounced     = "unannounced"    // stream records that were kept, as no bus took their events
	Internal        = "internal"       // requests of a route that failed for no fault of the client's
	DeliveryTime    = "delivery_ms"    // from a message's time to the end of its posts: a list, see MaxValues
)

// The metrics of the readers of the stream, in the order of their lines.
var (
	OfFanout      = []string{Delivered, Gone, Undelivered, FailedRecords, MalformedRecord, DeliveryTime}
	OfAnnouncing  = append(slices.Clone(OfFanout), Unannounced) // of a fanout that puts events
	OfLastMessage = []string{FailedRecords, MalformedRecord}
)

// MaxValues is how many values of a metric a line may have.
const MaxValues = 100

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metric struct {
	Name string
	Unit string
}

// Line begins a line with counts by their names, and with values of DeliveryTime, of
// which it takes MaxValues. Those of names, in whose order they come, are metrics; at is
// their time. What is 0 is left out: each byte of a line is billed, and no alarm takes a
// lack of data as a breach. A line with metrics is written at every level. One without
// is at level info, as are all outside Lambda, where nothing collects them. There Line
// panics for a count that names leave out: deployed, it would be missed by no one.
func Line(log *zerolog.Logger, at time.Time, names []string, counts map[string]int, times []int64) *zerolog.Event {
	if lambdacontext.FunctionName == "" {
		for name := range counts {
			if !slices.Contains(names, name) {
				panic("metrics: the count " + name + " is not among the names of its function's metrics")
			}
		}
	}
	var used []string
	for _, name := range names {
		if counts[name] != 0 || name == DeliveryTime && len(times) > 0 {
			used = append(used, name)
		}
	}
	var line *zerolog.Event
	if lambdacontext.FunctionName == "" || len(used) == 0 {
		line = log.Info()
	} else {
		line = declare(log.Log(), at, used...)
	}
	for _, name := range used {
		if name == DeliveryTime {
			line = line.Ints64(name, times[:min(len(times), MaxValues)])
		} else {
			line = line.Int(name, counts[name])
		}
	}
	return line
}

// Failed adds to the line of a request that the function could not serve. The line
// has the metric Internal, with the value 1, if the function runs on Lambda. So a
// failure that the caller is told in an answer, which Lambda counts as a success,
// can have an alarm.
func Failed(line *zerolog.Event, at time.Time) *zerolog.Event {
	if lambdacontext.FunctionName == "" {
		return line
	}
	return declare(line, at, Internal).Int(Internal, 1)
}

// declare says that fields of a line are metrics.
func declare(line *zerolog.Event, at time.Time, names ...string) *zerolog.Event {
	d := directive{Namespace: Namespace, Dimensions: [][]string{{Dimension}}}
	for _, name := range names {
		unit := "Count"
		if name == DeliveryTime {
			unit = "Milliseconds"
		}
		d.Metrics = append(d.Metrics, metric{Name: name, Unit: unit})
	}
	return line.Str(Dimension, lambdacontext.FunctionName).Interface("_aws", map[string]any{
		"Timestamp":         at.UnixMilli(),
		"CloudWatchMetrics": []directive{d},
	})
}

// Logger returns a logger whose lines name the invocation, if ctx is one's.
func Logger(ctx context.Context, log zerolog.Logger) zerolog.Logger {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return log.With().Str("request_id", lc.AwsRequestID).Logger()
	}
	return log
}

// Outcome is the value of the field "outcome" of a line.
func Outcome(ok bool) string {
	if ok {
		return "ok"
	}
	return "failed"
}
