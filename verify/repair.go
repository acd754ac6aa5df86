package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Every repair is conditional on what was seen: what has changed since is left
// as it is.

// refusedCondition says whether a write was refused because the table is not as
// it was seen.
func refusedCondition(err error) bool {
	var failed *types.ConditionalCheckFailedException
	return errors.As(err, &failed) || hasReason(err, "ConditionalCheckFailed")
}

// inConflict says whether a transaction met another, or no capacity.
func inConflict(err error) bool {
	return hasReason(err, "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")
}

func hasReason(err error, codes ...string) bool {
	var canceled *types.TransactionCanceledException
	return errors.As(err, &canceled) && slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
		return slices.Contains(codes, aws.ToString(r.Code))
	})
}

// seen is the condition that an attribute is still what it was: absent, if there
// was none.
func seen(it item, name string, values item) string {
	if value, ok := it[name]; ok {
		values[":seen"] = value
		return "#seen = :seen"
	}
	return "attribute_not_exists(#seen)"
}

// repairLastMessage makes LASTMESSAGE that of the newest message.
func (v *verifier) repairLastMessage(ctx context.Context, state roomState) error {
	newest, err := v.newest(ctx, state.id, "")
	if err != nil {
		return err
	}
	names, values := map[string]string{"#seen": table.MessageID}, item{}
	condition := aws.String(seen(state.last, table.MessageID, values))
	if newest.MessageID == "" {
		if len(values) == 0 {
			values = nil // DynamoDB takes none, but not an empty list of them
		}
		_, err := v.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: aws.String(v.Table), Key: key(table.LastMessage(state.id)), ConditionExpression: condition,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
		return err
	}
	return v.writeLastMessage(ctx, state.id, newest, condition, names, values)
}

func (v *verifier) writeLastMessage(
	ctx context.Context, roomID string, m chat.LastMessage, condition *string, names map[string]string, values item,
) error {
	names["#sender"], names["#preview"], names["#ms"], names["#ordered"] = table.SenderID, table.Preview, table.MS, table.OrderedAt
	names["#edited"], names["#deleted"] = table.EditedAt, table.DeletedAt
	values[":id"], values[":sender"], values[":preview"], values[":ms"] = text(m.MessageID), text(m.SenderID), text(m.Preview), number(m.SentAt)
	values[":edited"], values[":deleted"] = number(m.Version), number(m.DeletedAt)
	_, err := v.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.Table), Key: key(table.LastMessage(roomID)), ConditionExpression: condition,
		// Until when members' lists were in order is not known any more.
		UpdateExpression: aws.String("SET #seen = :id, #sender = :sender, #preview = :preview, #ms = :ms, " +
			"#edited = :edited, #deleted = :deleted REMOVE #ordered"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	return err
}

// repairOrder puts a room where it belongs in a member's list.
func (v *verifier) repairOrder(ctx context.Context, roomID, user, stands string, place int64) error {
	_, err := v.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.Table), Key: key(table.Participation(user, roomID)),
		ConditionExpression:      aws.String("attribute_exists(#key) AND (#sk = :seen OR attribute_not_exists(#sk))"),
		UpdateExpression:         aws.String("SET #sk = :place, #pk = :list"),
		ExpressionAttributeNames: map[string]string{"#key": table.PK, "#sk": table.GSI1SK, "#pk": table.GSI1PK},
		ExpressionAttributeValues: item{
			":seen": text(stands), ":place": text(table.Millis(place)), ":list": text(table.UserRooms(user)),
		},
	})
	return err
}

// repairParticipation gives a member the participation, while the member is one.
func (v *verifier) repairParticipation(ctx context.Context, roomID, user string, joinedAt, place int64) error {
	participation := key(table.Participation(user, roomID))
	participation[table.JoinedAt] = number(joinedAt)
	participation[table.GSI1PK], participation[table.GSI1SK] = text(table.UserRooms(user)), text(table.Millis(place))
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.Table), Key: key(table.Member(roomID, user)),
			ConditionExpression: aws.String("attribute_exists(#key)"), ExpressionAttributeNames: map[string]string{"#key": table.PK},
		}},
		types.TransactWriteItem{Put: &types.Put{
			TableName: aws.String(v.Table), Item: participation,
			ConditionExpression: aws.String("attribute_not_exists(#key)"), ExpressionAttributeNames: map[string]string{"#key": table.PK},
		}})
}

