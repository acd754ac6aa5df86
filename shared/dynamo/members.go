package dynamo

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

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
		UserID: userID, Role: chat.Role(attribute.GetText(it, table.Role)), JoinedAt: attribute.GetNumber(it, table.JoinedAt),
		MutedUntil: attribute.GetNumber(it, table.MutedUntil), ChangedAt: attribute.GetNumber(it, table.EditedAt),
		PausedUntil: attribute.GetNumber(it, table.PausedUntil),
		Blocked:     it[table.Blocked] != nil, Blocks: it[table.Blocks] != nil,
		Notify: notifyOf(it), NotifyAt: attribute.GetNumber(it, table.NotifyAt),
		IndexedUntil:  attribute.GetNumber(it, table.Indexed),
		RetentionDays: int(attribute.GetNumber(it, table.RetentionDays)),
	}
}

// MembersAmong reads strongly which of some users are members of a room, in the order
// given.
func (s *Store) MembersAmong(ctx context.Context, roomID string, userIDs []string) ([]string, error) {
	return s.among(ctx, userIDs, func(id string) table.Key { return table.Member(roomID, id) })
}

// Members reads a room's first members after one ("" is the beginning) strongly,
// at most limit, and whether there are more.
func (s *Store) Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error) {
	var rest fanout.MemberRange
	if after != "" {
		rest.From = after + "\x00" // the next possible id: ids have no control characters
	}
	p := memberPage(roomID, rest)
	p.limit = limit + 1
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, false, err
	}
	members := make([]chat.Member, 0, len(items))
	for _, it := range items {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
			members = append(members, memberOf(id.UserID, it))
		}
	}
	members, more := upTo(members, limit)
	return members, more, nil
}

// upTo returns the first members, and whether there are more.
func upTo(members []chat.Member, limit int) (first []chat.Member, more bool) {
	return members[:min(limit, len(members))], len(members) > limit
}

// MembersIn implements fanout.Store.
func (s *Store) MembersIn(ctx context.Context, roomID string, r fanout.MemberRange, limit int) ([]chat.Member, bool, error) {
	p := memberPage(roomID, r)
	p.limit, p.project = limit+1, []string{table.SK, table.JoinedAt, table.Notify, table.Indexed}
	rows, err := s.queryRows(ctx, p)
	if err != nil {
		return nil, false, err
	}
	members := make([]chat.Member, 0, len(rows))
	for _, row := range rows {
		id, err := table.Parse(table.Key{PK: p.pk, SK: row.text(table.SK)})
		if err == nil && (r.To == "" || id.UserID < r.To) { // BETWEEN includes the bound itself
			members = append(members, chat.Member{
				UserID: id.UserID, JoinedAt: row.number(table.JoinedAt), Notify: chat.Notify(row.text(table.Notify)),
				IndexedUntil: row.number(table.Indexed),
			})
		}
	}
	members, more := upTo(members, limit)
	return members, more, nil
}

// MemberBounds cuts the beginning of a range into parts of size members: it
// returns the user ids at which all parts but the first begin, at most `most`.
// The read is eventually consistent: a bound may be a user who has left.
func (s *Store) MemberBounds(ctx context.Context, roomID string, r fanout.MemberRange, size, most int) ([]string, error) {
	p := memberPage(roomID, r)
	p.eventual, p.limit, p.project = true, size*most+1, []string{table.PK, table.SK}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, err
	}
	var bounds []string
	for i := size; i < len(items) && len(bounds) < most; i += size {
		if id, err := table.Parse(attribute.KeyOf(items[i])); err == nil && (r.To == "" || id.UserID < r.To) {
			bounds = append(bounds, id.UserID)
		}
	}
	return bounds, nil
}

