package dynamodb_test

import (
	"bytes"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// Pages take a tenth more memory than they have bytes, at most.
func TestMemoryOfPages(t *testing.T) {
	f := start(t, dynamodb.Options{})
	_, before := dynamodb.MemoryInBlocks()
	pagesBefore, size, err := f.engine.Pages()
	if err != nil {
		t.Fatal(err)
	}
	f.fill(t, 0, 5_000)
	pages, _, err := f.engine.Pages()
	if err != nil {
		t.Fatal(err)
	}
	_, after := dynamodb.MemoryInBlocks()
	if bytes := (pages - pagesBefore) * size; bytes == 0 || after-before < bytes || after-before > bytes+bytes/10 {
		t.Errorf("%d bytes of pages take %d bytes", bytes, after-before)
	}
}

// An item of 285 bytes and its stream record take 2.4 times its own bytes in pages, at most. What
// SQLite notes for each page comes on top, see BenchmarkMemory.
func TestPagesOfItems(t *testing.T) {
	const items = 20_000
	f := start(t, dynamodb.Options{})
	own := 0
	for name, v := range message(items / 2) {
		own += len(name) + len(text(v))
	}
	f.fill(t, 0, items)
	pages, size, err := f.engine.Pages()
	if err != nil {
		t.Fatal(err)
	}
	if took := float64(pages*size) / float64(own*items); took > 2.4 {
		t.Errorf("items of %d bytes take %.2f times as much", own, took)
	}
}

func TestMemoryOfPages_IsReturnedByTheLastClose(t *testing.T) {
	var engines [2]*dynamodb.Engine
	for i := range engines {
		f := start(t, dynamodb.Options{})
		f.fill(t, 0, 1_000)
		engines[i] = f.engine
	}
	for _, e := range engines {
		if all, _ := dynamodb.MemoryInBlocks(); all == 0 {
			t.Error("an engine has no memory")
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if all, used := dynamodb.MemoryInBlocks(); all != 0 {
		t.Errorf("%d bytes in blocks, %d of them in use, with all engines closed", all, used)
	}
}

// allocations are those of one goroutine, with what was written into each.
type allocations struct {
	dynamodb.Heap

	at    []uintptr
	bytes [][]byte
	mark  byte
}

// fill writes to all bytes of an allocation from one of them on.
func (a *allocations) fill(i, from int) {
	a.mark++
	for n := from; n < len(a.bytes[i]); n++ {
		a.bytes[i][n] = a.mark + byte(n)
	}
	copy(a.Bytes(a.at[i], len(a.bytes[i])), a.bytes[i])
}

// step carries out one of SQLite's calls with a length of up to 20,000 bytes.
func (a *allocations) step(call, which, length int) {
	i := 0
	if len(a.at) > 0 {
		i = which % len(a.at)
	}
	switch {
	case call%3 == 0 || len(a.at) == 0:
		a.at, a.bytes = append(a.at, a.Allocate(length)), append(a.bytes, make([]byte, length))
		a.fill(len(a.at)-1, 0)
	case call%3 == 1:
		kept := min(length, len(a.bytes[i]))
		a.at[i], a.bytes[i] = a.Reallocate(a.at[i], length), append(make([]byte, 0, length), a.bytes[i][:kept]...)[:length]
		if !bytes.Equal(a.Bytes(a.at[i], kept), a.bytes[i][:kept]) {
			a.at[i] = 0 // check says so
			return
		}
		a.fill(i, kept)
	default:
		a.Release(a.at[i])
		last := len(a.at) - 1
		a.at[i], a.bytes[i] = a.at[last], a.bytes[last]
		a.at, a.bytes = a.at[:last], a.bytes[:last]
	}
}

// check returns what is wrong, "" for nothing.
func (a *allocations) check() string {
	for i, at := range a.at {
		switch {
		case at == 0:
			return "there is no memory, or a reallocation lost bytes"
		case at%8 != 0:
			return "SQLite wants addresses that 8 divides"
		case a.Length(at) < len(a.bytes[i]):
			return "an allocation is shorter than was asked"
		case !bytes.Equal(a.Bytes(at, len(a.bytes[i])), a.bytes[i]):
			return "bytes were changed that another allocation has"
		}
	}
	return ""
}

func (a *allocations) end() {
	for _, at := range a.at {
		a.Release(at)
	}
	a.Close()
}

func TestMemory_Model(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		heap, err := dynamodb.NewHeap()
		if err != nil {
			r.Fatal(err)
		}
		a := &allocations{Heap: heap}
		defer a.end()
		lengths := rapid.OneOf(rapid.IntRange(1, 20_000), rapid.SampledFrom([]int{4096, 4097, 4104, 4346, 8442, 9215, 9216, 9217}))
		for range rapid.IntRange(1, 60).Draw(r, "calls") {
			a.step(rapid.IntRange(0, 2).Draw(r, "call"), rapid.IntRange(0, 60).Draw(r, "which"), lengths.Draw(r, "length"))
			if wrong := a.check(); wrong != "" {
				r.Fatal(wrong)
			}
		}
	})
}

func TestMemory_InManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			heap, err := dynamodb.NewHeap()
			if err != nil {
				t.Error(err)
				return
			}
			a := &allocations{Heap: heap, mark: byte(31 * g)}
			defer a.end()
			for n := range 400 {
				a.step(n*7+g, n*13, 4000+n*977%5500) // in slots, and a little outside of them
			}
			if wrong := a.check(); wrong != "" {
				t.Error(wrong)
			}
		})
	}
	wg.Wait()
}

func TestMemory_WhenThereIsNone(t *testing.T) {
	heap, err := dynamodb.NewHeap()
	if err != nil {
		t.Fatal(err)
	}
	defer heap.Close()
	before, _ := dynamodb.MemoryInBlocks()
	at := heap.Allocate(100)
	defer heap.Release(at)
	copy(heap.Bytes(at, 4), "kept")
	end := dynamodb.Starve()
	defer end()
	if got := heap.Allocate(5_000); got != 0 {
		t.Errorf("allocated at %d", got)
	}
	if got := heap.Reallocate(at, 5_000); got != 0 || string(heap.Bytes(at, 4)) != "kept" {
		t.Errorf("reallocated to %d, with %q in its old place", got, heap.Bytes(at, 4))
	}
	if after, _ := dynamodb.MemoryInBlocks(); after != before {
		t.Errorf("%d bytes in blocks, and %d before", after, before)
	}
}
