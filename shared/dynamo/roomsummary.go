package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

// unreadBudget is how many read units one list of rooms may spend on the rooms and on
// counting unread messages: 1.6 MB of them.
const unreadBudget = 200

// summaries completes a page of a user's room list with the rooms and unread counts.
// known has the last messages, and the read cursors as far as they were read before.
// Deleted rooms are left out. All reads are eventually consistent.
func (s *Store) summaries(ctx context.Context, userID string, places []place, known map[table.Key]item) ([]chat.RoomSummary, error) {
	var lacking []table.Key
	for _, p := range places {
		if key := table.Read(p.listed.roomID, userID); !p.complete {
			lacking = append(lacking, key)
		}
	}
	cursors, err := s.batchGet(ctx, lacking, eventual)
	if err != nil {
		return nil, err
	}
	counts := make([]*unreadCount, len(places))
	for i, p := range places {
		key := table.Read(p.listed.roomID, userID)
		it, ok := cursors[key]
		if !ok {
			it = known[key]
		}
		counts[i] = &unreadCount{
			roomID: p.listed.roomID, userID: userID, cursor: cursorOf(it),
			notify: notifyOf(it), notifyAt: attribute.GetNumber(it, table.NotifyAt),
		}
	}
	if err := s.countUnread(ctx, counts); err != nil {
		return nil, err
	}
	var found []chat.RoomSummary
	for i, count := range counts {
		if count.room == nil {
			continue
		}
		summary := chat.RoomSummary{
			Room: roomOf(count.roomID, count.room), SortAt: places[i].listed.at, ReadUpTo: count.cursor.UpTo,
			Notify: count.notify, NotifyAt: count.notifyAt,
		}
		if last, ok := known[table.LastMessage(count.roomID)]; ok {
			if m := LastMessageOf(last); !chat.HasExpired(m.ExpiresAt, s.now().UnixMilli()) {
				summary.Last = &m
			}
		}
		summary.Unread, summary.UnreadMore = count.result(summary.Last)
		summary.Mentions = count.mentions
		found = append(found, summary)
	}
	return found, s.nameOthers(ctx, userID, found)
}

// nameOthers gives each direct message its other member, with the display name.
func (s *Store) nameOthers(ctx context.Context, userID string, rooms []chat.RoomSummary) error {
	var others []string
	for i := range rooms {
		room := &rooms[i]
		if room.Room.Type != chat.Direct {
			continue
		}
		other := room.Room.Other(userID)
		if other == "" && room.Last != nil && room.Last.SenderID != userID {
			other = room.Last.SenderID
		}
		if other == "" {
			var err error
			if other, err = s.otherMember(ctx, room.Room.ID, userID); err != nil {
				return err
			}
		}
		if other != "" {
			room.With.UserID = other
			others = append(others, other)
		}
	}
	slices.Sort(others)
	names, err := s.DisplayNames(ctx, slices.Compact(others))
	if err != nil {
		return fmt.Errorf("read the names of direct messages' members: %w", err)
	}
	for i := range rooms {
		rooms[i].With.DisplayName = names[rooms[i].With.UserID]
	}
	return nil
}

// otherMember reads the other member of a direct message whose room doesn't tell: it
// was stored before rooms did.
func (s *Store) otherMember(ctx context.Context, roomID, userID string) (string, error) {
	p := memberPage(roomID, fanout.MemberRange{})
	p.eventual, p.project = true, []string{table.PK, table.SK}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return "", err
	}
	for _, it := range items {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil && id.UserID != userID {
			return id.UserID, nil
		}
	}
	return "", nil
}

// countUnread reads each room, and counts the messages of others in it that are unread
// by a cursor, at most chat.MaxUnread, within unreadBudget. It passes the user's own
// messages, deleted ones, and those that the cursor knows. A room's description stands
// behind its messages, so one query backwards has both.
func (s *Store) countUnread(ctx context.Context, counts []*unreadCount) error {
	spans := make([]*span, len(counts))
	for i, count := range counts {
		p := page{
			pk: table.RoomPrefix + count.roomID, to: table.MetadataKey, backward: true, eventual: true, metered: true,
			project: []string{
				table.PK, table.SK, table.SenderID, table.DeletedAt, table.Mentions, table.TTL,
				table.Name, table.Type, table.CreatedBy, table.CreatedAt, table.MemberCount, table.EditedAt, table.Invited,
			},
		}
		p.from, _ = prefixed(table.MessagePrefix)
		if after := count.cursor.Settled(); after != "" {
			var err error
			if p.from, err = afterMessage(after); err != nil {
				return fmt.Errorf("read the read cursor of %s: %w", count.roomID, err)
			}
		}
		spans[i] = &span{
			page:   p,
			small:  1, // the description
			enough: func(items []item) bool { return count.add(slices.DeleteFunc(items, s.expired)) },
			most:   func() int { return chat.MaxUnread + 1 - count.n },
			known:  count.cursor.CountKnown(),
		}
	}
	if err := s.spread(ctx, unreadBudget, spans); err != nil {
		return err
	}
	var lacking []table.Key // of rooms for which the budget did not suffice
	for i, sp := range spans {
		counts[i].ended = sp.ended
		if sp.reads == 0 {
			lacking = append(lacking, table.Room(counts[i].roomID))
		}
	}
	rooms, err := s.batchGet(ctx, lacking, eventual)
	for _, count := range counts {
		if it, ok := rooms[table.Room(count.roomID)]; ok {
			count.room = it
		}
	}
	return err
}

// unreadCount counts a user's unread messages in a room.
type unreadCount struct {
	roomID, userID string
	cursor         chat.ReadCursor
	notify         chat.Notify
	notifyAt       int64

	room     item // the room's description, nil if there is none
	n        int
	mentions int  // of the user, in chat.MaxUnread of those
	passed   bool // messages after the cursor were read
	ended    bool // all of them
}

// add takes the room, counts the unread ones of some messages, and reports whether
// there are enough.
func (c *unreadCount) add(items []item) bool {
	for _, it := range items {
		if attribute.KeyOf(it) == table.Room(c.roomID) {
			c.room = it
			continue
		}
		m, ok := MessageOf(c.roomID, it)
		if ok && c.cursor.IsUnread(m.ID) && m.SenderID != c.userID && m.DeletedAt == 0 {
			c.n++
			if c.n <= chat.MaxUnread && slices.Contains(m.Mentions, c.userID) {
				c.mentions++
			}
		}
		c.passed = c.passed || m.ID > c.cursor.UpTo
	}
	return c.n > chat.MaxUnread
}

// result is the count, and whether there may be more.
func (c *unreadCount) result(last *chat.LastMessage) (unread int, more bool) {
	more = !c.ended || c.n > chat.MaxUnread
	if !c.ended && !c.passed { // the last message is all that is known of what follows
		more = last != nil && last.MessageID > c.cursor.UpTo
	}
	unread = min(c.n, chat.MaxUnread)
	if more {
		unread = max(unread, 1)
	}
	return unread, more
}
