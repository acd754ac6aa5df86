package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfrontorigins"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3deployment"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/web"
)

// frontendStack has the browser client.
type frontendStack struct {
	stack        awscdk.Stack
	distribution awscloudfront.Distribution
}

func newFrontend(a *app, files assets) (frontendStack, error) {
	s := frontendStack{stack: a.leaf("Frontend", "the browser client", a.auth.stack, a.storage.stack, a.websocket.stack, a.api.stack)}
	policy, err := s.contentSecurityPolicy(a)
	if err != nil {
		return s, err
	}
	config, err := s.configFile(a)
	if err != nil {
		return s, err
	}
	bucket := awss3.NewBucket(s.stack, jsii.String("Site"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		// All files come from the repository. Only an empty bucket can be deleted, and
		// the deployment below leaves its files when the stack is deleted.
		RemovalPolicy:     awscdk.RemovalPolicy_DESTROY,
		AutoDeleteObjects: jsii.Bool(true),
	})
	own := a.settings.ownSite()
	s.distribution = s.newDistribution(a, bucket, policy, own)
	awss3deployment.NewBucketDeployment(s.stack, jsii.String("Files"), &awss3deployment.BucketDeploymentProps{
		DestinationBucket: bucket,
		Distribution:      s.distribution,
		DistributionPaths: jsii.Strings("/*"),
		LogGroup:          a.newLogGroup(s.stack, "deployment-log"),
		CacheControl:      &[]awss3deployment.CacheControl{awss3deployment.CacheControl_NoCache()},
		Sources: &[]awss3deployment.ISource{
			awss3deployment.Source_Asset(jsii.String(files.web), nil),
			awss3deployment.Source_JsonData(jsii.String("config.json"), config, nil),
		},
	})
	address := *s.distribution.DistributionDomainName()
	if own.given() {
		own.output(s.stack, "SiteTarget", address)
		address = own.domain
	}
	output(s.stack, "Url", "https://"+address, "The browser client")
	if a.settings.guarded() {
		output(s.stack, "GuardedWebSocketEndpoint", s.config(a).WebSocketURL, "Where clients connect behind the firewall")
		output(s.stack, "GuardedApiEndpoint", s.config(a).APIURL, "The HTTP API behind the firewall")
	}
	return s, nil
}

// newDistribution serves the bucket, under the operator's own name if there is one.
func (s frontendStack) newDistribution(a *app, bucket awss3.Bucket, policy string, own ownName) awscloudfront.Distribution {
	headers := awscloudfront.NewResponseHeadersPolicy(s.stack, jsii.String("Headers"), &awscloudfront.ResponseHeadersPolicyProps{
		SecurityHeadersBehavior: &awscloudfront.ResponseSecurityHeadersBehavior{
			ContentSecurityPolicy: &awscloudfront.ResponseHeadersContentSecurityPolicy{
				ContentSecurityPolicy: jsii.String(policy), Override: jsii.Bool(true),
			},
			ContentTypeOptions: &awscloudfront.ResponseHeadersContentTypeOptions{Override: jsii.Bool(true)},
			ReferrerPolicy: &awscloudfront.ResponseHeadersReferrerPolicy{
				ReferrerPolicy: awscloudfront.HeadersReferrerPolicy_NO_REFERRER, Override: jsii.Bool(true),
			},
			StrictTransportSecurity: &awscloudfront.ResponseHeadersStrictTransportSecurity{
				AccessControlMaxAge: awscdk.Duration_Days(jsii.Number(365)), Override: jsii.Bool(true),
			},
		},
	})
	props := &awscloudfront.DistributionProps{
		Comment:           jsii.String("Streamroom " + a.settings.Env),
		DefaultRootObject: jsii.String("index.html"),
		HttpVersion:       awscloudfront.HttpVersion_HTTP2_AND_3,
		DefaultBehavior: &awscloudfront.BehaviorOptions{
			Origin:                awscloudfrontorigins.S3BucketOrigin_WithOriginAccessControl(bucket, nil),
			ViewerProtocolPolicy:  awscloudfront.ViewerProtocolPolicy_REDIRECT_TO_HTTPS,
			ResponseHeadersPolicy: headers,
			Compress:              jsii.Bool(true),
		},
	}
	if a.settings.guarded() {
		s.guard(a, props)
	}
	if own.given() {
		// CloudFront refuses the names that it has no certificate for.
		props.DomainNames = jsii.Strings(own.domain)
		props.Certificate = awscertificatemanager.Certificate_FromCertificateArn(s.stack, jsii.String("Certificate"), jsii.String(own.certificate))
		props.MinimumProtocolVersion = awscloudfront.SecurityPolicyProtocol_TLS_V1_2_2021
	}
	return awscloudfront.NewDistribution(s.stack, jsii.String("Distribution"), props)
}

// configFile returns config as the jsii runtime accepts it.
func (s frontendStack) configFile(a *app) (map[string]any, error) {
	text, err := json.Marshal(s.config(a))
	if err != nil {
		return nil, fmt.Errorf("make config.json: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("make config.json: %w", err)
	}
	return fields, nil
}

// config returns config.json, from which the page learns its endpoints.
func (s frontendStack) config(a *app) web.Config {
	c := web.Config{Mode: web.ModeExternal, WebSocketURL: a.websocket.endpoint, APIURL: a.api.endpoint, StorageURL: a.storage.endpoint()}
	if a.settings.guarded() {
		host := a.settings.ownSite().domain
		c.WebSocketURL, c.APIURL = "wss://"+host+socketPath, "https://"+host+apiPath
	}
	if a.auth.signIn != "" {
		c.Mode, c.TokenURL, c.ClientID = web.ModeCognito, a.auth.signIn, a.auth.audience
		c.SignInURL, c.UserClaim = a.auth.page, a.settings.UserClaim
	}
	return c
}

// contentSecurityPolicy returns the page's policy. Endpoints are references until
// the stack is deployed, and no valid URLs, so the policy is made for placeholders,
// which the references replace.
func (s frontendStack) contentSecurityPolicy(a *app) (string, error) {
	c := s.config(a)
	deployed := []string{c.WebSocketURL, c.APIURL, c.TokenURL, c.SignInURL, c.StorageURL}
	c.WebSocketURL, c.APIURL, c.StorageURL = "wss://websocket.invalid", "https://api.invalid", "https://storage.invalid"
	if c.TokenURL != "" {
		c.TokenURL = "https://token.invalid"
	}
	if c.SignInURL != "" {
		c.SignInURL = "https://page.invalid"
	}
	policy, err := c.ContentSecurityPolicy()
	if err != nil {
		return "", err
	}
	for i, placeholder := range []string{c.WebSocketURL, c.APIURL, c.TokenURL, c.SignInURL, c.StorageURL} {
		if placeholder != "" {
			policy = strings.ReplaceAll(policy, placeholder, originOf(deployed[i]))
		}
	}
	return policy, nil
}

// originOf cuts the path off a URL that may contain references. A reference has no
// slash, and contains no part of the path.
func originOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	if rest == "" {
		return url // the whole URL is a reference
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
