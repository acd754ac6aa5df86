// Package local runs a whole Streamroom in one process instead of AWS: the
// functions as they are deployed, behind stand-ins for API Gateway, Lambda,
// DynamoDB and the user pool. functions/ wires the functions and shared/topology
// lists what runs; this package has the stand-ins and ties them together.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/apigateway"
	"github.com/streamroom/streamroom/local/eventbridge"
	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/local/inprocess"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/eventsource"
)

const (
	// TableName is the name of the table.
	TableName = "streamroom-local"
	// FailuresBucket is the name of the bucket of what mappings gave up, on the table's
	// port.
	FailuresBucket = "failures"
	// AttachmentsBucket is the name of the bucket of attachments, on both ports.
	AttachmentsBucket = "attachments"
	// Stage is the WebSocket API's stage, the first segment of its path, unless
	// Config.Wrap changes it.
	Stage = "local"
)

// DefaultServices are the names of services that get tokens unless others are given.
var DefaultServices = []string{"bot"}

// Config configures a Server.
type Config struct {
	Addr         string // of everything but the table, such as 127.0.0.1:8080
	DynamoDBAddr string // of the table's wire protocol, such as 127.0.0.1:8000

	// DataDir keeps the table, the attachments, the signing key, the key of pushes, and
	// the mappings' checkpoints and failures; "" keeps all of it in memory.
	DataDir string
	// Fsync has each write reach the disk before its answer: a power cut loses none.
	Fsync bool
	// DynamoDBEndpoint is the URL of another DynamoDB to use; "" is our own, on
	// DynamoDBAddr.
	DynamoDBEndpoint string

	// Origins are those whose pages may use the HTTP API and sign in, as browsers
	// send them, such as https://chat.example.com. Those on loopback always may.
	Origins []string
	// Events has events put to a stand-in for EventBridge, which shows them at /events,
	// and writes each as a line of JSON to this writer: io.Discard if that is not wanted.
	// nil puts none. With EventContent they carry what messages say.
	Events       io.Writer
	EventContent bool

	// Push sends Web Push to users who are offline, with a key that is made and kept in
	// DataDir. Pushes reaches push services, which tests have on loopback; nil is the
	// functions' own way, which reaches the internet only.
	Push   bool
	Pushes http.RoundTripper

	// Review, unless "", is the URL that is asked about messages. With ReviewFailure
	// "allow" those that could not be reviewed are stored.
	// Reviews reaches it, as a deployment's names a Lambda function; nil is the functions' own way.
	Review, ReviewFailure string
	Reviews               http.RoundTripper

	// RetentionDays is how many days new messages are kept; 0 keeps them forever.
	RetentionDays int

	// Services are the names of those that get tokens of their own; nil is DefaultServices.
	Services []string
	// Unthrottled lifts the WebSocket API's limits of requests a second, and all limits
	// per user.
	Unthrottled bool

	LogLevel string    // see config.LogLevel
	Log      io.Writer // takes one JSON object a line; nil discards them

	// Clock is the real one if nil.
	Clock clockwork.Clock
	// Network is this machine's if nil.
	Network Network
	// PollInterval is how often the stream mappings poll an idle shard. 0 wakes
	// them at once when something is written; AWS polls 4 times a second (Lambda
	// Developer Guide, "Using AWS Lambda with Amazon DynamoDB").
	PollInterval time.Duration

	// TTLLag is how long the embedded table's items outlive their time: on AWS up to a
	// few days. ShardLife is after how long a shard of its stream is followed by another
	// one, 0 for never: on AWS about 4 h.
	TTLLag, ShardLife time.Duration
	// Shards is how many shards the stream of a new embedded table begins with. 0: four,
	// as on AWS.
	Shards int
	// Sweep is how often the embedded table removes what is past its time. 0: every second.
	Sweep time.Duration

	// State, if set, is what a server without a data folder leaves to the next one.
	State *State

	// Wrap, if set, changes what runs before it is wired: tests inject faults and
	// plant bugs, or run what a synthesized template deploys. Start calls it once,
	// with Topology for the server's URL.
	Wrap func(Deployment) Deployment
}

// Server is a running Streamroom.
type Server struct {
	c     Config
	log   zerolog.Logger
	clock clockwork.Clock

	deployed  Deployment
	ports     ports
	data      data
	pool      *identity.Pool
	bus       *eventbridge.Bus // nil: no events
	push      *pushTarget      // nil: no Web Push
	keys      *http.Client     // fetches the pool's keys, without a network
	invoker   *lambda.Invoker
	websocket *apigateway.WebSocketAPI
	api       *apigateway.HTTPAPI
	mappings  mappings

	ready  atomic.Bool
	failed chan error
}

