package changes

import (
	"encoding/json"

	"github.com/aws/aws-lambda-go/events"
)

// ReplaySource is the eventSource of records that a replay made. They are
// delivered whatever their age. Their eventSourceARN is ReplaySource, a colon
// and the replay's run id: what another run delivered is delivered again.
const ReplaySource = "streamroom:replay"

// Event is what a stream mapping invokes a function with. Records are decoded
// one by one, so that one that is broken does not fail the others.
type Event struct {
	Records []json.RawMessage `json:"Records"`
}

// Response is what a function answers: the records to deliver again.
type Response = events.DynamoDBEventResponse

// Of returns the records of these sequence numbers, in their order.
func (e Event) Of(sequences []string) []json.RawMessage {
	wanted := make(map[string]bool, len(sequences))
	for _, sequence := range sequences {
		wanted[sequence] = true
	}
	var out []json.RawMessage
	for _, raw := range e.Records {
		if r, err := unmarshal(raw); err == nil && wanted[r.Change.SequenceNumber] {
			out = append(out, raw)
		}
	}
	return out
}

// Failed returns the response that has the records of these sequence numbers
// delivered again. The mapping goes back to the lowest of them.
func Failed(sequences []string) Response {
	var out Response
	for _, sequence := range sequences {
		out.BatchItemFailures = append(out.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: sequence})
	}
	return out
}
