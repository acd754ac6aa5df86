package memory

import (
	"context"

	"github.com/streamroom/streamroom/shared/chat"
)

// RoomOf implements chat.TypingStore.
func (s *Store) RoomOf(ctx context.Context, roomID, userID string) (members int, self chat.Member, ok bool, err error) {
	unlock, err := s.begin(ctx, "RoomOf")
	if err != nil {
		return 0, chat.Member{}, false, err
	}
	defer unlock()
	r := s.room(roomID)
	if self, ok = r.members[userID]; !ok || r.about == nil {
		return 0, chat.Member{}, false, nil
	}
	return r.about.MemberCount, self, true, nil
}

// PutTyping implements chat.TypingStore.
func (s *Store) PutTyping(ctx context.Context, roomID, userID string, at int64) (bool, error) {
	unlock, err := s.begin(ctx, "PutTyping")
	if err != nil {
		return false, err
	}
	defer unlock()
	r := s.room(roomID)
	if last, ok := r.typing[userID]; ok && last > at-chat.TypingEvery.Milliseconds() {
		return false, nil
	}
	r.typing[userID] = at
	return true, nil
}
