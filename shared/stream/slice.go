package stream

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
)

// A room, or a range of its members, is served by one invocation up to a size.
// Beyond it, it is cut into slices, which are stored: their stream records
// spread the work over the shards, and are retried by themselves. What is more
// than one invocation should read becomes one slice, which is cut in its turn.
const (
	// SliceAbove is the number of members from which a room is cut into slices.
	SliceAbove = 2_000

	// SliceSize is the number of members of a slice.
	SliceSize = 500

	// SlicesPerCut is how many slices one cut makes, besides the rest.
	SlicesPerCut = 40

	// SlicesAtOnce is how many slices an invocation serves side by side. More
	// would only ask more at once of a table and a gateway that are shared.
	SlicesAtOnce = 2

	// sliceLife is how long after it was stored a slice is served. Clients that
	// are online have caught up by then.
	sliceLife = time.Hour
)

// part is a slice to be served.
type part struct {
	chat.Slice
	runID    string
	sequence string
}

// cut stores the slices of a large range of members.
func (f *Fanout) cut(ctx context.Context, room *roomNews) error {
	if len(room.messages) == 0 && !room.gap {
		return nil // there is nothing that everybody is to know
	}
	bounds, err := f.store.MemberBounds(ctx, room.id, room.within, SliceSize, SlicesPerCut)
	if err != nil {
		return fmt.Errorf("read where to cut: %w", err)
	}
	var parts []chat.Slice
	if len(room.messages) > 0 {
		ids := make([]string, len(room.messages))
		for i, m := range room.messages {
			ids[i] = m.ID
		}
		parts = cutAt(bounds, room.within, chat.Slice{RoomID: room.id, MessageIDs: ids})
	}
	if room.gap {
		parts = append(parts, cutAt(bounds, room.within, chat.Slice{RoomID: room.id, MessageIDs: room.stale, Gap: true})...)
	}
	if err := f.store.PutSlices(ctx, runID(parts, room.replay), parts); err != nil {
		return err
	}
	return nil
}

// cutAt cuts a slice at bounds.
func cutAt(bounds []string, within chat.MemberRange, whole chat.Slice) []chat.Slice {
	newest := int64(0)
	for _, id := range whole.MessageIDs {
		if ms, err := chat.MessageTime(id); err == nil {
			newest = max(newest, ms)
		}
	}
	// By the messages, so that a second try stores the same.
	whole.ExpiresAt = newest + sliceLife.Milliseconds()
	parts := make([]chat.Slice, 0, len(bounds)+1)
	from := within.From
	for _, to := range append(bounds, within.To) {
		whole.Members = chat.MemberRange{From: from, To: to}
		parts = append(parts, whole)
		from = to
	}
	return parts
}

// runID names a run by all that its slices are to do: the same run, tried again,
// finds its slices stored, and another run, say with other bounds or of a
// replay, stores its own.
func runID(parts []chat.Slice, replay string) string {
	hash := sha256.New()
	field := func(text string) { _, _ = fmt.Fprintf(hash, "%d:%s", len(text), text) } // a hash takes everything
	field(replay)
	for _, p := range parts {
		field(p.RoomID)
		field(p.Members.From)
		field(p.Members.To)
		field(strconv.FormatBool(p.Gap))
		for _, id := range p.MessageIDs {
			field(id)
		}
		_, _ = io.WriteString(hash, ";")
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash.Sum(nil)[:16]))
}

// serveSlices serves slices, some at a time, as long as there is time for one
// more round. The others come again.
func (f *Fanout) serveSlices(
	ctx context.Context, parts []part, started time.Time, failed *failures, log *zerolog.Logger,
) deliveryCounts {
	var counts deliveryCounts
	if len(parts) == 0 {
		return counts
	}
	runs := f.readRuns(ctx, parts)
	before := len(failed.sequences)
	for i, round := range slices.Collect(slices.Chunk(parts, SlicesAtOnce)) {
		// The first round needs no time to be left: each invocation gets on.
		late := i > 0 && f.now().Sub(started) > f.deadline/2
		// What follows a failed slice comes again with it: serving it would tell it twice.
		if late || len(failed.sequences) > before || ctx.Err() != nil {
			for _, p := range round {
				failed.add(p.sequence)
			}
			continue
		}
		rooms := make([]*roomNews, len(round))
		for i, p := range round {
			rooms[i] = runs[p.of()].newsFor(p)
		}
		counts.add(f.serve(ctx, rooms, failed, log))
	}
	return counts
}

// source is where slices take their messages from: those of a run that tell
// the same.
type source struct {
	runID string
	gap   bool
}

func (p part) of() source { return source{p.runID, p.Gap} }

// run is what the slices of a source have in common.
type run struct {
	messages []chat.Message
	previous map[string]*string
	err      error
}

// readRuns reads the messages of slices, once for all slices of a run.
func (f *Fanout) readRuns(ctx context.Context, parts []part) map[source]*run {
	runs := map[source]*run{}
	var firsts []part
	for _, p := range parts {
		if runs[p.of()] == nil {
			runs[p.of()] = &run{}
			firsts = append(firsts, p)
		}
	}
	each(len(firsts), readsInFlight, func(i int) {
		p := firsts[i]
		if p.Gap {
			return
		}
		r := runs[p.of()]
		if r.messages, r.err = f.store.MessagesByID(ctx, p.RoomID, p.MessageIDs); r.err != nil {
			r.err = fmt.Errorf("read the messages of a slice: %w", r.err)
			return
		}
		news := roomNews{id: p.RoomID, messages: r.messages}
		r.err = f.readPrevious(ctx, &news)
		r.previous = news.previous
	})
	return runs
}

// newsFor is what the members of a slice are to know.
func (r *run) newsFor(p part) *roomNews {
	return &roomNews{
		id: p.RoomID, within: p.Members, messages: r.messages, previous: r.previous, gap: p.Gap, stale: p.MessageIDs,
		replay: p.runID, sequences: []string{p.sequence}, err: r.err,
	}
}
