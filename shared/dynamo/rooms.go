package dynamo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// CreateRoom stores a room with its members in one transaction.
func (s *Store) CreateRoom(ctx context.Context, r chat.Room, members []chat.Member) (bool, error) {
	row := key(table.Room(r.ID))
	if r.Name != "" {
		row[table.Name] = text(r.Name)
	}
	row[table.Type] = text(string(r.Type))
	row[table.CreatedBy] = text(r.CreatedBy)
	row[table.CreatedAt] = number(r.CreatedAt)
	row[table.MemberCount] = number(int64(len(members)))
	writes := []types.TransactWriteItem{{Put: s.putAbsent(row)}}
	for _, m := range members {
		writes = append(
			writes,
			types.TransactWriteItem{Put: &types.Put{TableName: s.table, Item: memberItem(r.ID, m)}},
			types.TransactWriteItem{Put: &types.Put{TableName: s.table, Item: participationItem(r, m)}},
		)
	}
	reasons, err := s.transact(ctx, ulid.Make().String(), writes)
	if err != nil {
		return false, err
	}
	return len(reasons) == 0, nil
}

func (s *Store) putAbsent(it item) *types.Put {
	return &types.Put{
		TableName: s.table, Item: it,
		ConditionExpression:      aws.String("attribute_not_exists(#pk)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK},
	}
}

func memberItem(roomID string, m chat.Member) item {
	it := key(table.Member(roomID, m.UserID))
	it[table.Role] = text(string(m.Role))
	it[table.JoinedAt] = number(m.JoinedAt)
	return it
}

func participationItem(r chat.Room, m chat.Member) item {
	it := key(table.Participation(m.UserID, r.ID))
	it[table.JoinedAt] = number(m.JoinedAt)
	it[table.GSI1PK] = text(table.UserRooms(m.UserID))
	it[table.GSI1SK] = text(table.Millis(r.CreatedAt))
	return it
}

// Room reads a room strongly.
func (s *Store) Room(ctx context.Context, roomID string) (chat.Room, bool, error) {
	it, err := s.get(ctx, table.Room(roomID))
	if err != nil || it == nil {
		return chat.Room{}, false, err
	}
	return roomOf(roomID, it), true, nil
}

func roomOf(roomID string, it item) chat.Room {
	return chat.Room{
		ID:          roomID,
		Name:        getText(it, table.Name),
		Type:        chat.RoomType(getText(it, table.Type)),
		CreatedBy:   getText(it, table.CreatedBy),
		CreatedAt:   getNumber(it, table.CreatedAt),
		MemberCount: int(getNumber(it, table.MemberCount)),
	}
}

// IsMember reads strongly whether a user is a member of a room.
func (s *Store) IsMember(ctx context.Context, roomID, userID string) (bool, error) {
	_, ok, err := s.Member(ctx, roomID, userID)
	return ok, err
}

// Member reads a member strongly.
func (s *Store) Member(ctx context.Context, roomID, userID string) (chat.Member, bool, error) {
	it, err := s.get(ctx, table.Member(roomID, userID))
	if err != nil || it == nil {
		return chat.Member{}, false, err
	}
	return memberOf(userID, it), true, nil
}

func memberOf(userID string, it item) chat.Member {
	return chat.Member{
		UserID: userID, Role: chat.Role(getText(it, table.Role)), JoinedAt: getNumber(it, table.JoinedAt),
	}
}

// Members reads one page of a room's members strongly; limit 0 reads all.
func (s *Store) Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error) {
	p := page{pk: table.RoomPrefix + roomID}
	p.from, p.to = prefixed(table.MemberPrefix)
	if after != "" {
		p.from = table.Member(roomID, after).SK + "\x00" // the next possible key; control characters are in no user id
	}
	if limit > 0 {
		p.limit = limit + 1
	}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, false, err
	}
	members := make([]chat.Member, 0, len(items))
	for _, it := range items {
		if id, err := table.Parse(keyOf(it)); err == nil {
			members = append(members, memberOf(id.UserID, it))
		}
	}
	if limit > 0 && len(members) > limit {
		return members[:limit], true, nil
	}
	return members, false, nil
}

