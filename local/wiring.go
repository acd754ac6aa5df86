package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/apigateway"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/web"
)

// concurrency is how many invocations of one function run at a time: what an AWS
// account allows by default, there for all its functions together.
const concurrency = 1_000

const (
	apiPath      = "/api"
	tokenPath    = "/token"
	keysPath     = "/.well-known/jwks.json"
	healthPath   = "/healthz"
	failuresPath = "/failures"
	openapiPath  = "/openapi.json"
)

func (s *Server) openLog() error {
	reader := config.NewReader(func(name string) string {
		if name == config.LogLevel {
			return s.c.LogLevel
		}
		return ""
	})
	if s.c.Log == nil {
		s.c.Log = io.Discard
	}
	s.c.Log = zerolog.SyncWriter(s.c.Log)
	s.log = zerolog.New(s.c.Log).Level(reader.LogLevel()).With().Timestamp().Logger()
	return reader.Err()
}

// registerFunctions makes the functions invocable, by the same constructors as
// on AWS.
func (s *Server) registerFunctions() error {
	s.invoker = lambda.NewInvoker(s.clock, s.log)
	for _, f := range s.deployed.Functions {
		if f.Construct == nil {
			return fmt.Errorf("the function %s has no code", f.Name)
		}
		env := functions.Env{
			Getenv: func(name string) string { return f.Environment[name] },
			AWS:    f.guardTable(s.aws),
			Posts:  f.guard(posts{s}),
			Keys:   s.keys,
			Now:    s.clock.Now,
			Log:    s.c.Log,
		}
		if _, err := f.Construct(env); err != nil {
			return fmt.Errorf("wire the function %s: %w", f.Name, err)
		}
		err := s.invoker.Register(f.Function, concurrency, func() awslambda.Handler {
			handler, err := f.Construct(env)
			if err != nil {
				panic("local: " + err.Error()) // it was constructed above, from the same environment
			}
			return handler
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// invoke runs a function for API Gateway, to which every failure is the same.
func (s *Server) invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	result, err := s.invoker.Invoke(ctx, function, payload)
	if err != nil {
		return nil, err
	}
	if result.FunctionError != "" {
		return nil, fmt.Errorf("%s: %s", result.FunctionError, result.Payload)
	}
	return result.Payload, nil
}

func (s *Server) openGateways() error {
	c := apigateway.WebSocketConfig{
		Stage: s.deployed.Stage, Routes: s.deployed.Routes, Invoke: s.invoke, Clock: s.clock, Log: s.log,
		DropDisconnect: s.c.DropDisconnect,
	}
	if s.c.Unthrottled {
		c.HandshakeRate, c.RequestRate = rate.Inf, rate.Inf
	}
	s.websocket = apigateway.NewWebSocket(c)
	verifier, err := auth.New(s.deployed.Authorizer, s.keys, s.clock.Now)
	if err != nil {
		return fmt.Errorf("wire the authorizer: %w", err)
	}
	s.api = apigateway.NewHTTP(apigateway.HTTPConfig{
		Function: s.deployed.API, Invoke: s.invoke, Clock: s.clock, Log: s.log, BasePath: apiPath,
		Authorize: func(ctx context.Context, token string) (map[string]string, error) {
			verified, err := verifier.Verify(ctx, token)
			if err != nil {
				return nil, err
			}
			return claimTexts(verified.Claims)
		},
	})
	return nil
}

// claimTexts renders claims as the HTTP API's authorizer does: each as a text.
func claimTexts(claims map[string]any) (map[string]string, error) {
	texts := make(map[string]string, len(claims))
	for name, value := range claims {
		switch v := value.(type) {
		case string:
			texts[name] = v
		case float64:
			texts[name] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			data, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("render the claim %s: %w", name, err)
			}
			texts[name] = string(data)
		}
	}
	return texts, nil
}

// posts reaches the @connections API without a network.
type posts struct{ s *Server }

// RoundTrip implements http.RoundTripper.
func (p posts) RoundTrip(r *http.Request) (*http.Response, error) { return p.s.websocket.Do(r) }

// handler is everything that is served beside the table. It picks by prefix and
// leaves paths as they are: what follows is for the gateways to read.
func (s *Server) handler() (http.Handler, error) {
	page, err := web.Handler(web.Config{
		Mode: web.ModeLocal, WebSocketURL: "/" + s.deployed.Stage, APIURL: apiPath, TokenURL: tokenPath,
	})
	if err != nil {
		return nil, fmt.Errorf("serve the browser client: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case under(path, "/"+s.deployed.Stage):
			s.websocket.ServeHTTP(w, r)
		case under(path, apiPath):
			s.api.ServeHTTP(w, r)
		case path == tokenPath:
			s.serveToken(w, r)
		case path == keysPath:
			s.pool.ServeJWKS(w, r)
		case path == healthPath:
			s.serveHealth(w)
		case path == openapiPath:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(httpapi.Description) // the client may be gone
		case path == failuresPath:
			s.failures.ServeHTTP(w, r)
		default:
			page.ServeHTTP(w, r)
		}
	}), nil
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// serveToken hands out tokens to whoever asks by an address of this machine. A
// page elsewhere on the web whose name resolves to this machine asks by that
// name, and gets none.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if named(r.Host) {
		http.Error(w, "tokens are handed out by IP address or localhost only", http.StatusForbidden)
		return
	}
	s.pool.ServeToken(w, r)
}

