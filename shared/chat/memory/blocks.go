package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// Block implements chat.BlockStore.
func (s *Store) Block(ctx context.Context, userID, blocked string, at int64) error {
	unlock, err := s.begin(ctx, "Block")
	if err != nil {
		return err
	}
	defer unlock()
	if _, ok := s.blocks[[2]string{userID, blocked}]; !ok {
		s.blocks[[2]string{userID, blocked}] = at
	}
	s.mark(userID, blocked, true)
	return nil
}

// MarkBlock implements chat.BlockStore.
func (s *Store) MarkBlock(ctx context.Context, userID, blocked string) error {
	unlock, err := s.begin(ctx, "MarkBlock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, ok := s.blocks[[2]string{userID, blocked}]; ok {
		s.mark(userID, blocked, true)
	}
	return nil
}

// Unblock implements chat.BlockStore.
func (s *Store) Unblock(ctx context.Context, userID, blocked string) error {
	unlock, err := s.begin(ctx, "Unblock")
	if err != nil {
		return err
	}
	defer unlock()
	delete(s.blocks, [2]string{userID, blocked})
	s.mark(userID, blocked, false)
	return nil
}

// mark marks a block in the direct message of two users.
func (s *Store) mark(userID, blocked string, marked bool) {
	r := s.room(chat.DirectRoomID(userID, blocked))
	if own, ok := r.members[userID]; ok {
		own.Blocks = marked
		r.members[userID] = own
	}
	if other, ok := r.members[blocked]; ok {
		other.Blocked = marked
		r.members[blocked] = other
	}
}

// Blocks implements chat.BlockStore.
func (s *Store) Blocks(ctx context.Context, userID, after string, limit int) (blocks []chat.Block, next string, err error) {
	unlock, err := s.begin(ctx, "Blocks")
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	for pair, at := range s.blocks {
		if pair[0] == userID && pair[1] > after {
			blocks = append(blocks, chat.Block{UserID: pair[1], At: at})
		}
	}
	slices.SortFunc(blocks, func(a, b chat.Block) int { return cmp.Compare(a.UserID, b.UserID) })
	if len(blocks) > limit {
		blocks, next = blocks[:limit], blocks[limit-1].UserID
	}
	return blocks, next, nil
}

// BlockedBy implements chat.BlockStore.
func (s *Store) BlockedBy(ctx context.Context, userID string, users []string) ([]string, error) {
	unlock, err := s.begin(ctx, "BlockedBy")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.DeleteFunc(slices.Clone(users), func(user string) bool {
		_, ok := s.blocks[[2]string{user, userID}]
		return !ok
	}), nil
}
