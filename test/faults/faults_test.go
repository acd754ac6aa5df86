package faults_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/test/faults"
)

func begin(t *testing.T, plan faults.Plan) *faults.Injector {
	t.Helper()
	in, err := faults.New(plan, clockwork.NewRealClock())
	if err != nil {
		t.Fatal(err)
	}
	in.Begin()
	return in
}

// server counts the requests that reach it and answers each alike.
type server struct {
	reached int
	bodies  []string
	answer  string
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.reached++
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.bodies = append(s.bodies, string(body))
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s.answer)), Request: r}, nil
}

// client is an SDK's client that tries once.
func client(next http.RoundTripper) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://table"), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		HTTPClient:  &http.Client{Transport: next},
	})
}

func TestTableFaultsAreWhatTheSDKTakesThemFor(t *testing.T) {
	one := map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: "a"}}
	put := func(c *dynamodb.Client) error {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("t"), Item: one})
		return err
	}
	transact := func(c *dynamodb.Client) error {
		action := types.TransactWriteItem{Put: &types.Put{TableName: aws.String("t"), Item: one}}
		_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{action, action}})
		return err
	}
	for name, test := range map[string]struct {
		table   faults.Table
		call    func(*dynamodb.Client) error
		is      func(error) bool
		reached int
	}{
		"throttled": {faults.Table{Throttled: 1}, put, func(err error) bool {
			var throughput *types.ProvisionedThroughputExceededException
			var throttling *types.ThrottlingException
			return errors.As(err, &throughput) || errors.As(err, &throttling)
		}, 0},
		"failed": {faults.Table{Failed: 1}, put, func(err error) bool {
			var internal *types.InternalServerError
			return errors.As(err, &internal)
		}, 0},
		"reset": {faults.Table{Reset: 1}, put, func(err error) bool { return strings.Contains(err.Error(), "connection reset") }, 0},
		"lost":  {faults.Table{Lost: 1}, put, func(err error) bool { return strings.Contains(err.Error(), "connection reset") }, 1},
		"conflict of a write": {faults.Table{Conflict: 1}, put, func(err error) bool {
			var conflict *types.TransactionConflictException
			return errors.As(err, &conflict)
		}, 0},
		"conflict of a transaction": {faults.Table{Conflict: 1}, transact, func(err error) bool {
			var canceled *types.TransactionCanceledException
			return errors.As(err, &canceled) && len(canceled.CancellationReasons) == 2 &&
				*canceled.CancellationReasons[0].Code == "None" && *canceled.CancellationReasons[1].Code == "TransactionConflict"
		}, 0},
		"nothing": {faults.Table{}, put, func(err error) bool { return err == nil }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{answer: "{}"}
			in := begin(t, faults.Plan{Table: test.table})
			if err := test.call(client(in.Table("f", s))); !test.is(err) {
				t.Errorf("the SDK makes of it: %v", err)
			}
			if s.reached != test.reached {
				t.Errorf("%d requests were carried out, want %d", s.reached, test.reached)
			}
		})
	}
}

