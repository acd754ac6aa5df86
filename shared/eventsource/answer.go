package eventsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// failedItems reads a batchItemFailures answer: the indexes of the records that
// it names, in ascending order; none if the whole batch was processed. An error
// means that the whole batch failed.
//
// As "Configuring partial batch response with DynamoDB and Lambda" says: null, {},
// [] and an absent, null or empty list are a success; an identifier that is empty,
// null, under another key or not of the batch fails the whole batch. Names are
// matched exactly.
func failedItems[T any](payload []byte, records []Record[T]) ([]int, error) {
	list, err := itemFailures(payload)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	index := make(map[string]int, len(records))
	for i := range slices.Backward(records) { // a file of records may hold a number twice: the first counts
		index[records[i].SequenceNumber] = i
	}
	failed := make([]int, 0, len(list))
	for _, failure := range list {
		item, _ := failure.(map[string]any)
		id, _ := item["itemIdentifier"].(string)
		i, ok := index[id]
		if !ok {
			return nil, errors.New("invalid itemIdentifier: want a sequence number of the batch")
		}
		failed = append(failed, i)
	}
	slices.Sort(failed)
	return slices.Compact(failed), nil
}

// itemFailures is the list of batchItemFailures in an answer; nil if there is
// none.
func itemFailures(payload []byte) ([]any, error) {
	var answer any
	if payload = bytes.TrimSpace(payload); len(payload) > 0 {
		if err := json.Unmarshal(payload, &answer); err != nil {
			return nil, errors.New("invalid batchItemFailures answer: want JSON")
		}
	}
	var failures any
	switch a := answer.(type) {
	case nil:
	case map[string]any:
		failures = a["batchItemFailures"]
	case []any:
		if len(a) > 0 {
			return nil, errors.New("invalid batchItemFailures answer: want an object, got a list")
		}
	default:
		return nil, errors.New("invalid batchItemFailures answer: want an object")
	}
	if failures == nil {
		return nil, nil
	}
	list, ok := failures.([]any)
	if !ok {
		return nil, errors.New("invalid batchItemFailures: want a list")
	}
	return list, nil
}

// ErrorType reads the errorType of a function error, "" if it has none. The
// error's message may hold what the function was working on: it does not belong
// in logs.
func ErrorType(payload []byte) string {
	var object struct {
		ErrorType string `json:"errorType"`
	}
	_ = json.Unmarshal(payload, &object) // a payload of another shape has no type
	return object.ErrorType
}
