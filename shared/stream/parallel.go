package stream

import (
	"sync"
	"sync/atomic"
)

// each calls do for 0 to n-1, at most limit at a time, and returns when all are
// done. A goroutine makes many of the calls: those into the SDK run deep, and
// growing a new stack for each would cost a tenth of a broadcast.
func each(n, limit int, do func(i int)) {
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

// firstError returns the first error there is.
func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
