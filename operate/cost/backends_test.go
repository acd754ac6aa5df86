package cost

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is off costs nothing: neither traffic nor what stands there.
func TestBackends_OffAddNothing(t *testing.T) {
	if diff := cmp.Diff(Action{}, DefaultWorkload().announced()); diff != "" {
		t.Errorf("a message asks for (-want +got):\n%s", diff)
	}
	var u Usage
	if u.addBackends(DefaultWorkload()); u != (Usage{}) {
		t.Errorf("a month uses %+v", u)
	}
}

// A room of five, half of whom are connected.
func TestBackends_ByHand(t *testing.T) {
	w := byHand()
	w.Members, w.Online = 5, 0.5
	const messages, offline, notified = 1000, 2.0, 1 - 0.5*0.5*0.5*0.5
	for name, test := range map[string]struct {
		events, push                   bool
		bus, invoked, reads, out, cost float64
	}{
		"events":      {true, false, 1 + notified, 0, 0, 0, (1+notified)/1000 + 0.10 + 0.30},
		"pushes":      {false, true, notified, notified, 0.5 * offline, pushBytes * offline, 0},
		"both":        {true, true, 1 + notified, notified, 0.5 * offline, pushBytes * offline, 0},
		"neither one": {},
	} {
		without, with := Of(Streamroom, w), w
		with.Events, with.Push = test.events, test.push
		got := Of(Streamroom, with)
		for _, amount := range []struct {
			what      string
			got, want float64
		}{
			{"events", got.BusEvents, messages * test.bus},
			{"invocations", got.Invocations - without.Invocations, messages * test.invoked},
			{"read units", got.ReadUnits - without.ReadUnits, messages * test.reads},
			{"GB out", got.OutGB - without.OutGB, messages * test.out / gb},
		} {
			if !near(amount.got, amount.want) {
				t.Errorf("%s: %v %s, want %v", name, amount.got, amount.what, amount.want)
			}
		}
		if more := got.Bill(false).Total() - without.Bill(false).Total(); test.cost != 0 && !near(more, test.cost) {
			t.Errorf("%s: costs %v more, want %v", name, more, test.cost)
		}
	}
	large := w
	large.Members, large.Push = notifiedRoom+1, true
	if got := Of(Streamroom, large).BusEvents; got != 0 {
		t.Errorf("in a larger room there are %v events", got)
	}
	w.Services = 2
	if got, want := Of(Streamroom, w).Bill(false).Total()-Of(Streamroom, withoutServices(w)).Bill(false).Total(), 2*(6+1.62); !near(got, want) {
		t.Errorf("two services cost %v, want %v", got, want)
	}
	for _, name := range []string{Classic, Events} {
		if got := Of(name, w).MachineClients; got != 0 {
			t.Errorf("%s has %v services", name, got)
		}
	}
	if w.Services = maxServices + 1; w.Check() == nil {
		t.Error("too many services are taken")
	}
}

// withoutServices is a workload without services.
func withoutServices(w Workload) Workload {
	w.Services = 0
	return w
}
