package lambda

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/topology"
)

// How often a mapping looks, unless it is told otherwise.
const (
	// BasePollInterval is AWS's base rate: four polls a second and shard.
	BasePollInterval = 250 * time.Millisecond
	// wokenPollInterval is the safety net of a mapping that is woken.
	wokenPollInterval = 5 * time.Second
	discoverInterval  = 10 * time.Second
	// wokenDiscoverInterval limits how often waking looks for new shards. It is
	// seldom needed: a shard that splits ends, and that is noticed at once.
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

// CheckpointStore keeps how far a mapping has come. Names are the mapping's:
// its function and its stream.
type CheckpointStore interface {
	// Load returns the checkpoints under name by shard id.
	Load(ctx context.Context, name string) (map[string]Checkpoint, error)
	// Save replaces the checkpoint of one shard. It may write later: what is
	// lost by that is delivered again.
	Save(ctx context.Context, name, shardID string, c Checkpoint) error
	// Forget removes the checkpoint of a shard that the stream has dropped.
	Forget(ctx context.Context, name, shardID string) error
}

// Destination takes the records of failed batches; *Queue satisfies it.
type Destination interface {
	Send(ctx context.Context, f Failure) error
}

// Checkpoint is how far a shard has been processed.
type Checkpoint struct {
	SequenceNumber string `json:"sequenceNumber,omitempty"` // the last one processed, "" for none
	Finished       bool   `json:"finished,omitempty"`       // the shard is closed and processed to its end
}

// MappingConfig says what a mapping reads and what it invokes. Everything but
// Wake and PollInterval is needed.
type MappingConfig struct {
	topology.StreamMapping
	StreamARN   string
	Streams     Streams
	Invoker     FunctionInvoker
	Checkpoints CheckpointStore
	Failures    Destination

	// Wake makes the mapping poll at once, for whoever can tell that records
	// were written. It needs room for one token, and is this mapping's alone. A mapping with a batch window takes that as a hint, and
	// still polls no more often than BasePollInterval.
	Wake <-chan struct{}
	// PollInterval is the time between two polls of an idle shard. 0 means
	// BasePollInterval without Wake, and a safety net of seconds with it.
	PollInterval time.Duration

	Clock  clockwork.Clock
	Logger zerolog.Logger // gets shard ids, counts and positions, never items
}

// Mapping is an event source mapping from a DynamoDB stream to a function.
type Mapping struct {
	MappingConfig
	name    string // in the checkpoint store
	region  string
	filters []Filter
	maxAge  time.Duration

	mu       sync.Mutex
	active   map[string]*shard // by shard id, those that are being read
	disabled bool              // by SetEnabled
	reading  bool
	stop     context.CancelFunc // ends the reading
	switched chan struct{}      // signalled when the mapping was switched
}

// NewMapping checks the configuration as AWS does at creation, and that its
// filters use nothing that ParseFilter does not know.
func NewMapping(c MappingConfig) (*Mapping, error) {
	m := &Mapping{MappingConfig: c, active: make(map[string]*shard), switched: make(chan struct{}, 1)}
	fail := func(format string, args ...any) (*Mapping, error) {
		return nil, fmt.Errorf("stream mapping to %q: "+format, append([]any{c.Function}, args...)...)
	}
	arn := strings.Split(c.StreamARN, ":")
	switch {
	case c.Function == "":
		return fail("it needs a function")
	case c.Streams == nil || c.Invoker == nil || c.Checkpoints == nil || c.Failures == nil || c.Clock == nil:
		return fail("it needs Streams, Invoker, Checkpoints, Failures and Clock")
	case len(arn) < 6 || arn[0] != "arn":
		return fail("stream ARN %q must look like arn:aws:dynamodb:region:account:table/…/stream/…", c.StreamARN)
	case c.BatchSize < 1 || c.BatchSize > 10_000:
		return fail("batch size must be 1 to 10000, not %d", c.BatchSize)
	case c.BatchWindow < 0 || c.BatchWindow > 300*time.Second:
		return fail("batch window must be 0 to 300 s, not %s", c.BatchWindow)
	case c.ParallelizationFactor < 1 || c.ParallelizationFactor > 10:
		return fail("parallelization factor must be 1 to 10, not %d", c.ParallelizationFactor)
	case c.MaximumRetryAttempts < -1 || c.MaximumRetryAttempts > 10_000:
		return fail("maximum retry attempts must be -1 (no limit) to 10000, not %d", c.MaximumRetryAttempts)
	case c.MaximumRecordAge != 0 && (c.MaximumRecordAge < time.Minute || c.MaximumRecordAge > 7*retention):
		return fail("maximum record age must be 0 (no limit) or one minute to seven days, not %s", c.MaximumRecordAge)
	case c.PollInterval < 0:
		return fail("poll interval must not be negative")
	case len(c.Filters) > topology.MaxFilters:
		return fail("it has %d filters, and AWS allows %d", len(c.Filters), topology.MaxFilters)
	}
	for _, pattern := range c.Filters {
		filter, err := ParseFilter(pattern.JSON())
		if err != nil {
			return fail("%w", err)
		}
		m.filters = append(m.filters, filter)
	}
	m.name = c.Function + " " + c.StreamARN
	m.region = arn[3]
	m.maxAge = retention
	if c.MaximumRecordAge > 0 {
		m.maxAge = min(c.MaximumRecordAge, retention)
	}
	if m.PollInterval == 0 {
		m.PollInterval = BasePollInterval
		if c.Wake != nil {
			m.PollInterval = wokenPollInterval
		}
	}
	m.Logger = c.Logger.With().Str("mapping", c.Function).Logger()
	return m, nil
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

// begin says whether the mapping is enabled, and is read from now on if so.
func (m *Mapping) begin(stop context.CancelFunc) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop, m.reading = stop, !m.disabled
	return m.reading
}

// read is Run for as long as the mapping is enabled.
func (m *Mapping) read(ctx context.Context) error {
	checkpoints, err := m.Checkpoints.Load(ctx, m.name)
	if err != nil {
		return fmt.Errorf("load checkpoints of the mapping to %s: %w", m.Function, err)
	}
	m.mu.Lock()
	clear(m.active)
	m.mu.Unlock()
	// Invocations outlast ctx, within limits.
	invoking, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	defer context.AfterFunc(ctx, func() {
		timer := m.Clock.AfterFunc(drainTimeout, abandon)
		context.AfterFunc(invoking, func() { timer.Stop() })
	})()

	var work sync.WaitGroup
	defer work.Wait()
	woken := make(chan struct{}, 1)
	if m.Wake != nil {
		work.Go(func() { m.passOnWakes(ctx, woken) })
	}
	ended := make(chan string)
	failures := 0
	for ctx.Err() == nil {
		shards, err := m.describe(ctx)
		next := discoverInterval
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			next = backoff(failures)
			m.Logger.Warn().Err(err).Dur("retryIn", next).Msg("cannot describe the stream")
		default:
			failures = 0
			m.forget(ctx, shards, checkpoints)
			for _, s := range ready(shards, checkpoints) {
				m.start(ctx, invoking, &work, s, checkpoints[s], ended)
			}
		}
		if id := m.awaitDiscovery(ctx, next, woken, ended); id != "" {
			checkpoints[id] = Checkpoint{Finished: true} // its children may start
			m.mu.Lock()
			delete(m.active, id)
			m.mu.Unlock()
		}
	}
	return nil
}

