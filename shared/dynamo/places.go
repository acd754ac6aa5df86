package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/geo"
	"github.com/streamroom/streamroom/shared/table"
)

// ShareRoom makes a room public, or private and without a place.
func (s *Store) ShareRoom(ctx context.Context, r chat.Room) (bool, error) {
	room := s.changeRoom(r)
	room.ExpressionAttributeNames["#visibility"] = table.Visibility
	if r.Public { // which a room with a place is
		room.UpdateExpression = aws.String("SET #at = :at, #visibility = :public")
		room.ExpressionAttributeValues[":public"] = attribute.Text(table.Public)
	} else {
		room.UpdateExpression = aws.String("SET #at = :at REMOVE #visibility, #placed")
	}
	return s.updateRoom(ctx, room, r, types.TransactWriteItem{Delete: s.deletePlace(r.ID)})
}

func (s *Store) deletePlace(roomID string) *types.Delete {
	return &types.Delete{TableName: s.table, Key: attribute.Key(table.Place(roomID))}
}

// PlaceRoom stores a place, and notes with the room that it has one, so that what changes
// the room changes the place, and that the room has changed.
func (s *Store) PlaceRoom(ctx context.Context, r chat.Room, at chat.Location) (bool, error) {
	reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{
		{Update: &types.Update{
			TableName: s.table, Key: attribute.Key(table.Room(r.ID)),
			ConditionExpression: aws.String("#name = :name AND #visibility = :public AND (attribute_not_exists(#at) OR #at < :at)"),
			UpdateExpression:    aws.String("SET #placed = :placed, #at = :at"),
			ExpressionAttributeNames: map[string]string{
				"#name": table.Name, "#visibility": table.Visibility, "#placed": table.PlacedAt, "#at": table.EditedAt,
			},
			ExpressionAttributeValues: item{
				":name": attribute.Text(r.Name), ":public": attribute.Text(table.Public),
				":placed": attribute.Number(r.PlacedAt), ":at": attribute.Number(r.RenamedAt),
			},
		}},
		{Put: &types.Put{TableName: s.table, Item: PlaceItem(r, at)}},
	})
	return err == nil && len(reasons) == 0, err
}

// PlaceItem is a room's place. It has the room's name, which a search shows.
func PlaceItem(r chat.Room, at chat.Location) attribute.Item {
	it := attribute.Key(table.Place(r.ID))
	parent, leaf := geo.Cell(at.Point)
	it[table.GSI2PK], it[table.GSI2SK] = attribute.Text(table.Geo(parent)), attribute.Text(leaf)
	it[table.Name] = attribute.Text(r.Name)
	it[table.Lat], it[table.Lon] = attribute.Decimal(at.Point.Lat), attribute.Decimal(at.Point.Lon)
	if at.Address != "" {
		it[table.Address] = attribute.Text(at.Address)
	}
	if at.StartsAt != 0 {
		it[table.StartsAt] = attribute.Number(at.StartsAt)
	}
	if at.EndsAt != 0 {
		it[table.EndsAt] = attribute.Number(at.EndsAt)
		it[table.TTL] = attribute.Number(seconds(at.EndsAt))
	}
	return it
}

// UnplaceRoom removes a place.
func (s *Store) UnplaceRoom(ctx context.Context, r chat.Room) (bool, error) {
	room := s.changeRoom(r)
	room.UpdateExpression = aws.String("SET #at = :at REMOVE #placed")
	return s.updateRoom(ctx, room, r, types.TransactWriteItem{Delete: s.deletePlace(r.ID)})
}

// RoomPlace reads a place strongly.
func (s *Store) RoomPlace(ctx context.Context, roomID string) (chat.Location, bool, error) {
	it, err := s.get(ctx, table.Place(roomID))
	if err != nil || it == nil {
		return chat.Location{}, false, err
	}
	at, ok := LocationOf(it)
	return at, ok, nil
}

// LocationOf reads a place; false if it has no coordinates.
func LocationOf(it attribute.Item) (chat.Location, bool) {
	lat, hasLat := attribute.GetDecimal(it, table.Lat)
	lon, hasLon := attribute.GetDecimal(it, table.Lon)
	return chat.Location{
		Point: geo.Point{Lat: lat, Lon: lon}, Address: attribute.GetText(it, table.Address),
		StartsAt: attribute.GetNumber(it, table.StartsAt), EndsAt: attribute.GetNumber(it, table.EndsAt),
	}, hasLat && hasLon
}

// placeAttributes are what a search reads of a place: the room by its partition key, and
// no other key.
var placeAttributes = append([]string{table.PK}, table.PlaceAttributes()...)

// PlacesIn reads a range of GSI2, in one query.
func (s *Store) PlacesIn(ctx context.Context, r chat.PlaceRange, limit int) (chat.PlacePage, error) {
	in := &dynamodb.QueryInput{
		TableName: s.table, IndexName: aws.String(table.GSI2),
		KeyConditionExpression:   aws.String("#pk = :pk AND #sk BETWEEN :from AND :to"),
		ExpressionAttributeNames: map[string]string{"#pk": table.GSI2PK, "#sk": table.GSI2SK},
		ExpressionAttributeValues: item{
			":pk": attribute.Text(table.Geo(r.Parent)), ":from": attribute.Text(r.From), ":to": attribute.Text(r.To),
		},
		ScanIndexForward: aws.Bool(!r.Backward), Limit: aws.Int32(int32(limit)), //nolint:gosec // a few hundred
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	in.ProjectionExpression = projection(placeAttributes, in.ExpressionAttributeNames)
	if r.After != "" {
		in.ExclusiveStartKey = attribute.Key(table.Place(r.After))
		in.ExclusiveStartKey[table.GSI2PK], in.ExclusiveStartKey[table.GSI2SK] = attribute.Text(table.Geo(r.Parent)), attribute.Text(r.From)
	}
	out, err := s.db.Query(ctx, in)
	if err != nil {
		return chat.PlacePage{}, fmt.Errorf("query the places of %s: %w", r.Parent, err)
	}
	page := chat.PlacePage{More: len(out.LastEvaluatedKey) > 0}
	if page.More {
		last, err := table.Parse(attribute.KeyOf(out.LastEvaluatedKey))
		if err != nil {
			return page, fmt.Errorf("query the places of %s: %w", r.Parent, err)
		}
		page.Leaf, page.After = attribute.GetText(out.LastEvaluatedKey, table.GSI2SK), last.RoomID
	}
	if out.ConsumedCapacity != nil {
		page.Units = aws.ToFloat64(out.ConsumedCapacity.CapacityUnits)
	}
	for _, it := range out.Items {
		id, err := table.Parse(table.Key{PK: attribute.GetText(it, table.PK), SK: table.PlaceKey})
		if at, ok := LocationOf(it); err == nil && ok {
			page.Places = append(page.Places, chat.Nearby{RoomID: id.RoomID, Name: attribute.GetText(it, table.Name), Location: at})
		}
	}
	return page, nil
}
