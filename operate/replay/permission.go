package replay

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/streamroom/streamroom/shared/s3client"
)

// The IAM names of the services that a run calls, and of operations that are
// allowed by another name than their own.
var (
	iamServices = map[string]string{
		"DynamoDB": "dynamodb", "DynamoDB Streams": "dynamodb", "Lambda": "lambda", "S3": "s3", "CloudFormation": "cloudformation",
	}
	iamActions = map[string]string{
		"Invoke": "InvokeFunction", "TransactGetItems": "GetItem", "ListObjectsV2": "ListBucket", "DeleteObjects": "DeleteObject",
		"TransactWriteItems": "PutItem, UpdateItem, DeleteItem and ConditionCheckItem",
	}
)

// Unanswered returns why what answers at an endpoint is not AWS nor stands in for
// it: nothing answers at all, or a server without AWS's protocols. Otherwise it
// returns nil.
func Unanswered(err error) error {
	if other, ok := errors.AsType[*s3client.OtherServerError](err); ok {
		return other
	}
	var unsent *smithyhttp.RequestSendError
	if errors.As(err, &unsent) {
		var request *url.Error
		if errors.As(unsent.Err, &request) {
			return request.Err // without the method and the URL
		}
		return unsent.Err
	}
	var response *smithyhttp.ResponseError
	var refused smithy.APIError
	if !errors.As(err, &response) || response.Response == nil || response.Response.Header.Get("X-Amzn-Requestid") != "" {
		return nil
	}
	if errors.As(err, &refused) && refused.ErrorCode() != unknownCode {
		return nil
	}
	return &s3client.OtherServerError{Status: response.HTTPStatusCode()}
}

// unknownCode is the SDK's code for an error in which it finds none.
const unknownCode = "UnknownError"

// Explain turns AWS's errors into ones that say what to do; others stay.
func Explain(err error) error {
	var called *smithy.OperationError
	var refused smithy.APIError
	if !errors.As(err, &called) || !errors.As(err, &refused) {
		return err
	}
	var response *smithyhttp.ResponseError
	forbidden := errors.As(err, &response) && response.HTTPStatusCode() == http.StatusForbidden
	var missing *types.ResourceNotFoundException
	switch code := refused.ErrorCode(); {
	case code == "UnrecognizedClientException", code == "InvalidClientTokenId", code == "ExpiredTokenException", code == "ExpiredToken":
		return fmt.Errorf("AWS does not accept the credentials; sign in again: %w", err)
	case code == "AccessDeniedException", code == "AccessDenied", forbidden:
		action := called.OperationName
		if other, ok := iamActions[action]; ok {
			action = other
		}
		return fmt.Errorf("you are not allowed to %s:%s; grant that permission, see docs/operations.md: %w",
			iamServices[called.ServiceID], action, err)
	case called.ServiceID == "DynamoDB" && errors.As(err, &missing):
		return fmt.Errorf("no such table: check --table, --env and the region: %w", err)
	}
	return err
}
