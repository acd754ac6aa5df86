package fanout

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/parallel"
)

// errNoTime is why a room, or the rest of its posts, is left to another invocation.
var errNoTime = errors.New("no time is left in this invocation")

// late reports whether no further round is begun. The first needs no time to be
// left: each invocation makes progress.
func (f *Fanout) late(started time.Time) bool { return f.now().Sub(started) > f.deadline/2 }

// round is what is posted at once.
type round struct {
	broadcasts []broadcast
	people     []person
}

// serveRooms serves a batch's rooms, then people, in rounds, as long as there is time for
// one more. The other rooms come again: if all posts shared the time, most of a backlog
// would never be sent.
func (f *Fanout) serveRooms(ctx context.Context, rooms []room, users []string, started time.Time, log *zerolog.Logger) counts {
	broadcasts := make([]broadcast, len(rooms))
	var people []person
	var beside sync.WaitGroup
	if len(users) > 0 {
		beside.Go(func() { people = f.table.readPeople(ctx, users, f.charging.spent) })
	}
	parallel.Each(len(rooms), roomsInFlight, func(i int) { broadcasts[i] = f.prepareRoom(ctx, &rooms[i]) })
	beside.Wait()
	var total counts
	devices := f.table.readDevices(ctx, broadcasts, people)
	var next round
	rest := round{broadcasts, people}
	for begun := false; !rest.empty(); begun = true {
		next, rest = rest.cut(devices)
		if begun && f.late(started) {
			total.failed = append(total.failed, report(next, devices, errNoTime, nil, log)...)
			continue
		}
		posted := f.post(ctx, next, devices, log)
		devices = devices.after(posted)
		notifications, unnotified := f.announcer.notifications(ctx, next.broadcasts, devices)
		total = total.plus(posted.counts)
		total.notifications = append(total.notifications, notifications...)
		total.failed = append(total.failed, report(next, devices, nil, unnotified, log)...)
		total.caused = total.caused.plus(f.charging.caused(next, devices, unnotified))
	}
	return total
}

func (r round) empty() bool { return len(r.broadcasts)+len(r.people) == 0 }

// cut takes broadcasts and people off a round, in their order, until they have as many
// connections as a round of slices has members.
func (r round) cut(d devices) (first, rest round) {
	const most = SliceSize * SlicesAtOnce
	connections := 0
	for i := range r.broadcasts {
		if connections += d.count(r.broadcasts[i].audience.recipients); connections >= most {
			return round{broadcasts: r.broadcasts[:i+1]}, round{r.broadcasts[i+1:], r.people}
		}
	}
	for i := range r.people {
		if connections += d.count(r.people[i].recipients); connections >= most {
			return round{r.broadcasts, r.people[:i+1]}, round{people: r.people[i+1:]}
		}
	}
	return r, round{}
}

// serveSlices serves slices, some at a time, as long as there is time for one
// more round. The others come again.
func (f *Fanout) serveSlices(ctx context.Context, parts []storedSlice, started time.Time, log *zerolog.Logger) counts {
	var total counts
	if len(parts) == 0 {
		return total
	}
	sources := f.table.readSources(ctx, parts)
	for begin := 0; begin < len(parts); begin += SlicesAtOnce {
		next := parts[begin:min(begin+SlicesAtOnce, len(parts))]
		// What follows a failed slice comes again with it: serving it now would
		// serve it twice.
		if begin > 0 && f.late(started) || len(total.failed) > 0 || ctx.Err() != nil {
			for _, s := range next {
				total.failed = append(total.failed, s.sequence)
			}
			continue
		}
		broadcasts := make([]broadcast, len(next))
		parallel.Each(len(next), SlicesAtOnce, func(i int) {
			broadcasts[i] = f.prepareSlice(ctx, next[i], sources[begin+i])
		})
		devices := f.table.readDevices(ctx, broadcasts, nil)
		served := round{broadcasts: broadcasts}
		posted := f.post(ctx, served, devices, log)
		total = total.plus(posted.counts)
		devices = devices.after(posted)
		total.failed = append(total.failed, report(served, devices, nil, nil, log)...)
		total.caused = total.caused.plus(f.charging.caused(served, devices, nil))
	}
	return total
}

// report logs what became of a round and returns the records of rooms that failed, unless
// all of a room is fleeting, as people are: their own errors count first, then those of
// their recipients' connections, then why none of the round was served, or why a room's
// notifications could not be found.
func report(r round, d devices, postponed error, unnotified map[int]error, log *zerolog.Logger) (failed []string) {
	for i := range r.broadcasts {
		b := &r.broadcasts[i]
		err := cmp.Or(b.err, d.errorOf(b.audience.recipients), postponed, unnotified[i])
		b.log(log, err)
		if err != nil && !b.events.fleeting() {
			failed = append(failed, b.sequences...)
		}
	}
	for i := range r.people {
		p := &r.people[i]
		p.log(log, cmp.Or(p.err, d.errorOf(p.recipients), postponed))
	}
	return failed
}
