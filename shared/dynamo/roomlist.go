package dynamo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// surplus is after how many entries of the index beyond those that it gives a page of a
// room list does not look for newer rooms any more.
const surplus = 200

// lookAhead is how many entries a query of the index asks for beyond a page: where the
// list ends soon, or the page is not yet sure, they cost no further round trip.
const lookAhead = 4

// OrderedWithin returns the store of a table in which a room stands in its members'
// lists at most so far behind its last message. It is chat.OrderInterval by default.
func (s *Store) OrderedWithin(interval time.Duration) *Store {
	other := *s
	other.interval = interval
	return &other
}

// UserRooms reads one page of a user's rooms, newest message first, with what their
// list shows.
func (s *Store) UserRooms(ctx context.Context, userID, cursor string, limit int) ([]chat.RoomSummary, string, error) {
	from, err := decodeCursor(userID, cursor)
	if err != nil {
		return nil, "", err
	}
	l := &listing{store: s, userID: userID, limit: limit, from: from, items: map[table.Key]item{}}
	read := l.exact
	if from.indexed.isSet() {
		read = l.indexed
	}
	places, next, err := read(ctx)
	if err != nil {
		return nil, "", err
	}
	rooms, err := s.summaries(ctx, userID, places, l.items)
	return rooms, next.encode(userID), err
}

// ChangedAt reads where the first room stands in a user's list.
func (s *Store) ChangedAt(ctx context.Context, userID string) (int64, error) {
	l := &listing{store: s, userID: userID}
	if err := l.readAhead(ctx, 1); err != nil || len(l.ahead) == 0 {
		return 0, err
	}
	return l.ahead[0].at, nil
}

// position is a place in a list of rooms.
type position struct {
	at     int64 // ms
	roomID string
}

func (p position) isSet() bool { return p.roomID != "" }

// compare orders positions as a list does: newest first.
func (p position) compare(other position) int {
	return cmp.Or(cmp.Compare(other.at, p.at), cmp.Compare(other.roomID, p.roomID))
}

// place is a room of a list. The index has it where it was moved last; it is listed at
// its last message, or at its creation.
type place struct {
	indexed, listed position
	complete        bool // the read cursor was looked up
}

// listing reads a page of a user's rooms. The index has a room at most the interval
// before its last message, but for what is on its way, and for rooms that are so large
// that they don't move: those are listed where the index has them.
type listing struct {
	store  *Store
	userID string
	limit  int
	from   listCursor

	start item // of the next query
	ended bool // the index has no more
	read  int  // entries
	ahead []position
	found []place
	items map[table.Key]item // last messages and read cursors
}

// exact reads the index until no room in what it has left can be newer than the last
// of the page. Where too many rooms have messages of one interval, the page and those
// after it have the order of the index.
func (l *listing) exact(ctx context.Context) ([]place, listCursor, error) {
	interval := l.store.interval.Milliseconds()
	for step := l.limit + lookAhead; ; step = max(step, surplus/4) {
		if err := l.readAhead(ctx, step); err != nil {
			return nil, listCursor{}, err
		}
		taken := l.ahead
		if len(taken) > l.limit && taken[l.limit].at+interval < taken[l.limit-1].at {
			taken = taken[:l.limit] // surely the page
		}
		l.ahead = l.ahead[len(taken):]
		if err := l.lookUp(ctx, taken); err != nil {
			return nil, listCursor{}, err
		}
		slices.SortFunc(l.found, func(a, b place) int { return a.listed.compare(b.listed) })
		all := l.ended && len(l.ahead) == 0
		switch {
		case all && len(l.found) <= l.limit:
			return l.found, listCursor{}, nil
		case all, len(l.found) >= l.limit && l.upTo(taken)+interval < l.found[l.limit-1].listed.at:
			page := l.found[:l.limit]
			return page, listCursor{after: page[l.limit-1].listed}, nil
		case l.read >= l.limit+surplus:
			page, next := l.cut(taken[len(taken)-1])
			return page, next, nil
		}
	}
}

// upTo is the time that no entry is after that was not looked up yet.
func (l *listing) upTo(taken []position) int64 {
	if len(l.ahead) > 0 {
		return l.ahead[0].at
	}
	return taken[len(taken)-1].at
}

// cut makes a page of the first rooms that were found, in the order of the index, of
// which all was read up to a position.
func (l *listing) cut(upTo position) ([]place, listCursor) {
	slices.SortFunc(l.found, func(a, b place) int { return a.indexed.compare(b.indexed) })
	page := l.found[:min(l.limit, len(l.found))]
	if len(page) == l.limit {
		upTo = page[l.limit-1].indexed
	}
	return page, listCursor{after: l.from.after, indexed: upTo}
}

// indexed reads on in the order of the index.
func (l *listing) indexed(ctx context.Context) ([]place, listCursor, error) {
	l.start = attribute.Key(table.Participation(l.userID, l.from.indexed.roomID))
	l.start[table.GSI1PK] = attribute.Text(table.UserRooms(l.userID))
	l.start[table.GSI1SK] = attribute.Text(table.Millis(l.from.indexed.at))
	if err := l.readAhead(ctx, l.limit); err != nil {
		return nil, listCursor{}, err
	}
	if err := l.lookUp(ctx, l.ahead); err != nil {
		return nil, listCursor{}, err
	}
	slices.SortFunc(l.found, func(a, b place) int { return a.listed.compare(b.listed) })
	if l.ended || len(l.ahead) == 0 {
		return l.found, listCursor{}, nil
	}
	return l.found, listCursor{after: l.from.after, indexed: l.ahead[len(l.ahead)-1]}, nil
}

