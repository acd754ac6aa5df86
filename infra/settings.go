package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// settings are the context values, validated.
type settings struct {
	Env string // dev or prod

	// Who signs the tokens: with all of it empty a user pool is created.
	UserPoolID   string // an existing Cognito user pool of this account and region
	UserPoolApp  string // its app client
	Issuer       string // any OIDC issuer
	Audience     string // its client id
	KeysURL      string // where it publishes its keys; "" reads that from its description
	UserClaim    string // the claim that is the user id
	UserIDCase   string // "" for what fits the issuer: see userIDCase
	AllowOrigins []string

	// Services act by the HTTP API with tokens of the client credentials flow.
	Services []service

	// Where people sign in on the user pool's own page, which comes back to the
	// browser client: with both empty they type their password into the client.
	Site       string // the origin that the browser client is reached at, to which the created pool's page returns
	SignInPage string // the origin of an existing pool's domain

	SiteCertificate string  // of Site, unless that is the address that CloudFront gave
	WebSocket, API  ownName // of the two APIs

	FirewallRate float64  // requests of an address in five minutes; 0 makes no firewall
	WebACL       string   // puts both APIs behind the site's distribution, with this firewall
	OriginKey    string   // what the distribution sends with each request to the APIs
	AcceptedKeys []string // of which the APIs ask for one; empty for none

	ThrottleBurst, ThrottleRate float64 // of the WebSocket API
	// APIThrottleBurst and APIThrottleRate are those of the HTTP API.
	APIThrottleBurst, APIThrottleRate float64
	Limits                            map[string]string // and switches, of users and what they send, by variable; the functions have defaults
	ReviewFunction                    string            // ARN; "" for no review
	Events, EventContent              bool              // put to a bus; with what messages say
	PushSecret                        string            // the parameter with the private key of Web Push; "" for none
	OrderInterval                     string            // seconds between two moves of a room in lists; "" is the functions' default
	ReservedConcurrency               map[string]int    // by function
	LogLevel                          string
	LogRetentionDays                  float64
	AlarmTopic                        string
	Budget                            float64 // dollars a month; 0 for none
	MaxReadUnits, MaxWriteUnits       float64 // a second, of the table and again of its index; 0 for no limit
	Tracing                           bool    // by X-Ray
	TableKey                          string
	UserPoolTier                      awscognito.FeaturePlan
	// LoggingRole makes the role by which API Gateway writes logs. An account has
	// one for each region.
	LoggingRole bool
}

func (s settings) prod() bool { return s.Env == "prod" }

// guarded reports whether both APIs are behind the site's distribution.
func (s settings) guarded() bool { return s.WebACL != "" }

// origins returns those whose pages may call the HTTP API, and upload and read
// attachments. Tokens come in a header that a page must set by script, never in a cookie:
// a page of another site has none to send, even if all origins are allowed. Nor has it a
// form or a link to an attachment, which only members get.
func (s settings) origins() []string {
	if len(s.AllowOrigins) == 0 {
		return []string{"*"}
	}
	return s.AllowOrigins
}

// option reads one context value into settings.
type option struct {
	name string
	read func(s *settings, value string) error
}

