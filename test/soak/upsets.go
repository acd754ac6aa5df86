package main

import (
	"context"
	"time"

	"github.com/streamroom/streamroom/test/faults"
)

// What happens on days to the whole, by the hour after midnight: every day the functions
// are deployed again; on some the server restarts, or a shard of the stream is split.
const (
	deployment   = 14 * time.Hour
	restart      = 15*time.Hour + 30*time.Minute
	lateRestart  = 21 * time.Hour // while lastmessage can't read the stream
	split        = 13 * time.Hour
	upsetsRepeat = 3 // days
)

// smallFaults is the part of the rates of faults.All at which things break on days.
const smallFaults = 0.02

// plan is what breaks by itself.
func (c DaysConfig) plan() faults.Plan {
	all := faults.All(c.Seed).Times(smallFaults)
	// What is lost on a connection that works on may be found only when the client asks for
	// everything, once a day: too late for the night.
	all.Posts.Lost = 0
	plan := faults.Plan{Seed: c.Seed, Delay: all.Delay}
	if c.happens(faultTable) {
		plan.Table = all.Table
	}
	if c.happens(faultPosts) {
		plan.Posts = all.Posts
	}
	if c.happens(faultInvocations) {
		plan.Invocations = all.Invocations
	}
	if c.happens(faultClocks) {
		plan.Skew = all.Skew
	}
	if c.happens(faultDisconnects) {
		plan.LostDisconnects = all.LostDisconnects
	}
	if c.happens(faultOutages) {
		plan.Outages = faults.Nights(c.Days)
	}
	return plan
}

// upset has a day's upsets come about.
func (d *days) upset(ctx context.Context, until time.Time) {
	midnight := d.from.Add(time.Duration(d.done) * day)
	var events []event
	if d.config.happens(faultDeployments) {
		events = append(events, event{midnight.Add(deployment), func(context.Context) { d.versions.Deploy() }})
	}
	restarts, splits := d.config.happens(faultRestarts), d.config.happens(faultSplits)
	switch turn := d.done % upsetsRepeat; {
	case turn == 0 && restarts:
		events = append(events, event{midnight.Add(lateRestart), func(ctx context.Context) { d.restart(ctx, false) }})
	case turn == 1 && restarts:
		events = append(events, event{midnight.Add(restart), func(ctx context.Context) { d.restart(ctx, true) }})
	case turn == upsetsRepeat-1 && splits:
		events = append(events, event{midnight.Add(split), func(ctx context.Context) {
			if err := d.host.SplitShard(ctx); err != nil {
				d.ledger.violate(Violation{Promise: ServerRuns, Detail: err.Error()})
			}
		}})
	}
	d.follow(ctx, until, events)
}

// restart stops the server and starts it with what it left.
func (d *days) restart(ctx context.Context, abrupt bool) {
	ctx = context.WithoutCancel(ctx)
	d.noteRestart()
	for _, p := range d.people { // all go, and are told to those who are back first
		d.chargeTold(p.user)
	}
	err := d.host.Stop(ctx, abrupt)
	if err == nil {
		err = d.host.Start(ctx)
	}
	if err != nil {
		d.ledger.violate(Violation{Promise: ServerRuns, Detail: err.Error()})
	}
	d.noteRestart()
	d.tally.add(&d.tally.Restarts)
}

func (r *run) noteRestart() { r.restarted.Store(r.now()) }

// restartedSince reports whether the server was restarted since a time, in ns since the
// start, or up to some seconds before it.
func (r *run) restartedSince(at int64) bool {
	last := r.restarted.Load()
	return last != 0 && last >= at-int64(restartTime)
}

// restartTime is how long a restart takes, at most, until all that it ended has noticed.
const restartTime = 30 * time.Second

// handover is how long after a deployment environments of the version before it serve
// requests, at most.
const handover = 10 * time.Minute
