package main

import (
	"path/filepath"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// function is a deployed function with a role of its own.
type function struct {
	topology.Function
	lambda awslambda.Function
	role   awsiam.Role

	mapping awslambda.CfnEventSourceMapping // of a reader of the stream
}

// newFunction makes a function of the topology in a stack. values has the values
// of variables; the function gets those that it reads and that are not empty.
func (a *app) newFunction(stack awscdk.Stack, name string, files assets, values map[string]string) function {
	spec := functionOf(name)
	role := awsiam.NewRole(stack, jsii.String(name+"-role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description: jsii.String("Streamroom's function " + name),
	})
	logs := a.newLogGroup(stack, name+"-log")
	allow(role, []string{"logs:CreateLogStream", "logs:PutLogEvents"}, *logs.LogGroupArn(), nil)
	a.database.grantTable(role, name)
	a.storage.grantObjects(role, name)
	if reviewed := a.settings.ReviewFunction; reviewed != "" && slices.Contains(spec.Variables, config.Review) {
		allow(role, []string{"lambda:InvokeFunction"}, reviewed, nil)
	}

	environment := map[string]*string{}
	for _, variable := range spec.Variables {
		value := values[variable]
		switch variable {
		case config.TableName:
			value = *a.database.table.TableName()
		case config.Attachments:
			value = *a.storage.bucket.BucketName()
		case config.LogLevel:
			value = a.settings.LogLevel
		default:
			if limit, given := a.settings.Limits[variable]; given {
				value = limit
			}
		}
		if value != "" {
			environment[variable] = jsii.String(value)
		}
	}
	props := &awslambda.FunctionProps{
		Description:   jsii.String("Streamroom " + a.settings.Env + ": " + name),
		Runtime:       awslambda.Runtime_PROVIDED_AL2023(),
		Architecture:  awslambda.Architecture_ARM_64(),
		Handler:       jsii.String("bootstrap"),
		Code:          awslambda.Code_FromAsset(jsii.String(filepath.Join(files.functions, name)), nil),
		MemorySize:    jsii.Number(float64(spec.MemoryMB)),
		Timeout:       seconds(spec.Timeout),
		Environment:   &environment,
		Role:          role,
		LogGroup:      logs,
		LoggingFormat: awslambda.LoggingFormat_JSON,
		// The function itself drops lines below its level. Lambda would drop lines below
		// info, and with a higher level the metrics, which have none.
		ApplicationLogLevelV2: awslambda.ApplicationLogLevel_DEBUG,
		// Lambda's own lines of an invocation that went well are half of a function's log.
		SystemLogLevelV2: awslambda.SystemLogLevel_WARN,
		Tracing:          awslambda.Tracing_DISABLED,
	}
	if a.settings.Tracing {
		props.Tracing = awslambda.Tracing_ACTIVE
	}
	if n, ok := a.settings.ReservedConcurrency[name]; ok {
		props.ReservedConcurrentExecutions = jsii.Number(float64(n))
	}
	return function{Function: spec, lambda: awslambda.NewFunction(stack, jsii.String(name), props), role: role}
}

func functionOf(name string) topology.Function {
	for _, f := range topology.Programs() {
		if f.Name == name {
			return f
		}
	}
	panic("the topology has no function " + name)
}

func (a *app) newLogGroup(stack awscdk.Stack, id string) awslogs.LogGroup {
	group := awslogs.NewLogGroup(stack, jsii.String(id), &awslogs.LogGroupProps{
		Retention: awslogs.RetentionDays_INFINITE, RemovalPolicy: a.keep(),
	})
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(a.settings.LogRetentionDays))
	return group
}
