package throttle_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/throttle"
)

func canceled(codes ...string) error {
	err := &types.TransactionCanceledException{}
	for _, code := range codes {
		err.CancellationReasons = append(err.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
	}
	return err
}

func TestTransact_RepeatsWhatMetAnotherTransaction(t *testing.T) {
	conflict, condition := canceled("None", "TransactionConflict"), canceled("ConditionalCheckFailed", "TransactionConflict")
	failed := errors.New("no table")
	for name, test := range map[string]struct {
		answers []error // the last one again and again
		calls   int
		want    error
	}{
		"nothing in its way":                {[]error{nil}, 1, nil},
		"another transaction":               {[]error{conflict, nil}, 2, nil},
		"a lack of capacity, and then both": {[]error{canceled("ThrottlingError"), conflict, nil}, 3, nil},
		"others all the time":               {[]error{conflict}, 8, conflict},
		"a condition, beside a conflict":    {[]error{conflict, condition}, 2, condition},
		"an error":                          {[]error{failed}, 1, failed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				began := time.Now()
				err := throttle.Transact(t.Context(), func() error {
					answer := test.answers[min(calls, len(test.answers)-1)]
					calls++
					return answer
				})
				if calls != test.calls || !errors.Is(err, test.want) {
					t.Errorf("%d calls: %v, want %d: %v", calls, err, test.calls, test.want)
				}
				if paused := time.Since(began) > 0; paused != (test.calls > 1) {
					t.Errorf("it paused: %t", paused)
				}
			})
		})
	}
}
