package main

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

var environments = []string{"dev", "prod"}

// The indexes of the table. An update of a stack may add or remove one: DynamoDB refuses
// a second one in the same update ("Managing Global Secondary Indexes in DynamoDB",
// DynamoDB Developer Guide).
const (
	lists  = `{"ContributorInsightsSpecification":{"Enabled":true,"Mode":"THROTTLED_KEYS"},"IndexName":"GSI1","KeySchema":[{"AttributeName":"GSI1PK","KeyType":"HASH"},{"AttributeName":"GSI1SK","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}`
	places = `{"ContributorInsightsSpecification":{"Enabled":true,"Mode":"THROTTLED_KEYS"},"IndexName":"GSI2","KeySchema":[{"AttributeName":"GSI2PK","KeyType":"HASH"},{"AttributeName":"GSI2SK","KeyType":"RANGE"}],"Projection":{"NonKeyAttributes":["name","lat","lon","address","startsAt","endsAt"],"ProjectionType":"INCLUDE"}}`
)

func TestTheTable(t *testing.T) {
	for _, env := range environments {
		r := synth(t, env).only(t, "AWS::DynamoDB::Table")
		r.expect(t, `[{"AttributeName":"PK","KeyType":"HASH"},{"AttributeName":"SK","KeyType":"RANGE"}]`, "KeySchema")
		r.expect(t, `"PAY_PER_REQUEST"`, "BillingMode")
		r.expect(t, `"NEW_AND_OLD_IMAGES"`, "StreamSpecification", "StreamViewType")
		r.expect(t, `{"AttributeName":"`+table.TTL+`","Enabled":true}`, "TimeToLiveSpecification")
		r.expect(t, `true`, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
		r.expect(t, `false`, "SSESpecification", "SSEEnabled") // AWS's own key
		r.expect(t, `{"Enabled":true,"Mode":"THROTTLED_KEYS"}`, "ContributorInsightsSpecification")
		r.expect(t, `[`+lists+`,`+places+`]`, "GlobalSecondaryIndexes")
	}
}

func TestDataIsKeptInProdOnly(t *testing.T) {
	for env, want := range map[string]struct{ policy, protection, pool string }{
		"dev": {"Delete", "false", `"INACTIVE"`}, "prod": {"Retain", "true", `"ACTIVE"`},
	} {
		c := synth(t, env)
		users := c.only(t, "AWS::Cognito::UserPool")
		users.expect(t, want.pool, "DeletionProtection")
		users.expect(t, `"LITE"`, "UserPoolTier")
		data := c.only(t, "AWS::DynamoDB::Table")
		data.expect(t, want.protection, "DeletionProtectionEnabled")
		for _, r := range []resource{c.failuresBucket(t), c.attachments(t), users, data} {
			if r.DeletionPolicy != want.policy {
				t.Errorf("%s: %s/%s has the deletion policy %s, want %s", env, r.concern, r.id, r.DeletionPolicy, want.policy)
			}
		}
	}
}

func TestTheRoutesAreTheTopologys(t *testing.T) {
	byKey := func(a, b topology.Route) int { return strings.Compare(a.Key, b.Key) }
	got := slices.SortedFunc(slices.Values(synth(t, "dev").routes(t)), byKey)
	want := slices.SortedFunc(slices.Values(topology.Routes()), byKey)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-topology +template):\n%s", diff)
	}
}

