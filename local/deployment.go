package local

import (
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// Deployment is what runs. By default that is shared/topology, as infra deploys
// it; a test can run what a synthesized template says instead.
type Deployment struct {
	Functions  []Function
	Routes     []topology.Route
	Mappings   []topology.StreamMapping
	Stage      string      // of the WebSocket API
	API        string      // the function behind the HTTP API
	Authorizer auth.Config // the HTTP API's
}

// Function is one function to run.
type Function struct {
	topology.Function
	Construct   functions.Constructor
	Environment map[string]string // all of its variables

	// Guard, if set, stands between the function, or the mapping that acts in its
	// role, and everything of AWS: the table, its stream and @connections.
	Guard func(next http.RoundTripper) http.RoundTripper
}

// deploy finds out what runs.
func (s *Server) deploy() (err error) {
	deploy := s.c.Deploy
	if deploy == nil {
		deploy = func(url string) (Deployment, error) { return Topology(url, s.c.LogLevel), nil }
	}
	if s.deployed, err = deploy(s.URL()); err != nil {
		return fmt.Errorf("find out what to run: %w", err)
	}
	if s.c.Wear != nil {
		for i, f := range s.deployed.Functions {
			s.deployed.Functions[i] = s.c.Wear(f)
		}
	}
	return nil
}

// Topology is the deployment that shared/topology lists, for a server with a URL.
func Topology(url, logLevel string) Deployment {
	values := map[string]string{
		config.TableName:   TableName,
		config.CallbackURL: url + "/" + Stage,
		config.Issuer:      url,
		config.Audience:    identity.ClientID,
		config.TokenUse:    "access",
		config.QueryToken:  "true",
		config.LogLevel:    logLevel,
	}
	d := Deployment{
		Routes:     topology.Routes(),
		Mappings:   topology.StreamMappings(),
		Stage:      Stage,
		API:        topology.API,
		Authorizer: auth.Config{Issuer: url, Audience: []string{identity.ClientID}},
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

// function returns the function called name; one without a guard, if there is
// none.
func (d Deployment) function(name string) Function {
	for _, f := range d.Functions {
		if f.Name == name {
			return f
		}
	}
	return Function{}
}

func (f Function) guard(next http.RoundTripper) http.RoundTripper {
	if f.Guard == nil {
		return next
	}
	return f.Guard(next)
}

// guardTable is how the function reaches the table.
func (f Function) guardTable(c aws.Config) aws.Config {
	if f.Guard == nil {
		return c
	}
	next, ok := c.HTTPClient.(http.RoundTripper)
	if !ok {
		next = http.DefaultTransport
	}
	c.HTTPClient = &http.Client{Transport: f.Guard(next)}
	return c
}