// Start starts a Streamroom and returns when it serves. Stop ends it; the end of
// ctx does not.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.Clock == nil {
		c.Clock = clockwork.NewRealClock()
	}
	s := &Server{c: c, clock: c.Clock, failed: make(chan error, 4)}
	s.keys = &http.Client{Transport: inprocess.Client{Handler: http.HandlerFunc(s.serveIssuer)}}
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
	if err := s.ports.listen(ctx, s.c); err != nil {
		return err
	}
	if s.c.Services == nil {
		s.c.Services = DefaultServices
	}
	s.deployed = NewDeployment(s.URL(), s.c.LogLevel, s.c.Services...)
	s.deployed.Unthrottled = s.c.Unthrottled
	s.deployed.review(s.c.Review, s.c.ReviewFailure)
	if s.c.RetentionDays != 0 {
		s.deployed.retain(s.c.RetentionDays)
	}
	if s.c.Events != nil || s.c.Push {
		s.bus = eventbridge.New(s.c.Events, s.clock.Now)
		s.deployed.announce(s.c.EventContent, s.c.Events == nil)
	}
	if s.c.Push {
		if err := s.openPush(ctx); err != nil {
			return err
		}
	}
	if s.c.Wrap != nil {
		s.deployed = s.c.Wrap(s.deployed)
	}
	streamARN, err := s.openData(ctx)
	if err != nil {
		return err
	}
	if err := s.registerFunctions(); err != nil {
		return err
	}
	if err := s.openGateways(); err != nil {
		return err
	}
	if err := s.openMappings(streamARN); err != nil {
		return err
	}
	handler, err := s.handler()
	if err != nil {
		return err
	}
	s.ports.serve(s.ports.main, handler, s.failed)
	if s.data.engine != nil {
		s.ports.serve(s.ports.table, rejectDNSRebinding(s.services()), s.failed)
	}
	s.mappings.run(ctx, s.failed)
	return nil
}

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

// openData opens what is kept: the table, the user pool's key and the lobby.
func (s *Server) openData(ctx context.Context) (streamARN string, err error) {
	if !s.c.State.take(s) {
		if err := s.data.open(ctx, s.c, s.ports.table, s.clock, s.log); err != nil {
			return "", err
		}
		if s.pool, err = identity.Open(s.c.DataDir, s.URL(), s.clock.Now); err != nil {
			return "", err
		}
		s.c.State.keep(s)
	}
	s.pool.AllowOrigin, s.pool.Services = s.allowOrigin, s.c.Services
	db := awsdynamodb.NewFromConfig(s.data.aws)
	if streamARN, err = CreateTable(ctx, db, TableName); err != nil {
		return "", err
	}
	return streamARN, s.openLobby(ctx, dynamo.New(db, TableName, s.clock.Now))
}

// Failed has an error when a part of the server has ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// URL returns where everything but the table is reached.
func (s *Server) URL() string { return "http://" + dialable(s.ports.main.Addr()) }

// WebSocketURL returns where clients connect.
func (s *Server) WebSocketURL() string {
	return "ws://" + dialable(s.ports.main.Addr()) + "/" + s.deployed.Stage
}

// TableURL returns where the table's wire protocol is reached.
func (s *Server) TableURL() string {
	if s.c.DynamoDBEndpoint != "" {
		return s.c.DynamoDBEndpoint
	}
	return "http://" + dialable(s.ports.table.Addr())
}

// AWS returns the configuration by which the functions reach the table.
func (s *Server) AWS() aws.Config { return s.data.aws }

// Stop ends everything in order: no new requests, sockets closed and their
// $disconnect run, functions done, then the table. It may be called on a server
// that has started in part. Stream records that ctx cuts short are delivered
// again at the next start.
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
	s.mappings.stop()
	errs = append(errs, s.ports.stop(ctx))
	s.mappings.wait()
	s.push.stop()
	if s.invoker != nil {
		note("end the functions", s.invoker.Shutdown(ctx))
	}
	if !s.c.State.keeps() {
		errs = append(errs, s.data.close())
	}
	return errors.Join(errs...)
}

// SplitShard splits an open shard of the embedded table's stream, as DynamoDB does when a
// partition grows.
func (s *Server) SplitShard(ctx context.Context) error {
	described, err := awsdynamodb.NewFromConfig(s.data.aws).DescribeTable(ctx, &awsdynamodb.DescribeTableInput{TableName: aws.String(TableName)})
	if err != nil {
		return err
	}
	arn := aws.ToString(described.Table.LatestStreamArn)
	shards, err := eventsource.Shards(ctx, dynamodbstreams.NewFromConfig(s.data.aws), arn)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if shard.SequenceNumberRange == nil || shard.SequenceNumberRange.EndingSequenceNumber == nil {
			return s.data.engine.SplitShard(ctx, arn, aws.ToString(shard.ShardId))
		}
	}
	return errors.New("split a shard: none is open")
}
