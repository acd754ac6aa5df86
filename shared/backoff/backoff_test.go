package backoff_test

import (
	"context"
	"errors"
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
