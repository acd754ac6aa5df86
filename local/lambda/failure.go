package lambda

import (
	"encoding/json"
	"time"

	"github.com/rs/zerolog"
)

// Conditions of a Failure.
const (
	RetryAttemptsExhausted = "RetryAttemptsExhausted"
	RecordAgeExceeded      = "RecordAgeExceeded"
)

// Failure is what a mapping sends about records that it gave up: AWS's
// on-failure record for SQS. It holds metadata only; the records can be read
// from the stream by their sequence numbers for a day.
type Failure struct {
	Request   RequestContext   `json:"requestContext"`
	Response  *ResponseContext `json:"responseContext,omitempty"` // nil for RecordAgeExceeded
	Version   string           `json:"version"`                   // "1.0"
	Timestamp string           `json:"timestamp"`                 // RFC 3339 in UTC, with ms
	Batch     BatchInfo        `json:"DDBStreamBatchInfo"`
}

// RequestContext is the last invocation of a failed batch.
type RequestContext struct {
	RequestID              string `json:"requestId"` // "" if the function was never reached
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"` // since records were last processed
}

// ResponseContext is what the last invocation came to.
type ResponseContext struct {
	StatusCode      int     `json:"statusCode"`
	ExecutedVersion string  `json:"executedVersion"`
	FunctionError   *string `json:"functionError"` // nil if the function named failures
}

// BatchInfo says which records were given up.
type BatchInfo struct {
	ShardID             string `json:"shardId"`
	StartSequenceNumber string `json:"startSequenceNumber"`
	EndSequenceNumber   string `json:"endSequenceNumber"`
	// Times in RFC 3339 and UTC, to the second.
	ApproximateArrivalOfFirstRecord string `json:"approximateArrivalOfFirstRecord"`
	ApproximateArrivalOfLastRecord  string `json:"approximateArrivalOfLastRecord"`
	BatchSize                       int    `json:"batchSize"`
	StreamARN                       string `json:"streamArn"`
}

func newFailure(s *shard, records []record, last Result, invocations int, condition string) Failure {
	first, end := records[0], records[len(records)-1]
	f := Failure{
		Request: RequestContext{
			RequestID:              last.RequestID,
			FunctionARN:            FunctionARN(s.Function),
			Condition:              condition,
			ApproximateInvokeCount: invocations,
		},
		Version:   "1.0",
		Timestamp: s.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		Batch: BatchInfo{
			ShardID:                         s.id,
			StartSequenceNumber:             first.sequence,
			EndSequenceNumber:               end.sequence,
			ApproximateArrivalOfFirstRecord: first.created.UTC().Format(time.RFC3339),
			ApproximateArrivalOfLastRecord:  end.created.UTC().Format(time.RFC3339),
			BatchSize:                       len(records),
			StreamARN:                       s.StreamARN,
		},
	}
	if condition != RecordAgeExceeded {
		f.Response = &ResponseContext{StatusCode: 200, ExecutedVersion: last.ExecutedVersion}
		if last.FunctionError != "" {
			f.Response.FunctionError = &last.FunctionError
		}
	}
	return f
}

// errorType reads the type of error out of a function error. Its message may
// hold what the function was working on, and stays out of logs.
func errorType(result Result) string {
	var object struct{ ErrorType string }
	_ = json.Unmarshal(result.Payload, &object) // an answer of another shape has no type
	return object.ErrorType
}

// logAttempt begins the log line of an attempt that left records to do.
func (l *lane) logAttempt(result Result, records []record, tries int) *zerolog.Event {
	return l.Logger.Warn().Str("shard", l.id).Str("requestId", result.RequestID).Str("functionError", result.FunctionError).Str("errorType", errorType(result)).
		Int("records", len(records)).Str("start", records[0].sequence).Int("attempt", tries)
}
