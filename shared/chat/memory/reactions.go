package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// Reacted implements chat.ReactionStore and chat.HistoryStore.
func (s *Store) Reacted(ctx context.Context, userID string, messages []chat.Message) (map[string][]string, error) {
	unlock, err := s.begin(ctx, "Reacted")
	if err != nil {
		return nil, err
	}
	defer unlock()
	mine := map[string][]string{}
	for _, m := range messages {
		if stored := s.room(m.RoomID).messages[m.ID]; chat.HasExpired(stored.ExpiresAt, s.now().UnixMilli()) {
			continue // they end with their message
		}
		if own := s.room(m.RoomID).reacted[[2]string{m.ID, userID}]; len(own) > 0 {
			mine[m.ID] = slices.Clone(own)
		}
	}
	return mine, nil
}

// ChangeReaction implements chat.ReactionStore.
func (s *Store) ChangeReaction(ctx context.Context, m chat.Message, userID, reaction string, add bool) (bool, error) {
	unlock, err := s.begin(ctx, "ChangeReaction")
	if err != nil {
		return false, err
	}
	defer unlock()
	r, key := s.room(m.RoomID), [2]string{m.ID, userID}
	stored, ok := r.messages[m.ID]
	own := r.reacted[key]
	_, known := stored.Reactions.Counts[reaction]
	full := add && !known && len(stored.Reactions.Counts) >= chat.MaxReactionKinds
	if !ok || stored.DeletedAt != 0 || full || slices.Contains(own, reaction) == add {
		return false, nil
	}
	counts := maps.Clone(stored.Reactions.Counts)
	if counts == nil {
		counts = map[string]int{}
	}
	if add {
		counts[reaction]++
		own = slices.Sorted(slices.Values(append(slices.Clone(own), reaction)))
	} else {
		counts[reaction]--
		own = slices.DeleteFunc(slices.Clone(own), func(r string) bool { return r == reaction })
	}
	maps.DeleteFunc(counts, func(_ string, n int) bool { return n == 0 })
	stored.Reactions = chat.Reactions{Version: stored.Reactions.Version + 1, Counts: counts}
	r.messages[m.ID] = stored
	r.reacted[key] = own
	if len(own) == 0 {
		delete(r.reacted, key)
	}
	return true, nil
}

// RemoveReactions removes what members reacted to a message with, as the stream's reader
// does after a deletion.
func (s *Store) RemoveReactions(ctx context.Context, roomID, messageID string) error {
	unlock, err := s.begin(ctx, "RemoveReactions")
	if err != nil {
		return err
	}
	defer unlock()
	maps.DeleteFunc(s.room(roomID).reacted, func(key [2]string, _ []string) bool { return key[0] == messageID })
	return nil
}
