package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// CreateRoom implements chat.RoomStore.
func (s *Store) CreateRoom(ctx context.Context, r chat.Room, members []chat.Member) (bool, error) {
	unlock, err := s.begin(ctx, "CreateRoom")
	if err != nil {
		return false, err
	}
	defer unlock()
	return s.create(r, members), nil
}

// CreateRoomOnce implements chat.RoomStore.
func (s *Store) CreateRoomOnce(
	ctx context.Context, r chat.Room, members []chat.Member, c chat.Creation,
) (created bool, earlier chat.Creation, err error) {
	unlock, err := s.begin(ctx, "CreateRoomOnce")
	if err != nil {
		return false, chat.Creation{}, err
	}
	defer unlock()
	key := [2]string{c.UserID, c.Key}
	if earlier, ok := s.created[key]; ok && !s.expired(earlier.ExpiresAt) {
		return false, earlier, nil
	}
	if !s.create(r, members) {
		return false, chat.Creation{}, nil
	}
	s.created[key] = c
	return true, chat.Creation{}, nil
}

// Creation implements chat.RoomStore.
func (s *Store) Creation(ctx context.Context, userID, key string) (chat.Creation, bool, error) {
	unlock, err := s.begin(ctx, "Creation")
	if err != nil {
		return chat.Creation{}, false, err
	}
	defer unlock()
	c, ok := s.created[[2]string{userID, key}]
	return c, ok && !s.expired(c.ExpiresAt), nil
}

func (s *Store) create(r chat.Room, members []chat.Member) bool {
	stored := s.room(r.ID)
	if stored.about != nil {
		return false
	}
	r.MemberCount = len(members)
	stored.about = &r
	for _, m := range members {
		stored.members[m.UserID] = m
		stored.order[m.UserID] = r.CreatedAt
	}
	return true
}

// Room implements chat.RoomStore.
func (s *Store) Room(ctx context.Context, roomID string) (chat.Room, bool, error) {
	unlock, err := s.begin(ctx, "Room")
	if err != nil {
		return chat.Room{}, false, err
	}
	defer unlock()
	if about := s.room(roomID).about; about != nil {
		return *about, true, nil
	}
	return chat.Room{}, false, nil
}

// RoomFor implements chat.RoomStore and chat.HistoryStore.
func (s *Store) RoomFor(ctx context.Context, roomID, userID string) (chat.Room, chat.Member, bool, error) {
	unlock, err := s.begin(ctx, "RoomFor")
	if err != nil {
		return chat.Room{}, chat.Member{}, false, err
	}
	defer unlock()
	r := s.room(roomID)
	m, ok := r.members[userID]
	if !ok || r.about == nil {
		return chat.Room{}, chat.Member{}, false, nil
	}
	return *r.about, m, true, nil
}

// Member implements chat.RoomStore.
func (s *Store) Member(ctx context.Context, roomID, userID string) (chat.Member, bool, error) {
	unlock, err := s.begin(ctx, "Member")
	if err != nil {
		return chat.Member{}, false, err
	}
	defer unlock()
	m, ok := s.room(roomID).members[userID]
	return m, ok, nil
}

// MembersAmong implements chat.MemberStore.
func (s *Store) MembersAmong(ctx context.Context, roomID string, userIDs []string) ([]string, error) {
	unlock, err := s.begin(ctx, "MembersAmong")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.DeleteFunc(slices.Clone(userIDs), func(id string) bool {
		_, ok := s.room(roomID).members[id]
		return !ok
	}), nil
}

// IsMember implements fanout.Store.
func (s *Store) IsMember(ctx context.Context, roomID, userID string) (bool, error) {
	unlock, err := s.begin(ctx, "IsMember")
	if err != nil {
		return false, err
	}
	defer unlock()
	_, ok := s.room(roomID).members[userID]
	return ok, nil
}

// MemberOf implements chat.HistoryStore.
func (s *Store) MemberOf(ctx context.Context, userID string, roomIDs []string) ([]string, error) {
	unlock, err := s.begin(ctx, "MemberOf")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.DeleteFunc(slices.Clone(roomIDs), func(roomID string) bool {
		_, ok := s.room(roomID).members[userID]
		return !ok
	}), nil
}

