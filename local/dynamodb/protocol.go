package dynamodb

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
	"github.com/streamroom/streamroom/local/stack"
)

// maxBody is the size limit of a request in bytes. The largest useful request is a full
// batch of writes: 16 MB of items in JSON.
const maxBody = 32 << 20

const contentType = "application/x-amz-json-1.0"

// The prefixes of X-Amz-Target.
const (
	targetTables  = "DynamoDB_20120810."
	targetStreams = "DynamoDBStreams_20120810."
)

// handler carries out one request and returns the body of the answer. An error other than
// those of refusal is answered as InternalServerError.
type handler func(e *Engine, ctx context.Context, body string) ([]byte, error)

// direct makes a handler that reads its request piece by piece.
func direct(run func(e *Engine, ctx context.Context, r *jsonio.Reader) ([]byte, error)) handler {
	return func(e *Engine, ctx context.Context, body string) ([]byte, error) {
		return run(e, ctx, jsonio.NewReader(body))
	}
}

// typed makes a handler for a small request and answer from encoding/json.
func typed[In, Out any](run func(e *Engine, ctx context.Context, in *In) (*Out, error)) handler {
	return func(e *Engine, ctx context.Context, body string) ([]byte, error) {
		in := new(In)
		if err := json.Unmarshal([]byte(body), in); err != nil {
			if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				return nil, &Error{Code: codeSerialization, Message: strings.ToUpper(mismatch.Value) + "_VALUE cannot be converted to what " + mismatch.Field + " is"}
			}
			return nil, &Error{Code: codeSerialization, Message: err.Error()}
		}
		out, err := run(e, ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

var handlers = map[string]handler{
	targetTables + "PutItem":            direct((*Engine).putItem),
	targetTables + "GetItem":            direct((*Engine).getItem),
	targetTables + "UpdateItem":         direct((*Engine).updateItem),
	targetTables + "DeleteItem":         direct((*Engine).deleteItem),
	targetTables + "Query":              direct((*Engine).query),
	targetTables + "Scan":               direct((*Engine).scan),
	targetTables + "BatchGetItem":       direct((*Engine).batchGetItem),
	targetTables + "BatchWriteItem":     direct((*Engine).batchWriteItem),
	targetTables + "TransactWriteItems": direct((*Engine).transactWriteItems),
	targetTables + "TransactGetItems":   direct((*Engine).transactGetItems),
	targetTables + "CreateTable":        typed((*Engine).createTable),
	targetTables + "DescribeTable":      typed((*Engine).describeTable),
	targetTables + "DeleteTable":        typed((*Engine).deleteTable),
	targetTables + "ListTables":         typed((*Engine).listTables),
	targetTables + "UpdateTimeToLive":   typed((*Engine).updateTimeToLive),
	targetTables + "DescribeTimeToLive": typed((*Engine).describeTimeToLive),

	targetTables + "UpdateTable":               typed((*Engine).updateTable),
	targetTables + "TagResource":               typed((*Engine).tagResource),
	targetTables + "UntagResource":             typed((*Engine).untagResource),
	targetTables + "ListTagsOfResource":        typed((*Engine).listTagsOfResource),
	targetTables + "DescribeLimits":            typed((*Engine).describeLimits),
	targetTables + "DescribeEndpoints":         typed((*Engine).describeEndpoints),
	targetTables + "DescribeContinuousBackups": typed((*Engine).describeContinuousBackups),

	targetStreams + "ListStreams":      typed((*Engine).listStreams),
	targetStreams + "DescribeStream":   typed((*Engine).describeStream),
	targetStreams + "GetShardIterator": typed((*Engine).getShardIterator),
	targetStreams + "GetRecords":       direct((*Engine).getRecords),
}

// answer carries out a request. Its error is nil unless the request's context has ended
// or its body could not be read.
func (e *Engine) answer(r *http.Request) (status int, body []byte, err error) {
	stack.Statement(0)
	var out []byte
	err = guard(func() (err error) {
		out, err = e.dispatch(r)
		return err
	})
	if err == nil {
		return http.StatusOK, out, nil
	}
	if ended := r.Context().Err(); ended != nil {
		return 0, nil, ended
	}
	refused := e.refusal(err, r.Header.Get("X-Amz-Target"))
	return refused.status(), refused.appendJSON(nil), nil
}

func (e *Engine) dispatch(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, &Error{Code: codeUnknownOperation}
	}
	target := r.Header.Get("X-Amz-Target")
	run, ok := handlers[target]
	if !ok {
		name := target[strings.LastIndexByte(target, '.')+1:]
		if name == "" {
			return nil, &Error{Code: codeUnknownOperation, Message: "The header X-Amz-Target names no operation"}
		}
		return nil, &Error{Code: codeUnknownOperation, Message: "The local table engine leaves out the operation " + name}
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return run(e, r.Context(), body)
}

func readBody(r *http.Request) (string, error) {
	if r.Body == nil {
		return "", nil
	}
	if r.ContentLength > maxBody {
		return "", tooLarge()
	}
	var b []byte
	var err error
	if r.ContentLength >= 0 {
		b = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, b)
	} else {
		b, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	}
	switch {
	case err != nil:
		return "", &Error{Code: codeSerialization, Message: "The request's body ended too early"}
	case len(b) > maxBody:
		return "", tooLarge()
	}
	return string(b), nil
}

func tooLarge() error { return &Error{Code: codeTooLarge, Message: "Request size exceeded limit"} }

// refusal turns an error into the one that the client gets.
func (e *Engine) refusal(err error, target string) *Error {
	if refused, ok := errors.AsType[*Error](err); ok {
		return refused
	}
	if invalid, ok := errors.AsType[*item.Error](err); ok {
		return &Error{Code: codeValidation, Message: invalid.Message}
	}
	if mismatch, ok := errors.AsType[*jsonio.TypeError](err); ok {
		return &Error{Code: codeSerialization, Message: mismatch.Message}
	}
	if syntax, ok := errors.AsType[*jsonio.SyntaxError](err); ok {
		return &Error{Code: codeSerialization, Message: syntax.Error()}
	}
	if !errors.Is(err, errClosed) {
		e.log.Error().Err(err).Str("target", target).Msg("a request failed")
	}
	return &Error{Code: codeInternal, Message: "The request processing has failed because of an unknown error, exception or failure."}
}

// header sets the headers common to all answers, among them the checksum that SDKs
// verify.
func header(h http.Header, body []byte) {
	values := [...]string{contentType, requestID(), strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)} // one allocation for all
	h["Content-Type"] = values[0:1:1]
	h["X-Amzn-Requestid"] = values[1:2:2]
	h["X-Amz-Crc32"] = values[2:3:3]
}

var requestIDs = base32.HexEncoding.WithPadding(base32.NoPadding)

// requestID returns 52 characters, as DynamoDB's ids have.
func requestID() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return string(requestIDs.AppendEncode(make([]byte, 0, 52), b[:]))
}

// ServeHTTP answers DynamoDB and DynamoDB Streams requests; X-Amz-Target names the
// operation. Signatures are not checked. A GET answers "healthy", as DynamoDB's endpoints
// do.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "healthy: dynamodb."+region+".amazonaws.com ")
		return
	}
	status, body, err := e.answer(r)
	if err != nil {
		return // the client is gone
	}
	header(w.Header(), body)
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Do answers a request without a socket: an SDK client in the same process uses the
// engine as its HTTP client. It fails only when the request's context has ended.
func (e *Engine) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	status, body, err := e.answer(r)
	if err != nil {
		return nil, err
	}
	h := make(http.Header, 4)
	header(h, body)
	return &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        h,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}, nil
}

// RoundTrip is Do, for an http.Client.
func (e *Engine) RoundTrip(r *http.Request) (*http.Response, error) { return e.Do(r) }