// awaitDiscovery returns when it is time to look for shards again, with the id
// of a shard if that is because it ended.
func (m *Mapping) awaitDiscovery(ctx context.Context, next time.Duration, woken <-chan struct{}, ended <-chan string) string {
	began := m.Clock.Now()
	timer := m.Clock.NewTimer(next)
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
			if next > wokenDiscoverInterval {
				next = wokenDiscoverInterval
				timer.Stop()
				timer = m.Clock.NewTimer(next - m.Clock.Since(began))
			}
		}
	}
}

// passOnWakes tells every shard, and the discovery of shards, of a wake.
func (m *Mapping) passOnWakes(ctx context.Context, woken chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-m.Wake:
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

// start reads a shard in the background unless that is being done. The shard's
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

// describe lists all shards of the stream.
func (m *Mapping) describe(ctx context.Context) ([]types.Shard, error) {
	var shards []types.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: aws.String(m.StreamARN)}
	for {
		out, err := m.Streams.DescribeStream(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("describe stream: %w", err)
		}
		if out.StreamDescription == nil {
			return nil, errors.New("describe stream: the answer has no description")
		}
		shards = append(shards, out.StreamDescription.Shards...)
		in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId
		if in.ExclusiveStartShardId == nil {
			return shards, nil
		}
	}
}

// ready lists the shards that may be read: those that are not finished, and
// whose parent is, or is gone from the stream.
func ready(shards []types.Shard, checkpoints map[string]Checkpoint) []string {
	var ids []string
	for _, s := range shards {
		id, parent := aws.ToString(s.ShardId), aws.ToString(s.ParentShardId)
		waits := !checkpoints[parent].Finished && listed(shards, parent)
		if !waits && !checkpoints[id].Finished {
			ids = append(ids, id)
		}
	}
	return ids
}

func listed(shards []types.Shard, id string) bool {
	return slices.ContainsFunc(shards, func(s types.Shard) bool { return aws.ToString(s.ShardId) == id })
}

// forget drops the checkpoints of shards that are gone.
func (m *Mapping) forget(ctx context.Context, shards []types.Shard, checkpoints map[string]Checkpoint) {
	for id := range checkpoints {
		if listed(shards, id) {
			continue
		}
		delete(checkpoints, id)
		if err := m.Checkpoints.Forget(ctx, m.name, id); err != nil {
			m.Logger.Warn().Err(err).Str("shard", id).Msg("cannot forget the checkpoint of a shard that is gone")
		}
	}
}

// matches reports whether a record passes one of the filters, or there are none.
func (m *Mapping) matches(r *types.Record) bool {
	return len(m.filters) == 0 || slices.ContainsFunc(m.filters, func(f Filter) bool { return f.Match(r) })
}

// backoff is how long to wait after a number of failures in a row: half a
// second doubling up to a minute, with a quarter of jitter either way.
func backoff(failures int) time.Duration {
	const first, limit = 500 * time.Millisecond, time.Minute
	d := limit
	if failures < 8 {
		d = min(first<<(failures-1), limit)
	}
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2)) //nolint:gosec // jitter is no secret
}

// signal makes the one waiter on a channel of capacity 1 look again.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits on clock and reports whether ctx still lives.
func sleep(ctx context.Context, clock clockwork.Clock, d time.Duration) bool {
	timer := clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.Chan():
		return true
	}
}
