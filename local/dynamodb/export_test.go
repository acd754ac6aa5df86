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
		k.path = path
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

// Heap allocates as SQLite does. One belongs to one goroutine.
type Heap struct{ tls *libc.TLS }

// NewHeap returns a heap, which is to be closed.
func NewHeap() (Heap, error) { return Heap{libc.NewTLS()}, setUpMemory() }

// Close frees nothing that was allocated.
func (h Heap) Close() { h.tls.Close() }

// Allocate returns an address, 0 if there is no memory.
func (h Heap) Allocate(length int) uintptr { return allocate(h.tls, int32(length)) }

// Reallocate returns where the bytes are from then on, 0 if there is no memory.
func (h Heap) Reallocate(at uintptr, length int) uintptr { return reallocate(h.tls, at, int32(length)) }

// Release frees what was allocated.
func (h Heap) Release(at uintptr) { release(h.tls, at) }

// Length is what SQLite takes an allocation to have.
func (h Heap) Length(at uintptr) int { return int(lengthOf(h.tls, at)) }

// Bytes are those at an address.
func (h Heap) Bytes(at uintptr, length int) []byte { return libc.GoBytes(at, length) }

// Starve has libc give no memory until the function that it returns is called.
func Starve() (end func()) {
	had := memory.libc.FxMalloc
	memory.libc.FxMalloc = function(nothing)
	return func() { memory.libc.FxMalloc = had }
}

func nothing(*libc.TLS, int32) uintptr { return 0 }

// PanicTarget is the X-Amz-Target of an operation that panics.
const PanicTarget = targetTables + "Panic"

func init() {
	handlers[PanicTarget] = func(*Engine, context.Context, string) ([]byte, error) { panic("a fault in the engine") }
}
