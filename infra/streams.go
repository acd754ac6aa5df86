package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// streamsStack has the two readers of the table's stream, and what their events invoke.
type streamsStack struct {
	stack     awscdk.Stack
	functions []function
	failures  awss3.Bucket // batches that a reader gave up
	push      *function    // nil: no Web Push
	announces bool         // there is a bus of events
}

func newStreams(a *app, files assets) streamsStack {
	s := streamsStack{stack: a.stack(topology.StreamsStack, "the readers of the table's stream", a.database.stack, a.storage.stack, a.websocket.stack)}
	s.failures = newFailuresBucket(a, s.stack)
	keepFailuresQueue(a, s.stack)
	bus := newEventBus(a, s.stack, s.failures)
	s.announces = bus != nil
	for _, m := range topology.StreamMappings() {
		f := a.newFunction(s.stack, m.Function, files, bus.variables(a.settings, map[string]string{
			config.CallbackURL: a.websocket.callback, config.OrderSeconds: a.settings.OrderInterval,
		}))
		bus.grant(f)
		if m.Function == topology.Fanout {
			connections := func(method string) string {
				return *a.websocket.arn(a.websocket.apiID, a.websocket.stage+"/"+method+"/@connections/*")
			}
			// Frames, and the end of connections that newer ones have replaced.
			f.role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
				Actions:   jsii.Strings("execute-api:ManageConnections"),
				Resources: jsii.Strings(connections("POST"), connections("DELETE")),
			}))
		}
		f.mapping = s.newMapping(a, m, f)
		s.functions = append(s.functions, f)
		output(s.stack, topology.FunctionOutput(m.Function), *f.lambda.FunctionName(), "The function "+m.Function+", for operators' tools")
	}
	s.push = newPush(a, s.stack, files, bus)
	output(s.stack, topology.FailuresOutput, *s.failures.BucketName(), "Batches that could not be processed, see docs/operations.md")
	return s
}

// failureDays is how long given-up records are kept: as long as a queue could.
const failureDays = 14

// newFailuresBucket makes the bucket that gets the records which a reader gave up. A
// queue would get their metadata only, and the stream forgets the records after a day
// ("Retain discarded records for a DynamoDB event source in Lambda", AWS Lambda
// Developer Guide).
func newFailuresBucket(a *app, stack awscdk.Stack) awss3.Bucket {
	return awss3.NewBucket(stack, jsii.String("FailedRecords"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Expiration:                          awscdk.Duration_Days(jsii.Number(failureDays)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
		RemovalPolicy:     a.keep(),
		AutoDeleteObjects: jsii.Bool(!a.settings.prod()),
	})
}

// keepFailuresQueue keeps the queue that was the destination before the bucket, which may
// have entries, and whose name the Monitoring stack of such a version imports: an export
// in use can't go. Nothing writes to it.
func keepFailuresQueue(a *app, stack awscdk.Stack) {
	queue := awssqs.NewQueue(stack, jsii.String("Failures"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(failureDays)),
		RemovalPolicy:   a.keep(),
	})
	stack.ExportValue(queue.QueueName(), nil)
}

// newMapping makes the event source mapping of a function. Lambda reads the stream
// and writes to the bucket with the function's role.
func (s streamsStack) newMapping(a *app, m topology.StreamMapping, f function) awslambda.CfnEventSourceMapping {
	allow(f.role, []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, a.database.streamARN, nil)
	allow(f.role, []string{"dynamodb:ListStreams"}, "*", nil) // the action has no resources
	// Lambda wants both, and looks whether the bucket is of the account that it was of.
	account := map[string]any{"StringEquals": map[string]any{"s3:ResourceAccount": *awscdk.Aws_ACCOUNT_ID()}}
	allow(f.role, []string{"s3:ListBucket"}, *s.failures.BucketArn(), account)
	allow(f.role, []string{"s3:PutObject"}, *s.failures.ArnForObjects(jsii.String(topology.FailurePrefix + "*")), account)

	filters := make([]any, len(m.Filters))
	for i, p := range m.Filters {
		filters[i] = &awslambda.CfnEventSourceMapping_FilterProperty{Pattern: jsii.String(p.JSON())}
	}
	props := &awslambda.CfnEventSourceMappingProps{
		FunctionName:                   f.lambda.FunctionName(),
		EventSourceArn:                 jsii.String(a.database.streamARN),
		StartingPosition:               jsii.String("TRIM_HORIZON"),
		BatchSize:                      jsii.Number(float64(m.BatchSize)),
		MaximumBatchingWindowInSeconds: jsii.Number(m.BatchWindow.Seconds()),
		ParallelizationFactor:          jsii.Number(float64(m.ParallelizationFactor)),
		MaximumRetryAttempts:           jsii.Number(float64(m.MaximumRetryAttempts)),
		MaximumRecordAgeInSeconds:      jsii.Number(m.MaximumRecordAge.Seconds()),
		BisectBatchOnFunctionError:     jsii.Bool(m.BisectOnError),
		FilterCriteria:                 &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{Filters: &filters},
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: s.failures.BucketArn()},
		},
		MetricsConfig: &awslambda.CfnEventSourceMapping_MetricsConfigProperty{Metrics: jsii.Strings("EventCount")},
	}
	if m.ReportItemFailures {
		props.FunctionResponseTypes = jsii.Strings("ReportBatchItemFailures")
	}
	mapping := awslambda.NewCfnEventSourceMapping(s.stack, jsii.String(m.Function+"-mapping"), props)
	// Lambda checks the role when it creates the mapping.
	mapping.Node().AddDependency(f.role)
	return mapping
}
