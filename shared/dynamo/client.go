package dynamo

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/schemas"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/shared/awsjson"
	"github.com/streamroom/streamroom/shared/backoff"
)

// direct is a client whose first attempt at each call goes without the SDK's middlewares,
// which take more allocations than the rest of a call. Further attempts are made by the
// SDK's client, and all if the clock is wrong.
type direct struct {
	sdk      *dynamodb.Client
	wire     *awsjson.Client
	retryer  aws.Retryer
	attempts int

	// corrected says that the clock is wrong: the SDK's client corrects it for each call.
	corrected atomic.Bool
}

// NewClient returns the client by which functions reach the table. Its errors, attempts
// and pauses are those of the SDK's client.
func NewClient(c aws.Config) Client {
	sdk := dynamodb.NewFromConfig(c)
	options := sdk.Options()
	endpoint, err := options.EndpointResolverV2.ResolveEndpoint(context.Background(), dynamodb.EndpointParameters{
		Region: aws.String(c.Region), Endpoint: options.BaseEndpoint, UseDualStack: aws.Bool(false), UseFIPS: aws.Bool(false),
	})
	if err != nil {
		return sdk // which says so at each call
	}
	wire, err := awsjson.New(awsjson.Config{
		ServiceID: dynamodb.ServiceID, SigningName: "dynamodb", Region: c.Region, Endpoint: endpoint.URI.String(),
		Credentials: c.Credentials, HTTPClient: options.HTTPClient, Target: schemas.DynamoDB_20120810.ID().Name, Protocol: options.Protocol, Types: dynamodb.TypeRegistry,
	})
	if err != nil {
		return sdk
	}
	return &direct{sdk: sdk, wire: wire, retryer: options.Retryer, attempts: options.Retryer.MaxAttempts()}
}

// The operations that a store calls.
var (
	getItem            = smithy.NewOperationSchema(schemas.GetItem, schemas.GetItemInput, schemas.GetItemOutput)
	putItem            = smithy.NewOperationSchema(schemas.PutItem, schemas.PutItemInput, schemas.PutItemOutput)
	updateItem         = smithy.NewOperationSchema(schemas.UpdateItem, schemas.UpdateItemInput, schemas.UpdateItemOutput)
	deleteItem         = smithy.NewOperationSchema(schemas.DeleteItem, schemas.DeleteItemInput, schemas.DeleteItemOutput)
	query              = smithy.NewOperationSchema(schemas.Query, schemas.QueryInput, schemas.QueryOutput)
	batchGetItem       = smithy.NewOperationSchema(schemas.BatchGetItem, schemas.BatchGetItemInput, schemas.BatchGetItemOutput)
	batchWriteItem     = smithy.NewOperationSchema(schemas.BatchWriteItem, schemas.BatchWriteItemInput, schemas.BatchWriteItemOutput)
	transactWriteItems = smithy.NewOperationSchema(schemas.TransactWriteItems, schemas.TransactWriteItemsInput, schemas.TransactWriteItemsOutput)
)

// GetItem implements Client.
func (d *direct) GetItem(ctx context.Context, in *dynamodb.GetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return call(ctx, d, getItem, in, &dynamodb.GetItemOutput{}, d.sdk.GetItem, options)
}

// PutItem implements Client.
func (d *direct) PutItem(ctx context.Context, in *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return call(ctx, d, putItem, in, &dynamodb.PutItemOutput{}, d.sdk.PutItem, options)
}

// UpdateItem implements Client.
func (d *direct) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return call(ctx, d, updateItem, in, &dynamodb.UpdateItemOutput{}, d.sdk.UpdateItem, options)
}

// DeleteItem implements Client.
func (d *direct) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, options ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return call(ctx, d, deleteItem, in, &dynamodb.DeleteItemOutput{}, d.sdk.DeleteItem, options)
}

// Query implements Client.
func (d *direct) Query(ctx context.Context, in *dynamodb.QueryInput, options ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return call(ctx, d, query, in, &dynamodb.QueryOutput{}, d.sdk.Query, options)
}

// BatchGetItem implements Client.
func (d *direct) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return call(ctx, d, batchGetItem, in, &dynamodb.BatchGetItemOutput{}, d.sdk.BatchGetItem, options)
}

// BatchWriteItem implements Client.
func (d *direct) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, options ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	return call(ctx, d, batchWriteItem, in, &dynamodb.BatchWriteItemOutput{}, d.sdk.BatchWriteItem, options)
}

// TransactWriteItems implements Client, for requests that have a token.
func (d *direct) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return call(ctx, d, transactWriteItems, in, &dynamodb.TransactWriteItemsOutput{}, d.sdk.TransactWriteItems, options)
}

// call makes the first attempt, and has the SDK's client make the others.
func call[In smithy.Serializable, Out smithy.Deserializable](
	ctx context.Context, d *direct, operation *smithy.OperationSchema, in In, out Out,
	again func(context.Context, In, ...func(*dynamodb.Options)) (Out, error), options []func(*dynamodb.Options),
) (none Out, _ error) {
	if d.corrected.Load() {
		return again(ctx, in, options...)
	}
	err := d.wire.Call(ctx, operation, in, out)
	switch {
	case err == nil:
		return out, nil
	case clockIsWrong(err):
		d.corrected.Store(true)
		return again(ctx, in, options...)
	case !d.retryer.IsErrorRetryable(err) || ctx.Err() != nil:
		return none, err
	}
	var set dynamodb.Options
	for _, option := range options {
		option(&set)
	}
	attempts := cmp.Or(set.RetryMaxAttempts, d.attempts)
	if attempts == 1 {
		if failed, ok := errors.AsType[*smithy.OperationError](err); ok {
			failed.Err = &retry.MaxAttemptsError{Attempt: 1, Err: failed.Err}
		}
		return none, err
	}
	release, refused := d.retryer.GetRetryToken(ctx, err)
	if refused != nil {
		return none, errors.Join(err, refused)
	}
	if pause, unknown := d.retryer.RetryDelay(1, err); unknown == nil {
		if err := backoff.Sleep(ctx, pause); err != nil {
			return none, &aws.RequestCanceledError{Err: err}
		}
	}
	out, err = again(ctx, in, append(options[:len(options):len(options)], func(o *dynamodb.Options) {
		o.RetryMaxAttempts = attempts - 1
	})...)
	_ = release(err) // it only counts
	if last, ok := errors.AsType[*retry.MaxAttemptsError](err); ok {
		last.Attempt++ // the one here
	}
	if err != nil {
		return none, err
	}
	return out, nil
}

// clockIsWrong reports whether a request was refused for its signature by a service whose
// clock is minutes away, as the SDK has it (aws/retry/middleware.go of aws-sdk-go-v2
// v1.48.0).
func clockIsWrong(err error) bool {
	var refused smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &refused) || !errors.As(err, &response) {
		return false
	}
	switch refused.ErrorCode() {
	case "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure", "RequestTimeTooSkewed", "AccessDeniedException":
		date, err := http.ParseTime(response.HTTPResponse().Header.Get("Date"))
		return err == nil && time.Until(date).Abs() > 4*time.Minute
	}
	return false
}
