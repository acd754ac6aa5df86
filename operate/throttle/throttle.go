// Package throttle limits operator tools, so that they do not starve live
// traffic: replay the records that it sends, and all of them the read units that
// they take of the table.
package throttle

import (
	"context"
	"fmt"
	"math"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/time/rate"
)

// Throttle limits how much passes a second, such as records or read units. The
// zero value has no limit.
type Throttle struct{ limiter *rate.Limiter }

// New returns a Throttle of perSecond; 0 is no limit. What comes within about a
// second passes at once.
func New(perSecond float64) Throttle {
	if perSecond <= 0 {
		return Throttle{}
	}
	return Throttle{rate.NewLimiter(rate.Limit(perSecond), max(1, int(math.Ceil(perSecond))))}
}

// Take waits until n may pass, or returns ctx's error.
func (t Throttle) Take(ctx context.Context, n float64) error {
	if t.limiter == nil {
		return ctx.Err()
	}
	for left := int(math.Ceil(n)); left > 0; {
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

// Units returns the read or write units that a request took; 0 if it was not asked.
func Units(c *types.ConsumedCapacity) float64 {
	if c == nil {
		return 0
	}
	return aws.ToFloat64(c.CapacityUnits)
}
