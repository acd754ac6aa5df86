package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

func TestBadContextIsSaidInOneLine(t *testing.T) {
	tests := map[string]struct {
		values map[string]any
		want   string
	}{
		"no environment":        {map[string]any{}, "missing environment: add -c env=dev or -c env=prod"},
		"another environment":   {map[string]any{"env": "test"}, "invalid -c env=test: want dev or prod"},
		"an empty environment":  {map[string]any{"env": ""}, "invalid -c env=: want dev or prod"},
		"a misspelt setting":    {map[string]any{"env": "dev", "orgins": "x"}, "unknown setting -c orgins"},
		"a domain with a path":  {map[string]any{"env": "dev", "webSocketDomain": "chat.example.com/x"}, "want a domain such as chat.example.com"},
		"a domain without dots": {map[string]any{"env": "dev", "webSocketDomain": "chat"}, "want a domain such as chat.example.com"},
		"a domain alone":        {map[string]any{"env": "dev", "webSocketDomain": "chat.example.com"}, "webSocketDomain and webSocketCertificate need each other"},
		"no certificate's ARN":  {map[string]any{"env": "dev", "webSocketCertificate": "abc"}, "want the ARN of an ACM certificate"},
		"an origin with a path": {map[string]any{"env": "dev", "origins": "https://a.example/x"}, `got "https://a.example/x"`},
		"an origin, bare":       {map[string]any{"env": "dev", "origins": "a.example"}, `got "a.example"`},
		"an origin too many":    {map[string]any{"env": "dev", "origins": "https://a.example,"}, `got ""`},
		"an issuer over http":   {map[string]any{"env": "dev", "issuer": "http://a.example", "audience": "x"}, "want a URL such as https://"},
		"an issuer alone":       {map[string]any{"env": "dev", "issuer": "https://a.example"}, "issuer and audience need each other"},
		"keys of no issuer":     {map[string]any{"env": "dev", "keysUrl": "https://a.example/keys"}, "keysUrl needs issuer"},
		"keys over http":        {map[string]any{"env": "dev", "issuer": "https://a.example", "audience": "x", "keysUrl": "http://a.example/keys"}, "want a URL such as https://"},
		"two issuers": {map[string]any{
			"env": "dev", "issuer": "https://a.example", "audience": "x", "userPoolId": "eu-central-1_abc", "userPoolClientId": "x",
		}, "tokens have one issuer"},
		"a site with a path":     {map[string]any{"env": "dev", "site": "https://chat.example.com/"}, "without a path"},
		"a site over http":       {map[string]any{"env": "dev", "site": "http://chat.example.com"}, "want an origin such as https://"},
		"a site of another pool": {map[string]any{"env": "dev", "site": "https://d1.cloudfront.net", "userPoolId": "eu-central-1_abc", "userPoolClientId": "x"}, "for an existing user pool set signInPage"},
		"a site with a port":     {map[string]any{"env": "dev", "site": "https://chat.example.com:8443"}, "want a domain such as chat.example.com"},
		"a site, uncertified":    {map[string]any{"env": "dev", "site": "https://chat.example.com"}, "site=https://chat.example.com needs siteCertificate"},
		"a certificate alone":    {map[string]any{"env": "dev", "siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/a"}, "siteCertificate needs site"},
		"a certificate's region": {map[string]any{"env": "dev", "site": "https://chat.example.com", "siteCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/a"}, "in us-east-1"},
		"an API's domain alone":  {map[string]any{"env": "dev", "apiDomain": "api.example.com"}, "apiDomain and apiCertificate need each other"},
		"one name for both APIs": {map[string]any{
			"env": "dev", "apiDomain": "api.example.com", "apiCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/a",
			"webSocketDomain": "api.example.com", "webSocketCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/a",
		}, "need three names"},
		"a page without a pool":  {map[string]any{"env": "dev", "signInPage": "https://x.auth.eu-central-1.amazoncognito.com"}, "signInPage needs userPoolId"},
		"a pool alone":           {map[string]any{"env": "dev", "userPoolId": "eu-central-1_abc"}, "userPoolId and userPoolClientId need each other"},
		"a rare order":           {map[string]any{"env": "dev", "orderInterval": "3601"}, "want a number from 0 to 3600"},
		"no burst":               {map[string]any{"env": "dev", "connectBurst": "0"}, "want a number from 1 to 10000"},
		"too fast to count":      {map[string]any{"env": "dev", "readRate": "1001"}, "want a number from 0 to 1000"},
		"another case of ids":    {map[string]any{"env": "dev", "userIdCase": "lower"}, "invalid -c userIdCase=lower: want insensitive or sensitive"},
		"attachments of nothing": {map[string]any{"env": "dev", "attachmentBytes": "0"}, "want a number from 1 to 104857600"},
		"no number":              {map[string]any{"env": "dev", "throttleRate": "fast"}, "want a number from 1 to 100000"},
		"an API's throttle":      {map[string]any{"env": "dev", "apiThrottleRate": "0"}, "want a number from 1 to 100000"},
		"a throttle of zero":     {map[string]any{"env": "dev", "throttleBurst": "0"}, "want a number from 1 to 100000"},
		"no retention of theirs": {map[string]any{"env": "dev", "logRetentionDays": "10"}, "want one of"},
		"an unknown function":    {map[string]any{"env": "dev", "reservedConcurrency": "fan=5"}, "the functions are connect,"},
		"a budget of no one":     {map[string]any{"env": "dev", "budget": "100"}, "budget needs alarmTopic"},
		"units of nothing":       {map[string]any{"env": "dev", "maxWriteUnits": "0"}, "want a number from 1 to 1000000"},
		"a firewall of no name":  {map[string]any{"env": "dev", "webAcl": webACL}, "webAcl needs site and siteCertificate"},
		"a firewall elsewhere":   {map[string]any{"env": "dev", "webAcl": "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/a/b"}, "the ARN of a web ACL of CloudFront"},
		"a key of no origin":     {map[string]any{"env": "dev", "originKey": "0123456789abcdefghij"}, "originKey needs webAcl"},
		"a short key":            {map[string]any{"env": "dev", "originKey": "0123456789"}, "want 20 to 128 letters"},
		"a key that none sends": {map[string]any{
			"env": "dev", "webAcl": webACL, "site": "https://chat.example.com", "siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/a",
			"originKey": "0123456789abcdefghij", "acceptedKeys": "another-0123456789abcdef",
		}, "acceptedKeys lacks originKey"},
		"a rate of none":          {map[string]any{"env": "dev", "firewallRate": "9"}, "want a number from 10"},
		"a review by no function": {map[string]any{"env": "dev", "reviewFunction": "review"}, "want the ARN of a Lambda function"},
		"a review's failure":      {map[string]any{"env": "dev", "reviewFailure": "allow"}, "reviewFailure needs reviewFunction"},
		"a failure that is none":  {map[string]any{"env": "dev", "reviewFailure": "maybe"}, "want allow or deny"},
		"content of no event":     {map[string]any{"env": "dev", "eventContent": "true"}, "eventContent needs events=true, or push"},
		"pushes with no key":      {map[string]any{"env": "dev", "push": "/streamroom/push"}, "push, pushKey and pushContact need each other"},
		"pushes of no parameter":  {map[string]any{"env": "dev", "push": "streamroom push"}, "the name of a parameter of Systems Manager"},
		"a private key":           {map[string]any{"env": "dev", "pushKey": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"}, "a public key as streamroom push-key prints it"},
		"a contact of no one":     {map[string]any{"env": "dev", "pushContact": "ops"}, "a URL such as mailto:"},
		"perhaps events":          {map[string]any{"env": "dev", "events": "on"}, "want true or false"},
		"a service's name":        {map[string]any{"env": "dev", "services": "Bot"}, "want a name such as bot"},
		"no service":              {map[string]any{"env": "dev", "services": ""}, "want a name such as bot"},
		"a service twice":         {map[string]any{"env": "dev", "services": "bot,bot"}, "want each service once"},
		"a client id of the pool": {map[string]any{"env": "dev", "services": "bot=x"}, "this app makes the client"},
		"no client id":            {map[string]any{"env": "dev", "services": "bot=", "issuer": "https://a.example", "audience": "x"}, "want the client id of the service after bot="},
		"a service of no client":  {map[string]any{"env": "dev", "services": "bot", "issuer": "https://a.example", "audience": "x"}, "want bot=CLIENTID"},
		"the client id of users":  {map[string]any{"env": "dev", "services": "bot=x", "issuer": "https://a.example", "audience": "x"}, "has the client id of users"},
		"two of one client":       {map[string]any{"env": "dev", "services": "bot=y,feed=y", "issuer": "https://a.example", "audience": "x"}, "want each service once"},
		"no topic":                {map[string]any{"env": "dev", "alarmTopic": "ops"}, "want the ARN of an SNS topic"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseSettings(test.values)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q, want one line with %q", err, test.want)
			}
		})
	}
}

