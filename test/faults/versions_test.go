package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/faults"
)

// counting is an environment that keeps how often it was invoked.
type counting struct{ n byte }

func (c *counting) Invoke(context.Context, []byte) ([]byte, error) {
	c.n++
	return []byte{c.n}, nil
}

func TestVersions(t *testing.T) {
	clock := clockwork.NewFakeClock()
	versions := faults.NewVersions(1, 10*time.Minute, clock)
	f := versions.Wrap(local.Function{Construct: func(functions.Env) (lambda.Handler, error) { return &counting{}, nil }})
	var environments []lambda.Handler
	for range 20 {
		e, err := f.Construct(functions.Env{})
		if err != nil {
			t.Fatal(err)
		}
		environments = append(environments, e)
	}
	fresh := func() (n int) {
		t.Helper()
		for _, e := range environments {
			answer, err := e.Invoke(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer[0] == 1 {
				n++
			}
		}
		return n
	}
	fresh()
	clock.Advance(time.Hour)
	if n := fresh(); n != 0 {
		t.Errorf("%d environments were replaced without a deployment", n)
	}
	versions.Deploy()
	clock.Advance(5 * time.Minute)
	first := fresh()
	if first == 0 || first == len(environments) {
		t.Errorf("%d of %d environments are of the next version in the middle of the handover: want both", first, len(environments))
	}
	clock.Advance(5 * time.Minute)
	if rest := fresh(); first+rest != len(environments) || versions.Replaced() != len(environments) {
		t.Errorf("%d and %d environments were replaced, counted %d: want all %d", first, rest, versions.Replaced(), len(environments))
	}
	if n := fresh(); n != 0 {
		t.Errorf("%d environments were replaced again", n)
	}
}
