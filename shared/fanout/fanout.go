package fanout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/metrics"
)

// Fanout broadcasts what happened in rooms to the devices of their members and
// removes connections that have ended.
type Fanout struct {
	table    table
	push     Pusher
	deadline time.Duration
	now      func() time.Time
	log      zerolog.Logger

	announcer announcer
	missed    missed
	charging  charging
}

// New returns a Fanout whose invocations work for at most deadline.
func New(store Store, push Pusher, deadline time.Duration, now func() time.Time, log zerolog.Logger) *Fanout {
	f := &Fanout{
		table: table{store: store, now: now}, push: push, deadline: deadline, now: now, log: log,
		missed: missed{push: push, now: now},
	}
	f.announcer.table, f.announcer.now = &f.table, now
	f.charging.table, f.charging.now = &f.table, now
	return f
}

// Handle serves one batch of records. Records of rooms that could not be read
// from the table are answered as failed, to be delivered again; a post that
// fails is not, as history has the message. Rooms and slices that there was no
// time for, or whose posts the deadline cut off, are answered as failed, too.
func (f *Fanout) Handle(ctx context.Context, input changes.Event) (changes.Response, error) {
	started := f.now()
	ctx, cancel := context.WithTimeout(ctx, f.deadline)
	defer cancel()
	log := metrics.Logger(ctx, f.log)
	records, malformed := changes.Decode(input, &log)
	batch := group(f.charging.worthTelling(records), started)

	// Beside the rooms: connections that come and go delay no messages.
	var beside sync.WaitGroup
	beside.Go(func() { closeReplaced(ctx, f.push, batch.replaced, &log) })
	rooms := f.serveRooms(ctx, batch.rooms, batch.people, started, &log)
	// Slices last: they are the parts of large rooms, and take longest.
	parts := f.serveSlices(ctx, batch.slices, started, &log)
	total := rooms.plus(parts)
	total.logGivenUp(&log)
	if !f.late(started) {
		f.missed.tell(ctx, &log)
		f.table.index(ctx, total.unindexed, &log)
	}
	beside.Wait()
	unannounced, again := f.announcer.announce(ctx, input, records, total, &log)
	failed := slices.Concat(total.failed, again)
	if len(again) == 0 { // else what was posted comes again
		f.charging.charge(ctx, total.caused, &log)
	}

	names, values := metrics.OfFanout, map[string]int{
		metrics.Delivered: total.delivered, metrics.Gone: total.gone, metrics.Undelivered: total.undelivered,
		metrics.FailedRecords: len(failed), metrics.MalformedRecord: malformed,
	}
	if f.announcer.hasBus() {
		names, values[metrics.Unannounced] = metrics.OfAnnouncing, unannounced
	}
	metrics.Line(&log, f.now(), names, values, total.times).
		Int("records", len(input.Records)).
		Int("rooms", len(batch.rooms)).
		Int("people", len(batch.people)).
		Int("slices", len(batch.slices)).
		Int("posts", total.posts).
		Dur("duration_ms", f.now().Sub(started)).
		Str("outcome", metrics.Outcome(len(failed) == 0)).
		Msg("fanned out")
	return changes.Failed(failed), nil
}
