package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/topology"
)

// websocketStack has the WebSocket API and the functions behind its routes.
type websocketStack struct {
	stack     awscdk.Stack
	apiID     string
	stage     string
	endpoint  string // wss://…, where clients connect
	callback  string // https://…, its @connections API
	functions []function
}

func newWebSocket(a *app, files assets) websocketStack {
	w := websocketStack{
		stack: a.stack("WebSocket", "the WebSocket API and its routes", a.auth.stack, a.database.stack, a.storage.stack),
		stage: a.settings.Env,
	}
	api := awsapigatewayv2.NewCfnApi(w.stack, jsii.String("Api"), &awsapigatewayv2.CfnApiProps{
		Name:                     jsii.String("streamroom-" + a.settings.Env),
		ProtocolType:             jsii.String("WEBSOCKET"),
		RouteSelectionExpression: jsii.String(topology.RouteSelectionExpression),
		IpAddressType:            jsii.String(dualStack),
	})
	w.apiID = *api.Ref()
	host := w.apiID + ".execute-api." + *w.stack.Region() + "." + *w.stack.UrlSuffix()
	w.endpoint = "wss://" + host + "/" + w.stage
	w.callback = "https://" + host + "/" + w.stage

	routes := &routeTable{stack: w.stack, apiID: w.apiID}
	routes.describe("selection", topology.RouteSelectionExpression)
	for _, route := range a.routes {
		f, another := w.function(route.Function)
		permission := "invoke"
		if another {
			permission += "-" + routeID(route.Key)
		} else {
			f = a.newFunction(w.stack, route.Function, files, a.auth.variables(a.settings))
			w.functions = append(w.functions, f)
		}
		routes.add(route, f)
		f.lambda.AddPermission(jsii.String(permission), &awslambda.Permission{
			Principal: awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
			SourceArn: w.arn(w.apiID, w.stage+"/"+route.Key),
		})
	}
	stage := w.newStage(a, api, routes.deploy())
	if own := a.settings.WebSocket; own.given() {
		own.serve(w.stack, w.apiID, stage) // @connections stays at the API's own address
		w.endpoint = "wss://" + own.domain
	}

	awscdk.NewCfnOutput(w.stack, jsii.String("WebSocketEndpoint"), &awscdk.CfnOutputProps{
		Value:       jsii.String(w.endpoint),
		ExportName:  jsii.String("Streamroom-" + a.settings.Env + "-WebSocketEndpoint"),
		Description: jsii.String("Where clients connect"),
	})
	return w
}

// function returns the function of that name that another route has already.
func (w websocketStack) function(name string) (function, bool) {
	i := slices.IndexFunc(w.functions, func(f function) bool { return f.Name == name })
	if i < 0 {
		return function{}, false
	}
	return w.functions[i], true
}

// routeID names a route in ids of constructs. An action that is named like one of
// API Gateway's own route keys, which begin with "$", gets another id than that.
func routeID(key string) string {
	own, isOwn := strings.CutPrefix(key, "$")
	if !isOwn && slices.Contains([]string{"connect", "disconnect", "default"}, key) {
		return "action-" + key
	}
	return own
}

// arn returns the ARN that allows a caller to invoke a part of an API.
func (w websocketStack) arn(apiID, path string) *string {
	return w.stack.FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("execute-api"), Resource: jsii.String(apiID), ResourceName: jsii.String(path),
	})
}

// routeTable makes the routes and records what a deployment is a snapshot of.
type routeTable struct {
	stack     awscdk.Stack
	apiID     string
	snapshot  []any
	resources []awscdk.CfnResource
}

// describe adds properties to the snapshot, with references resolved to logical
// ids, which are the same on every machine.
func (r *routeTable) describe(kind string, properties any) {
	r.snapshot = append(r.snapshot, kind, r.stack.Resolve(properties))
}