// notRebound refuses what such a page asks of the table, which asks nobody who
// they are. Browsers send an Origin with what it takes; other programs send
// none, and may use any name.
func notRebound(table http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" && named(r.Host) {
			http.Error(w, "browsers reach the table by IP address or localhost only", http.StatusForbidden)
			return
		}
		table.ServeHTTP(w, r)
	})
}

// named says whether a request's host is a name that somebody else may have
// given to this machine.
func named(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil
}

func (s *Server) serveHealth(w http.ResponseWriter) {
	if !s.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n") // a prober that is gone needs no answer
}

// services are what stands in for AWS on the table's port: an SDK client finds
// all of it under one endpoint.
func (s *Server) services() http.Handler {
	functions := lambda.NewAPI(s.invoker, s.mappings...)
	queue := lambda.NewQueueAPI(s.failures, s.clock)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case under(r.URL.Path, lambda.APIPath):
			// No header of AWS's own keeps a page elsewhere on the web from this.
			if r.Header.Get("Origin") != "" {
				http.Error(w, "browsers don't invoke functions", http.StatusForbidden)
				return
			}
			functions.ServeHTTP(w, r)
		case strings.HasPrefix(r.Header.Get("X-Amz-Target"), lambda.QueueTarget):
			queue.ServeHTTP(w, r)
		default:
			s.engine.ServeHTTP(w, r)
		}
	})
}

// openMappings makes the stream's two readers.
func (s *Server) openMappings(streamARN string) error {
	for _, m := range s.deployed.Mappings {
		c := lambda.MappingConfig{
			StreamMapping: m, StreamARN: streamARN,
			Streams: dynamodbstreams.NewFromConfig(s.deployed.function(m.Function).guardTable(s.aws)), Invoker: s.invoker,
			Checkpoints: s.checkpoints, Failures: s.failures, PollInterval: s.c.PollInterval,
			Clock: s.clock, Logger: s.log,
		}
		if s.engine != nil && s.c.PollInterval == 0 {
			var unsubscribe func()
			c.Wake, unsubscribe = s.engine.Subscribe()
			s.unsubscribe = append(s.unsubscribe, unsubscribe)
		}
		mapping, err := lambda.NewMapping(c)
		if err != nil {
			return fmt.Errorf("map the stream to %s: %w", m.Function, err)
		}
		s.mappings = append(s.mappings, mapping)
	}
	return nil
}

// runMappings reads the stream until stopMappings is called.
func (s *Server) runMappings(ctx context.Context) {
	ctx, s.stopMappings = context.WithCancel(context.WithoutCancel(ctx))
	for _, mapping := range s.mappings {
		s.running.Go(func() {
			if err := mapping.Run(ctx); err != nil && ctx.Err() == nil {
				s.failed <- fmt.Errorf("the stream mapping of %s: %w", mapping.Function, err)
			}
		})
	}
}
