// Package local runs the whole of Streamroom in one process instead of AWS: the
// functions as they are deployed, behind stand-ins for API Gateway, Lambda,
// DynamoDB and the user pool. What is a function's wiring is in functions/, what
// runs at all is in shared/topology; here are only the stand-ins and how they
// are tied together.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/apigateway"
	"github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/dynamo"
)

const (
	// TableName is the table's name here.
	TableName = "streamroom-local"
	// Stage is the WebSocket API's stage, the first segment of its path, unless
	// Config.Deploy says else.
	Stage = "local"
	// region is what requests are signed for; nothing checks it.
	region = "us-east-1"
)

// Config says where to listen and where to keep data.
type Config struct {
	Addr         string // of everything but the table, such as 127.0.0.1:8080
	DynamoDBAddr string // of the table's wire protocol, such as 127.0.0.1:8000

	// DataDir keeps the table, the signing key and the mappings' checkpoints;
	// "" keeps all of it in memory.
	DataDir string
	// DynamoDBEndpoint is the URL of another DynamoDB to use; "" is our own, on
	// DynamoDBAddr.
	DynamoDBEndpoint string

	LogLevel string    // see config.LogLevel
	Log      io.Writer // takes one JSON object a line

	// Clock is the real one if nil.
	Clock clockwork.Clock
	// PollInterval is how often the stream mappings poll an idle shard. 0 wakes
	// them at once when something is written; AWS polls every 250 ms.
	PollInterval time.Duration
	// Unthrottled lifts API Gateway's limits of requests a second, for measuring.
	Unthrottled bool
	// DropDisconnect, if set, loses the $disconnect of a connection by answering
	// true, as API Gateway may.
	DropDisconnect func(connectionID string) bool

	// Deploy says what runs; nil is the list in shared/topology. It is called
	// once, when the URL of everything but the table is known.
	Deploy func(url string) (Deployment, error)
	// Wear, if set, changes each function before it is wired: a test dresses them
	// in faults.
	Wear func(Function) Function
}

// Server is a running Streamroom.
type Server struct {
	c     Config
	log   zerolog.Logger
	clock clockwork.Clock

	deployed                Deployment
	listener, tableListener net.Listener
	servers                 []*http.Server
	engine                  *dynamodb.Engine // nil with another DynamoDB
	aws                     aws.Config
	pool                    *identity.Pool
	keys                    *http.Client // fetches the pool's keys, as from an issuer elsewhere
	invoker                 *lambda.Invoker
	websocket               *apigateway.WebSocketAPI
	api                     *apigateway.HTTPAPI
	checkpoints             *lambda.Checkpoints
	failures                *lambda.Queue
	mappings                []*lambda.Mapping
	unsubscribe             []func() // from the engine, when the mappings have ended
	stopMappings            context.CancelFunc
	running                 sync.WaitGroup
	ready                   atomic.Bool
	failed                  chan error
}

// Start brings everything up and returns when it serves. Stop ends it.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.Clock == nil {
		c.Clock = clockwork.NewRealClock()
	}
	s := &Server{
		c: c, clock: c.Clock, failed: make(chan error, 4),
		keys: &http.Client{Transport: &http.Transport{}},
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	s.ready.Store(true)
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.openLog(); err != nil {
		return err
	}
	// The ports first: when one is busy, nothing else has been touched.
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.deploy(); err != nil {
		return err
	}
	if err := s.openData(ctx); err != nil {
		return err
	}
	db := awsdynamodb.NewFromConfig(s.aws)
	streamARN, err := createTable(ctx, db)
	if err != nil {
		return err
	}
	store := dynamo.New(db, TableName, s.clock.Now)
	if err := s.openLobby(ctx, store); err != nil {
		return err
	}
	if err := s.registerFunctions(); err != nil {
		return err
	}
	if err := s.openGateways(); err != nil {
		return err
	}
	handler, err := s.handler()
	if err != nil {
		return err
	}
	if err := s.openMappings(streamARN); err != nil {
		return err
	}
	s.serve(s.listener, handler)
	if s.engine != nil {
		s.serve(s.tableListener, notRebound(s.services()))
	}
	s.runMappings(ctx)
	return nil
}

// listen takes both ports.
func (s *Server) listen(ctx context.Context) error {
	var err error
	if s.listener, err = listen(ctx, s.c.Addr, "--addr"); err != nil {
		return err
	}
	if s.c.DynamoDBEndpoint != "" {
		return nil
	}
	s.tableListener, err = listen(ctx, s.c.DynamoDBAddr, "--dynamodb-addr")
	return err
}

func listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program; stop it, or choose another address with %s", addr, flag)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s, see %s: %w", addr, flag, err)
	}
	return listener, nil
}

// openData opens the data folder and the table's engine in it.
func (s *Server) openData(ctx context.Context) error {
	if s.c.DataDir != "" {
		if err := os.MkdirAll(s.c.DataDir, 0o700); err != nil {
			return fmt.Errorf("cannot use the data folder, see --data: %w", err)
		}
	}
	s.aws = aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
	if s.c.DynamoDBEndpoint != "" {
		s.aws.BaseEndpoint = aws.String(s.c.DynamoDBEndpoint)
	} else {
		engine, err := dynamodb.Open(ctx, dynamodb.Options{Path: s.path("table.db"), Clock: s.clock, Log: s.log})
		if err != nil {
			return fmt.Errorf("cannot open the table: %w", err)
		}
		s.engine = engine
		s.aws.BaseEndpoint = aws.String("http://" + s.tableListener.Addr().String())
		s.aws.HTTPClient = engine
	}
	var err error
	if s.pool, err = identity.Open(s.c.DataDir, s.URL(), s.clock.Now); err != nil {
		return err
	}
	if s.c.DataDir == "" {
		s.checkpoints = lambda.NewMemoryCheckpoints()
	} else if s.checkpoints, err = lambda.OpenCheckpoints(s.path("checkpoints.json"), s.clock); err != nil {
		return err
	}
	s.failures, err = lambda.OpenQueue(s.path("failures.jsonl"))
	return err
}

// path is a file in the data folder; "" without one.
func (s *Server) path(name string) string {
	if s.c.DataDir == "" {
		return ""
	}
	return filepath.Join(s.c.DataDir, name)
}

// How long a client may take for a request's headers and for all of it, how long
// it may keep a connection without one, and how long a request may go on when
// the server stops.
const (
	headerTimeout  = 10 * time.Second
	requestTimeout = time.Minute
	idleTimeout    = 5 * time.Minute
	requestGrace   = 2 * time.Second
)

func (s *Server) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, IdleTimeout: idleTimeout,
	}
	s.servers = append(s.servers, server)
	s.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	})
}

// end lets a server's requests end, within requestGrace: what is left then are
// clients that don't send or read.
func end(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, requestGrace)
	defer cancel()
	if err := server.Shutdown(ctx); ctx.Err() == nil {
		return err
	}
	return server.Close()
}

// Failed has an error when a part of the server has ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// URL is where everything but the table is reached.
func (s *Server) URL() string { return "http://" + dialable(s.listener.Addr()) }

// WebSocketURL is where clients connect.
func (s *Server) WebSocketURL() string {
	return "ws://" + dialable(s.listener.Addr()) + "/" + s.deployed.Stage
}

// TableURL is where the table's wire protocol is reached.
func (s *Server) TableURL() string {
	if s.c.DynamoDBEndpoint != "" {
		return s.c.DynamoDBEndpoint
	}
	return "http://" + dialable(s.tableListener.Addr())
}

// AWS is how the functions reach the table.
func (s *Server) AWS() aws.Config { return s.aws }

// dialable is an address that a client on this machine can dial: a server that
// listens on every address is reached on loopback.
func dialable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

// Stop ends everything in order: no new requests, sockets closed and their
// $disconnect run, functions done, then the table. It may be called on a server
// that came up in part. What ctx cuts short is delivered again at the next start.
func (s *Server) Stop(ctx context.Context) error {
	s.ready.Store(false)
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	if s.websocket != nil {
		note("close the sockets", s.websocket.Shutdown(ctx))
		note("end the HTTP API", s.api.Shutdown(ctx))
	}
	if s.stopMappings != nil {
		s.stopMappings()
	}
	for _, server := range s.servers {
		note("end the server", end(ctx, server))
	}
	if s.servers == nil { // nothing serves the listeners yet
		for _, listener := range []net.Listener{s.listener, s.tableListener} {
			if listener != nil {
				note("close the listener", listener.Close())
			}
		}
	}
	s.running.Wait()
	for _, unsubscribe := range s.unsubscribe {
		unsubscribe()
	}
	s.keys.CloseIdleConnections()
	if s.invoker != nil {
		note("end the functions", s.invoker.Shutdown(ctx))
	}
	if s.checkpoints != nil {
		note("save the checkpoints", s.checkpoints.Close())
	}
	if s.engine != nil {
		note("close the table", s.engine.Close())
	}
	return errors.Join(errs...)
}
