package attribute

import (
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Canceled reports whether err is that of a transaction that was canceled for one of these
// reasons. It has a reason for each of its items, "None" of most.
func Canceled(err error, codes ...string) bool {
	var canceled *types.TransactionCanceledException
	return errors.As(err, &canceled) && slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
		return slices.Contains(codes, aws.ToString(r.Code))
	})
}

// CanceledByCondition reports whether a condition of the transaction failed.
func CanceledByCondition(err error) bool { return Canceled(err, "ConditionalCheckFailed") }

// CanceledForNow reports whether the transaction met another one, or a lack of capacity: the
// same may succeed in a moment, unless a condition failed as well.
func CanceledForNow(err error) bool {
	return Canceled(err, "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")
}