// Only of the pool that this app creates it is known that it ignores case.
func TestCaseOfUserIDs(t *testing.T) {
	pool := map[string]any{"env": "dev", "userPoolId": "eu-central-1_abc", "userPoolClientId": "x"}
	for _, test := range []struct {
		values map[string]any
		want   string
	}{
		{map[string]any{"env": "dev"}, "insensitive"},
		{map[string]any{"env": "dev", "userIdCase": "sensitive"}, "sensitive"},
		{pool, "sensitive"},
		{map[string]any{"env": "dev", "issuer": "https://a.example", "audience": "x", "userClaim": "sub"}, "sensitive"},
		{map[string]any{"env": "dev", "issuer": "https://a.example", "audience": "x", "userIdCase": "insensitive"}, "insensitive"},
	} {
		s, err := parseSettings(test.values)
		if got := s.userIDCase(); got != test.want || err != nil {
			t.Errorf("%v: %s, %v; want %s", test.values, got, err, test.want)
		}
	}
}

func TestRunSaysWhatIsMissingBeforeItSynthesizes(t *testing.T) {
	err := run(t.Context(), func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), "npx aws-cdk@") {
		t.Errorf("without the CLI: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	err = run(t.Context(), func(string) string { return `{"env":"dev"}` })
	if err == nil || !strings.Contains(err.Error(), "node is not installed") {
		t.Errorf("without Node: %v", err)
	}
}

// issuerSettings name an issuer of one's own, and the origins of two pages.
func issuerSettings() map[string]any {
	return map[string]any{
		"env": "prod", "issuer": "https://issuer.example/a", "audience": "app", "keysUrl": "https://issuer.example/keys",
		"userClaim": "sub", "userIdCase": "insensitive", "origins": "HTTPS://Chat.example,https://www.example:443",
	}
}

func TestAnIssuerOfOnesOwn(t *testing.T) {
	c := synthWith(t, issuerSettings())
	if pools := c.all("AWS::Cognito::UserPool"); len(pools) > 0 {
		t.Error("a user pool was made")
	}
	authorizer := c.only(t, "AWS::ApiGatewayV2::Authorizer")
	authorizer.expect(t, `{"Audience":["app"],"Issuer":"https://issuer.example/a"}`, "JwtConfiguration")
	for _, r := range c.all("AWS::ApiGatewayV2::Api") {
		if r.concern == "Api" {
			r.expect(t, `["https://chat.example","https://www.example"]`, "CorsConfiguration", "AllowOrigins")
		}
	}
	found := 0
	for _, r := range c.all("AWS::Lambda::Function") {
		if r.at("Environment", "Variables", "JWT_ISSUER") == nil {
			continue
		}
		found++
		r.expect(t, `"https://issuer.example/a"`, "Environment", "Variables", "JWT_ISSUER")
		r.expect(t, `"app"`, "Environment", "Variables", "JWT_AUDIENCE")
		r.expect(t, `"sub"`, "Environment", "Variables", "JWT_USER_CLAIM")
		r.expect(t, `"insensitive"`, "Environment", "Variables", "USER_ID_CASE")
		r.expect(t, `null`, "Environment", "Variables", "JWT_TOKEN_USE")
		if c.program(t, r) == topology.Connect {
			r.expect(t, `"https://issuer.example/keys"`, "Environment", "Variables", "JWT_KEYS_URL")
		}
	}
	if found != 2 {
		t.Errorf("%d functions check tokens, want those of $connect and of the HTTP API", found)
	}
	cased := 0
	for _, r := range c.all("AWS::Lambda::Function") {
		if r.at("Environment", "Variables", "USER_ID_CASE") != nil {
			cased++
			r.expect(t, `"insensitive"`, "Environment", "Variables", "USER_ID_CASE")
		}
	}
	if cased != found+1 {
		t.Errorf("%d functions know how user ids are spelled, want those and sendMessage's, whose users mention others", cased)
	}
}

// docs/operations.md has a row for each setting, and for no other. Each is synthesized
// by a test of this package, which TestMain checks.
func TestSettingsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n### Settings\n")
	table, _, _ := strings.Cut(rest, "\n\n**`userClaim` can't be changed later.**")
	var documented []string
	for row := range strings.Lines(table) {
		if names, found := strings.CutPrefix(row, "| `"); found {
			names, _, _ = strings.Cut(names, "` |")
			documented = append(documented, strings.Split(names, "`, `")...)
		}
	}
	want := make([]string, len(options))
	for i, o := range options {
		want[i] = o.name
	}
	slices.Sort(want)
	slices.Sort(documented)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("(-options +docs/operations.md):\n%s", diff)
	}
}