// MembersIn reads the first members of a range strongly, at most limit, and
// whether there are more.
func (s *Store) MembersIn(ctx context.Context, roomID string, r chat.MemberRange, limit int) ([]chat.Member, bool, error) {
	p := memberPage(roomID, r)
	p.limit = limit + 1
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, false, err
	}
	members := make([]chat.Member, 0, len(items))
	for _, it := range items {
		id, err := table.Parse(keyOf(it))
		if err == nil && (r.To == "" || id.UserID < r.To) { // BETWEEN includes the bound itself
			members = append(members, memberOf(id.UserID, it))
		}
	}
	if len(members) > limit {
		return members[:limit], true, nil
	}
	return members, false, nil
}

// MemberBounds cuts the beginning of a range into parts of size members: it
// returns the user ids at which all parts but the first begin, at most `most`.
// It reads eventually: a bound may be a user who has left.
func (s *Store) MemberBounds(ctx context.Context, roomID string, r chat.MemberRange, size, most int) ([]string, error) {
	p := memberPage(roomID, r)
	p.eventual, p.limit, p.project = true, size*most+1, []string{table.PK, table.SK}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, err
	}
	var bounds []string
	for i := size; i < len(items) && len(bounds) < most; i += size {
		if id, err := table.Parse(keyOf(items[i])); err == nil && (r.To == "" || id.UserID < r.To) {
			bounds = append(bounds, id.UserID)
		}
	}
	return bounds, nil
}

func memberPage(roomID string, r chat.MemberRange) page {
	p := page{pk: table.RoomPrefix + roomID}
	p.from, p.to = prefixed(table.MemberPrefix)
	if r.From != "" {
		p.from = table.Member(roomID, r.From).SK
	}
	if r.To != "" {
		p.to = table.Member(roomID, r.To).SK
	}
	return p
}

// MemberOf returns which of at most 100 rooms a user is a member of, in the
// order given.
func (s *Store) MemberOf(ctx context.Context, userID string, roomIDs []string) ([]string, error) {
	keys := make([]table.Key, len(roomIDs))
	for i, roomID := range roomIDs {
		keys[i] = table.Member(roomID, userID)
	}
	items, err := s.batchGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(roomIDs), func(roomID string) bool {
		_, ok := items[table.Member(roomID, userID)]
		return !ok
	}), nil
}

// AddMember stores a member, the participation and the count in one
// transaction.
func (s *Store) AddMember(ctx context.Context, r chat.Room, m chat.Member) (bool, error) {
	reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{
		{Put: s.putAbsent(memberItem(r.ID, m))},
		{Put: &types.Put{TableName: s.table, Item: participationItem(r, m)}},
		{Update: s.countMembers(r.ID, 1)},
	})
	return s.changed("add a member", reasons, err)
}

// RemoveMember removes a member, the participation and the count in one
// transaction.
func (s *Store) RemoveMember(ctx context.Context, roomID, userID string) (bool, error) {
	reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{
		{Delete: &types.Delete{
			TableName: s.table, Key: key(table.Member(roomID, userID)),
			ConditionExpression:      aws.String("attribute_exists(#pk)"),
			ExpressionAttributeNames: map[string]string{"#pk": table.PK},
		}},
		{Delete: &types.Delete{TableName: s.table, Key: key(table.Participation(userID, roomID))}},
		{Update: s.countMembers(roomID, -1)},
	})
	return s.changed("remove a member", reasons, err)
}

// changed says whether a change of members took place: not if its first write
// found that there was nothing to change.
func (s *Store) changed(what string, reasons []types.CancellationReason, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	if len(reasons) > 0 && !failedAt(reasons, 0) {
		return false, fmt.Errorf("%s: the room is gone", what)
	}
	return len(reasons) == 0, nil
}

