package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// PutMessage stores a message, once for each client message id.
func (s *Store) PutMessage(ctx context.Context, m chat.Message, now int64) (chat.SentBefore, bool, error) {
	row := messageItem(m)
	absent := aws.String("attribute_not_exists(#pk)")
	names := map[string]string{"#pk": table.PK}
	if m.ClientMessageID == "" {
		_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: s.table, Item: row, ConditionExpression: absent, ExpressionAttributeNames: names,
		})
		// The id was minted for this call: if it exists, the SDK repeated a request
		// whose answer was lost.
		if _, failed := conditionFailed(err); err != nil && !failed {
			return chat.SentBefore{}, false, fmt.Errorf("put: %w", err)
		}
		return chat.SentBefore{}, false, nil
	}

	sent := attribute.Key(table.Sent(m.SenderID, m.ClientMessageID))
	sent[table.RoomID] = attribute.Text(m.RoomID)
	sent[table.MessageID] = attribute.Text(m.ID)
	sent[table.TTL] = attribute.Number(seconds(now + chat.SentMemory.Milliseconds()))
	reasons, err := s.transact(ctx, m.ID, []types.TransactWriteItem{
		{Put: &types.Put{
			TableName: s.table, Item: sent,
			ConditionExpression:       aws.String("attribute_not_exists(#pk) OR #ttl <= :sec"),
			ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#ttl": table.TTL},
			ExpressionAttributeValues: item{":sec": attribute.Number(now / 1000)},

			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		{Put: &types.Put{TableName: s.table, Item: row, ConditionExpression: absent, ExpressionAttributeNames: names}},
	})
	if err != nil {
		return chat.SentBefore{}, false, err
	}
	if !failedAt(reasons, 0) {
		return chat.SentBefore{}, false, nil // stored now, or by an attempt whose answer was lost
	}
	earlier := chat.SentBefore{
		RoomID:    attribute.GetText(reasons[0].Item, table.RoomID),
		MessageID: attribute.GetText(reasons[0].Item, table.MessageID),
	}
	return earlier, earlier.MessageID != m.ID, nil
}

func messageItem(m chat.Message) item {
	row := attribute.Key(table.Message(m.RoomID, m.SentAt, m.ID))
	row[table.SenderID] = attribute.Text(m.SenderID)
	row[table.Content] = attribute.Text(m.Content)
	if m.ClientMessageID != "" {
		row[table.ClientMessageID] = attribute.Text(m.ClientMessageID)
	}
	return row
}

// Messages reads a range of a room's messages strongly.
func (s *Store) Messages(ctx context.Context, roomID string, r chat.Range) ([]chat.Message, bool, error) {
	// One message more than asked for shows whether there are more.
	p := page{pk: table.RoomPrefix + roomID, limit: r.Limit + 1, backward: r.After == ""}
	p.from, p.to = prefixed(table.MessagePrefix)
	bound := ""
	var err error
	switch {
	case r.Before != "":
		bound, err = messageSortKey(r.Before)
		p.to = bound
		p.limit++ // BETWEEN includes the bound itself
	case r.After != "":
		p.from, err = afterMessage(r.After)
	}
	if err != nil {
		return nil, false, err
	}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, false, err
	}
	messages := make([]chat.Message, 0, len(items))
	for _, it := range items {
		m, ok := messageOf(roomID, it)
		if ok && attribute.GetText(it, table.SK) != bound {
			messages = append(messages, m)
		}
	}
	if len(messages) > r.Limit {
		return messages[:r.Limit], true, nil
	}
	return messages, false, nil
}

// syncBudget is how many read units one sync may spend on messages: a first message
// of each of chat.MaxSyncRooms rooms, however long, or 2 MB.
const syncBudget = 5 * chat.MaxSyncRooms

