package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/backoff"
)

// answers is Lambda, which a test scripts by the sequence numbers of a batch.
type answers func(batch []string) (status int, header map[string]string, body string)

// rawAnswers is Lambda, which a test scripts by the request's body.
type rawAnswers func(event []byte) (status int, header map[string]string, body string)

func (a rawAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	status, header, answer := a(body)
	out := &http.Response{
		StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r, ContentLength: int64(len(answer)),
	}
	for name, value := range header {
		out.Header.Set(name, value)
	}
	return out, nil
}

func deliverTo(a answers) *deliverer {
	clients := NewClients(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://lambda.test"), HTTPClient: &http.Client{Transport: byBatch(a)},
		Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	})
	return &deliverer{client: clients.Lambda, function: "f", attempts: 3, backoff: backoff.Policy{First: time.Microsecond, Max: time.Microsecond}, giveUp: 100}
}

// numbered are n records, numbered from 0.
func numbered(t testing.TB, n int) []encodedRecord {
	t.Helper()
	var out []encodedRecord
	for i := range n {
		r := &Record{Change: types.Record{Dynamodb: &types.StreamRecord{
			SequenceNumber: aws.String(fmt.Sprint(i)), ApproximateCreationDateTime: aws.Time(time.Unix(1, 0)),
		}}}
		p, err := r.encoded("run")
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func ok(body string) (int, map[string]string, string) { return http.StatusOK, nil, body }

func crash() (int, map[string]string, string) {
	return http.StatusOK, map[string]string{"X-Amz-Function-Error": "Unhandled"}, `{"errorType":"boom"}`
}

func naming(ids ...string) (int, map[string]string, string) {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(`{"itemIdentifier":%q}`, id))
	}
	return ok(`{"batchItemFailures":[` + strings.Join(list, ",") + `]}`)
}

// TestDelivery sends ten records to functions that behave in many ways.
func TestDelivery(t *testing.T) {
	once := func(a answers) func() answers {
		return func() answers {
			n := 0
			return func(batch []string) (int, map[string]string, string) {
				if n++; n == 1 {
					return a(batch)
				}
				return ok(`{}`)
			}
		}
	}
	always := func(a answers) func() answers { return func() answers { return a } }
	for _, test := range []struct {
		name   string
		answer func() answers
		failed []string // sequence numbers
		first  []string // of the second invocation
	}{
		{"it takes all", always(func([]string) (int, map[string]string, string) { return ok(`{"batchItemFailures":null}`) }), nil, nil},
		{"it answers nothing", always(func([]string) (int, map[string]string, string) { return ok(``) }), nil, nil},
		{"it answers null", always(func([]string) (int, map[string]string, string) { return ok(`null`) }), nil, nil},
		{"it answers an empty list", always(func([]string) (int, map[string]string, string) { return ok(`[]`) }), nil, nil},
		{
			"it names two once: the lowest and all behind it come again",
			once(func([]string) (int, map[string]string, string) { return naming("7", "4") }),
			nil,
			[]string{"4", "5", "6", "7", "8", "9"},
		},
		{
			"it fails once as a whole: the halves come",
			once(func([]string) (int, map[string]string, string) { return crash() }),
			nil,
			[]string{"0", "1", "2", "3", "4"},
		},
		{
			"it names what it was not given: as a failure of the whole",
			once(func([]string) (int, map[string]string, string) { return naming("77") }),
			nil,
			[]string{"0", "1", "2", "3", "4"},
		},
		{
			"it names nothing by its name: as a failure of the whole",
			once(func([]string) (int, map[string]string, string) {
				return ok(`{"batchItemFailures":[{"itemIdentifier":""}]}`)
			}),
			nil,
			[]string{"0", "1", "2", "3", "4"},
		},
		{
			"it answers something else: as a failure of the whole",
			once(func([]string) (int, map[string]string, string) { return ok(`"done"`) }),
			nil,
			[]string{"0", "1", "2", "3", "4"},
		},
		{
			"it is throttled once: the same comes again",
			once(func([]string) (int, map[string]string, string) {
				return http.StatusTooManyRequests, map[string]string{"X-Amzn-Errortype": "TooManyRequestsException"}, `{}`
			}),
			nil,
			[]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		},
		{
			"it crashes on one: the others are done",
			always(func(batch []string) (int, map[string]string, string) {
				if slices.Contains(batch, "6") {
					return crash()
				}
				return ok(`{}`)
			}),
			[]string{"6"},
			[]string{"0", "1", "2", "3", "4"},
		},
		{
			"it keeps naming two: the others are done",
			always(func(batch []string) (int, map[string]string, string) {
				var bad []string
				for _, id := range batch {
					if id == "3" || id == "8" {
						bad = append(bad, id)
					}
				}
				return naming(bad...)
			}),
			[]string{"3", "8"},
			[]string{"3", "4", "5", "6", "7", "8", "9"},
		},
		{
			"it stops at the first that it names",
			always(func(batch []string) (int, map[string]string, string) {
				if i := slices.IndexFunc(batch, func(id string) bool { return id == "0" || id == "5" }); i >= 0 {
					return naming(batch[i])
				}
				return ok(`{}`)
			}),
			[]string{"0", "5"},
			[]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := test.answer()
			var batches [][]string
			taken := map[string]bool{}
			d := deliverTo(func(batch []string) (int, map[string]string, string) {
				batches = append(batches, batch)
				status, header, body := answer(batch)
				for _, id := range batch {
					if status != http.StatusOK || header != nil || !strings.HasPrefix(body+"{", "{") && body != "null" && body != "[]" ||
						strings.Contains(body, fmt.Sprintf("%q}", id)) || strings.Contains(body, `""`) || strings.Contains(body, "77") {
						break // all before the lowest that is named is done, and no more is known
					}
					taken[id] = true
				}
				return status, header, body
			})
			done, err := d.deliver(t.Context(), numbered(t, 10))
			if err != nil || done != 10 {
				t.Errorf("done with %d, %v", done, err)
			}
			var failed []string
			for _, f := range d.failed {
				failed = append(failed, f.Sequence)
			}
			slices.Sort(failed)
			if diff := cmp.Diff(test.failed, failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			if test.first != nil {
				if diff := cmp.Diff(test.first, batches[1]); diff != "" {
					t.Errorf("second invocation (-want +got):\n%s", diff)
				}
			}
			for i := range 10 {
				if id := fmt.Sprint(i); !taken[id] && !slices.Contains(failed, id) {
					t.Errorf("record %s was neither taken nor reported", id)
				}
			}
		})
	}
}

