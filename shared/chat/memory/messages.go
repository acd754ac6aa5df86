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
func (s *Store) PutMessage(ctx context.Context, m chat.Message, now int64) (chat.SentBefore, bool, error) {
	unlock, err := s.begin(ctx, "PutMessage")
	if err != nil {
		return chat.SentBefore{}, false, err
	}
	defer unlock()
	key := [2]string{m.SenderID, m.ClientMessageID}
	if earlier, ok := s.sent[key]; ok && (earlier.expiresAt+999)/1000 > now/1000 {
		return earlier.SentBefore, earlier.MessageID != m.ID, nil
	}
	r := s.room(m.RoomID)
	if _, ok := r.messages[m.ID]; ok {
		return chat.SentBefore{}, false, nil
	}
	r.messages[m.ID] = clone(m)
	if m.ClientMessageID != "" {
		s.sent[key] = sent{
			SentBefore: chat.SentBefore{RoomID: m.RoomID, MessageID: m.ID},
			expiresAt:  now + chat.SentMemory.Milliseconds(),
		}
	}
	return chat.SentBefore{}, false, nil
}

// clone copies a message with its readers, sorted.
func clone(m chat.Message) chat.Message {
	m.ReadBy = slices.Clone(m.ReadBy)
	slices.Sort(m.ReadBy)
	return m
}

// between returns the messages of a room after one id, up to and including
// another ("" is open), oldest first.
func (r *room) between(after, upTo string) []chat.Message {
	var messages []chat.Message
	for id, m := range r.messages {
		if id > after && (upTo == "" || id <= upTo) {
			messages = append(messages, clone(m))
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
	messages := s.room(roomID).between(r.After, r.Before)
	if r.After == "" {
		messages = slices.DeleteFunc(messages, func(m chat.Message) bool { return m.ID == r.Before })
		slices.Reverse(messages)
	}
	if len(messages) > r.Limit {
		return messages[:r.Limit], true, nil
	}
	return messages, false, nil
}

// EditMessage implements chat.EditStore.
func (s *Store) EditMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	return s.changeMessage(ctx, "EditMessage", m, func(stored *chat.Message) {
		stored.Content, stored.EditedAt = m.Content, m.EditedAt
	})
}

// DeleteMessage implements chat.EditStore.
func (s *Store) DeleteMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	return s.changeMessage(ctx, "DeleteMessage", m, func(stored *chat.Message) {
		stored.Content, stored.ReadBy, stored.EditedAt, stored.DeletedAt = "", nil, 0, m.DeletedAt
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
	return clone(stored), changed, nil
}

// Place implements chat.PlaceStore.
func (s *Store) Place(ctx context.Context, roomID, userID, messageID string) (chat.Place, error) {
	unlock, err := s.begin(ctx, "Place")
	if err != nil {
		return chat.Place{}, err
	}
	defer unlock()
	r := s.room(roomID)
	place := chat.Place{Room: chat.Room{ID: roomID}, ReadUpTo: r.cursors[userID]}
	if r.about != nil {
		place.Room = *r.about
		_, place.Member = r.members[userID]
	}
	m, ok := r.messages[messageID]
	if ok {
		place.Message, place.Found = clone(m), true
	}
	return place, nil
}

// Unread implements chat.ReadingStore.
func (s *Store) Unread(ctx context.Context, roomID, after, upTo string, limit int) ([]chat.Message, error) {
	unlock, err := s.begin(ctx, "Unread")
	if err != nil {
		return nil, err
	}
	defer unlock()
	unread := s.room(roomID).between(after, upTo)
	slices.Reverse(unread)
	unread = unread[:min(limit, len(unread))]
	for i, m := range unread {
		unread[i] = chat.Message{
			RoomID: m.RoomID, ID: m.ID, SentAt: m.SentAt, SenderID: m.SenderID, ReadBy: m.ReadBy, DeletedAt: m.DeletedAt,
		}
	}
	return unread, nil
}

// AddReader implements chat.ReadingStore.
func (s *Store) AddReader(ctx context.Context, roomID, messageID, userID string) error {
	unlock, err := s.begin(ctx, "AddReader")
	if err != nil {
		return err
	}
	defer unlock()
	m, ok := s.room(roomID).messages[messageID]
	if ok && m.DeletedAt == 0 && !slices.Contains(m.ReadBy, userID) {
		m.ReadBy = append(slices.Clone(m.ReadBy), userID)
		s.room(roomID).messages[messageID] = m
	}
	return nil
}

// AdvanceReadCursor implements chat.ReadingStore.
func (s *Store) AdvanceReadCursor(ctx context.Context, roomID, userID, upTo string, _ int64) error {
	unlock, err := s.begin(ctx, "AdvanceReadCursor")
	if err != nil {
		return err
	}
	defer unlock()
	cursors := s.room(roomID).cursors
	cursors[userID] = max(cursors[userID], upTo)
	return nil
}

// ReadCursors implements chat.HistoryStore and chat.RoomStore.
func (s *Store) ReadCursors(ctx context.Context, roomID, from, to string) (map[string]string, error) {
	unlock, err := s.begin(ctx, "ReadCursors")
	if err != nil {
		return nil, err
	}
	defer unlock()
	cursors := maps.Clone(s.room(roomID).cursors)
	maps.DeleteFunc(cursors, func(user, _ string) bool { return user < from || (to != "" && user > to) })
	return cursors, nil
}