// repairStrayParticipation removes a participation, while there is no member.
func (v *verifier) repairStrayParticipation(ctx context.Context, roomID, user string) error {
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.Table), Key: key(table.Member(roomID, user)),
			ConditionExpression: aws.String("attribute_not_exists(#key)"), ExpressionAttributeNames: map[string]string{"#key": table.PK},
		}},
		types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(v.Table), Key: key(table.Participation(user, roomID))}})
}

// repairEntry puts a connection into its user's presence, while its row is what
// it was.
func (v *verifier) repairEntry(ctx context.Context, s suspect, row item) error {
	got, err := v.get(ctx, table.Presence(s.user)) // its other entries may have been mended since
	if err != nil {
		return err
	}
	presence := got[0]
	values := item{
		":entry": &types.AttributeValueMemberM{Value: item{table.ConnectedAt: row[table.ConnectedAt], table.TTL: row[table.TTL]}},
		// The item outlives every entry.
		":ttl": number(max(getNumber(presence, table.TTL), (getNumber(row, table.ConnectedAt)+chat.ConnectionLife.Milliseconds()+999)/1000)),
	}
	condition := seen(presence, table.TTL, values)
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.Table), Key: key(table.Connection(s.connection)),
			ConditionExpression:       aws.String("#user = :user AND #at = :at"),
			ExpressionAttributeNames:  map[string]string{"#user": table.UserID, "#at": table.ConnectedAt},
			ExpressionAttributeValues: item{":user": text(s.user), ":at": row[table.ConnectedAt]},
		}},
		types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String(v.Table), Key: key(table.Presence(s.user)), ConditionExpression: aws.String(condition),
			UpdateExpression: aws.String("SET #entry = :entry, #seen = :ttl"),
			ExpressionAttributeNames: map[string]string{
				"#entry": table.PresenceEntry(s.connection), "#seen": table.TTL,
			},
			ExpressionAttributeValues: values,
		}})
}

// repairStrayEntry removes an entry from a presence, while it is what it was and
// no connection of the user's has it.
func (v *verifier) repairStrayEntry(ctx context.Context, s suspect, at int64) error {
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.Table), Key: key(table.Connection(s.connection)),
			ConditionExpression:       aws.String("attribute_not_exists(#key) OR #user <> :user"),
			ExpressionAttributeNames:  map[string]string{"#key": table.PK, "#user": table.UserID},
			ExpressionAttributeValues: item{":user": text(s.user)},
		}},
		types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String(v.Table), Key: key(table.Presence(s.user)),
			ConditionExpression:       aws.String("#entry.#at = :at"),
			UpdateExpression:          aws.String("REMOVE #entry"),
			ExpressionAttributeNames:  map[string]string{"#entry": table.PresenceEntry(s.connection), "#at": table.ConnectedAt},
			ExpressionAttributeValues: item{":at": number(at)},
		}})
}

// repairLeftover removes an item that still expires when it did.
func (v *verifier) repairLeftover(ctx context.Context, k table.Key, ttl int64) error {
	_, err := v.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(v.Table), Key: key(k), ConditionExpression: aws.String("#ttl = :ttl"),
		ExpressionAttributeNames:  map[string]string{"#ttl": table.TTL},
		ExpressionAttributeValues: item{":ttl": number(ttl)},
	})
	return err
}

// transact writes all or nothing, and again if it met another transaction.
func (v *verifier) transact(ctx context.Context, writes ...types.TransactWriteItem) error {
	for tries := 1; ; tries++ {
		_, err := v.DB.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		if err == nil {
			return nil
		}
		if !inConflict(err) || refusedCondition(err) || tries == lookupTries {
			return fmt.Errorf("mend: %w", err)
		}
		if err := wait(ctx, lookupPause<<tries); err != nil {
			return err
		}
	}
}
