package dynamodb

import (
	"context"
	"errors"

	"modernc.org/libc"
)

// Pause keeps the writer from taking up any more work until resume is called.
func (e *Engine) Pause() (resume func()) {
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = e.writeAlone(context.Background(), func(*tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	return func() {
		close(release)
		<-done
	}
}

// Synchronous is SQLite's setting of that name for writes: 1 is NORMAL, 2 is FULL.
func (e *Engine) Synchronous() (int64, error) {
	e.storage.writing.Lock()
	defer e.storage.writing.Unlock()
	return e.storage.writer.integer("PRAGMA synchronous")
}

// Locked is how many items are being written.
func (e *Engine) Locked() int {
	e.locks.mu.Lock()
	defer e.locks.mu.Unlock()
	return len(e.locks.held)
}

// FailGroup runs a statement in a group of writes and has the group fail, as a full disk
// would.
func (e *Engine) FailGroup(ctx context.Context, sql string) error {
	return e.write(ctx, func(t *tx) error {
		if err := t.exec(sql); err != nil {
			return err
		}
		t.seq += 100
		return errors.New("the disk is full")
	})
}

// CheckpointEvery sets after how many pages the log is moved to the file, and how long it
// grows. A path that is not "" is that of another file, which it is moved to instead.
func (e *Engine) CheckpointEvery(pages int, longest int64, path string) {
	e.storage.writing.Lock()
	defer e.storage.writing.Unlock()
	e.checkpointer.stop()
	k := newCheckpointer(e.storage, e.log)
	k.every, k.longest = pages, longest
	if path != "" {
		k.dsn = dataSource(path)
	}
	e.checkpointer = k
	go k.run()
}

// PanicInWriter panics in a write after it ran a statement.
func (e *Engine) PanicInWriter(ctx context.Context, sql string) error {
	return e.write(ctx, func(t *tx) error {
		if err := t.exec(sql); err != nil {
			return err
		}
		panic("a fault in the engine")
	})
}

// Pages is how many pages SQLite has, and the bytes of one.
func (e *Engine) Pages() (n, size int64, err error) {
	e.storage.writing.Lock()
	defer e.storage.writing.Unlock()
	if n, err = e.storage.writer.integer("PRAGMA page_count"); err == nil {
		size, err = e.storage.writer.integer("PRAGMA page_size")
	}
	return n, size, err
}

// MemoryInBlocks is how many bytes the blocks have that pages are cut from, and how many of
// them are in use.
func MemoryInBlocks() (all, used int64) {
	memory.mu.Lock()
	defer memory.mu.Unlock()
	used = int64(memory.bytes)
	for size, s := range memory.sizes {
		used -= int64(len(s.free) * size * slotStep)
	}
	return int64(memory.bytes), used
}

// Resized allocates as SQLite does, and reallocates to each of the lengths. It returns
// whether the bytes stayed.
func Resized(lengths ...int32) (stayed bool, err error) {
	if err := setUpMemory(); err != nil {
		return false, err
	}
	tls := libc.NewTLS()
	defer tls.Close()
	at := allocate(tls, 100)
	copy(libc.GoBytes(at, 100), "what was written")
	stayed = true
	for _, n := range lengths {
		at = reallocate(tls, at, n)
		stayed = stayed && lengthOf(tls, at) >= n && string(libc.GoBytes(at, 16)) == "what was written"
	}
	release(tls, at)
	return stayed, nil
}

// PanicTarget is the X-Amz-Target of an operation that panics.
const PanicTarget = targetTables + "Panic"

func init() {
	handlers[PanicTarget] = func(*Engine, context.Context, string) ([]byte, error) { panic("a fault in the engine") }
}
