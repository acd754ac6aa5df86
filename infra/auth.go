package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/config"
)

// authStack has the issuer of the accepted tokens.
type authStack struct {
	stack    awscdk.Stack // nil if the tokens' issuer exists already
	issuer   string       // the claim iss
	audience string       // the client id
	keys     string       // where the issuer publishes its keys; "" reads that from its description
	tokenUse string       // of Cognito's tokens; "" with another issuer
	signIn   string       // where the browser client gets tokens; "" with another issuer
	services []service    // whose tokens are accepted, too
	page     string       // the origin of the user pool's sign-in page; "" if users sign in in the browser client
}

func newAuth(a *app) authStack {
	s := a.settings
	if s.Issuer != "" {
		return authStack{issuer: s.Issuer, audience: s.Audience, keys: s.KeysURL, services: s.Services}
	}
	// A reference to the region is the same in every stack.
	cognito := "https://cognito-idp." + *awscdk.Aws_REGION() + "." + *awscdk.Aws_URL_SUFFIX() + "/"
	auth := authStack{tokenUse: "access", signIn: cognito}
	if s.UserPoolID != "" {
		auth.issuer, auth.audience, auth.page = cognito+s.UserPoolID, s.UserPoolApp, s.SignInPage
		auth.keys, auth.services = keysOfPool(auth.issuer), s.Services
		return auth
	}
	auth.stack = a.stack("Auth", "the user pool")
	pool, client := newUserPool(a, auth.stack)
	auth.issuer, auth.audience = *pool.UserPoolProviderUrl(), *client.UserPoolClientId()
	auth.keys = keysOfPool(auth.issuer)
	var domain string
	if s.Site != "" || len(s.Services) > 0 {
		domain = newSignInPage(a, pool)
	}
	if s.Site != "" {
		auth.page = domain
	}
	if len(s.Services) > 0 {
		auth.services = newServices(auth.stack, pool, s.Services)
		output(auth.stack, "TokenEndpoint", domain+"/oauth2/token", "Where services get their tokens")
	}
	output(auth.stack, "Issuer", auth.issuer, "The issuer of accepted tokens")
	output(auth.stack, "Audience", auth.audience, "The client id that tokens are for")
	return auth
}

// keysOfPool returns where a user pool's keys are ("Verifying JSON web tokens",
// Amazon Cognito Developer Guide), so that connect need not look for them.
func keysOfPool(issuer string) string { return issuer + "/.well-known/jwks.json" }

// newUserPool creates a pool whose users sign in by user name. Only operators
// create users: open sign-up would be a decision of its own.
func newUserPool(a *app, stack awscdk.Stack) (awscognito.UserPool, awscognito.UserPoolClient) {
	pool := awscognito.NewUserPool(stack, jsii.String("UserPool"), &awscognito.UserPoolProps{
		SelfSignUpEnabled:   jsii.Bool(false),
		SignInAliases:       &awscognito.SignInAliases{Username: jsii.Bool(true)},
		SignInCaseSensitive: jsii.Bool(false),
		StandardAttributes: &awscognito.StandardAttributes{
			Email: &awscognito.StandardAttribute{Required: jsii.Bool(true), Mutable: jsii.Bool(true)},
		},
		AutoVerify:      &awscognito.AutoVerifiedAttrs{Email: jsii.Bool(true)},
		AccountRecovery: awscognito.AccountRecovery_EMAIL_ONLY,
		PasswordPolicy: &awscognito.PasswordPolicy{
			MinLength: jsii.Number(12), RequireLowercase: jsii.Bool(true), RequireUppercase: jsii.Bool(true),
			RequireDigits: jsii.Bool(true), RequireSymbols: jsii.Bool(true),
		},
		Mfa:                awscognito.Mfa_OPTIONAL,
		MfaSecondFactor:    &awscognito.MfaSecondFactor{Otp: jsii.Bool(true), Sms: jsii.Bool(false)},
		FeaturePlan:        a.settings.UserPoolTier,
		DeletionProtection: jsii.Bool(a.settings.prod()),
		RemovalPolicy:      a.keep(),
	})
	props := &awscognito.UserPoolClientOptions{
		// No secret: neither a page nor a command line program can keep one.
		AuthFlows:                  &awscognito.AuthFlow{UserPassword: jsii.Bool(true), UserSrp: jsii.Bool(true)},
		DisableOAuth:               jsii.Bool(a.settings.Site == ""),
		GenerateSecret:             jsii.Bool(false),
		PreventUserExistenceErrors: jsii.Bool(true),
		EnableTokenRevocation:      jsii.Bool(true),
		AccessTokenValidity:        awscdk.Duration_Hours(jsii.Number(1)),
		IdTokenValidity:            awscdk.Duration_Hours(jsii.Number(1)),
		RefreshTokenValidity:       awscdk.Duration_Days(jsii.Number(30)),
	}
	if site := a.settings.Site; site != "" {
		props.OAuth = &awscognito.OAuthSettings{
			Flows:        &awscognito.OAuthFlows{AuthorizationCodeGrant: jsii.Bool(true)},
			Scopes:       &[]awscognito.OAuthScope{awscognito.OAuthScope_OPENID()},
			CallbackUrls: jsii.Strings(site + "/"),
			LogoutUrls:   jsii.Strings(site + "/"),
		}
		props.SupportedIdentityProviders = &[]awscognito.UserPoolClientIdentityProvider{awscognito.UserPoolClientIdentityProvider_COGNITO()}
	}
	output(stack, "UserPoolId", *pool.UserPoolId(), "The user pool")
	return pool, pool.AddClient(jsii.String("Client"), props)
}

// newSignInPage gives a pool a domain, with a page to sign in and the endpoint of services'
// tokens, and returns its origin. A prefix in
// amazoncognito.com is unique in a region ("Using the Amazon Cognito prefix domain
// for managed login", Cognito Developer Guide), so it contains the account's number.
func newSignInPage(a *app, pool awscognito.UserPool) string {
	domain := pool.AddDomain(jsii.String("SignIn"), &awscognito.UserPoolDomainOptions{
		CognitoDomain: &awscognito.CognitoDomainOptions{
			DomainPrefix: jsii.String("streamroom-" + a.settings.Env + "-" + *awscdk.Aws_ACCOUNT_ID()),
		},
	})
	return *domain.BaseUrl(nil)
}

// clients returns the services as the functions know them.
func (auth authStack) clients() []string {
	clients := make([]string, len(auth.services))
	for i, s := range auth.services {
		clients[i] = s.name + "=" + s.clientID
	}
	return clients
}

// audiences returns the client ids that tokens may be for.
func (auth authStack) audiences() []string {
	ids := []string{auth.audience}
	for _, s := range auth.services {
		ids = append(ids, s.clientID)
	}
	return ids
}

// variables returns the environment variables that decide which tokens are
// accepted, of whom, and how lists of rooms are ordered.
func (auth authStack) variables(s settings) map[string]string {
	values := map[string]string{
		config.Issuer:    auth.issuer,
		config.KeysURL:   auth.keys,
		config.Audience:  auth.audience,
		config.TokenUse:  auth.tokenUse,
		config.UserClaim: s.UserClaim,
		config.Services:  strings.Join(auth.clients(), ","),

		config.OrderSeconds: s.OrderInterval,
		config.UserIDCase:   s.userIDCase(),
		config.OriginKeys:   strings.Join(s.AcceptedKeys, ","),
	}
	if !s.prod() {
		values[config.QueryToken] = "true" // a URL ends up in logs, so never in prod
	}
	return values
}
