package parallel_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamroom/streamroom/shared/parallel"
)

func TestEach(t *testing.T) {
	for _, test := range []struct{ n, limit, most int }{{0, 4, 0}, {1, 4, 1}, {3, 4, 3}, {10, 4, 4}, {10, 1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var inFlight, most atomic.Int64
			calls := make([]int, test.n)
			parallel.Each(test.n, test.limit, func(i int) {
				calls[i]++
				now := inFlight.Add(1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				<-time.After(time.Second) // of fake time
				inFlight.Add(-1)
			})
			for i, n := range calls {
				if n != 1 {
					t.Errorf("n %d, limit %d: call %d is made %d times", test.n, test.limit, i, n)
				}
			}
			if got := int(most.Load()); got != test.most {
				t.Errorf("n %d, limit %d: %d calls at a time, want %d", test.n, test.limit, got, test.most)
			}
		})
	}
}
