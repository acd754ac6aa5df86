package lambda

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/topology"
)

// How often a mapping polls.
const (
	// BasePollInterval is AWS's base rate: four polls a second and shard.
	BasePollInterval = 250 * time.Millisecond
	discoverInterval = 10 * time.Second
	// wokenInterval is the safety net of a mapping that is woken, for both. What it
	// costs is all that an idle Streamroom does on a laptop.
	wokenInterval = time.Minute
	// wokenDiscoverInterval limits how often a wake discovers shards. That is
	// seldom needed: a shard that splits ends, and its end is noticed at once.
	wokenDiscoverInterval = time.Second
)

// retention is how long a stream keeps its records.
const retention = 24 * time.Hour

// drainTimeout is how long Run waits for running invocations when it ends.
const drainTimeout = 5 * time.Second

// Streams is what a mapping needs of a DynamoDB Streams client. The SDK's
// client satisfies it.
type Streams interface {
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// FunctionInvoker is what a mapping needs of Lambda; *Invoker satisfies it. An
// error means that the function was not reached: that is retried until the
// records expire, and counts as no attempt.
type FunctionInvoker interface {
	Invoke(ctx context.Context, name string, payload []byte) (Result, error)
}

// CheckpointStore keeps the checkpoints of mappings, each under a name made of
// its function and its stream.
type CheckpointStore interface {
	// Load returns the checkpoints under name by shard id.
	Load(ctx context.Context, name string) (map[string]Checkpoint, error)
	// Save replaces the checkpoint of one shard. It may write later: what is
	// lost by that is delivered again.
	Save(ctx context.Context, name, shardID string, c Checkpoint) error
	// Forget removes the checkpoint of a shard that is gone from the stream.
	Forget(ctx context.Context, name, shardID string) error
}

// Destination takes the on-failure records of batches that were given up; *Bucket
// satisfies it.
type Destination interface {
	Send(ctx context.Context, f eventsource.Failure) error
}

// Checkpoint marks the processed part of a shard.
type Checkpoint struct {
	SequenceNumber string `json:"sequenceNumber,omitempty"` // the last one processed, "" for none
	Finished       bool   `json:"finished,omitempty"`       // the shard is closed and processed to its end
}

// MappingConfig configures a mapping. Wake and PollInterval are optional.
type MappingConfig struct {
	Mapping     topology.StreamMapping
	StreamARN   string
	Streams     Streams
	Invoker     FunctionInvoker
	Checkpoints CheckpointStore
	Failures    Destination

	// Wake makes the mapping poll at once: its sender knows that records were
	// written. It needs room for one token, and is this mapping's alone. A
	// mapping with a batch window still polls no more often than BasePollInterval.
	Wake <-chan struct{}
	// Version, if set, is a number that changes with each record of a shard, before the
	// wake, and with each change of the stream's shards, which are all that "" has. What
	// has not changed is not asked for at a wake.
	Version func(shardID string) uint64
	// PollInterval is the time between two polls of an idle shard. 0 means
	// BasePollInterval without Wake, and a safety net of seconds with it.
	PollInterval time.Duration

	Clock  clockwork.Clock
	Logger zerolog.Logger // gets shard ids, counts and positions, never items
}

// Mapping is an event source mapping from a DynamoDB stream to a function.
type Mapping struct {
	config  MappingConfig
	name    string // in the checkpoint store
	origin  eventsource.Origin
	filters eventsource.Filters
	maxAge  time.Duration

	mu       sync.Mutex
	active   map[string]*shard // by shard id, those that are being read
	disabled bool              // by SetEnabled
	reading  bool
	stop     context.CancelFunc // ends the reading
	switched chan struct{}      // signalled when the mapping was switched
}

// NewMapping checks the configuration as AWS does at creation
// (API_CreateEventSourceMapping), and that its filters use nothing that
// eventsource.ParseFilter does not know.
func NewMapping(c MappingConfig) (*Mapping, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("stream mapping to %q: %w", c.Mapping.Function, err)
	}
	filters, err := eventsource.ParseFilters(c.Mapping.Filters)
	if err != nil {
		return nil, fmt.Errorf("stream mapping to %q: %w", c.Mapping.Function, err)
	}
	m := &Mapping{
		config:   c,
		name:     mappingName(c.Mapping.Function, c.StreamARN),
		origin:   eventsource.Origin{Source: eventsource.DynamoDB, ARN: c.StreamARN, Region: strings.Split(c.StreamARN, ":")[3]},
		filters:  filters,
		maxAge:   retention,
		active:   make(map[string]*shard),
		switched: make(chan struct{}, 1),
	}
	if age := c.Mapping.MaximumRecordAge; age > 0 {
		m.maxAge = min(age, retention)
	}
	if m.config.PollInterval == 0 {
		m.config.PollInterval = BasePollInterval
		if c.Wake != nil {
			m.config.PollInterval = wokenInterval
		}
	}
	m.config.Logger = c.Logger.With().Str("mapping", c.Mapping.Function).Logger()
	return m, nil
}

