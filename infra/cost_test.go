package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/operate/cost"
)

// What `streamroom cost` bills without traffic, and by the line of a log, is what
// is deployed. A change here is a change of operate/cost/deployment.go, and of the
// tables of docs/operations.md: go test ./cmd/streamroom -run TestCostPages -update.
func TestCost_BillsWhatIsDeployed(t *testing.T) {
	c := synth(t, "prod")
	type deployment struct {
		Alarms, Dashboards, InsightRules, RouteMetrics, MappingMetrics int
		SystemLog, Traced                                              bool
		LogDays                                                        int
		Tier                                                           string
	}
	got := deployment{
		Alarms: len(c.all("AWS::CloudWatch::Alarm")), Dashboards: len(c.all("AWS::CloudWatch::Dashboard")), InsightRules: c.insightRules(t),
		RouteMetrics: c.routeMetrics(), MappingMetrics: c.mappingMetrics(), Tier: cost.Essentials, // Cognito's default
	}
	for _, r := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(r) {
			continue
		}
		level := r.at("LoggingConfig", "SystemLogLevel") // INFO by default
		got.SystemLog = got.SystemLog || level == nil || level == "INFO" || level == "DEBUG"
		got.Traced = got.Traced || r.at("TracingConfig", "Mode") == "Active"
	}
	for _, r := range c.all("AWS::Logs::LogGroup") {
		days, _ := r.at("RetentionInDays").(float64)
		got.LogDays = max(got.LogDays, int(days))
	}
	if c.only(t, "AWS::Cognito::UserPool").at("UserPoolTier") == "LITE" {
		got.Tier = cost.Lite
	}
	want := deployment{
		cost.Alarms, cost.Dashboards, cost.InsightRules, cost.RouteMetrics, cost.MappingMetrics, cost.SystemLog, cost.Traced, cost.LogDays, cost.Tier,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-operate/cost +templates):\n%s", diff)
	}
}

// insightRules is how many rules of Contributor Insights DynamoDB makes to name throttled
// keys: one for partition keys, and one for both keys where there is a sort key.
func (c *cloud) insightRules(t *testing.T) (n int) {
	t.Helper()
	table := c.only(t, "AWS::DynamoDB::Table")
	for _, of := range append(list(table.at("GlobalSecondaryIndexes")), table.Properties) {
		if at(of, "ContributorInsightsSpecification", "Enabled") != true {
			continue
		}
		if mode := at(of, "ContributorInsightsSpecification", "Mode"); mode != "THROTTLED_KEYS" {
			t.Errorf("the mode is %v: each request is an event then, and billed", mode)
		}
		n += len(list(at(of, "KeySchema")))
	}
	return n
}

// routeMetrics is how many metrics API Gateway adds for single routes.
func (c *cloud) routeMetrics() int {
	n := 0
	for _, stage := range c.all("AWS::ApiGatewayV2::Stage") {
		if stage.at("DefaultRouteSettings", "DetailedMetricsEnabled") != true {
			continue
		}
		for _, route := range c.all("AWS::ApiGatewayV2::Route") {
			if route.concern == stage.concern {
				n += cost.MetricsOfARoute
			}
		}
	}
	return n
}

// mappingMetrics is how many metrics Lambda adds for mappings that count events.
func (c *cloud) mappingMetrics() int {
	n := 0
	for _, mapping := range c.all("AWS::Lambda::EventSourceMapping") {
		if slices.Contains(texts(mapping.at("MetricsConfig", "Metrics")), "EventCount") {
			n += cost.MetricsOfAMapping
		}
	}
	return n
}

func TestCost_StagesLogAndThrottleWhatIsBilled(t *testing.T) {
	c := synth(t, "prod")
	lines := map[string]string{"WebSocket": cost.SocketAccess, "Api": cost.HTTPAccess}
	for _, stage := range c.all("AWS::ApiGatewayV2::Stage") {
		rate := cost.FrameRate
		if stage.concern == "Api" {
			rate = cost.APIRate
			stage.expect(t, fmt.Sprint(cost.APIBurst), "DefaultRouteSettings", "ThrottlingBurstLimit")
		}
		stage.expect(t, fmt.Sprint(rate), "DefaultRouteSettings", "ThrottlingRateLimit")
		var format, line map[string]string
		if err := json.Unmarshal([]byte(fmt.Sprint(stage.at("AccessLogSettings", "Format"))), &format); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(lines[stage.concern]), &line); err != nil {
			t.Fatalf("operate/cost has no line of the access log of %s: %v", stage.concern, err)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(line)), slices.Sorted(maps.Keys(format))); diff != "" {
			t.Errorf("%s (-operate/cost/units.go +stage):\n%s", stage.concern, diff)
		}
	}
}

// Pushes, and the bus that they need, have alarms of their own.
func TestCost_BillsWhatPushesAdd(t *testing.T) {
	alarms := func(c *cloud) int { return len(c.all("AWS::CloudWatch::Alarm")) }
	with := alarms(synthWith(t, pushSettings(map[string]any{"env": "prod"})))
	if got, want := with-alarms(synth(t, "prod")), cost.AnnouncingAlarms+cost.PushAlarms; got != want {
		t.Errorf("there are %d alarms more, operate/cost has %d", got, want)
	}
}
