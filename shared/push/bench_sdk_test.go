package push

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/smithy-go/middleware"
)

// startSDK posts by the SDK's client.
func startSDK(posts []Post, options ...func(*apigatewaymanagementapi.Options)) func(*testing.B, string, *http.Transport) func() error {
	return func(b *testing.B, endpoint string, transport *http.Transport) func() error {
		b.Helper()
		ctx := b.Context()
		client := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
			BaseEndpoint: aws.String(endpoint),
			Region:       "us-east-1",
			Credentials:  testCredentials,
			HTTPClient:   &http.Client{Transport: transport},
		}, options...)
		return func() error {
			return inParallel(posts, func(p Post) error {
				_, err := client.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{
					ConnectionId: &p.ConnectionID,
					Data:         p.Data,
				})
				return err
			})
		}
	}
}

// trim removes every middleware of the SDK's client that a post can do without.
func trim(o *apigatewaymanagementapi.Options) {
	o.Retryer = aws.NopRetryer{}
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		var errs []error
		for _, id := range []string{"ClientRequestID", "UserAgent", "SetCredentialSourceMiddleware", "RecursionDetection"} {
			_, err := s.Build.Remove(id)
			errs = append(errs, err)
		}
		for _, id := range []string{
			"Retry", "RetryMetricsHeader", "spanRetryLoop", "InterceptBeforeRetryLoop", "InterceptAttempt", "disableHTTPS", "setLegacyContextSigningOptions",
		} {
			_, err := s.Finalize.Remove(id)
			errs = append(errs, err)
		}
		for _, id := range []string{"AddRawResponseToMetadata", "RecordResponseTiming", "RequestResponseLogger"} {
			_, err := s.Deserialize.Remove(id)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}
