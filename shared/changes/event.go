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

// Failed returns the response that has the records of these sequence numbers
// delivered again. The mapping goes back to the lowest of them.
func Failed(sequences []string) Response {
	var out Response
	for _, sequence := range sequences {
		out.BatchItemFailures = append(out.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: sequence})
	}
	return out
}
