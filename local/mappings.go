package local

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/schemas"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/awsjson"
)

// mappings are the readers of the table's stream.
type mappings struct {
	all         []*lambda.Mapping
	unsubscribe []func() // from the table's engine, when they have ended
	cancel      context.CancelFunc
	running     sync.WaitGroup
}

// openMappings makes a reader of the stream for each mapping that is deployed.
func (s *Server) openMappings(streamARN string) error {
	for _, m := range s.deployed.Mappings {
		streams, err := newStreams(s.deployed.function(m.Function).aws(s.data.aws))
		if err != nil {
			return err
		}
		c := lambda.MappingConfig{
			Mapping: m, StreamARN: streamARN,
			Streams: streams, Invoker: s.invoker,
			Checkpoints: s.data.checkpoints, Failures: s.data.failures, PollInterval: s.c.PollInterval,
			Clock: s.clock, Logger: s.log,
		}
		if s.data.engine != nil && s.c.PollInterval == 0 {
			var unsubscribe func()
			c.Wake, unsubscribe = s.data.engine.Subscribe()
			c.Version = s.data.engine.Version
			s.mappings.unsubscribe = append(s.mappings.unsubscribe, unsubscribe)
		}
		mapping, err := lambda.NewMapping(c)
		if err != nil {
			return fmt.Errorf("map the stream to %s: %w", m.Function, err)
		}
		s.mappings.all = append(s.mappings.all, mapping)
	}
	return nil
}

// run reads the stream until stop. failed takes the error of a mapping that ends
// before.
func (m *mappings) run(ctx context.Context, failed chan<- error) {
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, mapping := range m.all {
		m.running.Go(func() {
			if err := mapping.Run(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("run a stream mapping: %w", err) // the error names it
			}
		})
	}
}

// stop has the mappings end; wait returns when they have.
func (m *mappings) stop() {
	if m.cancel != nil {
		m.cancel()
	}
}

func (m *mappings) wait() {
	m.running.Wait()
	for _, unsubscribe := range m.unsubscribe {
		unsubscribe()
	}
}

// streams reads a stream, pages of records without the middlewares of the SDK's client: a
// mapping reads each shard whenever something was written, and retries by itself.
type streams struct {
	*dynamodbstreams.Client

	wire *awsjson.Client
}

func newStreams(c aws.Config) (streams, error) {
	client := dynamodbstreams.NewFromConfig(c)
	options := client.Options()
	wire, err := awsjson.New(awsjson.Config{
		ServiceID: dynamodbstreams.ServiceID, SigningName: "dynamodb", Region: c.Region, Endpoint: aws.ToString(c.BaseEndpoint),
		Credentials: c.Credentials, HTTPClient: options.HTTPClient, Target: schemas.DynamoDBStreams_20120810.ID().Name,
		Protocol: options.Protocol, Types: dynamodbstreams.TypeRegistry,
	})
	return streams{client, wire}, err
}

var getRecords = smithy.NewOperationSchema(schemas.GetRecords, schemas.GetRecordsInput, schemas.GetRecordsOutput)

// GetRecords implements lambda.Streams.
func (s streams) GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	out := &dynamodbstreams.GetRecordsOutput{}
	if err := s.wire.Call(ctx, getRecords, in, out); err != nil {
		return nil, err
	}
	return out, nil
}
