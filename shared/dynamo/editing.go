package dynamo

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// EditMessage gives a message new content and mentions as of m.EditedAt.
func (s *Store) EditMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	update := "SET #content = :content, #edited = :at REMOVE #mentions"
	in := &dynamodb.UpdateItemInput{
		ExpressionAttributeNames:  map[string]string{"#content": table.Content, "#mentions": table.Mentions},
		ExpressionAttributeValues: item{":content": attribute.Text(m.Content)},
	}
	if len(m.Mentions) > 0 {
		update = "SET #content = :content, #edited = :at, #mentions = :mentions"
		in.ExpressionAttributeValues[":mentions"] = attribute.Texts(m.Mentions)
	}
	return s.changeMessage(ctx, m, update, in)
}

// DeleteMessage removes a message's content, attachments, quote, mentions and reactions, as of
// m.DeletedAt, and the readers that earlier versions stored with it. The ids of the
// attachments stay, for those who remove the files, and so does the version of the
// reactions, for those who remove what members reacted with.
func (s *Store) DeleteMessage(ctx context.Context, m chat.Message) (chat.Message, bool, error) {
	update := "SET #deleted = :at, #edited = :at REMOVE #content, #readBy, #quote, #mentions, #reactions"
	in := &dynamodb.UpdateItemInput{
		ExpressionAttributeNames: map[string]string{
			"#content": table.Content, "#readBy": table.ReadBy, "#quote": table.ReplyTo,
			"#mentions": table.Mentions, "#reactions": table.Reactions,
		},
		ExpressionAttributeValues: item{},
	}
	if len(m.Attachments) > 0 {
		update = "SET #deleted = :at, #edited = :at, #ids = :ids REMOVE #content, #readBy, #quote, #mentions, #reactions, #attachments"
		in.ExpressionAttributeNames["#ids"], in.ExpressionAttributeNames["#attachments"] = table.AttachmentIDs, table.Attachments
		ids := make([]string, len(m.Attachments))
		for i, file := range m.Attachments {
			ids[i] = file.ID
		}
		in.ExpressionAttributeValues[":ids"] = attribute.Texts(ids)
	}
	if m.DeletedBy != "" {
		update = strings.Replace(update, "SET ", "SET #by = :by, ", 1)
		in.ExpressionAttributeNames["#by"], in.ExpressionAttributeValues[":by"] = table.DeletedBy, attribute.Text(m.DeletedBy)
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
		current, _ := s.messageOf(m.RoomID, old)
		return current, false, nil
	}
	if err != nil {
		return chat.Message{}, false, fmt.Errorf("change message %s: %w", m.ID, err)
	}
	current, _ := s.messageOf(m.RoomID, out.Attributes)
	return current, true, nil
}