// routes returns the WebSocket API's routes in the template.
func (c *cloud) routes(t *testing.T) []topology.Route {
	t.Helper()
	stack := c.templates["WebSocket"].Resources
	responses := map[string]bool{}
	for _, r := range c.all("AWS::ApiGatewayV2::RouteResponse") {
		r.expect(t, `"$default"`, "RouteResponseKey")
		responses[fmt.Sprint(r.at("RouteId", "Ref"))] = true
	}
	var found []topology.Route
	for _, r := range c.all("AWS::ApiGatewayV2::Route") {
		if r.concern != "WebSocket" {
			continue
		}
		integration := stack[fmt.Sprint(r.at("Target", "Fn::Join", 1, 1, "Ref"))]
		integration.expect(t, `"AWS_PROXY"`, "IntegrationType")
		function := stack[fmt.Sprint(integration.at("IntegrationUri", "Fn::Join", 1, 5, "Fn::GetAtt", 0))]
		twoWay := responses[r.id]
		if (r.at("RouteResponseSelectionExpression") == "$default") != twoWay {
			t.Errorf("the route %v selects no response, or has none", r.at("RouteKey"))
		}
		found = append(found, topology.Route{Key: fmt.Sprint(r.at("RouteKey")), Function: c.program(t, function), TwoWay: twoWay})
	}
	return found
}

// program is the folder below functions/ that a function's code was built from.
func (c *cloud) program(t *testing.T, function resource) string {
	t.Helper()
	asset := "asset." + strings.TrimSuffix(fmt.Sprint(function.at("Code", "S3Key")), ".zip")
	info, err := buildinfo.ReadFile(filepath.Join(c.dir, asset, "bootstrap"))
	if err != nil {
		t.Fatalf("the code of %s/%s: %v", function.concern, function.id, err)
	}
	return filepath.Base(info.Path)
}

func TestEachRouteMayInvokeItsFunctionAndNothingElse(t *testing.T) {
	c := synth(t, "dev")
	got := map[string]string{}
	for _, r := range c.all("AWS::Lambda::Permission") {
		r.expect(t, `"apigateway.amazonaws.com"`, "Principal")
		function := c.templates[r.concern].Resources[fmt.Sprint(r.at("FunctionName", "Fn::GetAtt", 0))]
		parts := list(r.at("SourceArn", "Fn::Join", 1))
		got[c.program(t, function)] = fmt.Sprint(parts[len(parts)-1])
	}
	want := map[string]string{topology.API: "/*/*"} // of this API, by its id
	for _, route := range topology.Routes() {
		want[route.Function] = "/dev/" + route.Key
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheStageThrottlesAndLogsNoContent(t *testing.T) {
	c := synth(t, "dev")
	for _, r := range c.all("AWS::ApiGatewayV2::Api") {
		r.expect(t, `"dualstack"`, "IpAddressType")
	}
	for _, r := range c.all("AWS::ApiGatewayV2::Stage") {
		rate, burst := `1000`, `500`
		if r.concern == "Api" {
			rate, burst = `360`, `1000`
		}
		r.expect(t, rate, "DefaultRouteSettings", "ThrottlingRateLimit")
		r.expect(t, burst, "DefaultRouteSettings", "ThrottlingBurstLimit")
		r.expect(t, `false`, "DefaultRouteSettings", "DetailedMetricsEnabled")
		format := fmt.Sprint(r.at("AccessLogSettings", "Format"))
		for _, never := range []string{"query", "header", "body", "authorizer.claims", "request.", "protocol"} {
			if strings.Contains(strings.ToLower(format), never) {
				t.Errorf("%s: the access log has %s: %s", r.concern, never, format)
			}
		}
		if r.concern == "WebSocket" {
			r.expect(t, `false`, "DefaultRouteSettings", "DataTraceEnabled")
		}
	}
}

func TestTheMappingsAreTheTopologys(t *testing.T) {
	c := synth(t, "prod")
	got := c.mappings(t)
	if diff := cmp.Diff(topology.StreamMappings(), got); diff != "" {
		t.Errorf("(-topology +template):\n%s", diff)
	}
	for _, r := range c.all("AWS::Lambda::EventSourceMapping") {
		r.expect(t, `"TRIM_HORIZON"`, "StartingPosition")
		destination := fmt.Sprint(r.at("DestinationConfig", "OnFailure", "Destination", "Fn::GetAtt", 0))
		if bucket := c.failuresBucket(t); destination != bucket.id {
			t.Errorf("%s gives what it can't process to %q, want %s", r.id, destination, bucket.id)
		}
		if len(list(r.DependsOn)) == 0 {
			t.Errorf("%s may be made before its role can read the stream", r.id)
		}
	}
}

func TestFunctions(t *testing.T) {
	c := synth(t, "prod")
	roles := map[string]string{}
	var names []string
	for _, r := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(r) {
			continue
		}
		name := c.program(t, r)
		names = append(names, name)
		spec := functionOf(name)
		r.expect(t, `"provided.al2023"`, "Runtime")
		r.expect(t, `["arm64"]`, "Architectures")
		r.expect(t, `"JSON"`, "LoggingConfig", "LogFormat")
		r.expect(t, `"DEBUG"`, "LoggingConfig", "ApplicationLogLevel")
		r.expect(t, `"WARN"`, "LoggingConfig", "SystemLogLevel")
		if mode := r.at("TracingConfig", "Mode"); mode == "Active" {
			t.Errorf("%s is traced, which costs more than its requests", name)
		}
		r.expect(t, fmt.Sprint(spec.MemoryMB), "MemorySize")
		r.expect(t, fmt.Sprint(spec.Timeout.Seconds()), "Timeout")
		log := c.templates[r.concern].Resources[fmt.Sprint(r.at("LoggingConfig", "LogGroup", "Ref"))]
		log.expect(t, `90`, "RetentionInDays")
		role := r.concern + fmt.Sprint(r.at("Role", "Fn::GetAtt", 0))
		if roles[role] != "" {
			t.Errorf("%s and %s have one role", roles[role], name)
		}
		roles[role] = name
		if variables, _ := r.at("Environment", "Variables").(map[string]any); variables["TOKEN_IN_QUERY"] != nil {
			t.Errorf("%s takes tokens in URLs, in prod", name)
		}
	}
	var want []string
	for _, f := range topology.Functions() {
		want = append(want, f.Name)
	}
	slices.Sort(names)
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-topology +template):\n%s", diff)
	}
}