func TestPartialAnswersNameTheRest(t *testing.T) {
	s := &server{answer: `{"Responses":{"t":[]}}`}
	c := client(begin(t, faults.Plan{Table: faults.Table{Partial: 1}}).Table("f", s))
	var keys []map[string]types.AttributeValue
	for _, value := range strings.Split("abcdefgh", "") {
		keys = append(keys, map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: value}})
	}
	left, served := keys, 0
	for range 20 {
		out, err := c.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{"t": {Keys: left, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		body := s.bodies[len(s.bodies)-1]
		served += strings.Count(body, `"PK"`)
		if !strings.Contains(body, `"ConsistentRead":true`) {
			t.Errorf("the request lost what it said: %s", body)
		}
		if left = out.UnprocessedKeys["t"].Keys; len(left) == 0 {
			break
		}
	}
	if served != len(keys) || s.reached < 2 {
		t.Errorf("%d keys were served in %d requests, want %d in more than one", served, s.reached, len(keys))
	}
}

func TestPostFaultsAreWhatPushTakesThemFor(t *testing.T) {
	const id = "R1k+x/2VNjMCFIA="
	for name, test := range map[string]struct {
		posts     faults.Posts
		outcome   push.Outcome
		reached   int
		disturbed bool
		gone      bool
	}{
		"gone":       {faults.Posts{Gone: 1}, push.Gone, 1, true, true},
		"throttled":  {faults.Posts{Throttled: 1}, push.Undelivered, 0, true, false},
		"failed":     {faults.Posts{Failed: 1}, push.Undelivered, 0, true, false},
		"forbidden":  {faults.Posts{Forbidden: 1}, push.Undelivered, 0, true, false},
		"reset":      {faults.Posts{Reset: 1}, push.Undelivered, 0, true, false},
		"unanswered": {faults.Posts{Unanswered: 1}, push.Undelivered, push.Attempts, false, false},
		"hang":       {faults.Posts{Hang: 1}, push.Undelivered, 0, true, false},
		"lost":       {faults.Posts{Lost: 1}, push.Delivered, 0, true, false},
		"twice":      {faults.Posts{Twice: 1}, push.Delivered, 2, false, false},
		"slow":       {faults.Posts{Slow: 1}, push.Delivered, 1, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, s := begin(t, faults.Plan{Posts: test.posts, Delay: time.Second}), &server{}
				p, err := push.New(push.Config{
					Endpoint: "http://host/local", Region: "us-east-1", Transport: in.Posts("fanout", s),
					Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
				})
				if err != nil {
					t.Fatal(err)
				}
				got := p.Push(t.Context(), []push.Post{{ConnectionID: id, Data: []byte("{}")}})
				if got[0].Outcome != test.outcome || s.reached != test.reached {
					t.Errorf("outcome %v after %d deliveries, want %v after %d: %v", got[0].Outcome, s.reached, test.outcome, test.reached, got[0].Err)
				}
				if in.Disturbed(id).IsZero() == test.disturbed || in.Gone(id) != test.gone {
					t.Errorf("disturbed %v, gone %t", in.Disturbed(id), in.Gone(id))
				}
				in.Forget(time.Now().Add(time.Nanosecond))
				if !in.Disturbed(id).IsZero() || in.Gone(id) {
					t.Error("what happened to the connection is not forgotten")
				}
				for _, body := range s.bodies {
					if body != "{}" {
						t.Errorf("%q arrived", body)
					}
				}
			})
		})
	}
}

// work is a handler that counts.
type work struct {
	begun, done int
	takes       time.Duration
}

func (w *work) Invoke(ctx context.Context, _ []byte) ([]byte, error) {
	w.begun++
	select {
	case <-time.After(w.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.done++
	return []byte("{}"), nil
}

func TestInvocationFaults(t *testing.T) {
	for name, test := range map[string]struct {
		invocations faults.Invocations
		fails       bool
		begun, done int
	}{
		"refused":   {faults.Invocations{Refused: 1}, true, 0, 0},
		"crashed":   {faults.Invocations{Crashed: 1}, true, 1, 1},
		"timed out": {faults.Invocations{TimedOut: 1}, true, 1, 0},
		"twice":     {faults.Invocations{Twice: 1}, false, 2, 2},
		"slow":      {faults.Invocations{Slow: 1}, false, 1, 1},
		"nothing":   {faults.Invocations{}, false, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &work{takes: 10 * time.Second}
				in := begin(t, faults.Plan{Invocations: test.invocations, Delay: time.Second})
				_, err := in.Handler("f", w).Invoke(t.Context(), nil)
				if (err != nil) != test.fails || w.begun != test.begun || w.done != test.done {
					t.Errorf("begun %d and done %d times, want %d and %d: %v", w.begun, w.done, test.begun, test.done, err)
				}
			})
		})
	}
}

