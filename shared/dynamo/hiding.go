package dynamo

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// hideAttempts bounds how often HideRoom begins again because a message came.
const hideAttempts = 8

// HideRoom takes a room out of a member's list: the participation leaves the index,
// and keeps the time of the newest message. AdvanceRoomOrder puts it back for a newer
// one, and only for that, however often it is repeated. So that the next message does
// move the room, however soon it comes, LASTMESSAGE says before that the room is hidden.
func (s *Store) HideRoom(ctx context.Context, userID string, r chat.Room) error {
	noted, least := "", int64(0)
	for range hideAttempts {
		newest, at, err := s.newestMessage(ctx, r)
		if err != nil {
			return err
		}
		if newest.ID != noted {
			if err := s.noteHidden(ctx, newest); err != nil {
				return err
			}
			noted = newest.ID
			continue // a message may have come before that was noted
		}
		hidden, err := s.changeList(ctx, &dynamodb.UpdateItemInput{
			Key: attribute.Key(table.Participation(userID, r.ID)),
			// Of a room that has moved on there is a message that was not read above.
			ConditionExpression: aws.String("attribute_exists(#key) AND (attribute_not_exists(#sk) OR #sk <= :at)"),
			UpdateExpression:    aws.String("SET #hidden = :at REMOVE #sk, #pk"),
			ExpressionAttributeNames: map[string]string{
				"#key": table.PK, "#sk": table.GSI1SK, "#pk": table.GSI1PK, "#hidden": table.HiddenAt,
			},
			ExpressionAttributeValues: item{":at": attribute.Text(table.Millis(max(at, least)))},
		})
		if err != nil {
			return fmt.Errorf("hide %s from %s: %w", r.ID, userID, err)
		}
		if hidden {
			return nil
		}
		key := table.Participation(userID, r.ID)
		found, err := s.batchGet(ctx, []table.Key{key}, strong)
		if err != nil || found[key] == nil {
			return err
		}
		// Messages that have expired may be gone that had moved the room. One that comes after
		// this is newer than its place, or is found above.
		least, _ = strconv.ParseInt(attribute.GetText(found[key], table.GSI1SK), 10, 64)
	}
	return fmt.Errorf("hide %s from %s: gave up after %d messages", r.ID, userID, hideAttempts)
}

// newestMessage reads a room's newest message strongly, and its time: the room's
// creation if there is none.
func (s *Store) newestMessage(ctx context.Context, r chat.Room) (m chat.Message, at int64, err error) {
	p := page{pk: table.RoomPrefix + r.ID, backward: true, limit: 1}
	p.from, p.to = prefixed(table.MessagePrefix)
	items, _, err := s.query(ctx, p, nil)
	if err != nil || len(items) == 0 {
		return m, r.CreatedAt, err
	}
	m, _ = MessageOf(r.ID, items[0]) // also one that has expired: the room stands at it
	return m, max(r.CreatedAt, m.SentAt), nil
}

// noteHidden notes with a room's last message that the room was hidden when m was its
// newest: see LastMessageOf.
func (s *Store) noteHidden(ctx context.Context, m chat.Message) error {
	in := &dynamodb.UpdateItemInput{
		TableName:                 s.table,
		Key:                       attribute.Key(table.LastMessage(m.RoomID)),
		ConditionExpression:       aws.String("attribute_exists(#id)"),
		UpdateExpression:          aws.String("SET #hidden = :at"),
		ExpressionAttributeNames:  map[string]string{"#id": table.MessageID, "#hidden": table.HiddenAt},
		ExpressionAttributeValues: item{":at": attribute.Number(m.SentAt)},
	}
	_, err := s.db.UpdateItem(ctx, in)
	if _, failed := conditionFailed(err); failed { // the stream's reader has not come so far
		if _, err := s.AdvanceLastMessage(ctx, m.RoomID, m.Preview()); err != nil {
			return err
		}
		_, err = s.db.UpdateItem(ctx, in)
	}
	if err != nil {
		return fmt.Errorf("note that %s is hidden: %w", m.RoomID, err)
	}
	return nil
}

// ShowRoom puts a room that was hidden back into its place in a member's list.
func (s *Store) ShowRoom(ctx context.Context, userID, roomID string) error {
	_, err := s.changeList(ctx, &dynamodb.UpdateItemInput{
		Key:                 attribute.Key(table.Participation(userID, roomID)),
		ConditionExpression: aws.String("attribute_exists(#hidden)"),
		UpdateExpression:    aws.String("SET #sk = #hidden, #pk = :list REMOVE #hidden"),
		ExpressionAttributeNames: map[string]string{
			"#sk": table.GSI1SK, "#pk": table.GSI1PK, "#hidden": table.HiddenAt,
		},
		ExpressionAttributeValues: item{":list": attribute.Text(table.UserRooms(userID))},
	})
	if err != nil {
		return fmt.Errorf("show %s to %s: %w", roomID, userID, err)
	}
	return nil
}

// changeList updates a participation; false if its condition failed.
func (s *Store) changeList(ctx context.Context, in *dynamodb.UpdateItemInput) (bool, error) {
	in.TableName = s.table
	err := s.retryConflicts(ctx, func() error { // transactions add and remove members
		_, err := s.db.UpdateItem(ctx, in)
		return err
	})
	if _, failed := conditionFailed(err); failed {
		return false, nil
	}
	return err == nil, err
}
