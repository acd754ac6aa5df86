package fanout

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/parallel"
)

// errNoTime is why a room, or the rest of its posts, is left to another invocation.
var errNoTime = errors.New("no time is left in this invocation")

// late reports whether no further round is begun. The first needs no time to be
// left: each invocation makes progress.
func (f *Fanout) late(started time.Time) bool { return f.now().Sub(started) > f.deadline/2 }

// serveRooms serves a batch's rooms in rounds, as long as there is time for one
// more. The others come again: if all posts shared the time, most of a backlog
// would never be sent.
func (f *Fanout) serveRooms(ctx context.Context, rooms []room, started time.Time, log *zerolog.Logger) counts {
	broadcasts := make([]broadcast, len(rooms))
	parallel.Each(len(rooms), readsInFlight/2, func(i int) { // each room has two reads at a time
		broadcasts[i] = f.prepareRoom(ctx, &rooms[i])
	})
	var total counts
	devices := f.readDevices(ctx, broadcasts)
	for i, round := range rounds(broadcasts, &devices) {
		if i > 0 && f.late(started) {
			total.failed = append(total.failed, report(round, &devices, errNoTime, log)...)
			continue
		}
		total = total.plus(f.post(ctx, round, &devices, log))
		for n := range round {
			offline, err := f.notifications(ctx, &round[n], &devices)
			total.notifications = append(total.notifications, offline...)
			round[n].err = cmp.Or(round[n].err, err)
		}
		total.failed = append(total.failed, report(round, &devices, nil, log)...)
	}
	return total
}

// rounds cuts broadcasts, in their order, into rounds of about as many
// connections as a round of slices has members.
func rounds(broadcasts []broadcast, d *devices) (rounds [][]broadcast) {
	begin, connections := 0, 0
	for i := range broadcasts {
		for _, user := range broadcasts[i].audience.recipients {
			connections += len(d.byUser[user])
		}
		if connections >= SliceSize*SlicesAtOnce || i == len(broadcasts)-1 {
			rounds = append(rounds, broadcasts[begin:i+1])
			begin, connections = i+1, 0
		}
	}
	return rounds
}

// serveSlices serves slices, some at a time, as long as there is time for one
// more round. The others come again.
func (f *Fanout) serveSlices(ctx context.Context, parts []storedSlice, started time.Time, log *zerolog.Logger) counts {
	var total counts
	if len(parts) == 0 {
		return total
	}
	sources := f.readSources(ctx, parts)
	for begin := 0; begin < len(parts); begin += SlicesAtOnce {
		round := parts[begin:min(begin+SlicesAtOnce, len(parts))]
		// What follows a failed slice comes again with it: serving it now would
		// serve it twice.
		if begin > 0 && f.late(started) || len(total.failed) > 0 || ctx.Err() != nil {
			for _, s := range round {
				total.failed = append(total.failed, s.sequence)
			}
			continue
		}
		broadcasts := make([]broadcast, len(round))
		parallel.Each(len(round), SlicesAtOnce, func(i int) {
			broadcasts[i] = f.prepareSlice(ctx, round[i], sources[begin+i])
		})
		devices := f.readDevices(ctx, broadcasts)
		total = total.plus(f.post(ctx, broadcasts, &devices, log))
		total.failed = append(total.failed, report(broadcasts, &devices, nil, log)...)
	}
	return total
}

// report logs what became of broadcasts and returns the records of those that
// failed, unless all of a room is fleeting: their own errors count first, then those of their recipients'
// connections, then why none of the round was served.
func report(broadcasts []broadcast, d *devices, postponed error, log *zerolog.Logger) (failed []string) {
	for i := range broadcasts {
		b := &broadcasts[i]
		errs := []error{b.err, d.errorOf(b.audience.recipients), postponed}
		at := slices.IndexFunc(errs, func(err error) bool { return err != nil })
		if at < 0 {
			b.log(log, nil)
			continue
		}
		b.log(log, errs[at])
		if b.events.fleeting() {
			continue
		}
		failed = append(failed, b.sequences...)
	}
	return failed
}