func TestSettingsReachTheTemplates(t *testing.T) {
	c := synthWith(t, map[string]any{
		"env": "prod", "throttleBurst": "7", "throttleRate": 70, "apiThrottleBurst": 8, "apiThrottleRate": "80", "reservedConcurrency": "fanout=5", "logLevel": "warn",
		"connectRate": 0, "connectBurst": "7", "sendRate": 3, "sendBurst": 30, "writeRate": "4", "writeBurst": 40, "readRate": 0, "readBurst": 50, "reportRate": 6, "reportBurst": 60,
		"reviewFunction": "arn:aws:lambda:us-east-1:123456789012:function:review", "reviewFailure": "allow",
		"events": "true", "eventContent": "true",
		"services":      "bot=machine,news-feed=other",
		"orderInterval": 0, "attachmentBytes": 5_000_000, "typing": "off", "presence": "off", "retentionDays": 30,
		"logRetentionDays": "30", "apiGatewayLogging": "existing", "userPoolId": "eu-central-1_abc", "userPoolClientId": "app",
		"webSocketDomain":      "chat.example.com",
		"webSocketCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/abc",
		"apiDomain":            "api.example.com",
		"apiCertificate":       "arn:aws:acm:eu-central-1:123456789012:certificate/def",
		"tracing":              "on", "tableKey": "aws-managed",
		"site":            "https://www.example.com",
		"siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/ghi",
	})
	c.expectNames(t)
	c.only(t, "AWS::DynamoDB::Table").expect(t, `true`, "SSESpecification", "SSEEnabled")
	for _, r := range c.all("AWS::ApiGatewayV2::Stage") {
		rate, burst := `70`, `7`
		if r.concern == "Api" {
			rate, burst = `80`, `8`
		}
		r.expect(t, rate, "DefaultRouteSettings", "ThrottlingRateLimit")
		r.expect(t, burst, "DefaultRouteSettings", "ThrottlingBurstLimit")
	}
	for _, r := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(r) {
			continue
		}
		want := "null"
		if c.program(t, r) == topology.Fanout {
			want = "5"
		}
		r.expect(t, want, "ReservedConcurrentExecutions")
		r.expect(t, `"Active"`, "TracingConfig", "Mode")
		order := "null"
		if program := c.program(t, r); program == topology.LastMessage || program == topology.API {
			order = `"0"`
		}
		r.expect(t, order, "Environment", "Variables", "ORDER_INTERVAL")
		largest := "null"
		if slices.Contains(functionOf(c.program(t, r)).Variables, config.MaxFile) {
			largest = `"5000000"`
		}
		r.expect(t, largest, "Environment", "Variables", config.MaxFile)
		kept := "null"
		if program := c.program(t, r); program == topology.SendMessage || program == topology.API {
			kept = `"30"`
		}
		r.expect(t, kept, "Environment", "Variables", config.Retention)
		r.expect(t, `"warn"`, "Environment", "Variables", "LOG_LEVEL")
		for _, name := range []string{config.Typing, config.Presence} {
			off := "null"
			if slices.Contains(functionOf(c.program(t, r)).Variables, name) {
				off = `"off"`
			}
			r.expect(t, off, "Environment", "Variables", name)
		}
		reviewed := "null"
		if program := c.program(t, r); program == topology.SendMessage || program == topology.API {
			reviewed = `"arn:aws:lambda:us-east-1:123456789012:function:review"`
		}
		r.expect(t, reviewed, "Environment", "Variables", config.Review)
		bus, content := "null", "null"
		if c.program(t, r) == topology.Fanout {
			bus, content = `{"Ref":"`+c.only(t, "AWS::Events::EventBus").id+`"}`, `"true"`
		}
		r.expect(t, bus, "Environment", "Variables", config.EventBus)
		r.expect(t, content, "Environment", "Variables", config.EventContent)
		c.expectLimits(t, r)
	}
	for _, r := range c.all("AWS::Logs::LogGroup") {
		r.expect(t, `30`, "RetentionInDays")
	}
	if found := len(c.all("AWS::ApiGateway::Account")) + len(c.all("AWS::Cognito::UserPool")); found > 0 {
		t.Errorf("%d resources were made that exist already", found)
	}
	authorizer := c.only(t, "AWS::ApiGatewayV2::Authorizer")
	authorizer.expect(t, `["app","machine","other"]`, "JwtConfiguration", "Audience")
	issuer := resolver{t, c, ""}.text("Api", authorizer.at("JwtConfiguration", "Issuer"))
	if issuer != "https://cognito-idp.us-east-1.amazonaws.com/eu-central-1_abc" {
		t.Errorf("the issuer is %s", issuer)
	}
	files := resolver{t, c, ""}.texts("Frontend", at(c.only(t, "AWS::CloudFront::ResponseHeadersPolicy").Properties,
		"ResponseHeadersPolicyConfig", "SecurityHeadersConfig", "ContentSecurityPolicy", "ContentSecurityPolicy"))
	if !strings.Contains(files[0], "connect-src 'self' wss://chat.example.com https://api.example.com ") || strings.Contains(files[0], "invalid") {
		t.Errorf("the page's policy is %s", files[0])
	}
}