// add makes a route, its integration, and its response if it has one.
func (r *routeTable) add(route topology.Route, f function) {
	name := routeID(route.Key)
	integrationProps := &awsapigatewayv2.CfnIntegrationProps{
		ApiId:           jsii.String(r.apiID),
		IntegrationType: jsii.String("AWS_PROXY"),
		IntegrationUri: jsii.String("arn:" + *r.stack.Partition() + ":apigateway:" + *r.stack.Region() +
			":lambda:path/2015-03-31/functions/" + *f.lambda.FunctionArn() + "/invocations"),
	}
	integration := awsapigatewayv2.NewCfnIntegration(r.stack, jsii.String(name+"-integration"), integrationProps)
	routeProps := &awsapigatewayv2.CfnRouteProps{
		ApiId:             jsii.String(r.apiID),
		RouteKey:          jsii.String(route.Key),
		AuthorizationType: jsii.String("NONE"), // $connect verifies the token itself, see docs/adr
		Target:            jsii.String("integrations/" + *integration.Ref()),
	}
	if route.TwoWay {
		routeProps.RouteResponseSelectionExpression = jsii.String("$default")
	}
	cfnRoute := awsapigatewayv2.NewCfnRoute(r.stack, jsii.String(name+"-route"), routeProps)
	r.describe("integration", integrationProps)
	r.describe("route", routeProps)
	r.resources = append(r.resources, integration, cfnRoute)
	if !route.TwoWay {
		return
	}
	responseProps := &awsapigatewayv2.CfnRouteResponseProps{
		ApiId:            jsii.String(r.apiID),
		RouteId:          cfnRoute.Ref(),
		RouteResponseKey: jsii.String("$default"),
	}
	response := awsapigatewayv2.NewCfnRouteResponse(r.stack, jsii.String(name+"-response"), responseProps)
	r.describe("response", responseProps)
	r.resources = append(r.resources, response)
}

// deploy creates the deployment, a snapshot of the API: later changes need another
// deployment. So its logical id derives from its content, and changes exactly with
// it.
func (r *routeTable) deploy() awsapigatewayv2.CfnDeployment {
	text, err := json.Marshal(r.snapshot)
	if err != nil {
		panic("routes do not marshal: " + err.Error())
	}
	sum := sha256.Sum256(text)
	deployment := awsapigatewayv2.NewCfnDeployment(r.stack, jsii.String("Deployment"+hex.EncodeToString(sum[:8])), &awsapigatewayv2.CfnDeploymentProps{
		ApiId: jsii.String(r.apiID),
	})
	for _, resource := range r.resources {
		deployment.AddResourceDependency(resource, nil)
	}
	return deployment
}

// accessLogFormat has the caller, the request and its outcome. It has no query
// string, header or body: a token may be in any of them. A ping has no other line, and is
// billed by its bytes: the event's own time is the request's, to a moment, and the route
// tells the type of event.
var accessLogFormat = logFormat(
	"requestId", "routeKey", "status", "connectionId", "integrationLatency",
	"integration.error", "error.message", "identity.sourceIp",
)

// logFormat returns a JSON object of variables of API Gateway's context.
func logFormat(variables ...string) string {
	parts := make([]string, len(variables))
	for i, v := range variables {
		parts[i] = `"` + v + `":"$context.` + v + `"`
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (w websocketStack) newStage(a *app, api awsapigatewayv2.CfnApi, deployment awsapigatewayv2.CfnDeployment) awsapigatewayv2.CfnStage {
	logs := a.newLogGroup(w.stack, "access-log")
	stage := awsapigatewayv2.NewCfnStage(w.stack, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId:        jsii.String(w.apiID),
		StageName:    jsii.String(w.stage),
		DeploymentId: deployment.AttrDeploymentId(),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingBurstLimit:   jsii.Number(a.settings.ThrottleBurst),
			ThrottlingRateLimit:    jsii.Number(a.settings.ThrottleRate),
			DetailedMetricsEnabled: jsii.Bool(false), // by route: billed each, and no alarm reads them
			DataTraceEnabled:       jsii.Bool(false), // it would log messages
			LoggingLevel:           jsii.String("ERROR"),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: logs.LogGroupArn(), Format: jsii.String(accessLogFormat),
		},
	})
	if a.settings.LoggingRole {
		account := w.newLoggingRole()
		// An account without any API can't be given the role.
		account.AddResourceDependency(api, nil)
		stage.AddResourceDependency(account, nil)
	}
	return stage
}

// newLoggingRole lets API Gateway write logs. It is a setting of the account and
// region, without which a stage with logs can't be created ("Configure logging for
// WebSocket APIs in API Gateway", API Gateway Developer Guide); other stacks may rely
// on it, so it stays when this one is deleted.
func (w websocketStack) newLoggingRole() awscdk.CfnResource {
	role := awsiam.NewRole(w.stack, jsii.String("LoggingRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		ManagedPolicies: &[]awsiam.IManagedPolicy{
			awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/AmazonAPIGatewayPushToCloudWatchLogs")),
		},
	})
	role.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN)
	account := awsapigateway.NewCfnAccount(w.stack, jsii.String("LoggingAccount"), &awsapigateway.CfnAccountProps{
		CloudWatchRoleArn: role.RoleArn(),
	})
	account.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN, nil)
	return account
}

func seconds(d time.Duration) awscdk.Duration {
	return awscdk.Duration_Seconds(jsii.Number(d.Seconds()))
}
