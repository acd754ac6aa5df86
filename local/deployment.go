package local

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// Deployment lists what a Server runs. By default that is Topology, as infra
// deploys it. It is also the one seam for tests: see Config.Wrap.
type Deployment struct {
	URL        string // of everything but the table, such as http://127.0.0.1:8080
	Functions  []Function
	Routes     []topology.Route
	Mappings   []topology.StreamMapping
	Stage      string      // of the WebSocket API, the first segment of its path
	API        string      // name of the function behind the HTTP API
	Authorizer auth.Config // of the HTTP API

	// Unthrottled lifts the WebSocket API's limits of requests a second, and all limits
	// per user.
	Unthrottled bool
	// DropDisconnect, if set, is asked before each $disconnect and loses it by
	// answering true, as API Gateway may: delivery of $disconnect is best effort
	// (API Gateway Developer Guide, "Manage connected users and client apps:
	// $connect and $disconnect routes").
	DropDisconnect func(connectionID string) bool
	// Received, if set, sees each frame of a client once a function has taken it, with the
	// frame that answers it, "" for none; Sent sees each frame to a client.
	Received func(frame, answer string)
	Sent     func(frame []byte)
}

// Function is one function to run.
type Function struct {
	topology.Function
	Construct   functions.Constructor
	Environment map[string]string // all of its variables

	// Transport, if set, wraps the way from the function, or from the mapping that
	// acts in its role, to everything of AWS: the table, its stream and
	// @connections.
	Transport func(next http.RoundTripper) http.RoundTripper
}

// EachFunction applies wrap to each function of a deployment.
func EachFunction(wrap func(Function) Function) func(Deployment) Deployment {
	return func(d Deployment) Deployment {
		for i, f := range d.Functions {
			d.Functions[i] = wrap(f)
		}
		return d
	}
}

// NewDeployment returns the deployment that shared/topology lists, for a server with
// a URL, and for services by their names.
func NewDeployment(url, logLevel string, services ...string) Deployment {
	audience, known := []string{identity.ClientID}, make([]string, len(services))
	for i, name := range services {
		audience = append(audience, identity.ServiceClientID(name))
		known[i] = name + "=" + identity.ServiceClientID(name)
	}
	values := map[string]string{
		config.TableName:   TableName,
		config.CallbackURL: url + "/" + Stage,
		config.Issuer:      url,
		config.Audience:    identity.ClientID,
		config.TokenUse:    "access",
		config.Services:    strings.Join(known, ","),
		config.UserIDCase:  config.Insensitive, // as the pool of package identity
		config.QueryToken:  "true",
		config.LogLevel:    logLevel,
		config.Attachments: AttachmentsBucket,
	}
	d := Deployment{
		URL:        url,
		Routes:     topology.Routes(),
		Mappings:   topology.StreamMappings(),
		Stage:      Stage,
		API:        topology.API,
		Authorizer: auth.Config{Rule: auth.Rule{Issuer: url, Audience: audience}},
	}
	constructors := functions.All()
	for _, f := range topology.Functions() {
		environment := make(map[string]string, len(f.Variables))
		for _, name := range f.Variables {
			environment[name] = values[name]
		}
		d.Functions = append(d.Functions, Function{Function: f, Construct: constructors[f.Name], Environment: environment})
	}
	return d
}

// announce has fanout put events to a bus: all of them, or notifications only.
func (d Deployment) announce(content, notifications bool) {
	environment := d.function(topology.Fanout).Environment
	environment[config.EventBus], environment[config.EventContent] = eventBus, strconv.FormatBool(content)
	environment[config.Failures] = FailuresBucket
	if notifications {
		environment[config.EventTypes] = config.Notification
	}
}

// notify adds the function that sends Web Push, with a public key.
func (d *Deployment) notify(logLevel, publicKey string) {
	d.function(topology.API).Environment[config.PushKey] = publicKey
	d.Functions = append(d.Functions, Function{
		Function: topology.PushFunction(), Construct: functions.All()[topology.Push],
		Environment: map[string]string{
			config.LogLevel: logLevel, config.TableName: TableName, config.PushKey: publicKey,
			config.PushSecret: pushSecret, config.PushContact: pushContact,
		},
	})
}

// review has those who store messages ask about them.
func (d Deployment) review(target, failure string) {
	for _, name := range []string{topology.SendMessage, topology.API} {
		environment := d.function(name).Environment
		environment[config.Review], environment[config.ReviewFails] = target, failure
	}
}

// retain bounds for how many days messages are kept.
func (d Deployment) retain(days int) {
	for _, name := range []string{topology.SendMessage, topology.API} {
		d.function(name).Environment[config.Retention] = strconv.Itoa(days)
	}
}

// eventBus is the name of the bus of events.
const eventBus = "streamroom-local"

// getenv returns how a function reads its variables.
func (d Deployment) getenv(f Function) func(name string) string {
	return func(name string) string {
		if d.Unthrottled && slices.Contains(config.Rates(), name) {
			return "0"
		}
		return f.Environment[name]
	}
}

// function returns the function called name, or one without a Transport if
// there is none.
func (d Deployment) function(name string) Function {
	for _, f := range d.Functions {
		if f.Name == name {
			return f
		}
	}
	return Function{}
}

func (f Function) transport(next http.RoundTripper) http.RoundTripper {
	if f.Transport == nil {
		return next
	}
	return f.Transport(next)
}

// aws returns the configuration by which the function reaches the table.
func (f Function) aws(c aws.Config) aws.Config {
	if f.Transport == nil {
		return c
	}
	next, ok := c.HTTPClient.(http.RoundTripper)
	if !ok {
		next = http.DefaultTransport
	}
	c.HTTPClient = &http.Client{Transport: f.Transport(next)}
	return c
}
