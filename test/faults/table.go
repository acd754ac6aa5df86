package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// How DynamoDB's protocol names an operation, errors and checksums.
const (
	targetHeader   = "X-Amz-Target"
	checksumHeader = "X-Amz-Crc32"
	contentType    = "application/x-amz-json-1.0"
	namespace      = "com.amazonaws.dynamodb.v20120810#"
)

// Table wraps a function's way to DynamoDB and its streams in the plan's faults of
// the table.
func (in *Injector) Table(function string, next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		target := r.Header.Get(targetHeader)
		service, operation, _ := strings.Cut(target, ".")
		seam := SeamTable
		if streams(service) {
			seam = SeamStream
		}
		decided := in.decide(call{seam, function, operation}, in.tableChances(service, operation))
		switch decided.fault {
		case throttled, outage:
			discard(r)
			return throttle(r, service, decided.random), nil
		case failed:
			discard(r)
			return refuse(r, http.StatusInternalServerError, "InternalServerError", nil), nil
		case conflict:
			return inConflict(r, operation)
		case reset:
			discard(r)
			return nil, errReset
		case lost:
			carriedOut(next.RoundTrip(r))
			return nil, errReset
		case partial:
			return leaveOut(r, next, decided.random)
		case slow:
			if late := decided.random.IntN(2) == 0; late {
				if err := in.delay(r.Context(), decided.random); err != nil {
					discard(r)
					return nil, err
				}
				return next.RoundTrip(r)
			}
			response, err := next.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			if err := in.delay(r.Context(), decided.random); err != nil {
				_ = response.Body.Close()
				return nil, err
			}
			return response, nil
		}
		return next.RoundTrip(r)
	})
}

// streams says whether a service is DynamoDB Streams.
func streams(service string) bool { return strings.HasPrefix(service, "DynamoDBStreams") }

// tableChances are what may happen to an operation.
func (in *Injector) tableChances(service, operation string) []chance {
	rates := in.plan.Table
	chances := []chance{
		{throttled, rates.Throttled}, {failed, rates.Failed}, {reset, rates.Reset}, {lost, rates.Lost}, {slow, rates.Slow},
	}
	switch {
	case streams(service):
	case operation == "TransactWriteItems", operation == "PutItem", operation == "UpdateItem", operation == "DeleteItem":
		chances = append(chances, chance{conflict, rates.Conflict})
	case operation == "BatchGetItem":
		chances = append(chances, chance{partial, rates.Partial})
	}
	return chances
}

// throttle answers that there is no capacity, in one of the ways of saying so.
func throttle(r *http.Request, service string, random *rand.Rand) *http.Response {
	code := "ProvisionedThroughputExceededException"
	if streams(service) || random.IntN(2) == 0 {
		code = "ThrottlingException"
	}
	return refuse(r, http.StatusBadRequest, code, nil)
}

// inConflict answers that another transaction holds an item.
func inConflict(r *http.Request, operation string) (*http.Response, error) {
	if operation != "TransactWriteItems" {
		discard(r)
		return refuse(r, http.StatusBadRequest, "TransactionConflictException", nil), nil
	}
	var in struct{ TransactItems []json.RawMessage }
	if _, err := readJSON(r, &in); err != nil {
		return nil, err
	}
	reasons := make([]map[string]string, len(in.TransactItems))
	for i := range reasons {
		reasons[i] = map[string]string{"Code": "None"}
	}
	if len(reasons) > 0 {
		reasons[len(reasons)-1] = map[string]string{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
	}
	return refuse(r, http.StatusBadRequest, "TransactionCanceledException", map[string]any{"CancellationReasons": reasons}), nil
}

// refuse answers with an error of DynamoDB's.
func refuse(r *http.Request, status int, code string, more map[string]any) *http.Response {
	answer := map[string]any{"__type": namespace + code, "message": "injected", "Message": "injected"}
	for name, value := range more {
		answer[name] = value
	}
	body, _ := json.Marshal(answer) // texts marshal
	return respond(r, status, body)
}

func respond(r *http.Request, status int, body []byte) *http.Response {
	header := http.Header{}
	header.Set("Content-Type", contentType)
	header.Set(checksumHeader, strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// readJSON reads a request's body to its end.
func readJSON(r *http.Request, into any) (body []byte, err error) {
	defer discard(r)
	if body, err = io.ReadAll(r.Body); err != nil {
		return nil, fmt.Errorf("read a request: %w", err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("decode a request: %w", err)
	}
	return body, nil
}

// keysOf is what a BatchGetItem asks of one table; what isn't named here is kept
// as it is.
type keysOf map[string]json.RawMessage

// leaveOut carries a BatchGetItem out for some of its keys. One at least is
// served, as DynamoDB does.
func leaveOut(r *http.Request, next http.RoundTripper, random *rand.Rand) (*http.Response, error) {
	var in struct{ RequestItems map[string]keysOf }
	body, err := readJSON(r, &in)
	if err != nil {
		return nil, err
	}
	var whole map[string]any
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, fmt.Errorf("decode a request: %w", err)
	}
	served, left := map[string]keysOf{}, map[string]keysOf{}
	for table, asked := range in.RequestItems {
		var keys []json.RawMessage
		if err := json.Unmarshal(asked["Keys"], &keys); err != nil {
			return nil, fmt.Errorf("decode keys: %w", err)
		}
		n := min(len(keys), 1+random.IntN(max(1, len(keys)-1)))
		served[table] = asked.with(keys[:n])
		if n < len(keys) {
			left[table] = asked.with(keys[n:])
		}
	}
	whole["RequestItems"] = served
	some, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	smaller := r.Clone(r.Context())
	smaller.Body, smaller.ContentLength = io.NopCloser(bytes.NewReader(some)), int64(len(some))
	response, err := next.RoundTrip(smaller)
	if err != nil || response.StatusCode != http.StatusOK || len(left) == 0 {
		return response, err
	}
	return unprocessed(response, left)
}

// with is the same request for other keys.
func (k keysOf) with(keys []json.RawMessage) keysOf {
	other := make(keysOf, len(k))
	for name, value := range k {
		other[name] = value
	}
	other["Keys"], _ = json.Marshal(keys) // they were JSON
	return other
}

// unprocessed adds keys that were left out to an answer.
func unprocessed(response *http.Response, left map[string]keysOf) (*http.Response, error) {
	defer response.Body.Close()
	var answer map[string]any
	decoder := json.NewDecoder(response.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("decode an answer: %w", err)
	}
	answer["UnprocessedKeys"] = left
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return respond(response.Request, response.StatusCode, body), nil
}
