// Package s3client makes clients of Amazon S3 that believe no other server.
package s3client

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// requestID is in each answer of S3 (Amazon S3 API Reference, "Common response headers").
const requestID = "X-Amz-Request-Id"

// OtherServerError says that a server answered that is not S3 and does not stand in for it.
// The SDK takes any answer of a good status for S3's: a page of a proxy is an empty list,
// an object that was stored or copied, and a thousand that were removed.
type OtherServerError struct{ Status int }

// Error implements error.
func (e *OtherServerError) Error() string {
	return fmt.Sprintf("got HTTP status %d from a server of another kind", e.Status)
}

// New returns a client by a configuration with region and credentials. With an endpoint in
// it, a bucket is the first segment of its paths. What another server answers is an
// *OtherServerError.
func New(c aws.Config, options ...func(*s3.Options)) *s3.Client {
	own := func(o *s3.Options) {
		o.UsePathStyle = c.BaseEndpoint != nil
		o.APIOptions = append(o.APIOptions, refuseOthers)
	}
	return s3.NewFromConfig(c, append([]func(*s3.Options){own}, options...)...)
}

// refuseOthers adds the check of answers to a request's stack.
func refuseOthers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RefuseOtherServers", check), middleware.Before)
}

func check(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err == nil && ok && response.Header.Get(requestID) == "" {
		err = &OtherServerError{response.StatusCode}
	}
	return out, metadata, err
}
