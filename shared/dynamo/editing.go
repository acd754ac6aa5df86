package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// EditMessage gives a message new content as of m.EditedAt.
func (s *Store) EditMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	return s.changeMessage(ctx, m, "SET #content = :content, #edited = :at", &dynamodb.UpdateItemInput{
		ExpressionAttributeNames:  map[string]string{"#content": table.Content},
		ExpressionAttributeValues: item{":content": attribute.Text(m.Content)},
	})
}

// DeleteMessage removes a message's content, attachments and quote, as of m.DeletedAt, and
// the readers that earlier versions stored with it. The ids of the attachments stay, for
// those who remove the files.
func (s *Store) DeleteMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	update := "SET #deleted = :at, #edited = :at REMOVE #content, #readBy, #quote"
	in := &dynamodb.UpdateItemInput{
		ExpressionAttributeNames:  map[string]string{"#content": table.Content, "#readBy": table.ReadBy, "#quote": table.ReplyTo},
		ExpressionAttributeValues: item{},
	}
	if len(m.Attachments) > 0 {
		update = "SET #deleted = :at, #edited = :at, #ids = :ids REMOVE #content, #readBy, #quote, #attachments"
		in.ExpressionAttributeNames["#ids"], in.ExpressionAttributeNames["#attachments"] = table.AttachmentIDs, table.Attachments
		ids := make([]types.AttributeValue, len(m.Attachments))
		for i, file := range m.Attachments {
			ids[i] = attribute.Text(file.ID)
		}
		in.ExpressionAttributeValues[":ids"] = &types.AttributeValueMemberL{Value: ids}
	}
	return s.changeMessage(ctx, m, update, in)
}

// changeMessage makes a change under the condition that it is newer than any
// other. Every change sets editedAt, a deletion too, because the filters of the
// stream's readers recognise changes by it.
func (s *Store) changeMessage(
	ctx context.Context, m chat.Message, update string, in *dynamodb.UpdateItemInput,
) (chat.Message, bool, error) {
	in.TableName = s.table
	in.Key = attribute.Key(table.Message(m.RoomID, m.SentAt, m.ID))
	in.UpdateExpression = aws.String(update)
	in.ConditionExpression = aws.String(
		"attribute_exists(#pk) AND attribute_not_exists(#deleted) AND (attribute_not_exists(#edited) OR #edited < :at)")
	in.ExpressionAttributeNames["#pk"] = table.PK
	in.ExpressionAttributeNames["#deleted"] = table.DeletedAt
	in.ExpressionAttributeNames["#edited"] = table.EditedAt
	in.ExpressionAttributeValues[":at"] = attribute.Number(m.Version())
	in.ReturnValues = types.ReturnValueAllNew
	in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	out, err := s.db.UpdateItem(ctx, in)
	if old, failed := conditionFailed(err); failed && old != nil {
		current, _ := MessageOf(m.RoomID, old)
		return current, false, nil
	}
	if err != nil {
		return chat.Message{}, false, fmt.Errorf("change message %s: %w", m.ID, err)
	}
	current, _ := MessageOf(m.RoomID, out.Attributes)
	return current, true, nil
}
