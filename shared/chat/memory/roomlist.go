package memory

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/streamroom/streamroom/shared/chat"
)

// UserRooms implements chat.RoomStore.
func (s *Store) UserRooms(ctx context.Context, userID, cursor string, limit int) ([]chat.RoomSummary, string, error) {
	unlock, err := s.begin(ctx, "UserRooms")
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	var start position
	if cursor != "" {
		if start, err = decode(userID, cursor); err != nil {
			return nil, "", err
		}
	}
	var places []position
	for roomID, r := range s.rooms {
		_, ok := r.order[userID]
		if p := (position{r.listedAt(userID), roomID}); ok && r.about != nil && (cursor == "" || p.compare(start) > 0) {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, position.compare)
	next := ""
	if len(places) > limit {
		places = places[:limit]
		next = places[limit-1].encode(userID)
	}
	rooms := make([]chat.RoomSummary, len(places))
	for i, p := range places {
		r := s.rooms[p.roomID]
		rooms[i] = chat.RoomSummary{Room: *r.about, SortAt: p.at, Last: s.lastMessage(r), With: s.otherIn(r, userID)}
		rooms[i].Notify, rooms[i].NotifyAt = r.members[userID].Notify, r.members[userID].NotifyAt
		rooms[i].ReadUpTo = r.cursors[userID].UpTo
		unread, mentions := s.unread(r, userID)
		rooms[i].Unread, rooms[i].UnreadMore = min(unread, chat.MaxUnread), unread > chat.MaxUnread
		rooms[i].Mentions = mentions
	}
	return rooms, next, nil
}

// ChangedAt implements chat.ConnectionStore.
func (s *Store) ChangedAt(ctx context.Context, userID string) (int64, error) {
	unlock, err := s.begin(ctx, "ChangedAt")
	if err != nil {
		return 0, err
	}
	defer unlock()
	newest := int64(0)
	for _, r := range s.rooms {
		newest = max(newest, r.order[userID])
	}
	return newest, nil
}

// listedAt is where a room is in a member's list: at its last message, if the order
// can be so far behind, or else where the order has it.
func (r *room) listedAt(userID string) int64 {
	at := r.order[userID]
	if r.last != nil && r.last.SentAt > at && r.last.SentAt-at <= chat.OrderInterval.Milliseconds() {
		return r.last.SentAt
	}
	return at
}

// otherIn returns the other member of a direct message; zero for a group.
func (s *Store) otherIn(r *room, userID string) chat.Person {
	if r.about.Type == chat.Direct {
		for other := range r.members {
			if other != userID {
				return chat.Person{UserID: other, DisplayName: s.names[other]}
			}
		}
	}
	return chat.Person{}
}

func (s *Store) lastMessage(r *room) *chat.LastMessage {
	if r.last == nil || chat.HasExpired(r.last.ExpiresAt, s.now().UnixMilli()) {
		return nil
	}
	last := *r.last
	return &last
}

// unread counts the messages of others that are unread by the user's read cursor, and
// which of the newest chat.MaxUnread mention the user.
func (s *Store) unread(r *room, userID string) (n, mentions int) {
	cursor := r.cursors[userID]
	for _, m := range slices.Backward(s.alive(r.between(cursor.Settled(), ""))) {
		if !cursor.IsUnread(m.ID) || m.SenderID == userID || m.DeletedAt != 0 {
			continue
		}
		n++
		if n <= chat.MaxUnread && slices.Contains(m.Mentions, userID) {
			mentions++
		}
	}
	return n, mentions
}

// position is a place in a user's room list.
type position struct {
	at     int64 // ms
	roomID string
}

// compare orders positions as a list does: newest first.
func (p position) compare(other position) int {
	return cmp.Or(cmp.Compare(other.at, p.at), cmp.Compare(other.roomID, p.roomID))
}

// encode makes a cursor of a position in a user's list.
func (p position) encode(userID string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s %s", p.at, p.roomID, userID))
}

func decode(userID, cursor string) (position, error) {
	raw, _ := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.SplitN(string(raw), " ", 3)
	if len(parts) == 3 && parts[2] == userID {
		if at, err := strconv.ParseInt(parts[0], 10, 64); err == nil {
			return position{at, parts[1]}, nil
		}
	}
	return position{}, chat.Errorf(chat.CodeInvalidRequest,
		"invalid cursor: want one from an earlier page of this list; leave it out to start at the beginning")
}

// AdvanceLastMessage makes m the room's last message, unless that is a newer
// message or a newer version of m, and returns the last message after the call.
func (s *Store) AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error) {
	unlock, err := s.begin(ctx, "AdvanceLastMessage")
	if err != nil {
		return chat.LastMessage{}, err
	}
	defer unlock()
	r := s.room(roomID)
	if last := r.last; last != nil {
		if last.MessageID > m.MessageID || (last.MessageID == m.MessageID && last.Version >= m.Version) {
			return *last, nil
		}
		m.OrderedAt = last.OrderedAt
	}
	r.last = &m
	return m, nil
}

// HideRoom implements chat.RoomStore.
func (s *Store) HideRoom(ctx context.Context, userID string, about chat.Room) error {
	unlock, err := s.begin(ctx, "HideRoom")
	if err != nil {
		return err
	}
	defer unlock()
	r := s.room(about.ID)
	if _, ok := r.members[userID]; !ok {
		return nil
	}
	at := max(about.CreatedAt, r.order[userID])
	if all := r.between("", ""); len(all) > 0 {
		at = max(at, all[len(all)-1].SentAt)
	}
	r.hidden[userID] = at
	delete(r.order, userID)
	return nil
}

// ShowRoom implements chat.RoomStore.
func (s *Store) ShowRoom(ctx context.Context, userID, roomID string) error {
	unlock, err := s.begin(ctx, "ShowRoom")
	if err != nil {
		return err
	}
	defer unlock()
	r := s.room(roomID)
	if at, ok := r.hidden[userID]; ok {
		r.order[userID] = at
		delete(r.hidden, userID)
	}
	return nil
}

// AdvanceRoomOrder moves a room in a member's list forward to ms, and puts one that
// was hidden before that back into it. It does nothing for a user who is not a member.
func (s *Store) AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms int64) error {
	unlock, err := s.begin(ctx, "AdvanceRoomOrder")
	if err != nil {
		return err
	}
	defer unlock()
	r := s.room(roomID)
	if at, ok := r.order[userID]; ok {
		r.order[userID] = max(at, ms)
	}
	if at, ok := r.hidden[userID]; ok && at < ms {
		r.order[userID] = ms
		delete(r.hidden, userID)
	}
	return nil
}
