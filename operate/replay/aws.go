package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/shared/s3client"
	"github.com/streamroom/streamroom/shared/topology"
)

// Clients reach what a run reads and invokes, on AWS or the local runtime.
type Clients struct {
	Table   *dynamodb.Client
	Streams *dynamodbstreams.Client
	Lambda  *lambda.Client
	Bucket  *s3.Client
	Config  aws.Config // by which they were made
}

// NewClients returns clients by a configuration with region, credentials and,
// for the local runtime, endpoint.
func NewClients(c aws.Config) Clients {
	return Clients{
		Table: dynamodb.NewFromConfig(c),
		Streams: dynamodbstreams.NewFromConfig(c, func(o *dynamodbstreams.Options) {
			o.Retryer = noThrottleRetry{retry.NewStandard()}
		}),
		Lambda: lambda.NewFromConfig(c, func(o *lambda.Options) {
			o.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(), 1) // a run has retries of its own
		}),
		Bucket: s3client.New(c),
		Config: c,
	}
}

// noThrottleRetry gives way where the stream has no room for a third reader.
type noThrottleRetry struct{ *retry.Standard }

func (n noThrottleRetry) IsErrorRetryable(err error) bool {
	return !throttled(err) && n.Standard.IsErrorRetryable(err)
}

// throttled says whether a service throttled a request.
func throttled(err error) bool {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return false
	}
	_, found := retry.DefaultThrottleErrorCodes[refused.ErrorCode()]
	return found
}

// Deployment names what a run works on.
type Deployment struct {
	Table     string            // its name
	Bucket    string            // the name of the bucket of on-failure records
	Functions map[string]string // names or ARNs by their names in shared/topology

	Attachments string // the name of the bucket of attachments; "": there is none
}

// Find finds a deployed environment by its stacks' outputs.
func Find(ctx context.Context, c aws.Config, env string) (Deployment, error) {
	stacks := cloudformation.NewFromConfig(c)
	outputs := map[string]string{}
	for _, concern := range []string{topology.DatabaseStack, topology.StreamsStack, topology.StorageStack} {
		name := topology.StackName(env, concern)
		out, err := stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
		var refused smithy.APIError
		if errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" { // that is how it says it
			if concern == topology.StorageStack {
				continue // of a version that had no attachments
			}
			return Deployment{}, fmt.Errorf("no stack %s in %s: check --env and the region", name, c.Region)
		}
		if err != nil {
			return Deployment{}, fmt.Errorf("find the environment: %w", err)
		}
		for _, stack := range out.Stacks {
			for _, output := range stack.Outputs {
				outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
			}
		}
	}
	d := Deployment{
		Table: outputs[topology.TableOutput], Bucket: outputs[topology.FailuresOutput], Functions: map[string]string{},
		Attachments: outputs[topology.AttachmentsOutput],
	}
	complete := d.Table != "" && d.Bucket != ""
	for _, m := range topology.StreamMappings() {
		d.Functions[m.Function] = outputs[topology.FunctionOutput(m.Function)]
		complete = complete && d.Functions[m.Function] != ""
	}
	if !complete {
		return d, fmt.Errorf("the stacks of %s lack outputs of this version: deploy it, or name --table, --function and --bucket", env)
	}
	return d, nil
}
