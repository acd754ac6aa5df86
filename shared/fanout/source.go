package fanout

import (
	"context"
	"fmt"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
)

// storedSlice is a slice to be served, with the record that brought it.
type storedSlice struct {
	Slice

	runID    string
	sequence string
}

// replay returns what a slice of a replay says of it: that there was one, not which.
func (s storedSlice) replay() string {
	if s.Replayed {
		return changes.ReplaySource
	}
	return ""
}

// source is what the slices of a run send: events and their snapshot, as a
// room's would be.
type source struct {
	events   events
	snapshot snapshot
	err      error
}

// readSources returns the source of each slice. The slices of a run share one,
// which is read once.
func (t *table) readSources(ctx context.Context, parts []storedSlice) []*source {
	sources := make([]*source, len(parts))
	shared := map[string]*source{}
	var firsts []int
	for i, s := range parts {
		if s.Gap { // there is nothing to read, and a gap's messages are its own
			sources[i] = &source{events: gapOf(s)}
			continue
		}
		if shared[s.runID] == nil {
			shared[s.runID] = &source{}
			firsts = append(firsts, i)
		}
		sources[i] = shared[s.runID]
	}
	parallel.Each(len(firsts), readsInFlight, func(i int) {
		*sources[firsts[i]] = t.readSource(ctx, parts[firsts[i]])
	})
	return sources
}

// gapOf returns the events of a slice that sends a gap.
func gapOf(s storedSlice) events {
	return events{roomID: s.RoomID, gap: true, stale: s.MessageIDs, run: s.runID, replay: s.replay()}
}

// readSource reads what a slice sends, as it is now.
func (t *table) readSource(ctx context.Context, s storedSlice) source {
	messages, err := t.store.MessagesByID(ctx, s.RoomID, s.MessageIDs)
	if err != nil {
		return source{events: events{roomID: s.RoomID}, err: fmt.Errorf("read the messages of a slice: %w", err)}
	}
	e, known := eventsOf(s, messages)
	now, err := t.readSnapshot(ctx, &e, planReads(&e), known)
	return source{events: e, snapshot: now, err: err}
}

// eventsOf returns the events of a slice by the current states of its messages:
// those that have changed are known already.
func eventsOf(s storedSlice, messages []chat.Message) (e events, known []chat.Message) {
	e = events{roomID: s.RoomID, changed: map[string]int64{}, run: s.runID, replay: s.replay()}
	if s.Renamed {
		e.renamedAt = s.ExpiresAt - sliceLife.Milliseconds()
	}
	for _, m := range messages {
		if version := m.Version(); version != 0 {
			e.changed[m.ID] = version
			known = append(known, m)
		} else {
			e.messages = append(e.messages, m)
		}
	}
	e.messages = sorted(e.messages)
	return e, known
}
