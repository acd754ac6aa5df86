package main

import (
	"time"

	"github.com/jonboulle/clockwork"
)

// clock is a device's, which is ahead.
type clock struct {
	clockwork.Clock
	ahead time.Duration
}

// Now implements clockwork.Clock.
func (c clock) Now() time.Time { return c.Clock.Now().Add(c.ahead) }

// Since implements clockwork.Clock.
func (c clock) Since(at time.Time) time.Duration { return c.Now().Sub(at) }

// Until implements clockwork.Clock.
func (c clock) Until(at time.Time) time.Duration { return at.Sub(c.Now()) }
