package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/topology"
)

// apiStack has the HTTP API.
type apiStack struct {
	stack    awscdk.Stack
	apiID    string
	endpoint string
	function function
}

func newAPI(a *app, files assets) apiStack {
	// After the readers of the stream, which have to know what it writes.
	s := apiStack{stack: a.stack("Api", "the HTTP API", a.auth.stack, a.database.stack, a.storage.stack, a.streams.stack)}
	s.function = a.newFunction(s.stack, topology.API, files, a.auth.variables(a.settings))

	api := awsapigatewayv2.NewCfnApi(s.stack, jsii.String("Api"), &awsapigatewayv2.CfnApiProps{
		Name:          jsii.String("streamroom-api-" + a.settings.Env),
		ProtocolType:  jsii.String("HTTP"),
		IpAddressType: jsii.String(dualStack),
		CorsConfiguration: &awsapigatewayv2.CfnApi_CorsProperty{
			AllowOrigins:     jsii.Strings(a.settings.origins()...),
			AllowMethods:     jsii.Strings(topology.APIMethods()...),
			AllowHeaders:     jsii.Strings(topology.APIHeaders()...),
			AllowCredentials: jsii.Bool(false),
			MaxAge:           jsii.Number(topology.APIPreflightAge.Seconds()),
		},
	})
	s.apiID = *api.Ref()
	s.endpoint = *api.AttrApiEndpoint()
	s.addRoutes(a, api)
	stage := s.addStage(a, api)
	if own := a.settings.API; own.given() {
		own.serve(s.stack, s.apiID, stage)
		s.endpoint = "https://" + own.domain
	}
	output(s.stack, "ApiEndpoint", s.endpoint, "The HTTP API")
	return s
}

// addRoutes makes a route to the function for each method, with the authorizer
// that verifies tokens. None matches OPTIONS: API Gateway answers a preflight
// itself, but a route for every method would require a token first, which a
// preflight never has ("Configure CORS for HTTP APIs in API Gateway", API Gateway
// Developer Guide).
func (s *apiStack) addRoutes(a *app, api awsapigatewayv2.CfnApi) {
	authorizer := awsapigatewayv2.NewCfnAuthorizer(s.stack, jsii.String("Authorizer"), &awsapigatewayv2.CfnAuthorizerProps{
		ApiId:          api.Ref(),
		Name:           jsii.String("token"),
		AuthorizerType: jsii.String("JWT"),
		IdentitySource: jsii.Strings("$request.header.Authorization"),
		JwtConfiguration: &awsapigatewayv2.CfnAuthorizer_JWTConfigurationProperty{
			Issuer: jsii.String(a.auth.issuer), Audience: jsii.Strings(a.auth.audiences()...),
		},
	})
	integration := awsapigatewayv2.NewCfnIntegration(s.stack, jsii.String("Integration"), &awsapigatewayv2.CfnIntegrationProps{
		ApiId:                api.Ref(),
		IntegrationType:      jsii.String("AWS_PROXY"),
		IntegrationUri:       s.function.lambda.FunctionArn(),
		PayloadFormatVersion: jsii.String("2.0"),
	})
	for _, method := range topology.APIMethods() {
		awsapigatewayv2.NewCfnRoute(s.stack, jsii.String(strings.ToLower(method)+"-route"), &awsapigatewayv2.CfnRouteProps{
			ApiId:             api.Ref(),
			RouteKey:          jsii.String(method + " /{proxy+}"),
			AuthorizationType: jsii.String("JWT"),
			AuthorizerId:      authorizer.Ref(),
			Target:            jsii.String("integrations/" + *integration.Ref()),
		})
	}
	s.function.lambda.AddPermission(jsii.String("invoke"), &awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		SourceArn: s.stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("execute-api"), Resource: api.Ref(), ResourceName: jsii.String("*/*"),
		}),
	})
}

// addStage makes the stage, with its throttling and its access log.
func (s *apiStack) addStage(a *app, api awsapigatewayv2.CfnApi) awsapigatewayv2.CfnStage {
	logs := a.newLogGroup(s.stack, "access-log")
	return awsapigatewayv2.NewCfnStage(s.stack, jsii.String("Stage"), &awsapigatewayv2.CfnStageProps{
		ApiId:      api.Ref(),
		StageName:  jsii.String("$default"),
		AutoDeploy: jsii.Bool(true),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingBurstLimit:   jsii.Number(a.settings.APIThrottleBurst),
			ThrottlingRateLimit:    jsii.Number(a.settings.APIThrottleRate),
			DetailedMetricsEnabled: jsii.Bool(false), // by route: billed each, and no alarm reads them
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: logs.LogGroupArn(),
			Format: jsii.String(logFormat(
				"requestId", "httpMethod", "path", "status", "responseLatency",
				"integrationErrorMessage", "authorizer.error", "identity.sourceIp",
			)),
		},
	})
}
