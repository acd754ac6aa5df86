package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// AdvanceLastMessage makes m the room's last message, unless that is a newer
// message or a newer version of m, and returns the last message after the call. It
// only moves forward, in any order of calls.
func (s *Store) AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error) {
	update, names, values := SetAll(LastMessageItem(m))
	names["#id"], names["#edited"] = table.MessageID, table.EditedAt
	values[":id"], values[":edited"] = attribute.Text(m.MessageID), attribute.Number(m.Version)
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table,
		Key:       attribute.Key(table.LastMessage(roomID)),
		ConditionExpression: aws.String("attribute_not_exists(#id) OR #id < :id OR " +
			"(#id = :id AND (attribute_not_exists(#edited) OR #edited < :edited))"),
		UpdateExpression: aws.String(update), ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if newer, failed := conditionFailed(err); failed {
		return LastMessageOf(newer), nil
	}
	if err != nil {
		return chat.LastMessage{}, fmt.Errorf("advance the last message of %s: %w", roomID, err)
	}
	return LastMessageOf(out.Attributes), nil
}

// LastMessage reads a room's last message strongly; false if there is no message.
func (s *Store) LastMessage(ctx context.Context, roomID string) (chat.LastMessage, bool, error) {
	it, err := s.get(ctx, table.LastMessage(roomID))
	if err != nil || it == nil {
		return chat.LastMessage{}, false, err
	}
	return LastMessageOf(it), true, nil
}

// LastMessageItem is what LASTMESSAGE has of a message, beside its key: all that follows
// from the message. Tools that repair one write the same.
func LastMessageItem(m chat.LastMessage) attribute.Item {
	return item{
		table.MessageID: attribute.Text(m.MessageID), table.SenderID: attribute.Text(m.SenderID),
		table.Preview: attribute.Text(m.Preview), table.MS: attribute.Number(m.SentAt),
		table.EditedAt: attribute.Number(m.Version), table.DeletedAt: attribute.Number(m.DeletedAt),
		table.Attachments: attribute.Number(int64(m.Attachments)), table.ExpiresAt: attribute.Number(m.ExpiresAt),
	}
}

// SetAll returns an update that sets all attributes of an item, "SET …", and the names and
// values that it stands for: an attribute a is #set_a and :set_a in it.
func SetAll(attributes attribute.Item) (update string, names map[string]string, values attribute.Item) {
	names, values = map[string]string{}, item{}
	sets := make([]string, 0, len(attributes))
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		names["#set_"+name], values[":set_"+name] = name, attributes[name]
		sets = append(sets, "#set_"+name+" = :set_"+name)
	}
	return "SET " + strings.Join(sets, ", "), names, values
}

// LastMessageOf reads a LASTMESSAGE; its id is "" where there is none.
func LastMessageOf(it attribute.Item) chat.LastMessage {
	ordered := attribute.GetNumber(it, table.OrderedAt)
	if ordered <= attribute.GetNumber(it, table.HiddenAt) {
		ordered = 0 // the next message brings the room back
	}
	return chat.LastMessage{
		MessageID: attribute.GetText(it, table.MessageID),
		SenderID:  attribute.GetText(it, table.SenderID),
		Preview:   attribute.GetText(it, table.Preview),
		SentAt:    attribute.GetNumber(it, table.MS),
		OrderedAt: ordered,
		DeletedAt: attribute.GetNumber(it, table.DeletedAt),
		Version:   attribute.GetNumber(it, table.EditedAt),
		ExpiresAt: attribute.GetNumber(it, table.ExpiresAt),

		Attachments: int(attribute.GetNumber(it, table.Attachments)),
	}
}

// NoteRoomOrder stores with the last message that the room was moved up in its
// members' room lists for the message of time ms. It only moves forward.
func (s *Store) NoteRoomOrder(ctx context.Context, roomID string, ms int64) error {
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 s.table,
		Key:                       attribute.Key(table.LastMessage(roomID)),
		ConditionExpression:       aws.String("attribute_exists(#id) AND (attribute_not_exists(#at) OR #at < :ms)"),
		UpdateExpression:          aws.String("SET #at = :ms"),
		ExpressionAttributeNames:  map[string]string{"#id": table.MessageID, "#at": table.OrderedAt},
		ExpressionAttributeValues: item{":ms": attribute.Number(ms)},
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("note the order of %s: %w", roomID, err)
	}
	return nil
}

// AdvanceRoomOrder moves a room in a member's list forward to ms, and puts one that
// was hidden before that back into it. It does nothing for a user who has left.
func (s *Store) AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms int64) error {
	in := &dynamodb.UpdateItemInput{
		TableName: s.table,
		Key:       attribute.Key(table.Participation(userID, roomID)),
		// False if there is no participation, so that the update does not create one.
		ConditionExpression: aws.String("#sk < :ms OR #hidden < :ms"),
		UpdateExpression:    aws.String("SET #sk = :ms, #pk = :list REMOVE #hidden"),
		ExpressionAttributeNames: map[string]string{
			"#sk": table.GSI1SK, "#pk": table.GSI1PK, "#hidden": table.HiddenAt,
		},
		ExpressionAttributeValues: item{":ms": attribute.Text(table.Millis(ms)), ":list": attribute.Text(table.UserRooms(userID))},
		ReturnValues:              types.ReturnValueNone,
	}
	err := s.retryConflicts(ctx, func() error { // transactions add and remove members
		_, err := s.db.UpdateItem(ctx, in)
		return err
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("advance %s in the rooms of %s: %w", roomID, userID, err)
	}
	return nil
}
