package fanout

import (
	"cmp"
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

	"github.com/streamroom/streamroom/shared/changes"
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

// MemberRange is a part of a room's members: the user ids from From up to, not
// including, To, in the order of their bytes. "" leaves a side open.
type MemberRange struct{ From, To string }

// Slice is a part of a large room's fan-out: what a range of its members has yet
// to be sent.
type Slice struct {
	RoomID     string
	Members    MemberRange
	MessageIDs []string
	Gap        bool  // send a gap, not the messages
	Renamed    bool  // send the room's name, too
	Replayed   bool  // it comes from a replay
	ExpiresAt  int64 // ms; the slice is not needed after that
}

// sliceOf is the slice of a change. A stale one has become a gap.
func sliceOf(c changes.SliceStored, stale bool) Slice {
	return Slice{
		RoomID: c.RoomID, Members: MemberRange{From: c.FromMember, To: c.ToMember}, MessageIDs: c.MessageIDs,
		Gap: c.Gap || stale, Renamed: c.Renamed, Replayed: c.Replayed, ExpiresAt: c.ExpiresAt,
	}
}

// storeSlices stores the slices of a large range of members.
func (t *table) storeSlices(ctx context.Context, e *events, now snapshot, within MemberRange) error {
	bounds, err := t.store.MemberBounds(ctx, e.roomID, within, SliceSize, SlicesPerCut)
	if err != nil {
		return fmt.Errorf("read where to cut: %w", err)
	}
	var parts []Slice
	for _, whole := range wholes(e, now) {
		parts = append(parts, cut(whole, within, bounds)...)
	}
	return t.store.PutSlices(ctx, runID(parts, e, now), parts)
}

// wholes are the slices of a range before it is cut: one of what happened, and
// one of a gap. ExpiresAt derives from the newest event, not from the clock, so
// that a retry stores identical items.
func wholes(e *events, now snapshot) []Slice {
	var wholes []Slice
	if len(now.messages) > 0 || len(now.versions) > 0 || e.renamedAt != 0 {
		ids := slices.Collect(maps.Keys(now.versions))
		for _, m := range now.messages {
			ids = append(ids, m.ID)
		}
		slices.Sort(ids)
		wholes = append(wholes, Slice{
			RoomID: e.roomID, MessageIDs: slices.Compact(ids), Renamed: e.renamedAt != 0,
			Replayed: e.replay != "", ExpiresAt: newest(e, now) + sliceLife.Milliseconds(),
		})
	}
	if e.gap {
		wholes = append(wholes, Slice{
			RoomID: e.roomID, MessageIDs: e.stale, Gap: true, Replayed: e.replay != "",
			ExpiresAt: newestOf(e.stale) + sliceLife.Milliseconds(),
		})
	}
	return wholes
}

// newest is the time of the newest of what happened in the room, in ms.
func newest(e *events, now snapshot) int64 {
	newest := e.renamedAt
	for _, m := range now.messages {
		newest = max(newest, m.SentAt)
	}
	for _, at := range now.versions {
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

// cut cuts a slice of a range at bounds.
func cut(whole Slice, within MemberRange, bounds []string) []Slice {
	parts := make([]Slice, 0, len(bounds)+1)
	from := within.From
	for _, to := range append(bounds, within.To) {
		whole.Members = MemberRange{From: from, To: to}
		parts = append(parts, whole)
		from = to
	}
	return parts
}

// runID is a hash of the content of a run's slices, so that a retry finds its
// own slices stored, and another run, say with other bounds, of a replay, or of
// the next edit of a message, stores its own.
func runID(parts []Slice, e *events, now snapshot) string {
	hash := sha256.New()
	field := func(text string) { _, _ = fmt.Fprintf(hash, "%d:%s", len(text), text) } // a hash takes everything
	field(cmp.Or(e.run, e.replay))
	field(strconv.FormatInt(e.renamedAt, 10))
	for _, id := range slices.Sorted(maps.Keys(now.versions)) {
		field(id)
		field(strconv.FormatInt(now.versions[id], 10))
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
