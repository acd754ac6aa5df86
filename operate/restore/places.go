package restore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// placedRoom says whether a place of the backup was lost, and not removed since: its room,
// which is returned, is public and has the place of that time. A run that only counts takes a
// room that is not there for one that comes with its place.
//
// A search finds a place by itself, and does not ask its room whether it is public.
func (r *run) placedRoom(ctx context.Context, roomID string) (room item, lost bool, err error) {
	k := []table.Key{table.Room(roomID)}
	then, err := r.lookup(ctx, r.config.From, k, table.Visibility, table.PlacedAt)
	if err != nil {
		return nil, false, err
	}
	now, err := r.lookup(ctx, r.config.To, k, table.Visibility, table.PlacedAt, table.Name)
	if err != nil {
		return nil, false, err
	}
	placed := attribute.GetNumber(then[k[0]], table.PlacedAt)
	room = now[k[0]]
	if room == nil && !r.config.Apply {
		room = then[k[0]]
	}
	lost = placed != 0 && attribute.GetNumber(room, table.PlacedAt) == placed && attribute.GetText(room, table.Visibility) == table.Public
	return room, lost, nil
}

// putPlace writes a place with its room's name, while the room has it, unless there is one by
// now.
func (r *run) putPlace(ctx context.Context, it, room item) error {
	if err := r.writes.Take(ctx, 1); err != nil {
		return err
	}
	it[table.Name] = room[table.Name]
	in := &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(r.config.To), Key: attribute.Key(attribute.KeyOf(room)),
			ConditionExpression:      aws.String("#placed = :placed AND #visibility = :public AND #name = :name"),
			ExpressionAttributeNames: map[string]string{"#placed": table.PlacedAt, "#visibility": table.Visibility, "#name": table.Name},
			ExpressionAttributeValues: item{
				":placed": room[table.PlacedAt], ":public": attribute.Text(table.Public), ":name": room[table.Name],
			},
		}},
		{Put: &types.Put{
			TableName: aws.String(r.config.To), Item: it, ConditionExpression: aws.String("attribute_not_exists(#pk)"),
			ExpressionAttributeNames: map[string]string{"#pk": table.PK},
		}},
	}}
	err := throttle.Transact(ctx, func() error {
		_, err := r.config.DB.TransactWriteItems(ctx, in)
		return err
	})
	switch {
	case err == nil:
		r.report.Copied++
	case attribute.CanceledByCondition(err): // it was changed in the meantime
	default:
		return fmt.Errorf("write a place to the table %s: %w", r.config.To, err)
	}
	return nil
}