var options = []option{
	{"env", func(s *settings, v string) error {
		s.Env = v
		return oneOf(v, "dev", "prod")
	}},
	{"userPoolId", func(s *settings, v string) error {
		s.UserPoolID = v
		return matches(v, `[\w-]+_[0-9a-zA-Z]+`, "an id such as eu-central-1_AbCdEfGhI")
	}},
	{"userPoolClientId", func(s *settings, v string) error {
		s.UserPoolApp = v
		return matches(v, `[\w+]{1,128}`, "the id of an app client")
	}},
	{"issuer", func(s *settings, v string) error {
		s.Issuer = v
		return httpsURL(v, "https://issuer.example.com/path")
	}},
	{"audience", func(s *settings, v string) error {
		s.Audience = v
		return matches(v, `[^\s,]+`, "what access tokens have as aud, without blanks and commas")
	}},
	{"keysUrl", func(s *settings, v string) error {
		s.KeysURL = v
		return httpsURL(v, "https://issuer.example.com/keys")
	}},
	{"userClaim", func(s *settings, v string) error {
		s.UserClaim = v
		return matches(v, `[\w:./-]+`, "a claim's name such as sub")
	}},
	{"userIdCase", func(s *settings, v string) error {
		s.UserIDCase = v
		return oneOf(v, config.Insensitive, config.Sensitive)
	}},
	{"services", func(s *settings, v string) (err error) {
		s.Services, err = services(v)
		return err
	}},
	{"origins", func(s *settings, v string) error {
		for part := range strings.SplitSeq(v, ",") {
			origin, err := topology.ParseOrigin(part)
			if err != nil {
				return fmt.Errorf("%w, got %q; separate several by commas", err, part)
			}
			s.AllowOrigins = append(s.AllowOrigins, origin.String())
		}
		return nil
	}},
	{"site", func(s *settings, v string) (err error) {
		if s.Site, err = httpsOrigin(v); err != nil {
			return err
		}
		return domain(strings.TrimPrefix(s.Site, "https://")) // CloudFront serves no other port
	}},
	{"siteCertificate", func(s *settings, v string) error {
		s.SiteCertificate = v
		return matches(v, `arn:aws[\w-]*:acm:us-east-1:\d{12}:certificate/[\w-]+`, "the ARN of an ACM certificate in us-east-1, where CloudFront looks for it")
	}},
	{"signInPage", func(s *settings, v string) (err error) {
		s.SignInPage, err = httpsOrigin(v)
		return err
	}},
	{"webSocketDomain", func(s *settings, v string) error {
		s.WebSocket.domain = v
		return domain(v)
	}},
	{"webSocketCertificate", func(s *settings, v string) error {
		s.WebSocket.certificate = v
		return certificate(v)
	}},
	{"apiDomain", func(s *settings, v string) error {
		s.API.domain = v
		return domain(v)
	}},
	{"apiCertificate", func(s *settings, v string) error {
		s.API.certificate = v
		return certificate(v)
	}},
	{"firewallRate", func(s *settings, v string) (err error) {
		s.FirewallRate, err = number(v, 10, 2_000_000_000)
		return err
	}},
	{"webAcl", func(s *settings, v string) error {
		s.WebACL = v
		return matches(v, `arn:aws[\w-]*:wafv2:us-east-1:\d{12}:global/webacl/[\w-]+/[\w-]+`, "the ARN of a web ACL of CloudFront, such as the output WebAclArn of the stack Firewall")
	}},
	{"originKey", func(s *settings, v string) error {
		s.OriginKey = v
		return originKey(v)
	}},
	{"acceptedKeys", func(s *settings, v string) error {
		s.AcceptedKeys = strings.Split(v, ",")
		for _, key := range s.AcceptedKeys {
			if err := originKey(key); err != nil {
				return err
			}
		}
		return nil
	}},
	{"apiThrottleBurst", func(s *settings, v string) (err error) {
		s.APIThrottleBurst, err = number(v, 1, 100_000)
		return err
	}},
	{"apiThrottleRate", func(s *settings, v string) (err error) {
		s.APIThrottleRate, err = number(v, 1, 100_000)
		return err
	}},
	{"throttleBurst", func(s *settings, v string) (err error) {
		s.ThrottleBurst, err = number(v, 1, 100_000)
		return err
	}},
	{"throttleRate", func(s *settings, v string) (err error) {
		s.ThrottleRate, err = number(v, 1, 100_000)
		return err
	}},
	userLimit("connectRate", config.ConnectRate, 0, 10_000),
	userLimit("connectBurst", config.ConnectBurst, 1, 10_000),
	userLimit("sendRate", config.SendRate, 0, 1000),
	userLimit("sendBurst", config.SendBurst, 1, 10_000),
	userLimit("writeRate", config.WriteRate, 0, 1000),
	userLimit("writeBurst", config.WriteBurst, 1, 10_000),
	userLimit("readRate", config.ReadRate, 0, 1000),
	userLimit("readBurst", config.ReadBurst, 1, 10_000),
	userLimit("reportRate", config.ReportRate, 0, 10_000),
	userLimit("reportBurst", config.ReportBurst, 1, 10_000),
	userLimit("attachmentBytes", config.MaxFile, 1, 100<<20),
	userLimit("retentionDays", config.Retention, 1, 36_500),
	switched("typing", config.Typing),
	switched("presence", config.Presence),
	{"reviewFunction", func(s *settings, v string) error {
		s.ReviewFunction, s.Limits[config.Review] = v, v
		return matches(v, `arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:[\w-]+(:[\w$-]+)?`, "the ARN of a Lambda function")
	}},
	{"reviewFailure", func(s *settings, v string) error {
		s.Limits[config.ReviewFails] = v
		return oneOf(v, config.Allow, config.Deny)
	}},
	yesNo("events", func(s *settings) *bool { return &s.Events }),
	yesNo("eventContent", func(s *settings) *bool { return &s.EventContent }),
	{"push", func(s *settings, v string) error {
		s.PushSecret, s.Limits[config.PushSecret] = v, v
		return matches(v, `(/[\w.-]+){1,15}`, "the name of a parameter of Systems Manager, such as /streamroom/prod/push")
	}},
	{"pushKey", func(s *settings, v string) error {
		s.Limits[config.PushKey] = v
		return matches(v, `B[\w-]{86}`, "a public key as streamroom push-key prints it")
	}},
	{"pushContact", func(s *settings, v string) error {
		s.Limits[config.PushContact] = v
		return matches(v, `mailto:[^\s@]+@[^\s@]+|https://\S+`, "a URL such as mailto:ops@example.com or https://example.com/contact")
	}},
	{"orderInterval", func(s *settings, v string) error {
		s.OrderInterval = v
		_, err := number(v, 0, 3_600)
		return err
	}},
	{"reservedConcurrency", func(s *settings, v string) (err error) {
		s.ReservedConcurrency, err = concurrency(v)
		return err
	}},
	{"logLevel", func(s *settings, v string) error {
		s.LogLevel = v
		return oneOf(v, "debug", "info", "warn", "error")
	}},
	{"logRetentionDays", func(s *settings, v string) (err error) {
		s.LogRetentionDays, err = number(v, 1, 3653)
		if err == nil && !slices.Contains(logRetentions, s.LogRetentionDays) {
			return fmt.Errorf("want one of %v", logRetentions)
		}
		return err
	}},
	{"alarmTopic", func(s *settings, v string) error {
		s.AlarmTopic = v
		return matches(v, `arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w-]+`, "the ARN of an SNS topic")
	}},
	{"budget", func(s *settings, v string) (err error) {
		s.Budget, err = number(v, 1, 10_000_000)
		return err
	}},
	{"maxReadUnits", func(s *settings, v string) (err error) {
		s.MaxReadUnits, err = number(v, 1, 1_000_000)
		return err
	}},
	{"maxWriteUnits", func(s *settings, v string) (err error) {
		s.MaxWriteUnits, err = number(v, 1, 1_000_000)
		return err
	}},
	{"tracing", func(s *settings, v string) error {
		s.Tracing = v == "on"
		return oneOf(v, "on", "off")
	}},
	{"tableKey", func(s *settings, v string) error {
		s.TableKey = v
		return oneOf(v, ownedByAWS, managedByAWS)
	}},
	{"userPoolTier", func(s *settings, v string) error {
		s.UserPoolTier = awscognito.FeaturePlan(strings.ToUpper(v))
		return oneOf(v, "lite", "essentials", "plus")
	}},
	{"apiGatewayLogging", func(s *settings, v string) error {
		s.LoggingRole = v == "create"
		return oneOf(v, "create", "existing")
	}},
}

