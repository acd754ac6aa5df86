package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamroom/streamroom/shared/backoff"
)

func TestPauseDoublesUpToMax(t *testing.T) {
	p := backoff.Policy{First: 100 * time.Millisecond, Max: time.Second}
	for failures, want := range map[int]time.Duration{
		0: 100 * time.Millisecond, 1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond,
		5: time.Second, 40: time.Second, 1 << 40: time.Second,
	} {
		if got := p.Pause(failures); got != want {
			t.Errorf("after %d failures: got %s, want %s", failures, got, want)
		}
	}
}

func TestPauseJitter(t *testing.T) {
	p := backoff.Policy{First: time.Second, Max: time.Hour, Jitter: 0.25}
	seen := map[time.Duration]bool{}
	for range 1000 {
		got := p.Pause(2)
		if got < 1500*time.Millisecond || got > 2*time.Second {
			t.Fatalf("got %s, want between 1.5 s and 2 s", got)
		}
		seen[got] = true
	}
	if len(seen) < 100 {
		t.Errorf("only %d different pauses in 1000", len(seen))
	}
}

func TestWaitHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := backoff.Policy{First: time.Minute, Max: time.Minute}
		began := time.Now()
		if err := p.Wait(t.Context(), 1); err != nil || time.Since(began) != time.Minute {
			t.Errorf("waited %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if err := p.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("waited %s with a deadline of 1 s: %v", time.Since(began), err)
		}
	})
}

func TestFinish_RepeatsWhatIsLeft(t *testing.T) {
	failed := errors.New("no table")
	for name, test := range map[string]struct {
		left  []int
		err   error
		calls int
		want  string
	}{
		"all at once":            {[]int{0}, nil, 1, ""},
		"a part twice":           {[]int{7, 3, 0}, nil, 3, ""},
		"more than its attempts": {[]int{7, 3, 2, 1, 0}, nil, 4, "1 unprocessed after 4 attempts"},
		"an error":               {[]int{7}, failed, 1, "no table"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				started := time.Now()
				err := backoff.Policy{First: time.Second, Max: time.Second}.Finish(t.Context(), 4, func() (int, error) {
					calls++
					return test.left[calls-1], test.err
				})
				if waited := time.Since(started); waited != time.Duration(calls-1)*time.Second {
					t.Errorf("it waited %s between %d calls", waited, calls)
				}
				if text := fmt.Sprint(err); calls != test.calls || (test.want == "") != (err == nil) || err != nil && text != test.want {
					t.Errorf("%d calls, %v; want %d, %q", calls, err, test.calls, test.want)
				}
			})
		})
	}
}