// expectNames checks that what has a name of one's own serves it with a certificate.
func (c *cloud) expectNames(t *testing.T) {
	t.Helper()
	certificates := map[string]string{}
	for _, r := range c.all("AWS::ApiGatewayV2::DomainName") {
		certificates[fmt.Sprint(r.at("DomainName"))] = fmt.Sprint(r.at("DomainNameConfigurations", 0, "CertificateArn"))
	}
	served := map[string]string{}
	for _, r := range c.all("AWS::ApiGatewayV2::ApiMapping") {
		name := c.templates[r.concern].Resources[fmt.Sprint(r.at("DomainName", "Ref"))].at("DomainName")
		if stage := c.templates[r.concern].Resources[fmt.Sprint(r.at("Stage", "Ref"))]; stage.Type != "AWS::ApiGatewayV2::Stage" {
			t.Errorf("%v maps to no stage", name)
		}
		served[fmt.Sprint(name)] = r.concern
	}
	distribution := c.only(t, "AWS::CloudFront::Distribution")
	for _, name := range list(distribution.at("DistributionConfig", "Aliases")) {
		served[fmt.Sprint(name)] = distribution.concern
		certificates[fmt.Sprint(name)] = fmt.Sprint(distribution.at("DistributionConfig", "ViewerCertificate", "AcmCertificateArn"))
	}
	distribution.expect(t, `"TLSv1.2_2021"`, "DistributionConfig", "ViewerCertificate", "MinimumProtocolVersion")
	if diff := cmp.Diff(map[string]string{"chat.example.com": "WebSocket", "api.example.com": "Api", "www.example.com": "Frontend"}, served); diff != "" {
		t.Errorf("names (-want +served):\n%s", diff)
	}
	want := map[string]string{
		"chat.example.com": "arn:aws:acm:eu-central-1:123456789012:certificate/abc",
		"api.example.com":  "arn:aws:acm:eu-central-1:123456789012:certificate/def",
		"www.example.com":  "arn:aws:acm:us-east-1:123456789012:certificate/ghi",
	}
	if diff := cmp.Diff(want, certificates); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}
	urls := map[string]string{}
	for _, stack := range c.templates {
		for _, name := range []string{"Url", "ApiEndpoint", "WebSocketEndpoint"} {
			if o, ok := stack.Outputs[name]; ok {
				urls[name] = fmt.Sprint(o.Value)
			}
		}
	}
	want = map[string]string{"Url": "https://www.example.com", "ApiEndpoint": "https://api.example.com", "WebSocketEndpoint": "wss://chat.example.com"}
	if diff := cmp.Diff(want, urls); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

