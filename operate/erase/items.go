package erase

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// What a report counts in others' messages.
const (
	Mention   = "mention"
	Quote     = "quote"
	Moderated = "moderated" // deleted by the user
)

// handler finds what an item of one kind has of the user.
type handler func(e *eraser, id table.Identity, it item) found

// handlers has one for each kind of item.
var handlers = map[table.Kind]handler{
	table.KindConnection: func(e *eraser, id table.Identity, it item) found {
		return e.ifUser(attribute.GetText(it, table.UserID), id, func(ctx context.Context) error { return e.endConnection(ctx, id.ConnectionID) })
	},
	table.KindPresence: func(e *eraser, id table.Identity, it item) found {
		return e.ifUser(id.UserID, id, func(ctx context.Context) error { return e.endPresence(ctx, it) })
	},
	table.KindParticipation: withdraw,
	table.KindMember:        withdraw,
	table.KindRoom:          (*eraser).room,
	table.KindLastMessage:   (*eraser).lastMessage,
	table.KindMessage:       (*eraser).message,
	table.KindReacted: func(e *eraser, id table.Identity, it item) found {
		return e.ifUser(id.UserID, id, func(ctx context.Context) error { return e.unreact(ctx, id, it) })
	},
	table.KindAttachment: func(e *eraser, id table.Identity, it item) found {
		return e.ifUser(attribute.GetText(it, table.UploadedBy), id, func(ctx context.Context) error { return e.removeFile(ctx, id, it) })
	},
	table.KindBan:     (*eraser).ban,
	table.KindBlock:   (*eraser).block,
	table.KindReport:  reported,
	table.KindSlice:   (*eraser).slice,
	table.KindPlace:   func(*eraser, table.Identity, item) found { return found{} }, // the room's
	table.KindSeen:    remove,
	table.KindProfile: remove,
	table.KindPush:    remove,
	table.KindRead:    remove,
	table.KindOnline:  remove,
	table.KindTyping:  remove,
	table.KindSent:    remove,
	table.KindCreated: remove,
	table.KindRate:    remove,
}

// ifUser is what there is of a user's item, if it is that of the user to erase.
func (e *eraser) ifUser(userID string, id table.Identity, do func(context.Context) error) found {
	if userID != e.config.UserID {
		return found{}
	}
	return found{what: []string{id.Kind.String()}, do: do}
}

// remove is the handler of items that go as they are.
func remove(e *eraser, id table.Identity, it item) found {
	return e.ifUser(id.UserID, id, func(ctx context.Context) error { return e.remove(ctx, id.Kind, attribute.KeyOf(it)) })
}

// withdraw is the handler of memberships.
func withdraw(e *eraser, id table.Identity, _ item) found {
	return e.ifUser(id.UserID, id, func(ctx context.Context) error { return e.withdraw(ctx, id.RoomID) })
}

// remove removes an item, and counts it if it was there.
func (e *eraser) remove(ctx context.Context, kind table.Kind, k table.Key) error {
	out, err := e.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(e.config.Table), Key: attribute.Key(k), ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return fmt.Errorf("remove a %s: %w", kind, err)
	}
	if len(out.Attributes) > 0 {
		e.done(kind.String())
	}
	return nil
}

// read reads an item strongly; nil if there is none.
func (e *eraser) read(ctx context.Context, k table.Key) (item, error) {
	out, err := e.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(e.config.Table), Key: attribute.Key(k), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("read a %s: %w", kindOf(k), err)
	}
	if len(out.Item) == 0 {
		return nil, nil
	}
	return out.Item, nil
}

func kindOf(k table.Key) table.Kind {
	id, _ := table.Parse(k) // of no kind, if the key is unknown
	return id.Kind
}

// update changes an item under a condition; false, with the item as it is, if that failed.
func (e *eraser) update(ctx context.Context, in *dynamodb.UpdateItemInput) (current item, updated bool, err error) {
	in.TableName = aws.String(e.config.Table)
	in.ReturnValues, in.ReturnValuesOnConditionCheckFailure = types.ReturnValueAllNew, types.ReturnValuesOnConditionCheckFailureAllOld
	out, err := e.db.UpdateItem(ctx, in)
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return failed.Item, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("change a %s: %w", kindOf(attribute.KeyOf(in.Key)), err)
	}
	return out.Attributes, true, nil
}

