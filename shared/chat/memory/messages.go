package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// PutMessage implements chat.SendStore.
func (s *Store) PutMessage(ctx context.Context, m chat.Message) error {
	unlock, err := s.begin(ctx, "PutMessage")
	if err != nil {
		return err
	}
	defer unlock()
	if _, ok := s.room(m.RoomID).messages[m.ID]; ok {
		return nil
	}
	if err := s.attach(m); err != nil {
		return err
	}
	s.put(m)
	return nil
}

// put stores a message that is not there yet.
func (s *Store) put(m chat.Message) {
	m.ReadBy = nil // derived from cursors
	s.room(m.RoomID).messages[m.ID] = m
}

// HasMessage implements chat.SendStore.
func (s *Store) HasMessage(ctx context.Context, roomID, messageID string) (bool, error) {
	unlock, err := s.begin(ctx, "HasMessage")
	if err != nil {
		return false, err
	}
	defer unlock()
	_, ok := s.message(roomID, messageID)
	return ok, nil
}

// MessagesByID implements chat.SendStore.
func (s *Store) MessagesByID(ctx context.Context, roomID string, messageIDs []string) ([]chat.Message, error) {
	unlock, err := s.begin(ctx, "MessagesByID")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var messages []chat.Message
	for _, id := range slices.Compact(slices.Sorted(slices.Values(messageIDs))) {
		if m, ok := s.message(roomID, id); ok {
			messages = append(messages, m)
		}
	}
	return messages, nil
}

// MessageBefore implements chat.SendStore.
func (s *Store) MessageBefore(ctx context.Context, roomID, messageID string) (string, error) {
	unlock, err := s.begin(ctx, "MessageBefore")
	if err != nil {
		return "", err
	}
	defer unlock()
	before := chat.NoneBefore
	for id := range s.room(roomID).messages {
		if id == messageID {
			return "", nil
		}
		if id < messageID {
			before = max(before, id)
		}
	}
	return before, nil
}

// ClaimSend implements chat.SendStore.
func (s *Store) ClaimSend(ctx context.Context, m chat.Message, now int64) (chat.SentBefore, bool, error) {
	unlock, err := s.begin(ctx, "ClaimSend")
	if err != nil {
		return chat.SentBefore{}, false, err
	}
	defer unlock()
	key := [2]string{m.SenderID, m.ClientMessageID}
	if earlier, ok := s.sent[key]; ok && (earlier.expiresAt+999)/1000 > now/1000 && (earlier.Stored || earlier.MessageID != m.ID) {
		return earlier.SentBefore, false, nil
	}
	s.remember(m, false, now)
	return chat.SentBefore{}, true, nil
}

// ResumeSend implements chat.SendStore.
func (s *Store) ResumeSend(ctx context.Context, m chat.Message, earlier chat.SentBefore, now int64) (chat.SentBefore, bool, error) {
	unlock, err := s.begin(ctx, "ResumeSend")
	if err != nil {
		return chat.SentBefore{}, false, err
	}
	defer unlock()
	latest := s.sent[[2]string{m.SenderID, m.ClientMessageID}].SentBefore
	if latest != earlier || latest.Stored {
		return latest, false, nil
	}
	if _, ok := s.room(m.RoomID).messages[m.ID]; ok {
		earlier.Stored = earlier.MessageID == m.ID
		return earlier, false, nil
	}
	if err := s.attach(m); err != nil {
		return chat.SentBefore{}, false, err
	}
	s.put(m)
	return s.remember(m, true, now), true, nil
}

// remember remembers a message by its client message id.
func (s *Store) remember(m chat.Message, stored bool, now int64) chat.SentBefore {
	before := chat.SentBefore{RoomID: m.RoomID, MessageID: m.ID, Stored: stored}
	s.sent[[2]string{m.SenderID, m.ClientMessageID}] = sent{before, now + chat.SentMemory.Milliseconds()}
	return before
}

// between returns the messages of a room after one id, up to and including
// another ("" is open), oldest first.
func (r *room) between(after, upTo string) []chat.Message {
	var messages []chat.Message
	for id, m := range r.messages {
		if id > after && (upTo == "" || id <= upTo) {
			messages = append(messages, m)
		}
	}
	slices.SortFunc(messages, func(a, b chat.Message) int { return cmp.Compare(a.ID, b.ID) })
	return messages
}

// Messages implements chat.HistoryStore.
func (s *Store) Messages(ctx context.Context, roomID string, r chat.Range) ([]chat.Message, bool, error) {
	unlock, err := s.begin(ctx, "Messages")
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	messages := s.alive(s.room(roomID).between(r.After, r.Before))
	if r.After == "" {
		messages = slices.DeleteFunc(messages, func(m chat.Message) bool { return m.ID == r.Before })
		slices.Reverse(messages)
	}
	if len(messages) > r.Limit {
		return messages[:r.Limit], true, nil
	}
	return messages, false, nil
}

