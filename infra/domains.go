package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/jsii-runtime-go"
)

// dualStack lets clients of IPv4 and of IPv6 in.
const dualStack = "dualstack"

// ownName is a name of the operator's for something that is deployed, and the ARN
// of its certificate; both are empty without one.
type ownName struct {
	domain, certificate string
}

func (n ownName) given() bool { return n.domain != "" }

// serve makes the stage of an API reachable by the name. Its own address stays.
func (n ownName) serve(stack awscdk.Stack, apiID string, stage awsapigatewayv2.CfnStage) {
	domain := awsapigatewayv2.NewCfnDomainName(stack, jsii.String("Domain"), &awsapigatewayv2.CfnDomainNameProps{
		DomainName: jsii.String(n.domain),
		DomainNameConfigurations: []any{&awsapigatewayv2.CfnDomainName_DomainNameConfigurationProperty{
			CertificateArn: jsii.String(n.certificate),
			EndpointType:   jsii.String("REGIONAL"),
			SecurityPolicy: jsii.String("TLS_1_2"),
			IpAddressType:  jsii.String(dualStack),
		}},
	})
	mapping := awsapigatewayv2.NewCfnApiMapping(stack, jsii.String("DomainMapping"), &awsapigatewayv2.CfnApiMappingProps{
		ApiId: jsii.String(apiID), DomainName: domain.Ref(), Stage: stage.Ref(),
	})
	mapping.AddResourceDependency(stage, nil)
	n.output(stack, "DomainTarget", *domain.AttrRegionalDomainName())
}

// output says where the name's record has to point.
func (n ownName) output(stack awscdk.Stack, id, target string) {
	output(stack, id, target, "Point a CNAME or alias record of "+n.domain+" here")
}
