package cost

import "math"

// PricesOf is the day on which the prices below were last compared with public
// copies of AWS's price list. They are on-demand list prices in dollars, in
// us-east-1, without tax. AWS's own pages are the truth.
const PricesOf = "2026-11-28"

// Region is where the prices hold.
const Region = "us-east-1"

// A Price is what AWS asks for one service's unit.
type Price struct {
	Unit string // what is counted, in the plural
	Page string // the page of AWS that has the price
	// Free is what an account gets of it each month without an end, and shares
	// among all that runs in it.
	Free  float64
	Steps []Step
}

// A Step is the price of each unit up to a month's amount.
type Step struct {
	UpTo float64 // 0 is without end
	Each float64 // dollars
}

// Each is the price of one unit before any discount for large amounts.
func (p Price) Each() float64 {
	for _, s := range p.Steps {
		if s.Each > 0 {
			return s.Each
		}
	}
	return 0
}

// Of returns what a month's amount costs, in dollars.
func (p Price) Of(amount float64) float64 {
	dollars, from := 0.0, 0.0
	for _, s := range p.Steps {
		upTo := s.UpTo
		if upTo == 0 {
			upTo = math.Inf(1)
		}
		if amount > from {
			dollars += (min(amount, upTo) - from) * s.Each
		}
		from = upTo
	}
	return dollars
}

func flat(each float64) []Step { return []Step{{0, each}} }

const (
	million = 1e6
	gb      = 1 << 30 // bytes, as AWS counts a GB
)

const (
	pageGateway  = "https://aws.amazon.com/api-gateway/pricing/"
	pageAppSync  = "https://aws.amazon.com/appsync/pricing/"
	pageLambda   = "https://aws.amazon.com/lambda/pricing/"
	pageDynamoDB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
	pageS3       = "https://aws.amazon.com/s3/pricing/"
	pageWatch    = "https://aws.amazon.com/cloudwatch/pricing/"
	pageXRay     = "https://aws.amazon.com/xray/pricing/"
	pageCognito  = "https://aws.amazon.com/cognito/pricing/"
	pageEvents   = "https://aws.amazon.com/eventbridge/pricing/"
	pageTransfer = "https://aws.amazon.com/ec2/pricing/on-demand/"
)

// API Gateway. A message is up to 32 KB, in either direction; a request is up to
// 512 KB.
var (
	WebSocketMessage = Price{Unit: "messages", Page: pageGateway, Steps: []Step{{1000 * million, 1.00 / million}, {0, 0.80 / million}}}
	ConnectionMinute = Price{Unit: "minutes", Page: pageGateway, Steps: flat(0.25 / million)}
	HTTPRequest      = Price{Unit: "requests", Page: pageGateway, Steps: []Step{{300 * million, 1.00 / million}, {0, 0.90 / million}}}
)

// AppSync Events. Operations are publishes, calls of handlers, deliveries,
// connections, subscriptions and pings, each for up to 5 KB.
var (
	EventOperation = Price{Unit: "operations", Page: pageAppSync, Steps: flat(1.00 / million)}
	EventMinute    = Price{Unit: "minutes", Page: pageAppSync, Steps: flat(0.08 / million)}
)

// Lambda, on arm64. Its reads of a DynamoDB stream are free.
var (
	Invocation = Price{Unit: "invocations", Page: pageLambda, Free: 1 * million, Steps: flat(0.20 / million)}
	GBSecond   = Price{Unit: "GB-s", Page: pageLambda, Free: 400_000, Steps: flat(0.0000133334)}
)

// DynamoDB on demand. Backups are the continuous ones, for point-in-time recovery.
var (
	WriteUnit = Price{Unit: "units", Page: pageDynamoDB, Steps: flat(0.625 / million)}
	ReadUnit  = Price{Unit: "units", Page: pageDynamoDB, Steps: flat(0.125 / million)}
	TableGB   = Price{Unit: "GB", Page: pageDynamoDB, Steps: []Step{{25, 0}, {0, 0.25}}}
	BackupGB  = Price{Unit: "GB", Page: pageDynamoDB, Steps: flat(0.20)}
)

// S3 Standard. An upload by a form is priced as a PUT, and so is a copy. Removals, and
// what a bucket's rules expire, cost nothing.
var (
	FileGB  = Price{Unit: "GB", Page: pageS3, Steps: []Step{{50 << 10, 0.023}, {500 << 10, 0.022}, {0, 0.021}}}
	FilePut = Price{Unit: "requests", Page: pageS3, Steps: flat(0.005 / 1000)}
	FileGet = Price{Unit: "requests", Page: pageS3, Steps: flat(0.0004 / 1000)}
)

// CloudWatch and X-Ray. A detailed metric costs what a custom one does.
var (
	LogGB       = Price{Unit: "GB", Page: pageWatch, Free: 5, Steps: flat(0.50)}
	StoredLogGB = Price{Unit: "GB", Page: pageWatch, Steps: flat(0.03)}
	Metric      = Price{Unit: "metrics", Page: pageWatch, Free: 10, Steps: []Step{{10_000, 0.30}, {250_000, 0.10}, {0, 0.05}}}
	Alarm       = Price{Unit: "alarms", Page: pageWatch, Free: 10, Steps: flat(0.10)}
	Dashboard   = Price{Unit: "dashboards", Page: pageWatch, Free: 3, Steps: flat(3)}
	InsightRule = Price{Unit: "rules", Page: pageWatch, Steps: flat(0.50)} // of DynamoDB: the free one is of logs
	Trace       = Price{Unit: "traces", Page: pageXRay, Free: 100_000, Steps: flat(5 / million)}
)

// Cognito, by the pool's tier. The first 10,000 users of an account are a step
// of the list without a price, except of Plus.
var (
	LiteUser = Price{Unit: "users", Page: pageCognito, Steps: []Step{
		{10_000, 0}, {100_000, 0.0055}, {1 * million, 0.0046}, {10 * million, 0.00325}, {0, 0.0025},
	}}
	EssentialsUser = Price{Unit: "users", Page: pageCognito, Steps: []Step{{10_000, 0}, {0, 0.015}}}
	PlusUser       = Price{Unit: "users", Page: pageCognito, Steps: flat(0.020)}
)

// Cognito, of services: by the client, for each second of a month that it is there, and by
// the token. More than a service needs is cheaper, in steps that are left out.
var (
	MachineClient = Price{Unit: "clients", Page: pageCognito, Steps: flat(6)}
	MachineToken  = Price{Unit: "tokens", Page: pageCognito, Steps: flat(2.25 / 1000)}
)

// BusEvent is a custom event that is put to a bus of EventBridge, for each 64 KB. Rules, and
// what they deliver within the account, cost nothing.
var BusEvent = Price{Unit: "events", Page: pageEvents, Steps: flat(1.00 / million)}

// OutGB is data to the internet, out of whichever service.
var OutGB = Price{Unit: "GB", Page: pageTransfer, Free: 100, Steps: []Step{
	{10 << 10, 0.09}, {50 << 10, 0.085}, {150 << 10, 0.07}, {0, 0.05},
}}
