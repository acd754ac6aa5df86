package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/shared/atomicfile"
)

// checkpointDelay is how long a file of checkpoints may lag behind, and so how
// much a killed process delivers again. Each write waits for the disk, and the table may
// have to wait with it.
const checkpointDelay = time.Second

// Checkpoints keeps the checkpoints of any number of mappings, in memory or in
// a file. Its methods may be used by several goroutines at once.
type Checkpoints struct {
	path  string
	clock clockwork.Clock

	// writing is held while the file is replaced, which waits for the disk; mu is not, so
	// that no batch waits with it. To hold both, take writing first.
	writing sync.Mutex

	mu     sync.Mutex
	shards map[string]map[string]Checkpoint // by mapping and shard
	flush  clockwork.Timer                  // pending, or nil
	failed error                            // of the last flush
}

// NewMemoryCheckpoints returns a store that ends with the process.
func NewMemoryCheckpoints() *Checkpoints {
	return &Checkpoints{shards: make(map[string]map[string]Checkpoint)}
}

// OpenCheckpoints returns a store that is kept in a JSON file, which need not
// exist yet. Saves are gathered for a second and then replace the file as a
// whole. Close writes what is left.
func OpenCheckpoints(path string, clock clockwork.Clock) (*Checkpoints, error) {
	c := NewMemoryCheckpoints()
	c.path, c.clock = path, clock
	text, err := os.ReadFile(path) //nolint:gosec // the path is the caller's choice
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	if err := json.Unmarshal(text, &c.shards); err != nil {
		return nil, fmt.Errorf("read checkpoints: %s is damaged, delete it to read the stream from its start: %w", path, err)
	}
	if c.shards == nil {
		c.shards = make(map[string]map[string]Checkpoint)
	}
	return c, nil
}

// Load implements CheckpointStore.
func (c *Checkpoints) Load(_ context.Context, name string) (map[string]Checkpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	loaded := make(map[string]Checkpoint, len(c.shards[name]))
	maps.Copy(loaded, c.shards[name])
	return loaded, nil
}

// Save implements CheckpointStore. Its error is that of the write before.
func (c *Checkpoints) Save(_ context.Context, name, shardID string, checkpoint Checkpoint) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shards[name] == nil {
		c.shards[name] = make(map[string]Checkpoint)
	}
	c.shards[name][shardID] = checkpoint
	return c.changed()
}

// Forget implements CheckpointStore. Its error is that of the write before.
func (c *Checkpoints) Forget(_ context.Context, name, shardID string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.shards[name], shardID)
	return c.changed()
}

// Close writes what was not written yet.
func (c *Checkpoints) Close() error {
	c.write()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// changed makes sure that a write is pending.
func (c *Checkpoints) changed() error {
	if c.path != "" && c.flush == nil {
		c.flush = c.clock.AfterFunc(checkpointDelay, c.write)
	}
	return c.failed
}

// write replaces the file if a write is pending.
func (c *Checkpoints) write() {
	c.writing.Lock()
	defer c.writing.Unlock()
	text, err := c.take()
	if err == nil && text != nil {
		err = atomicfile.Write(c.path, text)
	}
	if err != nil {
		err = fmt.Errorf("write checkpoints: %w", err)
	}
	if text != nil || err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failed = err
	}
}

// take returns what is to be written, nil for nothing.
func (c *Checkpoints) take() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flush == nil {
		return nil, nil
	}
	c.flush.Stop()
	c.flush = nil
	return json.Marshal(c.shards)
}
