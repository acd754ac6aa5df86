package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// Every repair is conditional on what was seen: what has changed since is left
// as it is.

// refusedCondition says whether a write was refused because the table is not as
// it was seen.
func refusedCondition(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed) || attribute.CanceledByCondition(err)
}

// unchanged is the condition that attributes are still what they were: absent,
// if there were none.
func unchanged(it item, names map[string]string, values item, attributes ...string) *string {
	conditions := make([]string, len(attributes))
	for i, attribute := range attributes {
		name, value := fmt.Sprintf("#seen%d", i), fmt.Sprintf(":seen%d", i)
		names[name] = attribute
		if was, ok := it[attribute]; ok {
			values[value] = was
			conditions[i] = name + " = " + value
		} else {
			conditions[i] = "attribute_not_exists(" + name + ")"
		}
	}
	return aws.String(strings.Join(conditions, " AND "))
}

// newestTries is how often LASTMESSAGE is written while consumers move it on, too.
const newestTries = 8

// repairLastMessage makes LASTMESSAGE that of the newest message, in its newest
// state. A consumer that came between may have been refused by what stood there,
// so what is newest is read again afterwards.
func (v *verifier) repairLastMessage(ctx context.Context, state roomState) error {
	newest, err := v.newest(ctx, state.id, "")
	if err != nil {
		return err
	}
	if err := v.writeLastMessage(ctx, state.id, state.last, newest); err != nil {
		return err
	}
	for range newestTries {
		written := newest
		if newest, err = v.newest(ctx, state.id, ""); err != nil || newest == written {
			return err
		}
		err := v.writeLastMessage(ctx, state.id, lastMessageItem(written), newest)
		if refusedCondition(err) {
			return nil // a consumer has moved it on
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lastMessageItem is what LASTMESSAGE has of a message; nothing of none.
func lastMessageItem(m chat.LastMessage) item {
	if m.MessageID == "" {
		return nil
	}
	return dynamo.LastMessageItem(m)
}

// writeLastMessage makes LASTMESSAGE that of a message, or removes it if there is
// none, while it is of the message and the state that were seen.
func (v *verifier) writeLastMessage(ctx context.Context, roomID string, was item, m chat.LastMessage) error {
	if m.MessageID == "" {
		names, values := map[string]string{}, item{}
		condition := unchanged(was, names, values, table.MessageID, table.EditedAt)
		if len(values) == 0 {
			values = nil // DynamoDB takes none, but not an empty list of them
		}
		_, err := v.config.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.LastMessage(roomID)), ConditionExpression: condition,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
		return err
	}
	update, names, values := dynamo.SetAll(dynamo.LastMessageItem(m))
	condition := unchanged(was, names, values, table.MessageID, table.EditedAt)
	names["#ordered"] = table.OrderedAt
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(table.LastMessage(roomID)), ConditionExpression: condition,
		// Until when members' lists were in order is not known any more.
		UpdateExpression:         aws.String(update + " REMOVE #ordered"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	return err
}

// repairCount makes a room's number of members what was counted.
func (v *verifier) repairCount(ctx context.Context, roomID string, says, members int64) error {
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(table.Room(roomID)),
		// Each join and leave changes it; where it is absent it counts as 0.
		ConditionExpression:       aws.String("attribute_exists(#key) AND (#n = :says OR attribute_not_exists(#n))"),
		UpdateExpression:          aws.String("SET #n = :members"),
		ExpressionAttributeNames:  map[string]string{"#key": table.PK, "#n": table.MemberCount},
		ExpressionAttributeValues: item{":says": attribute.Number(says), ":members": attribute.Number(members)},
	})
	return err
}

// repairCursor removes the read cursor of a user who is not a member.
func (v *verifier) repairCursor(ctx context.Context, roomID, user string) error {
	return v.removeUnlessMember(ctx, roomID, user, table.Read(roomID, user))
}

// repairNotify has a read cursor say what its member is notified of, while both are what
// they were.
func (v *verifier) repairNotify(ctx context.Context, roomID, user string, member, cursor item) error {
	ofMember := &types.ConditionCheck{
		TableName: aws.String(v.config.Table), Key: attribute.Key(table.Member(roomID, user)),
		ExpressionAttributeNames: map[string]string{"#key": table.PK}, ExpressionAttributeValues: item{},
	}
	same := unchanged(member, ofMember.ExpressionAttributeNames, ofMember.ExpressionAttributeValues, table.NotifyAt)
	ofMember.ConditionExpression = aws.String("attribute_exists(#key) AND " + *same)
	update := &types.Update{
		TableName: aws.String(v.config.Table), Key: attribute.Key(table.Read(roomID, user)),
		UpdateExpression:         aws.String("REMOVE #notify, #at"),
		ExpressionAttributeNames: map[string]string{"#notify": table.Notify, "#at": table.NotifyAt}, ExpressionAttributeValues: item{},
	}
	update.ConditionExpression = unchanged(cursor, update.ExpressionAttributeNames, update.ExpressionAttributeValues, table.NotifyAt)
	if at, chosen := member[table.NotifyAt]; chosen {
		update.UpdateExpression = aws.String("SET #at = :at REMOVE #notify")
		update.ExpressionAttributeValues[":at"] = at
	}
	if notify, ok := member[table.Notify]; ok {
		update.UpdateExpression = aws.String("SET #at = :at, #notify = :notify")
		update.ExpressionAttributeValues[":notify"] = notify
	}
	for _, values := range []*map[string]types.AttributeValue{&ofMember.ExpressionAttributeValues, &update.ExpressionAttributeValues} {
		if len(*values) == 0 {
			*values = nil // DynamoDB takes none, but not an empty list of them
		}
	}
	return v.transact(ctx, types.TransactWriteItem{ConditionCheck: ofMember}, types.TransactWriteItem{Update: update})
}

// repairOrder moves a room to its place in a member's list, while the participation is
// what it was.
func (v *verifier) repairOrder(ctx context.Context, roomID, user string, was item, place int64) error {
	names := map[string]string{"#key": table.PK, "#sk": table.GSI1SK, "#pk": table.GSI1PK, "#hidden": table.HiddenAt}
	values := item{":place": attribute.Text(table.Millis(place)), ":list": attribute.Text(table.UserRooms(user))}
	condition := unchanged(was, names, values, table.GSI1SK, table.HiddenAt)
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(table.Participation(user, roomID)),
		ConditionExpression:      aws.String("attribute_exists(#key) AND " + *condition),
		UpdateExpression:         aws.String("SET #sk = :place, #pk = :list REMOVE #hidden"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	return err
}

// repairParticipation gives a member the participation, while the member is one.
func (v *verifier) repairParticipation(ctx context.Context, roomID, user string, joinedAt, place int64) error {
	participation := attribute.Key(table.Participation(user, roomID))
	participation[table.JoinedAt] = attribute.Number(joinedAt)
	participation[table.GSI1PK], participation[table.GSI1SK] = attribute.Text(table.UserRooms(user)), attribute.Text(table.Millis(place))
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.Member(roomID, user)),
			ConditionExpression: aws.String("attribute_exists(#key)"), ExpressionAttributeNames: map[string]string{"#key": table.PK},
		}},
		types.TransactWriteItem{Put: &types.Put{
			TableName: aws.String(v.config.Table), Item: participation,
			ConditionExpression: aws.String("attribute_not_exists(#key)"), ExpressionAttributeNames: map[string]string{"#key": table.PK},
		}})
}

