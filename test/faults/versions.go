package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
)

// Versions deploys functions again while they run: for a while after each deployment
// some environments are of the version before, and some of the next one. The code of both
// is the same, so what differs is what an environment keeps between invocations: an old
// one goes on with it, a new one has nothing. It is safe for concurrent use.
type Versions struct {
	clock    clockwork.Clock
	handover time.Duration

	mu       sync.Mutex
	random   *rand.Rand
	deployed time.Time // zero: nothing was yet
	replaced int
}

// NewVersions returns versions whose environments serve on for at most the handover after
// a deployment, each as long as the seed says.
func NewVersions(seed uint64, handover time.Duration, clock clockwork.Clock) *Versions {
	return &Versions{clock: clock, handover: handover, random: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // not for secrets
}

// Deploy begins a deployment.
func (v *Versions) Deploy() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.deployed = v.clock.Now()
}

// Replaced is how many environments were replaced.
func (v *Versions) Replaced() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.replaced
}

// Wrap has a function take part. It is for local.EachFunction.
func (v *Versions) Wrap(f local.Function) local.Function {
	construct := f.Construct
	if construct == nil {
		return f
	}
	f.Construct = func(env functions.Env) (lambda.Handler, error) {
		current, err := construct(env)
		if err != nil {
			return nil, err
		}
		return &environment{versions: v, env: env, construct: construct, current: current, began: v.clock.Now(), lasts: v.lasts()}, nil
	}
	return f
}

func (v *Versions) lasts() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Duration(v.random.Float64() * float64(v.handover))
}

// environment is one of a function, which serves one invocation at a time.
type environment struct {
	versions  *Versions
	env       functions.Env
	construct functions.Constructor
	current   lambda.Handler
	began     time.Time
	lasts     time.Duration // after a deployment
}

// Invoke implements lambda.Handler.
func (e *environment) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if e.due() {
		next, err := e.construct(e.env)
		if err != nil {
			return nil, fmt.Errorf("deploy again: %w", err)
		}
		e.current, e.began, e.lasts = next, e.versions.clock.Now(), e.versions.lasts()
	}
	return e.current.Invoke(ctx, payload)
}

// due reports whether the environment's version is over, and counts it.
func (e *environment) due() bool {
	v := e.versions
	v.mu.Lock()
	defer v.mu.Unlock()
	due := e.began.Before(v.deployed) && v.clock.Since(v.deployed) >= e.lasts
	if due {
		v.replaced++
	}
	return due
}
