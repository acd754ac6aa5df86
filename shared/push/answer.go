package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/schemas"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"
)

// maxAnswer is how many bytes of an answer are read. A longer one costs its
// connection.
const maxAnswer = 16 << 10

// How the SDK reads the answers to PostToConnection.
var (
	protocol  = restjson1.New(schemas.ApiGatewayManagementApi)
	operation = smithy.NewOperationSchema(schemas.PostToConnection, schemas.PostToConnectionRequest, nil)
)

// readAnswer interprets an answer, and reads it to its end so that the connection
// is kept alive. The caller closes it.
func readAnswer(ctx context.Context, resp *http.Response) (o Outcome, retryable bool, err error) {
	if resp.Body == http.NoBody && resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return Delivered, false, nil // as most are
	}
	body := io.LimitReader(resp.Body, maxAnswer)
	// The status and the head decide; a body that breaks off changes nothing.
	defer func() { _, _ = io.Copy(io.Discard, body) }()
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return Delivered, false, nil
	}

	resp.Request = nil // an error that is kept or dumped must not hold the frame and the signature
	resp.Body = io.NopCloser(body)
	answer := &smithyhttp.Response{Response: resp}
	err = protocol.DeserializeResponse(ctx, operation, apigatewaymanagementapi.TypeRegistry, answer, &apigatewaymanagementapi.PostToConnectionOutput{})
	resp.Body = http.NoBody
	err = typed(resp.StatusCode, err)

	var gone *types.GoneException
	var limit *types.LimitExceededException
	switch {
	case resp.StatusCode == http.StatusGone || errors.As(err, &gone):
		o = Gone
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 || errors.As(err, &limit):
		retryable = true
	}
	return o, retryable, fmt.Errorf("post to connection: %w", &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{Response: answer, Err: err},
		RequestID:     resp.Header.Get("X-Amzn-Requestid"),
	})
}

// typed gives an answer's error the type that belongs to its status if the SDK
// found none: it goes by the error header and a JSON body only, and the
// service's 410 often has neither.
func typed(status int, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		return err
	}
	switch status {
	case http.StatusGone:
		return &types.GoneException{}
	case http.StatusForbidden:
		return &types.ForbiddenException{}
	case http.StatusRequestEntityTooLarge:
		return &types.PayloadTooLargeException{}
	case http.StatusTooManyRequests:
		return &types.LimitExceededException{}
	}
	return err
}
