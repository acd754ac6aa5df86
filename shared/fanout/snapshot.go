package fanout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// snapshot is what the table has now of the messages and the name that events
// are about. What is sent is taken from here: an event that comes late or twice
// does not bring back what was there before the next one.
type snapshot struct {
	messages []chat.Message     // those sent, with their current content; not those deleted since
	previous map[string]*string // a message's id to the id before it, nil if there is none
	versions map[string]int64   // all messages that changed, those of the events and those found
	changed  []chat.Message     // the same in their current states, in order
	reacted  []chat.Message     // those that were reacted to, in their current states
	name     string             // the room's, if it was renamed
}

// readSnapshot carries out a plan for events. known are current states of
// messages that need not be read again.
func (t *table) readSnapshot(ctx context.Context, e *events, plan reads, known []chat.Message) (snapshot, error) {
	var s snapshot
	stored, err := t.readUpTo(ctx, e, plan)
	if err != nil {
		return s, err
	}
	versions := newestVersions(e, stored)
	changed, err := t.readStates(ctx, e.roomID, versions, known)
	if err != nil {
		return s, err
	}
	reacted, err := t.readReacted(ctx, e, changed)
	if err != nil {
		return s, err
	}
	name := ""
	if plan.name {
		description, _, err := t.store.Room(ctx, e.roomID)
		if err != nil {
			return s, fmt.Errorf("read the room: %w", err)
		}
		name = description.Name
	}
	return snapshot{
		messages: refresh(e.messages, changed), previous: predecessors(e.messages, stored),
		versions: versions, changed: changed, reacted: reacted, name: name,
	}, nil
}

// readUpTo reads ids and versions of the messages up to the last one sent, back
// to the predecessor of the first. One read serves the batch, unless it is older
// than what others have written since.
func (t *table) readUpTo(ctx context.Context, e *events, plan reads) ([]chat.Message, error) {
	if plan.last == "" {
		return nil, nil
	}
	stored, err := t.store.MessagesUpTo(ctx, e.roomID, plan.last, plan.window)
	if err != nil {
		return nil, fmt.Errorf("read previous messages: %w", err)
	}
	if len(stored) < min(plan.window, wholePage) || stored[len(stored)-1].ID < plan.first {
		return stored, nil
	}
	// The read ended before the first one's predecessor.
	older, err := t.store.MessagesUpTo(ctx, e.roomID, plan.first, 2)
	if err != nil {
		return nil, fmt.Errorf("read previous messages: %w", err)
	}
	return slices.Concat(stored, older, e.messages), nil
}

// newestVersions returns the versions of the messages that changed: those of the
// events, and those sent that turn out to have changed since.
func newestVersions(e *events, stored []chat.Message) map[string]int64 {
	versions, own := e.changed, false
	for _, m := range stored {
		if m.Version() <= versions[m.ID] || !contains(e.messages, m.ID) {
			continue
		}
		if !own {
			versions, own = maps.Clone(versions), true
			if versions == nil {
				versions = map[string]int64{}
			}
		}
		versions[m.ID] = m.Version()
	}
	return versions
}

func contains(messages []chat.Message, id string) bool {
	_, found := slices.BinarySearchFunc(messages, id, compareID)
	return found
}

func compareID(m chat.Message, id string) int { return cmp.Compare(m.ID, id) }

// readStates returns the current states of messages, in order: those known, but
// for those that have a newer version, and the others as they are read.
func (t *table) readStates(
	ctx context.Context, roomID string, versions map[string]int64, known []chat.Message,
) ([]chat.Message, error) {
	if len(versions) == 0 {
		return nil, nil
	}
	states := make(map[string]chat.Message, len(versions))
	for _, m := range known {
		if m.Version() >= versions[m.ID] {
			states[m.ID] = m
		}
	}
	var unknown []string
	for id := range versions {
		if _, ok := states[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		read, err := t.store.MessagesByID(ctx, roomID, unknown)
		if err != nil {
			return nil, fmt.Errorf("read changed messages: %w", err)
		}
		for _, m := range read {
			states[m.ID] = m
		}
	}
	return slices.SortedFunc(maps.Values(states), func(a, b chat.Message) int { return cmp.Compare(a.ID, b.ID) }), nil
}

// refresh replaces messages that have changed by their current content and drops
// deleted ones, so that a late record never shows what was taken back. The
// deletion is sent instead.
func refresh(messages, changed []chat.Message) []chat.Message {
	if len(changed) == 0 {
		return messages
	}
	current := make([]chat.Message, 0, len(messages))
	for _, m := range messages {
		i, found := slices.BinarySearchFunc(changed, m.ID, compareID)
		switch {
		case !found:
		case changed[i].DeletedAt != 0:
			continue
		default:
			m.Content, m.Mentions = changed[i].Content, changed[i].Mentions
		}
		current = append(current, m)
	}
	return current
}

// predecessors returns the id before each message.
func predecessors(messages, stored []chat.Message) map[string]*string {
	ids := make([]string, len(stored))
	for i, m := range stored {
		ids[i] = m.ID
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	previous := make(map[string]*string, len(messages))
	for _, m := range messages {
		if i, _ := slices.BinarySearch(ids, m.ID); i > 0 {
			previous[m.ID] = &ids[i-1]
		}
	}
	return previous
}