// validate checks everything but the filters' language.
func (c *MappingConfig) validate() error {
	m, arn := c.Mapping, strings.Split(c.StreamARN, ":")
	switch {
	case m.Function == "":
		return errors.New("want a function")
	case c.Streams == nil || c.Invoker == nil || c.Checkpoints == nil || c.Failures == nil || c.Clock == nil:
		return errors.New("want Streams, Invoker, Checkpoints, Failures and Clock")
	case len(arn) < 6 || arn[0] != "arn":
		return fmt.Errorf("invalid stream ARN %q: want arn:aws:dynamodb:region:account:table/…/stream/…", c.StreamARN)
	case m.BatchSize < 1 || m.BatchSize > 10_000:
		return fmt.Errorf("invalid batch size: want 1 to 10000, got %d", m.BatchSize)
	case m.BatchWindow < 0 || m.BatchWindow > 300*time.Second:
		return fmt.Errorf("invalid batch window: want 0 to 300 s, got %s", m.BatchWindow)
	case m.ParallelizationFactor < 1 || m.ParallelizationFactor > 10:
		return fmt.Errorf("invalid parallelization factor: want 1 to 10, got %d", m.ParallelizationFactor)
	case m.MaximumRetryAttempts < -1 || m.MaximumRetryAttempts > 10_000:
		return fmt.Errorf("invalid maximum retry attempts: want -1 (no limit) to 10000, got %d", m.MaximumRetryAttempts)
	case m.MaximumRecordAge != 0 && (m.MaximumRecordAge < time.Minute || m.MaximumRecordAge > 7*retention):
		return fmt.Errorf("invalid maximum record age: want 0 (no limit) or one minute to seven days, got %s", m.MaximumRecordAge)
	case c.PollInterval < 0:
		return fmt.Errorf("invalid poll interval: want 0 or more, got %s", c.PollInterval)
	case len(m.Filters) > topology.MaxFilters:
		return fmt.Errorf("invalid filters: want at most %d, got %d", topology.MaxFilters, len(m.Filters))
	}
	return nil
}

// Run reads the stream until ctx ends, while the mapping is enabled. Then it lets
// running invocations end, for a few seconds, and abandons the rest: what was not
// checkpointed is delivered again by the next Run. The only error is that of
// loading the checkpoints. Run must not be called twice at a time.
func (m *Mapping) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		reading, stop := context.WithCancel(ctx)
		if !m.begin(stop) {
			stop()
			select {
			case <-m.switched:
			case <-ctx.Done():
			}
			continue
		}
		err := m.read(reading)
		stop()
		m.mu.Lock()
		m.reading = false
		m.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// begin starts reading if the mapping is enabled, and returns whether it is.
func (m *Mapping) begin(stop context.CancelFunc) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop, m.reading = stop, !m.disabled
	return m.reading
}

