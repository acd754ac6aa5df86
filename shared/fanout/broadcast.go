package fanout

import (
	"context"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// broadcast is everything that must be known to serve a room, or a range of its
// members: what happened, the table's current state of it, and the audience.
type broadcast struct {
	events    *events
	snapshot  snapshot
	audience  audience
	sequences []string // the records that it comes from
	err       error    // why it cannot be served; then the rest is not to be used
}

// prepareRoom reads what a room of a batch needs: its members and its messages
// side by side.
func (f *Fanout) prepareRoom(ctx context.Context, r *room) broadcast {
	plan := planReads(&r.events)
	var members page
	var now snapshot
	var group errgroup.Group
	group.Go(func() (err error) {
		members, err = f.table.readMembers(ctx, r.events.roomID, MemberRange{}, plan.members)
		return err
	})
	group.Go(func() (err error) {
		now, err = f.table.readSnapshot(ctx, &r.events, plan, nil)
		return err
	})
	if err := group.Wait(); err != nil {
		return broadcast{events: &r.events, sequences: r.sequences, err: err}
	}
	return f.prepare(ctx, &r.events, now, MemberRange{}, members, r.sequences)
}

// prepareSlice reads the members of a slice. What they are sent was read once
// for all slices of the run.
func (f *Fanout) prepareSlice(ctx context.Context, s storedSlice, from *source) broadcast {
	sequences := []string{s.sequence}
	if from.err != nil {
		return broadcast{events: &from.events, sequences: sequences, err: from.err}
	}
	members, err := f.table.readMembers(ctx, s.RoomID, s.Members, planReads(&from.events).members)
	if err != nil {
		return broadcast{events: &from.events, sequences: sequences, err: err}
	}
	return f.prepare(ctx, &from.events, from.snapshot, s.Members, members, sequences)
}

// prepare has the members of a large range served by slices, and finds out who
// else is in the audience.
func (f *Fanout) prepare(
	ctx context.Context, e *events, now snapshot, within MemberRange, members page, sequences []string,
) broadcast {
	b := broadcast{events: e, snapshot: now, sequences: sequences}
	if members.more && e.general() {
		if b.err = f.table.storeSlices(ctx, e, now, within); b.err != nil {
			return b
		}
	}
	b.audience, b.err = f.table.readAudience(ctx, e, within, members)
	return b
}

// log writes the line of a broadcast that ended with err: at level debug if it was
// served, as the invocation's own line counts it.
func (b *broadcast) log(log *zerolog.Logger, err error) {
	ids := make([]string, len(b.events.messages))
	for i, m := range b.events.messages {
		ids[i] = m.ID
	}
	line, outcome := log.Debug(), "ok"
	if err != nil {
		line, outcome = log.Error().Err(err), "failed"
		if b.events.fleeting() {
			line, outcome = log.Warn().Err(err), "dropped"
		}
	}
	line.Str("room_id", b.events.roomID).Strs("message_ids", ids).
		Int("changes", max(len(b.events.changed), len(b.snapshot.changed))).Int("reads", len(b.events.reads)).
		Int("members", len(b.audience.members)).Bool("gap", b.events.gap).
		Bool("sliced", b.audience.large && b.events.general()).Str("outcome", outcome).Msg("room served")
}