// userLimit is an option that sets a variable of a limit per user. Times are counted in
// ms, so none is finer than 1,000 a second.
func userLimit(name, variable string, least, most int) option {
	return option{name, func(s *settings, v string) error {
		s.Limits[variable] = v
		_, err := number(v, least, most)
		return err
	}}
}

// switched is an option that switches what functions do on or off.
func switched(name, variable string) option {
	return option{name, func(s *settings, v string) error {
		s.Limits[variable] = v
		return oneOf(v, config.On, config.Off)
	}}
}

// logRetentions are those that CloudWatch Logs has up to ten years.
var logRetentions = []float64{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

// readContext reads what the CDK CLI hands over: cdk.json's context and every
// -c name=value.
func readContext(getenv func(string) string) (map[string]any, error) {
	text := getenv("CDK_CONTEXT_JSON")
	if text == "" {
		return nil, errors.New("run this with the CDK CLI: npx aws-cdk@2.1148.1 synth -c env=dev")
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("read the context: %w", err)
	}
	return values, nil
}

// parseSettings validates the app's context values. Names with a colon or a slash
// belong to the CDK.
func parseSettings(values map[string]any) (settings, error) {
	s := settings{
		ThrottleBurst: 500, ThrottleRate: 1_000, APIThrottleBurst: 1_000, APIThrottleRate: 360, LogLevel: "info", LogRetentionDays: 14, LoggingRole: true,
		Limits: map[string]string{}, TableKey: ownedByAWS, UserPoolTier: awscognito.FeaturePlan_LITE,
	}
	if values["env"] == nil {
		return s, errors.New("missing environment: add -c env=dev or -c env=prod")
	}
	known := map[string]bool{}
	for _, o := range options {
		known[o.name] = true
		value, given := values[o.name]
		if !given {
			continue
		}
		text := fmt.Sprint(value)
		if err := o.read(&s, text); err != nil {
			return s, fmt.Errorf("invalid -c %s=%s: %w", o.name, text, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !known[name] && !strings.ContainsAny(name, ":/") && name != "cli-telemetry" {
			return s, fmt.Errorf("unknown setting -c %s; docs/operations.md lists the settings", name)
		}
	}
	if s.prod() && values["logRetentionDays"] == nil {
		s.LogRetentionDays = 90
	}
	return s, s.checkCombinations()
}

// checkCombinations checks settings that require or exclude each other.
func (s settings) checkCombinations() error {
	switch {
	case (s.UserPoolID == "") != (s.UserPoolApp == ""):
		return errors.New("userPoolId and userPoolClientId need each other; set both or neither")
	case (s.Issuer == "") != (s.Audience == ""):
		return errors.New("issuer and audience need each other; set both or neither")
	case s.KeysURL != "" && s.Issuer == "":
		return errors.New("keysUrl needs issuer: the keys of a user pool are where Cognito publishes them")
	case s.Issuer != "" && s.UserPoolID != "":
		return errors.New("userPoolId and issuer exclude each other: tokens have one issuer")
	case s.Budget > 0 && s.AlarmTopic == "":
		return errors.New("budget needs alarmTopic, the topic that it notifies")
	case s.Limits[config.ReviewFails] != "" && s.ReviewFunction == "":
		return errors.New("reviewFailure needs reviewFunction")
	case s.EventContent && !s.Events && s.PushSecret == "":
		return errors.New("eventContent needs events=true, or push")
	case (s.PushSecret == "") != (s.Limits[config.PushKey] == "") || (s.PushSecret == "") != (s.Limits[config.PushContact] == ""):
		return errors.New("push, pushKey and pushContact need each other; set all or none")
	case s.SignInPage != "" && s.UserPoolID == "":
		return errors.New("signInPage needs userPoolId; for the user pool that this app creates set site")
	}
	if err := s.checkServices(); err != nil {
		return err
	}
	if err := s.checkFirewall(); err != nil {
		return err
	}
	return s.checkNames()
}

// checkFirewall checks the settings of the firewall: the keys in the order in which they
// are set without refusing anyone on the way.
func (s settings) checkFirewall() error {
	switch {
	case s.guarded() && !s.ownSite().given():
		return errors.New("webAcl needs site and siteCertificate, a name of your own: both APIs are behind it")
	case s.OriginKey != "" && !s.guarded():
		return errors.New("originKey needs webAcl: the distribution sends the key")
	case len(s.AcceptedKeys) > 0 && !slices.Contains(s.AcceptedKeys, s.OriginKey):
		return errors.New("acceptedKeys lacks originKey: the APIs would refuse what the distribution sends")
	}
	return nil
}

// checkNames checks the names of the browser client and of both APIs.
func (s settings) checkNames() error {
	site := s.ownSite()
	switch {
	case s.WebSocket.given() != (s.WebSocket.certificate != ""):
		return errors.New("webSocketDomain and webSocketCertificate need each other; set both or neither")
	case s.API.given() != (s.API.certificate != ""):
		return errors.New("apiDomain and apiCertificate need each other; set both or neither")
	case s.SiteCertificate != "" && !site.given():
		return errors.New("siteCertificate needs site, a name of your own such as https://chat.example.com")
	case site.given() && s.SiteCertificate == "":
		return fmt.Errorf("site=%s needs siteCertificate, the ARN of its certificate in us-east-1; only CloudFront's own address has one already", s.Site)
	case s.Site != "" && !site.given() && (s.Issuer != "" || s.UserPoolID != ""):
		return fmt.Errorf("site=%s says nothing new; for an existing user pool set signInPage", s.Site)
	case s.WebSocket.given() && s.WebSocket.domain == s.API.domain,
		site.given() && (site.domain == s.WebSocket.domain || site.domain == s.API.domain):
		return errors.New("site, apiDomain and webSocketDomain need three names: each has a record of its own")
	}
	return nil
}

// ownSite returns the browser client's name, if it is not CloudFront's.
func (s settings) ownSite() ownName {
	host := strings.TrimPrefix(s.Site, "https://")
	if strings.HasSuffix(host, ".cloudfront.net") || strings.HasSuffix(host, ".cloudfront.cn") {
		return ownName{}
	}
	return ownName{host, s.SiteCertificate}
}

// userIDCase says whether the case of user ids counts. The pool that this app creates
// ignores it. Of another issuer nothing is known: users whom it tells apart by case must
// not become one.
func (s settings) userIDCase() string {
	switch {
	case s.UserIDCase != "":
		return s.UserIDCase
	case s.Issuer == "" && s.UserPoolID == "":
		return config.Insensitive
	}
	return config.Sensitive
}