func TestOutagesBeginAndEnd(t *testing.T) {
	clock := clockwork.NewFakeClock()
	in, err := faults.New(faults.Plan{Outages: []faults.Outage{
		{Seam: faults.SeamInvocations, Function: "f", After: time.Second, For: time.Second},
	}}, clock)
	if err != nil {
		t.Fatal(err)
	}
	fails := func(function string) bool {
		_, err := in.Handler(function, &work{}).Invoke(t.Context(), nil)
		return err != nil
	}
	in.Begin()
	for i, want := range []bool{false, true, false} {
		if fails("f") != want || fails("g") {
			t.Errorf("after %d s it fails: %t", i, !want)
		}
		clock.Advance(time.Second)
	}
}

func TestTheSameSeedBreaksTheSameCalls(t *testing.T) {
	play := func(seed uint64) string {
		in := begin(t, faults.Plan{Seed: seed, Invocations: faults.Invocations{Refused: 0.5}})
		var outcomes strings.Builder
		for range 64 {
			outcome := "+"
			if _, err := in.Handler("f", &work{}).Invoke(t.Context(), nil); err != nil {
				outcome = "-"
			}
			outcomes.WriteString(outcome)
		}
		if n := in.Counts()["invocations refused"]; n != strings.Count(outcomes.String(), "-") || n < 16 || n > 48 {
			t.Errorf("%d refusals are counted of %s", n, &outcomes)
		}
		return outcomes.String()
	}
	first := play(1)
	if again := play(1); again != first {
		t.Errorf("the same seed gave %s and %s", first, again)
	}
	if play(2) == first {
		t.Error("another seed gave the same faults")
	}
}

func TestNothingBreaksBeforeBeginAndAfterEnd(t *testing.T) {
	in, err := faults.New(faults.Plan{Invocations: faults.Invocations{Refused: 1}, LostDisconnects: 1}, clockwork.NewRealClock())
	if err != nil {
		t.Fatal(err)
	}
	try := func() bool {
		_, err := in.Handler("f", &work{}).Invoke(t.Context(), nil)
		return err != nil && in.DropDisconnect("x")
	}
	before := try()
	in.Begin()
	between := try()
	in.End()
	if after := try(); before || !between || after {
		t.Errorf("broken before %t, between %t, after %t", before, between, after)
	}
	if want := map[string]int{"invocations refused": 1, "disconnect lost": 1}; !maps.Equal(in.Counts(), want) {
		t.Errorf("counted %v, want %v", in.Counts(), want)
	}
}

func TestPlansThatMakeNoSense(t *testing.T) {
	for name, plan := range map[string]faults.Plan{
		"negative rate":    {Table: faults.Table{Lost: -0.1}},
		"no number":        {Posts: faults.Posts{Lost: math.NaN()}},
		"more than all":    {Invocations: faults.Invocations{Refused: 0.6, Crashed: 0.6}},
		"negative delay":   {Delay: -1},
		"unknown seam":     {Outages: []faults.Outage{{Seam: "moon"}}},
		"lost disconnects": {LostDisconnects: 2},
	} {
		if _, err := faults.New(plan, clockwork.NewRealClock()); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	if _, err := faults.New(faults.All(1), clockwork.NewRealClock()); err != nil {
		t.Errorf("All: %v", err)
	}
}

func TestDown(t *testing.T) {
	clock := clockwork.NewFakeClock()
	in, err := faults.New(faults.Plan{Outages: faults.Nights(1)}, clock)
	if err != nil {
		t.Fatal(err)
	}
	began := clock.Now()
	at := func(hours float64) time.Time { return began.Add(time.Duration(hours * float64(time.Hour))) }
	if in.Down("fanout", at(0), at(24)) {
		t.Error("it is down before it begins")
	}
	in.Begin()
	for name, tt := range map[string]struct {
		function string
		from, to float64
		want     bool
	}{
		"before": {"fanout", 0, 8.9, false}, "within": {"fanout", 9.1, 9.2, true}, "around": {"fanout", 8, 10, true},
		"after": {"fanout", 9.7, 16, false}, "of another function": {"connect", 0, 24, false},
	} {
		if got := in.Down(tt.function, at(tt.from), at(tt.to)); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}