// endPresence removes the presence, and ends the connections that it has. In this order a
// socket that closes tells no one: there is no entry to remove. If this is interrupted, the
// scan meets the connections by their rows.
func (e *eraser) endPresence(ctx context.Context, it item) error {
	if err := e.remove(ctx, table.KindPresence, attribute.KeyOf(it)); err != nil {
		return err
	}
	for name := range it {
		if id, ok := table.PresenceConnection(name); ok {
			if err := e.endConnection(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// endConnection marks a connection's row, which has fanout close the socket, and removes
// it.
func (e *eraser) endConnection(ctx context.Context, connectionID string) error {
	k := table.Connection(connectionID)
	_, marked, err := e.update(ctx, &dynamodb.UpdateItemInput{
		Key:                      attribute.Key(k),
		ConditionExpression:      aws.String("#user = :user"),
		UpdateExpression:         aws.String("SET #replaced = :now, #by = :one"),
		ExpressionAttributeNames: map[string]string{"#user": table.UserID, "#replaced": table.ReplacedAt, "#by": table.Disconnected},
		ExpressionAttributeValues: item{
			":user": attribute.Text(e.config.UserID), ":now": attribute.Number(e.config.Now().UnixMilli()),
			":one": attribute.Number(1),
		},
	})
	if err != nil || !marked {
		return err
	}
	e.done(table.KindConnection.String())
	_, err = e.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(e.config.Table), Key: attribute.Key(k)})
	if err != nil {
		return fmt.Errorf("remove a connection: %w", err)
	}
	return nil
}

// removeFile removes a file and its item. The file goes first: if this is interrupted, the
// item still names what is left.
func (e *eraser) removeFile(ctx context.Context, id table.Identity, it item) error {
	ids := []string{id.AttachmentID}
	if err := e.config.Files.Remove(ctx, id.RoomID, ids); err != nil {
		return fmt.Errorf("remove a file: %w", err)
	}
	if err := e.config.Files.RemoveUploads(ctx, id.RoomID, ids); err != nil {
		return fmt.Errorf("remove an upload: %w", err)
	}
	return e.remove(ctx, id.Kind, attribute.KeyOf(it))
}

// slice finds parts of a fan-out that begin or end with the user. Without it members would
// miss what the part is for; one that has expired is not needed.
func (e *eraser) slice(id table.Identity, it item) found {
	user := e.config.UserID
	if attribute.GetText(it, table.FromMember) != user && attribute.GetText(it, table.ToMember) != user {
		return found{}
	}
	f := e.ifUser(user, id, func(ctx context.Context) error { return e.remove(ctx, id.Kind, attribute.KeyOf(it)) })
	f.kept = !attribute.Expired(it, e.config.Now())
	return f
}

// room finds rooms that the user made, or a direct message that they were invited to.
func (e *eraser) room(id table.Identity, it item) found {
	user := e.config.UserID
	var attributes []string
	for _, name := range []string{table.CreatedBy, table.Invited} {
		if attribute.GetText(it, name) == user {
			attributes = append(attributes, name)
		}
	}
	if len(attributes) == 0 {
		return found{}
	}
	return e.ifUser(user, id, func(ctx context.Context) error {
		for _, name := range attributes {
			_, _, err := e.update(ctx, &dynamodb.UpdateItemInput{
				Key:                       attribute.Key(attribute.KeyOf(it)),
				ConditionExpression:       aws.String("#who = :user"),
				UpdateExpression:          aws.String("SET #who = :erased"),
				ExpressionAttributeNames:  map[string]string{"#who": name},
				ExpressionAttributeValues: item{":user": attribute.Text(user), ":erased": attribute.Text(chat.Erased)},
			})
			if err != nil {
				return err
			}
		}
		e.done(id.Kind.String())
		return nil
	})
}

// ban finds bans of the user, and those that the user made of others, whose reasons the
// user wrote.
func (e *eraser) ban(id table.Identity, it item) found {
	user := e.config.UserID
	if id.UserID == user || attribute.GetText(it, table.By) != user {
		return remove(e, id, it)
	}
	return e.ifUser(user, id, func(ctx context.Context) error {
		_, changed, err := e.update(ctx, &dynamodb.UpdateItemInput{
			Key:                       attribute.Key(attribute.KeyOf(it)),
			ConditionExpression:       aws.String("#by = :user"),
			UpdateExpression:          aws.String("SET #by = :erased REMOVE #reason"),
			ExpressionAttributeNames:  map[string]string{"#by": table.By, "#reason": table.Reason},
			ExpressionAttributeValues: item{":user": attribute.Text(user), ":erased": attribute.Text(chat.Erased)},
		})
		if changed {
			e.done(id.Kind.String())
		}
		return err
	})
}

// reported finds reports by the user, and of the user's messages, which are gone.
func reported(e *eraser, id table.Identity, it item) found {
	user := e.config.UserID
	if id.UserID != user && attribute.GetText(it, table.SenderID) != user {
		return found{}
	}
	return e.ifUser(user, id, func(ctx context.Context) error { return e.remove(ctx, id.Kind, attribute.KeyOf(it)) })
}

// block finds blocks by the user and of the user, with their marks in the other one's
// membership of the direct message.
func (e *eraser) block(id table.Identity, it item) found {
	user, other, mark := e.config.UserID, id.Blocked, table.Blocked
	if other == user {
		other, mark = id.UserID, table.Blocks
	} else if id.UserID != user {
		return found{}
	}
	return e.ifUser(user, id, func(ctx context.Context) error {
		_, _, err := e.update(ctx, &dynamodb.UpdateItemInput{
			Key:                      attribute.Key(table.Member(chat.DirectRoomID(user, other), other)),
			ConditionExpression:      aws.String("attribute_exists(#mark)"),
			UpdateExpression:         aws.String("REMOVE #mark"),
			ExpressionAttributeNames: map[string]string{"#mark": mark},
		})
		if err != nil {
			return err
		}
		return e.remove(ctx, id.Kind, attribute.KeyOf(it))
	})
}

// withdraw removes the user from a room.
func (e *eraser) withdraw(ctx context.Context, roomID string) error {
	user := e.config.UserID
	e.note(roomID)
	if err := e.remove(ctx, table.KindRead, table.Read(roomID, user)); err != nil {
		return err
	}
	participation, err := e.read(ctx, table.Participation(user, roomID))
	if err != nil {
		return err
	}
	room, err := e.read(ctx, table.Room(roomID))
	if err != nil {
		return err
	}
	if room != nil {
		err = e.rooms.Withdraw(ctx, roomID, user)
		if err == nil {
			e.done(table.KindMember.String())
			if participation != nil {
				e.done(table.KindParticipation.String())
			}
			return e.countEnded(ctx, roomID, room)
		}
		if chat.Reason(err).Code != chat.CodeNotFound {
			return fmt.Errorf("leave room %s: %w", roomID, err)
		}
	}
	// The room has ended, or only the participation is left.
	if err := e.remove(ctx, table.KindMember, table.Member(roomID, user)); err != nil {
		return err
	}
	return e.remove(ctx, table.KindParticipation, table.Participation(user, roomID))
}

// countEnded counts a room of the user that has ended because its last member left.
func (e *eraser) countEnded(ctx context.Context, roomID string, room item) error {
	f := e.room(table.Identity{Kind: table.KindRoom, RoomID: roomID}, room)
	if len(f.what) == 0 || attribute.GetNumber(room, table.MemberCount) > 1 {
		return nil
	}
	now, err := e.read(ctx, table.Room(roomID))
	if err == nil && now == nil {
		e.done(f.what...)
	}
	return err
}

// unreact takes back what the user reacted to a message with.
func (e *eraser) unreact(ctx context.Context, id table.Identity, it item) error {
	user := e.config.UserID
	for failed := 0; failed < attempts; {
		messages, err := e.store.MessagesByID(ctx, id.RoomID, []string{id.MessageID})
		if err != nil {
			return fmt.Errorf("read a message that was reacted to: %w", err)
		}
		if len(messages) == 0 || messages[0].DeletedAt != 0 {
			break // lastmessage removes what is left, in its time
		}
		m := messages[0]
		mine, err := e.store.Reacted(ctx, user, messages)
		if err != nil {
			return fmt.Errorf("read reactions: %w", err)
		}
		if m.Reactions.Mine = mine[m.ID]; len(m.Reactions.Mine) == 0 {
			break
		}
		reaction := m.Reactions.Mine[0]
		if m.Reactions.Counts[reaction] == 0 {
			break // the counts are wrong, and verify's to repair
		}
		removed, err := e.store.ChangeReaction(ctx, m, user, reaction, false)
		if err != nil {
			return fmt.Errorf("take back a reaction: %w", err)
		}
		switch {
		case !removed:
			failed++
		case len(m.Reactions.Mine) == 1:
			e.done(id.Kind.String())
			return nil
		}
	}
	return e.remove(ctx, id.Kind, attribute.KeyOf(it))
}
