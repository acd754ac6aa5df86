package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// PutMessage stores a message unless one with its id exists. The id was minted for one
// send: if it exists, the SDK repeated a request whose answer was lost, or a resend was
// faster.
func (s *Store) PutMessage(ctx context.Context, m chat.Message) error {
	if len(m.Attachments) > 0 {
		return s.putAttached(ctx, m)
	}
	put := s.putAbsent(messageItem(m))
	err := s.retryConflicts(ctx, func() error { // the transaction of a resend
		_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: put.TableName, Item: put.Item,
			ConditionExpression: put.ConditionExpression, ExpressionAttributeNames: put.ExpressionAttributeNames,
		})
		return err
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("put: %w", err)
	}
	return nil
}

// HasMessage reads strongly whether a message is stored.
func (s *Store) HasMessage(ctx context.Context, roomID, messageID string) (bool, error) {
	ms, err := chat.MessageTime(messageID)
	if err != nil {
		return false, err
	}
	it, err := s.get(ctx, table.Message(roomID, ms, messageID))
	return it != nil, err
}

// MessageBefore reads the id of a room's newest message before one that is about to be
// stored; NoneBefore if there is none, "" if that is stored already. It may be a moment
// old.
func (s *Store) MessageBefore(ctx context.Context, roomID, messageID string) (string, error) {
	bound, err := messageSortKey(messageID)
	if err != nil {
		return "", err
	}
	// BETWEEN includes the bound, which is not stored yet: the first one is before it.
	p := page{pk: table.RoomPrefix + roomID, to: bound, backward: true, eventual: true, limit: 1, project: []string{table.PK, table.SK}}
	p.from, _ = prefixed(table.MessagePrefix)
	items, _, err := s.query(ctx, p, nil)
	if err != nil {
		return "", err
	}
	if len(items) == 0 {
		return chat.NoneBefore, nil
	}
	before, ok := MessageOf(roomID, items[0])
	if !ok || before.ID >= messageID {
		return "", nil
	}
	return before.ID, nil
}

