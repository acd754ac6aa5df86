package cost

// What the templates have, whatever the traffic. A test of package infra holds
// these to what is synthesized for prod.
const (
	Alarms     = 38
	Dashboards = 1

	// InsightRules are those of Contributor Insights that name throttled keys: two for the
	// table and for each index, as all have a sort key ("CloudWatch contributor insights for
	// DynamoDB: How it works", Amazon DynamoDB Developer Guide).
	InsightRules = 6

	// CustomMetrics are those that the functions log, by metric and function. A test
	// of package functions counts them.
	CustomMetrics = 8

	// AnnouncingAlarms and AnnouncingMetrics are those beside them of deployments with
	// events or pushes, and PushAlarms those with pushes.
	AnnouncingAlarms  = 1
	AnnouncingMetrics = 1
	PushAlarms        = 2

	// RouteMetrics are those of single routes, which API Gateway adds where a stage
	// has detailed metrics.
	RouteMetrics = 0 * MetricsOfARoute

	// MappingMetrics are those of the event source mappings that ask for event
	// counts.
	MappingMetrics = 2 * MetricsOfAMapping

	// SystemLog is whether Lambda logs the start and the report of each invocation.
	SystemLog = false

	// Traced is whether X-Ray traces the functions.
	Traced = false

	// LogDays is how long logs are kept.
	LogDays = 90
)

// MetricsOfARoute is how many metrics API Gateway adds for a route with detailed
// metrics, and MetricsOfAMapping how many Lambda adds for a mapping with
// EventCount ("Amazon API Gateway dimensions and metrics", "Types of metrics for
// Lambda functions").
const (
	MetricsOfARoute   = 6
	MetricsOfAMapping = 6
)

// The tiers of a user pool.
const (
	Lite       = "lite"
	Essentials = "essentials"
	Plus       = "plus"
)

// Tier is that of the pool that is deployed.
const Tier = Lite
