package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
)

// Options configure an engine. The zero value is an engine in memory.
type Options struct {
	Path   string          // data file; "" keeps everything in memory
	Fsync  bool            // have each write reach the disk of a data file before its answer: a power cut loses none
	Clock  clockwork.Clock // nil: the real one
	Shards int             // open shards of a new stream, default 4
	Log    zerolog.Logger  // zero value: silent
	Sweep  time.Duration   // how often expired items are removed, default 1 s; streams are trimmed once a minute at most

	// TTLLag is how long items outlive their expiry time: 0 here, up to a few days on
	// AWS (Developer Guide, "Using time to live (TTL) in DynamoDB").
	TTLLag time.Duration
	// ShardLife is after how long an open shard of a stream is followed by another one;
	// 0: never. On AWS that is about 4 h.
	ShardLife time.Duration
}

// Engine is an open set of tables. Its methods are safe for concurrent use.
type Engine struct {
	clock  clockwork.Clock
	log    zerolog.Logger
	shards int
	lag    time.Duration
	life   time.Duration // of shards

	fileLock     *flock.Flock // nil in memory
	storage      *storage
	checkpointer *checkpointer // nil in memory
	catalog      atomic.Pointer[catalog]
	seq          atomic.Uint64 // of the newest durable stream record

	cache       expression.Cache
	pages       sync.Pool // of *[]byte, where walks gather their items
	locks       locks
	tokens      tokens
	subscribers subscribers

	jobs      chan *job
	closing   chan struct{} // closed when Close begins
	stopped   chan struct{} // closed when the writer has ended
	swept     chan struct{} // closed when the sweeper has ended
	stopSweep context.CancelFunc
	closeOnce sync.Once
	closeErr  error
}

// Open opens the data file, creating it if need be, or an engine in memory. The error
// says what is wrong with the file, and what to do: another process has it, it cannot be
// read, it is empty, damaged or another program's, or it has another format. ctx bounds the opening, not the engine's life: Close ends that.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.Shards == 0 {
		o.Shards = 4
	}
	if o.Shards < 1 || o.Shards > 1024 {
		return nil, fmt.Errorf("invalid Shards %d: want 1 to 1024", o.Shards)
	}
	if o.Sweep == 0 {
		o.Sweep = time.Second
	}
	if o.TTLLag < 0 || o.ShardLife < 0 {
		return nil, fmt.Errorf("invalid TTLLag %s or ShardLife %s: want 0 or more", o.TTLLag, o.ShardLife)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := &Engine{
		clock: o.Clock, log: o.Log, shards: o.Shards, lag: o.TTLLag, life: o.ShardLife,
		jobs: make(chan *job, maxGroup), closing: make(chan struct{}), stopped: make(chan struct{}), swept: make(chan struct{}),
	}
	if o.Path != "" {
		e.fileLock = flock.New(o.Path + lockSuffix)
		switch ok, err := e.fileLock.TryLock(); {
		case err != nil:
			return nil, fmt.Errorf("lock data file %s: %w", o.Path, err)
		case !ok:
			return nil, fmt.Errorf("data file %s is in use by another process: stop that one, or choose another folder with --data", o.Path)
		}
	}
	if err := e.load(o.Path, o.Fsync); err != nil {
		return nil, errors.Join(fmt.Errorf("open data file: %w", err), e.unlock())
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stopSweep = stop
	if o.Path != "" {
		e.checkpointer = newCheckpointer(e.storage, e.log)
		go e.checkpointer.run()
	}
	go e.runWriter()
	go e.runSweeper(sweeping, e.clock.NewTicker(o.Sweep), e.clock.Now()) // a goroutine may begin late
	return e, nil
}

func (e *Engine) load(path string, fsync bool) error {
	if path != "" {
		if err := prepareFile(path); err != nil {
			return err
		}
	}
	s, err := openStorage(path, fsync)
	if err != nil {
		return err
	}
	c, seq, err := loadCatalog(s.writer)
	if err != nil {
		return errors.Join(err, s.close())
	}
	e.storage = s
	e.catalog.Store(c)
	e.seq.Store(seq)
	return nil
}

func (e *Engine) unlock() error {
	if e.fileLock == nil {
		return nil
	}
	return e.fileLock.Unlock()
}

// Probe stores the time, and so finds out whether writes succeed.
func (e *Engine) Probe(ctx context.Context) error {
	return e.write(ctx, func(t *tx) error { return saveMeta(t.conn, metaProbe, e.clock.Now()) })
}

// Close ends the engine: running requests finish or fail, later ones fail, and the log is
// folded into the file, which others may then open.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		e.stopSweep()
		<-e.swept
		close(e.closing)
		<-e.stopped
		if e.checkpointer != nil {
			e.checkpointer.stop()
		}
		e.closeErr = errors.Join(e.storage.close(), e.unlock())
	})
	return e.closeErr
}
