package main

import (
	"context"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/faults"
)

// What functions are asked for more often than operate/cost has it for what devices did is
// a broken promise.
func TestDays_CheckBill(t *testing.T) {
	for name, tt := range map[string]struct{ invoked, connects, broken int }{
		"as expected":       {200, 200, 0},
		"what comes beside": {besides, 0, 0},
		"too often":         {300, 200, 1},
	} {
		t.Run(name, func(t *testing.T) {
			clock := clockwork.NewFakeClock()
			injector, err := faults.New(faults.Plan{}, clock)
			if err != nil {
				t.Fatal(err)
			}
			d := &days{run: &run{config: Config{Clock: clock}, injector: injector, ledger: &ledger{}, bill: &bill{}}, meter: &faults.Meter{}}
			f := local.Function{Construct: func(functions.Env) (lambda.Handler, error) {
				return handlerFunc(func(context.Context, []byte) ([]byte, error) { return nil, nil }), nil
			}}
			f.Name = topology.Connect
			handler, err := d.meter.Wrap(f).Construct(functions.Env{})
			if err != nil {
				t.Fatal(err)
			}
			for range tt.invoked {
				if _, err := handler.Invoke(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			d.checkBill(cost.Connect(0).Times(float64(tt.connects)), 0)
			if broken := d.ledger.broken(); len(broken) != tt.broken {
				t.Errorf("got %v", broken)
			}
			if d.spent[0].Used.Invocations[topology.Connect] != tt.invoked {
				t.Errorf("%d were invoked, counted are %v", tt.invoked, d.spent[0].Used.Invocations)
			}
		})
	}
}
