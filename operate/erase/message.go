package erase

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// message finds the user's messages, and mentions and quotes of the user in others'.
func (e *eraser) message(id table.Identity, it item) found {
	if attribute.GetText(it, table.SenderID) == e.config.UserID {
		return e.ifUser(e.config.UserID, id, func(ctx context.Context) error {
			_, err := e.eraseMessage(ctx, id.RoomID, it)
			return err
		})
	}
	what := e.namedIn(it)
	return found{what: what, do: func(ctx context.Context) error { return e.forget(ctx, it) }}
}

// namedIn returns how another one's message names the user.
func (e *eraser) namedIn(it item) (what []string) {
	if slices.Contains(attribute.GetTexts(it, table.Mentions), e.config.UserID) {
		what = append(what, Mention)
	}
	if quoted, ok := attribute.GetMap(it, table.ReplyTo); ok && attribute.GetText(quoted, table.SenderID) == e.config.UserID {
		what = append(what, Quote)
	}
	if attribute.GetText(it, table.DeletedBy) == e.config.UserID {
		what = append(what, Moderated)
	}
	return what
}

// gone are the attributes of a message that a tombstone does not have.
var gone = []string{
	table.Content, table.ReadBy, table.ReplyTo, table.Mentions, table.Reactions, table.Attachments, table.ClientMessageID, table.Origin, table.DeletedBy,
}

// eraseMessage makes one of the user's messages a tombstone that names no one, and returns
// the message as it is then. One that was deleted before counts as deleted now, so that
// what was derived from it follows. The zero value if there is no message any more.
func (e *eraser) eraseMessage(ctx context.Context, roomID string, it item) (chat.Message, error) {
	e.note(roomID)
	for range attempts {
		m, _ := dynamo.MessageOf(roomID, it)
		if it == nil || m.SenderID != e.config.UserID {
			return m, nil
		}
		in := &dynamodb.UpdateItemInput{
			Key:                 attribute.Key(attribute.KeyOf(it)),
			ConditionExpression: aws.String("#sender = :user AND (attribute_not_exists(#edited) OR #edited < :at)"),
			ExpressionAttributeNames: map[string]string{
				"#sender": table.SenderID, "#edited": table.EditedAt, "#deleted": table.DeletedAt,
			},
			ExpressionAttributeValues: item{
				":user": attribute.Text(e.config.UserID), ":erased": attribute.Text(chat.Erased),
				":at": attribute.Number(max(e.config.Now().UnixMilli(), m.Version()+1)),
			},
		}
		update := "SET #sender = :erased, #edited = :at, #deleted = :at"
		if len(m.Attachments) > 0 { // for those who remove the files
			update += ", #ids = :ids"
			ids := slices.Clone(m.Removed)
			for _, file := range m.Attachments {
				ids = append(ids, file.ID)
			}
			in.ExpressionAttributeNames["#ids"], in.ExpressionAttributeValues[":ids"] = table.AttachmentIDs, attribute.Texts(ids)
		}
		in.UpdateExpression = aws.String(update + " REMOVE " + strings.Join(placeholders(in.ExpressionAttributeNames, gone), ", "))
		current, erased, err := e.update(ctx, in)
		if err != nil {
			return chat.Message{}, err
		}
		if erased {
			e.done(table.KindMessage.String())
		}
		it = current
	}
	return chat.Message{}, fmt.Errorf("erase a message of room %s: gave up after %d concurrent changes", roomID, attempts)
}

// placeholders names attributes in an expression.
func placeholders(names map[string]string, attributes []string) []string {
	out := make([]string, len(attributes))
	for i, attribute := range attributes {
		out[i] = "#gone_" + attribute
		names[out[i]] = attribute
	}
	return out
}

