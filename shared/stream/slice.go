package stream

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
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
	if !room.general() {
		return nil
	}
	bounds, err := f.store.MemberBounds(ctx, room.id, room.within, SliceSize, SlicesPerCut)
	if err != nil {
		return fmt.Errorf("read where to cut: %w", err)
	}
	var parts []chat.Slice
	if len(room.messages) > 0 || len(room.changed) > 0 || room.renamed != 0 {
		ids := slices.Collect(maps.Keys(room.changed))
		for _, m := range room.messages {
			ids = append(ids, m.ID)
		}
		slices.Sort(ids)
		whole := chat.Slice{RoomID: room.id, MessageIDs: slices.Compact(ids), Renamed: room.renamed != 0, ExpiresAt: room.newest()}
		parts = cutAt(bounds, room.within, whole)
	}
	if room.gap {
		whole := chat.Slice{RoomID: room.id, MessageIDs: room.stale, Gap: true, ExpiresAt: newestOf(room.stale)}
		parts = append(parts, cutAt(bounds, room.within, whole)...)
	}
	return f.store.PutSlices(ctx, runID(parts, room), parts)
}

// newest is the time of the newest of what happened in the room, in ms.
func (r *roomNews) newest() int64 {
	newest := r.renamed
	for _, m := range r.messages {
		newest = max(newest, m.SentAt)
	}
	for _, at := range r.changed {
		newest = max(newest, at)
	}
	return newest
}

func newestOf(messageIDs []string) (newest int64) {
	for _, id := range messageIDs {
		if ms, err := chat.MessageTime(id); err == nil {
			newest = max(newest, ms)
		}
	}
	return newest
}

// cutAt cuts a slice at bounds. It lives for a while from the time that it has
// for its end: by what it tells of, so that a second try stores the same.
func cutAt(bounds []string, within chat.MemberRange, whole chat.Slice) []chat.Slice {
	whole.ExpiresAt += sliceLife.Milliseconds()
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
// finds its slices stored, and another run, say with other bounds, of a replay,
// or of the next edit of a message, stores its own.
func runID(parts []chat.Slice, room *roomNews) string {
	hash := sha256.New()
	field := func(text string) { _, _ = fmt.Fprintf(hash, "%d:%s", len(text), text) } // a hash takes everything
	field(room.replay)
	field(strconv.FormatInt(room.renamed, 10))
	for _, id := range slices.Sorted(maps.Keys(room.changed)) {
		field(id)
		field(strconv.FormatInt(room.changed[id], 10))
	}
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
		// What follows a failed slice comes again with it: serving it would tell it twice.
		if i > 0 && f.late(started) || len(failed.sequences) > before || ctx.Err() != nil {
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
	changed  map[string]int64
	changes  []chat.Message
	renamed  int64
	name     string
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
	parallel.Each(len(firsts), readsInFlight, func(i int) {
		p := firsts[i]
		if p.Gap {
			return
		}
		r := runs[p.of()]
		r.err = f.readRun(ctx, p.Slice, r)
	})
	return runs
}

// readRun reads what a slice tells of, as it is now.
func (f *Fanout) readRun(ctx context.Context, s chat.Slice, r *run) error {
	messages, err := f.store.MessagesByID(ctx, s.RoomID, s.MessageIDs)
	if err != nil {
		return fmt.Errorf("read the messages of a slice: %w", err)
	}
	news := roomNews{id: s.RoomID, changed: map[string]int64{}, changes: []chat.Message{}}
	for _, m := range messages {
		if version := m.Version(); version != 0 {
			news.changed[m.ID] = version
			news.changes = append(news.changes, m)
		} else {
			news.messages = append(news.messages, m)
		}
	}
	if s.Renamed {
		news.renamed = s.ExpiresAt - sliceLife.Milliseconds()
	}
	if err := f.readPrevious(ctx, &news); err != nil {
		return err
	}
	if err := f.readChanges(ctx, &news); err != nil {
		return err
	}
	*r = run{
		messages: news.messages, previous: news.previous, changed: news.changed, changes: news.changes,
		renamed: news.renamed, name: news.name,
	}
	return nil
}

// newsFor is what the members of a slice are to know.
func (r *run) newsFor(p part) *roomNews {
	return &roomNews{
		id: p.RoomID, within: p.Members, messages: r.messages, previous: r.previous, gap: p.Gap, stale: p.MessageIDs,
		changed: r.changed, changes: r.changes, renamed: r.renamed, name: r.name,
		replay: p.runID, sequences: []string{p.sequence}, err: r.err,
	}
}