// Members implements chat.RoomStore.
func (s *Store) Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error) {
	unlock, err := s.begin(ctx, "Members")
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	members := slices.Collect(maps.Values(s.room(roomID).members))
	members = slices.DeleteFunc(members, func(m chat.Member) bool { return m.UserID <= after })
	slices.SortFunc(members, func(a, b chat.Member) int { return cmp.Compare(a.UserID, b.UserID) })
	if len(members) > limit {
		return members[:limit], true, nil
	}
	return members, false, nil
}

// changeRoom changes a room's description, if the change is newer than the last one, and
// knows the room's place.
func (s *Store) changeRoom(ctx context.Context, method string, r chat.Room, change func(*room)) (bool, error) {
	unlock, err := s.begin(ctx, method)
	if err != nil {
		return false, err
	}
	defer unlock()
	stored := s.room(r.ID)
	if stored.about == nil || stored.about.RenamedAt >= r.RenamedAt || stored.about.PlacedAt != r.PlacedAt {
		return false, nil
	}
	change(stored)
	stored.about.RenamedAt = r.RenamedAt
	return true, nil
}

// RenameRoom implements chat.RoomStore.
func (s *Store) RenameRoom(ctx context.Context, r chat.Room) (bool, error) {
	return s.changeRoom(ctx, "RenameRoom", r, func(stored *room) { stored.about.Name = r.Name })
}

// AddMember implements chat.RoomStore.
func (s *Store) AddMember(ctx context.Context, r chat.Room, m chat.Member) (bool, error) {
	unlock, err := s.begin(ctx, "AddMember")
	if err != nil {
		return false, err
	}
	defer unlock()
	return s.add(r, m)
}

// JoinRoom implements chat.RoomStore.
func (s *Store) JoinRoom(ctx context.Context, r chat.Room, m chat.Member) (bool, error) {
	unlock, err := s.begin(ctx, "JoinRoom")
	if err != nil {
		return false, err
	}
	defer unlock()
	stored := s.room(r.ID)
	if _, ok := stored.members[m.UserID]; !ok && (stored.about == nil || !stored.about.Public) {
		return false, chat.Errorf(chat.CodeNotAMember, "the room is not public any more; ask an owner to add you")
	}
	return s.add(r, m)
}

func (s *Store) add(r chat.Room, m chat.Member) (bool, error) {
	stored := s.room(r.ID)
	if _, ok := stored.members[m.UserID]; ok {
		return false, nil
	}
	if stored.about == nil {
		return false, chat.Errorf(chat.CodeNotAMember, "the room was deleted")
	}
	if err := s.keepsOut(stored, m.UserID); err != nil {
		return false, err
	}
	delete(stored.bans, m.UserID)
	m.RetentionDays = stored.about.RetentionDays
	stored.members[m.UserID] = m
	stored.order[m.UserID] = r.CreatedAt
	stored.about.MemberCount++
	if all := stored.between(stored.cursors[m.UserID].UpTo, ""); len(all) > 0 {
		newest := all[len(all)-1].ID
		stored.cursors[m.UserID] = chat.ReadCursor{UpTo: newest, From: newest}
	}
	return true, nil
}

// RemoveMember implements chat.RoomStore.
func (s *Store) RemoveMember(ctx context.Context, roomID string, m, successor chat.Member) (bool, error) {
	unlock, err := s.begin(ctx, "RemoveMember")
	if err != nil {
		return false, err
	}
	defer unlock()
	r := s.room(roomID)
	stored, ok := r.members[m.UserID]
	if !ok || stored.Role != m.Role || r.about == nil {
		return false, nil
	}
	next, ok := r.members[successor.UserID]
	if successor.UserID != "" && (!ok || next.Role != successor.Role || next.Role != chat.Owner && next.ChangedAt != successor.ChangedAt) {
		return false, nil
	}
	ends := successor.UserID == "" && m.Role == chat.Owner
	if ends && r.about.MemberCount != 1 {
		return false, nil
	}
	delete(r.members, m.UserID)
	delete(r.order, m.UserID)
	delete(r.hidden, m.UserID)
	delete(r.cursors, m.UserID)
	r.about.MemberCount--
	if ok {
		r.members[next.UserID] = next.Inheriting(s.now().UnixMilli())
	}
	if ends {
		r.about, r.place = nil, nil
	}
	return true, nil
}