func TestDeliveryEndsEarly(t *testing.T) {
	refusal := func(status int, kind string) answers {
		return func([]string) (int, map[string]string, string) {
			return status, map[string]string{"X-Amzn-Errortype": kind}, `{"Message":"no"}`
		}
	}
	t.Run("where it is not allowed", func(t *testing.T) {
		n := 0
		d := deliverTo(func(batch []string) (int, map[string]string, string) {
			n++
			return refusal(http.StatusForbidden, "AccessDeniedException")(batch)
		})
		done, err := d.deliver(t.Context(), numbered(t, 10))
		if err == nil || done != 0 || n != 1 || !strings.Contains(Explain(err).Error(), "not allowed to lambda:InvokeFunction") {
			t.Errorf("done with %d by %d requests: %v", done, n, Explain(err))
		}
	})
	t.Run("where it stays throttled", func(t *testing.T) {
		d := deliverTo(refusal(http.StatusTooManyRequests, "TooManyRequestsException"))
		if done, err := d.deliver(t.Context(), numbered(t, 10)); err == nil || done != 0 || len(d.failed) > 0 {
			t.Errorf("done with %d, %v, %v", done, d.failed, err)
		}
	})
	t.Run("where too much fails", func(t *testing.T) {
		d := deliverTo(func([]string) (int, map[string]string, string) { return crash() })
		d.giveUp = 4
		if done, err := d.deliver(t.Context(), numbered(t, 10)); !errors.Is(err, errGivingUp) || done > 4 {
			t.Errorf("done with %d: %v", done, err)
		}
	})
	t.Run("when it is stopped, after the invocation that runs", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		d := deliverTo(func(batch []string) (int, map[string]string, string) {
			stop()
			return naming(batch[4])
		})
		if done, err := d.deliver(ctx, numbered(t, 10)); !errors.Is(err, context.Canceled) || done != 4 || d.invocations != 1 {
			t.Errorf("done with %d by %d invocations: %v", done, d.invocations, err)
		}
	})
}
