package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/topology"
)

const webACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/Firewall-abc/00000000-0000-0000-0000-000000000000"

const firstKey, secondKey = "0123456789abcdefghij", "another-key-0123456789"

func guardedSettings() map[string]any {
	return map[string]any{
		"env": "dev", "site": "https://chat.example.com", "siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/a",
		"firewallRate": "2000", "webAcl": webACL, "originKey": secondKey, "acceptedKeys": firstKey + "," + secondKey,
	}
}

// Both APIs behind the site's distribution: page, paths, headers and keys fit together.
func TestTheFirewall(t *testing.T) {
	c := synthWith(t, guardedSettings())
	acl := c.only(t, "AWS::WAFv2::WebACL")
	acl.expect(t, `"CLOUDFRONT"`, "Scope")
	acl.expect(t, `{"AggregateKeyType":"IP","EvaluationWindowSec":300,"Limit":2000}`, "Rules", 0, "Statement", "RateBasedStatement")
	acl.expect(t, `{"Block":{"CustomResponse":{"ResponseCode":429}}}`, "Rules", 0, "Action")

	distribution := c.only(t, "AWS::CloudFront::Distribution")
	distribution.expect(t, `"`+webACL+`"`, "DistributionConfig", "WebACLId")
	hosts := map[string]string{}
	for _, o := range list(distribution.at("DistributionConfig", "Origins")) {
		if host := at(o, "DomainName"); at(o, "CustomOriginConfig") != nil {
			hosts[fmt.Sprint(at(o, "Id"))] = resolver{t, c, ""}.text("Frontend", host)
			if diff := cmp.Diff(`[{"HeaderName":"`+topology.OriginKeyHeader+`","HeaderValue":"`+secondKey+`"}]`, toJSON(t, at(o, "OriginCustomHeaders"))); diff != "" {
				t.Errorf("what the distribution sends (-want +got):\n%s", diff)
			}
		}
	}
	served := map[string]string{}
	for _, b := range list(distribution.at("DistributionConfig", "CacheBehaviors")) {
		served[fmt.Sprint(at(b, "PathPattern"))] = hosts[fmt.Sprint(at(b, "TargetOriginId"))]
		if got := toJSON(t, at(b, "AllowedMethods")); at(b, "PathPattern") == "/api/*" && !strings.Contains(got, "PATCH") {
			t.Errorf("the HTTP API is asked by %s", got)
		}
	}
	const host = apiID + ".execute-api." + region + ".amazonaws.com"
	if diff := cmp.Diff(map[string]string{"/socket": host, "/api/*": host}, served); diff != "" {
		t.Errorf("behaviours (-want +got):\n%s", diff)
	}
	policy := resolver{t, c, ""}.text("Frontend", at(c.only(t, "AWS::CloudFront::ResponseHeadersPolicy").Properties,
		"ResponseHeadersPolicyConfig", "SecurityHeadersConfig", "ContentSecurityPolicy", "ContentSecurityPolicy"))
	if !strings.Contains(policy, "connect-src 'self' wss://chat.example.com https://chat.example.com ") {
		t.Errorf("the page's policy is %s", policy)
	}
	asking := map[string]string{}
	for _, f := range c.all("AWS::Lambda::Function") {
		if keys := f.at("Environment", "Variables", "ORIGIN_KEYS"); keys != nil {
			asking[c.program(t, f)] = fmt.Sprint(keys)
		}
	}
	want := map[string]string{topology.Connect: firstKey + "," + secondKey, topology.API: firstKey + "," + secondKey}
	if diff := cmp.Diff(want, asking); diff != "" {
		t.Errorf("what asks for a key (-want +got):\n%s", diff)
	}
}

// The function of the distribution, run as CloudFront runs it.
func TestPathsOfOrigins(t *testing.T) {
	needNode(t)
	for path, want := range map[string]string{
		"/socket":                  "/prod",
		"/api/rooms":               "/rooms",
		"/api/":                    "/",
		"/api/rooms/a%2Fb/members": "/rooms/a%2Fb/members",
		"/api/api/socket":          "/api/socket",
	} {
		script := pathsOfOrigins("prod") + "console.log(handler({request: {uri: " + toJSON(t, path) + "}}).uri)"
		got, err := exec.CommandContext(t.Context(), "node", "-e", script).Output()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: %s, %v; want %s", path, got, err, want)
		}
	}
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
