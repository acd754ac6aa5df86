package lambda

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// pageCut is a size from which a page may have been cut short by its limit
// of 1 MB: what did not fit may be as large as two images of 400 KB.
const pageCut = 128 << 10

// record is a stream record that passed the filters.
type record = eventsource.Record[origin]

// attempt is an attempt to deliver records.
type attempt = eventsource.Attempt[origin]

// origin is when a record was written, and where it stands in its shard.
type origin struct {
	created  time.Time
	position *position
}

// position is a place in the shard up to which nothing is left to do once done
// is set here and on every position before.
type position struct {
	through string // the last sequence number that it covers
	done    bool
}

// shard reads one shard and deals its records out to lanes, by item.
type shard struct {
	mapping *Mapping
	config  *MappingConfig
	id      string
	wake    chan struct{}
	space   chan struct{} // signalled when a lane took a batch
	lanes   []*lane

	// Only the reader uses these.
	iterator string
	read     string // the last sequence number read, "" for none
	failures int    // in a row
	version  uint64 // before the last page that was read

	mu          sync.Mutex
	outstanding []*position // oldest first
	checkpoint  string
	closed      bool
}

// seed makes the hash that picks an item's lane.
var seed = maphash.MakeSeed()

func newShard(m *Mapping, id, after string) *shard {
	s := &shard{
		mapping:    m,
		config:     &m.config,
		id:         id,
		wake:       make(chan struct{}, 1),
		space:      make(chan struct{}, 1),
		read:       after,
		checkpoint: after,
	}
	for range m.config.Mapping.ParallelizationFactor {
		s.lanes = append(s.lanes, &lane{shard: s, config: s.config, ready: make(chan struct{}, 1)})
	}
	return s
}

// run reads until ctx ends or the shard does, and waits for the lanes. It
// returns whether the shard was processed to its end.
func (s *shard) run(ctx, invoking context.Context) bool {
	var lanes sync.WaitGroup
	for _, l := range s.lanes {
		lanes.Go(func() { l.run(ctx, invoking) })
	}
	for s.poll(ctx) {
	}
	lanes.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed || len(s.outstanding) > 0 {
		return false
	}
	s.save(invoking, Checkpoint{SequenceNumber: s.checkpoint, Finished: true})
	return true
}

// poll reads one page and waits until it is time for the next. It reports
// whether there may be one.
func (s *shard) poll(ctx context.Context) bool {
	began, version := s.config.Clock.Now(), s.mapping.version(s.id)
	more, err := s.readPage(ctx)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		return s.recoverFrom(ctx, err)
	case s.iterator == "":
		s.close()
		return false
	}
	s.failures, s.version = 0, version
	if !s.awaitSpace(ctx) {
		return false
	}
	if more {
		return true
	}
	return s.awaitPoll(ctx, began)
}

// readPage reads what follows the iterator. It reports whether the page was cut
// short, so that more can be had at once.
func (s *shard) readPage(ctx context.Context) (more bool, err error) {
	if s.iterator == "" {
		s.iterator, err = eventsource.Iterator(ctx, s.config.Streams, s.config.StreamARN, s.id, types.ShardIteratorTypeAfterSequenceNumber, s.read)
		if err != nil {
			return false, err
		}
	}
	out, err := s.config.Streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{
		ShardIterator: aws.String(s.iterator),
		Limit:         aws.Int32(eventsource.PageLimit),
	})
	if err != nil {
		return false, err
	}
	s.iterator = aws.ToString(out.NextShardIterator)
	return s.accept(ctx, out.Records), nil
}

// recoverFrom handles a failed read. It returns whether to read again.
func (s *shard) recoverFrom(ctx context.Context, err error) bool {
	var (
		expired *types.ExpiredIteratorException
		trimmed *types.TrimmedDataAccessException
		gone    *types.ResourceNotFoundException
	)
	s.failures++
	wait := eventsource.MappingBackoff.Pause(s.failures)
	event := s.config.Logger.Warn().Err(err).Str("shard", s.id).Str("after", s.read)
	switch {
	case errors.As(err, &expired):
		s.iterator = ""
		if s.failures == 1 {
			wait = 0
		}
		event.Msg("shard iterator has expired, requesting a new one")
	case errors.As(err, &trimmed):
		s.iterator, s.read = "", ""
		event.Msg("unprocessed records are gone from the stream, continuing with its oldest record")
	case errors.As(err, &gone):
		event.Msg("shard is gone from the stream, treating it as ended")
		s.close()
		return false
	default:
		event.Dur("retryIn", wait).Msg("cannot read the shard")
	}
	return sleep(ctx, s.config.Clock, wait) == nil
}