// MessagesAfter implements chat.HistoryStore. It bounds no cost.
func (s *Store) MessagesAfter(ctx context.Context, rooms []chat.Position, limit int) ([]chat.Missed, error) {
	unlock, err := s.begin(ctx, "MessagesAfter")
	if err != nil {
		return nil, err
	}
	defer unlock()
	missed := make([]chat.Missed, len(rooms))
	for i, room := range rooms {
		messages := s.alive(s.room(room.RoomID).between(room.MessageID, ""))
		missed[i] = chat.Missed{
			RoomID: room.RoomID, Messages: messages[:min(limit, len(messages))], More: len(messages) > limit,
		}
	}
	return missed, nil
}

// EditMessage implements chat.EditStore.
func (s *Store) EditMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	return s.changeMessage(ctx, "EditMessage", m, func(stored *chat.Message) {
		stored.Content, stored.Mentions, stored.EditedAt = m.Content, m.Mentions, m.EditedAt
	})
}

// DeleteMessage implements chat.EditStore.
func (s *Store) DeleteMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	return s.changeMessage(ctx, "DeleteMessage", m, func(stored *chat.Message) {
		stored.Content, stored.EditedAt, stored.DeletedAt, stored.DeletedBy = "", 0, m.DeletedAt, m.DeletedBy
		stored.Attachments, stored.ReplyTo, stored.Mentions, stored.Reactions.Counts = nil, nil, nil, nil
		for _, file := range m.Attachments {
			stored.Removed = append(stored.Removed, file.ID)
		}
	})
}

func (s *Store) changeMessage(
	ctx context.Context, method string, m chat.Message, change func(*chat.Message),
) (chat.Message, bool, error) {
	unlock, err := s.begin(ctx, method)
	if err != nil {
		return chat.Message{}, false, err
	}
	defer unlock()
	stored, ok := s.room(m.RoomID).messages[m.ID]
	if !ok {
		return chat.Message{}, false, fmt.Errorf("message %s does not exist", m.ID)
	}
	changed := stored.DeletedAt == 0 && stored.Version() < m.Version()
	if changed {
		change(&stored)
		s.room(m.RoomID).messages[m.ID] = stored
	}
	stored, _ = stored.AsOf(s.now().UnixMilli())
	return stored, changed, nil
}

// Place implements chat.PlaceStore.
func (s *Store) Place(ctx context.Context, roomID, userID, messageID string) (chat.Place, error) {
	unlock, err := s.begin(ctx, "Place")
	if err != nil {
		return chat.Place{}, err
	}
	defer unlock()
	r := s.room(roomID)
	place := chat.Place{Room: chat.Room{ID: roomID}, Cursor: r.cursors[userID]}
	if r.about != nil {
		place.Room = *r.about
		place.Self, place.Member = r.members[userID]
	}
	place.Message, place.Found = s.message(roomID, messageID)
	return place, nil
}

// StoredBetween implements chat.ReadingStore. It bounds no cost.
func (s *Store) StoredBetween(ctx context.Context, roomID, after, upTo string) (ids []string, all bool, err error) {
	unlock, err := s.begin(ctx, "StoredBetween")
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	for _, m := range slices.Backward(s.room(roomID).between(after, upTo)) {
		if len(ids) == chat.MaxKnown {
			return ids, false, nil
		}
		ids = append(ids, m.ID)
	}
	return ids, true, nil
}

// AdvanceReadCursor implements chat.ReadingStore.
func (s *Store) AdvanceReadCursor(ctx context.Context, roomID, userID string, to chat.ReadCursor, _ int64) (bool, error) {
	unlock, err := s.begin(ctx, "AdvanceReadCursor")
	if err != nil {
		return false, err
	}
	defer unlock()
	cursors := s.room(roomID).cursors
	was := cursors[userID]
	if was.UpTo >= to.UpTo {
		return false, nil
	}
	to.From = was.From
	cursors[userID] = to
	return true, nil
}

// ReviseReadCursor implements chat.ReadingStore.
func (s *Store) ReviseReadCursor(ctx context.Context, roomID, userID string, was, now chat.ReadCursor, _ int64) (bool, error) {
	unlock, err := s.begin(ctx, "ReviseReadCursor")
	if err != nil {
		return false, err
	}
	defer unlock()
	cursors := s.room(roomID).cursors
	stored := cursors[userID]
	if stored.UpTo != was.UpTo || stored.Known != was.Known {
		return false, nil
	}
	stored.Since, stored.Known = now.Since, now.Known
	cursors[userID] = stored
	return true, nil
}

// ReadCursors implements chat.HistoryStore and chat.RoomStore.
func (s *Store) ReadCursors(ctx context.Context, roomID, from, to string) (map[string]chat.ReadCursor, error) {
	unlock, err := s.begin(ctx, "ReadCursors")
	if err != nil {
		return nil, err
	}
	defer unlock()
	cursors := maps.Clone(s.room(roomID).cursors)
	maps.DeleteFunc(cursors, func(user string, _ chat.ReadCursor) bool { return user < from || (to != "" && user > to) })
	return cursors, nil
}
