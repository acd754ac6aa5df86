package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// streamsStack has the two readers of the table's stream.
type streamsStack struct {
	stack     awscdk.Stack
	functions []function
	failures  awssqs.Queue // batches that a reader gave up
}

func newStreams(a *app, files assets) streamsStack {
	s := streamsStack{stack: a.stack(topology.StreamsStack, "the readers of the table's stream", a.database.stack, a.websocket.stack)}
	s.failures = awssqs.NewQueue(s.stack, jsii.String("Failures"), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		RemovalPolicy:   a.keep(),
	})
	for _, m := range topology.StreamMappings() {
		f := a.newFunction(s.stack, m.Function, files, map[string]string{
			config.CallbackURL: a.websocket.callback, config.OrderSeconds: a.settings.OrderInterval,
		})
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
	output(s.stack, topology.FailuresOutput, *s.failures.QueueUrl(), "Batches that could not be processed, see docs/operations.md")
	return s
}

// newMapping makes the event source mapping of a function. Lambda reads the stream
// and writes to the queue with the function's role.
func (s streamsStack) newMapping(a *app, m topology.StreamMapping, f function) awslambda.CfnEventSourceMapping {
	allow(f.role, []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, a.database.streamARN, nil)
	allow(f.role, []string{"dynamodb:ListStreams"}, "*", nil) // the action has no resources
	allow(f.role, []string{"sqs:SendMessage"}, *s.failures.QueueArn(), nil)

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
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: s.failures.QueueArn()},
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
