package verify

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// checkedPlace says what is wrong with a place, and what the item should be: nil if there
// should be none, or if nothing says what it should be. One that has expired may be gone.
func (v *verifier) checkedPlace(roomID string, room, place item) (problem string, want item) {
	if place == nil || v.expired(place, 0) {
		return "", nil
	}
	if room == nil {
		return "its room is not there", nil
	}
	if attribute.GetText(room, table.Visibility) != table.Public {
		return "its room is private", nil
	}
	if room[table.PlacedAt] == nil { // so no one can remove it, see chat.Rooms.Unplace
		return "its room has none", nil
	}
	at, ok := dynamo.LocationOf(place)
	if !ok || !at.Point.IsValid() {
		return "it has no coordinates", nil
	}
	want = dynamo.PlaceItem(chat.Room{ID: roomID, Name: attribute.GetText(room, table.Name)}, at)
	differs := func(name string) bool { return attribute.GetText(place, name) != attribute.GetText(want, name) }
	switch {
	case differs(table.GSI2PK), differs(table.GSI2SK):
		return "its keys in GSI2 are not those of its coordinates", want
	case differs(table.Name):
		return "its name is not the room's", want
	}
	return "", nil
}

// checkPlace checks a room's place, both as of one moment.
func (v *verifier) checkPlace(ctx context.Context, s candidate) ([]finding, error) {
	k := table.Place(s.room)
	got, err := v.snapshot(ctx, []table.Key{table.Room(s.room), k})
	if err != nil {
		return nil, err
	}
	room, place := got[0], got[1]
	problem, want := v.checkedPlace(s.room, room, place)
	if problem == "" {
		return nil, nil
	}
	f := finding{candidate: s, Difference: Difference{Kind: Place, PK: k.PK, SK: k.SK, Problem: problem}}
	switch {
	case want != nil:
		f.repair = func(ctx context.Context) error { return v.repairPlace(ctx, room, place, want) }
	case attribute.GetText(room, table.Visibility) != table.Public, room[table.PlacedAt] == nil:
		f.repair = func(ctx context.Context) error { return v.repairStrayPlace(ctx, k, room, place) }
	}
	return []finding{f}, nil
}

// repairPlace gives a place its keys and its room's name, while both are what they were.
func (v *verifier) repairPlace(ctx context.Context, room, place, want item) error {
	update, names, values := dynamo.SetAll(item{table.GSI2PK: want[table.GSI2PK], table.GSI2SK: want[table.GSI2SK], table.Name: want[table.Name]})
	condition := unchanged(place, names, values, table.PK, table.Lat, table.Lon)
	return v.transact(ctx, v.sameRoom(attribute.KeyOf(room), room), types.TransactWriteItem{Update: &types.Update{
		TableName: aws.String(v.config.Table), Key: attribute.Key(attribute.KeyOf(place)), UpdateExpression: aws.String(update),
		ConditionExpression: condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}})
}

// repairStrayPlace removes a place, while its room is not there, is private or has none.
func (v *verifier) repairStrayPlace(ctx context.Context, k table.Key, room, place item) error {
	names, values := map[string]string{}, item{}
	condition := unchanged(place, names, values, table.PK, table.Lat, table.Lon)
	id, err := table.Parse(k)
	if err != nil {
		return err
	}
	return v.transact(ctx, v.sameRoom(table.Room(id.RoomID), room), types.TransactWriteItem{Delete: &types.Delete{
		TableName: aws.String(v.config.Table), Key: attribute.Key(k),
		ConditionExpression: condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}})
}

// sameRoom checks that a room has the name, the visibility and the place that it had; that it
// is not there, if it was not.
func (v *verifier) sameRoom(k table.Key, room item) types.TransactWriteItem {
	names, values := map[string]string{}, item{}
	condition := unchanged(room, names, values, table.PK, table.Name, table.Visibility, table.PlacedAt)
	if len(values) == 0 {
		values = nil // DynamoDB takes none, but not an empty list of them
	}
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: aws.String(v.config.Table), Key: attribute.Key(k), ConditionExpression: condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}}
}
