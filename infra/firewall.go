package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/topology"
)

// firewallRegion is where a firewall of CloudFront has to be ("AWS::WAFv2::WebACL",
// CloudFormation Template Reference Guide).
const firewallRegion = "us-east-1"

// newFirewall makes the rules for what CloudFront lets in, in a stack of its own, as no
// stack can have resources of two regions. Its output is the setting webAcl.
func newFirewall(a *app) {
	stack := a.stackIn(&awscdk.Environment{Region: jsii.String(firewallRegion)}, "Firewall", "the firewall of the distribution")
	acl := awswafv2.NewCfnWebACL(stack, jsii.String("Firewall"), &awswafv2.CfnWebACLProps{
		Scope:            jsii.String("CLOUDFRONT"),
		Description:      jsii.String("Streamroom " + a.settings.Env),
		DefaultAction:    &awswafv2.CfnWebACL_DefaultActionProperty{Allow: map[string]any{}},
		VisibilityConfig: measured("all"),
		Rules: []any{
			// 429 tells clients to slow down; WAF's own 403 would tell them to give up.
			&awswafv2.CfnWebACL_RuleProperty{
				Name: jsii.String("rate"), Priority: jsii.Number(0), VisibilityConfig: measured("rate"),
				Action: &awswafv2.CfnWebACL_RuleActionProperty{Block: map[string]any{
					"customResponse": map[string]any{"responseCode": 429},
				}},
				Statement: &awswafv2.CfnWebACL_StatementProperty{
					RateBasedStatement: &awswafv2.CfnWebACL_RateBasedStatementProperty{
						AggregateKeyType: jsii.String("IP"), Limit: jsii.Number(a.settings.FirewallRate),
						EvaluationWindowSec: jsii.Number(300),
					},
				},
			},
			&awswafv2.CfnWebACL_RuleProperty{
				Name: jsii.String("reputation"), Priority: jsii.Number(1), VisibilityConfig: measured("reputation"),
				OverrideAction: &awswafv2.CfnWebACL_OverrideActionProperty{None: map[string]any{}},
				Statement: &awswafv2.CfnWebACL_StatementProperty{
					ManagedRuleGroupStatement: &awswafv2.CfnWebACL_ManagedRuleGroupStatementProperty{
						VendorName: jsii.String("AWS"), Name: jsii.String("AWSManagedRulesAmazonIpReputationList"),
					},
				},
			},
		},
	})
	output(stack, "WebAclArn", *acl.AttrArn(), "The setting webAcl")
}

// measured names the metric of what a rule stops. Samples would keep requests, and with
// them tokens.
func measured(metric string) *awswafv2.CfnWebACL_VisibilityConfigProperty {
	return &awswafv2.CfnWebACL_VisibilityConfigProperty{
		CloudWatchMetricsEnabled: jsii.Bool(true), MetricName: jsii.String(metric), SampledRequestsEnabled: jsii.Bool(false),
	}
}

// The paths of both APIs behind the distribution.
const (
	socketPath = "/socket"
	apiPath    = "/api"
)

// pathsOfOrigins rewrites a path of the distribution to the one of the API: the stage
// of the WebSocket API, or what follows apiPath. An origin's own path could only be put
// before.
func pathsOfOrigins(stage string) string {
	return `function handler(event) {
  const request = event.request;
  request.uri = request.uri === "` + socketPath + `" ? "/` + stage + `" : request.uri.slice("` + apiPath + `".length);
  return request;
}
`
}

// guard puts both APIs behind the distribution, and the firewall before it.
func (s frontendStack) guard(a *app, props *awscloudfront.DistributionProps) {
	props.WebAclId = jsii.String(a.settings.WebACL)
	rewrite := awscloudfront.NewFunction(s.stack, jsii.String("Paths"), &awscloudfront.FunctionProps{
		Code:    awscloudfront.FunctionCode_FromInline(jsii.String(pathsOfOrigins(a.websocket.stage))),
		Comment: jsii.String("Paths of both APIs"),
		Runtime: awscloudfront.FunctionRuntime_JS_2_0(),
	})
	behind := func(apiID string, methods awscloudfront.AllowedMethods) *awscloudfront.BehaviorOptions {
		origin := &awscloudfrontorigins.HttpOriginProps{ProtocolPolicy: awscloudfront.OriginProtocolPolicy_HTTPS_ONLY}
		if key := a.settings.OriginKey; key != "" {
			origin.CustomHeaders = &map[string]*string{topology.OriginKeyHeader: jsii.String(key)}
		}
		host := apiID + ".execute-api." + *s.stack.Region() + "." + *s.stack.UrlSuffix()
		return &awscloudfront.BehaviorOptions{
			Origin:               awscloudfrontorigins.NewHttpOrigin(jsii.String(host), origin),
			AllowedMethods:       methods,
			ViewerProtocolPolicy: awscloudfront.ViewerProtocolPolicy_HTTPS_ONLY,
			CachePolicy:          awscloudfront.CachePolicy_CACHING_DISABLED(),
			// Tokens and subprotocols are headers. API Gateway finds the API by Host.
			OriginRequestPolicy: awscloudfront.OriginRequestPolicy_ALL_VIEWER_EXCEPT_HOST_HEADER(),
			FunctionAssociations: &[]*awscloudfront.FunctionAssociation{{
				EventType: awscloudfront.FunctionEventType_VIEWER_REQUEST, Function: rewrite,
			}},
		}
	}
	props.AdditionalBehaviors = &map[string]*awscloudfront.BehaviorOptions{
		socketPath:     behind(a.websocket.apiID, awscloudfront.AllowedMethods_ALLOW_GET_HEAD()),
		apiPath + "/*": behind(a.api.apiID, awscloudfront.AllowedMethods_ALLOW_ALL()),
	}
}
