package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/topology"
)

// maxServices bounds them: a JWT authorizer takes 50 audiences ("Quotas for configuring
// and running an HTTP API in API Gateway").
const maxServices = 20

// service is a program that acts by the HTTP API.
type service struct {
	name     string
	clientID string // at the issuer; "" until its client in the created pool has one
}

// services reads bot,import for the created user pool, or bot=CLIENTID for another issuer.
func services(value string) ([]service, error) {
	var found []service
	for part := range strings.SplitSeq(value, ",") {
		name, clientID, given := strings.Cut(part, "=")
		if err := matches(name, topology.ServiceName, "a name such as bot or news-feed, of at most 32 a-z, 0-9 and hyphens"); err != nil || len(name) > 32 {
			return nil, cmp.Or(err, errors.New("want a name of at most 32 characters"))
		}
		if given && matches(clientID, `[^\s,=]+`, "") != nil {
			return nil, fmt.Errorf("want the client id of the service after %s=", name)
		}
		if slices.ContainsFunc(found, func(s service) bool { return s.name == name || given && s.clientID == clientID }) {
			return nil, fmt.Errorf("want each service once, got %s again", part)
		}
		found = append(found, service{name, clientID})
	}
	if len(found) > maxServices {
		return nil, fmt.Errorf("want at most %d services, got %d", maxServices, len(found))
	}
	return found, nil
}

// checkServices checks that services have client ids exactly where this app makes none.
func (s settings) checkServices() error {
	for _, service := range s.Services {
		switch existing := s.Issuer != "" || s.UserPoolID != ""; {
		case existing && service.clientID == "":
			return fmt.Errorf("services=%s lacks a client id: want %s=CLIENTID with an issuer or a user pool of your own", service.name, service.name)
		case !existing && service.clientID != "":
			return fmt.Errorf("services=%s=%s has a client id; leave it out: this app makes the client", service.name, service.clientID)
		case service.clientID != "" && (service.clientID == s.Audience || service.clientID == s.UserPoolApp):
			return fmt.Errorf("services=%s has the client id of users; make a client of its own", service.name)
		}
	}
	return nil
}

// newServices makes a client for each service in a pool. Tokens come from the pool's
// domain, at /oauth2/token ("The token issuer endpoint", Amazon Cognito Developer Guide),
// for the client's id and secret.
func newServices(stack awscdk.Stack, pool awscognito.UserPool, wanted []service) []service {
	resource, name, _ := strings.Cut(topology.ServiceScope, "/")
	scope := awscognito.NewResourceServerScope(&awscognito.ResourceServerScopeProps{
		ScopeName: jsii.String(name), ScopeDescription: jsii.String("act as a service"),
	})
	server := pool.AddResourceServer(jsii.String("Services"), &awscognito.UserPoolResourceServerOptions{
		Identifier: jsii.String(resource), Scopes: &[]awscognito.ResourceServerScope{scope},
	})
	made := make([]service, len(wanted))
	for i, s := range wanted {
		client := pool.AddClient(jsii.String("Service-"+s.name), &awscognito.UserPoolClientOptions{
			GenerateSecret: jsii.Bool(true),
			OAuth: &awscognito.OAuthSettings{
				Flows:  &awscognito.OAuthFlows{ClientCredentials: jsii.Bool(true)},
				Scopes: &[]awscognito.OAuthScope{awscognito.OAuthScope_ResourceServer(server, scope)},
			},
			AccessTokenValidity:   awscdk.Duration_Hours(jsii.Number(1)),
			EnableTokenRevocation: jsii.Bool(true),
		})
		// Its id is read, and not locked: the Auth stack, which is deployed first, could not
		// drop the client of a service that is taken away while the Api stack has it.
		client.Node().DefaultChild().(awscdk.CfnResource).ApplyCrossStackReferenceStrength(awscdk.ReferenceStrength_WEAK)
		made[i] = service{s.name, *client.UserPoolClientId()}
		output(stack, "Service"+outputName(s.name), made[i].clientID, "The client id of the service "+s.name)
	}
	return made
}

// outputName makes a name that an output may have: letters and digits.
func outputName(service string) string {
	var name strings.Builder
	for part := range strings.SplitSeq(service, "-") {
		name.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return name.String()
}