// read is Run for as long as the mapping is enabled.
func (m *Mapping) read(ctx context.Context) error {
	checkpoints, err := m.config.Checkpoints.Load(ctx, m.name)
	if err != nil {
		return fmt.Errorf("load checkpoints of the mapping to %s: %w", m.config.Mapping.Function, err)
	}
	m.mu.Lock()
	clear(m.active)
	m.mu.Unlock()
	// Invocations outlast ctx, within limits.
	invoking, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	defer context.AfterFunc(ctx, func() {
		timer := m.config.Clock.AfterFunc(drainTimeout, abandon)
		context.AfterFunc(invoking, func() { timer.Stop() })
	})()

	var work sync.WaitGroup
	defer work.Wait()
	woken := make(chan struct{}, 1)
	if m.config.Wake != nil {
		work.Go(func() { m.forwardWakes(ctx, woken) })
	}
	ended := make(chan string)
	failures := 0
	for ctx.Err() == nil {
		version := m.version("")
		shards, err := eventsource.Shards(ctx, m.config.Streams, m.config.StreamARN)
		next := discoverInterval
		if m.config.Wake != nil {
			next = wokenInterval
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			next = eventsource.MappingBackoff.Pause(failures)
			m.config.Logger.Warn().Err(err).Dur("retryIn", next).Msg("cannot describe the stream")
		default:
			failures = 0
			m.forget(ctx, shards, checkpoints)
			for _, id := range eventsource.ReadyShards(shards, func(id string) bool { return checkpoints[id].Finished }) {
				m.start(ctx, invoking, &work, id, checkpoints[id], ended)
			}
		}
		if id := m.awaitDiscovery(ctx, next, version, woken, ended); id != "" {
			checkpoints[id] = Checkpoint{Finished: true} // its children may start
			m.mu.Lock()
			delete(m.active, id)
			m.mu.Unlock()
		}
	}
	return nil
}

// awaitDiscovery returns when it is time to list the shards again, with the id
// of a shard if that is because it ended.
func (m *Mapping) awaitDiscovery(ctx context.Context, next time.Duration, version uint64, woken <-chan struct{}, ended <-chan string) string {
	began := m.config.Clock.Now()
	timer := m.config.Clock.NewTimer(next)
	defer func() { timer.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-timer.Chan():
			return ""
		case id := <-ended:
			return id
		case <-woken:
			if next > wokenDiscoverInterval && (m.config.Version == nil || m.version("") != version) {
				next = wokenDiscoverInterval
				timer.Stop()
				timer = m.config.Clock.NewTimer(next - m.config.Clock.Since(began))
			}
		}
	}
}

// version is the config's of a shard; 0 if there is none.
func (m *Mapping) version(shardID string) uint64 {
	if m.config.Version == nil {
		return 0
	}
	return m.config.Version(shardID)
}

// forwardWakes signals every shard, and the discovery of shards, on a wake.
func (m *Mapping) forwardWakes(ctx context.Context, woken chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-m.config.Wake:
			if !ok {
				return
			}
		}
		m.mu.Lock()
		for _, s := range m.active {
			signal(s.wake)
		}
		m.mu.Unlock()
		signal(woken)
	}
}

// start reads a shard in the background unless it is being read. The shard's
// id is sent to ended when it was processed to its end.
func (m *Mapping) start(ctx, invoking context.Context, work *sync.WaitGroup, id string, c Checkpoint, ended chan<- string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.active[id] != nil {
		return
	}
	s := newShard(m, id, c.SequenceNumber)
	m.active[id] = s
	work.Go(func() {
		if s.run(ctx, invoking) {
			select {
			case ended <- id:
			case <-ctx.Done():
			}
		}
	})
}

// forget drops the checkpoints of shards that are gone.
func (m *Mapping) forget(ctx context.Context, shards []types.Shard, checkpoints map[string]Checkpoint) {
	for id := range checkpoints {
		if eventsource.Listed(shards, id) {
			continue
		}
		delete(checkpoints, id)
		if err := m.config.Checkpoints.Forget(ctx, m.name, id); err != nil {
			m.config.Logger.Warn().Err(err).Str("shard", id).Msg("cannot forget the checkpoint of a shard that is gone")
		}
	}
}

// signal wakes the one waiter on a channel of capacity 1.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits on clock, or returns ctx's error.
func sleep(ctx context.Context, clock clockwork.Clock, d time.Duration) error {
	timer := clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.Chan():
		return nil
	}
}
