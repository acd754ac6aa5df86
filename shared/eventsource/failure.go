package eventsource

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/streamroom/streamroom/shared/topology"
)

// Conditions of a Failure.
const (
	RetryAttemptsExhausted = "RetryAttemptsExhausted"
	RecordAgeExceeded      = "RecordAgeExceeded"
)

// Failure is the record that a mapping sends to its on-failure destination about
// records that it gave up, as an object of S3 ("Retain discarded records for a
// DynamoDB event source in Lambda", AWS Lambda Developer Guide).
type Failure struct {
	Request   RequestContext   `json:"requestContext"`
	Response  *ResponseContext `json:"responseContext,omitempty"` // nil for RecordAgeExceeded
	Version   string           `json:"version"`                   // "1.0"
	Timestamp string           `json:"timestamp"`                 // RFC 3339 in UTC, with ms
	Batch     BatchInfo        `json:"DDBStreamBatchInfo"`
	Payload   Payload          `json:"payload,omitempty"` // the event whose records were given up
}

// Payload is an event, which an on-failure record holds as a string of JSON.
type Payload []byte

// MarshalJSON implements json.Marshaler.
func (p Payload) MarshalJSON() ([]byte, error) { return json.Marshal(string(p)) }

// UnmarshalJSON implements json.Unmarshaler. It takes an event that is not in a
// string, too: AWS's page shows only a placeholder in quotes.
func (p *Payload) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte(`"`)) {
		*p = bytes.Clone(data)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*p = Payload(text)
	return nil
}

// Records returns the records of the event, each as JSON; none without an event.
func (p Payload) Records() ([]json.RawMessage, error) {
	if len(p) == 0 {
		return nil, nil
	}
	var event struct{ Records []json.RawMessage }
	if err := json.Unmarshal(p, &event); err != nil {
		return nil, fmt.Errorf("read the event of an on-failure record: %w", err)
	}
	return event.Records, nil
}

// FailureTime is a Failure's Timestamp of a time.
func FailureTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// ArrivalTime is when a record came, as a BatchInfo has it.
func ArrivalTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// FailureKey is the key of an on-failure record in a bucket, by the mapping's UUID and
// one of the record's own:
// aws/lambda/MAPPING/SHARD/2006/01/02/2006-01-02T15.04.05-ID.
func FailureKey(mapping, shardID string, at time.Time, id string) string {
	return topology.FailurePrefix + mapping + "/" + shardID + "/" + at.UTC().Format("2006/01/02/2006-01-02T15.04.05") + "-" + id
}

// FailureID is the last part of a key that FailureKey made, the record's own UUID; the
// whole key if it is another one.
func FailureID(key string) string {
	const uuid = 36
	name := key[strings.LastIndex(key, "/")+1:]
	if len(name) <= uuid {
		return key
	}
	return name[len(name)-uuid:]
}

// RequestContext is the last invocation of a failed batch.
type RequestContext struct {
	RequestID              string `json:"requestId"` // "" if the function was never reached
	FunctionARN            string `json:"functionArn"`
	Condition              string `json:"condition"`
	ApproximateInvokeCount int    `json:"approximateInvokeCount"` // since records were last processed
}

// ResponseContext is the outcome of the last invocation.
type ResponseContext struct {
	StatusCode      int     `json:"statusCode"`
	ExecutedVersion string  `json:"executedVersion"`
	FunctionError   *string `json:"functionError"` // nil if the function named failures
}

// BatchInfo names the records that were given up.
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
