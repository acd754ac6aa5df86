package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// monitor makes the alarms and the dashboard.
type monitor struct {
	stack   awscdk.Stack
	actions []awscloudwatch.IAlarmAction
	alarms  []interfacesawscloudwatch.IAlarmRef
}

// alarm defines when an operator has to look. docs/operations.md says what to do.
type alarm struct {
	id          string
	metric      awscloudwatch.IMetric
	above       float64
	periods     int // of five minutes each, all of them above the threshold
	description string
}

const period = 5 * time.Minute

func newMonitoring(a *app) awscdk.Stack {
	m := &monitor{stack: a.leaf("Monitoring", "alarms and the dashboard", a.database.stack, a.storage.stack, a.websocket.stack, a.streams.stack, a.api.stack)}
	if a.settings.AlarmTopic != "" {
		topic := awssns.Topic_FromTopicArn(m.stack, jsii.String("Topic"), jsii.String(a.settings.AlarmTopic))
		m.actions = append(m.actions, awscloudwatchactions.NewSnsAction(topic))
	}
	switch {
	case a.settings.Budget > 0:
		newBudget(a, m.stack)
	case a.settings.prod() && a.settings.AlarmTopic == "":
		awscdk.Annotations_Of(m.stack).AddWarningV2(jsii.String("streamroom:noAlarmTopic"),
			jsii.String("alarms notify no one: add -c alarmTopic=ARN, and -c budget=DOLLARS"))
	}
	functions := slices.Concat(a.websocket.functions, a.streams.functions, []function{a.api.function})
	if a.streams.push != nil {
		functions = append(functions, *a.streams.push)
	}
	for _, f := range functions {
		m.watchFunction(f)
	}
	for _, f := range a.websocket.functions {
		// Lambda counts an answer that says so as a success.
		m.watch(alarm{titled(f) + "Internal", custom(f, metrics.Internal), 0, 1, "The route " + f.Name + " could not serve a client"})
	}
	for _, f := range a.streams.functions {
		m.watchReader(f)
		if a.streams.announces && f.Name == topology.Fanout {
			m.watch(alarm{
				"Unannounced", custom(f, metrics.Unannounced), 0, 1,
				"The bus of events did not take some, whose records are in the bucket of failures",
			})
		}
	}
	m.watchTable(a.database)
	m.watch(alarm{
		"WebSocketErrors", gatewayMetric("ExecutionError", a.websocket.apiID, a.websocket.stage), 5, 1,
		"The WebSocket API answered with its own errors",
	})
	m.watch(alarm{"HttpErrors", gatewayMetric("5xx", a.api.apiID, "$default"), 5, 1, "The HTTP API answered 5xx"})
	m.dashboard(a, functions)
	return m.stack
}

// titled returns the name of a function as alarms begin with it.
func titled(f function) string { return strings.ToUpper(f.Name[:1]) + f.Name[1:] }

func (m *monitor) watchFunction(f function) {
	name := titled(f)
	m.watch(alarm{name + "Errors", f.lambda.MetricErrors(sum()), 0, 1, "The function " + f.Name + " failed"})
	m.watch(alarm{name + "Throttles", f.lambda.MetricThrottles(sum()), 0, 1, "The function " + f.Name + " had no concurrency left"})
}

// watchReader watches the metrics that only readers of the stream have.
func (m *monitor) watchReader(f function) {
	name := titled(f)
	m.watch(alarm{
		name + "Age", f.lambda.Metric(jsii.String("IteratorAge"), maximum()), farBehind.Seconds() * 1000, 2,
		fmt.Sprintf("The function %s is more than %.0f s behind the table's stream", f.Name, farBehind.Seconds()),
	})
	m.watch(alarm{
		name + "Malformed", custom(f, metrics.MalformedRecord), 0, 1,
		"The function " + f.Name + " skipped stream records that it could not read",
	})
	m.watch(alarm{
		name + "GivenUp", givenUp(f), 0, 1,
		"Records for the function " + f.Name + " were given up, and are in the bucket of failures",
	})
	m.watch(alarm{
		name + "Dropped", metricOf("AWS/Lambda", "DroppedEventCount", "EventSourceMappingUUID", *f.mapping.Ref()), 0, 1,
		"Records for the function " + f.Name + " were dropped after their retries",
	})
	m.watch(alarm{
		name + "DestinationFailures", f.lambda.Metric(jsii.String("DestinationDeliveryFailures"), sum()), 0, 1,
		"What the function " + f.Name + " gave up could not be written to its destination, and is lost",
	})
	if f.Name != topology.Fanout {
		return
	}
	m.watch(alarm{
		"Undelivered", custom(f, metrics.Undelivered), 100, 2,
		"Messages were not delivered live; clients find them in the history",
	})
	// Of few messages the slowest is the percentile, so a single slow one must not ring. "ignore"
	// would wait for 1,000 of them in a period ("Percentile-based alarms and low data samples",
	// Amazon CloudWatch User Guide), which a small deployment never has: it takes more periods instead.
	m.watch(alarm{
		"DeliveryTime", deliveryTime(f, "p99"), slowDelivery.Seconds() * 1000, 3,
		fmt.Sprintf("One message in a hundred, or the slowest of fewer, takes over %.0f s from its sender to its readers", slowDelivery.Seconds()),
	}, func(props *awscloudwatch.AlarmProps) {
		props.EvaluateLowSampleCountPercentile = jsii.String("evaluate")
	})
}