// readAhead reads the index until n entries are ahead. Items that are no participations
// are left out.
func (l *listing) readAhead(ctx context.Context, n int) error {
	for len(l.ahead) < n && !l.ended {
		in := &dynamodb.QueryInput{
			TableName:                 l.store.table,
			IndexName:                 aws.String(table.GSI1),
			KeyConditionExpression:    aws.String("#pk = :pk"),
			ExpressionAttributeNames:  map[string]string{"#pk": table.GSI1PK},
			ExpressionAttributeValues: item{":pk": attribute.Text(table.UserRooms(l.userID))},
			ScanIndexForward:          aws.Bool(false),
			Limit:                     aws.Int32(int32(n - len(l.ahead))), //nolint:gosec // at most 101
			ExclusiveStartKey:         l.start,
		}
		if after := l.from.after; after.isSet() {
			in.KeyConditionExpression = aws.String("#pk = :pk AND #sk <= :at")
			in.ExpressionAttributeNames["#sk"] = table.GSI1SK
			in.ExpressionAttributeValues[":at"] = attribute.Text(table.Millis(after.at))
		}
		page, next, err := l.store.readPage(ctx, in, []string{table.PK, table.SK, table.GSI1SK})
		if err != nil {
			return fmt.Errorf("query the room list: %w", err)
		}
		for _, row := range page {
			id, err := table.Parse(table.Key{PK: row.text(table.PK), SK: row.text(table.SK)})
			ms, notATime := strconv.ParseInt(row.text(table.GSI1SK), 10, 64)
			if err == nil && notATime == nil && id.Kind == table.KindParticipation {
				l.ahead = append(l.ahead, position{ms, id.RoomID})
			}
		}
		l.read += len(page)
		l.start, l.ended = next, len(next) == 0
	}
	return nil
}

// lookUp finds out where entries of the index are listed, and drops those that were
// given before.
func (l *listing) lookUp(ctx context.Context, entries []position) error {
	first := len(l.items) == 0 // most likely the page: its cursors cost no further request
	var keys []table.Key
	for _, entry := range entries {
		keys = append(keys, table.LastMessage(entry.roomID))
		if first {
			keys = append(keys, table.Read(entry.roomID, l.userID))
		}
	}
	items, err := l.store.batchGet(ctx, keys, eventual)
	if err != nil {
		return err
	}
	for key, it := range items {
		l.items[key] = it
	}
	for _, entry := range entries {
		listed := entry
		behind := attribute.GetNumber(items[table.LastMessage(entry.roomID)], table.MS) - entry.at
		if behind > 0 && behind <= l.store.interval.Milliseconds() {
			listed.at += behind
		}
		if after := l.from.after; !after.isSet() || after.compare(listed) < 0 {
			l.found = append(l.found, place{indexed: entry, listed: listed, complete: first})
		}
	}
	return nil
}

// listCursor is where a page of a list ended. It stays valid when rooms move or are
// deleted: it names positions, not rooms.
type listCursor struct {
	// after is the last room of a page in the list's order: it and those before it were
	// given. If it isn't set, none were.
	after position
	// indexed, if set, says that those until there in the index were given, too, and that
	// the pages that follow have the index's order.
	indexed position
}

// encode makes text of a cursor, for its user; "" if there is nothing after it.
func (c listCursor) encode(userID string) string {
	if !c.after.isSet() && !c.indexed.isSet() {
		return ""
	}
	parts := append(c.after.encode(), append(c.indexed.encode(), userTag(userID))...)
	raw, err := json.Marshal(parts)
	if err != nil {
		panic("dynamo: strings do not marshal: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (p position) encode() []string {
	if !p.isSet() {
		return []string{"", ""}
	}
	return []string{table.Millis(p.at), table.RoomPrefix + p.roomID}
}

// userTag tells one user's cursors from another's.
func userTag(userID string) string {
	sum := sha256.Sum256([]byte(userID))
	return hex.EncodeToString(sum[:4])
}

// decodeCursor reads a cursor, also one of the time when the list had the index's
// order, of a position in that alone.
func decodeCursor(userID, cursor string) (c listCursor, err error) {
	if cursor == "" {
		return c, nil
	}
	bad := chat.Errorf(chat.CodeInvalidRequest, "invalid cursor: want one from an earlier page of this list; leave it out to start at the beginning")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return c, bad
	}
	var parts []string
	if err := json.Unmarshal(raw, &parts); err != nil {
		return c, bad
	}
	if len(parts) == 3 {
		parts = append([]string{"", ""}, parts...)
	}
	if len(parts) != 5 || parts[4] != userTag(userID) {
		return c, bad
	}
	after, ok := decodePosition(parts[0], parts[1])
	indexed, isToo := decodePosition(parts[2], parts[3])
	if !ok || !isToo || !after.isSet() && !indexed.isSet() {
		return c, bad
	}
	return listCursor{after: after, indexed: indexed}, nil
}

func decodePosition(at, key string) (p position, ok bool) {
	if at == "" && key == "" {
		return p, true
	}
	roomID, isRoom := strings.CutPrefix(key, table.RoomPrefix)
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || table.Millis(ms) != at || !isRoom || chat.ValidateRoomID(roomID) != nil {
		return p, false
	}
	return position{ms, roomID}, true
}
