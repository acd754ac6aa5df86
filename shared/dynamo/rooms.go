package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// CreateRoom stores a room with its members in one transaction.
func (s *Store) CreateRoom(ctx context.Context, r chat.Room, members []chat.Member) (bool, error) {
	reasons, err := s.transact(ctx, ulid.Make().String(), s.creation(r, members))
	if err != nil {
		return false, err
	}
	return len(reasons) == 0, nil
}

// CreateRoomOnce stores a room with its members, and c's key, in one transaction.
// If the key exists, its item comes back with the failed condition.
func (s *Store) CreateRoomOnce(ctx context.Context, r chat.Room, members []chat.Member, c chat.Creation) (bool, chat.Creation, error) {
	once := attribute.Key(table.Created(c.UserID, c.Key))
	once[table.RoomID] = attribute.Text(c.RoomID)
	once[table.Request] = attribute.Text(c.Request)
	once[table.TTL] = attribute.Number(seconds(c.ExpiresAt))
	writes := append([]types.TransactWriteItem{{Put: &types.Put{
		TableName: s.table, Item: once,
		ConditionExpression:       aws.String("attribute_not_exists(#pk) OR #ttl <= :sec"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#ttl": table.TTL},
		ExpressionAttributeValues: item{":sec": attribute.Number(s.now().Unix())},

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}}, s.creation(r, members)...)
	reasons, err := s.transact(ctx, ulid.Make().String(), writes)
	if err != nil {
		return false, chat.Creation{}, err
	}
	if !failedAt(reasons, 0) {
		return len(reasons) == 0, chat.Creation{}, nil
	}
	return false, creationOf(c.UserID, c.Key, reasons[0].Item), nil
}

func creationOf(userID, key string, it item) chat.Creation {
	return chat.Creation{
		UserID: userID, Key: key, Request: attribute.GetText(it, table.Request), RoomID: attribute.GetText(it, table.RoomID),
		ExpiresAt: attribute.GetNumber(it, table.TTL) * 1000,
	}
}

// Creation reads strongly what CreateRoomOnce remembers.
func (s *Store) Creation(ctx context.Context, userID, key string) (chat.Creation, bool, error) {
	k := table.Created(userID, key)
	found, err := s.batchGet(ctx, []table.Key{k}, strong) // for which the role has a permission
	if err != nil {
		return chat.Creation{}, false, err
	}
	c := creationOf(userID, key, found[k])
	return c, found[k] != nil && c.ExpiresAt > s.now().UnixMilli(), nil
}

// creation returns the writes that create a room.
func (s *Store) creation(r chat.Room, members []chat.Member) []types.TransactWriteItem {
	row := attribute.Key(table.Room(r.ID))
	if r.Name != "" {
		row[table.Name] = attribute.Text(r.Name)
	}
	row[table.Type] = attribute.Text(string(r.Type))
	row[table.CreatedBy] = attribute.Text(r.CreatedBy)
	if r.Invited != "" {
		row[table.Invited] = attribute.Text(r.Invited)
	}
	if r.Public {
		row[table.Visibility] = attribute.Text(table.Public)
	}
	row[table.CreatedAt] = attribute.Number(r.CreatedAt)
	row[table.MemberCount] = attribute.Number(int64(len(members)))
	writes := []types.TransactWriteItem{{Put: s.putAbsent(row)}}
	for _, m := range members {
		writes = append(
			writes,
			types.TransactWriteItem{Put: &types.Put{TableName: s.table, Item: memberItem(r.ID, m)}},
			types.TransactWriteItem{Put: &types.Put{TableName: s.table, Item: participationItem(r, m)}},
		)
	}
	return writes
}

func (s *Store) putAbsent(it item) *types.Put {
	return &types.Put{
		TableName: s.table, Item: it,
		ConditionExpression:      aws.String("attribute_not_exists(#pk)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK},
	}
}

func memberItem(roomID string, m chat.Member) item {
	it := attribute.Key(table.Member(roomID, m.UserID))
	it[table.Role] = attribute.Text(string(m.Role))
	it[table.JoinedAt] = attribute.Number(m.JoinedAt)
	if m.RetentionDays != 0 {
		it[table.RetentionDays] = attribute.Number(int64(m.RetentionDays))
	}
	return it
}

func participationItem(r chat.Room, m chat.Member) item {
	it := attribute.Key(table.Participation(m.UserID, r.ID))
	it[table.JoinedAt] = attribute.Number(m.JoinedAt)
	it[table.GSI1PK] = attribute.Text(table.UserRooms(m.UserID))
	it[table.GSI1SK] = attribute.Text(table.Millis(r.CreatedAt))
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
		Name:        attribute.GetText(it, table.Name),
		Type:        chat.RoomType(attribute.GetText(it, table.Type)),
		CreatedBy:   attribute.GetText(it, table.CreatedBy),
		CreatedAt:   attribute.GetNumber(it, table.CreatedAt),
		MemberCount: int(attribute.GetNumber(it, table.MemberCount)),
		RenamedAt:   attribute.GetNumber(it, table.EditedAt),
		Invited:     attribute.GetText(it, table.Invited),
		Public:      attribute.GetText(it, table.Visibility) == table.Public,
		PlacedAt:    attribute.GetNumber(it, table.PlacedAt),
		BannedAt:    attribute.GetNumber(it, table.BannedAt),

		RetentionDays: int(attribute.GetNumber(it, table.RetentionDays)),
	}
}

// RoomFor reads a room and a user's membership of it in one request.
func (s *Store) RoomFor(ctx context.Context, roomID, userID string) (chat.Room, chat.Member, bool, error) {
	about, who := table.Room(roomID), table.Member(roomID, userID)
	items, err := s.batchGet(ctx, []table.Key{about, who}, strong)
	if err != nil {
		return chat.Room{}, chat.Member{}, false, err
	}
	if items[about] == nil || items[who] == nil {
		return chat.Room{}, chat.Member{}, false, nil
	}
	return roomOf(roomID, items[about]), memberOf(userID, items[who]), true, nil
}

// RenameRoom gives a room and its place a name, unless it was renamed at that time or
// later, or its place is another.
func (s *Store) RenameRoom(ctx context.Context, r chat.Room) (bool, error) {
	room := s.changeRoom(r)
	room.UpdateExpression = aws.String("SET #name = :name, #at = :at")
	room.ExpressionAttributeNames["#name"] = table.Name
	room.ExpressionAttributeValues[":name"] = attribute.Text(r.Name)
	return s.updateRoom(ctx, room, r, types.TransactWriteItem{Update: &types.Update{
		TableName: s.table, Key: attribute.Key(table.Place(r.ID)),
		ConditionExpression:       aws.String("attribute_exists(#pk)"),
		UpdateExpression:          aws.String("SET #name = :name"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#name": table.Name},
		ExpressionAttributeValues: item{":name": attribute.Text(r.Name)},
	}})
}

// changeRoom is an update of a room as of r.RenamedAt, without what it changes.
func (s *Store) changeRoom(r chat.Room) *types.Update {
	u := &types.Update{
		TableName: s.table, Key: attribute.Key(table.Room(r.ID)),
		ConditionExpression:       aws.String("attribute_exists(#pk) AND (attribute_not_exists(#at) OR #at < :at) AND attribute_not_exists(#placed)"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#at": table.EditedAt, "#placed": table.PlacedAt},
		ExpressionAttributeValues: item{":at": attribute.Number(r.RenamedAt)},
	}
	if r.PlacedAt != 0 {
		u.ConditionExpression = aws.String("attribute_exists(#pk) AND (attribute_not_exists(#at) OR #at < :at) AND #placed = :placed")
		u.ExpressionAttributeValues[":placed"] = attribute.Number(r.PlacedAt)
	}
	return u
}

// updateRoom updates a room, and its place if it has one. A place that has ended may be
// gone: no other comes without a change of the room.
func (s *Store) updateRoom(ctx context.Context, room *types.Update, r chat.Room, place types.TransactWriteItem) (bool, error) {
	if r.PlacedAt != 0 {
		reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{{Update: room}, place})
		if err != nil || len(reasons) == 0 || failedAt(reasons, 0) {
			return err == nil && len(reasons) == 0, err
		}
	}
	return s.updateIf(ctx, room) // transactions add and remove members
}
