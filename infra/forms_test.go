package main

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// underCloudFront are those of a site under CloudFront's own address, with events and no
// pushes, the pool that this app makes, and the rules of a firewall that is not in use yet.
func underCloudFront() map[string]any {
	return map[string]any{
		"env": "dev", "site": "https://d111111abcdef8.cloudfront.net", "userPoolTier": "essentials", "events": true, "firewallRate": "2000",
	}
}

// anotherIssuer are those of another issuer, with a service whose client is there, and of
// pushes that carry content, without other events.
func anotherIssuer() map[string]any {
	return pushSettings(map[string]any{
		"env": "dev", "issuer": "https://keycloak.example/realms/chat", "audience": "streamroom", "userClaim": "sub",
		"services": "bot=machine", "eventContent": true,
	})
}

// variables returns what the functions that have some of the environment variables get.
func (c *cloud) variables(t *testing.T, names ...string) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, f := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(f) {
			continue
		}
		got := map[string]string{}
		for _, name := range names {
			if value := f.at("Environment", "Variables", name); value != nil {
				got[name] = resolver{t, c, ""}.text(f.concern, value)
			}
		}
		if len(got) > 0 {
			all[c.program(t, f)] = got
		}
	}
	return all
}

func TestASiteUnderCloudFrontsAddress(t *testing.T) {
	c := synthWith(t, underCloudFront())
	c.only(t, "AWS::Cognito::UserPool").expect(t, `"ESSENTIALS"`, "UserPoolTier")
	client := c.only(t, "AWS::Cognito::UserPoolClient")
	client.expect(t, `["https://d111111abcdef8.cloudfront.net/"]`, "CallbackURLs")
	client.expect(t, `["https://d111111abcdef8.cloudfront.net/"]`, "LogoutURLs")
	c.only(t, "AWS::Cognito::UserPoolDomain")
	distribution := c.only(t, "AWS::CloudFront::Distribution")
	distribution.expect(t, `null`, "DistributionConfig", "Aliases")
	distribution.expect(t, `null`, "DistributionConfig", "ViewerCertificate")
	// The rules wait for the setting webAcl.
	distribution.expect(t, `null`, "DistributionConfig", "WebACLId")
	distribution.expect(t, `null`, "DistributionConfig", "CacheBehaviors")
	c.only(t, "AWS::WAFv2::WebACL")

	if rules := c.all("AWS::Events::Rule"); len(rules) > 0 {
		t.Errorf("%d rules without pushes", len(rules))
	}
	want := map[string]map[string]string{topology.Fanout: {config.EventBus: busName}}
	if diff := cmp.Diff(want, c.variables(t, config.EventBus, config.EventTypes, config.EventContent, config.PushKey)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAnotherIssuer(t *testing.T) {
	c := synthWith(t, anotherIssuer())
	for _, kind := range []string{"AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient", "AWS::Cognito::UserPoolResourceServer", "AWS::Cognito::UserPoolDomain"} {
		if found := c.all(kind); len(found) > 0 {
			t.Errorf("there are %d of %s", len(found), kind)
		}
	}
	c.only(t, "AWS::ApiGatewayV2::Authorizer").expect(t,
		`{"Audience":["streamroom","machine"],"Issuer":"https://keycloak.example/realms/chat"}`, "JwtConfiguration")
	tokens := map[string]string{
		config.Issuer: "https://keycloak.example/realms/chat", config.Audience: "streamroom", config.UserClaim: "sub", config.UserIDCase: config.Sensitive,
	}
	ofRequests := maps.Clone(tokens)
	ofRequests[config.Services] = "bot=machine"
	ofSends := map[string]string{config.UserIDCase: config.Sensitive} // of those who are mentioned
	want := map[string]map[string]string{topology.Connect: tokens, topology.API: ofRequests, topology.SendMessage: ofSends}
	names := []string{config.Issuer, config.KeysURL, config.Audience, config.TokenUse, config.UserClaim, config.UserIDCase, config.Services}
	if diff := cmp.Diff(want, c.variables(t, names...)); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	want = map[string]map[string]string{topology.Fanout: {config.EventTypes: config.Notification, config.EventContent: "true"}}
	if diff := cmp.Diff(want, c.variables(t, config.EventTypes, config.EventContent)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The second step to a firewall: the distribution sends the key, and nothing asks for it yet.
func TestAFirewallBeforeItsKeyIsAskedFor(t *testing.T) {
	values := guardedSettings()
	delete(values, "acceptedKeys")
	delete(values, "firewallRate") // the web ACL is one of your own
	c := synthWith(t, values)
	if found := c.all("AWS::WAFv2::WebACL"); len(found) > 0 {
		t.Errorf("%d web ACLs were made", len(found))
	}
	distribution := c.only(t, "AWS::CloudFront::Distribution")
	distribution.expect(t, `"`+webACL+`"`, "DistributionConfig", "WebACLId")
	keys := map[string]int{}
	for _, o := range list(distribution.at("DistributionConfig", "Origins")) {
		if sent := at(o, "OriginCustomHeaders", 0, "HeaderValue"); sent != nil {
			keys[fmt.Sprint(sent)]++
		}
	}
	if diff := cmp.Diff(map[string]int{secondKey: 2}, keys); diff != "" {
		t.Errorf("what both origins get (-want +got):\n%s", diff)
	}
	if asking := c.variables(t, config.OriginKeys); len(asking) > 0 {
		t.Errorf("a key is asked for by %v", asking)
	}
}
