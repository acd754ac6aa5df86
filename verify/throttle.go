package verify

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/time/rate"
)

// throttle lets so many read units pass a second.
type throttle struct{ limiter *rate.Limiter }

func newThrottle(perSecond float64) throttle {
	if perSecond <= 0 {
		return throttle{}
	}
	return throttle{rate.NewLimiter(rate.Limit(perSecond), max(1, int(math.Ceil(perSecond))))}
}

func (t throttle) take(ctx context.Context, units float64) error {
	if t.limiter == nil {
		return ctx.Err()
	}
	for left := int(math.Ceil(units)); left > 0; {
		now := min(left, t.limiter.Burst())
		if err := t.limiter.WaitN(ctx, now); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("wait for the rate: %w", err)
		}
		left -= now
	}
	return nil
}
