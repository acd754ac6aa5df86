package attribute_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
)

func TestCanceled(t *testing.T) {
	for _, test := range []struct {
		reasons           []string
		condition, forNow bool
	}{
		{[]string{"None", "TransactionConflict"}, false, true},
		{[]string{"ThrottlingError", "None"}, false, true},
		{[]string{"ProvisionedThroughputExceeded"}, false, true},
		{[]string{"ConditionalCheckFailed", "None"}, true, false},
		{[]string{"ConditionalCheckFailed", "TransactionConflict"}, true, true},
		{[]string{"None", "ValidationError"}, false, false},
		{nil, false, false},
	} {
		canceled := &types.TransactionCanceledException{}
		for _, code := range test.reasons {
			canceled.CancellationReasons = append(canceled.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
		}
		err := fmt.Errorf("write: %w", canceled)
		if condition, forNow := attribute.CanceledByCondition(err), attribute.CanceledForNow(err); condition != test.condition || forNow != test.forNow {
			t.Errorf("%q: by a condition %t, for now %t, want %t, %t", test.reasons, condition, forNow, test.condition, test.forNow)
		}
	}
	if err := errors.New("TransactionConflict"); attribute.CanceledForNow(err) || attribute.CanceledByCondition(err) {
		t.Error("another error counts as a transaction that was canceled")
	}
}