// isDeploymentHelper reports whether a resource belongs to the CDK's own functions
// that copy the browser client into its bucket, and empty the bucket in the end.
func isDeploymentHelper(r resource) bool {
	return strings.HasPrefix(r.id, "CustomCDKBucketDeployment") || strings.HasPrefix(r.id, emptier)
}

const emptier = "CustomS3AutoDeleteObjectsCustomResourceProvider"

// isForEmptier reports whether a bucket's statement is for the function that empties it.
func (s statement) isForEmptier() bool {
	return s.Type == "AWS::S3::BucketPolicy" && strings.HasPrefix(fmt.Sprint(at(s.fields, "Principal", "AWS", "Fn::GetAtt", 0)), emptier)
}

func TestNoRoleMayDoAnything(t *testing.T) {
	for _, env := range environments {
		c := synth(t, env)
		manage := 0
		for _, s := range c.statements() {
			if !s.allows() || isDeploymentHelper(s.resource) || s.isForEmptier() {
				continue
			}
			for _, action := range texts(s.fields["Action"]) {
				if strings.Contains(action, "*") {
					t.Errorf("%s/%s allows %s", s.concern, s.id, action)
				}
				if action == "execute-api:ManageConnections" {
					manage++
					if !strings.HasPrefix(s.id, topology.Fanout) {
						t.Errorf("%s may post to connections; fanout alone does", s.id)
					}
				}
				_, conditional := at(s.fields, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys").([]any)
				item := strings.HasPrefix(action, "dynamodb:") && !strings.HasSuffix(action, "Stream") &&
					!slices.Contains([]string{"dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}, action)
				if item && !conditional {
					t.Errorf("%s/%s allows %s of any key", s.concern, s.id, action)
				}
			}
		}
		if manage != 1 {
			t.Errorf("%d roles may post to connections", manage)
		}
	}
}

// IAM evaluates each statement alone, and AWS does not document whether it evaluates
// a transaction's keys one by one: so an action has all its keys in one statement.
func TestARoleHasTheKeysOfAnActionInOneStatement(t *testing.T) {
	c := synth(t, "prod")
	seen := map[string]bool{}
	for _, s := range c.statements() {
		if at(s.fields, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys") == nil {
			continue
		}
		for _, action := range texts(s.fields["Action"]) {
			key := fmt.Sprint(s.concern, "/", s.id, " ", action, " ", s.fields["Resource"])
			if seen[key] {
				t.Errorf("the keys are in several statements: %s", key)
			}
			seen[key] = true
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d actions were looked at", len(seen))
	}
}

func TestNoBucketIsPublic(t *testing.T) {
	c := synth(t, "prod")
	for _, r := range c.all("AWS::S3::Bucket") {
		r.expect(t, `{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}`, "PublicAccessBlockConfiguration")
		if r.at("AccessControl") != nil || r.at("WebsiteConfiguration") != nil {
			t.Errorf("the bucket %s is a website or has an ACL", r.id)
		}
	}
	for _, s := range c.statements() {
		if s.Type != "AWS::S3::BucketPolicy" || !s.allows() {
			continue
		}
		cloudfront := at(s.fields, "Principal", "Service") == "cloudfront.amazonaws.com" &&
			at(s.fields, "Condition", "StringEquals", "AWS:SourceArn") != nil
		if !cloudfront && !s.isForEmptier() {
			t.Errorf("%s allows %v to %v", s.id, s.fields["Action"], s.fields["Principal"])
		}
	}
}

// Only an empty bucket can be deleted.
func TestABucketIsEmptiedBeforeItGoes(t *testing.T) {
	for _, env := range environments {
		c := synth(t, env)
		emptied := map[string]bool{}
		for _, r := range c.all("Custom::S3AutoDeleteObjects") {
			emptied[fmt.Sprint(r.at("BucketName", "Ref"))] = true
		}
		for _, r := range c.all("AWS::S3::Bucket") {
			if r.DeletionPolicy == "Delete" && !emptied[r.id] {
				t.Errorf("%s: %s can't be deleted with files in it", env, r.id)
			}
		}
	}
}

func TestEveryRequestOfTheAPINeedsAToken(t *testing.T) {
	c := synth(t, "prod")
	var keys []string
	for _, r := range c.all("AWS::ApiGatewayV2::Route") {
		if r.concern != "Api" {
			continue
		}
		r.expect(t, `"JWT"`, "AuthorizationType")
		if at(r.Properties, "AuthorizerId", "Ref") != "Authorizer" {
			t.Errorf("%v has no authorizer", r.at("RouteKey"))
		}
		keys = append(keys, fmt.Sprint(r.at("RouteKey")))
	}
	slices.Sort(keys)
	// Not OPTIONS and not $default: a preflight has no token.
	want := []string{"DELETE /{proxy+}", "GET /{proxy+}", "PATCH /{proxy+}", "POST /{proxy+}", "PUT /{proxy+}"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheDeploymentDependsOnAllThatItContains(t *testing.T) {
	c := synth(t, "dev")
	depends := texts(c.only(t, "AWS::ApiGatewayV2::Deployment").DependsOn)
	for _, kind := range []string{"Route", "Integration", "RouteResponse"} {
		for _, r := range c.all("AWS::ApiGatewayV2::" + kind) {
			if r.concern == "WebSocket" && !slices.Contains(depends, r.id) {
				t.Errorf("the deployment may be made before %s", r.id)
			}
		}
	}
}

func TestTheLoggingRoleIsSetBetweenTheAPIAndItsStage(t *testing.T) {
	c := synth(t, "dev")
	account := c.only(t, "AWS::ApiGateway::Account")
	if depends := texts(account.DependsOn); !slices.Contains(depends, "Api") {
		t.Errorf("an account without any API can't be given the role; it depends on %v", depends)
	}
	if depends := texts(c.templates["WebSocket"].Resources["Stage"].DependsOn); !slices.Contains(depends, account.id) {
		t.Errorf("a stage with logs can't be made without the role; it depends on %v", depends)
	}
}

// deploymentOf returns the logical id of the WebSocket API's deployment.
func deploymentOf(t *testing.T, values map[string]any, routes []topology.Route) string {
	t.Helper()
	return webSocketOf(t, values, routes).only(t, "AWS::ApiGatewayV2::Deployment").id
}

// webSocketOf synthesizes the WebSocket stack alone, with the stacks that it needs.
func webSocketOf(t *testing.T, values map[string]any, routes []topology.Route) *cloud {
	t.Helper()
	needNode(t)
	s, all := settingsOf(t, values)
	dir := tempDir(t)
	a := emptyApp(s, appOptions{outdir: dir, context: all})
	a.routes = routes
	a.auth = newAuth(a)
	a.database = newDatabase(a)
	a.storage = newStorage(a)
	a.websocket = newWebSocket(a, files(t))
	a.Synth(nil)
	return read(t, dir, s.Env)
}

// shared/topology allows several routes to one function, and an action named like
// one of API Gateway's own route keys.
func TestRoutes_SeveralToOneFunction(t *testing.T) {
	routes := append(topology.Routes(),
		topology.Route{Key: "say", Function: topology.SendMessage, TwoWay: true},
		topology.Route{Key: "connect", Function: topology.Default},
	)
	c := webSocketOf(t, map[string]any{"env": "dev"}, routes)
	byKey := func(a, b topology.Route) int { return strings.Compare(a.Key, b.Key) }
	got := slices.SortedFunc(slices.Values(c.routes(t)), byKey)
	if diff := cmp.Diff(slices.SortedFunc(slices.Values(routes), byKey), got); diff != "" {
		t.Errorf("(-topology +template):\n%s", diff)
	}
	programs := map[string]int{}
	for _, f := range c.all("AWS::Lambda::Function") {
		if !isDeploymentHelper(f) {
			programs[c.program(t, f)]++
		}
	}
	want := map[string]int{topology.Connect: 1, topology.Disconnect: 1, topology.SendMessage: 1, topology.Default: 1}
	if diff := cmp.Diff(want, programs); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
	allowed := map[string]string{}
	for _, r := range c.all("AWS::Lambda::Permission") {
		function := c.templates[r.concern].Resources[fmt.Sprint(r.at("FunctionName", "Fn::GetAtt", 0))]
		parts := list(r.at("SourceArn", "Fn::Join", 1))
		allowed[fmt.Sprint(parts[len(parts)-1])] = c.program(t, function)
	}
	for _, route := range routes {
		if got := allowed["/dev/"+route.Key]; got != route.Function {
			t.Errorf("route %s may invoke %q, want %q", route.Key, got, route.Function)
		}
	}
	if len(allowed) != len(routes) {
		t.Errorf("got %d permissions, want %d: %v", len(allowed), len(routes), allowed)
	}
}

// Logical ids name what exists in an account: another one replaces it.
func TestLogicalIDs_OfRoutesStay(t *testing.T) {
	ids := map[string]bool{}
	for id := range synth(t, "dev").templates["WebSocket"].Resources {
		ids[id] = true
	}
	for _, route := range []string{"connect", "disconnect", "sendMessage", "default"} {
		function := strings.ToLower(route)
		for _, id := range []string{route + "integration", route + "route"} {
			if !ids[id] {
				t.Errorf("there is no %s", id)
			}
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(ids)), func(id string) bool { return strings.HasPrefix(id, function+"invoke") }) {
			t.Errorf("there is no %sinvoke…", function)
		}
	}
}

func TestTheDeploymentChangesExactlyWithItsRoutes(t *testing.T) {
	dev := map[string]any{"env": "dev"}
	routes := topology.Routes()
	changed := func(change func([]topology.Route)) []topology.Route {
		other := slices.Clone(routes)
		change(other)
		return other
	}
	before := deploymentOf(t, dev, routes)
	// All that leaves the deployment as it is, at once: each of it would change the id.
	same := map[string]map[string]any{
		"nothing": dev,
		"throttling, the log level, the issuer or the domain": {
			"env": "dev", "throttleRate": "50", "logLevel": "warn", "issuer": "https://issuer.example", "audience": "app",
			"webSocketDomain": "chat.example.com", "webSocketCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/abc",
		},
	}
	for what, values := range same {
		if after := deploymentOf(t, values, routes); after != before {
			t.Errorf("changing %s made another deployment", what)
		}
	}
	seen := map[string]string{before: "the first"}
	for what, other := range map[string][]topology.Route{
		"a route's key":      changed(func(r []topology.Route) { r[2].Key = "say" }),
		"a route's function": changed(func(r []topology.Route) { r[2].Function, r[3].Function = r[3].Function, r[2].Function }),
		"a response":         changed(func(r []topology.Route) { r[3].TwoWay = false }),
		"no default route":   routes[:3],
	} {
		after := deploymentOf(t, dev, other)
		if seen[after] != "" {
			t.Errorf("changing %s left the deployment of %s", what, seen[after])
		}
		seen[after] = what
	}
}

func TestAlarms(t *testing.T) {
	c := synthWith(t, map[string]any{
		"env": "prod", "alarmTopic": "arn:aws:sns:eu-central-1:123456789012:ops",
		"budget": "500", "maxReadUnits": "4000", "maxWriteUnits": "1000",
	})
	budget := c.only(t, "AWS::Budgets::Budget")
	budget.expect(t, `{"Amount":500,"Unit":"USD"}`, "Budget", "BudgetLimit")
	for i := range 3 {
		budget.expect(t, `[{"Address":"arn:aws:sns:eu-central-1:123456789012:ops","SubscriptionType":"SNS"}]`, "NotificationsWithSubscribers", i, "Subscribers")
	}
	units := `{"MaxReadRequestUnits":4000,"MaxWriteRequestUnits":1000}`
	c.only(t, "AWS::DynamoDB::Table").expect(t, units, "OnDemandThroughput")
	for i := range 2 {
		c.only(t, "AWS::DynamoDB::Table").expect(t, units, "GlobalSecondaryIndexes", i, "OnDemandThroughput")
	}
	watched := map[string]int{}
	for _, r := range c.all("AWS::CloudWatch::Alarm") {
		watched[fmt.Sprint(r.at("Namespace"), " ", r.at("MetricName"))]++
		r.expect(t, `["arn:aws:sns:eu-central-1:123456789012:ops"]`, "AlarmActions")
		r.expect(t, `"notBreaching"`, "TreatMissingData")
		if r.at("Dimensions", 0) == nil {
			t.Errorf("%s watches the whole account", r.id)
		}
	}
	want := map[string]int{
		"AWS/Lambda Errors": 7, "AWS/Lambda Throttles": 7, "AWS/Lambda IteratorAge": 2,
		"AWS/Lambda OnFailureDestinationDeliveredEventCount": 2,
		"AWS/DynamoDB ReadThrottleEvents":                    3, "AWS/DynamoDB WriteThrottleEvents": 3,
		"AWS/Lambda DroppedEventCount": 2, "AWS/Lambda DestinationDeliveryFailures": 2, "Streamroom delivery_ms": 1,
		"AWS/ApiGateway ExecutionError": 1, "AWS/ApiGateway 5xx": 1,
		"Streamroom undelivered": 1, "Streamroom malformed": 2, "Streamroom internal": 4,
	}
	if diff := cmp.Diff(want, watched); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	operations, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.all("AWS::CloudWatch::Alarm") {
		metric := fmt.Sprint(r.at("MetricName"))
		if !strings.Contains(string(operations), "`"+metric+"`") {
			t.Errorf("docs/operations.md does not say what to do about %s", metric)
		}
	}
}
