package memory

import (
	"context"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// PutAttachment implements chat.AttachmentStore.
func (s *Store) PutAttachment(ctx context.Context, a chat.Attachment) error {
	unlock, err := s.begin(ctx, "PutAttachment")
	if err != nil {
		return err
	}
	defer unlock()
	s.attachments[[2]string{a.RoomID, a.ID}] = a
	return nil
}

// Attachments implements chat.AttachmentStore and chat.SendStore.
func (s *Store) Attachments(ctx context.Context, roomID string, ids []string) (map[string]chat.Attachment, error) {
	unlock, err := s.begin(ctx, "Attachments")
	if err != nil {
		return nil, err
	}
	defer unlock()
	found := map[string]chat.Attachment{}
	for _, id := range ids {
		if a, ok := s.attachments[[2]string{roomID, id}]; ok && !s.expired(a.ExpiresAt) {
			found[id] = a
		}
	}
	return found, nil
}

// RemoveAttachments removes files of a room, as the stream's reader does.
func (s *Store) RemoveAttachments(ctx context.Context, roomID string, ids []string) error {
	unlock, err := s.begin(ctx, "RemoveAttachments")
	if err != nil {
		return err
	}
	defer unlock()
	for _, id := range ids {
		delete(s.attachments, [2]string{roomID, id})
	}
	return nil
}

// RoomAttachments reads the ids of a room's first files, as the stream's reader does.
func (s *Store) RoomAttachments(ctx context.Context, roomID string, limit int) (ids []string, more bool, err error) {
	unlock, err := s.begin(ctx, "RoomAttachments")
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	for key := range s.attachments {
		if key[0] == roomID {
			ids = append(ids, key[1])
		}
	}
	slices.Sort(ids)
	return ids[:min(limit, len(ids))], len(ids) > limit, nil
}

// attach gives a message its files, all or none.
func (s *Store) attach(m chat.Message) error {
	for _, file := range m.Attachments {
		a, ok := s.attachments[[2]string{m.RoomID, file.ID}]
		if !ok || a.UploadedBy != m.SenderID || a.MessageID != "" || s.expired(a.ExpiresAt) {
			return chat.ErrAttachment(file.ID)
		}
	}
	for _, file := range m.Attachments {
		key := [2]string{m.RoomID, file.ID}
		a := s.attachments[key]
		a.MessageID, a.ExpiresAt = m.ID, m.ExpiresAt
		s.attachments[key] = a
	}
	return nil
}
