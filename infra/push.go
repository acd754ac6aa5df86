package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// newPush makes the function that sends Web Push, and the rule by which notification events
// invoke it; nil if there is none. Its role may read the one secret, and users'
// subscriptions.
//
// The secret is one that the operator has stored: a template has no secret. The account's
// key aws/ssm, which encrypts it, lets every role of the account decrypt by Systems Manager
// what it may read there ("AWS KMS encryption for AWS Systems Manager
// Parameter Store SecureString parameters", AWS Systems Manager User Guide).
func newPush(a *app, stack awscdk.Stack, files assets, bus *eventBus) *function {
	secret := a.settings.PushSecret
	if secret == "" {
		return nil
	}
	f := a.newFunction(stack, topology.Push, files, nil)
	allow(f.role, []string{"ssm:GetParameter"}, *stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("ssm"), Resource: jsii.String("parameter"), ResourceName: jsii.String(strings.TrimPrefix(secret, "/")),
	}), nil)
	f.lambda.ConfigureAsyncInvoke(&awslambda.EventInvokeConfigOptions{
		MaxEventAge: awscdk.Duration_Seconds(jsii.Number(topology.PushAge.Seconds())), RetryAttempts: jsii.Number(float64(topology.PushRetries)),
	})
	// The library of targets (awseventstargets) compiles thirty other packages of the CDK.
	rule := awsevents.NewCfnRule(stack, jsii.String("push-rule"), &awsevents.CfnRuleProps{
		EventBusName: bus.bus.EventBusName(), Description: jsii.String("Streamroom " + a.settings.Env + ": Web Push to users who are offline"),
		EventPattern: map[string][]string{"source": {"streamroom"}, "detail-type": {config.Notification}},
		Targets: &[]awsevents.CfnRule_TargetProperty{{
			Id: jsii.String("push"), Arn: f.lambda.FunctionArn(),
			RetryPolicy: &awsevents.CfnRule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(topology.PushAge.Seconds())},
		}},
	})
	f.lambda.AddPermission(jsii.String("push-rule"), &awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil), SourceArn: rule.AttrArn(),
	})
	return &f
}