// accept filters and encodes a page and deals it out.
func (s *shard) accept(ctx context.Context, page []types.Record) (more bool) {
	now, size := s.config.Clock.Now(), int64(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range page {
		r := &page[i]
		if r.Dynamodb == nil {
			continue
		}
		size += aws.ToInt64(r.Dynamodb.SizeBytes)
		s.read = aws.ToString(r.Dynamodb.SequenceNumber)
		if !s.mapping.filters.Match(r) {
			s.skip()
			continue
		}
		text, err := eventsource.AppendRecord(nil, r, s.mapping.origin)
		if err != nil {
			s.config.Logger.Error().Err(err).Str("shard", s.id).Str("sequenceNumber", s.read).Msg("cannot encode a stream record, skipping it")
			s.skip()
			continue
		}
		p := &position{through: s.read}
		s.outstanding = append(s.outstanding, p)
		one := record{SequenceNumber: s.read, JSON: text, Data: origin{created: now, position: p}}
		if created := r.Dynamodb.ApproximateCreationDateTime; created != nil {
			one.Data.created = *created
		}
		s.lanes[s.lane(r)].add(one, now)
	}
	s.advance(ctx)
	return len(page) >= eventsource.PageLimit || size >= pageCut
}

// skip passes over the record that was just read.
func (s *shard) skip() {
	if last := len(s.outstanding) - 1; last >= 0 {
		s.outstanding[last].through = s.read
		return
	}
	s.outstanding = append(s.outstanding, &position{through: s.read, done: true})
}

// lane picks the lane of a record's item.
func (s *shard) lane(r *types.Record) uint64 {
	if len(s.lanes) == 1 {
		return 0
	}
	// Keys have at most two attributes, whose order in the map does not count.
	sum := uint64(0)
	for name, value := range r.Dynamodb.Keys {
		text, err := eventsource.AppendValue([]byte(name), value)
		if err != nil { // such a record is not encoded either
			return 0
		}
		sum += maphash.Bytes(seed, text)
	}
	return sum % uint64(len(s.lanes))
}

// finish marks records as processed, or given up.
func (s *shard) finish(ctx context.Context, records []record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		r.Data.position.done = true
	}
	s.advance(ctx)
}

// advance moves the checkpoint over everything that is done.
func (s *shard) advance(ctx context.Context) {
	n := 0
	for n < len(s.outstanding) && s.outstanding[n].done {
		s.checkpoint = s.outstanding[n].through
		s.outstanding[n] = nil
		n++
	}
	if n > 0 {
		s.outstanding = s.outstanding[n:]
		s.save(ctx, Checkpoint{SequenceNumber: s.checkpoint})
	}
}

func (s *shard) save(ctx context.Context, c Checkpoint) {
	if err := s.config.Checkpoints.Save(ctx, s.mapping.name, s.id, c); err != nil {
		s.config.Logger.Error().Err(err).Str("shard", s.id).Msg("cannot save a checkpoint; records will be delivered again after a restart")
	}
}

// close notes that nothing follows, and wakes the lanes.
func (s *shard) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, l := range s.lanes {
		signal(l.ready)
	}
}

// awaitSpace waits while a lane has a full batch pending that it has not taken,
// which bounds what is held in memory.
func (s *shard) awaitSpace(ctx context.Context) bool {
	for s.full() {
		select {
		case <-ctx.Done():
			return false
		case <-s.space:
		}
	}
	return true
}

func (s *shard) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if _, full := l.batch(); full {
			return true
		}
	}
	return false
}

// awaitPoll waits for the next poll: a wake, or the interval.
func (s *shard) awaitPoll(ctx context.Context, last time.Time) bool {
	timer := s.config.Clock.NewTimer(s.config.PollInterval - s.config.Clock.Since(last))
	defer timer.Stop()
	for woken := false; !woken; {
		select {
		case <-ctx.Done():
			return false
		case <-timer.Chan():
			return true
		case <-s.wake:
			woken = s.config.Version == nil || s.mapping.version(s.id) != s.version
		}
	}
	// A mapping that gathers for a window has no use for polls in quick succession.
	if rest := BasePollInterval - s.config.Clock.Since(last); s.config.Mapping.BatchWindow > 0 && rest > 0 {
		return sleep(ctx, s.config.Clock, rest) == nil
	}
	return true
}
