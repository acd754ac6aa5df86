package replay

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/eventsource/eventsourcetest"
	"github.com/streamroom/streamroom/shared/topology"
)

// TestReplayConformance holds what a run sends to the rules of event sources.
func TestReplayConformance(t *testing.T) {
	eventsourcetest.Run(t, func(t *testing.T, mapping topology.StreamMapping, records []types.Record, f eventsourcetest.Function) (givenUp []string) {
		t.Helper()
		clients := NewClients(aws.Config{
			Region: "us-east-1", BaseEndpoint: aws.String("http://lambda.test"), HTTPClient: &http.Client{Transport: functionWire(f)},
			Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
		})
		filters, err := eventsource.ParseFilters(mapping.Filters)
		if err != nil {
			t.Fatal(err)
		}
		d := &deliverer{
			client: clients.Lambda, function: "f", attempts: mapping.MaximumRetryAttempts + 1, giveUp: 100,
			backoff: backoff.Policy{First: time.Microsecond, Max: time.Microsecond},
		}
		r := &run{env: Env{Now: time.Now}, mapping: mapping, filters: filters, deliverer: d, checkpoint: &Checkpoint{}}
		err = r.sendAll(t.Context(), func(yield func(Record, error) bool) {
			for _, change := range records {
				if !yield(fromStream(change, "us-east-1", "shard")) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, failed := range d.failed {
			givenUp = append(givenUp, failed.Sequence)
		}
		slices.Sort(givenUp)
		return givenUp
	})
}

// functionWire answers Lambda's Invoke by a function.
func functionWire(f eventsourcetest.Function) http.RoundTripper {
	return rawAnswers(func(event []byte) (int, map[string]string, string) {
		answer, err := f(event)
		switch {
		case errors.Is(err, eventsourcetest.ErrThrottled):
			return http.StatusTooManyRequests, map[string]string{"X-Amzn-Errortype": "TooManyRequestsException"}, `{}`
		case err != nil:
			return http.StatusInternalServerError, nil, `{}`
		case answer.FunctionError != "":
			return http.StatusOK, map[string]string{"X-Amz-Function-Error": answer.FunctionError}, string(answer.Payload)
		}
		return http.StatusOK, nil, string(answer.Payload)
	})
}

// byBatch answers by the sequence numbers of the events' records.
func byBatch(a answers) rawAnswers {
	return func(body []byte) (int, map[string]string, string) {
		var event struct {
			Records []struct {
				Dynamodb struct{ SequenceNumber string }
			}
		}
		if err := json.Unmarshal(body, &event); err != nil {
			return http.StatusBadRequest, nil, `{}`
		}
		var batch []string
		for _, record := range event.Records {
			batch = append(batch, record.Dynamodb.SequenceNumber)
		}
		return a(batch)
	}
}