// MessagesAfter reads the oldest messages after an id in each of some rooms
// strongly, within syncBudget.
func (s *Store) MessagesAfter(ctx context.Context, rooms []chat.Position, limit int) ([]chat.Missed, error) {
	missed := make([]chat.Missed, len(rooms))
	spans := make([]*span, len(rooms))
	for i, room := range rooms {
		p := page{pk: table.RoomPrefix + room.RoomID, metered: true}
		_, p.to = prefixed(table.MessagePrefix)
		var err error
		if p.from, err = afterMessage(room.MessageID); err != nil {
			return nil, err
		}
		found := &missed[i].Messages
		missed[i].RoomID = room.RoomID
		spans[i] = &span{
			page: p,
			enough: func(items []item) bool {
				for _, it := range items {
					if m, ok := messageOf(room.RoomID, it); ok {
						*found = append(*found, m)
					}
				}
				return len(*found) > limit
			},
			most: func() int { return limit + 1 - len(*found) }, // one more shows whether there are more
		}
	}
	if err := s.spread(ctx, syncBudget, spans); err != nil {
		return nil, err
	}
	for i := range missed {
		missed[i].More = !spans[i].ended
		if m := &missed[i]; len(m.Messages) > limit {
			m.Messages, m.More = m.Messages[:limit], true
		}
	}
	return missed, nil
}

// MessagesByID reads messages strongly, in the order of their ids. Those that do
// not exist are left out.
func (s *Store) MessagesByID(ctx context.Context, roomID string, messageIDs []string) ([]chat.Message, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(messageIDs)))
	keys := make([]table.Key, 0, len(ids))
	for _, id := range ids {
		ms, err := chat.MessageTime(id)
		if err != nil {
			return nil, err
		}
		keys = append(keys, table.Message(roomID, ms, id))
	}
	items, err := s.batchGet(ctx, keys, strong)
	if err != nil {
		return nil, err
	}
	messages := make([]chat.Message, 0, len(items))
	for _, k := range keys {
		if it, ok := items[k]; ok {
			m, _ := messageOf(roomID, it)
			messages = append(messages, m)
		}
	}
	return messages, nil
}

// messageSortKey returns the sort key of a message id, whether or not the message
// exists.
func messageSortKey(messageID string) (string, error) {
	ms, err := chat.MessageTime(messageID)
	if err != nil {
		return "", err
	}
	return table.Message("", ms, messageID).SK, nil
}

// afterMessage returns the first possible sort key after a message id's.
func afterMessage(messageID string) (string, error) {
	sk, err := messageSortKey(messageID)
	return sk + "\x00", err
}

// messageOf reads a message; false if the key is not a message's.
func messageOf(roomID string, it item) (chat.Message, bool) {
	id, err := table.Parse(attribute.KeyOf(it))
	m := chat.Message{
		RoomID: roomID, ID: id.MessageID, SentAt: id.MS,
		SenderID:        attribute.GetText(it, table.SenderID),
		Content:         attribute.GetText(it, table.Content),
		ClientMessageID: attribute.GetText(it, table.ClientMessageID),
		EditedAt:        attribute.GetNumber(it, table.EditedAt),
		DeletedAt:       attribute.GetNumber(it, table.DeletedAt),
	}
	if m.DeletedAt != 0 {
		m.EditedAt = 0 // every change sets it: see changeMessage
	}
	return m, err == nil
}

// MessagesUpTo returns a room's newest messages up to and including messageID,
// newest first, at most limit: their ids and versions.
func (s *Store) MessagesUpTo(ctx context.Context, roomID, messageID string, limit int) ([]chat.Message, error) {
	upTo, err := messageSortKey(messageID)
	if err != nil {
		return nil, err
	}
	from, _ := prefixed(table.MessagePrefix)
	// One page only: the result is a hint, and not worth a second request.
	items, _, err := s.query(ctx, page{
		pk: table.RoomPrefix + roomID, from: from, to: upTo, backward: true, limit: limit,
		project: []string{table.PK, table.SK, table.EditedAt, table.DeletedAt},
	}, nil)
	if err != nil {
		return nil, err
	}
	messages := make([]chat.Message, 0, len(items))
	for _, it := range items {
		if m, ok := messageOf(roomID, it); ok {
			messages = append(messages, m)
		}
	}
	return messages, nil
}