func (s *Store) countMembers(roomID string, by int64) *types.Update {
	return &types.Update{
		TableName: s.table, Key: key(table.Room(roomID)),
		UpdateExpression:          aws.String("ADD #n :by"),
		ConditionExpression:       aws.String("attribute_exists(#pk)"),
		ExpressionAttributeNames:  map[string]string{"#n": table.MemberCount, "#pk": table.PK},
		ExpressionAttributeValues: item{":by": number(by)},
	}
}

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
		ExpressionAttributeValues: item{":pk": text(table.UserRooms(userID))},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(int32(limit)), //nolint:gosec // at most 100
		ExclusiveStartKey:         start,
	})
	if err != nil {
		return nil, "", fmt.Errorf("query the room list: %w", err)
	}
	rooms, err := s.summaries(ctx, out.Items)
	if err != nil {
		return nil, "", err
	}
	return rooms, encodeCursor(out.LastEvaluatedKey), nil
}

// summaries completes entries of the room list with the rooms and their last
// messages. A room that is gone is left out, and what is no room.
func (s *Store) summaries(ctx context.Context, entries []item) ([]chat.RoomSummary, error) {
	var keys []table.Key
	var rooms []chat.RoomSummary
	for _, it := range entries {
		id, err := table.Parse(keyOf(it))
		ms, notATime := strconv.ParseInt(getText(it, table.GSI1SK), 10, 64)
		if err != nil || notATime != nil || id.Kind != table.KindParticipation {
			continue
		}
		keys = append(keys, table.Room(id.RoomID), table.LastMessage(id.RoomID))
		rooms = append(rooms, chat.RoomSummary{Room: chat.Room{ID: id.RoomID}, SortAt: ms})
	}
	items, err := s.batchGet(ctx, keys)
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
	return found, nil
}

// A cursor is where the index's page ended: the sort key and the room.
func encodeCursor(end item) string {
	if len(end) == 0 {
		return ""
	}
	raw, err := json.Marshal([]string{getText(end, table.GSI1SK), getText(end, table.SK)})
	if err != nil {
		panic("dynamo: two strings do not marshal: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeCursor(userID, cursor string) (item, error) {
	if cursor == "" {
		return nil, nil
	}
	bad := chat.Errorf(chat.CodeInvalidRequest, "cursor is not one that this list gave; start again without it")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, bad
	}
	var parts [2]string
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, bad
	}
	roomID, isRoom := strings.CutPrefix(parts[1], table.RoomPrefix)
	if len(parts[0]) != len(table.Millis(0)) || !isRoom || chat.ValidateRoomID(roomID) != nil {
		return nil, bad
	}
	start := key(table.Key{PK: table.UserPrefix + userID, SK: parts[1]})
	start[table.GSI1PK] = text(table.UserRooms(userID))
	start[table.GSI1SK] = text(parts[0])
	return start, nil
}

// How often, and with what longest first pause, a batch is asked again for what
// the table had no capacity for.
const (
	batchSize     = 100 // DynamoDB's limit
	batchAttempts = 6
	batchPause    = 20 * time.Millisecond
)

// batchGet reads items strongly, by key; those that are absent or expired are
// left out.
func (s *Store) batchGet(ctx context.Context, keys []table.Key) (map[table.Key]item, error) {
	found := make(map[table.Key]item, len(keys))
	for chunk := range slices.Chunk(keys, batchSize) {
		wanted := make([]item, len(chunk))
		for i, k := range chunk {
			wanted[i] = key(k)
		}
		for attempt := 0; len(wanted) > 0; attempt++ {
			if attempt == batchAttempts {
				return nil, fmt.Errorf("batch get: %d keys left unread after %d attempts", len(wanted), attempt)
			}
			if attempt > 0 {
				if err := pause(ctx, batchPause<<attempt); err != nil {
					return nil, fmt.Errorf("batch get: %w", err)
				}
			}
			out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{
					*s.table: {Keys: wanted, ConsistentRead: aws.Bool(true)},
				},
			})
			if err != nil {
				return nil, fmt.Errorf("batch get: %w", err)
			}
			for _, it := range out.Responses[*s.table] {
				if !s.expired(it) {
					found[keyOf(it)] = it
				}
			}
			wanted = out.UnprocessedKeys[*s.table].Keys
		}
	}
	return found, nil
}
