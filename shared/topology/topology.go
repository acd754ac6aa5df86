// Package topology is the one list of what runs: the functions, the WebSocket
// routes that reach them, and the stream mappings that trigger them. The CDK
// app deploys exactly this list and the local runtime runs exactly this list,
// so that what was tested on a laptop is what is deployed.
package topology

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/streamroom/streamroom/shared/config"
)

// The names of the functions. A function's code lives in functions/<name>.
const (
	Connect     = "connect"
	Disconnect  = "disconnect"
	SendMessage = "sendmessage"
	Default     = "default"
	Fanout      = "fanout"
	LastMessage = "lastmessage"
	API         = "api"
	Push        = "push"
)

// Function is one Lambda function.
type Function struct {
	Name      string
	MemoryMB  int
	Timeout   time.Duration
	Variables []string // the environment variables that it reads, see shared/config; it gets no others
}

// Functions lists the functions that every deployment has.
func Functions() []Function {
	// Every function has a log and the table.
	reads := func(more ...string) []string { return append([]string{config.LogLevel, config.TableName}, more...) }
	// Both APIs accept tokens by one rule, and know users by one form of their ids.
	tokens := func(more ...string) []string {
		return reads(append([]string{config.Issuer, config.Audience, config.TokenUse, config.UserClaim, config.UserIDCase, config.OriginKeys}, more...)...)
	}
	// Frames that a route refuses count, too, and what follows from a message in the stream.
	frames := []string{config.SendRate, config.SendBurst}
	return []Function{
		{Name: Connect, MemoryMB: 256, Timeout: 10 * time.Second, Variables: tokens(config.KeysURL, config.QueryToken, config.ConnectRate, config.ConnectBurst, config.Presence)},
		{Name: Disconnect, MemoryMB: 256, Timeout: 10 * time.Second, Variables: reads(config.Presence)},
		{Name: SendMessage, MemoryMB: 256, Timeout: 10 * time.Second, Variables: reads(append(frames, config.Attachments, config.UserIDCase, config.Review, config.ReviewFails, config.Retention)...)},
		{Name: Default, MemoryMB: 256, Timeout: 10 * time.Second, Variables: reads(append(frames, config.Typing, config.Presence)...)},
		// The handler's own deadline (FanoutDeadline) is half of this, so that a
		// slow broadcast answers instead of being killed in the middle. It waits most of
		// its time: twice the memory, and so twice the CPU, has a message reach 1,000
		// connections in 0.69 s instead of 0.70 (docs/large-rooms.md), at twice the price.
		{Name: Fanout, MemoryMB: 512, Timeout: 20 * time.Second, Variables: reads(append(frames, config.CallbackURL, config.Presence, config.EventBus, config.EventContent, config.EventTypes, config.Failures)...)},
		{Name: LastMessage, MemoryMB: 512, Timeout: 30 * time.Second, Variables: reads(append(frames, config.OrderSeconds, config.Attachments)...)},
		{Name: API, MemoryMB: 256, Timeout: 10 * time.Second, Variables: tokens(config.Services, config.Review, config.ReviewFails, config.Retention, config.SendRate, config.SendBurst, config.WriteRate, config.WriteBurst, config.ReadRate, config.ReadBurst, config.ReportRate, config.ReportBurst, config.OrderSeconds, config.Attachments, config.MaxFile, config.Presence, config.PushKey)},
	}
}

// PushFunction is the function of deployments that send Web Push. Notification events
// invoke it. It waits for push services most of its time: two attempts of 5 s at each
// endpoint, many side by side.
func PushFunction() Function {
	return Function{
		Name: Push, MemoryMB: 256, Timeout: time.Minute,
		Variables: []string{config.LogLevel, config.TableName, config.PushKey, config.PushSecret, config.PushContact},
	}
}

// PushRetries is how often an event is delivered again to the function Push, and PushAge how
// old it gets: someone who comes back has seen the message.
const (
	PushRetries = 2
	PushAge     = time.Hour
)

// Programs lists every function that any deployment has.
func Programs() []Function { return append(Functions(), PushFunction()) }

// APIMethods lists the methods of the HTTP API.
func APIMethods() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE"} }

// APIHeaders lists the headers that pages of other origins may send to the HTTP API.
func APIHeaders() []string { return []string{"authorization", "content-type", "idempotency-key"} }

// OriginKeyHeader is the header in which a distribution in front of both APIs says that
// a request came through it, and so past its firewall.
const OriginKeyHeader = "X-Origin-Key"

// ServiceScope is the scope of services' tokens, and ServiceName a pattern of their names:
// those of package chat, with at most 32 bytes.
const (
	ServiceScope = "streamroom/service"
	ServiceName  = `[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*`
)

// ParseOrigin returns an origin of pages as browsers send it: in lower case, and without
// the port that is its scheme's own.
func ParseOrigin(text string) (*url.URL, error) {
	text = strings.ToLower(text)
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || text != u.Scheme+"://"+u.Host {
		return nil, errors.New("want an origin such as https://chat.example.com, without a path")
	}
	u.Host = strings.TrimSuffix(u.Host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	return u, nil
}

// APIPreflightAge is how long browsers remember what pages of an origin may send.
const APIPreflightAge = time.Hour

// FanoutDeadline is how long one fanout invocation works on its batch.
const FanoutDeadline = 10 * time.Second

// LastMessageDeadline is how long one lastmessage invocation works on its
// batch. The rest of its time is for reading ten thousand records.
const LastMessageDeadline = 20 * time.Second

// RouteSelectionExpression picks the route key out of a client's frame.
const RouteSelectionExpression = "$request.body.action"

// Route is one route of the WebSocket API.
type Route struct {
	Key      string // "$connect", "$disconnect", "$default" or the value of the frame's action
	Function string // the name of the function it invokes
	TwoWay   bool   // the function's body goes back to the caller as a frame
}

// Routes lists every route of the WebSocket API. Their keys are unique; several may
// invoke one function.
func Routes() []Route {
	return []Route{
		{Key: "$connect", Function: Connect},
		{Key: "$disconnect", Function: Disconnect},
		{Key: "sendMessage", Function: SendMessage, TwoWay: true},
		{Key: "$default", Function: Default, TwoWay: true},
	}
}
