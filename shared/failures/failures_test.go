package failures_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/streamroom/streamroom/shared/changes/changestest"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/failures"
)

// requests answers with a status, and keeps the last request.
type requests struct {
	status int
	path   string
	body   []byte
}

func (r *requests) Do(in *http.Request) (*http.Response, error) {
	r.path = in.Method + " " + in.URL.Path
	r.body, _ = io.ReadAll(in.Body)
	return &http.Response{StatusCode: r.status, Header: http.Header{"X-Amz-Request-Id": {"1"}}, Body: http.NoBody, Request: in}, nil
}

func bucket(r *requests) *failures.Bucket {
	return failures.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://s3.test"), HTTPClient: r, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
	}, "kept", "EventsNotPut", func() time.Time { return time.UnixMilli(1_709_136_000_123) })
}

// An entry is one as Lambda's own.
func TestKeep(t *testing.T) {
	s3 := &requests{status: http.StatusOK}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request", InvokedFunctionArn: "arn:aws:lambda:us-east-1:1:function:f"})
	records := []json.RawMessage{changestest.Numbered(changestest.Join("r", "bob"), 7), changestest.Numbered(changestest.Join("r", "carol"), 9)}
	if err := bucket(s3).Keep(ctx, records); err != nil {
		t.Fatal(err)
	}
	const begin = "PUT /kept/aws/lambda/EventsNotPut/unknown/2024/02/28/2024-02-28T16.00.00-"
	if !strings.HasPrefix(s3.path, begin) || len(s3.path) != len(begin)+36 || len(eventsource.FailureID(s3.path)) != 36 {
		t.Errorf("the request is %s", s3.path)
	}
	var got eventsource.Failure
	if err := json.Unmarshal(s3.body, &got); err != nil {
		t.Fatal(err)
	}
	payload, err := got.Payload.Records()
	if err != nil || len(payload) != 2 || string(payload[1]) != string(records[1]) {
		t.Errorf("the records are %s, %v", payload, err)
	}
	if got.Request.RequestID != "request" || got.Request.Condition != "EventsNotPut" || !strings.HasSuffix(got.Request.FunctionARN, ":f") ||
		got.Timestamp != "2024-02-28T16:00:00.123Z" || got.Batch.BatchSize != 2 || got.Batch.StartSequenceNumber != "7" || got.Batch.EndSequenceNumber != "9" ||
		got.Batch.ShardID == "" || got.Batch.ApproximateArrivalOfFirstRecord == "" {
		t.Errorf("the entry is %s", s3.body)
	}
}

func TestKeep_Failures(t *testing.T) {
	record := []json.RawMessage{changestest.Join("r", "bob")}
	if err := bucket(&requests{status: http.StatusForbidden}).Keep(t.Context(), record); err == nil {
		t.Error("a bucket that refuses is no error")
	}
	for _, records := range [][]json.RawMessage{nil, {json.RawMessage(`{`)}} {
		if err := bucket(&requests{status: http.StatusOK}).Keep(t.Context(), records); err == nil {
			t.Errorf("%q are kept", records)
		}
	}
}