// ClaimSend remembers the use of a client message id, with the id of a message that is
// about to be stored.
func (s *Store) ClaimSend(ctx context.Context, m chat.Message, now int64) (chat.SentBefore, bool, error) {
	in := &dynamodb.PutItemInput{
		TableName: s.table, Item: sentItem(m, table.Claimed, now),
		// The last is a request that the SDK repeated because its answer was lost.
		ConditionExpression:       aws.String("attribute_not_exists(#pk) OR #ttl <= :sec OR #claimed = :id"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#ttl": table.TTL, "#claimed": table.Claimed},
		ExpressionAttributeValues: item{":sec": attribute.Number(now / 1000), ":id": attribute.Text(m.ID)},

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	err := s.retryConflicts(ctx, func() error { // the transaction of a resend
		_, err := s.db.PutItem(ctx, in)
		return err
	})
	if earlier, failed := conditionFailed(err); failed {
		return sentBeforeOf(earlier), false, nil
	}
	if err != nil {
		return chat.SentBefore{}, false, fmt.Errorf("put the claim: %w", err)
	}
	return chat.SentBefore{}, true, nil
}

// ResumeSend stores a message and replaces a claim by it, in one transaction: the send
// that claimed may be at work.
func (s *Store) ResumeSend(ctx context.Context, m chat.Message, earlier chat.SentBefore, now int64) (chat.SentBefore, bool, error) {
	writes, n := s.attach(m), len(m.Attachments)
	reasons, err := s.transact(ctx, ulid.Make().String(), append(writes,
		types.TransactWriteItem{Put: &types.Put{
			TableName: s.table, Item: sentItem(m, table.MessageID, now),
			ConditionExpression:       aws.String("#claimed = :earlier AND #room = :room"),
			ExpressionAttributeNames:  map[string]string{"#claimed": table.Claimed, "#room": table.RoomID},
			ExpressionAttributeValues: item{":earlier": attribute.Text(earlier.MessageID), ":room": attribute.Text(earlier.RoomID)},

			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		types.TransactWriteItem{Put: s.putAbsent(messageItem(m))},
	))
	switch {
	case err != nil:
		return chat.SentBefore{}, false, err
	case len(reasons) == 0:
		return chat.SentBefore{RoomID: m.RoomID, MessageID: m.ID, Stored: true}, true, nil
	case failedAt(reasons, n):
		return sentBeforeOf(reasons[n].Item), false, nil
	case !failedAt(reasons, n+1):
		return chat.SentBefore{}, false, refusedAttachment(m, reasons)
	}
	earlier.Stored = earlier.MessageID == m.ID // the message exists
	return earlier, false, nil
}

// sentItem remembers a message by its client message id. A claim has the message's id in
// another attribute than what is stored: the version before claims were takes what it
// finds for stored.
func sentItem(m chat.Message, id string, now int64) item {
	it := attribute.Key(table.Sent(m.SenderID, m.ClientMessageID))
	it[table.RoomID] = attribute.Text(m.RoomID)
	it[id] = attribute.Text(m.ID)
	it[table.TTL] = attribute.Number(seconds(now + chat.SentMemory.Milliseconds()))
	return it
}

func sentBeforeOf(it item) chat.SentBefore {
	sent := chat.SentBefore{RoomID: attribute.GetText(it, table.RoomID), MessageID: attribute.GetText(it, table.MessageID)}
	if sent.Stored = sent.MessageID != ""; !sent.Stored {
		sent.MessageID = attribute.GetText(it, table.Claimed)
	}
	return sent
}

func messageItem(m chat.Message) item {
	row := attribute.Key(table.Message(m.RoomID, m.SentAt, m.ID))
	row[table.SenderID] = attribute.Text(m.SenderID)
	row[table.Content] = attribute.Text(m.Content)
	if m.ClientMessageID != "" {
		row[table.ClientMessageID] = attribute.Text(m.ClientMessageID)
	}
	if m.Origin != "" {
		row[table.Origin] = attribute.Text(m.Origin)
	}
	if len(m.Attachments) > 0 {
		row[table.Attachments] = filesValue(m.Attachments)
	}
	if m.ReplyTo != nil {
		row[table.ReplyTo] = quoteValue(*m.ReplyTo)
	}
	if len(m.Mentions) > 0 {
		row[table.Mentions] = attribute.Texts(m.Mentions)
	}
	if m.ExpiresAt != 0 {
		row[table.TTL] = attribute.Number(seconds(m.ExpiresAt))
	}
	if m.Previous != "" {
		row[table.Previous] = attribute.Text(m.Previous)
	}
	return row
}

func quoteValue(q chat.Quote) types.AttributeValue {
	value := item{
		table.MessageID: attribute.Text(q.MessageID), table.SenderID: attribute.Text(q.SenderID), table.Preview: attribute.Text(q.Preview),
	}
	if q.Attachments > 0 {
		value[table.Attachments] = attribute.Number(int64(q.Attachments))
	}
	if q.ExpiresAt != 0 {
		value[table.TTL] = attribute.Number(seconds(q.ExpiresAt))
	}
	return &types.AttributeValueMemberM{Value: value}
}

// quoteOf reads what a message quotes, nil if nothing.
func quoteOf(it item) *chat.Quote {
	quote, ok := attribute.GetMap(it, table.ReplyTo)
	if !ok {
		return nil
	}
	return &chat.Quote{
		Quoted: chat.Quoted{
			MessageID: attribute.GetText(quote, table.MessageID), SenderID: attribute.GetText(quote, table.SenderID),
			Preview: attribute.GetText(quote, table.Preview), Attachments: int(attribute.GetNumber(quote, table.Attachments)),
		},
		ExpiresAt: attribute.GetNumber(quote, table.TTL) * 1000,
	}
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
	items, passed, err := s.queryAlive(ctx, p)
	if err != nil {
		return nil, false, err
	}
	messages := make([]chat.Message, 0, len(items))
	for _, it := range items {
		m, ok := s.messageOf(roomID, it)
		if ok && attribute.GetText(it, table.SK) != bound {
			messages = append(messages, m)
		}
	}
	switch {
	case len(messages) > r.Limit:
		return messages[:r.Limit], true, nil
	case len(messages) == 0 && passed != nil:
		m, _ := MessageOf(roomID, passed)
		return []chat.Message{m.Passed()}, true, nil
	}
	return messages, passed != nil, nil
}

// mostPassed is how many messages that have expired, and that DynamoDB has not deleted
// yet, a page of a history passes before it ends without others: 1 MB of short ones.
const mostPassed = 3_000

// queryAlive reads page after page until p.limit items have come that have not expired, or
// mostPassed have that have: then it returns the last of those, nil otherwise.
func (s *Store) queryAlive(ctx context.Context, p page) (items []item, passed item, err error) {
	var start item
	n, limit := 0, p.limit
	for {
		got, next, err := s.query(ctx, p, start)
		if err != nil {
			return nil, nil, err
		}
		read := len(got)
		for _, it := range got {
			if s.expired(it) {
				passed = it
			} else {
				items = append(items, it)
			}
		}
		switch {
		case len(next) == 0 || len(items) >= limit:
			return items, nil, nil
		case passed == nil:
		case n+read >= mostPassed:
			return items, passed, nil
		default:
			p.limit = min(growth*p.limit, mostPassed) // most likely many more have expired
		}
		n += read
		start = next
	}
}

// messageOf reads a message as it is now; false if it has expired, or if the key is not a
// message's.
func (s *Store) messageOf(roomID string, it item) (chat.Message, bool) {
	m, ok := MessageOf(roomID, it)
	m, alive := m.AsOf(s.now().Unix() * 1000)
	return m, ok && alive
}

// syncBudget is how many read units one sync may spend on messages: a first message
// of each of chat.MaxSyncRooms rooms, however long, or 2 MB.
const syncBudget = 5 * chat.MaxSyncRooms

// MessagesAfter reads the oldest messages after an id in each of some rooms
// strongly, within syncBudget.
func (s *Store) MessagesAfter(ctx context.Context, rooms []chat.Position, limit int) ([]chat.Missed, error) {
	missed := make([]chat.Missed, len(rooms))
	spans, passed := make([]*span, len(rooms)), make([]chat.Message, len(rooms))
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
					m, ok := s.messageOf(room.RoomID, it)
					if ok {
						*found = append(*found, m)
					} else if m.ExpiresAt != 0 {
						passed[i] = m
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
		} else if len(m.Messages) == 0 && m.More && passed[i].ID != "" { // all that was read has expired
			m.Messages = []chat.Message{passed[i].Passed()}
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
			m, _ := s.messageOf(roomID, it)
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

// MessageOf reads a message; false if the key is not a message's.
func MessageOf(roomID string, it item) (chat.Message, bool) {
	id, err := table.Parse(attribute.KeyOf(it))
	m := chat.Message{
		RoomID: roomID, ID: id.MessageID, SentAt: id.MS,
		SenderID:        attribute.GetText(it, table.SenderID),
		Content:         attribute.GetText(it, table.Content),
		ClientMessageID: attribute.GetText(it, table.ClientMessageID),
		Origin:          attribute.GetText(it, table.Origin),
		Previous:        attribute.GetText(it, table.Previous),
		EditedAt:        attribute.GetNumber(it, table.EditedAt),
		DeletedAt:       attribute.GetNumber(it, table.DeletedAt),
		DeletedBy:       attribute.GetText(it, table.DeletedBy),
		ExpiresAt:       attribute.GetNumber(it, table.TTL) * 1000,
		Attachments:     filesOf(it),
		Removed:         attribute.GetTexts(it, table.AttachmentIDs),
		ReplyTo:         quoteOf(it),
		Mentions:        attribute.GetTexts(it, table.Mentions),
		Reactions:       reactionsOf(it),
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
		if m, ok := MessageOf(roomID, it); ok {
			messages = append(messages, m)
		}
	}
	return messages, nil
}
