package main

import (
	"testing"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// A service gets tokens by its own client, with a secret and the one scope, and only the
// HTTP API takes them.
func TestServicesHaveClientsOfTheirOwn(t *testing.T) {
	c := synthWith(t, map[string]any{"env": "dev", "services": "bot"})
	server := c.only(t, "AWS::Cognito::UserPoolResourceServer")
	server.expect(t, `"streamroom"`, "Identifier")
	server.expect(t, `"service"`, "Scopes", 0, "ScopeName")
	c.only(t, "AWS::Cognito::UserPoolDomain")
	machines := 0
	for _, client := range c.all("AWS::Cognito::UserPoolClient") {
		if client.at("GenerateSecret") != true {
			client.expect(t, `null`, "AllowedOAuthFlows")
			continue
		}
		machines++
		client.expect(t, `["client_credentials"]`, "AllowedOAuthFlows")
		if scopes := (resolver{t, c, ""}).texts("Auth", client.at("AllowedOAuthScopes")); len(scopes) != 1 || scopes[0] != server.id+"/service" {
			t.Errorf("the scopes are %q", scopes)
		}
	}
	audiences := resolver{t, c, ""}.texts("Api", c.only(t, "AWS::ApiGatewayV2::Authorizer").at("JwtConfiguration", "Audience"))
	if machines != 1 || len(audiences) != 2 || audiences[1] != "streamroom-local-bot" {
		t.Errorf("%d clients of services, audiences %q", machines, audiences)
	}
	for _, f := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(f) {
			continue
		}
		got := f.at("Environment", "Variables", config.Services)
		if program := c.program(t, f); (got != nil) != (program == topology.API) {
			t.Errorf("%s has the services %v", program, got)
		} else if got != nil {
			if text := (resolver{t, c, ""}).text("Api", got); text != "bot=streamroom-local-bot" {
				t.Errorf("the services are %s", text)
			}
		}
	}
}

func TestWithoutServicesThereIsNoClientOfThem(t *testing.T) {
	c := synth(t, "prod")
	if found := c.all("AWS::Cognito::UserPoolResourceServer"); len(found) > 0 || len(c.all("AWS::Cognito::UserPoolDomain")) > 0 || len(c.all("AWS::Cognito::UserPoolClient")) != 1 {
		t.Errorf("there is %v", found)
	}
}
