package eventsource

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestFailedItems(t *testing.T) {
	records := []Record[struct{}]{{SequenceNumber: "10"}, {SequenceNumber: "20"}, {SequenceNumber: "30"}}
	const whole = -1
	first := func(payload []byte) int {
		failed, err := failedItems(payload, records)
		switch {
		case err != nil:
			return whole
		case len(failed) == 0:
			return len(records)
		}
		return failed[0]
	}
	tests := map[string]struct {
		answer string
		want   int
	}{
		"nothing":             {``, 3},
		"null":                {`null`, 3},
		"empty object":        {`{}`, 3},
		"empty list":          {`[]`, 3},
		"no failures":         {`{"batchItemFailures":[]}`, 3},
		"null failures":       {`{"batchItemFailures":null}`, 3},
		"another key":         {`{"BatchItemFailures":[{"itemIdentifier":"10"}]}`, 3},
		"one":                 {`{"batchItemFailures":[{"itemIdentifier":"20"}]}`, 1},
		"the first":           {`{"batchItemFailures":[{"itemIdentifier":"10"}]}`, 0},
		"several":             {`{"batchItemFailures":[{"itemIdentifier":"30"},{"itemIdentifier":"20"}]}`, 1},
		"several, in order":   {`{"batchItemFailures":[{"itemIdentifier":"20"},{"itemIdentifier":"30"}]}`, 1},
		"other keys as well":  {`{"state":{},"batchItemFailures":[{"itemIdentifier":"30","x":1}]}`, 2},
		"empty id":            {`{"batchItemFailures":[{"itemIdentifier":""}]}`, whole},
		"null id":             {`{"batchItemFailures":[{"itemIdentifier":null}]}`, whole},
		"id is a number":      {`{"batchItemFailures":[{"itemIdentifier":10}]}`, whole},
		"wrong item key":      {`{"batchItemFailures":[{"ItemIdentifier":"10"}]}`, whole},
		"id of another batch": {`{"batchItemFailures":[{"itemIdentifier":"40"}]}`, whole},
		"one bad id of two":   {`{"batchItemFailures":[{"itemIdentifier":"20"},{"itemIdentifier":"40"}]}`, whole},
		"items are no object": {`{"batchItemFailures":["10"]}`, whole},
		"failures no list":    {`{"batchItemFailures":{"itemIdentifier":"10"}}`, whole},
		"list of items":       {`[{"itemIdentifier":"10"}]`, whole},
		"a string":            {`"ok"`, whole},
		"no JSON":             {`ok`, whole},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, "first failure", first([]byte(tt.answer)), tt.want)
		})
	}
	// The library's own answer without failures.
	text, err := json.Marshal(events.DynamoDBEventResponse{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "first failure of "+string(text), first(text), 3)
}

// All records that an answer names are found, in order and once.
func TestFailedItems_All(t *testing.T) {
	records := []Record[struct{}]{{SequenceNumber: "1"}, {SequenceNumber: "2"}, {SequenceNumber: "2"}, {SequenceNumber: "3"}}
	got, err := failedItems([]byte(`{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":"2"},{"itemIdentifier":"3"}]}`), records)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "failed", got, []int{1, 3})
}
