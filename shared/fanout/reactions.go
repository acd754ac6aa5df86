package fanout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// reactedRoom is the size up to which all members of a room are notified of reactions.
// Beyond it, n members who react to one message would cost n² posts: the others have the
// counts from history.
const reactedRoom = SliceAbove

// changedNamed is how many changes of a message's reactions a frame names to all, the
// newest ones.
const changedNamed = 20

// addReacted notes with what a user reacted to a message. Of what they add and take back
// in turn, the last counts.
func (e *events) addReacted(c changes.Reacted) {
	if e.reacted == nil {
		e.reacted = map[string][]wire.ReactionChange{}
	}
	list := e.reacted[c.MessageID]
	add := func(reaction string, added bool) {
		list = slices.DeleteFunc(list, func(r wire.ReactionChange) bool { return r.UserID == c.UserID && r.Reaction == reaction })
		list = append(list, wire.ReactionChange{UserID: c.UserID, Reaction: reaction, Added: added})
	}
	for _, reaction := range c.Removed {
		add(reaction, false)
	}
	for _, reaction := range c.Added {
		add(reaction, true)
	}
	e.reacted[c.MessageID] = list
}

// reactors are those who reacted.
func (e *events) reactors() (users []string) {
	for _, list := range e.reacted {
		for _, c := range list {
			users = append(users, c.UserID)
		}
	}
	return users
}

// readReacted returns the current states of the messages that were reacted to, in order,
// without those that were deleted since. changed are states that were read already.
func (t *table) readReacted(ctx context.Context, e *events, changed []chat.Message) ([]chat.Message, error) {
	if len(e.reacted) == 0 {
		return nil, nil
	}
	var states []chat.Message
	var unknown []string
	for _, id := range slices.Sorted(maps.Keys(e.reacted)) {
		if i, found := slices.BinarySearchFunc(changed, id, compareID); found {
			states = append(states, changed[i])
		} else {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		read, err := t.store.MessagesByID(ctx, e.roomID, unknown)
		if err != nil {
			return nil, fmt.Errorf("read the messages that were reacted to: %w", err)
		}
		states = append(states, read...)
	}
	states = slices.DeleteFunc(states, func(m chat.Message) bool { return m.DeletedAt != 0 })
	slices.SortFunc(states, func(a, b chat.Message) int { return cmp.Compare(a.ID, b.ID) })
	return states, nil
}

// encodeReactions gives the counts to all members, once for each message, with the
// changes that led to them; in a large room to those who reacted.
func (b *broadcast) encodeReactions(to frames) {
	for _, m := range b.snapshot.reacted {
		changed := b.events.reacted[m.ID]
		var named []wire.ReactionChange
		if !b.audience.large {
			named = changed[max(0, len(changed)-changedNamed):]
		}
		own := map[string][]wire.ReactionChange{} // of those who reacted and are not named
		for _, c := range changed[:len(changed)-len(named)] {
			own[c.UserID] = append(own[c.UserID], c)
		}
		common := encode(reactionsFrame(m, named))
		for _, user := range b.audience.members {
			if len(own[user]) == 0 {
				to.add(user, common)
			}
		}
		for _, user := range slices.Sorted(maps.Keys(own)) {
			if b.audience.large || slices.Contains(b.audience.members, user) {
				to.add(user, encode(reactionsFrame(m, slices.Concat(own[user], named))))
			}
		}
	}
}

func reactionsFrame(m chat.Message, changed []wire.ReactionChange) wire.ReactionsChanged {
	frame := wire.ReactionsChanged{
		Type: wire.TypeReactions, ChatRoomID: m.RoomID, MessageID: m.ID, Version: m.Reactions.Version,
		Counts: m.Reactions.Counts, Changed: changed,
	}
	if frame.Counts == nil {
		frame.Counts = map[string]int{}
	}
	return frame
}
