// Package backoff waits between attempts: exponentially longer, with jitter, and
// no longer than the context lives.
//
// It is for code that waits in real time. local/lambda runs on a clock that tests move by
// hand, and shared/push waits until a time: they have timers of their own. So has client,
// which may import shared/wire only.
package backoff

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Policy says how long to wait after each of several failures in a row. The
// longest pause after the first is First; it doubles up to Max.
type Policy struct {
	First, Max time.Duration
	// Jitter is the part of each pause that is random, from 0 (every pause is
	// the longest) to 1 ("full jitter": any pause down to none). Without jitter,
	// those who failed at the same time retry at the same time.
	Jitter float64
	// Random gives numbers from 0 up to, not including, 1. Nil means random ones.
	Random func() float64
}

// Pause is how long to wait after a number of failures in a row, from 1 on.
func (p Policy) Pause(failures int) time.Duration {
	longest := p.Max
	if n := max(failures, 1) - 1; n < 32 && p.First<<n>>n == p.First { // no overflow
		longest = min(p.First<<n, p.Max)
	}
	random := p.Random
	if random == nil {
		random = rand.Float64
	}
	return time.Duration(float64(longest) * (1 - p.Jitter*random()))
}

// Wait sleeps for a pause. It returns ctx's error if ctx ends first.
func (p Policy) Wait(ctx context.Context, failures int) error { return Sleep(ctx, p.Pause(failures)) }

// Finish repeats work, with pauses between, while it leaves parts of it undone, as a
// table does of a batch for which it lacks capacity. It returns do's error at once, and an
// error of its own if something is left after the last attempt.
func (p Policy) Finish(ctx context.Context, attempts int, do func() (left int, err error)) error {
	for attempt := 1; ; attempt++ {
		left, err := do()
		switch {
		case err != nil || left == 0:
			return err
		case attempt >= attempts:
			return fmt.Errorf("%d unprocessed after %d attempts", left, attempt)
		}
		if err := p.Wait(ctx, attempt); err != nil {
			return err
		}
	}
}

// Sleep waits for d. It returns ctx's error if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
