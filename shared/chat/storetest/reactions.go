package storetest

import (
	"fmt"

	"github.com/streamroom/streamroom/shared/chat"
)

// react changes a reaction by what is stored, and returns whether it did.
func (f *fixture) react(m chat.Message, userID, reaction string, add bool) bool {
	f.Helper()
	changed, err := f.ChangeReaction(f.Context(), f.reactedTo(m, userID), userID, reaction, add)
	ok(f, err)
	return changed
}

// reactedTo reads a message with a user's own reactions.
func (f *fixture) reactedTo(m chat.Message, userID string) chat.Message {
	f.Helper()
	place, err := f.Place(f.Context(), m.RoomID, userID, m.ID)
	ok(f, err)
	mine, err := f.Reacted(f.Context(), userID, []chat.Message{m})
	ok(f, err)
	place.Message.Reactions.Mine = mine[m.ID]
	return place.Message
}

var reactionTests = map[string]func(*fixture){
	"ChangeReaction/counts who reacted, and keeps whose is what": func(f *fixture) {
		m := message("r", "alice", 0)
		f.put(m)
		for i, step := range []struct {
			user, reaction string
			add, changed   bool
			counts         map[string]int
			mine           []string
		}{
			{"bob", "👍", false, false, nil, nil},
			{"bob", "👍", true, true, map[string]int{"👍": 1}, []string{"👍"}},
			{"bob", "👍", true, false, map[string]int{"👍": 1}, []string{"👍"}},
			{"carol", "👍", true, true, map[string]int{"👍": 2}, []string{"👍"}},
			{"bob", ":tada:", true, true, map[string]int{"👍": 2, ":tada:": 1}, []string{"👍", ":tada:"}},
			{"bob", "👍", false, true, map[string]int{"👍": 1, ":tada:": 1}, []string{":tada:"}},
			{"bob", "👍", false, false, map[string]int{"👍": 1, ":tada:": 1}, []string{":tada:"}},
			{"carol", "👍", false, true, map[string]int{":tada:": 1}, nil},
			{"bob", ":tada:", false, true, nil, nil},
			{"carol", "👍", true, true, map[string]int{"👍": 1}, []string{"👍"}},
		} {
			if changed := f.react(m, step.user, step.reaction, step.add); changed != step.changed {
				f.Errorf("step %d: changed %t", i, changed)
			}
			got := f.reactedTo(m, step.user).Reactions
			equal(f, fmt.Sprint("counts after step ", i), step.counts, got.Counts)
			equal(f, fmt.Sprint("own ones after step ", i), step.mine, got.Mine)
		}
		if version := f.reactedTo(m, "bob").Reactions.Version; version != 7 {
			f.Errorf("version %d, want 7 changes", version)
		}
	},
	"ChangeReaction/changes no more than MaxReactionKinds, none of a deleted message, and nothing else": func(f *fixture) {
		m := message("r", "alice", 0)
		f.put(m)
		for i := range chat.MaxReactionKinds {
			f.react(m, "bob", fmt.Sprintf(":%d:", i), true)
		}
		if f.react(m, "bob", "👍", true) {
			f.Error("one kind too many was stored")
		}
		if !f.react(m, "carol", ":0:", true) {
			f.Error("a kind that is there was refused")
		}
		stored := f.reactedTo(m, "dave")
		if len(stored.Reactions.Counts) != chat.MaxReactionKinds || stored.Version() != 0 || stored.Content != m.Content {
			f.Errorf("stored %+v", stored)
		}
		seen := f.reactedTo(m, "dave")
		m.DeletedAt = epoch + 1
		deleted, _, err := f.DeleteMessage(f.Context(), m)
		ok(f, err)
		if deleted.Reactions.Counts != nil || deleted.Reactions.Version == 0 {
			f.Errorf("the deleted message has %+v, want a version alone", deleted.Reactions)
		}
		for _, add := range []bool{true, false} {
			seen.Reactions.Mine = map[bool][]string{false: {":0:"}}[add]
			if changed, err := f.ChangeReaction(f.Context(), seen, "dave", ":0:", add); changed || err != nil {
				f.Errorf("a deleted message: changed %t, error %v", changed, err)
			}
		}
		absent := message("r", "alice", 9)
		if changed, err := f.ChangeReaction(f.Context(), absent, "dave", "👍", true); changed || err != nil {
			f.Errorf("no message: changed %t, error %v", changed, err)
		}
		mine, err := f.Reacted(f.Context(), "dave", []chat.Message{m, absent})
		ok(f, err)
		equal(f, "of a user who never reacted", map[string][]string{}, mine)
	},
	"ChangeReaction/of one user at once one counts": func(f *fixture) {
		m := message("r", "alice", 0)
		f.put(m)
		seen := f.reactedTo(m, "bob")
		won := race(f, 5, func(int) (bool, error) { return f.ChangeReaction(f.Context(), seen, "bob", "👍", true) })
		equal(f, "counts", map[string]int{"👍": 1}, f.reactedTo(m, "bob").Reactions.Counts)
		if won != 1 {
			f.Errorf("%d of 5 changed it", won)
		}
	},
	"RemoveReactions/removes those of one message": func(f *fixture) {
		m, other := message("r", "alice", 0), message("r", "alice", 1)
		f.put(m, other)
		for _, user := range []string{"alice", "bob"} {
			f.react(m, user, "👍", true)
			f.react(other, user, "👍", true)
		}
		ok(f, f.RemoveReactions(f.Context(), "r", m.ID))
		for _, user := range []string{"alice", "bob"} {
			mine, err := f.Reacted(f.Context(), user, []chat.Message{m, other})
			ok(f, err)
			equal(f, "left", map[string][]string{other.ID: {"👍"}}, mine)
		}
	},
}
