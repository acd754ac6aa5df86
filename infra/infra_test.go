package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/metrics"
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

func TestAlarms(t *testing.T) {
	c := synthWith(t, map[string]any{
		"env": "prod", "alarmTopic": "arn:aws:sns:eu-central-1:123456789012:ops",
		"budget": "500", "maxReadUnits": "4000", "maxWriteUnits": "1000",
	})
	budget := c.only(t, "AWS::Budgets::Budget")
	budget.expect(t, `{"Amount":500,"Unit":"USD"}`, "Budget", "BudgetLimit")
	for i, want := range []string{
		`{"ComparisonOperator":"GREATER_THAN","NotificationType":"ACTUAL","Threshold":80,"ThresholdType":"PERCENTAGE"}`,
		`{"ComparisonOperator":"GREATER_THAN","NotificationType":"ACTUAL","Threshold":100,"ThresholdType":"PERCENTAGE"}`,
		`{"ComparisonOperator":"GREATER_THAN","NotificationType":"FORECASTED","Threshold":100,"ThresholdType":"PERCENTAGE"}`,
	} {
		budget.expect(t, want, "NotificationsWithSubscribers", i, "Notification")
		budget.expect(t, `[{"Address":"arn:aws:sns:eu-central-1:123456789012:ops","SubscriptionType":"SNS"}]`, "NotificationsWithSubscribers", i, "Subscribers")
	}
	units := `{"MaxReadRequestUnits":4000,"MaxWriteRequestUnits":1000}`
	c.only(t, "AWS::DynamoDB::Table").expect(t, units, "OnDemandThroughput")
	for i := range 2 {
		c.only(t, "AWS::DynamoDB::Table").expect(t, units, "GlobalSecondaryIndexes", i, "OnDemandThroughput")
	}
	for _, r := range c.all("AWS::CloudWatch::Alarm") {
		r.expect(t, `["arn:aws:sns:eu-central-1:123456789012:ops"]`, "AlarmActions")
		r.expect(t, `["arn:aws:sns:eu-central-1:123456789012:ops"]`, "OKActions")
		r.expect(t, `"notBreaching"`, "TreatMissingData")
		r.expect(t, `"GreaterThanThreshold"`, "ComparisonOperator")
		r.expect(t, `300`, "Period")
	}
	if diff := cmp.Diff(wantedAlarms(), c.alarms(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// wantedAlarms are those of a deployment with no options: metric, dimensions, statistic,
// threshold and periods.
func wantedAlarms() []string {
	want := []string{
		"Streamroom delivery_ms FunctionName=fanout p99 evaluate over 5000 in 3",
		"Streamroom undelivered FunctionName=fanout Sum over 100 in 2",
		"AWS/ApiGateway ExecutionError ApiId=WebSocket/Api Stage=prod Sum over 5 in 1",
		"AWS/ApiGateway 5xx ApiId=Api/Api Stage=$default Sum over 5 in 1",
	}
	for _, route := range []string{topology.Connect, topology.Disconnect, topology.SendMessage, topology.Default} {
		want = append(want, "Streamroom internal FunctionName="+route+" Sum over 0 in 1")
	}
	for _, reader := range []string{topology.Fanout, topology.LastMessage} {
		mapping := "EventSourceMappingUUID=Streams/" + reader + "mapping"
		want = append(want,
			"AWS/Lambda IteratorAge FunctionName="+reader+" Maximum over 60000 in 2",
			"AWS/Lambda OnFailureDestinationDeliveredEventCount "+mapping+" Sum over 0 in 1",
			"AWS/Lambda DroppedEventCount "+mapping+" Sum over 0 in 1",
			"AWS/Lambda DestinationDeliveryFailures FunctionName="+reader+" Sum over 0 in 1",
			"Streamroom malformed FunctionName="+reader+" Sum over 0 in 1")
	}
	for _, f := range topology.Functions() {
		want = append(want, "AWS/Lambda Errors FunctionName="+f.Name+" Sum over 0 in 1", "AWS/Lambda Throttles FunctionName="+f.Name+" Sum over 0 in 1")
	}
	for _, kind := range []string{"Read", "Write"} {
		for _, index := range []string{"", "GlobalSecondaryIndexName=GSI1 ", "GlobalSecondaryIndexName=GSI2 "} {
			want = append(want, "AWS/DynamoDB "+kind+"ThrottleEvents "+index+"TableName=Database/TableCD117FA1 Sum over 0 in 1")
		}
	}
	slices.Sort(want)
	return want
}

// alarms lists what the alarms watch, as wantedAlarms does.
func (c *cloud) alarms(t *testing.T) (lines []string) {
	t.Helper()
	for _, r := range c.all("AWS::CloudWatch::Alarm") {
		words := []string{fmt.Sprint(r.at("Namespace")), fmt.Sprint(r.at("MetricName"))}
		var dimensions []string
		for _, d := range list(r.at("Dimensions")) {
			dimensions = append(dimensions, fmt.Sprint(at(d, "Name"), "=", resolver{t, c, ""}.source(r.concern, at(d, "Value"))))
		}
		slices.Sort(dimensions)
		words = append(words, dimensions...)
		for _, name := range []string{"Statistic", "ExtendedStatistic", "EvaluateLowSampleCountPercentile"} {
			if value := r.at(name); value != nil {
				words = append(words, fmt.Sprint(value))
			}
		}
		words = append(words, "over", fmt.Sprint(r.at("Threshold")), "in", fmt.Sprint(r.at("EvaluationPeriods")))
		lines = append(lines, strings.Join(words, " "))
	}
	slices.Sort(lines)
	return lines
}

// What users feel is on the dashboard: what they wait for a message, for most and for the
// slowest, beside the alarms, the delays and the errors.
func TestTheDashboard(t *testing.T) {
	c := synth(t, "prod")
	r := resolver{t, c, ""}
	var body struct {
		Widgets []struct {
			Properties struct {
				Title   string
				Alarms  []string
				Metrics [][]any
			}
		}
	}
	dashboard := c.only(t, "AWS::CloudWatch::Dashboard")
	dashboard.expect(t, `"Streamroom-prod"`, "DashboardName")
	if err := json.Unmarshal([]byte(r.text(dashboard.concern, dashboard.at("DashboardBody"))), &body); err != nil {
		t.Fatal(err)
	}
	var titles []string
	graphs := map[string][][]any{}
	for _, w := range body.Widgets {
		titles = append(titles, w.Properties.Title)
		graphs[w.Properties.Title] = w.Properties.Metrics
	}
	want := []string{
		"Alarms", "Connections and messages", "Broadcast", "HTTP API", "From a message to its readers (ms)", "Behind the stream (ms)",
		"Duration, p99 (ms)", "Given-up records", "Function errors", "Function throttles", "Table: units and throttles",
		"Attachments: bytes", "Attachments: objects",
	}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
	if alarms := len(c.all("AWS::CloudWatch::Alarm")); len(body.Widgets[0].Properties.Alarms) != alarms {
		t.Errorf("it shows %d alarms of %d", len(body.Widgets[0].Properties.Alarms), alarms)
	}
	var shown []string
	for _, m := range graphs["From a message to its readers (ms)"] {
		options := m[len(m)-1]
		program := c.program(t, c.templates["Streams"].Resources[fmt.Sprint(m[3])])
		shown = append(shown, fmt.Sprint(m[0], " ", m[1], " ", m[2], "=", program, " ", at(options, "stat"), " ", at(options, "label")))
	}
	if diff := cmp.Diff([]string{
		"Streamroom delivery_ms FunctionName=fanout p50 median", "Streamroom delivery_ms FunctionName=fanout p99 99th percentile",
	}, shown); diff != "" {
		t.Errorf("what readers wait (-want +got):\n%s", diff)
	}
}

// What no function logs has no data, and its alarm never rings.
func TestOwnMetricsAreLogged(t *testing.T) {
	logged := map[string][]string{topology.Fanout: metrics.OfFanout, topology.LastMessage: metrics.OfLastMessage}
	for _, route := range []string{topology.Connect, topology.Disconnect, topology.SendMessage, topology.Default} {
		logged[route] = []string{metrics.Internal}
	}
	announcing := maps.Clone(logged)
	announcing[topology.Fanout] = metrics.OfAnnouncing
	for _, test := range []struct {
		settings map[string]any
		logged   map[string][]string
	}{
		{map[string]any{"env": "prod"}, logged},
		{pushSettings(map[string]any{"env": "dev", "services": "bot", "events": true}), announcing},
	} {
		c := synthWith(t, test.settings)
		checked := 0
		check := func(where, metric, function string) {
			checked++
			if !slices.Contains(test.logged[function], metric) {
				t.Errorf("with %v, %s is of the metric %s of %s, which logs %q", test.settings, where, metric, function, test.logged[function])
			}
		}
		for _, line := range c.alarms(t) {
			if words := strings.Fields(line); words[0] == metrics.Namespace {
				check("an alarm", words[1], strings.TrimPrefix(words[2], metrics.Dimension+"="))
			}
		}
		var body struct {
			Widgets []struct {
				Properties struct {
					Title   string
					Metrics [][]any
				}
			}
		}
		dashboard := c.only(t, "AWS::CloudWatch::Dashboard")
		r := resolver{t, c, ""}
		if err := json.Unmarshal([]byte(r.text(dashboard.concern, dashboard.at("DashboardBody"))), &body); err != nil {
			t.Fatal(err)
		}
		for _, w := range body.Widgets {
			for _, m := range w.Properties.Metrics {
				if m[0] == metrics.Namespace {
					check("the graph "+w.Properties.Title, fmt.Sprint(m[1]), c.program(t, c.templates["Streams"].Resources[fmt.Sprint(m[3])]))
				}
			}
		}
		if checked < 10 {
			t.Errorf("with %v, only %d metrics of our own are watched", test.settings, checked)
		}
	}
}

// TestAlarmsAreDescribed compares the alarms, of a deployment that has all of them, with the
// table of alarms in docs/operations.md.
func TestAlarmsAreDescribed(t *testing.T) {
	c := synthWith(t, pushSettings(map[string]any{"env": "dev", "services": "bot", "events": true}))
	operations, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(operations), "\n## Alarms\n")
	var rows []string // the first cells
	for line := range strings.Lines(section) {
		if row, found := strings.CutPrefix(line, "| `"); found {
			cell, _, _ := strings.Cut(row, " |")
			rows = append(rows, "`"+cell+" ")
		}
	}
	units := map[string]string{"IteratorAge 60000": "1 min", "delivery_ms 5000": "5 s"}
	for _, r := range c.all("AWS::CloudWatch::Alarm") {
		metric, over := fmt.Sprint(r.at("MetricName")), fmt.Sprint(r.at("Threshold"))
		if unit := units[metric+" "+over]; unit != "" {
			over = unit
		}
		want := " over " + over
		if periods := r.at("EvaluationPeriods"); periods != 1.0 {
			want += fmt.Sprintf(" for %v min", periods.(float64)*5)
		}
		if !slices.ContainsFunc(rows, func(row string) bool {
			row = strings.ReplaceAll(row, ",", "") + " "
			return strings.Contains(row, "`"+metric+"`") && strings.Contains(row, want+" ")
		}) {
			t.Errorf("docs/operations.md does not say what to do about %s%s", metric, want)
		}
	}
}
