// Package parallel runs calls side by side, within a bound.
package parallel

import (
	"sync"
	"sync/atomic"
)

// Each calls do for 0 to n-1, at most limit at a time, and returns when all are
// done. A goroutine makes many of the calls: those into the SDK run deep, and
// growing a new stack for each would cost a tenth of a broadcast.
func Each(n, limit int, do func(i int)) {
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var others sync.WaitGroup
	for range min(n, limit) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
