package eventsource

import (
	"encoding/json"
	"testing"
)

// The records that AWS sends, field by field.
func TestFailureJSON(t *testing.T) {
	failed := "Unhandled"
	f := Failure{
		Request:   RequestContext{"request", "arn:aws:lambda:us-east-1:000000000000:function:f", RetryAttemptsExhausted, 1},
		Response:  &ResponseContext{200, "$LATEST", &failed},
		Version:   "1.0",
		Timestamp: "2019-11-14T00:13:49.717Z",
		Batch:     BatchInfo{"shard", "8", "9", "2019-11-14T00:13:19Z", "2019-11-14T00:13:20Z", 2, "arn"},
	}
	const tail = `,"version":"1.0","timestamp":"2019-11-14T00:13:49.717Z","DDBStreamBatchInfo":{"shardId":"shard",` +
		`"startSequenceNumber":"8","endSequenceNumber":"9","approximateArrivalOfFirstRecord":"2019-11-14T00:13:19Z",` +
		`"approximateArrivalOfLastRecord":"2019-11-14T00:13:20Z","batchSize":2,"streamArn":"arn"}}`
	const head = `{"requestContext":{"requestId":"request","functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f",` +
		`"condition":"RetryAttemptsExhausted","approximateInvokeCount":1}`
	check := func(want string) {
		t.Helper()
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "record", string(text), want)
	}
	check(head + `,"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"}` + tail)
	f.Response.FunctionError = nil
	check(head + `,"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":null}` + tail)
	f.Response = nil
	check(head + tail)
}