// forget removes the user from another one's message: a mention, and whom a quote is of
// with its text. That is no edit, and others are not told.
func (e *eraser) forget(ctx context.Context, it item) error {
	for range attempts {
		what := e.namedIn(it)
		if len(what) == 0 {
			return nil
		}
		in := &dynamodb.UpdateItemInput{
			Key: attribute.Key(attribute.KeyOf(it)), ExpressionAttributeNames: map[string]string{}, ExpressionAttributeValues: item{},
		}
		var conditions, sets, removes []string
		replace := func(name string, value types.AttributeValue) {
			in.ExpressionAttributeNames["#"+name], in.ExpressionAttributeValues[":old_"+name] = name, it[name]
			conditions = append(conditions, "#"+name+" = :old_"+name)
			if value == nil {
				removes = append(removes, "#"+name)
				return
			}
			in.ExpressionAttributeValues[":new_"+name] = value
			sets = append(sets, "#"+name+" = :new_"+name)
		}
		if slices.Contains(what, Mention) {
			others := slices.DeleteFunc(attribute.GetTexts(it, table.Mentions), func(id string) bool { return id == e.config.UserID })
			if len(others) == 0 {
				replace(table.Mentions, nil)
			} else {
				replace(table.Mentions, attribute.Texts(others))
			}
		}
		if slices.Contains(what, Quote) {
			quoted, _ := attribute.GetMap(it, table.ReplyTo)
			replace(table.ReplyTo, &types.AttributeValueMemberM{Value: item{
				table.MessageID: quoted[table.MessageID], table.SenderID: attribute.Text(chat.Erased), table.Preview: attribute.Text(""),
			}})
		}
		if slices.Contains(what, Moderated) {
			replace(table.DeletedBy, attribute.Text(chat.Erased))
		}
		in.ConditionExpression = aws.String(strings.Join(conditions, " AND "))
		in.UpdateExpression = aws.String(expression(sets, removes))
		current, updated, err := e.update(ctx, in)
		if err != nil {
			return err
		}
		if updated {
			e.done(what...)
			return nil
		}
		it = current
	}
	return fmt.Errorf("change a message that names the user: gave up after %d concurrent changes", attempts)
}

func expression(sets, removes []string) string {
	var parts []string
	if len(sets) > 0 {
		parts = append(parts, "SET "+strings.Join(sets, ", "))
	}
	if len(removes) > 0 {
		parts = append(parts, "REMOVE "+strings.Join(removes, ", "))
	}
	return strings.Join(parts, " ")
}

// lastMessage finds rooms whose last message is the user's.
func (e *eraser) lastMessage(id table.Identity, it item) found {
	return e.ifUser(attribute.GetText(it, table.SenderID), id, func(ctx context.Context) error {
		return e.eraseLast(ctx, id.RoomID, it)
	})
}

// eraseLast makes LASTMESSAGE what follows from its message, after that was erased.
func (e *eraser) eraseLast(ctx context.Context, roomID string, it item) error {
	for range attempts {
		last := dynamo.LastMessageOf(it)
		if last.SenderID != e.config.UserID {
			e.done(table.KindLastMessage.String())
			return nil
		}
		m, err := e.messageNamed(ctx, roomID, last.MessageID)
		if err != nil {
			return err
		}
		if m.ID != "" {
			if last, err = e.store.AdvanceLastMessage(ctx, roomID, m.Preview()); err != nil {
				return err
			}
		}
		if last.SenderID == e.config.UserID { // the message is gone, or is another one's
			if err := e.unnameLast(ctx, roomID, last.MessageID); err != nil {
				return err
			}
		}
		if it, err = e.read(ctx, table.LastMessage(roomID)); err != nil {
			return err
		}
	}
	return fmt.Errorf("erase the last message of room %s: gave up after %d concurrent changes", roomID, attempts)
}

// unnameLast takes the user and the preview out of LASTMESSAGE, while it is of a message.
func (e *eraser) unnameLast(ctx context.Context, roomID, messageID string) error {
	_, _, err := e.update(ctx, &dynamodb.UpdateItemInput{
		Key:                      attribute.Key(table.LastMessage(roomID)),
		ConditionExpression:      aws.String("#sender = :user AND #id = :id"),
		UpdateExpression:         aws.String("SET #sender = :erased, #preview = :none"),
		ExpressionAttributeNames: map[string]string{"#sender": table.SenderID, "#id": table.MessageID, "#preview": table.Preview},
		ExpressionAttributeValues: item{
			":user": attribute.Text(e.config.UserID), ":id": attribute.Text(messageID),
			":erased": attribute.Text(chat.Erased), ":none": attribute.Text(""),
		},
	})
	return err
}

// messageNamed erases a message, if it is the user's, and returns it as it is then; the
// zero value if there is none.
func (e *eraser) messageNamed(ctx context.Context, roomID, messageID string) (chat.Message, error) {
	ms, err := chat.MessageTime(messageID)
	if err != nil {
		return chat.Message{}, nil //nolint:nilerr // it names no message
	}
	it, err := e.read(ctx, table.Message(roomID, ms, messageID))
	if err != nil || it == nil {
		return chat.Message{}, err
	}
	return e.eraseMessage(ctx, roomID, it)
}