func memberPage(roomID string, r fanout.MemberRange) page {
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

// participationsAsked is how many of a user's participations MemberOf reads for each room
// that it is asked about: for what is not reached it reads the rooms' own items, too.
const participationsAsked = 3

// MemberOf returns which of at most 100 rooms a user is a member of, in the
// order given. It reads the user's participations, which are written with the members:
// most often one unit, not one for each room. Of a user with many rooms it reads the
// members where that costs less.
func (s *Store) MemberOf(ctx context.Context, userID string, roomIDs []string) ([]string, error) {
	if len(roomIDs) == 0 {
		return nil, nil
	}
	items, next, err := s.query(ctx, page{
		pk:   table.UserPrefix + userID,
		from: table.Participation(userID, slices.Min(roomIDs)).SK, to: table.Participation(userID, slices.Max(roomIDs)).SK,
		limit: participationsAsked * len(roomIDs), project: []string{table.PK, table.SK},
	}, nil)
	if err != nil {
		return nil, err
	}
	mine := make(map[string]bool, len(items))
	for _, it := range items {
		mine[attribute.GetText(it, table.SK)] = true
	}
	var keys []table.Key // of rooms that the query did not reach
	for _, roomID := range roomIDs {
		if len(next) > 0 && table.Participation(userID, roomID).SK > attribute.GetText(next, table.SK) {
			keys = append(keys, table.Member(roomID, userID))
		}
	}
	members, err := s.batchGet(ctx, keys, strong)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(roomIDs), func(roomID string) bool {
		_, ok := members[table.Member(roomID, userID)]
		return !ok && !mine[table.Participation(userID, roomID).SK]
	}), nil
}

// AddMember stores a member, the participation and the read cursor, and counts the
// member, in one transaction.
func (s *Store) AddMember(ctx context.Context, r chat.Room, m chat.Member) (bool, error) {
	return s.addMember(ctx, r, m, false)
}

// JoinRoom is AddMember, if the room is public.
func (s *Store) JoinRoom(ctx context.Context, r chat.Room, m chat.Member) (bool, error) {
	return s.addMember(ctx, r, m, true)
}

// The places of writes in the transaction that adds a member.
const (
	addsMember = iota
	addsParticipation
	addsCount
	addsUnlessBanned
)

// addMember adds a member to a room, one that has to be public if they join. It looks for
// a ban of theirs only if the room has had bans.
func (s *Store) addMember(ctx context.Context, r chat.Room, m chat.Member, joins bool) (bool, error) {
	newest, err := s.newestMessageID(ctx, r.ID)
	if err != nil {
		return false, err
	}
	m.RetentionDays = r.RetentionDays
	writes := []types.TransactWriteItem{
		addsMember:        {Put: s.putAbsent(memberItem(r.ID, m))},
		addsParticipation: {Put: &types.Put{TableName: s.table, Item: participationItem(r, m)}},
		addsCount:         {Update: s.countNewcomer(r, joins)},
	}
	if r.BannedAt != 0 {
		writes = append(writes, s.unbanned(r.ID, m.UserID))
	}
	cursor := len(writes)
	if newest != "" {
		writes = append(writes, types.TransactWriteItem{Put: s.joinedCursor(r.ID, m, newest)})
	}
	reasons, err := s.transact(ctx, ulid.Make().String(), writes)
	if failedAt(reasons, cursor) && !slices.ContainsFunc(reasons[:cursor], failed) {
		// A read that was stored after its reader had left: that cursor stays.
		reasons, err = s.transact(ctx, ulid.Make().String(), writes[:cursor])
	}
	switch {
	case err != nil:
		return false, err
	case len(reasons) == 0:
		return true, nil
	case failedAt(reasons, addsMember):
		return false, nil
	case r.BannedAt != 0 && failedAt(reasons, addsUnlessBanned):
		return false, chat.ErrBanned(banOf(m.UserID, reasons[addsUnlessBanned].Item).Until)
	}
	if it := reasons[addsCount].Item; it != nil {
		now := roomOf(r.ID, it)
		if r.BannedAt == 0 && now.BannedAt != 0 || r.RetentionDays != now.RetentionDays {
			return s.addMember(ctx, now, m, joins) // that came after the room was read
		}
	}
	gone := "the room was deleted"
	if joins {
		gone = "the room is not public any more; ask an owner to add you"
	}
	return false, &chat.Error{Code: chat.CodeNotAMember, Message: gone}
}

// countNewcomer counts a member of a room: not in one that is not public, if they join,
// and not in one that has had bans by now, if it had none when it was read, or that has
// messages kept for another time.
func (s *Store) countNewcomer(r chat.Room, joins bool) *types.Update {
	count := s.countMembers(r.ID, 1)
	condition := *count.ConditionExpression
	if joins {
		condition += " AND #visibility = :public"
		count.ExpressionAttributeNames["#visibility"] = table.Visibility
		count.ExpressionAttributeValues[":public"] = attribute.Text(table.Public)
	}
	if r.BannedAt == 0 {
		condition += " AND attribute_not_exists(#banned)"
		count.ExpressionAttributeNames["#banned"] = table.BannedAt
	}
	count.ExpressionAttributeNames["#retention"] = table.RetentionDays
	if r.RetentionDays == 0 {
		condition += " AND attribute_not_exists(#retention)"
	} else {
		condition += " AND #retention = :retention"
		count.ExpressionAttributeValues[":retention"] = attribute.Number(int64(r.RetentionDays))
	}
	count.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	count.ConditionExpression = &condition
	return count
}