// farBehind is when a reader of the stream does not keep up, or one shard waits for a record
// that fails.
const farBehind = time.Minute

// slowDelivery is when readers notice that a chat is slow. Undisturbed, the stream
// takes 0.6 s at the 99th percentile, and the posts of a room of 2,000 as long again.
const slowDelivery = 5 * time.Second

// indexes are those of the table, by what they are for.
var indexes = []struct{ name, of string }{{table.GSI1, "room lists"}, {table.GSI2, "places"}}

// watchTable watches what the table and its indexes refuse. An index has metrics of its
// own ("DynamoDB Metrics and dimensions", DynamoDB Developer Guide).
func (m *monitor) watchTable(d databaseStack) {
	for _, kind := range []string{"Read", "Write"} {
		name := kind + "ThrottleEvents"
		m.watch(alarm{
			"Table" + kind + "Throttles", d.table.Metric(jsii.String(name), sum()), 0, 1,
			"The table refused " + strings.ToLower(kind) + "s for lack of capacity",
		})
		for _, index := range indexes {
			m.watch(alarm{
				index.name + kind + "Throttles", indexMetric(d, index.name, name), 0, 1,
				"The index of " + index.of + " refused " + strings.ToLower(kind) + "s for lack of capacity",
			})
		}
	}
}

func indexMetric(d databaseStack, index, name string) awscloudwatch.Metric {
	return metricOf("AWS/DynamoDB", name, "TableName", *d.table.TableName(), "GlobalSecondaryIndexName", index)
}

func (m *monitor) watch(a alarm, more ...func(*awscloudwatch.AlarmProps)) {
	props := &awscloudwatch.AlarmProps{
		Metric:             a.metric,
		Threshold:          jsii.Number(a.above),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD,
		EvaluationPeriods:  jsii.Number(float64(a.periods)),
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
		AlarmDescription:   jsii.String(a.description + ". See docs/operations.md, Alarms."),
	}
	for _, set := range more {
		set(props)
	}
	made := awscloudwatch.NewAlarm(m.stack, jsii.String(a.id), props)
	for _, action := range m.actions {
		made.AddAlarmAction(action)
		made.AddOkAction(action)
	}
	m.alarms = append(m.alarms, made)
}