// repairStrayParticipation removes a participation, while there is no member.
func (v *verifier) repairStrayParticipation(ctx context.Context, roomID, user string) error {
	return v.removeUnlessMember(ctx, roomID, user, table.Participation(user, roomID))
}

func (v *verifier) removeUnlessMember(ctx context.Context, roomID, user string, k table.Key) error {
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.Member(roomID, user)),
			ConditionExpression: aws.String("attribute_not_exists(#key)"), ExpressionAttributeNames: map[string]string{"#key": table.PK},
		}},
		types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(v.config.Table), Key: attribute.Key(k)}})
}

// repairEntry puts a connection into its user's presence, while its row is what
// it was. A presence that was lost counts its changes from a time in ms on: more than
// there were, or others would not be told any more when the user comes or goes.
func (v *verifier) repairEntry(ctx context.Context, s candidate, row item) error {
	values := item{
		":entry": &types.AttributeValueMemberM{Value: item{
			table.ConnectedAt: row[table.ConnectedAt], table.TTL: attribute.Number(dynamo.EntryTTL(row)),
		}},
		":now": attribute.Number(v.config.Now().UnixMilli()),
	}
	names := map[string]string{"#entry": table.PresenceEntry(s.connection), "#ttl": table.TTL, "#n": table.Changes}
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.Connection(s.connection)),
			ConditionExpression:       aws.String("#user = :user AND #at = :at"),
			ExpressionAttributeNames:  map[string]string{"#user": table.UserID, "#at": table.ConnectedAt},
			ExpressionAttributeValues: item{":user": attribute.Text(s.user), ":at": row[table.ConnectedAt]},
		}},
		types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.Presence(s.user)),
			UpdateExpression:         aws.String("SET #entry = :entry, #n = if_not_exists(#n, :now) REMOVE #ttl"), // the item never expires
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}})
}

// repairStrayEntry removes an entry from a presence, while it is what it was and
// no connection of the user's has it.
func (v *verifier) repairStrayEntry(ctx context.Context, s candidate, at int64) error {
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.Connection(s.connection)),
			ConditionExpression:       aws.String("attribute_not_exists(#key) OR #user <> :user"),
			ExpressionAttributeNames:  map[string]string{"#key": table.PK, "#user": table.UserID},
			ExpressionAttributeValues: item{":user": attribute.Text(s.user)},
		}},
		types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.Presence(s.user)),
			ConditionExpression:       aws.String("#entry.#at = :at"),
			UpdateExpression:          aws.String("REMOVE #entry"),
			ExpressionAttributeNames:  map[string]string{"#entry": table.PresenceEntry(s.connection), "#at": table.ConnectedAt},
			ExpressionAttributeValues: item{":at": attribute.Number(at)},
		}})
}

// repairLeftover removes an item that still expires when it did.
func (v *verifier) repairLeftover(ctx context.Context, k table.Key, ttl int64) error {
	_, err := v.config.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(k), ConditionExpression: aws.String("#ttl = :ttl"),
		ExpressionAttributeNames:  map[string]string{"#ttl": table.TTL},
		ExpressionAttributeValues: item{":ttl": attribute.Number(ttl)},
	})
	return err
}

// transact writes all or nothing.
func (v *verifier) transact(ctx context.Context, writes ...types.TransactWriteItem) error {
	err := throttle.Transact(ctx, func() error {
		_, err := v.config.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		return err
	})
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	return nil
}