// expectLimits checks that a function has the settings of the limits that it holds to.
func (c *cloud) expectLimits(t *testing.T, r resource) {
	t.Helper()
	want := map[string]map[string]string{
		topology.Connect:     {"CONNECT_RATE": "0", "CONNECT_BURST": "7"},
		topology.SendMessage: {"SEND_RATE": "3", "SEND_BURST": "30"},
		topology.Default:     {"SEND_RATE": "3", "SEND_BURST": "30"},
		topology.Fanout:      {"SEND_RATE": "3", "SEND_BURST": "30"},
		topology.LastMessage: {"SEND_RATE": "3", "SEND_BURST": "30"},
		topology.API:         {"SEND_RATE": "3", "SEND_BURST": "30", "WRITE_RATE": "4", "WRITE_BURST": "40", "READ_RATE": "0", "READ_BURST": "50", "REPORT_RATE": "6", "REPORT_BURST": "60"},
	}[c.program(t, r)]
	got := map[string]string{}
	variables, _ := r.at("Environment", "Variables").(map[string]any)
	for name, value := range variables {
		if strings.HasSuffix(name, "_RATE") || strings.HasSuffix(name, "_BURST") {
			got[name] = fmt.Sprint(value)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("limits of %s (-want +got):\n%s", c.program(t, r), diff)
	}
}
