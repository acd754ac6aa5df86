package main

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/web"
)

// policyOf is the browser client's Content-Security-Policy, deployed.
func policyOf(t *testing.T, c *cloud) string {
	t.Helper()
	headers := c.only(t, "AWS::CloudFront::ResponseHeadersPolicy")
	return resolver{t, c, ""}.texts("Frontend", at(headers.Properties,
		"ResponseHeadersPolicyConfig", "SecurityHeadersConfig", "ContentSecurityPolicy", "ContentSecurityPolicy"))[0]
}

func TestAPoolWithASiteHasAPageToSignIn(t *testing.T) {
	c := synthWith(t, map[string]any{
		"env": "dev", "site": "https://chat.example.com", "siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/abc",
		"userPoolTier": "plus",
	})
	c.only(t, "AWS::Cognito::UserPool").expect(t, `"PLUS"`, "UserPoolTier")
	client := c.only(t, "AWS::Cognito::UserPoolClient")
	client.expect(t, `["code"]`, "AllowedOAuthFlows")
	client.expect(t, `true`, "AllowedOAuthFlowsUserPoolClient")
	client.expect(t, `["openid"]`, "AllowedOAuthScopes")
	client.expect(t, `["https://chat.example.com/"]`, "CallbackURLs")
	client.expect(t, `["https://chat.example.com/"]`, "LogoutURLs")
	client.expect(t, `["COGNITO"]`, "SupportedIdentityProviders")
	client.expect(t, `false`, "GenerateSecret")
	domain := c.only(t, "AWS::Cognito::UserPoolDomain")
	if prefix := (resolver{t, c, ""}).text("Auth", domain.at("Domain")); prefix != "streamroom-dev-"+account {
		t.Errorf("the page's name is %s", prefix)
	}
	if policy := policyOf(t, c); !strings.Contains(policy, ".auth."+region+".amazoncognito.com https://attachments.s3.") || strings.Contains(policy, "invalid") {
		t.Errorf("the page's policy is %s", policy)
	}
}

// The page's policy is that of package web, but for the origins, and browsers ask for its files
// again each time: an old service worker would outlive its page.
func TestTheSiteIsServedAsLocally(t *testing.T) {
	c := synth(t, "dev")
	want, err := web.Config{}.ContentSecurityPolicy()
	if err != nil {
		t.Fatal(err)
	}
	directives := strings.Split(policyOf(t, c), "; ")
	for i, own := range strings.Split(want, "; ") {
		if i >= len(directives) || !strings.HasPrefix(directives[i], own) || strings.HasPrefix(own, "trusted-types ") && directives[i] != own {
			t.Errorf("deployed is %q, want %s", directives, own)
		}
	}
	c.only(t, "Custom::CDKBucketDeployment").expect(t, `"no-cache"`, "SystemMetadata", "cache-control")
}

func TestAPoolWithoutASiteHasNoPage(t *testing.T) {
	c := synth(t, "dev")
	if found := c.all("AWS::Cognito::UserPoolDomain"); len(found) > 0 {
		t.Errorf("%d pages were made", len(found))
	}
	c.only(t, "AWS::Cognito::UserPoolClient").expect(t, `null`, "CallbackURLs")
}

func existingPool() map[string]any {
	return map[string]any{
		"env": "dev", "userPoolId": "us-east-1_abc", "userPoolClientId": "app", "signInPage": "https://ours.auth.us-east-1.amazoncognito.com",
	}
}

func TestAnExistingPoolKeepsItsPage(t *testing.T) {
	c := synthWith(t, existingPool())
	if found := c.all("AWS::Cognito::UserPoolDomain"); len(found) > 0 {
		t.Errorf("%d pages were made", len(found))
	}
	if policy := policyOf(t, c); !strings.Contains(policy, " https://ours.auth.us-east-1.amazoncognito.com https://attachments.s3.") {
		t.Errorf("the page's policy is %s", policy)
	}
}