// dashboard shows, from the top: alarms, traffic, delays, errors.
func (m *monitor) dashboard(a *app, functions []function) {
	dashboard := awscloudwatch.NewDashboard(m.stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName:   jsii.String("Streamroom-" + a.settings.Env), // a fixed name, so that it can be found
		DefaultInterval: awscdk.Duration_Hours(jsii.Number(3)),
	})
	fanout := a.streams.functions[slices.IndexFunc(a.streams.functions, func(f function) bool { return f.Name == topology.Fanout })]
	var ages, given, errs, throttles, durations []awscloudwatch.IMetric
	for _, f := range a.streams.functions {
		given = append(given, labelled(givenUp(f), f.Name))
		ages = append(ages, f.lambda.Metric(jsii.String("IteratorAge"), maximum()))
	}
	for _, f := range functions {
		errs = append(errs, f.lambda.MetricErrors(sum()))
		throttles = append(throttles, f.lambda.MetricThrottles(sum()))
		durations = append(durations, f.lambda.MetricDuration(&awscloudwatch.MetricOptions{Statistic: jsii.String("p99"), Period: seconds(period)}))
	}
	dashboard.AddWidgets(awscloudwatch.NewAlarmStatusWidget(&awscloudwatch.AlarmStatusWidgetProps{
		Title: jsii.String("Alarms"), Alarms: &m.alarms, Width: jsii.Number(24), Height: jsii.Number(4),
	}))
	dashboard.AddWidgets(
		graph("Connections and messages", gatewayMetric("ConnectCount", a.websocket.apiID, a.websocket.stage), gatewayMetric("MessageCount", a.websocket.apiID, a.websocket.stage),
			gatewayMetric("IntegrationError", a.websocket.apiID, a.websocket.stage)),
		graph("Broadcast", custom(fanout, metrics.Delivered), custom(fanout, metrics.Gone), custom(fanout, metrics.Undelivered)),
		graph("HTTP API", gatewayMetric("Count", a.api.apiID, "$default"), gatewayMetric("4xx", a.api.apiID, "$default"), gatewayMetric("5xx", a.api.apiID, "$default")),
	)
	dashboard.AddWidgets(
		graph("From a message to its readers (ms)", labelled(deliveryTime(fanout, "p50"), "median"), labelled(deliveryTime(fanout, "p99"), "99th percentile")),
		graph("Behind the stream (ms)", ages...),
		graph("Duration, p99 (ms)", durations...),
	)
	dashboard.AddWidgets(
		graph("Given-up records", given...),
		graph("Function errors", errs...),
		graph("Function throttles", throttles...),
	)
	dashboard.AddWidgets(
		graph("Table: units and throttles",
			a.database.table.MetricConsumedReadCapacityUnits(sum()), a.database.table.MetricConsumedWriteCapacityUnits(sum()),
			a.database.table.Metric(jsii.String("ReadThrottleEvents"), sum()), a.database.table.Metric(jsii.String("WriteThrottleEvents"), sum()),
			labelled(indexMetric(a.database, table.GSI1, "WriteThrottleEvents"), table.GSI1+" WriteThrottleEvents"),
			labelled(indexMetric(a.database, table.GSI2, "WriteThrottleEvents"), table.GSI2+" WriteThrottleEvents")),
		fortnight("Attachments: bytes", stored(a.storage, "BucketSizeBytes", "StandardStorage")),
		fortnight("Attachments: objects", stored(a.storage, "NumberOfObjects", "AllStorageTypes")),
	)
}

// stored returns what S3 counts of the attachments once a day, free of charge ("Amazon
// CloudWatch daily storage metrics for buckets", Amazon S3 User Guide).
func stored(s storageStack, name, storageType string) awscloudwatch.IMetric {
	return metricOf("AWS/S3", name, "BucketName", *s.bucket.BucketName(), "StorageType", storageType).
		With(&awscloudwatch.MetricOptions{Statistic: jsii.String("Average"), Period: awscdk.Duration_Days(jsii.Number(1))})
}

// fortnight shows two weeks of what is counted once a day.
func fortnight(title string, line awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String(title), Left: &[]awscloudwatch.IMetric{line}, Width: jsii.Number(8), Height: jsii.Number(6),
		Start: jsii.String("-P14D"),
	})
}

// givenUp returns how many records a mapping has given up and sent to its destination,
// which DroppedEventCount leaves out ("Event source mapping metrics", AWS Lambda
// Developer Guide).
func givenUp(f function) awscloudwatch.Metric {
	return metricOf("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", "EventSourceMappingUUID", *f.mapping.Ref())
}

func graph(title string, lines ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String(title), Left: &lines, Width: jsii.Number(8), Height: jsii.Number(6),
	})
}

func gatewayMetric(name, apiID, stage string) awscloudwatch.IMetric {
	return metricOf("AWS/ApiGateway", name, "ApiId", apiID, "Stage", stage)
}

// custom returns a metric that a function writes to its log.
func custom(f function, name string) awscloudwatch.Metric {
	return metricOf(metrics.Namespace, name, metrics.Dimension, *f.lambda.FunctionName())
}

// deliveryTime returns a percentile of what readers wait for a message.
func deliveryTime(f function, percentile string) awscloudwatch.Metric {
	return custom(f, metrics.DeliveryTime).With(&awscloudwatch.MetricOptions{Statistic: jsii.String(percentile)})
}

func labelled(m awscloudwatch.Metric, label string) awscloudwatch.IMetric {
	return m.With(&awscloudwatch.MetricOptions{Label: jsii.String(label)})
}

// metricOf returns the sum of a metric with dimensions, which are names and values.
func metricOf(namespace, name string, dimensions ...string) awscloudwatch.Metric {
	by := map[string]*string{}
	for pair := range slices.Chunk(dimensions, 2) {
		by[pair[0]] = jsii.String(pair[1])
	}
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(namespace), MetricName: jsii.String(name), DimensionsMap: &by,
		Statistic: jsii.String("Sum"), Period: seconds(period),
	})
}

func sum() *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: jsii.String("Sum"), Period: seconds(period)}
}

func maximum() *awscloudwatch.MetricOptions {
	return &awscloudwatch.MetricOptions{Statistic: jsii.String("Maximum"), Period: seconds(period)}
}