// joinedCursor puts the read cursor of a member who joins a room whose newest
// message has an id, unless they have read as far already.
func (s *Store) joinedCursor(roomID string, m chat.Member, newest string) *types.Put {
	it := attribute.Key(table.Read(roomID, m.UserID))
	it[table.UpTo], it[table.From] = attribute.Text(newest), attribute.Text(newest)
	it[table.At] = attribute.Number(m.JoinedAt)
	return &types.Put{
		TableName: s.table, Item: it,
		ConditionExpression:       aws.String("attribute_not_exists(#upTo) OR #upTo < :upTo"),
		ExpressionAttributeNames:  map[string]string{"#upTo": table.UpTo},
		ExpressionAttributeValues: item{":upTo": attribute.Text(newest)},
	}
}

// newestMessageID reads the id of a room's newest message strongly, "" if there is
// none.
func (s *Store) newestMessageID(ctx context.Context, roomID string) (string, error) {
	p := page{pk: table.RoomPrefix + roomID, backward: true, limit: 1, project: []string{table.PK, table.SK}}
	p.from, p.to = prefixed(table.MessagePrefix)
	items, _, err := s.query(ctx, p, nil)
	if err != nil || len(items) == 0 {
		return "", err
	}
	id, err := table.Parse(attribute.KeyOf(items[0]))
	if err != nil {
		return "", nil //nolint:nilerr // a stray item is no message
	}
	return id.MessageID, nil
}

// RemoveMember removes a member, with their participation and read cursor,
// discounts them, and makes the successor an owner, in one transaction.
func (s *Store) RemoveMember(ctx context.Context, roomID string, m, successor chat.Member) (bool, error) {
	roles := item{":role": attribute.Text(string(m.Role))}
	writes := []types.TransactWriteItem{
		{Delete: &types.Delete{
			TableName: s.table, Key: attribute.Key(table.Member(roomID, m.UserID)),
			// A member who has become an owner since must not leave without a successor.
			ConditionExpression:       aws.String("#role = :role"),
			ExpressionAttributeNames:  map[string]string{"#role": table.Role},
			ExpressionAttributeValues: roles,
		}},
		{Delete: &types.Delete{TableName: s.table, Key: attribute.Key(table.Participation(m.UserID, roomID))}},
		{Delete: &types.Delete{TableName: s.table, Key: attribute.Key(table.Read(roomID, m.UserID))}},
	}
	switch {
	case successor.UserID != "":
		writes = append(writes, types.TransactWriteItem{Update: s.countMembers(roomID, -1)}, types.TransactWriteItem{Update: s.succeed(roomID, successor)})
	case m.Role == chat.Owner:
		// The condition of countMembers keeps users from joining a deleted room.
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{
			TableName: s.table, Key: attribute.Key(table.Room(roomID)),
			ConditionExpression:       aws.String("#n = :one"),
			ExpressionAttributeNames:  map[string]string{"#n": table.MemberCount},
			ExpressionAttributeValues: item{":one": attribute.Number(1)},
		}}, types.TransactWriteItem{Delete: s.deletePlace(roomID)})
	default:
		writes = append(writes, types.TransactWriteItem{Update: s.countMembers(roomID, -1)})
	}
	reasons, err := s.transact(ctx, ulid.Make().String(), writes)
	if err != nil {
		return false, err
	}
	return len(reasons) == 0, nil
}

// succeed makes a member an owner. An owner has to stay one.
func (s *Store) succeed(roomID string, m chat.Member) *types.Update {
	if m.Role == chat.Owner {
		return s.keepOwner(roomID, m.UserID)
	}
	u := memberChange(roomID, m, m.Inheriting(s.now().UnixMilli()))
	u.TableName = s.table
	return u
}

func (s *Store) countMembers(roomID string, by int64) *types.Update {
	return &types.Update{
		TableName: s.table, Key: attribute.Key(table.Room(roomID)),
		UpdateExpression:          aws.String("ADD #n :by"),
		ConditionExpression:       aws.String("attribute_exists(#pk)"),
		ExpressionAttributeNames:  map[string]string{"#n": table.MemberCount, "#pk": table.PK},
		ExpressionAttributeValues: item{":by": attribute.Number(by)},
	}
}
