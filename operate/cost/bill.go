package cost

// Usage is what AWS bills for a month.
type Usage struct {
	WebSocketMessages, ConnectionMinutes, HTTPRequests float64
	EventOperations, EventMinutes                      float64
	Invocations, GBSeconds                             float64
	WriteUnits, ReadUnits, TableGB                     float64
	FileGB, FilePuts, FileGets                         float64
	LogGB, StoredLogGB                                 float64
	Metrics, Alarms, Dashboards, InsightRules, Traces  float64
	BusEvents                                          float64
	Users                                              float64
	MachineClients, MachineTokens                      float64
	Tier                                               string // of the user pool
	OutGB                                              float64
}

// A Line is one amount of a bill.
type Line struct {
	Service string  `json:"service"`
	Item    string  `json:"item"`
	Amount  float64 `json:"amount"`
	Unit    string  `json:"unit"`
	Dollars float64 `json:"dollars"`
	Price   Price   `json:"-"`
}

// Bill is what a month costs. Bills have the same lines in the same order,
// whatever is used.
type Bill []Line

// Bill prices the usage. With free, it leaves out what an account gets free each
// month.
func (u Usage) Bill(free bool) Bill {
	user := map[string]Price{Lite: LiteUser, Essentials: EssentialsUser, Plus: PlusUser}[u.Tier]
	var b Bill
	add := func(service, item string, amount float64, p Price) {
		billed := amount
		if free {
			billed = max(amount-p.Free, 0)
		}
		b = append(b, Line{service, item, amount, p.Unit, p.Of(billed), p})
	}
	add("API Gateway", "WebSocket messages", u.WebSocketMessages, WebSocketMessage)
	add("API Gateway", "connection minutes", u.ConnectionMinutes, ConnectionMinute)
	add("API Gateway", "HTTP requests", u.HTTPRequests, HTTPRequest)
	add("AppSync", "event operations", u.EventOperations, EventOperation)
	add("AppSync", "connection minutes", u.EventMinutes, EventMinute)
	add("Lambda", "invocations", u.Invocations, Invocation)
	add("Lambda", "time", u.GBSeconds, GBSecond)
	add("DynamoDB", "write units", u.WriteUnits, WriteUnit)
	add("DynamoDB", "read units", u.ReadUnits, ReadUnit)
	add("DynamoDB", "storage", u.TableGB, TableGB)
	add("DynamoDB", "backup", u.TableGB, BackupGB)
	add("S3", "files", u.FileGB, FileGB)
	add("S3", "uploads and copies", u.FilePuts, FilePut)
	add("S3", "downloads", u.FileGets, FileGet)
	add("CloudWatch", "logs", u.LogGB, LogGB)
	add("CloudWatch", "kept logs", u.StoredLogGB, StoredLogGB)
	add("CloudWatch", "metrics", u.Metrics, Metric)
	add("CloudWatch", "alarms", u.Alarms, Alarm)
	add("CloudWatch", "dashboards", u.Dashboards, Dashboard)
	add("CloudWatch", "contributor insights", u.InsightRules, InsightRule)
	add("X-Ray", "traces", u.Traces, Trace)
	add("Cognito", "active users", u.Users, user)
	add("Cognito", "machine clients", u.MachineClients, MachineClient)
	add("Cognito", "machine tokens", u.MachineTokens, MachineToken)
	add("EventBridge", "events", u.BusEvents, BusEvent)
	add("Internet", "data out", u.OutGB, OutGB)
	return b
}

// Total is the sum in dollars.
func (b Bill) Total() float64 {
	total := 0.0
	for _, line := range b {
		total += line.Dollars
	}
	return total
}
