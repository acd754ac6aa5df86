package cost

import (
	"fmt"
	"math"

	"github.com/streamroom/streamroom/shared/topology"
)

const (
	// notifiedRoom is the size of rooms whose members are notified of each message while
	// they are offline. In larger ones those are whom it mentions, which are left out here.
	notifiedRoom = 100

	// pushBytes is a push on its way to a push service: a record of 4,096 bytes, which all
	// have, and its header, to a tenth.
	pushBytes = 4_096 + 600

	// browsers is how many a user of Web Push has: assumed.
	browsers = 1

	// tokens is how many a service asks for in a month: one an hour, as long as each holds.
	tokens = 30 * 24
)

// Event is an event of the bus.
func Event() Action { return Action{Events: 1} }

// Push is an event for offline users with the pushes that follow, to a number of users.
func Push(offline float64) Action {
	return Event().Plus(invoke(topology.Push, 0)).Plus(Action{Reads: 0.5 * offline, Out: pushBytes * browsers * offline})
}

// offline is how many members of a room, besides the sender, have no connection, and the
// share of messages that notify any of them.
func (w Workload) offline() (members, share float64) {
	if w.Members > notifiedRoom {
		return 0, 0
	}
	others := float64(w.Members - 1)
	return (1 - w.Online) * others, 1 - math.Pow(w.Online, others)
}

// announced is what a message's events and pushes ask for, nothing where they are off.
// Edits, members and reports, which are events, too, are left out.
func (w Workload) announced() Action {
	var a Action
	if w.Events {
		a = a.Plus(Event())
	}
	members, share := w.offline()
	switch {
	case share == 0:
	case w.Push:
		a = a.Plus(Push(members / share).Times(share))
	case w.Events:
		a = a.Plus(Event().Times(share))
	}
	return a
}

// addBackends adds what stands there for events, pushes and services, whatever the traffic.
func (u *Usage) addBackends(w Workload) {
	if w.Events || w.Push {
		u.Alarms += AnnouncingAlarms
		u.Metrics += AnnouncingMetrics
	}
	if w.Push {
		u.Alarms += PushAlarms
	}
	u.MachineClients, u.MachineTokens = float64(w.Services), tokens*float64(w.Services)
}

// maxServices is how many services a deployment takes.
const maxServices = 20

func (w Workload) checkBackends() error {
	if w.Services < 0 || w.Services > maxServices {
		return fmt.Errorf("invalid --services %d: want 0 to %d", w.Services, maxServices)
	}
	return nil
}

// backends says what a million messages cost more with events and pushes, and a service a
// month.
func backends(w Workload) Table {
	t := Table{
		Title: fmt.Sprintf("What events, pushes and services add, in rooms of %d, %v of whose members are connected", w.Members, w.Online),
		Head:  []string{"what", "events", "invocations", "read units", "cost"},
	}
	row := func(what string, a Action, u Usage) {
		invocations := 0.0
		for _, n := range a.Invocations {
			invocations += n
		}
		t.Rows = append(t.Rows, []Cell{text(what), amount(a.Events), amount(invocations), amount(a.Reads), dollars(u.Bill(w.Free).Total())})
	}
	for _, on := range []struct {
		what         string
		events, push bool
	}{{"a million messages, with events", true, false}, {"a million messages, with pushes", false, true}, {"a million messages, with both", true, true}} {
		at := w
		at.Events, at.Push = on.events, on.push
		a := at.announced().Times(million)
		u := a.usage(w.Traced)
		u.StoredLogGB = 0 // kept by the month, which is the workload's
		row(on.what, a, u)
	}
	var u Usage
	u.addBackends(Workload{Services: 1})
	row("a service for a month, a token an hour", Action{}, u)
	return t
}
