package eventsource

// Conditions of a Failure.
const (
	RetryAttemptsExhausted = "RetryAttemptsExhausted"
	RecordAgeExceeded      = "RecordAgeExceeded"
)

// Failure is the record that a mapping sends to its on-failure destination about
// records that it gave up, as SQS gets it ("Retain discarded records for a
// DynamoDB event source in Lambda"). It holds metadata only; the records can be
// read from the stream by their sequence numbers for 24 hours.
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
