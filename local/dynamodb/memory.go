package dynamodb

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite allocates each page that it holds together with some 250 bytes of its own. The
// allocator below it, libc's, rounds up to powers of two, of which 7 of 8 KiB fit into 64 KiB
// with a head, so that a page of 4 KiB takes 9.1. An engine in memory is nothing but pages. So
// what is a little larger than a page is cut from blocks here, in steps of slotStep bytes,
// and the rest is libc's as before ("Dynamic Memory Allocation In SQLite",
// sqlite.org).
//
// At c635745, among 100,000, an item with its stream record takes 866 bytes with it. Without it
// that is 1,873 in pages of 4 KiB, and 953 in pages of 64 KiB, with which a put costs 1.6 times the
// processor time. No pragma changes how pages are allocated, and SQLite's memory for pages
// (SQLITE_CONFIG_PAGECACHE) is of one size from the start.
const (
	slotsAbove = 4 << 10 // bytes
	slotsUpTo  = 9 << 10
	slotStep   = 8
	slotHead   = 8 // holds the length, where libc's own allocations have it

	firstBlock = 64 << 10 // bytes; each further one of a size is twice as large, up to mostBlock
	mostBlock  = 4 << 20
	blockHead  = 64 // what libc has before a block
)

// slots are those of one size. What is freed is used again, and returned to libc once
// nothing at all is in use, which is when the last engine of the process closes.
type slots struct {
	free  []uintptr // addresses, with the head
	block int       // bytes of the newest block
}

var memory struct {
	libc sqlite3.Tsqlite3_mem_methods // not changed once it is set

	mu     sync.Mutex
	sizes  [(slotsUpTo+slotHead+slotStep-1)/slotStep + 1]slots // by slotSteps
	blocks []uintptr                                           // addresses
	bytes  int                                                 // in blocks
	used   int                                                 // slots
}

// setUpMemory has SQLite allocate from slots. SQLite takes that before its first connection
// only: in a process where something else has opened one, pages take more memory, and
// nothing else changes.
var setUpMemory = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	const arguments = 16
	list := tls.Alloc(arguments)
	defer tls.Free(arguments)
	if rc := sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_GETMALLOC, libc.VaList(list, address(&memory.libc))); rc == sqlite3.SQLITE_MISUSE {
		return nil
	} else if rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("SQLite returned %d for its allocator", rc)
	}
	own := &ownMemory
	*own = memory.libc
	own.FxMalloc, own.FxFree, own.FxRealloc = function(allocate), function(release), function(reallocate)
	if rc := sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_MALLOC, libc.VaList(list, address(own))); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("SQLite returned %d to an allocator", rc)
	}
	return nil
})

// ownMemory is a global variable, since SQLite gets its address.
var ownMemory sqlite3.Tsqlite3_mem_methods

func address(m *sqlite3.Tsqlite3_mem_methods) uintptr { return uintptr(unsafe.Pointer(m)) } //nolint:gosec // of a global variable

// function returns what code that was translated from C calls a pointer to a
// function; called is the reverse.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) } //nolint:gosec // as the translator does it

func called[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&pointer)) } //nolint:gosec // as the translator does it

func inSlot(length int32) bool { return length > slotsAbove && length <= slotsUpTo }

// steps is how many slotSteps an allocation takes.
func steps(length int32) int { return (int(length) + slotHead + slotStep - 1) / slotStep }

func lengthOf(tls *libc.TLS, at uintptr) int32 {
	return called[func(*libc.TLS, uintptr) int32](memory.libc.FxSize)(tls, at)
}

// allocate is SQLite's xMalloc: 0 if there is no memory.
func allocate(tls *libc.TLS, length int32) uintptr {
	plain := called[func(*libc.TLS, int32) uintptr](memory.libc.FxMalloc)
	if !inSlot(length) {
		return plain(tls, length)
	}
	memory.mu.Lock()
	defer memory.mu.Unlock()
	s, size := &memory.sizes[steps(length)], steps(length)*slotStep
	if len(s.free) == 0 {
		s.block = min(max(2*s.block, firstBlock), mostBlock)
		block := plain(tls, int32(s.block-blockHead)) //nolint:gosec // a constant at most
		if block == 0 {
			return 0
		}
		n := (s.block - blockHead) / size
		memory.blocks = append(memory.blocks, block)
		memory.bytes += s.block
		for i := n - 1; i >= 0; i-- { // the first is taken first
			s.free = append(s.free, block+uintptr(i*size))
		}
	}
	last := len(s.free) - 1
	at := s.free[last]
	s.free = s.free[:last]
	memory.used++
	binary.NativeEndian.PutUint64(libc.GoBytes(at, slotHead), uint64(length)) //nolint:gosec // never negative
	return at + slotHead
}

// release is SQLite's xFree.
func release(tls *libc.TLS, at uintptr) {
	length := lengthOf(tls, at)
	if !inSlot(length) {
		called[func(*libc.TLS, uintptr)](memory.libc.FxFree)(tls, at)
		return
	}
	memory.mu.Lock()
	defer memory.mu.Unlock()
	s := &memory.sizes[steps(length)]
	s.free = append(s.free, at-slotHead)
	if memory.used--; memory.used == 0 {
		returnBlocks(tls)
	}
}

// returnBlocks returns all blocks to libc. The caller holds the lock, and no slot is in
// use.
func returnBlocks(tls *libc.TLS) {
	for _, block := range memory.blocks {
		called[func(*libc.TLS, uintptr)](memory.libc.FxFree)(tls, block)
	}
	clear(memory.sizes[:])
	memory.blocks, memory.bytes = nil, 0
}

// reallocate is SQLite's xRealloc.
func reallocate(tls *libc.TLS, at uintptr, length int32) uintptr {
	old := lengthOf(tls, at)
	if !inSlot(old) && !inSlot(length) {
		return called[func(*libc.TLS, uintptr, int32) uintptr](memory.libc.FxRealloc)(tls, at, length)
	}
	moved := allocate(tls, length)
	if moved != 0 {
		n := int(min(old, length))
		copy(libc.GoBytes(moved, n), libc.GoBytes(at, n))
		release(tls, at)
	}
	return moved
}
