package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Place reads a message, its room, and a user's membership and read cursor, in one
// request.
func (s *Store) Place(ctx context.Context, roomID, userID, messageID string) (chat.Place, error) {
	ms, err := chat.MessageTime(messageID)
	if err != nil {
		return chat.Place{}, err
	}
	about, who := table.Room(roomID), table.Member(roomID, userID)
	read, what := table.Read(roomID, userID), table.Message(roomID, ms, messageID)
	items, err := s.batchGet(ctx, []table.Key{about, who, read, what}, strong)
	if err != nil {
		return chat.Place{}, err
	}
	place := chat.Place{
		Room:     roomOf(roomID, items[about]),
		Member:   items[about] != nil && items[who] != nil,
		ReadUpTo: attribute.GetText(items[read], table.UpTo),
	}
	if it := items[what]; it != nil {
		place.Message, place.Found = messageOf(roomID, it)
	}
	return place, nil
}

// AdvanceReadCursor moves a user's read cursor, forward only.
func (s *Store) AdvanceReadCursor(ctx context.Context, roomID, userID, upTo string, at int64) error {
	in := &dynamodb.UpdateItemInput{
		TableName:                 s.table,
		Key:                       attribute.Key(table.Read(roomID, userID)),
		ConditionExpression:       aws.String("attribute_not_exists(#upTo) OR #upTo < :upTo"),
		UpdateExpression:          aws.String("SET #upTo = :upTo, #at = :at"),
		ExpressionAttributeNames:  map[string]string{"#upTo": table.UpTo, "#at": table.At},
		ExpressionAttributeValues: item{":upTo": attribute.Text(upTo), ":at": attribute.Number(at)},
	}
	err := s.retryConflicts(ctx, func() error { // the transaction of RemoveMember deletes it
		_, err := s.db.UpdateItem(ctx, in)
		return err
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("advance the read cursor in %s: %w", roomID, err)
	}
	return nil
}

// ReadCursors reads how far users have read a room, strongly.
func (s *Store) ReadCursors(ctx context.Context, roomID, from, to string) (map[string]chat.ReadCursor, error) {
	p := page{pk: table.RoomPrefix + roomID}
	p.from, p.to = prefixed(table.ReadPrefix)
	if from != "" {
		p.from = table.Read(roomID, from).SK
	}
	if to != "" {
		p.to = table.Read(roomID, to).SK
	}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, err
	}
	cursors := make(map[string]chat.ReadCursor, len(items))
	for _, it := range items {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
			cursors[id.UserID] = chat.ReadCursor{UpTo: attribute.GetText(it, table.UpTo), From: attribute.GetText(it, table.From)}
		}
	}
	return cursors, nil
}
