package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

// UserRooms reads one page of a user's rooms through the index, newest message
// first, with what their list shows.
func (s *Store) UserRooms(ctx context.Context, userID, cursor string, limit int) ([]chat.RoomSummary, string, error) {
	start, err := decodeCursor(userID, cursor)
	if err != nil {
		return nil, "", err
	}
	out, err := s.db.Query(ctx, &dynamodb.QueryInput{
		TableName:                 s.table,
		IndexName:                 aws.String(table.GSI1),
		KeyConditionExpression:    aws.String("#pk = :pk"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.GSI1PK},
		ExpressionAttributeValues: item{":pk": attribute.Text(table.UserRooms(userID))},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(int32(limit)), //nolint:gosec // at most 100
		ExclusiveStartKey:         start,
	})
	if err != nil {
		return nil, "", fmt.Errorf("query the room list: %w", err)
	}
	rooms, err := s.summaries(ctx, userID, out.Items)
	if err != nil {
		return nil, "", err
	}
	return rooms, encodeCursor(userID, out.LastEvaluatedKey), nil
}

// unreadBudget is how many read units one list of rooms may spend on counting unread
// messages: 1.6 MB of them.
const unreadBudget = 200

// summaries completes entries of a user's room list with the rooms, their last
// messages and unread counts. Deleted rooms are left out, and items that are not
// participations.
func (s *Store) summaries(ctx context.Context, userID string, entries []item) ([]chat.RoomSummary, error) {
	var keys []table.Key
	var rooms []chat.RoomSummary
	for _, it := range entries {
		id, err := table.Parse(attribute.KeyOf(it))
		ms, notATime := strconv.ParseInt(attribute.GetText(it, table.GSI1SK), 10, 64)
		if err != nil || notATime != nil || id.Kind != table.KindParticipation {
			continue
		}
		keys = append(keys, table.Room(id.RoomID), table.LastMessage(id.RoomID), table.Read(id.RoomID, userID))
		rooms = append(rooms, chat.RoomSummary{Room: chat.Room{ID: id.RoomID}, SortAt: ms})
	}
	items, err := s.batchGet(ctx, keys, strong)
	if err != nil {
		return nil, err
	}
	found := rooms[:0]
	for _, summary := range rooms {
		roomID := summary.Room.ID
		room, ok := items[table.Room(roomID)]
		if !ok {
			continue
		}
		summary.Room = roomOf(roomID, room)
		if last, ok := items[table.LastMessage(roomID)]; ok {
			m := lastMessageOf(last)
			summary.Last = &m
		}
		found = append(found, summary)
	}
	cursors := make([]chat.ReadCursor, len(found))
	for i := range found {
		cursors[i] = cursorOf(items[table.Read(found[i].Room.ID, userID)])
		found[i].ReadUpTo = cursors[i].UpTo
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.countUnread(ctx, userID, found, cursors) })
	group.Go(func() error { return s.nameOthers(ctx, userID, found) })
	return found, group.Wait()
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

// countUnread counts in each of the user's rooms the messages of others that are
// unread by a cursor, at most chat.MaxUnread, within unreadBudget. It passes the user's
// own messages, deleted ones, and those that the cursor knows. The reads are eventually
// consistent.
func (s *Store) countUnread(ctx context.Context, userID string, rooms []chat.RoomSummary, cursors []chat.ReadCursor) error {
	counts := make([]*unreadCount, len(rooms))
	spans := make([]*span, len(rooms))
	for i := range rooms {
		roomID, cursor := rooms[i].Room.ID, cursors[i]
		p := page{
			pk: table.RoomPrefix + roomID, eventual: true, metered: true,
			project: []string{table.PK, table.SK, table.SenderID, table.DeletedAt},
		}
		p.from, p.to = prefixed(table.MessagePrefix)
		if after := cursor.Settled(); after != "" {
			var err error
			if p.from, err = afterMessage(after); err != nil {
				return fmt.Errorf("read the read cursor of %s: %w", roomID, err)
			}
		}
		count := &unreadCount{userID: userID, cursor: cursor}
		counts[i] = count
		spans[i] = &span{
			page:   p,
			enough: func(items []item) bool { return count.add(roomID, items) },
			most:   func() int { return chat.MaxUnread + 1 - count.n },
			known:  cursor.CountKnown(),
		}
	}
	if err := s.spread(ctx, unreadBudget, spans); err != nil {
		return err
	}
	for i, sp := range spans {
		rooms[i].Unread, rooms[i].UnreadMore = counts[i].result(sp.ended, rooms[i].Last)
	}
	return nil
}

// unreadCount counts a user's unread messages in a room.
type unreadCount struct {
	userID string
	cursor chat.ReadCursor
	n      int
	passed bool // messages after the cursor were read
}

// add counts the unread ones of some messages, and reports whether there are enough.
func (c *unreadCount) add(roomID string, items []item) bool {
	for _, it := range items {
		m, ok := messageOf(roomID, it)
		if ok && c.cursor.IsUnread(m.ID) && m.SenderID != c.userID && m.DeletedAt == 0 {
			c.n++
		}
		c.passed = c.passed || m.ID > c.cursor.UpTo
	}
	return c.n > chat.MaxUnread
}

// result is the count, and whether there may be more.
func (c *unreadCount) result(ended bool, last *chat.LastMessage) (unread int, more bool) {
	more = !ended || c.n > chat.MaxUnread
	if !ended && !c.passed { // the last message is all that is known of what follows
		more = last != nil && last.MessageID > c.cursor.UpTo
	}
	unread = min(c.n, chat.MaxUnread)
	if more {
		unread = max(unread, 1)
	}
	return unread, more
}

// A cursor is the last index key of a page (sort key and room) and a tag of the
// list's user. It stays valid when the room moves up or is deleted: it is a
// position in the list's order, not a room.
func encodeCursor(userID string, end item) string {
	if len(end) == 0 {
		return ""
	}
	raw, err := json.Marshal([]string{attribute.GetText(end, table.GSI1SK), attribute.GetText(end, table.SK), userTag(userID)})
	if err != nil {
		panic("dynamo: strings do not marshal: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// userTag tells one user's cursors from another's.
func userTag(userID string) string {
	sum := sha256.Sum256([]byte(userID))
	return hex.EncodeToString(sum[:4])
}

func decodeCursor(userID, cursor string) (item, error) {
	if cursor == "" {
		return nil, nil
	}
	bad := chat.Errorf(chat.CodeInvalidRequest, "invalid cursor: want one from an earlier page of this list; leave it out to start at the beginning")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, bad
	}
	var parts []string
	if err := json.Unmarshal(raw, &parts); err != nil || len(parts) != 3 || parts[2] != userTag(userID) {
		return nil, bad
	}
	roomID, isRoom := strings.CutPrefix(parts[1], table.RoomPrefix)
	ms, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || table.Millis(ms) != parts[0] || !isRoom || chat.ValidateRoomID(roomID) != nil {
		return nil, bad
	}
	start := attribute.Key(table.Key{PK: table.UserPrefix + userID, SK: parts[1]})
	start[table.GSI1PK] = attribute.Text(table.UserRooms(userID))
	start[table.GSI1SK] = attribute.Text(parts[0])
	return start, nil
}
